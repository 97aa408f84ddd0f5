//! A repository's trust data: read, verified, and asked who may sign what.

use std::collections::BTreeMap;

use bytes::Bytes;
use tracing::debug;

use super::SigningKey;
use super::document::{Delegation, Document, Meta, Root, Snapshot, Targets, Timestamp};
use super::moment::Moment;
use super::place::Place;
use super::public::hex;
use super::verify::{Flaw, Signers, Verified, short};
use super::wire::Wire;
use crate::{Error, ErrorKind, envelope};

/// The role that may sign everything, and the beginning of the others' names.
pub(super) const TARGETS: &str = "targets";

/// Bytes of one file that are read: a hundred thousand tags.
const FILE_LIMIT: u64 = 16 << 20;

/// Bytes of the timestamp, which is of one length in effect.
const TIMESTAMP_LIMIT: u64 = 1 << 20;

/// Delegations of one repository that are looked at.
const MOST_DELEGATIONS: usize = 1000;

/// Bytes that all of them have together.
const DELEGATIONS_LIMIT: usize = 32 << 20;

/// Bytes of a role's name, of which a server keeps no more.
const LONGEST_ROLE: usize = 255;

/// Everything that the signatures of a repository hang on.
#[derive(Debug)]
pub(super) struct Trust {
    place: Place,
    root: Root,
    pub(super) timestamp: Timestamp,
    targets: Targets,
    delegations: BTreeMap<String, Known>,
}

/// A delegation that has a file.
#[derive(Debug)]
enum Known {
    Valid(Targets),
    /// Signed by those who may, and out of date.
    Expired(Targets),
    /// Not signed by those who may sign it now.
    Unsigned(Flaw),
}

/// A role that a key may sign as, and the key's name there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) role: String,
    pub(super) keyid: String,
}

/// How a role's file is to be gone on with.
pub(super) struct Basis {
    pub(super) targets: Targets,
    /// Whether it has to be signed anew even if nothing in it changes.
    pub(super) is_expired: bool,
}

/// What to do about a repository that has no trust data.
pub(super) fn to_initialise(gun: &str) -> String {
    format!(
        "the holder of its root key has to run `notary init {gun}` or `docker trust signer add` once"
    )
}

/// What to do about a snapshot key that the server does not have.
pub(super) fn to_rotate_snapshot(gun: &str) -> String {
    format!(
        "the server has to sign snapshots itself: the holder of the root key has to run `notary key rotate {gun} snapshot -r` once"
    )
}

impl Trust {
    /// Reads and verifies everything; once more from the beginning if the files do not fit
    /// together, since somebody may be publishing at this moment.
    pub(super) async fn load(wire: &Wire<'_>, now: Moment) -> Result<Self, Error> {
        match Self::beneath(wire, read_root(wire, now).await?, now).await {
            Err(error) if is_worth_another_look(&error) => {
                debug!("trust data does not fit together, reading it again: {error}");
                Self::beneath(wire, read_root(wire, now).await?, now).await
            }
            loaded => loaded,
        }
    }

    /// Reads everything that the keys of a root have signed.
    async fn beneath(
        wire: &Wire<'_>,
        (file, root): (Bytes, Root),
        now: Moment,
    ) -> Result<Self, Error> {
        let timestamp = read_timestamp(wire, &root, "timestamp.json", now).await?;
        let snapshot = read_snapshot(wire, &root, &timestamp, now).await?;
        let place = wire.place();
        let flawed = |name: &str, flaw: Flaw| flawed(place, name, &flaw);
        let meta = named(&snapshot, "root").map_err(|flaw| flawed("snapshot", flaw))?;
        meta.check(&file)
            .map_err(|flaw| flawed("root.json", flaw))?;
        let meta = named(&snapshot, TARGETS).map_err(|flaw| flawed("snapshot", flaw))?;
        let signers = root.signers(TARGETS);
        let signers = signers.map_err(|flaw| flawed("root.json", flaw))?;
        let targets = read_hashed::<Targets>(wire, TARGETS, meta, &signers, now).await?;
        let targets = targets.fresh().map_err(|flaw| flawed(TARGETS, flaw))?;
        let delegations = read_delegations(wire, &snapshot, &targets, now).await?;
        debug!(
            delegations = delegations.len(),
            version = targets.version,
            "trust data of {place} verified"
        );
        Ok(Self {
            place: place.clone(),
            root,
            timestamp,
            targets,
            delegations,
        })
    }

