//! The manifest of an image that came without one.

use std::sync::Arc;

use bytes::Bytes;
use regimg_core::{Algorithm, Descriptor, Digest, MediaType, RawManifest};
use serde::Serialize;

use super::archive::Archive;
use super::layer::{self, Encoding, Layer, Stored};
use super::saved::SavedImage;
use super::{Blob, Compression, ImageError, Prepared, Ready};

/// The media types of one family.
struct Family {
    manifest: MediaType,
    config: MediaType,
    gzip_layer: MediaType,
}

impl Family {
    /// Docker's schema 2 for what `docker save` wrote, as go-containerregistry makes of
    /// it; OCI where a layer is zstd, which schema 2 has no name for.
    fn for_layers(layers: &[Stored], compression: Compression) -> Self {
        let is_zstd = |layer: &Stored| match layer {
            Stored::Here { encoding, .. } => pushed(*encoding, compression) == Encoding::Zstd,
            Stored::Elsewhere(_) => false,
        };
        if layers.iter().any(is_zstd) {
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

    fn descriptor(&self, encoding: Encoding, layer: &Layer) -> Descriptor {
        Descriptor::new(self.layer(encoding), layer.digest.clone(), layer.size)
    }
}

/// Says how a layer will be compressed.
fn pushed(encoding: Encoding, compression: Compression) -> Encoding {
    match encoding {
        Encoding::Plain => compression.into(),
        Encoding::Gzip | Encoding::Zstd => encoding,
    }
}

/// The manifest in the order in which go-containerregistry writes it, so that the same
/// configuration and layers give the digest that the Go resource gave them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    schema_version: u8,
    media_type: &'a MediaType,
    config: &'a Descriptor,
    layers: &'a [Descriptor],
}

/// Puts an image together from its configuration and layers, and hands these over one by
/// one as they are ready.
pub(super) fn prepare(
    archive: &Archive,
    image: SavedImage,
    stored: Vec<Stored>,
    compression: Compression,
    ready: &Ready,
) -> Result<Prepared, ImageError> {
    let family = Family::for_layers(&stored, compression);
    let origins = image.origins();
    let send = |stored: &Stored, layer: &Layer| {
        if let Stored::Here { encoding, .. } = stored {
            let descriptor = family.descriptor(pushed(*encoding, compression), layer);
            let blob = Blob::in_file(descriptor, Arc::clone(&layer.file), layer.offset);
            ready.send(blob.with_origins(origins.clone()));
        }
    };
    let layers = layer::prepare(archive, &image, &stored, compression, ready, send)?;
    let mut foreign = Vec::new();
    let descriptors: Vec<_> = stored
        .into_iter()
        .map(|layer| match layer {
            Stored::Here {
                range, encoding, ..
            } => family.descriptor(pushed(encoding, compression), &layers[&range]),
            Stored::Elsewhere(descriptor) => {
                foreign.push((*descriptor).clone());
                *descriptor
            }
        })
        .collect();
    let config = Descriptor::new(
        family.config.clone(),
        Digest::of(Algorithm::Sha256, &image.raw_config),
        image.raw_config.len() as u64,
    );
    let manifest = write(&family.manifest, &config, &descriptors);
    ready.send(Blob::in_memory(config, Bytes::from(image.raw_config)));
    Ok(Prepared {
        manifest,
        children: Vec::new(),
        foreign,
    })
}

fn write(media_type: &MediaType, config: &Descriptor, layers: &[Descriptor]) -> RawManifest {
    let manifest = Manifest {
        schema_version: 2,
        media_type,
        config,
        layers,
    };
    let bytes = serde_json::to_vec(&manifest).expect("strings and numbers serialize");
    RawManifest::new(Some(media_type.clone()), bytes.into())
}
