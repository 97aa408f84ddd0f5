//! `format: oci-layout`: every image of the version, byte for byte, in a directory of blobs.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use futures_util::stream::{self, StreamExt};
use regimg_core::{
    Descriptor, Digest, Identifier, ImageConfig, ImageManifest, Index, Manifest, MediaType,
    Platform, RawManifest,
};

use crate::error::{During, Error};
use crate::protocol::to_json;
use crate::report::Bar;

use super::Fetch;
use super::describe::{Documents, image_manifest};
use super::download::{Downloads, Sink, Transfer};
use super::platforms;

pub(super) const NAME: &str = "oci";

/// What says that this is a layout. Compat: the bytes are the Go resource's.
const VERSION: &str = "{\n    \"imageLayoutVersion\": \"1.0.0\"\n}";

/// Names the one image of a layout that was made of an image and not of an index.
const SINGLE_IMAGE: &str = "single-image-digest";

/// Names the index that a layout's index is a selection of.
const SELECTED_FROM: &str = "selected-from-digest";

/// Manifests asked for at one time. How many requests are under way is the client's business.
const WINDOW: usize = 16;

/// Indexes within indexes that are followed.
const MAX_DEPTH: usize = 8;

/// Manifests and blobs of one version, after which it counts as an attack on memory.
const MAX_BLOBS: usize = 50_000;

/// The modes of Go's `os.ModePerm`, of a file that is made, and of a temporary file there;
/// the process's mask takes from the first two.
mod mode {
    pub(super) const ANY: u32 = 0o777;
    pub(super) const FILE: u32 = 0o666;
    pub(super) const TEMPORARY: u32 = 0o600;
}

/// Writes the layout of what `top` names. Of an index only the images for `platforms` are
/// kept if there are any.
///
/// Returns the index as it stands in the layout, or the image.
///
/// # Errors
///
/// A manifest or blob that cannot be had whole; a platform that nothing is for; the disk's.
pub(super) async fn write(
    fetch: &Fetch<'_>,
    top: RawManifest,
    platforms: &[Platform],
) -> Result<RawManifest, Error> {
    let mut layout = Layout::create(fetch).during("create layout")?;
    let kept = match top.parse().during("unsupported media type")? {
        Manifest::Image(image) => {
            layout.write_single(&top, &image).during("write index")?;
            layout.add_image(&image)?;
            top
        }
        Manifest::Index(index) => {
            let selected = platforms::select(&index, platforms)?;
            let (kept, children) = match selected {
                None => (top, index.manifests),
                Some(selected) => {
                    let digest = top.digest().as_str();
                    layout
                        .write(SELECTED_FROM, digest.as_bytes(), mode::ANY)
                        .during("write index")?;
                    (RawManifest::from(&selected), selected.manifests)
                }
            };
            layout
                .write("index.json", kept.bytes(), mode::ANY)
                .during("write index")?;
            layout.add_children(children).await?;
            kept
        }
    };
    let transfers = layout.transfers;
    Downloads::new(fetch.repository, transfers, fetch.staging)
        .complete()
        .await?;
    Ok(kept)
}

/// A layout that is being written.
struct Layout<'a> {
    fetch: &'a Fetch<'a>,
    root: PathBuf,
    /// What is in the layout, or will be.
    known: BTreeSet<Digest>,
    transfers: Vec<Transfer>,
}

/// What an index lists.
enum Child {
    Manifest(RawManifest),
    /// Something that the registry has among its blobs.
    Blob(Descriptor),
}

impl<'a> Layout<'a> {
    fn create(fetch: &'a Fetch<'a>) -> io::Result<Self> {
        let layout = Self {
            fetch,
            root: fetch.staging.join(NAME),
            known: BTreeSet::new(),
            transfers: Vec::new(),
        };
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(mode::ANY);
        builder.create(layout.root.join("blobs/sha256"))?;
        layout.write("oci-layout", VERSION.as_bytes(), mode::ANY)?;
        Ok(layout)
    }

    fn write(&self, name: &str, content: &[u8], mode: u32) -> io::Result<()> {
        write_file(&self.root.join(name), content, mode)
    }

    /// Wraps an image into an index of its own, as the Go resource does.
    fn write_single(&mut self, raw: &RawManifest, image: &ImageManifest) -> io::Result<()> {
        let mut descriptor = raw.descriptor();
        descriptor.annotations.clone_from(&image.annotations);
        descriptor.artifact_type = Some(image.config.media_type.as_str().to_owned());
        let index = to_json(&Index::new(vec![descriptor]));
        self.write("index.json", index.as_bytes(), mode::ANY)?;
        self.write(SINGLE_IMAGE, raw.digest().as_str().as_bytes(), mode::ANY)?;
        self.write_manifest(raw, mode::FILE)
    }

    fn write_manifest(&mut self, manifest: &RawManifest, mode: u32) -> io::Result<()> {
        self.known.insert(manifest.digest().clone());
        let path = blob_path(&self.root, manifest.digest());
        make_parent(&path)?;
        write_file(&path, manifest.bytes(), mode)
    }

