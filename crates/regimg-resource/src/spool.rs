//! A blob on its way from the registry to whoever reads it.
//!
//! A download appends to a spool while readers follow it from the start, so one
//! large layer is unpacked while it downloads, many layers download at once, and a
//! retried request never disturbs the unpacker. Readers see the end of the blob only
//! after the download said that its length and digest are right.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Blobs up to this size stay in memory: configurations and the many small layers
/// that a Dockerfile's metadata steps leave behind are not worth a file each.
const MEMORY_LIMIT: u64 = 64 * 1024;

/// Holds the bytes of one blob that have arrived so far.
#[derive(Debug)]
pub(crate) struct Spool {
    /// The unnamed file that holds the bytes, unless the blob is small.
    file: Option<File>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// The bytes themselves when there is no file.
    memory: Vec<u8>,
    available: u64,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Growing,
    /// Every byte is there and was verified.
    Complete,
    /// No further byte will come, or nobody wants them any more.
    GivenUp,
}

impl Spool {
    /// Creates an empty spool for a blob of `size` bytes. A large one gets a file
    /// without a name in `directory`, which vanishes with the process whatever
    /// happens to it.
    ///
    /// # Errors
    ///
    /// The file cannot be created.
    pub(crate) fn create(size: u64, directory: &Path) -> io::Result<(SpoolWriter, Arc<Self>)> {
        let file = if size > MEMORY_LIMIT {
            Some(tempfile::tempfile_in(directory)?)
        } else {
            None
        };
        let state = State {
            memory: Vec::new(),
            available: 0,
            progress: Progress::Growing,
        };
        let spool = Arc::new(Self {
            file,
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        Ok((
            SpoolWriter {
                spool: Arc::clone(&spool),
            },
            spool,
        ))
    }

    /// Opens a reader that begins at the blob's first byte.
    pub(crate) fn reader(self: &Arc<Self>) -> SpoolReader {
        SpoolReader {
            spool: Arc::clone(self),
            position: 0,
        }
    }

    /// Makes every reader fail from now on, also where bytes are there: nobody wants
    /// what they would produce.
    pub(crate) fn abandon(&self) {
        self.settle(Progress::GivenUp);
    }

    /// Says whether the blob's download ended without the whole blob.
    pub(crate) fn is_given_up(&self) -> bool {
        self.lock().progress == Progress::GivenUp
    }

    fn settle(&self, progress: Progress) {
        self.lock().progress = progress;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is consistent after each statement, so a panic elsewhere while
        // the lock was held does not make it worse.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to read at `position`: bytes, the end, or a
    /// failure.
    fn wait_beyond(&self, position: u64) -> io::Result<MutexGuard<'_, State>> {
        let state = self
            .changed
            .wait_while(self.lock(), |state| {
                state.progress == Progress::Growing && state.available <= position
            })
            .unwrap_or_else(PoisonError::into_inner);
        match state.progress {
            Progress::GivenUp => Err(io::Error::other("its download was given up")),
            Progress::Growing | Progress::Complete => Ok(state),
        }
    }
}

/// Appends to a spool. Dropped before [`complete`](Self::complete), it tells the
/// readers that the rest will not come.
#[derive(Debug)]
pub(crate) struct SpoolWriter {
    spool: Arc<Spool>,
}

impl SpoolWriter {
    /// Appends bytes, which readers may read at once.
    ///
    /// # Errors
    ///
    /// The volume refuses the bytes, for example because it is full.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(mut file) = self.spool.file.as_ref() {
            file.write_all(bytes)?;
        }
        let mut state = self.spool.lock();
        if self.spool.file.is_none() {
            state.memory.extend_from_slice(bytes);
        }
        state.available += bytes.len() as u64;
        drop(state);
        self.spool.changed.notify_all();
        Ok(())
    }

    /// Declares the blob whole and verified: readers now reach its end.
    pub(crate) fn complete(self) {
        self.spool.settle(Progress::Complete);
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        let mut state = self.spool.lock();
        if state.progress == Progress::Growing {
            state.progress = Progress::GivenUp;
        }
        drop(state);
        self.spool.changed.notify_all();
    }
}

/// Reads a spool from its start, waiting for bytes that have yet to arrive.
#[derive(Debug)]
pub(crate) struct SpoolReader {
    spool: Arc<Spool>,
    position: u64,
}

impl Read for SpoolReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let state = self.spool.wait_beyond(self.position)?;
        let there = usize::try_from(state.available - self.position).unwrap_or(usize::MAX);
        let wanted = there.min(buffer.len());
        let read = match &self.spool.file {
            None => {
                let start = state.memory.len() - there;
                buffer[..wanted].copy_from_slice(&state.memory[start..start + wanted]);
                wanted
            }
            Some(file) => {
                drop(state);
                file.read_at(&mut buffer[..wanted], self.position)?
            }
        };
        self.position += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn spool(size: u64) -> (SpoolWriter, Arc<Spool>) {
        Spool::create(size, &std::env::temp_dir()).unwrap()
    }

    #[test]
    fn readers_follow_a_growing_blob_in_memory_and_in_a_file() {
        for size in [1000, MEMORY_LIMIT, MEMORY_LIMIT + 1, 300_000] {
            let content: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            let (mut writer, spool) = spool(size);
            let readers = [spool.reader(), spool.reader()].map(|mut reader| {
                thread::spawn(move || {
                    let mut read = Vec::new();
                    reader.read_to_end(&mut read).map(|_| read)
                })
            });
            for chunk in content.chunks(777) {
                writer.append(chunk).unwrap();
            }
            writer.complete();
            for reader in readers {
                assert!(reader.join().unwrap().unwrap() == content, "{size} bytes");
            }
        }
    }

    #[test]
    fn a_writer_that_goes_away_fails_its_readers() {
        let (mut writer, spool) = spool(10);
        writer.append(b"half").unwrap();
        let mut reader = spool.reader();
        let mut half = [0; 4];
        reader.read_exact(&mut half).unwrap();
        let waiting = thread::spawn(move || reader.read(&mut [0; 4]));
        drop(writer);
        assert!(waiting.join().unwrap().is_err());
        assert!(spool.is_given_up());
    }

    #[test]
    fn a_complete_blob_can_still_be_abandoned() {
        let (mut writer, spool) = spool(4);
        writer.append(b"full").unwrap();
        writer.complete();
        spool.abandon();
        assert!(spool.reader().read(&mut [0; 4]).is_err());
    }
}
