//! curl, as a registry's client without a mind of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use regimg_tests::Peer;
use tempfile::TempDir;

use super::measure::{Figures, call, measure};

/// Blobs that the client has under way at one time.
pub(crate) const BLOBS_AT_ONCE: &str = "4";

pub(crate) struct Curl(Peer);

impl Curl {
    pub(crate) fn find() -> Result<Self> {
        Peer::find("curl").context("curl is needed").map(Self)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn one(&self) -> Command {
        let mut curl = call(self.path());
        // Over HTTP/2 curl 7.88 and this registry end most of hundreds of look-ups with a
        // protocol error.
        curl.args(["--silent", "--fail", "--globoff", "--http1.1"]);
        curl
    }

    /// Calls curl for many addresses side by side.
    pub(crate) fn many(&self, at_once: &str) -> Command {
        let mut curl = self.one();
        curl.args([
            "--parallel",
            "--parallel-immediate",
            "--parallel-max",
            at_once,
        ]);
        curl
    }

    /// Uploads files under the digests whose hex is given: opens all uploads, and finishes
    /// each by the one request that sends the blob.
    pub(crate) fn upload(
        &self,
        host: &str,
        repository: &str,
        blobs: &[(String, PathBuf)],
    ) -> Result<Figures> {
        let place = TempDir::new()?;
        let list = place.path().join("locations");
        let mut open = self.many(BLOBS_AT_ONCE);
        open.args(["--request", "POST", "--data", ""]);
        open.args(["--write-out", "%header{location}\\n"]);
        let uploads = format!("http://{host}/v2/{repository}/blobs/uploads/");
        open.args(blobs.iter().map(|_| &uploads));
        let opened = measure(open.stdout(File::create(&list)?))?;

        let locations = fs::read_to_string(list)?;
        ensure!(
            locations.lines().count() == blobs.len(),
            "an upload has no place"
        );
        let mut send = self.many(BLOBS_AT_ONCE);
        send.args(["--header", "Content-Type: application/octet-stream"]);
        for ((hex, file), location) in blobs.iter().zip(locations.lines()) {
            send.arg("--upload-file").arg(file);
            send.arg(format!("{location}&digest=sha256:{hex}"));
        }
        Ok(opened.then(measure(&mut send)?))
    }

    /// Puts a manifest under a tag.
    pub(crate) fn tag(&self, address: &str, media_type: &str, manifest: &Path) -> Result<Figures> {
        let mut put = self.one();
        put.arg("--upload-file").arg(manifest);
        put.arg("--header")
            .arg(format!("Content-Type: {media_type}"));
        measure(put.arg(address))
    }
}
