//! `format: oci`: the image as one file that `docker load` takes.
//!
//! The manifest tells the size of every blob, so it is known from the start where in the
//! archive each one goes, and all of them arrive there at once.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use regimg_core::{Compression, Descriptor, Digest, ImageConfig, ImageManifest};
use serde::Serialize;

use crate::error::{During, Error};
use crate::protocol::to_json;

use super::Fetch;
use super::download::{Downloads, Sink, Transfer};

pub(super) const NAME: &str = "image.tar";

/// The unit of a tar archive.
const BLOCK: u64 = 512;

/// A docker archive whose blobs are arriving. It holds them byte for byte as the registry
/// does.
pub(super) struct Archive {
    file: Arc<File>,
    /// Where the configuration goes.
    config: u64,
    /// Where the last entry goes.
    end: u64,
    downloads: Downloads,
}

impl Archive {
    /// Lays the archive out and prepares the downloads of its layers, each once however
    /// often the image names it.
    ///
    /// # Errors
    ///
    /// The file cannot be made, or would be larger than a file can be.
    pub(super) fn create(fetch: &Fetch<'_>, image: &ImageManifest) -> Result<Self, Error> {
        let file = File::create_new(fetch.staging.join(NAME)).during(NAME)?;
        let mut outline = Outline { file, end: 0 };
        let config = outline.entry(image.config.digest.as_str(), image.config.size);
        let config = config.during(NAME)?;
        let mut places = BTreeMap::new();
        let mut layers = Vec::new();
        for layer in &image.layers {
            if !places.contains_key(&layer.digest) {
                let place = outline.entry(&layer_name(layer), layer.size);
                places.insert(&layer.digest, place.during(NAME)?);
                layers.push(layer);
            }
        }
        let file = Arc::new(outline.file);
        let transfers = layers.into_iter().map(|layer| Transfer {
            what: "layer",
            descriptor: layer.clone(),
            sink: Sink::Region(Arc::clone(&file), places[&layer.digest]),
            bar: fetch.report.bar(layer),
        });
        Ok(Self {
            downloads: Downloads::new(fetch.repository, transfers.collect(), fetch.staging),
            file,
            config,
            end: outline.end,
        })
    }

    /// Waits for the layers.
    ///
    /// # Errors
    ///
    /// A layer that cannot be had whole, or not be written.
    pub(super) async fn download(self) -> Result<Downloaded, Error> {
        self.downloads.complete().await?;
        Ok(Downloaded {
            file: self.file,
            config: self.config,
            end: self.end,
        })
    }
}

/// An archive that has its layers.
pub(super) struct Downloaded {
    file: Arc<File>,
    config: u64,
    end: u64,
}

impl Downloaded {
    /// Adds what is known last: the configuration, and `manifest.json`, which names the
    /// image as `name`.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    pub(super) fn finish(
        self,
        name: String,
        image: &ImageManifest,
        raw_config: &[u8],
        config: &ImageConfig,
    ) -> io::Result<()> {
        self.file.write_all_at(raw_config, self.config)?;
        let saved = SavedImage {
            config: image.config.digest.clone(),
            repo_tags: [name],
            layers: image.layers.iter().map(layer_name).collect(),
            layer_sources: layer_sources(image, config),
        };
        let manifest = to_json(&[saved]);
        let mut outline = Outline {
            file: &*self.file,
            end: self.end,
        };
        let place = outline.entry("manifest.json", manifest.len() as u64)?;
        self.file.write_all_at(manifest.as_bytes(), place)?;
        // An archive ends with two empty blocks.
        self.file.set_len(outline.end + 2 * BLOCK)
    }
}

/// An entry of `manifest.json`, as `docker save` writes it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SavedImage {
    config: Digest,
    repo_tags: [String; 1],
    layers: Vec<String>,
    /// Layers that live elsewhere by their licence, by their uncompressed digest.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    layer_sources: BTreeMap<Digest, Descriptor>,
}

/// A tar archive of headers; what they announce is written by others.
struct Outline<F> {
    file: F,
    end: u64,
}

impl<F: std::borrow::Borrow<File>> Outline<F> {
    /// Announces a regular file of `size` bytes, with nothing in its header that depends on
    /// the machine, and returns where its bytes go.
    fn entry(&mut self, name: &str, size: u64) -> io::Result<u64> {
        let mut header = tar::Header::new_ustar();
        header.set_size(size);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        let mut blocks = tar::Builder::new(Vec::new());
        blocks.append_data(&mut header, name, io::empty())?;
        let blocks = std::mem::take(blocks.get_mut());
        self.file.borrow().write_all_at(&blocks, self.end)?;
        let place = self.end + blocks.len() as u64;
        let end = place.checked_add(size);
        let end = end.and_then(|end| end.checked_next_multiple_of(BLOCK));
        self.end = end.ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(place)
    }
}

/// Names a layer's file by its digest and by what its media type says of its bytes.
fn layer_name(layer: &Descriptor) -> String {
    let suffix = match layer.media_type.compression() {
        Some(Compression::Zstd) => "tar.zst",
        Some(Compression::None) => "tar",
        Some(Compression::Gzip) | None => "tar.gz",
    };
    format!("{}.{suffix}", layer.digest.hex())
}

/// Describes the layers whose licence keeps them from other registries, by the digest of
/// their content: who loads the archive may have to name their sources.
fn layer_sources(image: &ImageManifest, config: &ImageConfig) -> BTreeMap<Digest, Descriptor> {
    let layers = config.rootfs.diff_ids.iter().zip(&image.layers);
    layers
        .filter(|(_, layer)| !layer.media_type.is_distributable())
        .map(|(diff_id, layer)| (diff_id.clone(), layer.clone()))
        .collect()
}
