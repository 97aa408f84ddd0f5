//! The pointer to a blob or a manifest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Digest, MediaType, Platform,
    json::{empty_as_none, null_as_default, size},
};

/// The pointer to a blob or a manifest: what it is, its digest and its size.
///
/// `digest` and `size` must be there, everything else may be missing or
/// `null`, and unknown fields are ignored. It serializes with the fields in
/// go-containerregistry's order and without empty ones. See the
/// [image specification].
///
/// ```
/// use regimg_core::{Algorithm, Descriptor, Digest, MediaType};
///
/// let content = b"{}";
/// let digest = Digest::of(Algorithm::Sha256, content);
/// let descriptor = Descriptor::new(MediaType::OCI_EMPTY, digest, 2);
/// assert!(descriptor.platform.is_none());
/// ```
///
/// [image specification]: https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the content is; empty when the descriptor does not say.
    #[serde(default, deserialize_with = "null_as_default")]
    pub media_type: MediaType,
    /// How many bytes the content has, at most `i64::MAX`.
    #[serde(deserialize_with = "size")]
    pub size: u64,
    /// The digest of the content.
    pub digest: Digest,
    /// The content itself in base64, when it is small; not yet verified.
    #[serde(
        default,
        deserialize_with = "empty_as_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub data: Option<String>,
    /// Where else the content can be had, without credentials.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub urls: Vec<String>,
    /// Free notes by the image's builder.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
    /// What runs the image; only in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What the artifact is, if it is not an image.
    #[serde(
        default,
        deserialize_with = "empty_as_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub artifact_type: Option<String>,
}

impl Descriptor {
    /// Makes a descriptor of the three things each one has.
    pub fn new(media_type: MediaType, digest: Digest, size: u64) -> Self {
        Self {
            media_type,
            size,
            digest,
            data: None,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            platform: None,
            artifact_type: None,
        }
    }

    /// Says whether this points at a statement about an image rather than at
    /// an image. `BuildKit` puts such [attestations] beside images.
    ///
    /// [attestations]: https://docs.docker.com/build/metadata/attestations/attestation-storage/
    pub fn is_attestation(&self) -> bool {
        let kind = self.annotations.get("vnd.docker.reference.type");
        kind.is_some_and(|kind| kind == "attestation-manifest")
            || self.platform.as_ref().is_some_and(Platform::is_unknown)
    }
}
