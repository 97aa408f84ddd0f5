//! A blob on its way from the registry to whoever reads it.
//!
//! A download appends to a spool while readers follow it from the start, so one
//! large layer is unpacked while it downloads, many layers download at once, and a
//! retried request never disturbs the unpacker. Readers see the end of the blob only
//! after the download said that its length and digest are right.
//!
//! A reader that waits gets the bytes as they come. Only what arrives faster than it is read
//! goes to the disk: over a line that is slower than the unpacker, nothing does.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::fs::{FallocateFlags, fallocate};

/// Blobs up to this size stay in memory, as long as there are not too many of them: the
/// small layers that a Dockerfile's metadata steps leave behind are not worth a place each.
const MEMORY_LIMIT: u64 = 64 * 1024;

/// Bytes that the blobs in memory have together at most.
const MEMORY_BUDGET: u64 = 4 * 1024 * 1024;

/// Bytes that are kept at hand for the reader of a blob that keeps up with its download.
const AT_HAND: usize = 2 * 1024 * 1024;

/// Where blobs begin in the file, so that each can give back the disk it took.
const ALIGNMENT: u64 = 64 * 1024;

/// Bytes that are read before the disk they took is given back.
const RELEASE: u64 = 4 * 1024 * 1024;

/// Makes the spools of one image. They share one file without a name, which vanishes with
/// the process whatever happens to it, so that an image of many layers takes no more open
/// files than one of few.
#[derive(Debug)]
pub(crate) struct Spools {
    directory: PathBuf,
    file: Option<Arc<File>>,
    /// Where the next blob begins.
    end: u64,
    in_memory: u64,
}

impl Spools {
    /// Prepares spools on the volume of `directory`.
    pub(crate) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            file: None,
            end: 0,
            in_memory: 0,
        }
    }

    /// Creates an empty spool for a blob of `size` bytes.
    ///
    /// # Errors
    ///
    /// The file cannot be created.
    pub(crate) fn create(&mut self, size: u64) -> io::Result<(SpoolWriter, Arc<Spool>)> {
        let place = self.place(size)?;
        let state = State {
            memory: Vec::new(),
            at_hand: AtHand::default(),
            asked: None,
            available: 0,
            progress: Progress::Growing,
        };
        let spool = Arc::new(Spool {
            place,
            state: Mutex::new(state),
            changed: Condvar::new(),
            readers: AtomicUsize::new(0),
        });
        let writer = SpoolWriter {
            spool: Arc::clone(&spool),
        };
        Ok((writer, spool))
    }

    fn place(&mut self, size: u64) -> io::Result<Place> {
        if size <= MEMORY_LIMIT && self.in_memory + size <= MEMORY_BUDGET {
            self.in_memory += size;
            return Ok(Place::Memory);
        }
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => Arc::clone(
                self.file
                    .insert(Arc::new(tempfile::tempfile_in(&self.directory)?)),
            ),
        };
        let start = self.end;
        // Sizes that no disk has are refused by the disk.
        let end = start.saturating_add(size);
        self.end = end.checked_next_multiple_of(ALIGNMENT).unwrap_or(end);
        Ok(Place::File { file, start })
    }
}

/// Holds the bytes of one blob that have arrived so far.
#[derive(Debug)]
pub(crate) struct Spool {
    place: Place,
    state: Mutex<State>,
    changed: Condvar,
    readers: AtomicUsize,
}

/// Where a blob's bytes are.
#[derive(Debug)]
enum Place {
    Memory,
    File { file: Arc<File>, start: u64 },
}

#[derive(Debug)]
struct State {
    /// All of the bytes when none of them is in the file.
    memory: Vec<u8>,
    at_hand: AtHand,
    /// Where a reader last asked for bytes, once one has. It waits for them unless some have
    /// come since.
    asked: Option<u64>,
    available: u64,
    progress: Progress,
}

/// Bytes that are not in the file because their reader keeps up with the download: it has
/// read what came before them, and what comes behind them is in the file.
#[derive(Debug, Default)]
struct AtHand {
    bytes: VecDeque<u8>,
    /// Where the first of them belongs in the blob.
    start: u64,
}

impl AtHand {
    /// Takes bytes that belong at `position`, if there is room and their reader, which has last
    /// asked for those at `asked`, keeps up.
    fn take(&mut self, bytes: &[u8], position: u64, asked: u64) -> bool {
        if asked == position {
            // It waits for these, and has read everything else.
            self.start = position;
        }
        let takes = self.start + self.bytes.len() as u64 == position
            && self.bytes.len() + bytes.len() <= AT_HAND;
        if takes {
            self.bytes.extend(bytes);
        }
        takes
    }

