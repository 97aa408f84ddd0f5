//! An image's blobs, downloading side by side.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;

use regimg_core::Descriptor;
use regimg_registry::RepositoryClient;
use tokio::task::{JoinHandle, JoinSet};
use tracing::instrument::WithSubscriber;

use crate::error::{Cause, During, Error};
use crate::report::Bar;
use crate::spool::{Spool, SpoolWriter};

use super::staging::Staging;

/// Downloads that are prepared at one time. How many of them are under way is the client's
/// business; this bounds what the others cost in memory, and keeps their order.
const WINDOW: usize = 8;

/// A blob to download.
#[derive(Debug)]
pub(super) struct Transfer {
    /// What the blob is, for people.
    pub(super) what: &'static str,
    pub(super) descriptor: Descriptor,
    pub(super) sink: Sink,
    pub(super) bar: Bar,
}

/// Where a blob's bytes go as they arrive.
#[derive(Debug)]
pub(super) enum Sink {
    /// To somebody who follows them.
    Spool(SpoolWriter),
    /// To a file, from a position on.
    Region(Arc<File>, u64),
    /// To a file of its own, which is made when the download begins, with this mode.
    File(PathBuf, u32),
}

impl Sink {
    /// Makes the file if there is none yet.
    fn open(self) -> io::Result<Self> {
        match self {
            Self::File(path, mode) => {
                let mut options = OpenOptions::new();
                let file = options.write(true).create_new(true).mode(mode).open(path)?;
                Ok(Self::Region(Arc::new(file), 0))
            }
            open => Ok(open),
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Spool(writer) => writer.append(bytes),
            Self::Region(file, position) => {
                file.write_all_at(bytes, *position)?;
                *position += bytes.len() as u64;
                Ok(())
            }
            Self::File(..) => unreachable!("it was opened before the first byte"),
        }
    }

    /// Tells whoever follows the bytes, and people, that all of them are there.
    fn complete(self, bar: &Bar) {
        match self {
            Self::Spool(writer) => {
                bar.say("downloaded");
                writer.complete();
            }
            Self::Region(..) | Self::File(..) => bar.done("done"),
        }
    }
}

/// The downloads of one image. Dropping it ends them, and with them every reader.
#[derive(Debug)]
pub(super) struct Downloads {
    repository: RepositoryClient,
    waiting: VecDeque<Transfer>,
    tasks: JoinSet<Result<(), Error>>,
    bars: Vec<Bar>,
    spools: Vec<Arc<Spool>>,
    staging: Arc<Staging>,
}

/// Why work that reads blobs got no further, and which blob it was reading.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) reading: Option<Arc<Spool>>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            reading: None,
        }
    }
}

impl Downloads {
    /// Prepares to download blobs in this order, each of them once.
    pub(super) fn new(
        repository: &RepositoryClient,
        transfers: Vec<Transfer>,
        staging: &Arc<Staging>,
    ) -> Self {
        Self {
            repository: repository.clone(),
            bars: transfers.iter().map(|it| it.bar.clone()).collect(),
            waiting: transfers.into(),
            tasks: JoinSet::new(),
            spools: Vec::new(),
            staging: Arc::clone(staging),
        }
    }

    /// Names the spools that are filled, so that their readers can be told when it is over.
    pub(super) fn filling(mut self, spools: Vec<Arc<Spool>>) -> Self {
        self.spools = spools;
        self
    }

    /// Waits until every blob is there.
    ///
    /// # Errors
    ///
    /// The first download that fails; the others have ended then.
    pub(super) async fn complete(mut self) -> Result<(), Error> {
        while let Some(finished) = self.next().await {
            if let Err(error) = finished {
                self.tasks.shutdown().await;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Waits for blocking work that reads the blobs. Ends it early when a download
    /// fails, and then reports the download's error: that the work got no further is
    /// no news.
    pub(super) async fn feed(
        mut self,
        mut work: JoinHandle<Result<(), Failure>>,
    ) -> Result<(), Error> {
        loop {
            tokio::select! {
                biased;
                Some(finished) = self.next() => finished?,
                outcome = &mut work => {
                    let Err(failure) = outcome.during("writing the layers")? else { return Ok(()) };
                    return Err(self.explain(failure).await);
                }
            }
        }
    }

    /// Finds out whether a download is to blame for what its reader met: bytes that are not
    /// what the digest promises make no sense to the reader either, which notices first. Also
    /// the task of a download that was given up may still be on its way out.
    async fn explain(&mut self, failure: Failure) -> Error {
        let Failure { error, reading } = failure;
        while reading.as_ref().is_some_and(|spool| spool.is_growing())
            || self.spools.iter().any(|spool| spool.is_given_up())
        {
            match self.next().await {
                Some(Ok(())) => {}
                Some(Err(cause)) => return cause,
                None => break,
            }
        }
        error
    }

    /// Takes the next download that ends, while others go on. May be dropped while it waits.
    async fn next(&mut self) -> Option<Result<(), Error>> {
        while self.tasks.len() < WINDOW
            && let Some(transfer) = self.waiting.pop_front()
        {
            let bar = transfer.bar.clone();
            let task = fetch(self.repository.clone(), transfer, Arc::clone(&self.staging));
            self.tasks.spawn(bar.around(task).with_current_subscriber());
        }
        let finished = self.tasks.join_next().await?;
        Some(finished.during("downloading").and_then(|outcome| outcome))
    }
}

impl Drop for Downloads {
    fn drop(&mut self) {
        for spool in &self.spools {
            spool.abandon();
        }
        for bar in &self.bars {
            bar.give_up();
        }
    }
}

/// Downloads one blob. The client verifies as it goes: it reports the end only after the
/// last byte and the digest were right. The staging directory stays until it has ended.
async fn fetch(
    repository: RepositoryClient,
    transfer: Transfer,
    _staging: Arc<Staging>,
) -> Result<(), Error> {
    let Transfer {
        what,
        descriptor,
        sink,
        bar,
    } = transfer;
    let mut received = 0;
    let outcome = receive(&repository, &descriptor, sink, &bar, &mut received).await;
    outcome.map_err(|source| {
        bar.fail();
        let Descriptor { digest, size, .. } = descriptor;
        Error::During {
            phase: format!("{what} {digest}, after {received} of {size} bytes").into(),
            source,
        }
    })
}

async fn receive(
    repository: &RepositoryClient,
    descriptor: &Descriptor,
    sink: Sink,
    bar: &Bar,
    received: &mut u64,
) -> Result<(), Cause> {
    let mut blob = repository.open_blob(descriptor).await?;
    let mut sink = sink.open().during("create file")?;
    bar.say("downloading");
    while let Some(chunk) = blob.next().await? {
        sink.append(&chunk).during("write to disk")?;
        *received += chunk.len() as u64;
        bar.advance(chunk.len() as u64);
    }
    sink.complete(bar);
    Ok(())
}
