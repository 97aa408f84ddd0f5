//! Pushing whole images and indexes: blobs, then manifests from the inside out, then tags.

use std::collections::{HashMap, HashSet};
use std::fmt;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use regimg_core::{Digest, Identifier, RawManifest, Repository, Tag};

use crate::{BlobOutcome, BlobSource, Error, ErrorKind, ManifestOutcome, RepositoryClient};

/// Blobs and manifests that are worked on at one time; how many of them are under way is the
/// business of [`Config`](crate::Config)'s limits.
const WINDOW: usize = 32;

/// A manifest with everything that it refers to.
pub struct Artifact<'a> {
    /// The manifest, pushed by its exact bytes.
    pub manifest: RawManifest,
    /// Its configuration and layers. Foreign layers are left where they are.
    pub blobs: Vec<&'a dyn BlobSource>,
    /// The manifests that it lists, when it is an index.
    pub children: Vec<Artifact<'a>>,
}

/// What became of a push, in the order in which it was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pushed {
    /// Each different blob.
    pub blobs: Vec<(Digest, BlobOutcome)>,
    /// Each different manifest by its digest, then the tags.
    pub manifests: Vec<(Identifier, ManifestOutcome)>,
}

impl RepositoryClient {
    /// Pushes an image or index: every blob once and side by side, manifests after what they refer
    /// to, and when all that is there, the tags in their order. Without tags the manifest is pushed
    /// by its digest alone.
    ///
    /// Of `mount_from`, repositories of the same registry are asked to share blobs that they have.
    ///
    /// # Errors
    ///
    /// The first one; what was pushed before stays, and no tag points at anything incomplete.
    pub async fn push(
        &self,
        artifact: &Artifact<'_>,
        tags: &[Tag],
        mount_from: &[Repository],
    ) -> Result<Pushed, Error> {
        let mut pushed = Pushed {
            blobs: self.push_blobs(artifact, mount_from).await?,
            manifests: Vec::new(),
        };
        for level in levels(artifact) {
            pushed.manifests.extend(self.push_level(level).await?);
        }
        let root = &artifact.manifest;
        let by_digest = Identifier::Digest(root.digest().clone());
        let names = tags.iter().cloned().map(Identifier::Tag);
        let names: Vec<Identifier> = match tags.len() {
            0 => vec![by_digest],
            _ => names.collect(),
        };
        for name in names {
            let outcome = self.push_manifest(&name, root).await?;
            pushed.manifests.push((name, outcome));
        }
        Ok(pushed)
    }

    async fn push_blobs(
        &self,
        artifact: &Artifact<'_>,
        mount_from: &[Repository],
    ) -> Result<Vec<(Digest, BlobOutcome)>, Error> {
        let push = async |source: &dyn BlobSource| {
            let outcome = self.push_blob(source, mount_from).await?;
            Ok((source.descriptor().digest.clone(), outcome))
        };
        let mut waiting = Vec::new();
        collect_blobs(artifact, &mut HashMap::new(), &mut waiting)?;
        let pushes: Vec<_> = waiting.into_iter().map(push).collect();
        stream::iter(pushes).buffered(WINDOW).try_collect().await
    }

    async fn push_level(
        &self,
        level: Vec<&RawManifest>,
    ) -> Result<Vec<(Identifier, ManifestOutcome)>, Error> {
        let push = async |manifest: &RawManifest| {
            let name = Identifier::Digest(manifest.digest().clone());
            let outcome = self.push_manifest(&name, manifest).await?;
            Ok((name, outcome))
        };
        let pushes: Vec<_> = level.into_iter().map(push).collect();
        stream::iter(pushes).buffered(WINDOW).try_collect().await
    }
}

/// Gathers each different blob once. A digest with two sizes is a mistake of the caller's.
fn collect_blobs<'a>(
    artifact: &Artifact<'a>,
    sizes: &mut HashMap<Digest, u64>,
    blobs: &mut Vec<&'a dyn BlobSource>,
) -> Result<(), Error> {
    for child in &artifact.children {
        collect_blobs(child, sizes, blobs)?;
    }
    for &blob in &artifact.blobs {
        let descriptor = blob.descriptor();
        if !descriptor.media_type.is_distributable() {
            continue;
        }
        match sizes.insert(descriptor.digest.clone(), descriptor.size) {
            None => blobs.push(blob),
            Some(size) if size == descriptor.size => {}
            Some(_) => {
                let message = format!("blob {} is said to have two sizes", descriptor.digest);
                return Err(Error::new(ErrorKind::Source, message));
            }
        }
    }
    Ok(())
}

/// Returns the manifests below the root, each different one once, those that refer to no other
/// first.
fn levels<'t>(root: &'t Artifact<'_>) -> Vec<Vec<&'t RawManifest>> {
    let mut levels = Vec::new();
    let mut seen = HashSet::from([root.manifest.digest()]);
    for child in &root.children {
        sort_in(child, &mut seen, &mut levels);
    }
    levels
}

/// Returns how high the artifact stands over the deepest one below it.
fn sort_in<'t>(
    artifact: &'t Artifact<'_>,
    seen: &mut HashSet<&'t Digest>,
    levels: &mut Vec<Vec<&'t RawManifest>>,
) -> usize {
    let heights = artifact.children.iter();
    let height = heights.map(|child| sort_in(child, seen, levels) + 1).max();
    let height = height.unwrap_or(0);
    if seen.insert(artifact.manifest.digest()) {
        levels.resize_with(levels.len().max(height + 1), Vec::new);
        levels[height].push(&artifact.manifest);
    }
    height
}

impl fmt::Debug for Artifact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blobs = self.blobs.iter().map(|blob| &blob.descriptor().digest);
        f.debug_struct("Artifact")
            .field("digest", self.manifest.digest())
            .field("blobs", &blobs.collect::<Vec<_>>())
            .field("children", &self.children)
            .finish()
    }
}
