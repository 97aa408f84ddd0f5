//! Manifests and indexes, with the bytes they were read from.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Algorithm, Descriptor, Digest, MediaType, Platform, Verifier, VerifyError};

/// Keeps a manifest byte for byte: its digest is of the bytes, and they may not survive
/// being read and written.
///
/// ```
/// use regimg_core::{Manifest, MediaType, RawManifest};
///
/// let index = br#"{"schemaVersion": 2, "manifests": []}"#;
/// let manifest = RawManifest::new(Some(MediaType::OCI_INDEX), index.to_vec().into());
/// assert!(matches!(manifest.parse()?, Manifest::Index(_)));
/// assert_eq!(manifest.descriptor().size, 37);
/// # Ok::<(), regimg_core::ParseManifestError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawManifest {
    media_type: MediaType,
    bytes: Bytes,
    digest: Digest,
}

impl RawManifest {
    /// Takes bytes as they are and computes their SHA-256. The media type is, in this
    /// order: the one given (a `Content-Type`) if it is a manifest's; the document's
    /// own `mediaType`; for a document without one, an index if it lists `manifests`
    /// and an image manifest if not.
    pub fn new(media_type: Option<MediaType>, bytes: Bytes) -> Self {
        let digest = Digest::of(Algorithm::Sha256, &bytes);
        Self {
            media_type: decide_type(media_type, &bytes),
            bytes,
            digest,
        }
    }

    /// Takes bytes that were asked for by digest.
    ///
    /// # Errors
    ///
    /// The bytes have another digest.
    pub fn verified(
        media_type: Option<MediaType>,
        bytes: Bytes,
        digest: &Digest,
    ) -> Result<Self, VerifyError> {
        let mut verifier = Verifier::new(digest, None);
        verifier.update(&bytes)?;
        verifier.finish()?;
        Ok(Self {
            media_type: decide_type(media_type, &bytes),
            bytes,
            digest: digest.clone(),
        })
    }

    /// Returns what the bytes are.
    pub fn media_type(&self) -> &MediaType {
        &self.media_type
    }

    /// Returns the exact bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the digest of the bytes.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Describes the manifest, as an index would list it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(
            self.media_type.clone(),
            self.digest.clone(),
            self.bytes.len() as u64,
        )
    }

    /// Reads the document.
    ///
    /// # Errors
    ///
    /// Malformed JSON, a missing field or one of another type, a size below zero, a
    /// digest that is none, or a manifest of Docker's schema 1.
    pub fn parse(&self) -> Result<Manifest, ParseManifestError> {
        let failed = |problem: String| ParseManifestError {
            digest: self.digest.clone(),
            problem,
        };
        if self.media_type.is_schema1() {
            return Err(failed(
                "is of Docker's schema 1, which is not supported: push the image again".to_owned(),
            ));
        }
        let parsed = if self.media_type.is_index() {
            serde_json::from_slice(&self.bytes).map(Manifest::Index)
        } else {
            serde_json::from_slice(&self.bytes).map(Manifest::Image)
        };
        parsed.map_err(|error| failed(error.to_string()))
    }
}

/// The fields that tell what a document is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    media_type: Option<MediaType>,
    manifests: Option<serde::de::IgnoredAny>,
}

fn decide_type(given: Option<MediaType>, bytes: &[u8]) -> MediaType {
    let is_known = |media_type: &MediaType| {
        media_type.is_index() || media_type.is_image_manifest() || media_type.is_schema1()
    };
    given.filter(is_known).unwrap_or_else(|| {
        let shape = serde_json::from_slice(bytes).unwrap_or(Shape {
            media_type: None,
            manifests: None,
        });
        let by_shape = if shape.manifests.is_some() {
            MediaType::OCI_INDEX
        } else {
            MediaType::OCI_MANIFEST
        };
        shape.media_type.filter(is_known).unwrap_or(by_shape)
    })
}

/// Says what is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseManifestError {
    digest: Digest,
    problem: String,
}

impl fmt::Display for ParseManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "manifest {}: {}", self.digest, self.problem)
    }
}

impl std::error::Error for ParseManifestError {}

/// What a manifest describes.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and it is moved once"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manifest {
    /// One image.
    Image(ImageManifest),
    /// Several images, one to a platform.
    Index(Index),
}

/// Describes one image: a configuration and layers.
///
/// Source: OCI image specification, `manifest.md`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    /// 2.
    #[serde(default)]
    pub schema_version: u32,
    /// What the document says it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// What the artifact is, if it is no image to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, the lowest first.
    #[serde(default, deserialize_with = "crate::lenient::null_is_default")]
    pub layers: Vec<Descriptor>,
    /// The manifest that this one is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Whatever its author wanted to say.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "crate::lenient::null_is_default"
    )]
    pub annotations: BTreeMap<String, String>,
}

/// Lists manifests, usually one to a platform.
///
/// Source: OCI image specification, `image-index.md`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// 2.
    #[serde(default)]
    pub schema_version: u32,
    /// What the document says it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// What the artifact is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The manifests.
    #[serde(default, deserialize_with = "crate::lenient::null_is_default")]
    pub manifests: Vec<Descriptor>,
    /// The manifest that this index is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Whatever its author wanted to say.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "crate::lenient::null_is_default"
    )]
    pub annotations: BTreeMap<String, String>,
}

impl Index {
    /// Picks the manifest for a platform: of those that satisfy it the nearest, of
    /// equally near ones the first. An entry without a platform counts as `linux/amd64`,
    /// as in go-containerregistry.
    ///
    /// # Errors
    ///
    /// No entry satisfies the platform; the error lists what there is.
    pub fn select(&self, wanted: &Platform) -> Result<&Descriptor, NoPlatform> {
        let usual = Platform::default();
        self.manifests
            .iter()
            .filter_map(|entry| {
                let platform = entry.platform.as_ref().unwrap_or(&usual);
                wanted.distance(platform).map(|distance| (distance, entry))
            })
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, entry)| entry)
            .ok_or_else(|| self.no_platform(wanted))
    }

    fn no_platform(&self, wanted: &Platform) -> NoPlatform {
        // Attestations are listed as unknown/unknown; nobody looks for them here.
        let is_known = |platform: &&Platform| platform.os != "unknown";
        let mut offered: Vec<_> = self
            .manifests
            .iter()
            .filter_map(|entry| entry.platform.as_ref())
            .filter(is_known)
            .map(Platform::to_string)
            .collect();
        offered.dedup();
        NoPlatform {
            wanted: wanted.to_string(),
            offered,
        }
    }
}

/// Says that an index has nothing for a platform, and what it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoPlatform {
    wanted: String,
    offered: Vec<String>,
}

impl fmt::Display for NoPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no image for {} in the index; it has ", self.wanted)?;
        if self.offered.is_empty() {
            return f.write_str("none for a platform");
        }
        f.write_str(&self.offered.join(", "))
    }
}

impl std::error::Error for NoPlatform {}
