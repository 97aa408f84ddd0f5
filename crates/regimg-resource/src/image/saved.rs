//! `manifest.json` of a docker archive, and the configuration it names.

use std::collections::{BTreeMap, HashMap};

use regimg_core::{Descriptor, Digest, ImageConfig};
use serde::Deserialize;

use super::files::Files;
use super::{ImageError, JSON_LIMIT};

/// The one image of a docker archive.
#[derive(Debug)]
pub(super) struct SavedImage {
    /// The configuration's bytes, which its digest is of.
    pub(super) raw_config: Vec<u8>,
    pub(super) config: ImageConfig,
    /// The names of the layers' files, lowest layer first.
    pub(super) layers: Vec<String>,
    /// Where layers are to be had that must not be pushed, by the digest of their content.
    pub(super) foreign: HashMap<Digest, Descriptor>,
}

/// An entry of `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Option<Vec<String>>,
    layer_sources: Option<BTreeMap<String, Descriptor>>,
}

impl SavedImage {
    /// Reads what an archive says about its image.
    pub(super) fn find(archive: &Files<'_>) -> Result<Self, ImageError> {
        let entry = only_entry(archive)?;
        let raw_config = archive.read(&entry.config, JSON_LIMIT)?;
        let config = ImageConfig::parse(&raw_config)
            .map_err(|error| ImageError::malformed(&entry.config, error.to_string()))?;
        let layers = entry.layers.unwrap_or_default();
        let described = config.rootfs.diff_ids.len();
        if layers.len() != described {
            let problem = format!(
                "describes {described} layers, manifest.json lists {}",
                layers.len()
            );
            return Err(ImageError::malformed(&entry.config, problem));
        }
        let sources = entry.layer_sources.unwrap_or_default().into_iter();
        let foreign = sources.filter(|(_, source)| source.media_type.is_foreign_layer());
        let foreign = foreign.filter_map(|(diff_id, source)| {
            let diff_id = Digest::parse(&diff_id).ok()?;
            Some((diff_id, source))
        });
        Ok(Self {
            raw_config,
            config,
            layers,
            foreign: foreign.collect(),
        })
    }

    /// Lists the repositories that may have the layers: the base image's.
    pub(super) fn origins(&self) -> Vec<String> {
        let labels = self.config.config.labels.as_ref();
        let base = labels.and_then(|labels| labels.get(super::BASE_NAME));
        base.cloned().into_iter().collect()
    }
}

fn only_entry(archive: &Files<'_>) -> Result<Entry, ImageError> {
    const NAME: &str = "manifest.json";
    let content = archive.read(NAME, JSON_LIMIT)?;
    let mut entries: Vec<Entry> = serde_json::from_slice(&content)
        .map_err(|error| ImageError::malformed(NAME, error.to_string()))?;
    if entries.len() > 1 {
        return Err(ImageError::SeveralImages(
            entries.into_iter().map(Entry::name).collect(),
        ));
    }
    entries
        .pop()
        .ok_or_else(|| ImageError::malformed(NAME, "lists no image"))
}

impl Entry {
    fn name(self) -> String {
        let tag = self.repo_tags.and_then(|tags| tags.into_iter().next());
        tag.unwrap_or(self.config)
    }
}
