//! What curl sends, where something is pushed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use super::curl::{BLOBS_AT_ONCE, Curl};
use super::measure::{Figures, measure};

impl Curl {
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
