//! Indexes: images for several platforms, attestations, indexes in indexes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::builder::Edit;
use super::{Artifact, Blob, Descriptor, Image, Platform};
use crate::Digest;

/// An index with the manifests that it lists.
///
/// ```
/// use regimg_tests::{Artifact, Image, Index};
///
/// let amd64 = Image::with_text("for amd64");
/// let arm64 = Image::builder().platform("linux/arm64").build();
/// let index = Index::builder().image(&amd64).image(&arm64).attestation_for(&amd64).build();
/// assert_eq!(index.manifests().len(), 4);
/// ```
#[derive(Clone)]
pub struct Index {
    manifest: Blob,
    children: Vec<Arc<dyn Artifact + Send + Sync>>,
}

impl Index {
    /// Starts an OCI index without entries.
    pub fn builder() -> IndexBuilder {
        IndexBuilder::default()
    }
}

impl Artifact for Index {
    fn manifest(&self) -> &Blob {
        &self.manifest
    }

    fn manifests(&self) -> Vec<&Blob> {
        let children = self.children.iter().flat_map(|child| child.manifests());
        children.chain([&self.manifest]).collect()
    }

    fn blobs(&self) -> Vec<&Blob> {
        self.children
            .iter()
            .flat_map(|child| child.blobs())
            .collect()
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let children: Vec<Digest> = self.children.iter().map(|child| child.digest()).collect();
        formatter
            .debug_struct("Index")
            .field("manifest", &self.manifest)
            .field("children", &children)
            .finish()
    }
}

/// Collects the entries of an index.
#[derive(Default)]
pub struct IndexBuilder {
    docker: bool,
    entries: Vec<Descriptor>,
    children: Vec<Arc<dyn Artifact + Send + Sync>>,
    annotations: BTreeMap<String, String>,
    edits: Vec<Edit>,
}

impl IndexBuilder {
    /// Makes it a Docker manifest list.
    #[must_use]
    pub fn docker(mut self) -> Self {
        self.docker = true;
        self
    }

    /// Lists `image` with its platform.
    #[must_use]
    pub fn image(self, image: &Image) -> Self {
        let platform = Some(image.platform().clone());
        self.child(image.clone(), |entry| entry.platform = platform)
    }

    /// Lists `image` under another platform, or under none.
    #[must_use]
    pub fn image_for(self, image: &Image, platform: Option<Platform>) -> Self {
        self.child(image.clone(), |entry| entry.platform = platform)
    }

    /// Lists an index, without a platform.
    #[must_use]
    pub fn index(self, index: &Index) -> Self {
        self.child(index.clone(), |_| {})
    }

    /// Lists what `BuildKit` adds for an image: an `unknown/unknown` manifest that refers to it.
    #[must_use]
    pub fn attestation_for(self, image: &Image) -> Self {
        let statement = json!({ "subject": image.digest() });
        let layer = Blob::json("application/vnd.in-toto+json", &statement);
        let attestation = Image::builder()
            .platform("unknown/unknown")
            .layer_blob(crate::Layer::new(), layer)
            .build();
        let digest = image.digest();
        self.child(attestation, |entry| {
            entry.platform = Some(Platform::parse("unknown/unknown"));
            let kind = (
                "vnd.docker.reference.type".into(),
                "attestation-manifest".into(),
            );
            let subject = ("vnd.docker.reference.digest".into(), digest.to_string());
            entry.annotations.extend([kind, subject]);
        })
    }

    /// Lists anything, after `edit` changed its descriptor.
    #[must_use]
    pub fn child(
        mut self,
        child: impl Artifact + Send + Sync + 'static,
        edit: impl FnOnce(&mut Descriptor),
    ) -> Self {
        let mut entry = child.manifest().descriptor().clone();
        edit(&mut entry);
        self.entries.push(entry);
        self.children.push(Arc::new(child));
        self
    }

    /// Lists a descriptor whose manifest is nowhere.
    #[must_use]
    pub fn missing(mut self, entry: Descriptor) -> Self {
        self.entries.push(entry);
        self
    }

    /// Adds an annotation to the index itself.
    #[must_use]
    pub fn annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Changes the index's JSON before it is hashed.
    #[must_use]
    pub fn edit(mut self, edit: impl FnOnce(&mut Value) + 'static) -> Self {
        self.edits.push(Box::new(edit));
        self
    }

    /// Computes the index.
    pub fn build(self) -> Index {
        let media_type = if self.docker {
            "application/vnd.docker.distribution.manifest.list.v2+json"
        } else {
            "application/vnd.oci.image.index.v1+json"
        };
        let mut json = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "manifests": self.entries,
        });
        if !self.annotations.is_empty() {
            json["annotations"] = json!(self.annotations);
        }
        self.edits.into_iter().for_each(|edit| edit(&mut json));
        Index {
            manifest: Blob::json(media_type, &json),
            children: self.children,
        }
    }
}

impl std::fmt::Debug for IndexBuilder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("IndexBuilder")
            .field("entries", &self.entries)
            .finish_non_exhaustive()
    }
}
