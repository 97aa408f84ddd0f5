//! OCI image layouts: directories and archives of them, written and read.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::{Artifact, Blob};
use crate::{Content, Digest, Layer};

const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";

/// Collects what a layout holds.
///
/// ```
/// use regimg_tests::{Image, OciLayout};
///
/// let directory = tempfile::tempdir()?;
/// OciLayout::new().entry(&Image::with_text("hello"), Some("latest")).write(directory.path())?;
/// assert!(directory.path().join("index.json").exists());
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct OciLayout {
    entries: Vec<Value>,
    /// Path and content of every file, sorted.
    files: BTreeMap<String, Content>,
    index: Option<Content>,
    without_version: bool,
}

impl OciLayout {
    /// Starts a layout without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lists an image or index, under a name when there is one.
    #[must_use]
    pub fn entry(mut self, artifact: &dyn Artifact, name: Option<&str>) -> Self {
        let mut entry = json!(artifact.manifest().descriptor());
        if let Some(name) = name {
            entry["annotations"]["org.opencontainers.image.ref.name"] = json!(name);
        }
        self.entries.push(entry);
        let blobs = artifact.blobs().into_iter().chain(artifact.manifests());
        blobs.for_each(|blob| self.add_blob(blob));
        self
    }

    /// Makes the manifest of `artifact`, which is an index, the layout's `index.json` byte for byte.
    #[must_use]
    pub fn with_index(mut self, artifact: &dyn Artifact) -> Self {
        self = self.entry(artifact, None);
        self.files.remove(&blob_path(&artifact.digest()));
        self.index = Some(artifact.manifest().content().clone());
        self
    }

    /// Adds or replaces a file, for example `single-image-digest`.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<Content>) -> Self {
        self.files.insert(path.to_owned(), content.into());
        self
    }

    /// Leaves the file of a blob out although manifests name it.
    #[must_use]
    pub fn without_blob(mut self, digest: &Digest) -> Self {
        self.files.remove(&blob_path(digest));
        self
    }

    /// Leaves the file `oci-layout` out.
    #[must_use]
    pub fn without_version(mut self) -> Self {
        self.without_version = true;
        self
    }

    /// Writes the layout into `directory`, which is made when it is missing.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, directory: impl AsRef<Path>) -> io::Result<()> {
        for (path, content) in self.all_files() {
            let path = directory.as_ref().join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            io::copy(&mut content.reader(), &mut fs::File::create(path)?)?;
        }
        Ok(())
    }

    /// Gives the layout as an archive.
    pub fn to_tar(&self) -> Vec<u8> {
        let files = self.all_files().into_iter();
        files
            .fold(Layer::new(), |all, (path, content)| {
                all.file(&path, content.bytes())
            })
            .tar()
            .into()
    }

    fn add_blob(&mut self, blob: &Blob) {
        self.files
            .insert(blob_path(blob.digest()), blob.content().clone());
    }

    fn all_files(&self) -> BTreeMap<String, Content> {
        let index =
            json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": self.entries });
        let index = self
            .index
            .clone()
            .unwrap_or_else(|| index.to_string().into());
        let mut files = BTreeMap::from([("index.json".to_owned(), index)]);
        if !self.without_version {
            let version = json!({ "imageLayoutVersion": "1.0.0" }).to_string();
            files.insert("oci-layout".to_owned(), version.into());
        }
        files.extend(self.files.clone());
        files
    }
}

fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

/// What a layout's one entry stands for, with its blobs as files that are read when they are asked for.
#[derive(Clone, Debug)]
struct Stored {
    manifests: Vec<Blob>,
    blobs: Vec<Blob>,
}

impl Artifact for Stored {
    fn manifest(&self) -> &Blob {
        self.manifests
            .last()
            .expect("a layout without entries is refused")
    }

    fn manifests(&self) -> Vec<&Blob> {
        self.manifests.iter().collect()
    }

    fn blobs(&self) -> Vec<&Blob> {
        self.blobs.iter().collect()
    }
}

/// Reads the last entry of the layout in `directory`, to be published without holding its layers in memory.
///
/// Blobs are described by the digests in their names; they are not hashed again.
///
/// # Errors
/// When a file cannot be read or is not what a layout holds.
pub fn read_layout(
    directory: impl AsRef<Path>,
) -> io::Result<impl Artifact + Send + Sync + 'static> {
    let directory = directory.as_ref();
    let index = parse(&fs::read(directory.join("index.json"))?)?;
    let entry = index["manifests"]
        .as_array()
        .and_then(|entries| entries.last());
    let mut stored = Stored {
        manifests: Vec::new(),
        blobs: Vec::new(),
    };
    read_manifest(
        directory,
        entry.ok_or_else(|| invalid("index.json lists nothing"))?,
        &mut stored,
    )?;
    Ok(stored)
}

fn read_manifest(directory: &Path, entry: &Value, stored: &mut Stored) -> io::Result<()> {
    let blob = read_blob(directory, entry)?;
    let manifest = parse(&blob.content().bytes())?;
    for child in manifest["manifests"].as_array().into_iter().flatten() {
        read_manifest(directory, child, stored)?;
    }
    let config = Some(&manifest["config"]).filter(|config| config.is_object());
    for part in config
        .into_iter()
        .chain(manifest["layers"].as_array().into_iter().flatten())
    {
        stored.blobs.push(read_blob(directory, part)?);
    }
    stored.manifests.push(blob);
    Ok(())
}

fn read_blob(directory: &Path, descriptor: &Value) -> io::Result<Blob> {
    let digest = descriptor["digest"].as_str().and_then(Digest::parse);
    let digest = digest.ok_or_else(|| invalid("a descriptor has no digest"))?;
    let media_type = descriptor["mediaType"].as_str().unwrap_or_default();
    let content = Content::from_file(directory.join(blob_path(&digest)))?;
    Ok(Blob::with_digest(media_type, digest, content))
}

fn parse(bytes: &[u8]) -> io::Result<Value> {
    serde_json::from_slice(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
