//! What the bytes of a blob or a manifest are.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The media type of a blob or a manifest.
///
/// Any text is a media type. In JSON it is kept as it came. Two are equal when
/// their text is. The constants are those of the OCI
/// [image specification] and Docker's [schema 2] and [schema 1].
///
/// ```
/// use regimg_core::{Compression, MediaType};
///
/// let layer = MediaType::new("application/vnd.oci.image.layer.v1.tar+zstd");
/// assert_eq!(layer, MediaType::OCI_LAYER_ZSTD);
/// assert_eq!(layer.compression(), Some(Compression::Zstd));
/// assert!(MediaType::DOCKER_MANIFEST_LIST.is_index());
/// ```
///
/// [image specification]: https://github.com/opencontainers/image-spec/blob/v1.1.1/media-types.md
/// [schema 2]: https://github.com/distribution/distribution/blob/v2.8.3/docs/spec/manifest-v2-2.md
/// [schema 1]: https://github.com/distribution/distribution/blob/v2.8.3/docs/spec/manifest-v2-1.md
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaType(Cow<'static, str>);

/// How a layer's archive is packed, as far as its media type tells.
///
/// It is a hint: layers in the wild are mislabelled, and their first bytes
/// say what is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// The bare tar archive.
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl MediaType {
    /// An OCI image manifest.
    pub const OCI_MANIFEST: Self = Self::known("application/vnd.oci.image.manifest.v1+json");
    /// An OCI image index.
    pub const OCI_INDEX: Self = Self::known("application/vnd.oci.image.index.v1+json");
    /// An OCI image's configuration.
    pub const OCI_CONFIG: Self = Self::known("application/vnd.oci.image.config.v1+json");
    /// A layer as a bare tar archive.
    pub const OCI_LAYER: Self = Self::known("application/vnd.oci.image.layer.v1.tar");
    /// A layer packed with gzip.
    pub const OCI_LAYER_GZIP: Self = Self::known("application/vnd.oci.image.layer.v1.tar+gzip");
    /// A layer packed with zstd.
    pub const OCI_LAYER_ZSTD: Self = Self::known("application/vnd.oci.image.layer.v1.tar+zstd");
    /// A bare layer that may not be pushed to other registries.
    pub const OCI_FOREIGN_LAYER: Self =
        Self::known("application/vnd.oci.image.layer.nondistributable.v1.tar");
    /// A layer packed with gzip that may not be pushed to other registries.
    pub const OCI_FOREIGN_LAYER_GZIP: Self =
        Self::known("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip");
    /// A layer packed with zstd that may not be pushed to other registries.
    pub const OCI_FOREIGN_LAYER_ZSTD: Self =
        Self::known("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd");
    /// The configuration `{}` of an artifact that has none.
    pub const OCI_EMPTY: Self = Self::known("application/vnd.oci.empty.v1+json");

    /// A Docker image manifest, schema 2.
    pub const DOCKER_MANIFEST: Self =
        Self::known("application/vnd.docker.distribution.manifest.v2+json");
    /// A Docker manifest list.
    pub const DOCKER_MANIFEST_LIST: Self =
        Self::known("application/vnd.docker.distribution.manifest.list.v2+json");
    /// A Docker image's configuration.
    pub const DOCKER_CONFIG: Self = Self::known("application/vnd.docker.container.image.v1+json");
    /// A Docker layer as a bare tar archive.
    pub const DOCKER_LAYER: Self = Self::known("application/vnd.docker.image.rootfs.diff.tar");
    /// A Docker layer packed with gzip.
    pub const DOCKER_LAYER_GZIP: Self =
        Self::known("application/vnd.docker.image.rootfs.diff.tar.gzip");
    /// A Docker layer packed with zstd, which `BuildKit` makes.
    pub const DOCKER_LAYER_ZSTD: Self =
        Self::known("application/vnd.docker.image.rootfs.diff.tar.zstd");
    /// A bare Docker layer that may not be pushed to other registries.
    pub const DOCKER_FOREIGN_LAYER: Self =
        Self::known("application/vnd.docker.image.rootfs.foreign.diff.tar");
    /// A Docker layer packed with gzip that may not be pushed to other
    /// registries.
    pub const DOCKER_FOREIGN_LAYER_GZIP: Self =
        Self::known("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
    /// A Docker image manifest, schema 1.
    pub const DOCKER_SCHEMA1: Self =
        Self::known("application/vnd.docker.distribution.manifest.v1+json");
    /// A signed Docker image manifest, schema 1.
    pub const DOCKER_SCHEMA1_SIGNED: Self =
        Self::known("application/vnd.docker.distribution.manifest.v1+prettyjws");

    /// Bytes that nothing is known about.
    pub const OCTET_STREAM: Self = Self::known("application/octet-stream");

    const fn known(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Takes a media type as it was written, in a `Content-Type` header for
    /// one: in lower case, without parameters and surrounding blanks.
    ///
    /// ```
    /// use regimg_core::MediaType;
    ///
    /// let header = "application/vnd.oci.image.index.v1+json; charset=utf-8";
    /// assert_eq!(MediaType::new(header), MediaType::OCI_INDEX);
    /// ```
    pub fn new(text: &str) -> Self {
        let essence = text.split(';').next().unwrap_or_default().trim();
        Self(Cow::Owned(essence.to_ascii_lowercase()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says whether a descriptor left its media type out.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Says whether this is an OCI image index or a Docker manifest list.
    pub fn is_index(&self) -> bool {
        *self == Self::OCI_INDEX || *self == Self::DOCKER_MANIFEST_LIST
    }

    /// Says whether this is the manifest of one image, OCI or Docker schema 2.
    pub fn is_image_manifest(&self) -> bool {
        *self == Self::OCI_MANIFEST || *self == Self::DOCKER_MANIFEST
    }

    /// Says whether this is Docker's schema 1, signed or not, which nothing
    /// here reads.
    pub fn is_schema1(&self) -> bool {
        *self == Self::DOCKER_SCHEMA1 || *self == Self::DOCKER_SCHEMA1_SIGNED
    }

    /// Says whether this is the configuration of an image, and not that of
    /// some other artifact.
    pub fn is_image_config(&self) -> bool {
        *self == Self::OCI_CONFIG || *self == Self::DOCKER_CONFIG
    }

    /// Says whether this is an image's layer of any kind.
    pub fn is_layer(&self) -> bool {
        self.compression().is_some()
    }

    /// Says whether this is a layer that licences keep out of other
    /// registries; its descriptor has the `urls` it comes from.
    pub fn is_foreign_layer(&self) -> bool {
        const FOREIGN: [&str; 2] = [
            "application/vnd.oci.image.layer.nondistributable.v1.tar",
            "application/vnd.docker.image.rootfs.foreign.diff.tar",
        ];
        FOREIGN.iter().any(|prefix| self.0.starts_with(prefix))
    }

    /// Says whether this may be pushed to any registry: all but
    /// [foreign layers](Self::is_foreign_layer).
    pub fn is_distributable(&self) -> bool {
        !self.is_foreign_layer()
    }

    /// Returns how a layer says it is packed; `None` for everything but
    /// layers.
    pub fn compression(&self) -> Option<Compression> {
        const LAYERS: [&str; 4] = [
            "application/vnd.oci.image.layer.v1.tar",
            "application/vnd.oci.image.layer.nondistributable.v1.tar",
            "application/vnd.docker.image.rootfs.diff.tar",
            "application/vnd.docker.image.rootfs.foreign.diff.tar",
        ];
        let suffix = LAYERS
            .iter()
            .find_map(|prefix| self.0.strip_prefix(prefix))?;
        match suffix {
            "" => Some(Compression::None),
            "+gzip" | ".gzip" => Some(Compression::Gzip),
            "+zstd" | ".zstd" => Some(Compression::Zstd),
            _ => None,
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for MediaType {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for MediaType {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl PartialEq<str> for MediaType {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for MediaType {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl Serialize for MediaType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for MediaType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Cow::Owned(text)))
    }
}
