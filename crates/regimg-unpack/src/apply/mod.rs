//! One layer after another, onto one directory.

mod attributes;
mod checked;
mod create;
mod notes;
mod place;
mod restore;
mod tour;
mod whiteout;

use std::io::{self, Read};

use regimg_core::Digest;
use rustix::process::{Gid, Uid, getegid, geteuid};

use crate::ahead;
use crate::decompress::{self, Decoded, Decompressed};
use crate::error::Error;
use crate::options::{Options, Ownership};
use crate::path;
use crate::progress::{Outcome, Progress, Warning};
use crate::root::{Access, Root};
use crate::tar::{Archive, Entry, Kind};

use checked::Checked;
use notes::Notes;
use place::Places;

/// Applies one layer, compressed or not, to the directory.
///
/// The layer is read to its last byte, whatever its archive says about its end, so a reader
/// that verifies a digest at its end has seen everything when this returns. What is read and
/// written goes through buffers of fixed size.
///
/// ```
/// use regimg_unpack::{Options, Root};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let directory = tempfile::tempdir()?;
/// let mut layer = tar::Builder::new(Vec::new());
/// let mut header = tar::Header::new_gnu();
/// header.set_size(6);
/// header.set_mode(0o644);
/// layer.append_data(&mut header, "etc/hostname", &b"regimg"[..])?;
///
/// let root = Root::open(directory.path())?;
/// let outcome = regimg_unpack::apply(&layer.into_inner()?[..], &root, &Options::default(), &mut ())?;
/// assert_eq!(outcome.bytes, 6);
/// assert_eq!(std::fs::read(directory.path().join("etc/hostname"))?, b"regimg");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// See [`ErrorKind`](crate::ErrorKind). After an error the directory holds a part of the
/// layer and should be removed.
pub fn apply(
    layer: impl Read,
    root: &Root,
    options: &Options,
    progress: &mut impl Progress,
) -> Result<Outcome, Error> {
    let digests = Digests::of(options, 1)?;
    let archive = Decompressed::new(layer, &options.limits).map_err(decompress::classify)?;
    let mut notes = Notes::to(progress);
    let outcome = Layer::new(root, options, &mut notes).apply(archive, digests.of_layer(0))?;
    finish(root, options)?;
    Ok(outcome)
}

/// Applies an image's layers, the lowest first.
///
/// Two threads work ahead of the calling one, across layers, so that the next layer stands
/// ready when one is done: one reads, up to 4 MiB, and one decompresses, up to 16 MiB.
/// Otherwise as [`apply`]; the outcome is that of all layers together.
///
/// # Errors
///
/// As [`apply`], with the layer's index. The threads end once the reader returns, which an
/// error does not wait for.
pub fn apply_all<I>(
    layers: I,
    root: &Root,
    options: &Options,
    progress: &mut impl Progress,
) -> Result<Outcome, Error>
where
    I: IntoIterator<Item: Read, IntoIter: ExactSizeIterator + Send + 'static>,
{
    let layers = layers.into_iter();
    let count = layers.len();
    let digests = Digests::of(options, count)?;
    let mut total = Outcome::default();
    if count == 0 {
        return Ok(total);
    }
    let mut archives = ahead::start(layers, &options.limits)
        .map_err(|error| Error::source("cannot start a thread", error))?;
    let mut notes = Notes::to(progress);
    for index in 0..count {
        notes.index = index;
        let outcome = Layer::new(root, options, &mut notes)
            .apply(archives.stream(), digests.of_layer(index))
            .map_err(|error| error.in_layer(index))?;
        total.add(outcome);
    }
    finish(root, options)?;
    Ok(total)
}

fn finish(root: &Root, options: &Options) -> Result<(), Error> {
    if options.durable { root.sync() } else { Ok(()) }
}

/// What each layer's archive must be, if the caller knows.
struct Digests<'a>(Option<&'a [Digest]>);

impl<'a> Digests<'a> {
    fn of(options: &'a Options, layers: usize) -> Result<Self, Error> {
        let digests = options.diff_ids.as_deref();
        if let Some(digests) = digests
            && digests.len() != layers
        {
            return Err(Error::digest(format!(
                "there are {layers} layers, but diff_ids of {}",
                digests.len()
            )));
        }
        Ok(Self(digests))
    }

    fn of_layer(&self, index: usize) -> Option<&'a Digest> {
        self.0.map(|digests| &digests[index])
    }
}

/// A layer being applied.
struct Layer<'a, P> {
    options: &'a Options,
    /// Whether files get the archive's owners.
    owners: bool,
    /// Who unpacks, and owns what is new.
    user: (Uid, Gid),
    places: Places<'a>,
    outcome: Outcome,
    notes: &'a mut Notes<P>,
}

impl<'a, P: Progress> Layer<'a, P> {
    fn new(root: &'a Root, options: &'a Options, notes: &'a mut Notes<P>) -> Self {
        let is_root = geteuid().is_root();
        let access = if is_root {
            Access::Privileged
        } else {
            Access::Bound
        };
        Self {
            options,
            owners: match options.ownership {
                Ownership::IfRoot => is_root,
                Ownership::Keep => true,
                Ownership::Ignore => false,
            },
            user: (geteuid(), getegid()),
            places: Places::new(root, access),
            outcome: Outcome::default(),
            notes,
        }
    }

    fn apply(mut self, layer: impl Decoded, diff_id: Option<&Digest>) -> Result<Outcome, Error> {
        self.notes.progress.layer_started(self.notes.index);
        let layer = Checked::new(layer, diff_id);
        let mut archive = Archive::new(layer, &self.options.limits);
        while let Some(entry) = archive.next_entry()? {
            self.outcome.entries += 1;
            self.entry(&entry, &mut archive)
                .and_then(|()| self.within_limit())
                .map_err(|error| error.at(&entry.path))?;
        }
        self.places.restore()?;
        match archive.into_reader().finish()? {
            0 => {}
            count => self.notes.warn(&Warning::TrailingBytes { count }),
        }
        self.notes.progress.layer_finished(self.notes.index);
        Ok(self.outcome)
    }

    fn within_limit(&self) -> Result<(), Error> {
        let most = self.options.limits.entries;
        if self.outcome.entries.saturating_add(self.places.implied) > most {
            return Err(Error::limit(format!("layer has more than {most} entries")));
        }
        Ok(())
    }

    fn entry(
        &mut self,
        entry: &Entry,
        archive: &mut Archive<'_, impl io::BufRead>,
    ) -> Result<(), Error> {
        if entry.path.is_empty() {
            self.notes.warn(&Warning::Unnamed);
            return Ok(());
        }
        let path = path::clean(&entry.path)?;
        if path.is_empty() {
            return self.root_entry(entry);
        }
        if whiteout::is_bookkeeping(&path) {
            self.notes.warn(&Warning::Bookkeeping {
                path: entry.path.clone(),
            });
            return Ok(());
        }
        let (directory, name) = path::split(&path);
        if let Some(marked) = name.strip_prefix(whiteout::PREFIX) {
            return self.whiteout(entry, directory, marked);
        }
        self.create(entry, directory, name, archive)
    }

    /// Applies an entry for the root itself. Only a directory can stand there: a link would
    /// lead every later entry out (CVE-2021-29136).
    fn root_entry(&mut self, entry: &Entry) -> Result<(), Error> {
        if !matches!(entry.kind, Kind::Directory) {
            return Err(Error::archive("the root can only be a directory"));
        }
        self.merge_root(entry)
    }
}
