//! Media types of manifests, configurations and layers.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Says what bytes are. Any text is a media type; the known ones have constants and
/// answer questions.
///
/// Sources: OCI image specification `media-types.md`; Docker image manifest version 2,
/// schema 1 and 2.
///
/// ```
/// use regimg_core::{Compression, MediaType};
///
/// assert!(MediaType::DOCKER_MANIFEST_LIST.is_index());
/// assert_eq!(MediaType::OCI_LAYER_ZSTD.compression(), Some(Compression::Zstd));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaType(Cow<'static, str>);

/// How a layer's bytes are compressed, as far as its media type tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// A plain tar archive.
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

impl MediaType {
    /// An OCI image manifest.
    pub const OCI_MANIFEST: Self =
        Self(Cow::Borrowed("application/vnd.oci.image.manifest.v1+json"));
    /// An OCI image index.
    pub const OCI_INDEX: Self = Self(Cow::Borrowed("application/vnd.oci.image.index.v1+json"));
    /// An OCI image configuration.
    pub const OCI_CONFIG: Self = Self(Cow::Borrowed("application/vnd.oci.image.config.v1+json"));
    /// An OCI layer without compression.
    pub const OCI_LAYER: Self = Self(Cow::Borrowed("application/vnd.oci.image.layer.v1.tar"));
    /// An OCI layer, gzip.
    pub const OCI_LAYER_GZIP: Self =
        Self(Cow::Borrowed("application/vnd.oci.image.layer.v1.tar+gzip"));
    /// An OCI layer, zstd.
    pub const OCI_LAYER_ZSTD: Self =
        Self(Cow::Borrowed("application/vnd.oci.image.layer.v1.tar+zstd"));
    /// A Docker image manifest, schema 2.
    pub const DOCKER_MANIFEST: Self = Self(Cow::Borrowed(
        "application/vnd.docker.distribution.manifest.v2+json",
    ));
    /// A Docker manifest list: what OCI calls an index.
    pub const DOCKER_MANIFEST_LIST: Self = Self(Cow::Borrowed(
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ));
    /// A Docker image configuration.
    pub const DOCKER_CONFIG: Self = Self(Cow::Borrowed(
        "application/vnd.docker.container.image.v1+json",
    ));
    /// A Docker layer without compression.
    pub const DOCKER_LAYER: Self = Self(Cow::Borrowed(
        "application/vnd.docker.image.rootfs.diff.tar",
    ));
    /// A Docker layer, gzip.
    pub const DOCKER_LAYER_GZIP: Self = Self(Cow::Borrowed(
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    ));
    /// A Docker layer that its licence keeps from registries.
    pub const DOCKER_FOREIGN_LAYER: Self = Self(Cow::Borrowed(
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ));
    /// A Docker manifest, schema 1.
    pub const DOCKER_SCHEMA1: Self = Self(Cow::Borrowed(
        "application/vnd.docker.distribution.manifest.v1+json",
    ));
    /// A Docker manifest, schema 1, signed.
    pub const DOCKER_SCHEMA1_SIGNED: Self = Self(Cow::Borrowed(
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    ));

    /// Takes a media type as it was written, without parameters such as `charset`.
    pub fn new(text: &str) -> Self {
        let essence = text.split(';').next().unwrap_or_default().trim();
        Self(Cow::Owned(essence.to_ascii_lowercase()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says whether this is an OCI index or a Docker manifest list.
    pub fn is_index(&self) -> bool {
        [Self::OCI_INDEX, Self::DOCKER_MANIFEST_LIST].contains(self)
    }

    /// Says whether this is a manifest of one image that has a configuration and layers.
    pub fn is_image_manifest(&self) -> bool {
        [Self::OCI_MANIFEST, Self::DOCKER_MANIFEST].contains(self)
    }

    /// Says whether this is Docker's first manifest, which no digest pins reliably.
    pub fn is_schema1(&self) -> bool {
        [Self::DOCKER_SCHEMA1, Self::DOCKER_SCHEMA1_SIGNED].contains(self)
    }

    /// Says whether a registry may hold the blob itself: `false` for Docker's foreign
    /// and OCI's (deprecated) non-distributable layers.
    pub fn is_distributable(&self) -> bool {
        !self
            .0
            .starts_with("application/vnd.docker.image.rootfs.foreign.")
            && !self
                .0
                .starts_with("application/vnd.oci.image.layer.nondistributable.")
    }

    /// Tells how a layer of this type is compressed; none for what is no known layer.
    /// Layers with a wrong type exist, so look at the bytes before unpacking.
    pub fn compression(&self) -> Option<Compression> {
        let text = self.as_str();
        let is_oci = text.starts_with("application/vnd.oci.image.layer.");
        if !is_oci && !text.starts_with("application/vnd.docker.image.rootfs.") {
            return None;
        }
        match text.rsplit(['.', '+']).next()? {
            "tar" => Some(Compression::None),
            "gzip" => Some(Compression::Gzip),
            "zstd" => Some(Compression::Zstd),
            _ => None,
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for MediaType {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}
