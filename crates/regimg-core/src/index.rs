//! The list of an image's manifests, one for each platform.

use std::{
    collections::{BTreeMap, BTreeSet},
    error, fmt,
};

use serde::{Deserialize, Serialize};

use crate::{
    Descriptor, MediaType, Platform,
    excerpt::printable_excerpt,
    json::{empty_as_none, null_as_default},
    platform::Fit,
};

/// The list of an image's manifests, one for each platform.
///
/// `null` lists are empty ones and unknown fields are ignored. See the
/// [image specification] and Docker's [manifest list].
///
/// [image specification]: https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md
/// [manifest list]: https://github.com/distribution/distribution/blob/v2.8.3/docs/spec/manifest-v2-2.md#manifest-list
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// 2, or 0 if the index leaves it out.
    #[serde(default, deserialize_with = "null_as_default")]
    pub schema_version: u32,
    /// The media type that the index gives itself, which OCI left optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// What the artifact is, if it is not an image.
    #[serde(
        default,
        deserialize_with = "empty_as_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub artifact_type: Option<String>,
    /// The manifests, in the builder's order.
    #[serde(default, deserialize_with = "null_as_default")]
    pub manifests: Vec<Descriptor>,
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

/// Says that an index has no image for a platform, and which it has.
///
/// ```
/// use regimg_core::{Index, Platform};
///
/// let index = Index::new(Vec::new());
/// let error = index.select(&Platform::default()).unwrap_err();
/// assert_eq!(error.to_string(), "no image for linux/amd64 in the index; it is empty");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoPlatform {
    wanted: Box<Platform>,
    available: Vec<Platform>,
    is_empty: bool,
}

impl Index {
    /// Makes an OCI index.
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(MediaType::OCI_INDEX),
            artifact_type: None,
            manifests,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// Picks the image for a platform: the first of
    /// [`candidates`](Self::candidates).
    ///
    /// What is picked may itself be an index, to be searched in turn.
    ///
    /// # Errors
    ///
    /// Fails when there is no such image; the error lists what there is.
    pub fn select(&self, platform: &Platform) -> Result<&Descriptor, NoPlatform> {
        self.candidates(platform)
            .into_iter()
            .next()
            .ok_or_else(|| self.no_platform(platform))
    }

    /// Lists the manifests that may be, or lead to, the image for a platform,
    /// best first.
    ///
    /// 1. Those whose platform [satisfies](Platform::is_satisfied_by) the one
    ///    asked for, the nearest first: the variant that was named or is
    ///    usual, then what a machine of that variant also runs, the newest
    ///    first, and, when none was named, what it may not run.
    /// 2. Those without a platform: indexes, which must be opened to know,
    ///    and images when `linux/amd64` serves, as go-containerregistry
    ///    assumes.
    ///
    /// Among equals the index's order holds. Attestations and descriptors of
    /// other things than images and indexes are never listed.
    pub fn candidates(&self, platform: &Platform) -> Vec<&Descriptor> {
        let mut ranked: Vec<_> = self
            .images()
            .filter_map(|entry| Some((fit(entry, platform)?, entry)))
            .collect();
        ranked.sort_by_key(|(fit, _)| *fit);
        ranked.into_iter().map(|(_, entry)| entry).collect()
    }

    /// Lists the entries that are images or indexes of images.
    pub fn images(&self) -> impl Iterator<Item = &Descriptor> {
        self.manifests.iter().filter(|entry| {
            let kind = &entry.media_type;
            let usable = kind.is_image_manifest() || kind.is_index() || kind.is_schema1();
            (usable || kind.is_empty()) && !entry.is_attestation()
        })
    }

    fn no_platform(&self, wanted: &Platform) -> NoPlatform {
        let mut seen = BTreeSet::new();
        let stated = self.images().filter_map(|entry| entry.platform.as_ref());
        let available = stated.filter(|platform| seen.insert(*platform));
        NoPlatform {
            wanted: Box::new(wanted.clone()),
            available: available.cloned().collect(),
            is_empty: self.manifests.is_empty(),
        }
    }
}

/// Tells how well an entry serves a platform; `None` if not at all.
fn fit(entry: &Descriptor, wanted: &Platform) -> Option<Fit> {
    match &entry.platform {
        Some(platform) => wanted.fit(platform),
        None if entry.media_type.is_index() => Some(Fit::Unstated),
        None if is_other_artifact(entry) => None,
        None => wanted
            .is_satisfied_by(&Platform::default())
            .then_some(Fit::Unstated),
    }
}

/// An artifact's entry names its type, and has no use for a platform.
fn is_other_artifact(entry: &Descriptor) -> bool {
    let named = entry.artifact_type.as_deref();
    named.is_some_and(|kind| !MediaType::new(kind).is_image_config())
}

impl NoPlatform {
    /// Shows at most this many platforms, because an error ends up in one
    /// line of a build log.
    const SHOWN: usize = 32;

    /// Returns the platform that was asked for.
    pub fn wanted(&self) -> &Platform {
        &self.wanted
    }

    /// Returns the platforms there are, each once, in the index's order.
    pub fn available(&self) -> &[Platform] {
        &self.available
    }
}

impl fmt::Display for NoPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no image for {} in the index; it ", self.wanted)?;
        if self.available.is_empty() {
            let nothing = if self.is_empty {
                "is empty"
            } else {
                "names no platform"
            };
            return f.write_str(nothing);
        }
        let shown = self.available.iter().take(Self::SHOWN);
        let list: Vec<_> = shown.map(|it| printable_excerpt(&it.to_string())).collect();
        write!(f, "has {}", list.join(", "))?;
        match self.available.len() - list.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl error::Error for NoPlatform {}
