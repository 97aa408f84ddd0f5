//! `format: oci`: the image as one file that `docker load` takes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use regimg_core::{Compression, Descriptor, Digest, Repository, Tag};
use serde::Serialize;

use crate::error::{During, Error};
use crate::protocol::to_json;
use crate::report::Bar;
use crate::spool::SpoolReader;

use super::Image;
use super::download::Downloads;
use super::staging::Staging;

const NAME: &str = "image.tar";

/// Names the image as tools that load it will: the canonical repository, so
/// `index.docker.io/library/alpine:3.20`.
pub(super) fn image_name(repository: &Repository, tag: Option<&Tag>) -> String {
    format!("{repository}:{}", tag.map_or("latest", Tag::as_str))
}

/// Writes the image's blobs, byte for byte as the registry has them, into a docker
/// archive while they download, and puts it in place.
pub(super) async fn write(
    image: &Image,
    name: String,
    downloads: Downloads,
    staging: Arc<Staging>,
) -> Result<(), Error> {
    let archive = Archive::of(image, name, &downloads);
    let work = {
        let staging = Arc::clone(&staging);
        tokio::task::spawn_blocking(move || archive.write(&staging).during(NAME))
    };
    downloads.feed(work).await.during("write OCI image")?;
    staging.publish(NAME).during("put the image in place")
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

/// The archive's content, its layers yet to be read.
struct Archive {
    config: (Digest, Bytes),
    layers: Vec<Layer>,
    manifest: SavedImage,
}

struct Layer {
    name: String,
    size: u64,
    reader: SpoolReader,
    bar: Bar,
}

impl Archive {
    fn of(image: &Image, name: String, downloads: &Downloads) -> Self {
        let descriptors = &image.manifest.layers;
        let mut seen = BTreeSet::new();
        let layers = descriptors
            .iter()
            .filter(|layer| seen.insert(&layer.digest))
            .map(|layer| Layer {
                name: layer_name(layer),
                size: layer.size,
                reader: downloads.reader(layer),
                bar: downloads.bar(layer),
            })
            .collect();
        let config = image.manifest.config.digest.clone();
        Self {
            config: (config.clone(), image.raw_config.clone()),
            layers,
            manifest: SavedImage {
                config,
                repo_tags: [name],
                layers: descriptors.iter().map(layer_name).collect(),
                layer_sources: layer_sources(image),
            },
        }
    }

    fn write(self, staging: &Staging) -> io::Result<()> {
        let mut file = BufWriter::with_capacity(256 * 1024, File::create_new(staging.join(NAME))?);
        let mut archive = tar::Builder::new(&mut file);
        let (digest, config) = self.config;
        append(
            &mut archive,
            digest.as_str(),
            config.len() as u64,
            &config[..],
        )?;
        for layer in self.layers {
            layer.bar.say("writing");
            append(&mut archive, &layer.name, layer.size, layer.reader)?;
            layer.bar.done("done");
        }
        let manifest = to_json(&[self.manifest]);
        append(
            &mut archive,
            "manifest.json",
            manifest.len() as u64,
            manifest.as_bytes(),
        )?;
        archive.finish()?;
        drop(archive);
        file.flush()
    }
}

/// Appends a regular file with nothing in its header that depends on the machine.
///
/// `content` holds exactly `size` bytes: a spool ends in an error unless its blob has the
/// size that the manifest gives it.
fn append(
    archive: &mut tar::Builder<impl Write>,
    name: &str,
    size: u64,
    content: impl Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(tar::EntryType::Regular);
    archive.append_data(&mut header, name, content)
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
fn layer_sources(image: &Image) -> BTreeMap<Digest, Descriptor> {
    let layers = image
        .config
        .rootfs
        .diff_ids
        .iter()
        .zip(&image.manifest.layers);
    layers
        .filter(|(_, layer)| !layer.media_type.is_distributable())
        .map(|(diff_id, layer)| (diff_id.clone(), layer.clone()))
        .collect()
}