    /// Adds what indexes list, level by level.
    async fn add_children(&mut self, mut level: Vec<Descriptor>) -> Result<(), Error> {
        for _ in 0..=MAX_DEPTH {
            level.retain(|child| self.known.insert(child.digest.clone()));
            if level.is_empty() {
                return Ok(());
            }
            self.refuse_too_many(level.len())?;
            let fetch = self.fetch;
            let mut children = stream::iter(std::mem::take(&mut level))
                .map(|descriptor| find_child(fetch, descriptor))
                .buffer_unordered(WINDOW);
            while let Some(child) = children.next().await {
                match child? {
                    Child::Manifest(manifest) => level.extend(self.add_manifest(&manifest)?),
                    Child::Blob(descriptor) => self.add_blob("blob", &descriptor, mode::FILE)?,
                }
            }
        }
        Err(Error::Field {
            field: "the index",
            problem: format!("has more than {MAX_DEPTH} indexes within indexes"),
        })
    }

    /// Adds a manifest and what belongs to it; returns what it lists if it is an index.
    fn add_manifest(&mut self, manifest: &RawManifest) -> Result<Vec<Descriptor>, Error> {
        let phase = || format!("manifest {}", manifest.digest());
        let (children, mode) = match manifest.parse().during(phase())? {
            Manifest::Image(image) => {
                self.add_image(&image)?;
                (Vec::new(), mode::FILE)
            }
            Manifest::Index(index) => (index.manifests, mode::ANY),
        };
        self.write_manifest(manifest, mode).during(phase())?;
        Ok(children)
    }

    fn add_image(&mut self, image: &ImageManifest) -> Result<(), Error> {
        if self.known.insert(image.config.digest.clone()) {
            self.add_blob("configuration", &image.config, mode::FILE)?;
        }
        for layer in &image.layers {
            if self.known.insert(layer.digest.clone()) {
                self.add_blob("layer", layer, mode::TEMPORARY)?;
            }
        }
        Ok(())
    }

    /// Adds a blob that is known by now.
    fn add_blob(
        &mut self,
        what: &'static str,
        descriptor: &Descriptor,
        mode: u32,
    ) -> Result<(), Error> {
        self.refuse_too_many(1)?;
        let path = blob_path(&self.root, &descriptor.digest);
        make_parent(&path).during("create layout")?;
        let bar = if what == "configuration" {
            Bar::unseen()
        } else {
            self.fetch.report.bar(descriptor)
        };
        self.transfers.push(Transfer {
            what,
            descriptor: descriptor.clone(),
            sink: Sink::File(path, mode),
            bar,
        });
        Ok(())
    }

    fn refuse_too_many(&self, more: usize) -> Result<(), Error> {
        if self.known.len() + more <= MAX_BLOBS {
            return Ok(());
        }
        Err(Error::Field {
            field: "the index",
            problem: format!("names more than {MAX_BLOBS} manifests and blobs"),
        })
    }
}

/// Asks for what an index lists. Whether something that is neither an image nor an index is
/// among the registry's manifests or its blobs, only the registry knows.
async fn find_child(fetch: &Fetch<'_>, descriptor: Descriptor) -> Result<Child, Error> {
    let identifier = Identifier::Digest(descriptor.digest.clone());
    match fetch.repository.manifest(&identifier).await {
        Ok(manifest) => Ok(Child::Manifest(manifest)),
        Err(error) if error.is_not_found() && is_no_manifest(&descriptor.media_type) => {
            Ok(Child::Blob(descriptor))
        }
        Err(error) => Err(error).during(format!("manifest {}", descriptor.digest)),
    }
}

fn is_no_manifest(media_type: &MediaType) -> bool {
    !(media_type.is_image_manifest() || media_type.is_index() || media_type.is_schema1())
}

/// Finds the image for a platform in a layout that has been written, the most fitting
/// first as the client does; none if there is none, or if what is there is no image.
///
/// # Errors
///
/// Those of the disk.
pub(super) fn find_image(
    layout: &Path,
    top: RawManifest,
    platform: &Platform,
) -> Result<Option<Documents>, Error> {
    let (mut manifest, mut waiting) = (top, Vec::new());
    let mut seen = BTreeSet::new();
    loop {
        match manifest.parse() {
            Ok(Manifest::Image(_)) => return documents(layout, manifest),
            Ok(Manifest::Index(index)) => {
                let mut candidates = index.candidates(platform);
                candidates.retain(|entry| seen.insert(entry.digest.clone()));
                waiting.extend(candidates.into_iter().rev().cloned());
            }
            // It was listed without saying what it is.
            Err(_) => {}
        }
        let Some(next) = waiting.pop() else {
            return Ok(None);
        };
        let bytes = fs::read(blob_path(layout, &next.digest)).during("read manifest")?;
        manifest = RawManifest::new(Some(next.media_type), bytes.into());
    }
}

fn documents(layout: &Path, manifest: RawManifest) -> Result<Option<Documents>, Error> {
    let image = image_manifest(&manifest)?;
    if !image.is_image() || image.config.size > crate::remote::CONFIG_LIMIT {
        return Ok(None);
    }
    let raw_config = fs::read(blob_path(layout, &image.config.digest));
    let raw_config = raw_config.during("inspect image config")?;
    let config = ImageConfig::parse(&raw_config).during("inspect image config")?;
    Ok(Some(Documents {
        manifest,
        raw_config: raw_config.into(),
        config,
    }))
}

/// The characters of a digest were checked when it was read: none leads out of the directory.
fn blob_path(layout: &Path, digest: &Digest) -> PathBuf {
    let algorithm = digest.algorithm().as_str();
    layout.join("blobs").join(algorithm).join(digest.hex())
}

/// Makes the directory of an algorithm that is not the usual one.
fn make_parent(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(mode::ANY);
    path.parent()
        .map_or(Ok(()), |parent| builder.create(parent))
}

fn write_file(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content)
}
