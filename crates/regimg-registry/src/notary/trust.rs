//! A repository's trust data: read, verified, and asked who may sign what.

use std::collections::BTreeMap;

use bytes::Bytes;
use tracing::debug;

use super::SigningKey;
use super::document::{Delegation, Root, Snapshot, Targets, Timestamp};
use super::moment::Moment;
use super::place::Place;
use super::read::{self, Known};
use super::verify::{Signers, short};
use super::wire::Wire;
use crate::error::Patience;
use crate::{Error, ErrorKind, envelope};

/// The role that may sign everything, and the beginning of the others' names.
pub(super) const TARGETS: &str = "targets";

/// The timestamp's usual name.
const CURRENT: &str = "timestamp.json";

/// Everything that the signatures of a repository hang on.
#[derive(Debug)]
pub(super) struct Trust {
    place: Place,
    root: Root,
    pub(super) timestamp: Timestamp,
    targets: Targets,
    delegations: BTreeMap<String, Known>,
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

/// What to do about a file of targets that is not signed as it should be.
pub(super) fn to_witness(gun: &str, role: &str) -> String {
    format!(
        "somebody with a key of the role has to look at it and run `notary witness {gun} {role} -p`"
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
        match Self::beneath(wire, read::root(wire, now).await?, now).await {
            Err(error) if is_worth_another_look(&error) => {
                debug!("trust data does not fit together, reading it again: {error}");
                Self::beneath(wire, read::root(wire, now).await?, now).await
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
        let timestamp = read::timestamp(wire, &root, CURRENT, now).await?;
        let snapshot = read::snapshot(wire, &root, &timestamp, now).await?;
        let targets = read::targets(wire, (&file, &root), &snapshot, now).await?;
        let delegations = read::delegations(wire, &snapshot, &targets, now).await?;
        let place = wire.place().clone();
        debug!(version = targets.version, "trust data of {place} verified");
        Ok(Self {
            place,
            root,
            timestamp,
            targets,
            delegations,
        })
    }

    /// Reads everything again, unless nobody has published since.
    pub(super) async fn refreshed(self, wire: &Wire<'_>, now: Moment) -> Result<Self, Error> {
        match read::timestamp(wire, &self.root, CURRENT, now).await {
            Ok(timestamp) if timestamp.meta == self.timestamp.meta => {
                Ok(Self { timestamp, ..self })
            }
            Ok(_) => Self::load(wire, now).await,
            Err(error) if is_worth_another_look(&error) => Self::load(wire, now).await,
            Err(error) => Err(error),
        }
    }

    /// Reads what the server made of an update: the snapshot that names the new files. Where a
    /// server is several machines, the one that answers may take a moment to know of it.
    pub(super) async fn published(&self, wire: &Wire<'_>, now: Moment) -> Result<Snapshot, Error> {
        let mut retry = wire.retry();
        loop {
            match self.next_snapshot(wire, now).await {
                Err(error) if error.is_not_found() => {
                    retry.pause(error.with_patience(Patience::Short)).await?;
                }
                found => return found,
            }
        }
    }

    async fn next_snapshot(&self, wire: &Wire<'_>, now: Moment) -> Result<Snapshot, Error> {
        let mut timestamp = read::timestamp(wire, &self.root, CURRENT, now).await?;
        if timestamp.version <= self.timestamp.version {
            // A cache has kept the old one; nobody can have asked for the next one before.
            let next = format!(
                "{}.timestamp.json",
                self.timestamp.version.saturating_add(1)
            );
            timestamp = read::timestamp(wire, &self.root, &next, now).await?;
        }
        read::snapshot(wire, &self.root, &timestamp, now).await
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Returns whose signatures a role's file needs.
    pub(super) fn signers(&self, role: &str) -> Result<Signers, Error> {
        if role == TARGETS {
            return self.place.judge("root.json", self.root.signers(TARGETS));
        }
        let found = self.children().iter().find(|child| child.name == role);
        let found = found.map(|child| read::signers(child, &self.targets));
        found.ok_or_else(|| {
            self.place
                .error(ErrorKind::Denied, &format!("there is no role {role} in"))
        })
    }

    fn children(&self) -> &[Delegation] {
        let roles = self.targets.delegations.roles.as_deref();
        roles.unwrap_or_default()
    }

    /// Finds the roles that the key signs a target as: every delegation that is made for it and
    /// has the key, or `targets` itself where there are no delegations at all.
    pub(super) fn seats(&self, key: &SigningKey, name: &str) -> Result<Vec<Seat>, Error> {
        self.check_snapshot_key(key)?;
        let roles: Vec<&str> = if self.children().is_empty() {
            vec![TARGETS]
        } else {
            let takes = |child: &&Delegation| {
                let mut paths = child.paths.iter();
                paths.any(|path| name.starts_with(path.as_str()))
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
            let error = self.place.flawed(role, flaw.kind(), flaw);
            return Err(error.with_hint(to_witness(&self.place.gun, role)));
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
            .find(|child| read::signers(child, &self.targets).find(key.id()).is_some());
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
