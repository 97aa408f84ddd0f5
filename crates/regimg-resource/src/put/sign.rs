//! Signing what is pushed: found possible before, done after.

use regimg_core::{Algorithm, RawManifest};
use regimg_registry::{Signer, Target};

use crate::error::{During, Error};
use crate::report::Reporter;
use crate::resolve::Trust;

/// The phase that failures before the push are told under.
const PHASE: &str = "signing is not possible, and nothing was pushed";

/// Trust data that were found ready to be signed.
#[derive(Debug)]
pub(super) struct Signing<'a> {
    trust: &'a Trust,
    signer: Signer<'a>,
    report: &'a Reporter,
}

impl<'a> Signing<'a> {
    /// Reads the trust data, and sees whether the key may sign all of the tags.
    ///
    /// # Errors
    ///
    /// Whatever would keep them from being signed, as far as it can be known.
    pub(super) async fn open(
        trust: &'a Trust,
        tags: &[&str],
        report: &'a Reporter,
    ) -> Result<Self, Error> {
        let Trust { notary, key, .. } = trust;
        let opened = notary.open(key, tags).await;
        let signer = opened.map_err(|error| trust.told(error)).during(PHASE)?;
        Ok(Self {
            trust,
            signer,
            report,
        })
    }

    /// Sees whether trust data can name the image, before a tag does.
    ///
    /// # Errors
    ///
    /// A digest that is none of SHA-256.
    pub(super) fn check(manifest: &RawManifest) -> Result<(), Error> {
        let digest = manifest.digest();
        if digest.algorithm() == Algorithm::Sha256 {
            return Ok(());
        }
        Err(format!(
            "trust data know images by SHA-256 alone, not by {digest}"
        ))
        .during("signing is not possible, and no tag was pushed")
    }

    /// Signs the image under all of its tags.
    ///
    /// # Errors
    ///
    /// One that says that it was pushed all the same.
    pub(super) async fn publish(self, manifest: &RawManifest, tags: &[&str]) -> Result<(), Error> {
        let (digest, bytes) = (manifest.digest(), manifest.bytes());
        let targets: Vec<Target> = tags
            .iter()
            .map(|&tag| Target {
                name: tag.to_owned(),
                digest: digest.clone(),
                length: bytes.len() as u64,
            })
            .collect();
        let tags = tags.join(", ");
        let published = self.signer.publish(&targets).await;
        let published = published
            .map_err(|error| self.trust.told(error))
            .during(format!("{digest} was pushed as {tags}, but not signed"))?;
        let done = if published.changed {
            "signed"
        } else {
            "already signed"
        };
        let roles = published.roles.join(", ");
        let host = &self.trust.host;
        self.report
            .info(&format!("{done} {tags} as {roles} at {host}"));
        Ok(())
    }
}
