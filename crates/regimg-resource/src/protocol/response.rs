//! What the commands answer on stdout.

use regimg_core::Digest;
use serde::Serialize;

/// Names one version of an image: a tag and the digest it pointed at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Version {
    /// The tag, as configured or as the registry lists it.
    pub tag: String,
    /// The digest of the image, or of the index for an image of several platforms.
    pub digest: Digest,
}

/// One line of the metadata that Concourse shows beside a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MetadataField {
    /// The label, such as `repository`.
    pub name: String,
    /// The text beside it.
    pub value: String,
}

impl MetadataField {
    /// Builds a field from its two texts.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

/// The answer of `in` and `out`.
#[derive(Clone, Debug, Serialize)]
pub struct StepResponse<V> {
    /// The version fetched or created.
    pub version: V,
    /// What the build's page shows beside it.
    pub metadata: Vec<MetadataField>,
}
