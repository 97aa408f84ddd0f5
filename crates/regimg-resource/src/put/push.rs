//! The pushing itself: blobs, manifests, tags, in this order.

use std::io;
use std::sync::Once;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{self, BoxFuture};
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use regimg_core::{Descriptor, Digest, Identifier, RawManifest};
use regimg_registry::{BlobOutcome, BlobSource, ErrorKind, ManifestOutcome, RepositoryClient};
use regimg_select::PushTags;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::mount::Mounts;
use crate::error::{During, Error};
use crate::image::{Blob, Compression, Image, Ready};
use crate::report::{self, Bar, Reporter, Severity};
use crate::resolve::Settings;

/// Blobs and manifests under way at one time. How many bytes are is the client's business;
/// most blobs of most pushes are only asked for.
const AT_ONCE: usize = 16;

/// How often a registry is asked whether it knows what it has taken.
const KNOWN_TRIES: u32 = 6;

/// The first wait between two such questions; each is twice the one before.
const KNOWN_WAIT: Duration = Duration::from_millis(500);

/// The phase that all failures of a push are told under.
const PHASE: &str = "pushing image failed: pushing tag(s)";

/// A push into one repository.
pub(super) struct Push<'a> {
    pub(super) repository: &'a RepositoryClient,
    pub(super) mounts: &'a Mounts,
    pub(super) report: &'a Reporter,
    /// The tags, for people.
    pub(super) names: String,
    pub(super) begun: Once,
}

/// What became of the blobs.
#[derive(Debug, Default)]
struct Tally {
    existed: usize,
    mounted: usize,
    pushed: usize,
    bytes: u64,
}

