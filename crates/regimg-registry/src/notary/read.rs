//! Reading a repository's files, each believed only for those who vouch for it.

use std::collections::BTreeMap;

use bytes::Bytes;
use tracing::debug;

use super::document::{Delegation, Document, Meta, Root, Snapshot, Targets, Timestamp};
use super::moment::Moment;
use super::place::Place;
use super::public::hex;
use super::trust::{self, TARGETS};
use super::verify::{Flaw, Signers, Verified, short};
use super::wire::Wire;
use crate::{Error, ErrorKind};

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

/// A delegation that has a file.
#[derive(Debug)]
pub(super) enum Known {
    Valid(Targets),
    /// Signed by those who may, and out of date.
    Expired(Targets),
    /// Not signed by those who may sign it now.
    Unsigned(Flaw),
}

/// Reads the file that nothing vouches for but the connection and its own certificates.
pub(super) async fn root(wire: &Wire<'_>, now: Moment) -> Result<(Bytes, Root), Error> {
    let place = wire.place();
    let file = wire.get("root.json", FILE_LIMIT).await;
    let file = file.map_err(|error| no_root(place, error))?;
    let root = Root::verify(&file, &place.gun, now);
    Ok((file, place.judge("root.json", root)?))
}

/// Says of a server without the first file what may be wrong: a registry without trust data answers
/// 404 to it, or that the login is not for such a thing.
fn no_root(place: &Place, error: Error) -> Error {
    let is_none = format!("{} may be no notary server", place.host);
    match (error.kind(), error.hint()) {
        (ErrorKind::NotFound, _) => {
            let is_known = error.codes().any(|code| code == "METADATA_NOT_FOUND");
            let none = place.error(ErrorKind::NotFound, "there is no trust data for");
            let hint = is_known.then(|| trust::to_initialise(&place.gun));
            none.with_hint(hint.unwrap_or(is_none)).with_source(error)
        }
        (ErrorKind::Unauthorized | ErrorKind::Denied, Some(hint)) => {
            let hint = format!("{hint}, or {is_none}");
            error.with_hint(hint)
        }
        _ => error,
    }
}

/// Reads the timestamp, by its usual name or by that of one version.
pub(super) async fn timestamp(
    wire: &Wire<'_>,
    root: &Root,
    file: &str,
    now: Moment,
) -> Result<Timestamp, Error> {
    let bytes = wire.get(file, TIMESTAMP_LIMIT).await?;
    let signers = wire.place().judge("root.json", root.signers("timestamp"))?;
    let verified = signers.verify(&bytes, now).and_then(Verified::fresh);
    wire.place().judge(file, verified)
}

/// Reads the snapshot that a timestamp names.
pub(super) async fn snapshot(
    wire: &Wire<'_>,
    root: &Root,
    timestamp: &Timestamp,
    now: Moment,
) -> Result<Snapshot, Error> {
    let place = wire.place();
    let meta = place.judge("timestamp.json", named(&timestamp.meta, "snapshot"))?;
    let signers = place.judge("root.json", root.signers("snapshot"))?;
    let snapshot = hashed::<Snapshot>(wire, "snapshot", meta, &signers, now).await?;
    place.judge("snapshot", snapshot.fresh())
}

/// Reads the targets that a snapshot names, if it names this root as well.
pub(super) async fn targets(
    wire: &Wire<'_>,
    (file, root): (&[u8], &Root),
    snapshot: &Snapshot,
    now: Moment,
) -> Result<Targets, Error> {
    let place = wire.place();
    let meta = place.judge("snapshot", named(&snapshot.meta, "root"))?;
    place.judge("root.json", meta.check(file))?;
    let meta = place.judge("snapshot", named(&snapshot.meta, TARGETS))?;
    let signers = place.judge("root.json", root.signers(TARGETS))?;
    let targets = hashed::<Targets>(wire, TARGETS, meta, &signers, now).await?;
    place.judge(TARGETS, targets.fresh())
}

fn named<'a>(all: &'a BTreeMap<String, Meta>, role: &str) -> Result<&'a Meta, Flaw> {
    let missing = || Flaw::Missing(format!("which file {role} is the current one"));
    all.get(role).ok_or_else(missing)
}

/// Reads a file that something else vouches for, by the name that its hash gives it.
pub(super) async fn bytes(wire: &Wire<'_>, role: &str, meta: &Meta) -> Result<Bytes, Error> {
    let place = wire.place();
    let hash = meta.hash("sha256").ok_or(Flaw::Hash("sha256"));
    let hash = place.judge(role, hash)?;
    let length = u64::try_from(meta.length).unwrap_or_default();
    if length > FILE_LIMIT {
        let how = format!("has {length} bytes, more than {FILE_LIMIT}");
        return Err(place.flawed(role, ErrorKind::TooLarge, how));
    }
    let file = format!("{role}.{}.json", hex(hash));
    let bytes = wire.get(&file, length).await.map_err(|error| {
        if !error.is_not_found() {
            return error;
        }
        // What an upload leaves behind that the server would have written otherwise.
        error.with_hint(format!(
            "the server may have another file than its snapshot names; somebody with a key of {role} has to publish it anew"
        ))
    })?;
    place.judge(role, meta.check(&bytes))?;
    Ok(bytes)
}

