//! Builds one image step by step.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Blob, Compression, Image, ImageLayer, Layer, Platform};

/// Changes JSON before it is hashed.
pub(super) type Edit = Box<dyn FnOnce(&mut Value)>;

/// Collects what an image is made of; [`ImageBuilder::build`] computes the digests.
pub struct ImageBuilder {
    docker: bool,
    layers: Vec<ImageLayer>,
    platform: Platform,
    container: Map<String, Value>,
    labels: BTreeMap<String, String>,
    created: Option<String>,
    annotations: BTreeMap<String, String>,
    config_edits: Vec<Edit>,
    manifest_edits: Vec<Edit>,
}

impl Default for ImageBuilder {
    fn default() -> Self {
        Self {
            docker: false,
            layers: Vec::new(),
            platform: Platform::parse("linux/amd64"),
            container: Map::new(),
            labels: BTreeMap::new(),
            created: Some("2020-01-01T00:00:00Z".to_owned()),
            annotations: BTreeMap::new(),
            config_edits: Vec::new(),
            manifest_edits: Vec::new(),
        }
    }
}

impl ImageBuilder {
    /// Uses Docker's media types for everything, also for layers that were added before.
    #[must_use]
    pub fn docker(mut self) -> Self {
        self.docker = true;
        self
    }

    /// Adds a layer compressed by gzip.
    #[must_use]
    pub fn layer(self, layer: Layer) -> Self {
        self.layer_with(layer, Compression::Gzip)
    }

    /// Adds a layer compressed as said, with the media type that belongs to it.
    #[must_use]
    pub fn layer_with(self, layer: Layer, compression: Compression) -> Self {
        let blob = Blob::new(compression.media_type(false), layer.compressed(compression));
        self.push(layer, blob, false)
    }

    /// Adds a layer with a media type of the test's choice, which may not fit the compression.
    #[must_use]
    pub fn layer_as(self, layer: Layer, compression: Compression, media_type: &str) -> Self {
        let blob = Blob::new(media_type, layer.compressed(compression));
        self.push(layer, blob, false)
    }

    /// Adds a layer whose stored form is `blob`, whatever it holds: a SHA-512 digest, a wrong one, other bytes.
    #[must_use]
    pub fn layer_blob(self, layer: Layer, blob: Blob) -> Self {
        self.push(layer, blob, false)
    }

    /// Adds a non-distributable layer that is to be fetched from `urls` and is not published.
    #[must_use]
    pub fn foreign_layer(self, layer: Layer, urls: &[&str]) -> Self {
        let media_type = if self.docker {
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
        } else {
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
        };
        let mut blob = Blob::new(media_type, layer.compressed(Compression::Gzip));
        blob.descriptor_mut().urls = urls.iter().map(|&url| url.to_owned()).collect();
        self.push(layer, blob, true)
    }

    fn push(mut self, archive: Layer, blob: Blob, foreign: bool) -> Self {
        self.layers.push(ImageLayer {
            archive,
            blob,
            foreign,
        });
        self
    }

    /// Sets the platform from `os/architecture[/variant]`.
    #[must_use]
    #[track_caller]
    pub fn platform(mut self, platform: &str) -> Self {
        self.platform = Platform::parse(platform);
        self
    }

    /// Adds an environment entry, `NAME=VALUE`.
    #[must_use]
    pub fn env(mut self, entry: &str) -> Self {
        match self.container.entry("Env").or_insert_with(|| json!([])) {
            Value::Array(entries) => entries.push(entry.into()),
            other => *other = json!([entry]),
        }
        self
    }

