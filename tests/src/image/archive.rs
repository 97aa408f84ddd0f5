//! What `docker save` writes, in today's and in older forms.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::Image;
use crate::{Compression, Digest, Layer};

/// How the layers stand in an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ArchiveLayers {
    /// Uncompressed, as `docker save` writes them.
    #[default]
    Plain,
    /// Compressed by gzip, as go-containerregistry's and older Concourse images have them.
    Gzip,
    /// As the image stores them.
    Stored,
}

/// The names of an archive's members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Names {
    /// `<hex>.tar` and `<hex>.json`.
    #[default]
    Flat,
    /// `<id>/layer.tar`, `<id>/json`, `<id>/VERSION`.
    Directories,
    /// `blobs/sha256/<hex>`, as Docker 25 writes them.
    Blobs,
}

/// Collects images for one archive.
///
/// ```
/// use regimg_tests::{DockerArchive, Image};
///
/// let image = Image::with_text("hello");
/// let archive = DockerArchive::new().image(&image, &["library/a:latest"]).to_tar();
/// assert_eq!(archive.len() % 512, 0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct DockerArchive {
    pub(super) images: Vec<(Image, Vec<String>)>,
    layers: ArchiveLayers,
    names: Names,
    links: bool,
    repositories: bool,
    manifest_first: bool,
}

impl DockerArchive {
    /// Starts an archive without images.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an image under these names, which may be none.
    #[must_use]
    pub fn image(mut self, image: &Image, tags: &[&str]) -> Self {
        let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        self.images.push((image.clone(), tags));
        self
    }

    /// Says how layers are stored.
    #[must_use]
    pub fn layers(mut self, layers: ArchiveLayers) -> Self {
        self.layers = layers;
        self
    }

    /// Gives each layer a directory with `layer.tar`, `json` and `VERSION`, as Docker 1.10 to 24 do.
    #[must_use]
    pub fn directories(mut self) -> Self {
        self.names = Names::Directories;
        self
    }

    /// Puts configurations and layers under `blobs/sha256`, as Docker 25 and later do.
    #[must_use]
    pub fn blobs(mut self) -> Self {
        self.names = Names::Blobs;
        self
    }

    /// Writes a layer that occurs again as a symbolic link to the first one, as old `docker save` did.
    /// Only with [`DockerArchive::directories`] does a layer occur again.
    #[must_use]
    pub fn links(mut self) -> Self {
        self.links = true;
        self
    }

    /// Adds the file `repositories` of Docker before 1.10.
    #[must_use]
    pub fn repositories(mut self) -> Self {
        self.repositories = true;
        self
    }

    /// Puts `manifest.json` before everything that it names, not after it.
    #[must_use]
    pub fn manifest_first(mut self) -> Self {
        self.manifest_first = true;
        self
    }

    /// Gives the archive's bytes.
    pub fn to_tar(&self) -> Vec<u8> {
        let mut members = Members::default();
        let images = self.images.iter().enumerate();
        let entries: Vec<Value> = images
            .map(|(at, (image, tags))| self.add(&mut members, at, image, tags))
            .collect();
        let manifest = Layer::new().file("manifest.json", json!(entries).to_string());
        let mut archive = members.archive;
        if self.repositories {
            archive = archive.file("repositories", self.repositories_json().to_string());
        }
        let parts = if self.manifest_first {
            [manifest, archive]
        } else {
            [archive, manifest]
        };
        parts
            .into_iter()
            .fold(Layer::new(), |all, part| {
                all.raw(&part.ending_with_zeros(0).tar())
            })
            .tar()
            .into()
    }

    /// Writes the archive to `path`.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, path: impl AsRef<Path>) -> io::Result<()> {
        std::fs::File::create(path)?.write_all(&self.to_tar())
    }

    /// Adds one image's members and gives its entry of `manifest.json`.
    fn add(&self, members: &mut Members, at: usize, image: &Image, tags: &[String]) -> Value {
        let config = image.config();
        let config_name = match self.names {
            Names::Blobs => format!("blobs/sha256/{}", config.digest().hex()),
            Names::Flat | Names::Directories => format!("{}.json", config.digest().hex()),
        };
        members.file(&config_name, &config.content().bytes());
        let layers = image.layers.iter().enumerate();
        let names: Vec<String> = layers
            .map(|(place, layer)| {
                let bytes = match self.layers {
                    ArchiveLayers::Plain => layer.archive.tar(),
                    ArchiveLayers::Gzip => layer.archive.compressed(Compression::Gzip),
                    ArchiveLayers::Stored => layer.blob.content().bytes(),
                };
                self.add_layer(members, &format!("{at}/{place}"), &bytes)
            })
            .collect();
        let tags = if tags.is_empty() {
            Value::Null
        } else {
            json!(tags)
        };
        json!({ "Config": config_name, "RepoTags": tags, "Layers": names })
    }

    /// Adds one layer and gives its name.
    fn add_layer(&self, members: &mut Members, place: &str, bytes: &[u8]) -> String {
        let digest = Digest::sha256(bytes);
        let name = match self.names {
            Names::Flat => format!("{}.tar", digest.hex()),
            Names::Blobs => format!("blobs/sha256/{}", digest.hex()),
            Names::Directories => {
                // Docker's legacy identifiers are hashes of the chain of layers: no two places share one.
                let id = Digest::sha256(format!("{place} {digest}").as_bytes());
                format!("{}/layer.tar", id.hex())
            }
        };
        if let Some(directory) = name.strip_suffix("/layer.tar") {
            members.directory(directory);
        }
        match members.layers.get(&digest) {
            Some(first) if self.links && *first != name => {
                let target = format!("../{first}");
                members.link(&name, &target);
            }
            _ => {
                members.file(&name, bytes);
                members.layers.insert(digest, name.clone());
            }
        }
        name
    }

    /// `{"repository": {"tag": "<layer id>"}}`.
    fn repositories_json(&self) -> Value {
        let mut repositories: BTreeMap<&str, BTreeMap<&str, String>> = BTreeMap::new();
        for (image, tags) in &self.images {
            let top = image
                .diff_ids()
                .last()
                .map(|digest| digest.hex().to_owned())
                .unwrap_or_default();
            for (repository, tag) in tags.iter().filter_map(|name| name.rsplit_once(':')) {
                repositories
                    .entry(repository)
                    .or_default()
                    .insert(tag, top.clone());
            }
        }
        json!(repositories)
    }
}

/// The members so far; none is written twice under one name.
#[derive(Default)]
struct Members {
    archive: Layer,
    names: BTreeSet<String>,
    /// Where a layer of this digest was written first.
    layers: BTreeMap<Digest, String>,
}

impl Members {
    fn file(&mut self, name: &str, bytes: &[u8]) {
        if self.names.insert(name.to_owned()) {
            self.archive = std::mem::take(&mut self.archive).file(name, bytes);
        }
    }

    fn link(&mut self, name: &str, target: &str) {
        if self.names.insert(name.to_owned()) {
            let line = format!("symlink {name} -> {target}");
            self.archive = std::mem::take(&mut self.archive).line(&line);
        }
    }

    fn directory(&mut self, name: &str) {
        if self.names.insert(format!("{name}/")) {
            let line = format!("dir {name}/ 0755");
            self.archive = std::mem::take(&mut self.archive).line(&line);
            self.file(&format!("{name}/VERSION"), b"1.0");
            self.file(
                &format!("{name}/json"),
                json!({ "id": name }).to_string().as_bytes(),
            );
        }
    }
}
