//! Blobs and the descriptors that point at them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Content, Digest};

/// What a manifest says about a blob or another manifest; fields are public so that a test may make it lie.
///
/// The types of `oci-spec` do not serve here: their annotations come out in random order, which changes digests,
/// and their `os.version` is written `os_version`. The tests read what is built with them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// `mediaType`.
    pub media_type: String,
    /// `digest`.
    pub digest: Digest,
    /// `size` in bytes.
    pub size: u64,
    /// `urls`, for foreign layers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// `annotations`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// `platform`, for the children of an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// `artifactType`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// `data`, the content itself in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// The platform of an image.
///
/// ```
/// let platform = regimg_tests::Platform::parse("linux/arm/v7");
/// assert_eq!(platform.architecture, "arm");
/// assert_eq!(platform.variant.as_deref(), Some("v7"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Platform {
    /// `architecture` as Go names it.
    pub architecture: String,
    /// `os` as Go names it.
    pub os: String,
    /// `os.version`.
    #[serde(rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// `os.features`.
    #[serde(rename = "os.features", skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
    /// `variant` of the architecture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// Reads `os/architecture` or `os/architecture/variant`; nothing is normalised.
    ///
    /// # Panics
    /// When there is no slash.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        let (os, rest) = text
            .split_once('/')
            .expect("a platform is os/architecture[/variant]");
        let (architecture, variant) = match rest.split_once('/') {
            Some((architecture, variant)) => (architecture, Some(variant.to_owned())),
            None => (rest, None),
        };
        Self {
            architecture: architecture.to_owned(),
            os: os.to_owned(),
            os_version: None,
            os_features: Vec::new(),
            variant,
        }
    }
}

/// A descriptor and the bytes that it describes.
#[derive(Clone, Debug)]
pub struct Blob {
    descriptor: Descriptor,
    content: Content,
}

impl Blob {
    /// Hashes `content` and describes it.
    ///
    /// # Panics
    /// When the content is a file that cannot be read.
    pub fn new(media_type: &str, content: impl Into<Content>) -> Self {
        let content = content.into();
        let digest = Digest::sha256_of(content.reader()).expect("the content can be read");
        Self::with_digest(media_type, digest, content)
    }

    /// Describes `content` with the SHA-512 digest that some registries use.
    pub fn sha512(media_type: &str, content: impl Into<Content>) -> Self {
        let content = content.into();
        let digest = Digest::sha512(&content.bytes());
        Self::with_digest(media_type, digest, content)
    }

    /// Describes `content` with a digest that was computed before, or that is wrong on purpose.
    pub fn with_digest(media_type: &str, digest: Digest, content: impl Into<Content>) -> Self {
        let content = content.into();
        let descriptor = Descriptor {
            media_type: media_type.to_owned(),
            digest,
            size: content.len(),
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            platform: None,
            artifact_type: None,
            data: None,
        };
        Self {
            descriptor,
            content,
        }
    }

    pub(crate) fn json(media_type: &str, value: &serde_json::Value) -> Self {
        Self::new(
            media_type,
            serde_json::to_vec(value).expect("a value is JSON"),
        )
    }

    /// How manifests and indexes refer to this blob.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The digest in the descriptor.
    pub fn digest(&self) -> &Digest {
        &self.descriptor.digest
    }

    /// The media type in the descriptor.
    pub fn media_type(&self) -> &str {
        &self.descriptor.media_type
    }

    /// The bytes.
    pub fn content(&self) -> &Content {
        &self.content
    }

    pub(crate) fn descriptor_mut(&mut self) -> &mut Descriptor {
        &mut self.descriptor
    }
}
