//! What has to change for targets to be signed.

use std::collections::BTreeMap;

use regimg_core::Algorithm;

use super::document::{self, Meta, Targets};
use super::moment::Moment;
use super::place::Place;
use super::public::unhex;
use super::trust::Trust;
use super::wire::Upload;
use super::{SigningKey, Target, canonical};
use crate::{Error, ErrorKind, envelope};

/// For how long what is signed now is good, as in `notary`.
const LIFE_IN_DAYS: i64 = 3 * 365;

/// The roles to sign as, and the files that differ from what there is.
#[derive(Debug)]
pub(super) struct Update {
    pub(super) roles: Vec<String>,
    pub(super) files: Vec<Upload>,
}

impl Update {
    /// Decides what to send for all targets.
    pub(super) fn new(
        trust: &Trust,
        key: &SigningKey,
        targets: &[Target],
        now: Moment,
    ) -> Result<Self, Error> {
        let mut wanted: BTreeMap<(String, String), Vec<(&str, Meta)>> = BTreeMap::new();
        for target in targets {
            let meta = meta(trust.place(), target)?;
            for seat in trust.seats(key, &target.name)? {
                let entries = wanted.entry((seat.role, seat.keyid)).or_default();
                entries.push((&target.name, meta.clone()));
            }
        }
        let roles = wanted.keys().map(|(role, _)| role.clone()).collect();
        let mut files = Vec::new();
        for ((role, keyid), entries) in wanted {
            let basis = trust.basis(&role);
            let mut targets = basis.targets;
            if !enter(&mut targets, entries) && !basis.is_expired {
                continue;
            }
            targets.version = next(trust.place(), &role, targets.version)?;
            targets.expires = now.plus_days(LIFE_IN_DAYS).text();
            files.push(Upload {
                version: targets.version,
                bytes: signed(trust.place(), key, &role, &keyid, &targets)?,
                role,
            });
        }
        Ok(Self { roles, files })
    }
}

/// Sees whether trust data can hold a target.
pub(super) fn check_name(place: &Place, name: &str) -> Result<(), Error> {
    if name.is_empty() || name.chars().any(char::is_control) {
        let name = envelope::clean(name);
        let what = format!("{name:?} cannot be a name in the trust data of");
        return Err(place.error(ErrorKind::Configuration, &what));
    }
    Ok(())
}

fn meta(place: &Place, target: &Target) -> Result<Meta, Error> {
    check_name(place, &target.name)?;
    let refused = |why: &str| {
        let what = format!("{:?} cannot be signed in the trust data of", target.name);
        let error = place.error(ErrorKind::Configuration, &what);
        error.with_hint(why)
    };
    if target.digest.algorithm() != Algorithm::Sha256 {
        return Err(refused("it knows manifests by their sha256 digest alone"));
    }
    let length = i64::try_from(target.length).map_err(|_| refused("the manifest is too long"))?;
    let hash = unhex(target.digest.hex()).ok_or_else(|| refused("its digest cannot be read"))?;
    Ok(Meta::sha256(hash, length))
}

/// Enters targets; says whether that changes anything.
fn enter(targets: &mut Targets, entries: Vec<(&str, Meta)>) -> bool {
    let known = targets.entries.get_or_insert_default();
    let mut is_changed = false;
    for (name, meta) in entries {
        let is_same = known.get(name).is_some_and(|known| {
            known.length == meta.length && known.hash("sha256") == meta.hash("sha256")
        });
        if !is_same {
            known.insert(name.to_owned(), meta);
            is_changed = true;
        }
    }
    is_changed
}

fn next(place: &Place, role: &str, version: u64) -> Result<u64, Error> {
    // The server counts in 63 bits.
    let next = version
        .checked_add(1)
        .filter(|next| i64::try_from(*next).is_ok());
    next.ok_or_else(|| place.flawed(role, ErrorKind::Protocol, "has the last version there is"))
}

fn signed(
    place: &Place,
    key: &SigningKey,
    role: &str,
    keyid: &str,
    targets: &Targets,
) -> Result<Vec<u8>, Error> {
    let unwritable = |error| {
        let error: serde_json::Error = error;
        place.flawed(
            role,
            ErrorKind::Protocol,
            format!("cannot be written: {error}"),
        )
    };
    let canonical = canonical::to_vec(targets).map_err(unwritable)?;
    let signature = key.sign(keyid, &canonical)?;
    document::write(&canonical, &[signature]).map_err(unwritable)
}
