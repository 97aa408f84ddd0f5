//! Why a layer could not be applied.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;

use rustix::io::Errno;

/// What kind of thing went wrong, for callers who branch on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller's reader failed; the layer itself may be well.
    Source,
    /// The compressed bytes are damaged, cut short or need what is not supported.
    Compression,
    /// The archive is damaged, cut short, or says something that no file can be.
    Archive,
    /// A limit of [`Limits`](crate::Limits) was exceeded, or one of those that archives have
    /// by themselves: 1 MiB for an extended header, 65,536 regions for a file with holes.
    Limit,
    /// The archive is whole, but not the one that [`Options::diff_ids`] names, or there are
    /// more or fewer layers than names.
    ///
    /// [`Options::diff_ids`]: crate::Options::diff_ids
    Digest,
    /// The operating system refused: no space, no permission, a name too long.
    System,
}

/// Why a layer could not be applied. The directory is then in an undefined state,
/// though nothing outside it has been touched: remove it.
///
/// `Display` names the layer (counted from one), the entry, the operation and the system
/// call; the operating system's or the reader's own error is the
/// [`source`](StdError::source). Names are printed quoted and escaped, whatever bytes they
/// hold.
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    layer: Option<usize>,
    path: Option<Vec<u8>>,
    message: Cow<'static, str>,
    call: Option<&'static str>,
    source: Option<io::Error>,
}

impl Error {
    /// Returns the kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the index of the layer, counted from zero, when several were applied.
    pub fn layer(&self) -> Option<usize> {
        self.0.layer
    }

    /// Returns the name of the entry as the archive spells it, if one was being applied.
    pub fn path(&self) -> Option<&[u8]> {
        self.0.path.as_deref()
    }

    /// Returns the name of the system call that was refused, such as `openat`, if one was.
    pub fn system_call(&self) -> Option<&'static str> {
        self.0.call
    }

    /// Forgets the layer, for callers who know a better name for it than its number.
    #[must_use]
    pub fn without_layer(mut self) -> Self {
        self.0.layer = None;
        self
    }

    fn new(
        kind: ErrorKind,
        message: impl Into<Cow<'static, str>>,
        source: Option<io::Error>,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            layer: None,
            path: None,
            message: message.into(),
            call: None,
            source,
        }))
    }

    pub(crate) fn archive(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Archive, message, None)
    }

    pub(crate) fn limit(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Limit, message, None)
    }

    pub(crate) fn digest(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Digest, message, None)
    }

    pub(crate) fn compression(message: impl Into<Cow<'static, str>>, source: io::Error) -> Self {
        Self::new(ErrorKind::Compression, message, Some(source))
    }

    pub(crate) fn source(message: impl Into<Cow<'static, str>>, source: io::Error) -> Self {
        Self::new(ErrorKind::Source, message, Some(source))
    }

    pub(crate) fn system(operation: impl Into<Cow<'static, str>>, refused: Refused) -> Self {
        let mut error = Self::new(ErrorKind::System, operation, Some(refused.errno.into()));
        error.0.call = Some(refused.call);
        error
    }

    /// Names the entry, unless a more precise one has been named.
    pub(crate) fn at(mut self, path: &[u8]) -> Self {
        self.0.path.get_or_insert_with(|| path.to_owned());
        self
    }

    pub(crate) fn in_layer(mut self, index: usize) -> Self {
        self.0.layer.get_or_insert(index);
        self
    }
}

/// A system call that was refused, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused {
    pub(crate) call: &'static str,
    pub(crate) errno: Errno,
}

/// Names the system call that a result is of.
pub(crate) trait Calling<T> {
    fn calling(self, call: &'static str) -> Result<T, Refused>;
}

impl<T> Calling<T> for Result<T, Errno> {
    fn calling(self, call: &'static str) -> Result<T, Refused> {
        self.map_err(|errno| Refused { call, errno })
    }
}

/// Names the operation that could not be done.
pub(crate) trait Doing<T> {
    fn doing(self, operation: &'static str) -> Result<T, Error>;
}

impl<T> Doing<T> for Result<T, Refused> {
    fn doing(self, operation: &'static str) -> Result<T, Error> {
        self.map_err(|refused| Error::system(operation, refused))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(layer) = self.0.layer {
            write!(f, "layer {}: ", layer + 1)?;
        }
        if let Some(path) = &self.0.path {
            write!(f, "entry {}: ", Quoted(path))?;
        }
        f.write_str(&self.0.message)?;
        match self.0.call {
            Some(call) => write!(f, " ({call})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|error| error as _)
    }
}

/// A name of any bytes, printed without harm to a terminal or a log's lines.
pub(crate) struct Quoted<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for chunk in self.0.utf8_chunks() {
            write!(f, "{}", chunk.valid().escape_debug())?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        f.write_str("\"")
    }
}
