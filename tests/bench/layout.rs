//! OCI layouts of one image, as `cargo xtask images` makes them.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result};
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use regimg_tests::Digest;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The level that `out` compresses with.
const LEVEL: u32 = 2;

/// An image in a layout of its own.
pub(crate) struct Layout {
    path: PathBuf,
    manifest: Value,
    media_type: String,
    manifest_path: PathBuf,
    /// The digests of the image that this one was made of.
    known: HashSet<String>,
    /// Holds the layout if it was made here.
    _place: Option<TempDir>,
}

impl Layout {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let index = read_json(&path.join("index.json"))?;
        let top = &index["manifests"][0];
        let media_type = text(&top["mediaType"])?;
        let manifest_path = blob_path(path, &text(&top["digest"])?);
        Ok(Self {
            path: path.to_owned(),
            manifest: read_json(&manifest_path)?,
            media_type,
            manifest_path,
            known: HashSet::new(),
            _place: None,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Names it as skopeo does.
    pub(crate) fn reference(&self) -> String {
        format!("oci:{}", self.path.display())
    }

    /// Returns the manifest's media type and its file.
    pub(crate) fn manifest(&self) -> (&str, &Path) {
        (&self.media_type, &self.manifest_path)
    }

    /// Lists configuration and layers: the hex of the digest, and the file.
    pub(crate) fn blobs(&self) -> Result<Vec<(String, PathBuf)>> {
        let layers = self.manifest["layers"].as_array().into_iter().flatten();
        let blobs = [&self.manifest["config"]].into_iter().chain(layers);
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for blob in blobs {
            let digest = text(&blob["digest"])?;
            if seen.insert(digest.clone()) {
                let path = blob_path(&self.path, &digest);
                found.push((digest.trim_start_matches("sha256:").to_owned(), path));
            }
        }
        Ok(found)
    }

    /// Lists those that the image does not have which this one was made of.
    pub(crate) fn new_blobs(&self) -> Result<Vec<(String, PathBuf)>> {
        let mut blobs = self.blobs()?;
        blobs.retain(|(hex, _)| !self.known.contains(hex));
        Ok(blobs)
    }

    /// Makes an image whose last layer is another one of the same size, and so is its
    /// configuration.
    pub(crate) fn with_another_layer(&self, seed: u32) -> Result<Self> {
        // Beside the other one, whose blobs get a second name: a copy takes time.
        let beside = self.path.parent().context("a layout is in a directory")?;
        let place = TempDir::new_in(beside)?;
        let root = place.path().join("layout");
        let blobs = root.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        for (hex, path) in self.blobs()? {
            fs::hard_link(path, blobs.join(hex))?;
        }
        let mut manifest = self.manifest.clone();
        let layers = manifest["layers"].as_array_mut();
        let layer = layers.and_then(|layers| layers.last_mut());
        let layer = layer.context("the image has no layer")?;
        let mut content = fs::read(blob_path(&self.path, &text(&layer["digest"])?))?;
        // Behind the magic number by which compression is told.
        content
            .get_mut(16..20)
            .context("the layer is empty")?
            .copy_from_slice(&seed.to_le_bytes());
        layer["digest"] = json!(store(&blobs, &content)?);
        let config = blob_path(&self.path, &text(&manifest["config"]["digest"])?);
        let mut config = read_json(&config)?;
        config["comment"] = json!(seed);
        let config = config.to_string();
        manifest["config"]["size"] = json!(config.len());
        manifest["config"]["digest"] = json!(store(&blobs, config.as_bytes())?);
        let manifest = manifest.to_string();
        let index = json!({
            "schemaVersion": 2,
            "manifests": [{
                "mediaType": self.media_type,
                "digest": store(&blobs, manifest.as_bytes())?,
                "size": manifest.len(),
            }],
        });
        fs::write(root.join("index.json"), index.to_string())?;
        fs::copy(self.path.join("oci-layout"), root.join("oci-layout"))?;
        let known = self.blobs()?.into_iter().map(|(hex, _)| hex).collect();
        Ok(Self {
            known,
            _place: Some(place),
            ..Self::read(&root)?
        })
    }

    /// Writes the layers' plain content to files of a directory.
    pub(crate) fn plain_layers(&self, directory: &Path) -> Result<Vec<PathBuf>> {
        let layers = self.manifest["layers"].as_array().into_iter().flatten();
        let mut plain = Vec::new();
        for (at, layer) in layers.enumerate() {
            let path = directory.join(format!("layer{at}"));
            let packed = File::open(blob_path(&self.path, &text(&layer["digest"])?))?;
            io::copy(&mut MultiGzDecoder::new(packed), &mut File::create(&path)?)?;
            plain.push(path);
        }
        Ok(plain)
    }
}

/// Compresses files into the directory that comes first, side by side.
pub(crate) fn compress(arguments: &[PathBuf]) -> Result<()> {
    let (directory, files) = arguments.split_first().context("no directory")?;
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let packed = directory.join(file.file_name().context("a file has a name")?);
            let level = flate2::Compression::new(LEVEL);
            let mut encoder = GzEncoder::new(File::create(packed)?, level);
            io::copy(&mut File::open(file)?, &mut encoder)?;
            encoder.finish()?;
        }
        Ok(())
    };
    let threads = thread::available_parallelism()?.get();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            let done = worker.join();
            done.map_err(|_| anyhow::anyhow!("a thread that compresses failed"))?
        })
    })
}

fn store(blobs: &Path, content: &[u8]) -> Result<String> {
    let digest = Digest::sha256(content);
    fs::write(blobs.join(digest.hex()), content)?;
    Ok(digest.to_string())
}

fn blob_path(layout: &Path, digest: &str) -> PathBuf {
    layout.join("blobs").join(digest.replace(':', "/"))
}

fn read_json(path: &Path) -> Result<Value> {
    let text = fs::read(path).with_context(|| path.display().to_string())?;
    serde_json::from_slice(&text).with_context(|| path.display().to_string())
}

fn text(value: &Value) -> Result<String> {
    let text = value.as_str().context("a string is missing")?;
    Ok(text.to_owned())
}
