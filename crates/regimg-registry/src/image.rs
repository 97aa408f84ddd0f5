//! From a name to the image for one platform.

use std::collections::HashSet;

use regimg_core::{
    Descriptor, Identifier, Index, Manifest, ParseManifestErrorKind, Platform, RawManifest,
};

use crate::{Error, ErrorKind, RepositoryClient};

/// Indexes within indexes that are followed.
const MAX_DEPTH: usize = 8;

/// Manifests that are opened on the way to one image.
const MAX_OPENED: usize = 64;

impl RepositoryClient {
    /// Fetches the manifest of one image, walking from an index to the image for `platform`, over
    /// indexes within indexes if need be, the most fitting first. An image that is in no index is
    /// taken as it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoPlatform`] when there is nothing for the platform; its source lists what
    /// there is. [`ErrorKind::Unsupported`] for Docker's first schema.
    pub async fn image(
        &self,
        identifier: &Identifier,
        platform: &Platform,
    ) -> Result<RawManifest, Error> {
        let image = async {
            let manifest = self.fetch_manifest(identifier).await?;
            self.walk(manifest, platform).await
        };
        self.session().in_time(image).await
    }

    /// Walks from a manifest that was fetched before to the manifest of the image for
    /// `platform`, as [`image`](Self::image) does.
    ///
    /// # Errors
    ///
    /// Those of [`image`](Self::image).
    pub async fn image_in(
        &self,
        manifest: RawManifest,
        platform: &Platform,
    ) -> Result<RawManifest, Error> {
        self.session().in_time(self.walk(manifest, platform)).await
    }

    async fn walk(
        &self,
        mut manifest: RawManifest,
        platform: &Platform,
    ) -> Result<RawManifest, Error> {
        let mut unfit = Vec::new();
        let mut waiting: Vec<(usize, Descriptor)> = Vec::new();
        let mut depth = 0;
        for _ in 0..MAX_OPENED {
            let index = match self.parse(&manifest)? {
                Manifest::Image(_) => return Ok(manifest),
                Manifest::Index(index) => index,
            };
            depth += 1;
            let candidates = index.candidates(platform);
            // By their place in the index, since a hostile one has tens of thousands of entries.
            let place = |entry: &Descriptor| std::ptr::from_ref(entry).addr();
            let fit: HashSet<usize> = candidates.iter().map(|entry| place(entry)).collect();
            unfit.extend(
                index
                    .images()
                    .filter(|entry| !fit.contains(&place(entry)))
                    .cloned(),
            );
            waiting.extend(
                candidates
                    .into_iter()
                    .rev()
                    .map(|entry| (depth, entry.clone())),
            );
            let Some((level, next)) = waiting.pop() else {
                return Err(self.no_platform(platform, unfit));
            };
            depth = level;
            if depth > MAX_DEPTH {
                let what = format!("has more than {MAX_DEPTH} indexes within indexes");
                return Err(self.unusable(ErrorKind::NoPlatform, &what));
            }
            let identifier = Identifier::Digest(next.digest);
            manifest = self.fetch_manifest(&identifier).await?;
        }
        let what = format!("has no image for {platform} among its first {MAX_OPENED} manifests");
        Err(self.unusable(ErrorKind::NoPlatform, &what))
    }

    /// Lists everything that was seen on the way, as if it had stood in one index.
    fn no_platform(&self, platform: &Platform, unfit: Vec<Descriptor>) -> Error {
        let error = self.unusable(ErrorKind::NoPlatform, "cannot be used here");
        match Index::new(unfit).select(platform) {
            Ok(_) => error,
            Err(list) => error.with_source(list),
        }
    }

    fn parse(&self, manifest: &RawManifest) -> Result<Manifest, Error> {
        manifest.parse().map_err(|error| {
            let kind = match error.kind() {
                ParseManifestErrorKind::Schema1 | ParseManifestErrorKind::Unknown => {
                    ErrorKind::Unsupported
                }
                _ => ErrorKind::Protocol,
            };
            self.unusable(kind, "has a manifest that cannot be used")
                .with_source(error)
        })
    }

    fn unusable(&self, kind: ErrorKind, what: &str) -> Error {
        Error::new(kind, format!("{} {what}", self.repository()))
    }
}
