//! What an image says about itself: labels, annotations, configuration.

use std::collections::BTreeMap;

use bytes::Bytes;
use regimg_core::{ImageConfig, ImageManifest, Manifest, Platform, RawManifest};
use regimg_registry::{ErrorKind, RepositoryClient};
use regimg_select::Pattern;

use crate::error::{During, Error};
use crate::protocol::{MetadataField, Source};
use crate::remote;

/// What an image, and the index that it is in, say about it.
#[derive(Debug, Default)]
pub(super) struct Description {
    /// Those of the index, and over them those of the image.
    pub(super) annotations: BTreeMap<String, String>,
    /// None where an index has no image for the platform, which only matters to who wants
    /// its files.
    pub(super) image: Option<Documents>,
}

/// The documents of one image.
#[derive(Debug)]
pub(super) struct Documents {
    pub(super) manifest: RawManifest,
    pub(super) raw_config: Bytes,
    pub(super) config: ImageConfig,
}

impl Description {
    /// Describes an image that is there as a whole.
    pub(super) fn of(annotations: BTreeMap<String, String>, image: Option<Documents>) -> Self {
        let mut description = Self { annotations, image };
        if let Some(Documents { manifest, .. }) = &description.image {
            let own = own_annotations(manifest);
            description.annotations.extend(own);
        }
        description
    }

    pub(super) fn config(&self) -> Option<&ImageConfig> {
        self.image.as_ref().map(|image| &image.config)
    }

    pub(super) fn labels(&self) -> Option<&BTreeMap<String, String>> {
        self.config()?.config.labels.as_ref()
    }
}

/// Returns the annotations that a manifest, of an image or an index, gives itself.
pub(super) fn own_annotations(manifest: &RawManifest) -> BTreeMap<String, String> {
    match manifest.parse() {
        Ok(Manifest::Image(image)) => image.annotations,
        Ok(Manifest::Index(index)) => index.annotations,
        Err(_) => BTreeMap::new(),
    }
}

/// Reads a manifest that must be an image's.
pub(super) fn image_manifest(manifest: &RawManifest) -> Result<ImageManifest, Error> {
    match manifest.parse().during("read manifest")? {
        Manifest::Image(image) => Ok(image),
        // The client answers an image or an error; a registry cannot choose.
        Manifest::Index(_) => Err(Error::Field {
            field: "manifest",
            problem: "is an index".to_owned(),
        }),
    }
}

/// Which labels and annotations are shown beside the version.
#[derive(Debug)]
pub(super) struct Shown {
    labels: Option<Pattern>,
    annotations: Option<Pattern>,
}

impl Shown {
    /// Reads the source's patterns.
    ///
    /// # Errors
    ///
    /// A pattern that is none.
    pub(super) fn of(source: &Source) -> Result<Self, Error> {
        let shown = || {
            Ok(Self {
                labels: pattern(&source.label_regex, "invalid label_regex")?,
                annotations: pattern(&source.annotation_regex, "invalid annotation_regex")?,
            })
        };
        shown().map_err(|error: Error| Error::During {
            phase: "enriching metadata failed".into(),
            source: error.into(),
        })
    }

    /// Says whether anything is shown, for which the image must be asked.
    pub(super) fn is_something(&self) -> bool {
        self.labels.is_some() || self.annotations.is_some()
    }

    /// Lists what is shown: labels, then annotations, each sorted by its key.
    pub(super) fn fields(&self, description: &Description) -> Vec<MetadataField> {
        let none = BTreeMap::new();
        let labels = matching(self.labels.as_ref(), description.labels().unwrap_or(&none));
        let annotations = matching(self.annotations.as_ref(), &description.annotations);
        labels.chain(annotations).collect()
    }

    /// Asks the registry for as much as is shown.
    ///
    /// # Errors
    ///
    /// A document that cannot be had or read.
    pub(super) async fn ask(
        &self,
        repository: &RepositoryClient,
        top: RawManifest,
        platform: &Platform,
    ) -> Result<Description, Error> {
        let annotations = own_annotations(&top);
        let manifest = match repository.image_in(top, platform).await {
            Ok(manifest) => manifest,
            Err(error) if error.kind() == ErrorKind::NoPlatform => {
                return Ok(Description::of(annotations, None));
            }
            Err(error) => return Err(error).during("fetching image"),
        };
        let image = image_manifest(&manifest)?;
        let (raw_config, config) = if self.labels.is_some() {
            let config = remote::config(repository, &image.config).await;
            config.during("inspect image config")?
        } else {
            (Bytes::new(), ImageConfig::default())
        };
        let documents = Documents {
            manifest,
            raw_config,
            config,
        };
        Ok(Description::of(annotations, Some(documents)))
    }
}

fn pattern(text: &str, phase: &'static str) -> Result<Option<Pattern>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    Pattern::parse(text).during(phase).map(Some)
}

fn matching<'a>(
    pattern: Option<&'a Pattern>,
    values: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = MetadataField> + use<'a> {
    let values = pattern.map(|pattern| {
        let matching = values.iter().filter(|(key, _)| pattern.is_match(key));
        matching.map(|(key, value)| MetadataField::new(key, value))
    });
    values.into_iter().flatten()
}