    /// Reads everything again, unless nobody has published since.
    pub(super) async fn refreshed(self, wire: &Wire<'_>, now: Moment) -> Result<Self, Error> {
        match read_timestamp(wire, &self.root, "timestamp.json", now).await {
            Ok(timestamp) if timestamp.meta == self.timestamp.meta => {
                Ok(Self { timestamp, ..self })
            }
            Ok(_) => Self::load(wire, now).await,
            Err(error) if is_worth_another_look(&error) => Self::load(wire, now).await,
            Err(error) => Err(error),
        }
    }

    /// Reads what the server made of an update: the snapshot that names the new files.
    pub(super) async fn published(&self, wire: &Wire<'_>, now: Moment) -> Result<Snapshot, Error> {
        let mut timestamp = read_timestamp(wire, &self.root, "timestamp.json", now).await?;
        if timestamp.version <= self.timestamp.version {
            // A cache has kept the old one; nobody can have asked for the next one before.
            let next = format!("{}.timestamp.json", self.timestamp.version + 1);
            timestamp = read_timestamp(wire, &self.root, &next, now).await?;
        }
        read_snapshot(wire, &self.root, &timestamp, now).await
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Returns whose signatures a role's file needs.
    pub(super) fn signers(&self, role: &str) -> Result<Signers, Error> {
        if role == TARGETS {
            let signers = self.root.signers(TARGETS);
            return signers.map_err(|flaw| flawed(&self.place, "root.json", &flaw));
        }
        let found = self.children().iter().find(|child| child.name == role);
        let found = found.map(|child| signers_of(child, &self.targets));
        found.ok_or_else(|| {
            self.place
                .error(ErrorKind::Denied, &format!("there is no role {role} in"))
        })
    }

    fn children(&self) -> &[Delegation] {
        self.targets
            .delegations
            .roles
            .as_deref()
            .unwrap_or_default()
    }

    /// Finds the roles that the key signs a target as: every delegation that is made for it and
    /// has the key, or `targets` itself where there are no delegations at all.
    pub(super) fn seats(&self, key: &SigningKey, name: &str) -> Result<Vec<Seat>, Error> {
        self.check_snapshot_key(key)?;
        let roles: Vec<&str> = if self.children().is_empty() {
            vec![TARGETS]
        } else {
            let takes = |child: &&Delegation| {
                child
                    .paths
                    .iter()
                    .any(|path| name.starts_with(path.as_str()))
            };
            let children = self.children().iter().filter(takes);
            children.map(|child| child.name.as_str()).collect()
        };
        let mut seats = Vec::new();
        for role in &roles {
            let signers = self.signers(role)?;
            let Some(keyid) = signers.find(key.id()) else {
                continue;
            };
            self.check_seat(role, &signers)?;
            seats.push(Seat {
                role: (*role).to_owned(),
                keyid: keyid.to_owned(),
            });
        }
        if seats.is_empty() {
            return Err(self.no_seat(key, name, &roles));
        }
        seats.sort_by(|one, other| one.role.cmp(&other.role));
        seats.dedup_by(|one, other| one.role == other.role);
        Ok(seats)
    }

    /// Sees whether one signature of ours makes the role's file a good one.
    fn check_seat(&self, role: &str, signers: &Signers) -> Result<(), Error> {
        if signers.threshold() != 1 {
            let what = format!(
                "{} keys have to sign together as {role}, which takes more than one key, for",
                signers.threshold()
            );
            return Err(self.place.error(ErrorKind::Denied, &what));
        }
        if let Some(Known::Unsigned(flaw)) = self.delegations.get(role) {
            let hint = format!(
                "somebody with a key of the role has to look at it and run `notary witness {} {role} -p`",
                self.place.gun
            );
            return Err(flawed(&self.place, role, flaw).with_hint(hint));
        }
        Ok(())
    }

    /// Whoever was given the snapshot key as the repository's key would sign nothing.
    fn check_snapshot_key(&self, key: &SigningKey) -> Result<(), Error> {
        let signers = self.root.signers("snapshot");
        if signers.is_ok_and(|signers| signers.find(key.id()).is_some()) {
            let what = format!("the key {} is the snapshot key of", key.id());
            let error = self.place.error(ErrorKind::Denied, &what);
            return Err(error.with_hint(to_rotate_snapshot(&self.place.gun)));
        }
        Ok(())
    }

    fn no_seat(&self, key: &SigningKey, name: &str, roles: &[&str]) -> Error {
        let name = envelope::clean(name);
        let what = format!("the key {} may not sign {name:?} in", key.id());
        let error = self.place.error(ErrorKind::Denied, &what);
        let elsewhere = self
            .children()
            .iter()
            .find(|child| signers_of(child, &self.targets).find(key.id()).is_some());
        if let Some(child) = elsewhere {
            let paths = envelope::clean(&child.paths.join(", "));
            return error.with_hint(format!(
                "the key is one of {}, which is for names that begin with {paths:?}",
                child.name
            ));
        }
        let gun = &self.place.gun;
        let Some((role, ids)) = roles.iter().find_map(|role| {
            let signers = self.signers(role).ok()?;
            let ids: Vec<String> = signers.names().take(4).map(|id| short(&id)).collect();
            Some((role, ids.join(", ")))
        }) else {
            return error.with_hint(format!(
                "no delegation is for such names; see `notary delegation list {gun}`"
            ));
        };
        error.with_hint(format!(
            "the keys of {role} are {ids}; others are added by `docker trust signer add` or `notary delegation add {gun}`"
        ))
    }

    /// Returns the file to change, new where the role has none yet.
    pub(super) fn basis(&self, role: &str) -> Basis {
        let (targets, is_expired) = match self.delegations.get(role) {
            _ if role == TARGETS => (self.targets.clone(), false),
            Some(Known::Valid(targets)) => (targets.clone(), false),
            Some(Known::Expired(targets)) => (targets.clone(), true),
            None | Some(Known::Unsigned(_)) => (Targets::new(), false),
        };
        Basis {
            targets,
            is_expired,
        }
    }
}

/// Says whether a failure may be that of files of two different times.
fn is_worth_another_look(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Digest | ErrorKind::Protocol | ErrorKind::TooLarge | ErrorKind::NotFound
    )
}

