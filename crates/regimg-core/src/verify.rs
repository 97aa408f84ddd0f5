//! Checks that content is what its digest promised.

use std::{error, fmt};

use crate::{Digest, Hasher};

/// Checks content, as it passes, against its digest and size.
///
/// Content counts as good only after [`finish`](Self::finish) said so, and
/// that must be asked after the last byte: a reader that stops early has
/// checked nothing.
///
/// ```
/// use regimg_core::{Algorithm, Digest, Verifier, VerifyErrorKind};
///
/// # fn main() -> Result<(), regimg_core::VerifyError> {
/// let digest = Digest::of(Algorithm::Sha256, b"a layer");
/// let mut verifier = Verifier::new(&digest, Some(7));
/// verifier.update(b"a lay")?;
/// verifier.update(b"er")?;
/// verifier.finish()?;
///
/// let mut verifier = Verifier::new(&digest, Some(7));
/// verifier.update(b"a liar")?;
/// assert_eq!(verifier.finish().unwrap_err().kind(), VerifyErrorKind::TooShort);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "content is verified only when `finish` returned `Ok`"]
pub struct Verifier {
    want: Digest,
    size: Option<u64>,
    hasher: Hasher,
    read: u64,
}

/// Says how content differs from what was promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyError {
    want: Digest,
    size: Option<u64>,
    read: u64,
    got: Option<Digest>,
    kind: VerifyErrorKind,
}

/// How content differs from what was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerifyErrorKind {
    /// More bytes came than promised.
    TooLong,
    /// Fewer bytes came than promised.
    TooShort,
    /// The number of bytes is right, as far as it is known, but the digest is
    /// that of other content.
    Digest,
}

impl Verifier {
    /// Expects content with this digest and, if known, this size in bytes.
    pub fn new(digest: &Digest, size: Option<u64>) -> Self {
        Self {
            want: digest.clone(),
            size,
            hasher: Hasher::new(digest.algorithm()),
            read: 0,
        }
    }

    /// Takes the next piece of content.
    ///
    /// # Errors
    ///
    /// Fails with [`VerifyErrorKind::TooLong`] as soon as more came than was
    /// promised, so that endless content ends; every later call fails too.
    pub fn update(&mut self, content: &[u8]) -> Result<(), VerifyError> {
        self.read = self.read.saturating_add(content.len() as u64);
        if self.size.is_some_and(|size| self.read > size) {
            return Err(self.error(VerifyErrorKind::TooLong, None));
        }
        self.hasher.update(content);
        Ok(())
    }

    /// Returns how many bytes came so far, which is where an interrupted
    /// download goes on.
    pub fn read_bytes(&self) -> u64 {
        self.read
    }

    /// Says whether everything that came is exactly what was promised.
    ///
    /// # Errors
    ///
    /// Fails when bytes are missing, came in excess, or are others.
    pub fn finish(self) -> Result<(), VerifyError> {
        match self.size {
            Some(size) if self.read > size => Err(self.error(VerifyErrorKind::TooLong, None)),
            Some(size) if self.read < size => Err(self.error(VerifyErrorKind::TooShort, None)),
            _ => self.compare(),
        }
    }

    fn compare(self) -> Result<(), VerifyError> {
        let got = self.hasher.clone().finish();
        if got == self.want {
            return Ok(());
        }
        Err(self.error(VerifyErrorKind::Digest, Some(got)))
    }

    fn error(&self, kind: VerifyErrorKind, got: Option<Digest>) -> VerifyError {
        VerifyError {
            want: self.want.clone(),
            size: self.size,
            read: self.read,
            got,
            kind,
        }
    }
}

impl VerifyError {
    /// Returns how the content differs.
    pub fn kind(&self) -> VerifyErrorKind {
        self.kind
    }

    /// Returns the digest that was promised.
    pub fn digest(&self) -> &Digest {
        &self.want
    }

    /// Returns how many bytes came.
    pub fn read_bytes(&self) -> u64 {
        self.read
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            want, size, read, ..
        } = self;
        match (&self.got, size) {
            (Some(got), _) => write!(f, "want {want}, got {got} in {read} bytes"),
            (None, Some(size)) => write!(f, "want {want} in {size} bytes, got {read} bytes"),
            (None, None) => write!(f, "want {want}, got {read} bytes"),
        }
    }
}

impl error::Error for VerifyError {}
