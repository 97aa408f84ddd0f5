//! Comparing bytes with what a descriptor says of them, while they pass by.

use std::fmt;

use crate::{Digest, Hasher};

/// Checks bytes that come in pieces against a digest and, if it is known, a size.
///
/// ```
/// use regimg_core::{Algorithm, Digest, VerifyErrorKind, Verifier};
///
/// let digest = Digest::of(Algorithm::Sha256, b"hello");
/// let mut verifier = Verifier::new(&digest, Some(5));
/// verifier.update(b"hel")?;
/// verifier.update(b"lo")?;
/// verifier.finish()?;
///
/// let mut short = Verifier::new(&digest, Some(5));
/// short.update(b"hell")?;
/// assert_eq!(short.finish().unwrap_err().kind(), VerifyErrorKind::TooShort);
/// # Ok::<(), regimg_core::VerifyError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "bytes count as verified only after `finish`"]
pub struct Verifier {
    expected: Digest,
    size: Option<u64>,
    hasher: Hasher,
    read: u64,
}

impl Verifier {
    /// Starts with no bytes. Without a size the digest alone decides.
    pub fn new(expected: &Digest, size: Option<u64>) -> Self {
        let hasher = Hasher::new(expected.algorithm());
        Self {
            expected: expected.clone(),
            size,
            hasher,
            read: 0,
        }
    }

    /// Adds bytes.
    ///
    /// # Errors
    ///
    /// More bytes than the size, at once: nobody needs to read on.
    pub fn update(&mut self, bytes: &[u8]) -> Result<(), VerifyError> {
        self.read = self.read.saturating_add(bytes.len() as u64);
        if self.size.is_some_and(|size| self.read > size) {
            return Err(self.error(VerifyErrorKind::TooLong, None));
        }
        self.hasher.update(bytes);
        Ok(())
    }

    /// Returns how many bytes were added.
    pub fn read_bytes(&self) -> u64 {
        self.read
    }

    /// Compares: the proof that the bytes are the ones that were named.
    ///
    /// # Errors
    ///
    /// Fewer bytes than the size, or another digest.
    pub fn finish(mut self) -> Result<(), VerifyError> {
        if self.size.is_some_and(|size| self.read < size) {
            return Err(self.error(VerifyErrorKind::TooShort, None));
        }
        let algorithm = self.expected.algorithm();
        let actual = std::mem::replace(&mut self.hasher, Hasher::new(algorithm)).finish();
        if actual == self.expected {
            return Ok(());
        }
        Err(self.error(VerifyErrorKind::Digest, Some(actual)))
    }

    fn error(&self, kind: VerifyErrorKind, actual: Option<Digest>) -> VerifyError {
        VerifyError {
            kind,
            expected: self.expected.clone(),
            actual,
            size: self.size,
            read: self.read,
        }
    }
}

/// Tells the ways apart in which bytes can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyErrorKind {
    /// More bytes than the descriptor says.
    TooLong,
    /// Fewer bytes than the descriptor says.
    TooShort,
    /// As many bytes as expected, but others.
    Digest,
}

/// Says how bytes differ from what was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyError {
    kind: VerifyErrorKind,
    expected: Digest,
    actual: Option<Digest>,
    size: Option<u64>,
    read: u64,
}

impl VerifyError {
    /// Returns what is wrong.
    pub fn kind(&self) -> VerifyErrorKind {
        self.kind
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, read, .. } = self;
        let size = self.size.unwrap_or_default();
        match (self.kind, &self.actual) {
            (VerifyErrorKind::TooLong, _) => {
                write!(f, "{expected} is longer than its {size} bytes")
            }
            (VerifyErrorKind::TooShort, _) => {
                write!(f, "{expected} ended after {read} of {size} bytes")
            }
            (VerifyErrorKind::Digest, Some(actual)) => {
                write!(
                    f,
                    "expected {expected}, the {read} bytes that came are {actual}"
                )
            }
            (VerifyErrorKind::Digest, None) => write!(f, "expected {expected}, other bytes came"),
        }
    }
}

impl std::error::Error for VerifyError {}
