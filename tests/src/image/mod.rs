//! Images and indexes made of real bytes: every digest and size in them is right unless a test says otherwise.

mod archive;
mod blob;
mod builder;
mod index;
mod layout;

pub use archive::{ArchiveLayers, DockerArchive};
pub use blob::{Blob, Descriptor, Platform};
pub use builder::ImageBuilder;
pub use index::{Index, IndexBuilder};
pub use layout::{OciLayout, read_layout};

use crate::{Compression, Digest, Layer};

/// Anything that a registry serves under a reference: an image, an index, or what a layout held.
pub trait Artifact {
    /// The manifest that the reference stands for.
    fn manifest(&self) -> &Blob;

    /// All manifests beneath it and itself, children before parents.
    fn manifests(&self) -> Vec<&Blob>;

    /// All configurations and layers that a registry is to hold.
    fn blobs(&self) -> Vec<&Blob>;

    /// The digest of the manifest.
    fn digest(&self) -> Digest {
        self.manifest().digest().clone()
    }
}

/// One image: a manifest, a configuration and layers.
///
/// ```
/// use regimg_tests::{Artifact, Compression, Image, Layer};
///
/// let image = Image::builder()
///     .layer(Layer::parse("dir etc\nfile etc/motd \"hello\""))
///     .layer_with(Layer::parse("whiteout etc/motd"), Compression::Zstd)
///     .platform("linux/arm64/v8")
///     .env("PATH=/bin")
///     .cmd(["/bin/sh"])
///     .build();
/// assert_eq!(image.layers().len(), 2);
/// assert!(image.digest().as_str().starts_with("sha256:"));
/// ```
#[derive(Clone, Debug)]
pub struct Image {
    manifest: Blob,
    config: Blob,
    layers: Vec<ImageLayer>,
    platform: Platform,
}

#[derive(Clone, Debug)]
struct ImageLayer {
    archive: Layer,
    blob: Blob,
    /// Foreign layers are described but not pushed.
    foreign: bool,
}

impl Image {
    /// Starts an OCI image for `linux/amd64` without layers.
    pub fn builder() -> ImageBuilder {
        ImageBuilder::default()
    }

    /// Makes a small image whose content, and so whose digest, depends on `text` alone.
    pub fn with_text(text: &str) -> Self {
        Self::builder()
            .layer(Layer::new().file("text", text))
            .build()
    }

    /// The configuration.
    pub fn config(&self) -> &Blob {
        &self.config
    }

    /// The layers as they are stored, lowest first, foreign ones included.
    pub fn layers(&self) -> Vec<&Blob> {
        self.layers.iter().map(|layer| &layer.blob).collect()
    }

    /// The digests of the uncompressed layers.
    pub fn diff_ids(&self) -> Vec<Digest> {
        self.layers
            .iter()
            .map(|layer| layer.archive.diff_id())
            .collect()
    }

    /// The platform that the configuration names.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }
}

impl Artifact for Image {
    fn manifest(&self) -> &Blob {
        &self.manifest
    }

    fn manifests(&self) -> Vec<&Blob> {
        vec![&self.manifest]
    }

    fn blobs(&self) -> Vec<&Blob> {
        let layers = self
            .layers
            .iter()
            .filter(|layer| !layer.foreign)
            .map(|layer| &layer.blob);
        std::iter::once(&self.config).chain(layers).collect()
    }
}

#[cfg(test)]
mod tests;
