//! The digest that names content by what it is.

use std::{error, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256, Sha512};

/// A hash function that names content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, which nearly all content uses.
    Sha256,
    /// SHA-512, the other algorithm that the image specification registers.
    Sha512,
}

/// The digest of some content, such as `sha256:6c3c624b58dbbcd3…`.
///
/// The hexadecimal part is lower-case and of the algorithm's length, as the
/// [image specification] demands; nothing else can be held. Digests order as
/// their text does.
///
/// ```
/// use regimg_core::{Algorithm, Digest};
///
/// # fn main() -> Result<(), regimg_core::ParseDigestError> {
/// let digest = Digest::of(Algorithm::Sha256, b"");
/// assert_eq!(digest, Digest::parse(digest.as_str())?);
/// assert!(digest.hex().starts_with("e3b0c44298fc1c14"));
/// # Ok(())
/// # }
/// ```
///
/// [image specification]: https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#digests
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    text: String,
    algorithm: Algorithm,
}

/// Says why a text is not a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseDigestError {
    input: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    NoColon,
    UnknownAlgorithm(String),
    Length { algorithm: Algorithm, found: usize },
    Character(char),
}

/// Computes a digest from pieces of content.
///
/// ```
/// use regimg_core::{Algorithm, Digest, Hasher};
///
/// let mut hasher = Hasher::new(Algorithm::Sha512);
/// hasher.update(b"one ");
/// hasher.update(b"two");
/// assert_eq!(hasher.finish(), Digest::of(Algorithm::Sha512, b"one two"));
/// ```
#[derive(Clone, Debug)]
pub struct Hasher(State);

#[derive(Clone, Debug)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Algorithm {
    /// Returns the name before the colon: `sha256` or `sha512`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The number of hexadecimal digits after the colon.
    fn hex_len(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }

    fn from_name(name: &str) -> Option<Self> {
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

impl Digest {
    /// Reads `algorithm:hex`.
    ///
    /// # Errors
    ///
    /// Fails for an algorithm other than `sha256` and `sha512`, and for a
    /// hexadecimal part that is upper-case or of another length.
    pub fn parse(digest: &str) -> Result<Self, ParseDigestError> {
        Self::from_text(digest).map_err(|kind| {
            let input = digest.to_owned();
            ParseDigestError { input, kind }
        })
    }

    /// Computes the digest of content that is in memory.
    pub fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(content);
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

    /// Returns the hexadecimal digits, which name the blob's file in an OCI
    /// image layout.
    pub fn hex(&self) -> &str {
        &self.text[self.algorithm.as_str().len() + 1..]
    }

    fn from_text(text: &str) -> Result<Self, Kind> {
        let (name, hex) = text.split_once(':').ok_or(Kind::NoColon)?;
        let algorithm =
            Algorithm::from_name(name).ok_or_else(|| Kind::UnknownAlgorithm(name.to_owned()))?;
        if let Some(found) = hex.chars().find(|c| !matches!(c, '0'..='9' | 'a'..='f')) {
            return Err(Kind::Character(found));
        }
        if hex.len() != algorithm.hex_len() {
            let found = hex.len();
            return Err(Kind::Length { algorithm, found });
        }
        let text = text.to_owned();
        Ok(Self { text, algorithm })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(digest: &str) -> Result<Self, Self::Err> {
        Self::parse(digest)
    }
}

impl AsRef<str> for Digest {
    fn as_ref(&self) -> &str {
        &self.text
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
        Self::parse(&text).map_err(de::Error::custom)
    }
}

impl fmt::Display for ParseDigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid digest {:?}: ", self.input)?;
        match &self.kind {
            Kind::NoColon => f.write_str("a digest reads algorithm:hex, as in sha256:6c3c…"),
            Kind::UnknownAlgorithm(name) => {
                write!(f, "the algorithm {name:?} is neither sha256 nor sha512")
            }
            Kind::Length { algorithm, found } => {
                let want = algorithm.hex_len();
                write!(f, "{algorithm} has {want} hexadecimal digits, not {found}")
            }
            Kind::Character(found) => {
                write!(f, "{found:?} is not a lower-case hexadecimal digit")
            }
        }
    }
}

impl error::Error for ParseDigestError {}

impl Hasher {
    /// Starts with no content.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// Adds the next piece of content.
    pub fn update(&mut self, content: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(content),
            State::Sha512(state) => state.update(content),
        }
    }

    /// Returns the digest of everything added.
    pub fn finish(self) -> Digest {
        match self.0 {
            State::Sha256(state) => from_hash(Algorithm::Sha256, &state.finalize()),
            State::Sha512(state) => from_hash(Algorithm::Sha512, &state.finalize()),
        }
    }
}

fn from_hash(algorithm: Algorithm, hash: &[u8]) -> Digest {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = format!("{algorithm}:");
    for byte in hash {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 0xf)]));
    }
    Digest { text, algorithm }
}
