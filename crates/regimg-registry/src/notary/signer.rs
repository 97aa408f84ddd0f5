//! Publishing what was decided, and seeing what became of it.

use regimg_core::Digest;
use tracing::debug;

use super::document::Targets;
use super::moment::Moment;
use super::read;
use super::refusal;
use super::trust::Trust;
use super::update::Update;
use super::wire::{Upload, Wire};
use super::{Notary, SigningKey};
use crate::{Error, ErrorKind};

/// How often an update is made again because somebody else was faster.
const MOST_RACES: u32 = 3;

/// What a tag shall stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The tag.
    pub name: String,
    /// The digest of its manifest, which has to be `sha256`.
    pub digest: Digest,
    /// How many bytes that manifest has.
    pub length: u64,
}

/// Verified trust data and the roles to sign as; made by [`Notary::open`].
#[derive(Debug)]
pub struct Signer<'a> {
    pub(super) notary: &'a Notary,
    pub(super) key: SigningKey,
    pub(super) trust: Trust,
}

/// What [`Signer::publish`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The roles under which the targets are signed now, such as `targets/releases`, sorted.
    pub roles: Vec<String>,
    /// Whether anything had to be sent: `false` when all targets were signed so already.
    pub changed: bool,
}

impl Signer<'_> {
    /// Signs all targets at once, and reads back what the server made of it.
    ///
    /// What changed on the server since [`Notary::open`] is taken into account, and so are
    /// others who publish at the same time. Nothing is sent when nothing would change.
    ///
    /// # Errors
    ///
    /// As [`Notary::open`], [`ErrorKind::Configuration`] for a target that no trust data can
    /// hold, [`ErrorKind::Rejected`] when the server refuses the update, and
    /// [`ErrorKind::Digest`] when what it hands out afterwards is not what was sent.
    pub async fn publish(self, targets: &[Target]) -> Result<Published, Error> {
        let Self { notary, key, trust } = self;
        let wire = Wire::new(notary, &key);
        let work = publish(&wire, &key, trust, targets);
        notary.session.in_time(work).await
    }
}

async fn publish(
    wire: &Wire<'_>,
    key: &SigningKey,
    trust: Trust,
    targets: &[Target],
) -> Result<Published, Error> {
    let mut trust = trust.refreshed(wire, wire.now()).await?;
    let mut races = 0;
    loop {
        let update = Update::new(&trust, key, targets, wire.now())?;
        if update.files.is_empty() {
            return Ok(Published {
                roles: update.roles,
                // An answer that was lost may have been good, and the next one then says that
                // there is such a version already.
                changed: races > 0,
            });
        }
        let (roles, files) = (update.roles.join(", "), update.files.len());
        debug!(files, "signing {} as {roles}", wire.place());
        match wire.post(&update.files).await {
            Ok(()) => {
                read_back(wire, &trust, &update.files).await?;
                return Ok(Published {
                    roles: update.roles,
                    changed: true,
                });
            }
            Err(error) if refusal::is_outdated(&error) && races < MOST_RACES => {
                debug!("somebody else has published meanwhile: {error}");
                races += 1;
                trust = Trust::load(wire, wire.now()).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Sees whether the server hands out what was sent: it stores our bytes under the hash of those
/// that it would have written itself.
async fn read_back(wire: &Wire<'_>, before: &Trust, sent: &[Upload]) -> Result<(), Error> {
    let now = wire.now();
    let snapshot = before
        .published(wire, now)
        .await
        .map_err(|error| lost(wire, error))?;
    for upload in sent {
        let Some(meta) = snapshot.meta.get(&upload.role) else {
            let error = wire
                .place()
                .flawed(&upload.role, ErrorKind::Digest, "is not there");
            return Err(lost(wire, error));
        };
        let bytes = read::bytes(wire, &upload.role, meta).await;
        let bytes = bytes.map_err(|error| lost(wire, error))?;
        if bytes != upload.bytes {
            check_successor(before, upload, &bytes, now).map_err(|error| lost(wire, error))?;
        }
    }
    Ok(())
}

/// Another file in the place of ours is good if somebody who may has published it after us.
fn check_successor(before: &Trust, upload: &Upload, file: &[u8], now: Moment) -> Result<(), Error> {
    let place = before.place();
    let found = before.signers(&upload.role)?.verify::<Targets>(file, now);
    let found = place.judge(&upload.role, found)?;
    if found.document.version <= upload.version {
        return Err(place.flawed(
            &upload.role,
            ErrorKind::Digest,
            "is not the one that was sent",
        ));
    }
    debug!("{} of {place} was replaced by a newer one", upload.role);
    Ok(())
}

/// Says that the server took the update, and then went on without it.
fn lost(wire: &Wire<'_>, cause: Error) -> Error {
    let kind = match cause.kind() {
        ErrorKind::NotFound | ErrorKind::Protocol | ErrorKind::TooLarge => ErrorKind::Digest,
        kind => kind,
    };
    let what = "the update was taken, and cannot be read back: look at the trust data of";
    let error = wire.place().failed(what, cause).with_kind(kind);
    error.with_hint(
        "whoever verifies images may be refused this repository until its trust data is published anew",
    )
}
