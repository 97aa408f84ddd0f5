//! The manifest of an image that came without one.

use bytes::Bytes;
use regimg_core::{Algorithm, Descriptor, Digest, MediaType, RawManifest};
use regimg_registry::BlobSource;
use serde::Serialize;

use super::layer::{Encoding, Layer};
use super::saved::SavedImage;
use super::{Blob, Image};

/// The media types of one family.
struct Family {
    manifest: MediaType,
    config: MediaType,
    gzip_layer: MediaType,
}

impl Family {
    /// Docker's schema 2 for what `docker save` wrote, as go-containerregistry makes of
    /// it; OCI where a layer is zstd, which schema 2 has no name for.
    fn for_layers(layers: &[Layer]) -> Self {
        if layers.iter().any(|layer| layer.encoding == Encoding::Zstd) {
            return Self {
                manifest: MediaType::OCI_MANIFEST,
                config: MediaType::OCI_CONFIG,
                gzip_layer: MediaType::OCI_LAYER_GZIP,
            };
        }
        Self {
            manifest: MediaType::DOCKER_MANIFEST,
            config: MediaType::DOCKER_CONFIG,
            gzip_layer: MediaType::DOCKER_LAYER_GZIP,
        }
    }

    fn layer(&self, encoding: Encoding) -> MediaType {
        match encoding {
            Encoding::Zstd => MediaType::OCI_LAYER_ZSTD,
            Encoding::Gzip | Encoding::Plain => self.gzip_layer.clone(),
        }
    }
}

/// The manifest in the order in which go-containerregistry writes it, so that the same
/// configuration and layers give the digest that the Go resource gave them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    schema_version: u8,
    media_type: &'a MediaType,
    config: Entry<'a>,
    layers: Vec<Entry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    media_type: &'a MediaType,
    size: u64,
    digest: &'a Digest,
}

impl<'a> From<&'a Descriptor> for Entry<'a> {
    fn from(descriptor: &'a Descriptor) -> Self {
        Self {
            media_type: &descriptor.media_type,
            size: descriptor.size,
            digest: &descriptor.digest,
        }
    }
}

/// Puts an image together from its configuration and layers.
pub(super) fn assemble(image: SavedImage, layers: Vec<Layer>) -> Image {
    let family = Family::for_layers(&layers);
    let config_digest = Digest::of(Algorithm::Sha256, &image.raw_config);
    let config = Descriptor::new(
        family.config.clone(),
        config_digest,
        image.raw_config.len() as u64,
    );
    let layers: Vec<_> = layers
        .into_iter()
        .map(|layer| {
            let descriptor =
                Descriptor::new(family.layer(layer.encoding), layer.digest, layer.size);
            Blob::in_file(descriptor, layer.file, layer.offset)
        })
        .collect();
    let manifest = write(&family.manifest, &config, &layers);
    let config = Blob::in_memory(config, Bytes::from(image.raw_config));
    Image {
        manifest,
        blobs: std::iter::once(config).chain(layers).collect(),
    }
}

fn write(media_type: &MediaType, config: &Descriptor, layers: &[Blob]) -> RawManifest {
    let manifest = Manifest {
        schema_version: 2,
        media_type,
        config: config.into(),
        layers: layers
            .iter()
            .map(|layer| layer.descriptor().into())
            .collect(),
    };
    let bytes = serde_json::to_vec(&manifest).expect("strings and numbers serialize");
    RawManifest::new(Some(media_type.clone()), bytes.into())
}