fn flawed(place: &Place, name: &str, flaw: &Flaw) -> Error {
    place.flawed(&envelope::clean(name), flaw.kind(), flaw)
}

async fn read_root(wire: &Wire<'_>, now: Moment) -> Result<(Bytes, Root), Error> {
    let place = wire.place();
    let file = wire.get("root.json", FILE_LIMIT).await;
    let file = file.map_err(|error| {
        if !error.is_not_found() {
            return error;
        }
        let none = place.error(ErrorKind::NotFound, "there is no trust data for");
        let hint = if error.codes().any(|code| code == "METADATA_NOT_FOUND") {
            to_initialise(&place.gun)
        } else {
            format!("{} may be no notary server", place.host)
        };
        none.with_hint(hint).with_source(error)
    })?;
    let root = Root::verify(&file, &place.gun, now);
    let root = root.map_err(|flaw| flawed(place, "root.json", &flaw))?;
    Ok((file, root))
}

async fn read_timestamp(
    wire: &Wire<'_>,
    root: &Root,
    file: &str,
    now: Moment,
) -> Result<Timestamp, Error> {
    let bytes = wire.get(file, TIMESTAMP_LIMIT).await?;
    let verified = root
        .signers("timestamp")
        .and_then(|signers| signers.verify(&bytes, now));
    let fresh = verified.and_then(Verified::fresh);
    fresh.map_err(|flaw| flawed(wire.place(), file, &flaw))
}

async fn read_snapshot(
    wire: &Wire<'_>,
    root: &Root,
    timestamp: &Timestamp,
    now: Moment,
) -> Result<Snapshot, Error> {
    let place = wire.place();
    let missing = || Flaw::Missing("which snapshot is the current one".to_owned());
    let meta = timestamp.meta.get("snapshot").ok_or_else(missing);
    let meta = meta.map_err(|flaw| flawed(place, "timestamp.json", &flaw))?;
    let signers = root
        .signers("snapshot")
        .map_err(|flaw| flawed(place, "root.json", &flaw))?;
    let snapshot = read_hashed::<Snapshot>(wire, "snapshot", meta, &signers, now).await?;
    snapshot
        .fresh()
        .map_err(|flaw| flawed(place, "snapshot", &flaw))
}

fn named<'a>(snapshot: &'a Snapshot, role: &str) -> Result<&'a Meta, Flaw> {
    let missing = || Flaw::Missing(format!("which file {role} is the current one"));
    snapshot.meta.get(role).ok_or_else(missing)
}

