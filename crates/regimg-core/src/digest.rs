//! Digests as OCI descriptors write them: `sha256:` and 64 lower-case hex digits.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::digest::Digest as _;
use sha2::{Sha256, Sha512};

/// Names a hash algorithm that registries use.
///
/// Source: OCI image specification, `descriptor.md`, "Registered algorithms".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// SHA-256, which every registry has.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// Returns the name that stands before the colon.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Returns how many hex digits follow the colon.
    pub fn hex_length(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Sha512]
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Identifies content by its hash.
///
/// ```
/// use regimg_core::{Algorithm, Digest};
///
/// let empty = Digest::of(Algorithm::Sha256, b"");
/// assert_eq!(empty.as_str(), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
/// assert_eq!(empty, Digest::parse(empty.as_str())?);
/// assert_eq!(
///     Digest::parse("sha256:beef").unwrap_err().to_string(),
///     r#"digest "sha256:beef": sha256 has 64 hex digits, this has 4"#,
/// );
/// # Ok::<(), regimg_core::ParseDigestError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    text: String,
}

impl Digest {
    /// Reads `<algorithm>:<hex>`.
    ///
    /// # Errors
    ///
    /// Another algorithm than SHA-256 and SHA-512, or digits that are too few, too
    /// many, in capitals, or none.
    pub fn parse(text: &str) -> Result<Self, ParseDigestError> {
        let failed = |problem: String| ParseDigestError {
            input: text.to_owned(),
            problem,
        };
        let (name, hex) = text
            .split_once(':')
            .ok_or_else(|| failed("has no algorithm and colon".to_owned()))?;
        let algorithm = Algorithm::named(name).ok_or_else(|| {
            failed(format!(
                "the algorithm {name:?} is neither sha256 nor sha512"
            ))
        })?;
        if let Some(other) = hex.chars().find(|c| !matches!(c, '0'..='9' | 'a'..='f')) {
            return Err(failed(format!("{other:?} is no lower-case hex digit")));
        }
        if hex.len() != algorithm.hex_length() {
            let wanted = algorithm.hex_length();
            return Err(failed(format!(
                "{algorithm} has {wanted} hex digits, this has {}",
                hex.len()
            )));
        }
        Ok(Self {
            algorithm,
            text: text.to_owned(),
        })
    }

    /// Computes the digest of bytes in memory.
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// Returns the whole text, `sha256:…`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the hex digits after the colon.
    pub fn hex(&self) -> &str {
        &self.text[self.algorithm.as_str().len() + 1..]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        Self::parse(text)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Says why a text is no digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseDigestError {
    input: String,
    problem: String,
}

impl fmt::Display for ParseDigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "digest {:?}: {}", self.input, self.problem)
    }
}

impl std::error::Error for ParseDigestError {}

/// Computes a digest from bytes that come in pieces.
#[derive(Clone, Debug)]
pub struct Hasher(State);

#[derive(Clone, Debug)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    /// Starts with no bytes.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(hasher) => hasher.update(bytes),
            State::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// Returns the digest of everything added.
    pub fn finish(self) -> Digest {
        match self.0 {
            State::Sha256(hasher) => write_digest(Algorithm::Sha256, &hasher.finalize()),
            State::Sha512(hasher) => write_digest(Algorithm::Sha512, &hasher.finalize()),
        }
    }
}

fn write_digest(algorithm: Algorithm, hash: &[u8]) -> Digest {
    let mut text = String::with_capacity(algorithm.as_str().len() + 1 + algorithm.hex_length());
    text.push_str(algorithm.as_str());
    text.push(':');
    for byte in hash {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    Digest { algorithm, text }
}
