//! `manifest.json` of a docker archive, and the configuration it names.

use regimg_core::ImageConfig;
use serde::Deserialize;

use super::ImageError;
use super::archive::Archive;

/// The files that are read whole are pages of JSON.
const JSON_LIMIT: u64 = 16 * 1024 * 1024;

/// The one image of a docker archive.
#[derive(Debug)]
pub(super) struct SavedImage {
    /// The configuration's bytes, which its digest is of.
    pub(super) raw_config: Vec<u8>,
    pub(super) config: ImageConfig,
    /// The names of the layers' files, lowest layer first.
    pub(super) layers: Vec<String>,
}

/// An entry of `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    layers: Option<Vec<String>>,
    layer_sources: Option<serde_json::Map<String, serde_json::Value>>,
}

impl SavedImage {
    /// Reads what an archive says about its image.
    pub(super) fn find(archive: &Archive) -> Result<Self, ImageError> {
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
        Ok(Self {
            raw_config,
            config,
            layers,
        })
    }
}

fn only_entry(archive: &Archive) -> Result<Entry, ImageError> {
    const NAME: &str = "manifest.json";
    if !archive.contains(NAME) && archive.contains("index.json") {
        return Err(ImageError::OciArchive);
    }
    let content = archive.read(NAME, JSON_LIMIT)?;
    let mut entries: Vec<Entry> = serde_json::from_slice(&content)
        .map_err(|error| ImageError::malformed(NAME, error.to_string()))?;
    match (entries.pop(), entries.len()) {
        (None, _) => Err(ImageError::malformed(NAME, "lists no image")),
        (Some(_), others @ 1..) => Err(ImageError::SeveralImages(others + 1)),
        (Some(entry), 0)
            if entry
                .layer_sources
                .as_ref()
                .is_some_and(|sources| !sources.is_empty()) =>
        {
            Err(ImageError::malformed(
                NAME,
                "LayerSources (foreign layers) is not supported by this version of regimg",
            ))
        }
        (Some(entry), 0) => Ok(entry),
    }
}