    /// Sets `Cmd`.
    #[must_use]
    pub fn cmd<'a>(self, words: impl IntoIterator<Item = &'a str>) -> Self {
        let words: Vec<&str> = words.into_iter().collect();
        self.container("Cmd", json!(words))
    }

    /// Sets `Entrypoint`.
    #[must_use]
    pub fn entrypoint<'a>(self, words: impl IntoIterator<Item = &'a str>) -> Self {
        let words: Vec<&str> = words.into_iter().collect();
        self.container("Entrypoint", json!(words))
    }

    /// Sets `User`.
    #[must_use]
    pub fn user(self, user: &str) -> Self {
        self.container("User", json!(user))
    }

    /// Sets `WorkingDir`.
    #[must_use]
    pub fn working_dir(self, directory: &str) -> Self {
        self.container("WorkingDir", json!(directory))
    }

    /// Sets any field of the configuration's `config` object.
    #[must_use]
    pub fn container(mut self, field: &str, value: Value) -> Self {
        self.container.insert(field.to_owned(), value);
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets the time of creation, RFC 3339; an empty text leaves the field out.
    #[must_use]
    pub fn created(mut self, time: &str) -> Self {
        self.created = (!time.is_empty()).then(|| time.to_owned());
        self
    }

    /// Adds an annotation to the manifest.
    #[must_use]
    pub fn annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Changes the configuration's JSON before it is hashed.
    #[must_use]
    pub fn edit_config(mut self, edit: impl FnOnce(&mut Value) + 'static) -> Self {
        self.config_edits.push(Box::new(edit));
        self
    }

    /// Changes the manifest's JSON before it is hashed.
    #[must_use]
    pub fn edit_manifest(mut self, edit: impl FnOnce(&mut Value) + 'static) -> Self {
        self.manifest_edits.push(Box::new(edit));
        self
    }

    /// Computes configuration and manifest.
    pub fn build(mut self) -> Image {
        if self.docker {
            self.layers.iter_mut().for_each(use_docker_type);
        }
        let (manifest_type, config_type) = if self.docker {
            (
                "application/vnd.docker.distribution.manifest.v2+json",
                "application/vnd.docker.container.image.v1+json",
            )
        } else {
            (
                "application/vnd.oci.image.manifest.v1+json",
                "application/vnd.oci.image.config.v1+json",
            )
        };
        let mut config = self.config_json();
        self.config_edits
            .into_iter()
            .for_each(|edit| edit(&mut config));
        let config = Blob::json(config_type, &config);
        let layers: Vec<_> = self
            .layers
            .iter()
            .map(|layer| layer.blob.descriptor())
            .collect();
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": manifest_type,
            "config": config.descriptor(),
            "layers": layers,
        });
        if !self.annotations.is_empty() {
            manifest["annotations"] = json!(self.annotations);
        }
        self.manifest_edits
            .into_iter()
            .for_each(|edit| edit(&mut manifest));
        let manifest = Blob::json(manifest_type, &manifest);
        Image {
            manifest,
            config,
            layers: self.layers,
            platform: self.platform,
        }
    }

    fn config_json(&self) -> Value {
        let diff_ids: Vec<_> = self
            .layers
            .iter()
            .map(|layer| layer.archive.diff_id())
            .collect();
        let history: Vec<_> = (0..diff_ids.len())
            .map(|at| json!({ "created_by": format!("layer {at}") }))
            .collect();
        let mut container = self.container.clone();
        if !self.labels.is_empty() {
            container.insert("Labels".to_owned(), json!(self.labels));
        }
        let mut config = json!(self.platform);
        if let Some(created) = &self.created {
            config["created"] = json!(created);
        }
        config["config"] = Value::Object(container);
        config["rootfs"] = json!({ "type": "layers", "diff_ids": diff_ids });
        config["history"] = json!(history);
        config
    }
}

impl std::fmt::Debug for ImageBuilder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ImageBuilder")
            .field("docker", &self.docker)
            .field("layers", &self.layers.len())
            .field("platform", &self.platform)
            .finish_non_exhaustive()
    }
}

/// Renames the OCI types that the builder chose itself; a type of the test's choice stays.
fn use_docker_type(layer: &mut ImageLayer) {
    let chosen = [Compression::None, Compression::Gzip, Compression::Zstd]
        .into_iter()
        .find(|compression| compression.media_type(false) == layer.blob.media_type());
    if let Some(compression) = chosen {
        compression
            .media_type(true)
            .clone_into(&mut layer.blob.descriptor_mut().media_type);
    }
}
