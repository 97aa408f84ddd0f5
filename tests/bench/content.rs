//! An image to move: blobs that nothing compresses, laid out as skopeo's `dir:` has it.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use regimg_tests::Digest;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The manifest's media type.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What skopeo expects in the file `version`.
const VERSION: &str = "Directory Transport Version: 1.1\n";

/// Blobs of one size, the configuration apart.
pub(crate) struct Content {
    directory: TempDir,
    /// The digests' hex, by which the files are named.
    blobs: Vec<String>,
    configuration: String,
    size: u64,
}

impl Content {
    /// Makes `count` different blobs of `size` bytes, a multiple of eight.
    pub(crate) fn make(count: u64, size: u64) -> Result<Self> {
        let directory = TempDir::new()?;
        let blobs = (1..=count).map(|seed| noise(directory.path(), seed, size));
        let blobs = blobs.collect::<Result<Vec<_>>>()?;
        let configuration = json!({
            "architecture": "amd64",
            "os": "linux",
            "rootfs": { "type": "layers", "diff_ids": [] },
        });
        let configuration = configuration.to_string();
        let hex = Digest::sha256(configuration.as_bytes()).hex().to_owned();
        let content = Self {
            directory,
            blobs,
            configuration: hex,
            size,
        };
        content.describe(&configuration)?;
        Ok(content)
    }

    /// Writes everything but the blobs.
    fn describe(&self, configuration: &str) -> Result<()> {
        let blob = |kind: &str, hex: &str, size: u64| -> Value {
            let media_type = format!("application/vnd.oci.image.{kind}");
            json!({ "mediaType": media_type, "digest": format!("sha256:{hex}"), "size": size })
        };
        let layer = |hex: &String| blob("layer.v1.tar", hex, self.size);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": blob("config.v1+json", &self.configuration, configuration.len() as u64),
            "layers": self.blobs.iter().map(layer).collect::<Vec<_>>(),
        });
        let sums = self.blobs.iter().map(|hex| format!("{hex}  {hex}\n"));
        let path = |name: &str| self.directory().join(name);
        fs::write(path(&self.configuration), configuration)?;
        fs::write(path("version"), VERSION)?;
        fs::write(self.manifest(), manifest.to_string())?;
        fs::write(self.sums(), sums.collect::<String>())?;
        Ok(())
    }

    /// Where everything is.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The hex of the blobs' digests.
    pub(crate) fn blobs(&self) -> &[String] {
        &self.blobs
    }

    /// The blobs' files, in the same order.
    pub(crate) fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.blobs.iter().map(|hex| self.directory().join(hex))
    }

    /// The file of the image's configuration.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.directory().join(&self.configuration)
    }

    /// The size of each blob.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The manifest's file.
    pub(crate) fn manifest(&self) -> PathBuf {
        self.directory().join("manifest.json")
    }

    /// A file for `sha256sum --check`, to be called where the blobs are.
    pub(crate) fn sums(&self) -> PathBuf {
        self.directory().join("sums")
    }
}

/// Writes a file of numbers without a pattern and names it by its digest.
fn noise(directory: &Path, seed: u64, size: u64) -> Result<String> {
    let unnamed = directory.join("unnamed");
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&unnamed)?);
    let mut state = seed;
    for _ in 0..size / 8 {
        // Marsaglia's xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes())?;
    }
    file.into_inner().context("writing a blob")?;
    let digest = Digest::sha256_of(File::open(&unnamed)?)?;
    fs::rename(unnamed, directory.join(digest.hex()))?;
    Ok(digest.hex().to_owned())
}
