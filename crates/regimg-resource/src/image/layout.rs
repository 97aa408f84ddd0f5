//! OCI layouts, in directories and in archives: what is read is what is pushed, byte for
//! byte.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use regimg_core::{Descriptor, Digest, ImageManifest, Index, Manifest, MediaType, RawManifest};

use super::files::Files;
use super::{BASE_NAME, Blob, ImageError, JSON_LIMIT, StepDirectory};

const INDEX: &str = "index.json";

/// The file by which `in` says that the layout is of one image, and of which.
const SINGLE_IMAGE: &str = "single-image-digest";

/// The annotation by which tools name the images of a layout.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// What containerd's annotations begin with that say where a blob came from; the
/// registry's host follows, and the value is a list of its repositories.
const SOURCE: &str = "containerd.io/distribution.source.";

/// Bytes of one manifest: what registries take at least.
const MANIFEST_LIMIT: u64 = 4 << 20;

/// Bytes of all manifests together, which are held in memory until they are pushed.
const MANIFESTS_LIMIT: usize = 16 << 20;

/// Indexes within indexes that are followed.
const MAX_DEPTH: usize = 8;

/// Everything that a layout's image consists of.
#[derive(Debug)]
pub(crate) struct Layout {
    /// What tags will point at.
    pub(super) manifest: RawManifest,
    /// The manifests below it, children before parents.
    pub(super) children: Vec<RawManifest>,
    /// Configurations and layers, each once.
    pub(super) blobs: Vec<Blob>,
    /// Layers that must not be pushed.
    pub(super) foreign: Vec<Descriptor>,
}

/// Reads a layout. `fetched` is the digest of what `in` fetched it for.
pub(super) fn read(files: &Files<'_>, fetched: Option<&Digest>) -> Result<Layout, ImageError> {
    let mut walk = Walk {
        files,
        children: Vec::new(),
        blobs: Vec::new(),
        foreign: Vec::new(),
        seen: HashSet::new(),
        bytes: 0,
    };
    let manifest = match root(files, fetched)? {
        Root::Whole(index) => index,
        Root::Blob(descriptor) => walk.load(&descriptor)?,
    };
    walk.visit(&manifest, 0)?;
    Ok(Layout {
        manifest,
        children: walk.children,
        blobs: walk.blobs,
        foreign: walk.foreign,
    })
}

/// Reads the digest that `in` wrote beside a layout's directory.
pub(super) fn fetched(step: &StepDirectory, layout: &Path) -> Option<Digest> {
    let files = Files::Directory(step.clone(), layout.parent()?.to_owned());
    let digest = files.read("digest", 1024).ok()?;
    Digest::parse(std::str::from_utf8(&digest).ok()?.trim()).ok()
}

/// What is to be pushed of a layout.
enum Root {
    /// `index.json` itself.
    Whole(RawManifest),
    /// A manifest among the blobs.
    Blob(Descriptor),
}

fn root(files: &Files<'_>, fetched: Option<&Digest>) -> Result<Root, ImageError> {
    if files.contains(SINGLE_IMAGE) {
        return single_image(files).map(Root::Blob);
    }
    let raw = RawManifest::new(None, files.read(INDEX, JSON_LIMIT)?.into());
    let index = index(&raw)?;
    match index.manifests.as_slice() {
        [] => Err(ImageError::malformed(INDEX, "lists no image")),
        // Tools that write layouts list the image that they wrote. Only `in` has the index
        // that it fetched in this place, and that may have one entry.
        [lone] if fetched != Some(raw.digest()) => {
            if is_manifest(lone) {
                Ok(Root::Blob(lone.clone()))
            } else {
                let problem = format!("lists {:?}, which is no image", lone.media_type.as_str());
                Err(ImageError::malformed(INDEX, problem))
            }
        }
        [_] => Ok(Root::Whole(raw)),
        several => match names_of_several(several) {
            Some(names) => Err(ImageError::SeveralImages(names)),
            None => Ok(Root::Whole(raw)),
        },
    }
}

fn index(raw: &RawManifest) -> Result<Index, ImageError> {
    match raw.parse() {
        Ok(Manifest::Index(index)) => Ok(index),
        Ok(Manifest::Image(_)) => Err(ImageError::malformed(INDEX, "is the manifest of an image")),
        Err(error) => Err(ImageError::malformed(INDEX, error.to_string())),
    }
}

fn single_image(files: &Files<'_>) -> Result<Descriptor, ImageError> {
    let text = files.read(SINGLE_IMAGE, 1024)?;
    // Compat: the Go resource fails on a final newline.
    let text = String::from_utf8_lossy(&text);
    let digest = Digest::parse(text.trim())
        .map_err(|error| ImageError::malformed(SINGLE_IMAGE, error.to_string()))?;
    let listed = files
        .read(INDEX, JSON_LIMIT)
        .and_then(|bytes| index(&RawManifest::new(None, bytes.into())));
    let listed = listed.map(|index| index.manifests).unwrap_or_default();
    let mut listed = listed.into_iter();
    if let Some(descriptor) = listed.find(|entry| entry.digest == digest) {
        return Ok(descriptor);
    }
    let (_, length) = files.find(&blob_name(&digest))?;
    Ok(Descriptor::new(MediaType::default(), digest, length))
}