impl Push<'_> {
    /// Pushes everything but what tags will point at: blobs, as they become ready, and the
    /// manifests below that one, which it returns.
    ///
    /// Nothing that has a name is changed by this.
    pub(super) async fn content(
        &self,
        image: Image,
        compression: Compression,
        loading: &str,
    ) -> Result<RawManifest, Error> {
        let (sender, blobs) = unbounded_channel();
        let ready = Ready::new(sender, self.report.clone());
        let work = tokio::task::spawn_blocking(move || image.prepare(compression, &ready));
        let preparing = async {
            let prepared = work.await.during(loading.to_owned())?;
            prepared.during(loading.to_owned())
        };
        let uploading = async { self.blobs(blobs).await.during(PHASE) };
        let (prepared, tally) = future::try_join(preparing, uploading).await?;
        // What comes from here on is about the whole image, and belongs below the bars.
        self.report.finish();
        for layer in &prepared.foreign {
            self.report.info(&format!(
                "not pushed: {}, a layer that is to be had from {}",
                layer.digest,
                layer.urls.first().map_or("elsewhere", String::as_str)
            ));
        }
        self.report.info(&tally.to_string());
        self.children(&prepared.children).await.during(PHASE)?;
        Ok(prepared.manifest)
    }

    /// Says, once, that the push begins: before anything is sent, and after all that was found
    /// wrong with the image until then.
    fn begin(&self) {
        let say = || self.report.info(&format!("pushing tag(s) {}", self.names));
        self.begun.call_once(say);
    }

    async fn blobs(&self, blobs: UnboundedReceiver<Blob>) -> Result<Tally, Error> {
        let blobs = stream::unfold(blobs, |mut blobs| async {
            blobs.recv().await.map(|blob| (blob, blobs))
        });
        let outcomes = blobs.map(|blob| self.blob(blob)).buffer_unordered(AT_ONCE);
        let add = |tally, outcome| future::ok(Tally::add(tally, outcome));
        outcomes.try_fold(Tally::default(), add).await
    }

    async fn blob(&self, blob: Blob) -> Result<BlobOutcome, Error> {
        self.begin();
        let digest = &blob.descriptor().digest;
        let bar = self.report.bar(blob.descriptor());
        let from = self.mounts.of_blob(&blob);
        let watched = Watched {
            blob: &blob,
            bar: bar.clone(),
        };
        let pushing = self.repository.push_blob(&watched, &from);
        let outcome = bar.clone().around(pushing).await.map_err(|error| {
            // That error names the blob itself, and is not the registry's.
            let phase = match error.kind() {
                ErrorKind::Source => "reading the image".to_owned(),
                _ => format!("blob {digest}"),
            };
            Error::During {
                phase: phase.into(),
                source: error.into(),
            }
        })?;
        let (line, end) = match outcome {
            BlobOutcome::Existed => ("existing blob", "existed"),
            BlobOutcome::Mounted => ("mounted blob", "mounted"),
            BlobOutcome::Uploaded { .. } => ("pushed blob", "pushed"),
        };
        bar.set_position(blob.descriptor().size);
        bar.done(end);
        self.debug(&format!("{line}: {digest}"));
        Ok(outcome)
    }

    /// Pushes the manifests below the last one: those of images side by side, then the
    /// indexes of them in their order.
    async fn children(&self, children: &[RawManifest]) -> Result<(), Error> {
        let (indexes, images): (Vec<_>, Vec<_>) = children
            .iter()
            .partition(|manifest| manifest.media_type().is_index());
        stream::iter(images)
            .map(|manifest| self.child(manifest))
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        for manifest in indexes {
            self.child(manifest).await?;
        }
        Ok(())
    }

    async fn child(&self, manifest: &RawManifest) -> Result<(), Error> {
        self.begin();
        let digest = manifest.digest();
        let identifier = Identifier::Digest(digest.clone());
        let pushing = self.repository.push_manifest(&identifier, manifest);
        match pushing.await.during(format!("manifest {digest}"))? {
            ManifestOutcome::Existed => self.debug(&format!("existing manifest: {digest}")),
            ManifestOutcome::Pushed => self.debug(&format!("pushed manifest: {digest}")),
        }
        Ok(())
    }

    /// Pushes the manifest under each tag.
    pub(super) async fn tags(&self, manifest: &RawManifest, tags: &PushTags) -> Result<(), Error> {
        self.begin();
        let (digest, size) = (manifest.digest(), manifest.bytes().len());
        for tag in tags.in_push_order() {
            let identifier = Identifier::Tag(tag.clone());
            let pushing = self.repository.push_manifest(&identifier, manifest);
            let outcome = pushing.await.during(format!("tag {tag}")).during(PHASE)?;
            self.report.info(&match outcome {
                ManifestOutcome::Existed => format!("existing manifest: {tag}@{digest}"),
                ManifestOutcome::Pushed => {
                    let name = self.repository.repository();
                    format!("{name}:{tag}: digest: {digest} size: {size}")
                }
            });
        }
        Ok(())
    }

    /// Waits a while for a registry that takes its time to know what it has taken: the
    /// next `get` asks for it by its digest.
    pub(super) async fn wait_until_known(&self, digest: &Digest, settings: &Settings) {
        let identifier = Identifier::Digest(digest.clone());
        let mut wait = settings.wait(KNOWN_WAIT);
        for attempt in 1..=KNOWN_TRIES {
            match self.repository.digest(&identifier).await {
                Ok(Some(_)) => return,
                Ok(None) if attempt < KNOWN_TRIES => {
                    self.debug(&format!("the registry does not know {digest} yet"));
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                Ok(None) => {}
                // Who may push may not always read.
                Err(error) => return self.debug(&format!("looking for {digest}: {error}")),
            }
        }
        self.report.warn(&format!(
            "{} took {digest} but does not know it yet: a get of it may fail for a while",
            self.repository.repository().registry()
        ));
    }

    fn debug(&self, message: &str) {
        self.report.log(Severity::Debug, message);
    }
}

impl Tally {
    fn add(mut self, outcome: BlobOutcome) -> Self {
        match outcome {
            BlobOutcome::Existed => self.existed += 1,
            BlobOutcome::Mounted => self.mounted += 1,
            BlobOutcome::Uploaded { bytes } => {
                self.pushed += 1;
                self.bytes += bytes;
            }
        }
        self
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            existed,
            mounted,
            pushed,
            bytes,
        } = self;
        write!(
            f,
            "blobs: {pushed} pushed ({}), {mounted} mounted, {existed} existed",
            report::bytes(*bytes)
        )
    }
}

/// A blob whose reading moves a bar. An upload that starts again moves it back.
struct Watched<'a> {
    blob: &'a Blob,
    bar: Bar,
}

impl BlobSource for Watched<'_> {
    fn descriptor(&self) -> &Descriptor {
        self.blob.descriptor()
    }

    fn open(
        &self,
        offset: u64,
    ) -> BoxFuture<'_, io::Result<BoxStream<'static, io::Result<Bytes>>>> {
        let bar = self.bar.clone();
        Box::pin(async move {
            bar.set_position(offset);
            bar.say("pushing");
            let chunks = self.blob.open(offset).await?;
            Ok(chunks
                .inspect_ok(move |chunk| bar.advance(chunk.len() as u64))
                .boxed())
        })
    }
}