async fn hashed<T: Document>(
    wire: &Wire<'_>,
    role: &str,
    meta: &Meta,
    signers: &Signers,
    now: Moment,
) -> Result<Verified<T>, Error> {
    let bytes = bytes(wire, role, meta).await?;
    wire.place().judge(role, signers.verify(&bytes, now))
}

/// Reads every delegation that has a file, and those below it. One that is out of date or not
/// signed as it should be is somebody else's business, unless it is to be signed here.
pub(super) async fn delegations(
    wire: &Wire<'_>,
    snapshot: &Snapshot,
    targets: &Targets,
    now: Moment,
) -> Result<BTreeMap<String, Known>, Error> {
    let place = wire.place();
    let (mut known, mut length) = (BTreeMap::new(), 0);
    let mut waiting = children(place, TARGETS, targets)?;
    while let Some(child) = waiting.pop() {
        let role = child.name.as_str();
        let Some(meta) = snapshot
            .meta
            .get(role)
            .filter(|_| !known.contains_key(role))
        else {
            continue;
        };
        let bytes = bytes(wire, role, meta).await?;
        length += bytes.len();
        if known.len() == MOST_DELEGATIONS || length > DELEGATIONS_LIMIT {
            return Err(too_many(place));
        }
        let parent = match role.rsplit_once('/').and_then(|(name, _)| known.get(name)) {
            Some(Known::Valid(parent)) => parent,
            _ => targets,
        };
        let state = match signers(&child, parent).verify::<Targets>(&bytes, now) {
            Ok(verified) if verified.expired.is_none() => {
                waiting.extend(children(place, role, &verified.document)?);
                Known::Valid(verified.document)
            }
            Ok(verified) => Known::Expired(verified.document),
            Err(flaw @ Flaw::Unsigned { .. }) => Known::Unsigned(flaw),
            Err(flaw) => return place.judge(role, Err(flaw)),
        };
        if !matches!(state, Known::Valid(_)) {
            debug!("the delegation {role} of {place} is not usable");
        }
        known.insert(child.name, state);
    }
    Ok(known)
}

fn too_many(place: &Place) -> Error {
    let what = format!(
        "there are more than {MOST_DELEGATIONS} delegations or {DELEGATIONS_LIMIT} bytes of them in"
    );
    place.error(ErrorKind::TooLarge, &what)
}

/// Returns the delegations of one file. Each has a name that is longer than its parent's by one
/// part, so that there can be no circles. Their keys are not copied yet: many delegations may
/// name the same large one.
fn children(place: &Place, parent: &str, targets: &Targets) -> Result<Vec<Delegation>, Error> {
    let children = targets.delegations.roles.as_deref().unwrap_or_default();
    if children.len() > MOST_DELEGATIONS {
        return Err(too_many(place));
    }
    if let Some(child) = children.iter().find(|child| !is_child(&child.name, parent)) {
        let name = short(&child.name);
        let how = format!("has a delegation {name:?}, which is no name for one");
        return Err(place.flawed(parent, ErrorKind::Protocol, how));
    }
    Ok(children.to_vec())
}

/// Says whether a name is the parent's and one part of letters, digits, `-` and `_` more. Such
/// names may stand in an address and in a header.
fn is_child(name: &str, parent: &str) -> bool {
    let rest = name.strip_prefix(parent);
    let rest = rest.and_then(|rest| rest.strip_prefix('/'));
    let belongs =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    let is_part = |rest: &str| !rest.is_empty() && rest.bytes().all(belongs);
    name.len() <= LONGEST_ROLE && rest.is_some_and(is_part)
}

/// Returns whose signatures a delegation's file needs.
pub(super) fn signers(child: &Delegation, parent: &Targets) -> Signers {
    let none = BTreeMap::new();
    let keys = parent.delegations.keys.as_ref().unwrap_or(&none);
    Signers::new(&child.keyring(), keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delegations_are_below_their_parents() {
        for (name, wanted) in [
            ("targets/a", true),
            ("targets/a-b_9", true),
            ("targets/a/b", false),
            ("targets/", false),
            ("targets", false),
            ("targetsa", false),
            ("other/a", false),
            ("targets/..", false),
            ("targets/A", false),
            ("targets/a\"\r\n", false),
            (&format!("targets/{}", "a".repeat(247)), true),
            (&format!("targets/{}", "a".repeat(248)), false),
        ] {
            assert_eq!(is_child(name, TARGETS), wanted, "{name}");
        }
        assert!(is_child("targets/a/b", "targets/a"));
        assert!(!is_child("targets/a", "targets/a"));
    }
}