/// Names the images of a layout that holds different ones, which is no index for several
/// platforms but a store.
fn names_of_several(entries: &[Descriptor]) -> Option<Vec<String>> {
    if entries.iter().any(|entry| entry.platform.is_some()) {
        return None;
    }
    let named = entries
        .iter()
        .filter_map(|entry| Some((entry.annotations.get(REF_NAME)?, &entry.digest)));
    let named: BTreeMap<_, _> = named.collect();
    let digests: BTreeSet<_> = named.values().collect();
    (digests.len() > 1).then(|| named.into_keys().cloned().collect())
}

/// Follows manifests to everything that they refer to.
struct Walk<'a> {
    files: &'a Files<'a>,
    children: Vec<RawManifest>,
    blobs: Vec<Blob>,
    foreign: Vec<Descriptor>,
    seen: HashSet<Digest>,
    /// Bytes of the manifests so far.
    bytes: usize,
}

impl Walk<'_> {
    /// Reads a manifest among the blobs.
    fn load(&mut self, descriptor: &Descriptor) -> Result<RawManifest, ImageError> {
        let digest = &descriptor.digest;
        let name = blob_name(digest);
        let bytes = self.files.read(&name, MANIFEST_LIMIT)?;
        let problem = |problem: String| ImageError::malformed(&name, problem);
        if bytes.len() as u64 != descriptor.size {
            let problem = problem(format!(
                "has {} bytes, not the {} it should",
                bytes.len(),
                descriptor.size
            ));
            return Err(problem);
        }
        let media_type = Some(descriptor.media_type.clone()).filter(|kind| !kind.is_empty());
        self.bytes += bytes.len();
        if self.bytes > MANIFESTS_LIMIT {
            return Err(ImageError::TooManyManifests(self.children.len()));
        }
        RawManifest::verified(media_type, bytes.into(), digest)
            .map_err(|error| problem(error.to_string()))
    }

    /// Collects what a manifest refers to.
    fn visit(&mut self, manifest: &RawManifest, depth: usize) -> Result<(), ImageError> {
        let parsed = manifest
            .parse()
            .map_err(|error| ImageError::malformed(manifest.digest().as_str(), error.to_string()));
        match parsed? {
            Manifest::Image(image) => self.image(&image),
            Manifest::Index(index) => self.index(&index, depth),
        }
    }

    fn index(&mut self, index: &Index, depth: usize) -> Result<(), ImageError> {
        if depth == MAX_DEPTH {
            return Err(ImageError::TooDeep(MAX_DEPTH));
        }
        for entry in &index.manifests {
            if is_manifest(entry) {
                self.child(entry, depth + 1)?;
            } else {
                self.blob(entry, &index.annotations)?;
            }
        }
        Ok(())
    }

    fn child(&mut self, descriptor: &Descriptor, depth: usize) -> Result<(), ImageError> {
        if self.seen.insert(descriptor.digest.clone()) {
            let manifest = self.load(descriptor)?;
            self.visit(&manifest, depth)?;
            self.children.push(manifest);
        }
        Ok(())
    }

    fn image(&mut self, image: &ImageManifest) -> Result<(), ImageError> {
        self.blob(&image.config, &image.annotations)?;
        for layer in &image.layers {
            if layer.media_type.is_distributable() {
                self.blob(layer, &image.annotations)?;
            } else if self.seen.insert(layer.digest.clone()) {
                self.foreign.push(layer.clone());
            }
        }
        Ok(())
    }

    fn blob(
        &mut self,
        descriptor: &Descriptor,
        around: &BTreeMap<String, String>,
    ) -> Result<(), ImageError> {
        if !self.seen.insert(descriptor.digest.clone()) {
            return Ok(());
        }
        let (content, length) = self.files.find(&blob_name(&descriptor.digest))?;
        let blob = Blob::unverified(descriptor.clone(), content, length)?;
        let origins = origins(&descriptor.annotations).chain(origins(around));
        self.blobs.push(blob.with_origins(origins.collect()));
        Ok(())
    }
}

/// Says whether an index's entry is pushed as a manifest. Whatever else is listed is a
/// blob, as go-containerregistry takes it.
fn is_manifest(entry: &Descriptor) -> bool {
    let kind = &entry.media_type;
    kind.is_image_manifest() || kind.is_index() || kind.is_schema1() || kind.is_empty()
}

/// Lists the repositories that annotations say something comes from.
fn origins(annotations: &BTreeMap<String, String>) -> impl Iterator<Item = String> {
    annotations.iter().flat_map(|(key, value)| {
        let host = key.strip_prefix(SOURCE);
        let sources = host.into_iter().flat_map(|host| {
            let repositories = value.split(',').map(str::trim);
            repositories.map(move |repository| format!("{host}/{repository}"))
        });
        let base = (key == BASE_NAME).then(|| value.clone());
        sources.chain(base)
    })
}

fn blob_name(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

#[cfg(test)]
mod tests {
    use regimg_core::Algorithm;

    use super::*;

    #[test]
    fn annotations_name_repositories() {
        let annotations = [
            ("containerd.io/distribution.source.ghcr.io", "a/b, c"),
            (
                "org.opencontainers.image.base.name",
                "docker.io/library/debian:13",
            ),
            ("org.opencontainers.image.title", "ghcr.io/other"),
        ];
        let annotations = annotations
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        let found: Vec<_> = origins(&annotations).collect();
        assert_eq!(
            found,
            ["ghcr.io/a/b", "ghcr.io/c", "docker.io/library/debian:13"]
        );
        let digest = Digest::of(Algorithm::Sha512, b"");
        assert!(blob_name(&digest).starts_with("blobs/sha512/cf83e1357eef"));
    }
}
