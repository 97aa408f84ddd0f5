//! A manifest with the exact bytes that its digest covers.

use bytes::Bytes;
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    Algorithm, Descriptor, Digest, ImageManifest, Index, Manifest, MediaType, ParseManifestError,
    ParseManifestErrorKind, Verifier, VerifyError, json::object,
};

/// A manifest with the exact bytes that its digest covers.
///
/// What is pushed or written is [`bytes`](Self::bytes), never something
/// serialized anew, so that digests and signatures stay true.
///
/// What it is gets decided by its bytes, which the digest covers, as far as
/// they tell, and by the header it came with only then, because anyone on the
/// way may have set that. The first line that fits counts:
///
/// | `mediaType` in the bytes | Fields in the bytes | It is | Its media type |
/// | --- | --- | --- | --- |
/// | any | `manifests`, and `config` or `layers` | refused | the given one |
/// | of an image | `manifests` | refused | the given one |
/// | of an index | `config` or `layers` | refused | the given one |
/// | of an image, an index or schema 1 | any | what it says | what it says |
/// | none | `schemaVersion` 1 | refused | the given one if of schema 1, else Docker's |
/// | none or another | `manifests` | an index | the given one if of an index, else OCI's |
/// | none or another | `config` or `layers` | an image | the given one if of an image, else OCI's |
/// | none or another | none of these | what the given one says | the given one |
///
/// Without a given one where it is needed, it is `application/octet-stream`.
///
/// ```
/// use regimg_core::{Manifest, MediaType, RawManifest};
///
/// # fn main() -> Result<(), regimg_core::ParseManifestError> {
/// let raw = RawManifest::new(None, r#"{"schemaVersion":2,"manifests":[]}"#.into());
/// assert_eq!(*raw.media_type(), MediaType::OCI_INDEX);
/// assert!(matches!(raw.parse()?, Manifest::Index(index) if index.manifests.is_empty()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawManifest {
    media_type: MediaType,
    bytes: Bytes,
    digest: Digest,
}

impl RawManifest {
    /// Takes a manifest as it is and computes its SHA-256.
    ///
    /// `media_type` is what its descriptor or `Content-Type` says.
    pub fn new(media_type: Option<MediaType>, bytes: Bytes) -> Self {
        let digest = Digest::of(Algorithm::Sha256, &bytes);
        Self::with_digest(media_type, bytes, digest)
    }

    /// Takes a manifest that was asked for by its digest.
    ///
    /// # Errors
    ///
    /// Fails when the bytes have another digest.
    pub fn verified(
        media_type: Option<MediaType>,
        bytes: Bytes,
        digest: &Digest,
    ) -> Result<Self, VerifyError> {
        let mut verifier = Verifier::new(digest, None);
        verifier.update(&bytes)?;
        verifier.finish()?;
        Ok(Self::with_digest(media_type, bytes, digest.clone()))
    }

    /// Returns what the manifest is, by the table above.
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

    /// Returns the pointer to this manifest.
    pub fn descriptor(&self) -> Descriptor {
        let size = self.bytes.len() as u64;
        Descriptor::new(self.media_type.clone(), self.digest.clone(), size)
    }

    /// Reads the manifest.
    ///
    /// # Errors
    ///
    /// Fails for anything but an image manifest or an index, and names the
    /// field that is wrong: `layers[3].digest`.
    pub fn parse(&self) -> Result<Manifest, ParseManifestError> {
        let outline: Outline = from_json(&self.bytes)?;
        let refused = |kind| Err(ParseManifestError::new(kind, &self.media_type));
        match outline.form(&self.media_type) {
            Form::Image => from_json(&self.bytes).map(Manifest::Image),
            Form::Index => from_json(&self.bytes).map(Manifest::Index),
            Form::Schema1 => refused(ParseManifestErrorKind::Schema1),
            Form::Unknown => refused(ParseManifestErrorKind::Unknown),
            Form::Ambiguous => refused(ParseManifestErrorKind::Ambiguous),
        }
    }

    fn with_digest(given: Option<MediaType>, bytes: Bytes, digest: Digest) -> Self {
        let given = given.unwrap_or(MediaType::OCTET_STREAM);
        let outline = object::<Outline>(&bytes).unwrap_or_default();
        Self {
            media_type: outline.label(given),
            bytes,
            digest,
        }
    }
}

impl From<&ImageManifest> for RawManifest {
    fn from(manifest: &ImageManifest) -> Self {
        Self::new(manifest.media_type.clone(), to_json(manifest).into())
    }
}

impl From<&Index> for RawManifest {
    fn from(index: &Index) -> Self {
        Self::new(index.media_type.clone(), to_json(index).into())
    }
}

/// What a manifest is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Image,
    Index,
    Schema1,
    Unknown,
    Ambiguous,
}

/// As much of a manifest as tells what it is.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    media_type: Option<MediaType>,
    schema_version: Option<u64>,
    config: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    manifests: Option<IgnoredAny>,
}

impl Outline {
    /// Tells what the manifest is, by `given` only if the bytes do not tell.
    fn form(&self, given: &MediaType) -> Form {
        let is_index = self.manifests.is_some();
        let is_image = self.config.is_some() || self.layers.is_some();
        let own = self.media_type.as_ref().map(form_of);
        match (own, is_index, is_image) {
            (_, true, true) | (Some(Form::Image), true, _) | (Some(Form::Index), _, true) => {
                Form::Ambiguous
            }
            (Some(form @ (Form::Image | Form::Index | Form::Schema1)), ..) => form,
            (None, ..) if self.schema_version == Some(1) => Form::Schema1,
            (_, true, false) => Form::Index,
            (_, false, true) => Form::Image,
            (_, false, false) => form_of(given),
        }
    }

    /// Gives the manifest a media type that agrees with what it is.
    fn label(self, given: MediaType) -> MediaType {
        let form = self.form(&given);
        let usual = match form {
            Form::Image => MediaType::OCI_MANIFEST,
            Form::Index => MediaType::OCI_INDEX,
            Form::Schema1 => MediaType::DOCKER_SCHEMA1,
            Form::Unknown | Form::Ambiguous => return given,
        };
        let stated = self.media_type.into_iter().chain([given]);
        let mut fitting = stated.filter(|label| form_of(label) == form);
        fitting.next().unwrap_or(usual)
    }
}

fn form_of(label: &MediaType) -> Form {
    if label.is_image_manifest() {
        Form::Image
    } else if label.is_index() {
        Form::Index
    } else if label.is_schema1() {
        Form::Schema1
    } else {
        Form::Unknown
    }
}

fn from_json<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, ParseManifestError> {
    object(bytes).map_err(|error| ParseManifestError::new(ParseManifestErrorKind::Syntax, error))
}

fn to_json(manifest: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(manifest).expect("structs and maps with text keys are always JSON")
}