/// Reads the file that something else vouches for, by the name that its hash gives it.
pub(super) async fn read_bytes(wire: &Wire<'_>, role: &str, meta: &Meta) -> Result<Bytes, Error> {
    let place = wire.place();
    let hash = meta.hash("sha256").ok_or(Flaw::Hash("sha256"));
    let hash = hash.map_err(|flaw| flawed(place, role, &flaw))?;
    let length = u64::try_from(meta.length).unwrap_or_default();
    if length > FILE_LIMIT {
        let how = format!("has {length} bytes, more than {FILE_LIMIT}");
        return Err(place.flawed(role, ErrorKind::TooLarge, how));
    }
    let bytes = wire
        .get(&format!("{role}.{}.json", hex(hash)), length)
        .await?;
    meta.check(&bytes)
        .map_err(|flaw| flawed(place, role, &flaw))?;
    Ok(bytes)
}

async fn read_hashed<T: Document>(
    wire: &Wire<'_>,
    role: &str,
    meta: &Meta,
    signers: &Signers,
    now: Moment,
) -> Result<Verified<T>, Error> {
    let bytes = read_bytes(wire, role, meta).await?;
    let verified = signers.verify(&bytes, now);
    verified.map_err(|flaw| flawed(wire.place(), role, &flaw))
}

/// Reads every delegation that has a file, and those below it. One that is out of date or not
/// signed as it should be is somebody else's business, unless it is to be signed here.
async fn read_delegations(
    wire: &Wire<'_>,
    snapshot: &Snapshot,
    targets: &Targets,
    now: Moment,
) -> Result<BTreeMap<String, Known>, Error> {
    let (mut known, mut length) = (BTreeMap::new(), 0);
    let mut waiting = children(wire.place(), TARGETS, targets)?;
    while let Some((role, signers)) = waiting.pop() {
        let Some(meta) = snapshot.meta.get(&role) else {
            continue;
        };
        if known.contains_key(&role) {
            continue;
        }
        let bytes = read_bytes(wire, &role, meta).await?;
        length += bytes.len();
        if known.len() == MOST_DELEGATIONS || length > DELEGATIONS_LIMIT {
            let what = format!(
                "there are more than {MOST_DELEGATIONS} delegations or {DELEGATIONS_LIMIT} bytes of them in"
            );
            return Err(wire.place().error(ErrorKind::TooLarge, &what));
        }
        let state = match signers.verify::<Targets>(&bytes, now) {
            Ok(verified) if verified.expired.is_none() => {
                waiting.extend(children(wire.place(), &role, &verified.document)?);
                Known::Valid(verified.document)
            }
            Ok(verified) => Known::Expired(verified.document),
            Err(flaw @ Flaw::Unsigned { .. }) => Known::Unsigned(flaw),
            Err(flaw) => return Err(flawed(wire.place(), &role, &flaw)),
        };
        if !matches!(state, Known::Valid(_)) {
            debug!("the delegation {role} of {} is not usable", wire.place());
        }
        known.insert(role, state);
    }
    Ok(known)
}

/// Returns the delegations of one file. Each has a name that is longer than its parent's by one
/// part, so that there can be no circles.
fn children(
    place: &Place,
    parent: &str,
    targets: &Targets,
) -> Result<Vec<(String, Signers)>, Error> {
    let roles = targets.delegations.roles.as_deref().unwrap_or_default();
    let named = roles.iter().map(|child| {
        if !is_child(&child.name, parent) {
            let flaw = Flaw::Missing(format!("a good name for the role {:?}", short(&child.name)));
            return Err(flawed(place, parent, &flaw));
        }
        Ok((child.name.clone(), signers_of(child, targets)))
    });
    named.collect()
}

fn is_child(name: &str, parent: &str) -> bool {
    let rest = name
        .strip_prefix(parent)
        .and_then(|rest| rest.strip_prefix('/'));
    let belongs =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    let is_part = |rest: &str| !rest.is_empty() && rest.bytes().all(belongs);
    name.len() <= LONGEST_ROLE && rest.is_some_and(is_part)
}

fn signers_of(child: &Delegation, parent: &Targets) -> Signers {
    let none = BTreeMap::new();
    let keys = parent.delegations.keys.as_ref().unwrap_or(&none);
    Signers::new(&child.keyring(), keys)
}
