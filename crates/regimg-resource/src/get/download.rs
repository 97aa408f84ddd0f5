//! An image's layers, downloading side by side.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use regimg_core::{Descriptor, Digest};
use regimg_registry::RepositoryClient;
use tokio::task::{JoinHandle, JoinSet};
use tracing::instrument::WithSubscriber;

use crate::error::{During, Error};
use crate::report::{Bar, Reporter};
use crate::spool::{Spool, SpoolReader, SpoolWriter};

/// The downloads of one image. Dropping it ends them, and with them every reader.
#[derive(Debug)]
pub(super) struct Downloads {
    tasks: JoinSet<Result<(), Error>>,
    blobs: BTreeMap<Digest, Blob>,
}

#[derive(Debug)]
struct Blob {
    spool: Arc<Spool>,
    bar: Bar,
}

impl Downloads {
    /// Starts one download for each different blob, in the order in which they will be
    /// read; how many run at once is the client's business.
    pub(super) fn start(
        repository: &RepositoryClient,
        blobs: &[Descriptor],
        directory: &Path,
        report: &Reporter,
    ) -> io::Result<Self> {
        let mut downloads = Self {
            tasks: JoinSet::new(),
            blobs: BTreeMap::new(),
        };
        for descriptor in blobs {
            if downloads.blobs.contains_key(&descriptor.digest) {
                continue;
            }
            let (writer, spool) = Spool::create(descriptor.size, directory)?;
            let bar = report.bar(descriptor);
            bar.say("waiting");
            let task = fetch(repository.clone(), descriptor.clone(), writer, bar.clone());
            downloads.tasks.spawn(task.with_current_subscriber());
            downloads
                .blobs
                .insert(descriptor.digest.clone(), Blob { spool, bar });
        }
        Ok(downloads)
    }

    /// Opens a blob that was named at the start, to be read while it arrives.
    pub(super) fn reader(&self, descriptor: &Descriptor) -> SpoolReader {
        self.blobs[&descriptor.digest].spool.reader()
    }

    /// Returns the bar of a blob that was named at the start.
    pub(super) fn bar(&self, descriptor: &Descriptor) -> Bar {
        self.blobs[&descriptor.digest].bar.clone()
    }

    /// Waits for blocking work that reads the blobs. Ends it early when a download
    /// fails, and then reports the download's error: that the work got no further is
    /// no news.
    pub(super) async fn feed(
        mut self,
        mut work: JoinHandle<Result<(), Error>>,
    ) -> Result<(), Error> {
        loop {
            tokio::select! {
                biased;
                Some(finished) = self.tasks.join_next() => finished.during("downloading a layer")??,
                outcome = &mut work => {
                    let Err(error) = outcome.during("writing the layers")? else { return Ok(()) };
                    return Err(self.failure().await.unwrap_or(error));
                }
            }
        }
    }

    /// Finds the download that failed, if one did. Its task may still be on its way
    /// out when a reader has already noticed.
    async fn failure(&mut self) -> Option<Error> {
        if !self.blobs.values().any(|blob| blob.spool.is_given_up()) {
            return None;
        }
        while let Some(finished) = self.tasks.join_next().await {
            if let Ok(Err(error)) = finished {
                return Some(error);
            }
        }
        None
    }
}

impl Drop for Downloads {
    fn drop(&mut self) {
        for blob in self.blobs.values() {
            blob.spool.abandon();
        }
    }
}

/// Downloads one blob into its spool. The client verifies as it goes: it reports the
/// end only after the last byte and the digest were right.
async fn fetch(
    repository: RepositoryClient,
    descriptor: Descriptor,
    mut writer: SpoolWriter,
    bar: Bar,
) -> Result<(), Error> {
    let phase = || format!("layer {}", descriptor.digest);
    let mut blob = repository.open_blob(&descriptor).await.during(phase())?;
    bar.say("downloading");
    while let Some(chunk) = blob.next().await.during(phase())? {
        writer.append(&chunk).during(phase())?;
        bar.advance(chunk.len() as u64);
    }
    bar.say("downloaded");
    writer.complete();
    Ok(())
}