    /// Hands out what comes next, if that is here.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        self.start += read as u64;
        Ok(read)
    }
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
    /// Opens a reader that begins at the blob's first byte. Once the last of the readers
    /// has read some bytes the disk may have them back, so all are opened before one reads.
    pub(crate) fn reader(self: &Arc<Self>) -> SpoolReader {
        self.readers.fetch_add(1, Ordering::Relaxed);
        SpoolReader {
            spool: Arc::clone(self),
            position: 0,
            released: 0,
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

    /// Says whether the blob's download is still under way.
    pub(crate) fn is_growing(&self) -> bool {
        self.lock().progress == Progress::Growing
    }

    fn settle(&self, progress: Progress) {
        let mut state = self.lock();
        // A download that ends while it is abandoned changes nothing.
        if state.progress != Progress::GivenUp {
            state.progress = progress;
        }
        drop(state);
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
        let mut state = self.lock();
        state.asked = Some(position);
        let state = self
            .changed
            .wait_while(state, |state| {
                state.progress == Progress::Growing && state.available <= position
            })
            .unwrap_or_else(PoisonError::into_inner);
        match state.progress {
            Progress::GivenUp => Err(io::Error::other("its download was given up")),
            Progress::Growing | Progress::Complete => Ok(state),
        }
    }

    /// Gives the disk back what was read. That it cannot on some file systems costs space
    /// and nothing else: the file goes at the end.
    fn release(&self, from: u64, to: u64) {
        let Place::File { file, start } = &self.place else {
            return;
        };
        if from < to {
            let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            let _ = fallocate(file, hole, start + from, to - from);
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
        if bytes.is_empty() {
            // A reader would take it for the end.
            return Ok(());
        }
        let mut state = self.spool.lock();
        match &self.spool.place {
            Place::Memory => state.memory.extend_from_slice(bytes),
            Place::File { file, start } => {
                let position = state.available;
                // Where there are more readers, the others have yet to read it from the file.
                let is_only = self.spool.readers.load(Ordering::Relaxed) == 1;
                let asked = state.asked.filter(|_| is_only);
                if !asked.is_some_and(|asked| state.at_hand.take(bytes, position, asked)) {
                    drop(state);
                    file.write_all_at(bytes, start.saturating_add(position))?;
                    state = self.spool.lock();
                }
            }
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
    /// Up to where the disk has its space back.
    released: u64,
}

impl SpoolReader {
    /// Gives back what was read, unless somebody else has yet to read it.
    fn release(&mut self) {
        let whole = self.position / RELEASE * RELEASE;
        if whole > self.released && self.spool.readers.load(Ordering::Relaxed) == 1 {
            self.spool.release(self.released, whole);
            self.released = whole;
        }
    }

    /// Waits for the next bytes and returns how many of them it has read.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.spool.wait_beyond(self.position)?;
        let there = usize::try_from(state.available - self.position).unwrap_or(usize::MAX);
        let wanted = there.min(buffer.len());
        match &self.spool.place {
            Place::Memory => {
                let start = state.memory.len() - there;
                buffer[..wanted].copy_from_slice(&state.memory[start..start + wanted]);
                Ok(wanted)
            }
            Place::File { file, start } => {
                let read = state.at_hand.read(buffer)?;
                if read > 0 {
                    return Ok(read);
                }
                drop(state);
                file.read_at(&mut buffer[..wanted], start + self.position)
            }
        }
    }
}

impl Read for SpoolReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = self.receive(buffer)?;
        self.position += read as u64;
        self.release();
        Ok(read)
    }
}

impl Drop for SpoolReader {
    fn drop(&mut self) {
        if self.spool.readers.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.spool.release(self.released, self.position);
            self.spool.lock().at_hand = AtHand::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn spools() -> Spools {
        Spools::new(&std::env::temp_dir())
    }

    fn spool(size: u64) -> (SpoolWriter, Arc<Spool>) {
        spools().create(size).unwrap()
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

    #[test]
    fn an_abandoned_blob_stays_so_when_its_download_ends() {
        let (writer, spool) = spool(0);
        spool.abandon();
        writer.complete();
        assert!(spool.is_given_up());
    }

    #[test]
    fn blobs_in_one_file_do_not_mix() {
        let mut spools = spools();
        let sizes = [MEMORY_LIMIT + 1, 10, 3 * ALIGNMENT, MEMORY_LIMIT + 7];
        let made: Vec<_> = sizes
            .iter()
            .map(|size| spools.create(*size).unwrap())
            .collect();
        let (mut writers, readers): (Vec<_>, Vec<_>) = made
            .into_iter()
            .map(|(writer, spool)| (writer, spool.reader()))
            .unzip();
        for _ in 0..7 {
            for (byte, writer) in (0..).zip(&mut writers) {
                writer.append(&[byte; 10_000]).unwrap();
            }
        }
        writers.into_iter().for_each(SpoolWriter::complete);
        for (byte, mut reader) in (0_u8..).zip(readers) {
            let mut read = Vec::new();
            reader.read_to_end(&mut read).unwrap();
            assert!(read == vec![byte; 70_000], "blob {byte}");
        }
    }

    #[test]
    fn what_the_last_reader_read_takes_no_disk() {
        use std::os::unix::fs::MetadataExt;

        let size = 4 * RELEASE;
        let mut spools = spools();
        let (mut writer, spool) = spools.create(size).unwrap();
        let file = Arc::clone(spools.file.as_ref().unwrap());
        let taken = || file.metadata().unwrap().blocks() * 512;
        let (mut first, mut second) = (spool.reader(), spool.reader());
        let content = vec![1; usize::try_from(size).unwrap()];
        writer.append(&content).unwrap();
        writer.complete();
        io::copy(&mut first, &mut io::sink()).unwrap();
        drop(first);
        assert!(taken() >= size, "the second reader needs it");
        let mut part = vec![0; usize::try_from(2 * RELEASE).unwrap()];
        second.read_exact(&mut part).unwrap();
        // Some file systems cannot punch holes.
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        if fallocate(&*file, hole, 0, 1).is_ok() {
            assert!(taken() <= size - 2 * RELEASE + ALIGNMENT);
        }
        assert!(part.iter().all(|&byte| byte == 1));
        io::copy(&mut second, &mut io::sink()).unwrap();
    }

    /// What follows on what a reader waits for is not written, as far as it fits; the rest is,
    /// and comes in its place.
    #[test]
    fn what_is_awaited_does_not_go_to_the_disk() {
        use std::os::unix::fs::MetadataExt;

        const PIECE: usize = 100_000;
        let size = 4 * AT_HAND;
        let mut spools = spools();
        let (mut writer, spool) = spools.create(size as u64).unwrap();
        let file = Arc::clone(spools.file.as_ref().unwrap());
        let written = || file.metadata().unwrap().blocks() * 512;
        let content: Vec<u8> = (0..=250).cycle().take(size).collect();
        let mut pieces = content.chunks(PIECE);
        let mut reader = spool.reader();
        let mut read = Vec::new();
        // As if it waited.
        spool.lock().asked = Some(0);
        for piece in pieces.by_ref().take(2 * AT_HAND / PIECE) {
            writer.append(piece).unwrap();
            let mut some = vec![0; PIECE - 1];
            reader.read_exact(&mut some).unwrap();
            read.extend(some);
        }
        assert_eq!(written(), 0, "the reader keeps up, but for a few bytes");
        pieces.for_each(|piece| writer.append(piece).unwrap());
        writer.complete();
        assert!(written() >= AT_HAND as u64, "{} bytes", written());
        reader.read_to_end(&mut read).unwrap();
        assert!(read == content);
    }

    /// What nobody has begun to read waits in the file, however many blobs there are.
    #[test]
    fn what_nobody_reads_yet_takes_no_memory() {
        let (mut writer, spool) = spool(MEMORY_LIMIT + 1);
        let mut reader = spool.reader();
        writer.append(&[7; 1000]).unwrap();
        assert!(spool.lock().at_hand.bytes.is_empty());
        reader.read_exact(&mut [0; 1000]).unwrap();
    }

    /// A reader that has been told of bytes in the file has yet to wake up when the next ones
    /// come: those must not be at hand before it has read the others.
    #[test]
    fn a_reader_that_is_about_to_wake_waits_no_more() {
        // The first does not fit, and the last makes of what lies between a hole.
        let pieces = [AT_HAND + 1, 100, AT_HAND];
        let size = pieces.iter().sum();
        let content: Vec<u8> = (1..=250).cycle().take(size).collect();
        let (mut writer, spool) = spool(size as u64);
        let mut reader = spool.reader();
        spool.lock().asked = Some(0);
        let mut rest = &content[..];
        for piece in pieces {
            writer.append(rest.split_off(..piece).unwrap()).unwrap();
        }
        writer.complete();
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert!(read == content);
    }

    #[test]
    fn whoever_is_faster_the_bytes_are_the_same() {
        let size = 3_000_000;
        let content: Vec<u8> = (0..=250).cycle().take(size).collect();
        for round in 1..40_usize {
            let (mut writer, spool) = spool(size as u64);
            let mut reader = spool.reader();
            let reading = thread::spawn(move || {
                let (mut read, mut buffer) = (Vec::new(), vec![0; 40_000]);
                loop {
                    let wanted = 1 + (read.len() / 7 * round) % buffer.len();
                    let count = reader.read(&mut buffer[..wanted]).unwrap();
                    if count == 0 {
                        return read;
                    }
                    read.extend_from_slice(&buffer[..count]);
                }
            });
            let mut at = 0;
            while at < size {
                let length = (1 + at / 3 * round % 30_000).min(size - at);
                writer.append(&content[at..at + length]).unwrap();
                at += length;
            }
            writer.complete();
            assert!(reading.join().unwrap() == content, "round {round}");
        }
    }

    /// Two layers that are the same are one blob with two readers, and each needs all of it.
    #[test]
    fn readers_beside_one_that_waits_miss_nothing() {
        let (mut writer, spool) = spool(MEMORY_LIMIT + 1);
        let (mut early, mut late) = (spool.reader(), spool.reader());
        let reading = thread::spawn(move || early.read_to_end(&mut Vec::new()));
        while spool.lock().asked.is_none() {
            thread::yield_now();
        }
        writer.append(&[7; 1000]).unwrap();
        writer.complete();
        assert_eq!(reading.join().unwrap().unwrap(), 1000);
        let mut read = Vec::new();
        late.read_to_end(&mut read).unwrap();
        assert_eq!(read, [7; 1000]);
    }
}
