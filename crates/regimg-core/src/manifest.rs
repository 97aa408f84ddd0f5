//! What the bytes of a manifest say.

use std::{collections::BTreeMap, error, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    Descriptor, Index, MediaType,
    json::{empty_as_none, null_as_default},
};

/// A manifest that was read: of one image, or of several.
#[expect(
    clippy::large_enum_variant,
    reason = "one is made at a time, and taken apart at once"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manifest {
    /// The manifest of one image or of another artifact.
    Image(ImageManifest),
    /// The list of the manifests for several platforms.
    Index(Index),
}

/// The configuration and the layers that make up one image.
///
/// Artifacts that are no images use the same form; then
/// [`is_image`](Self::is_image) is false. Only `config` must be there, `null`
/// lists are empty ones, unknown fields are ignored. See the
/// [image specification] and Docker's [schema 2].
///
/// [image specification]: https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md
/// [schema 2]: https://github.com/distribution/distribution/blob/v2.8.3/docs/spec/manifest-v2-2.md
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    /// 2, or 0 if the manifest leaves it out.
    #[serde(default, deserialize_with = "null_as_default")]
    pub schema_version: u32,
    /// The media type that the manifest gives itself, which OCI left optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// What the artifact is, if it is not an image.
    #[serde(
        default,
        deserialize_with = "empty_as_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub artifact_type: Option<String>,
    /// The image's configuration.
    pub config: Descriptor,
    /// The layers, lowest first.
    #[serde(default, deserialize_with = "null_as_default")]
    pub layers: Vec<Descriptor>,
    /// The manifest that this one is about, if it is a referrer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Free notes by the image's builder.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
}

impl ImageManifest {
    /// Makes the OCI manifest of an image.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(MediaType::OCI_MANIFEST),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// Says whether this is a container image, and not a chart, a signature
    /// or another artifact: its configuration is an image's.
    pub fn is_image(&self) -> bool {
        self.config.media_type.is_image_config()
    }
}

/// Says why bytes are not a manifest that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseManifestError {
    kind: ParseManifestErrorKind,
    detail: String,
}

/// Why bytes are not a manifest that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParseManifestErrorKind {
    /// Not JSON, or a field is missing or has a wrong value.
    Syntax,
    /// Docker's schema 1, which has no digests for what it lists.
    Schema1,
    /// Neither the manifest of an image nor an index.
    Unknown,
    /// Both the manifest of an image and an index, so that two programs may
    /// see two images under one digest
    /// ([CVE-2021-41190](https://github.com/opencontainers/image-spec/security/advisories/GHSA-77vh-xpmg-72qh)).
    Ambiguous,
}

impl ParseManifestError {
    pub(crate) fn new(kind: ParseManifestErrorKind, detail: impl fmt::Display) -> Self {
        let detail = detail.to_string();
        Self { kind, detail }
    }

    /// Returns what is wrong.
    pub fn kind(&self) -> ParseManifestErrorKind {
        self.kind
    }
}

impl fmt::Display for ParseManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = &self.detail;
        match self.kind {
            ParseManifestErrorKind::Syntax => write!(f, "invalid manifest: {detail}"),
            ParseManifestErrorKind::Schema1 => write!(
                f,
                "unsupported MediaType {detail:?}: Docker's schema 1 is obsolete, push the image again"
            ),
            ParseManifestErrorKind::Unknown => {
                write!(f, "{detail:?} is neither an image manifest nor an index")
            }
            ParseManifestErrorKind::Ambiguous => f.write_str(
                "ambiguous manifest: what says it is an index has the fields of an image, or the reverse",
            ),
        }
    }
}

impl error::Error for ParseManifestError {}
