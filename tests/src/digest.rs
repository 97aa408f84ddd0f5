//! Content digests, computed here and not by the code under test.

use std::fmt;
use std::io::{self, Read};

use sha2::{Digest as _, Sha256, Sha512};

/// An `algorithm:hex` string, for example `sha256:e3b0…`.
///
/// ```
/// use regimg_tests::Digest;
///
/// let empty = Digest::sha256(b"");
/// assert!(empty.as_str().starts_with("sha256:e3b0c442"));
/// assert_eq!(Digest::parse(empty.as_str()), Some(empty));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

impl Digest {
    /// Hashes `bytes` with SHA-256.
    pub fn sha256(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", hex(&Sha256::digest(bytes))))
    }

    /// Hashes `bytes` with SHA-512.
    pub fn sha512(bytes: &[u8]) -> Self {
        Self(format!("sha512:{}", hex(&Sha512::digest(bytes))))
    }

    /// Takes `text` when it is a digest of a known algorithm and length, in lower case.
    pub fn parse(text: &str) -> Option<Self> {
        let (algorithm, digits) = text.split_once(':')?;
        let length = match algorithm {
            "sha256" => 64,
            "sha512" => 128,
            _ => return None,
        };
        let lower_hex = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        (digits.len() == length && digits.bytes().all(lower_hex)).then(|| Self(text.to_owned()))
    }

    /// The whole digest, `algorithm:hex`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the colon.
    pub fn algorithm(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }

    /// What stands after the colon.
    pub fn hex(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }

    /// Says whether everything that `reader` gives has this digest.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn matches(&self, reader: impl Read) -> io::Result<bool> {
        let found = match self.algorithm() {
            "sha512" => hash::<Sha512>(reader)?,
            _ => hash::<Sha256>(reader)?,
        };
        Ok(found == self.hex())
    }

    /// Hashes everything that `reader` gives with SHA-256.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn sha256_of(reader: impl Read) -> io::Result<Self> {
        Ok(Self(format!("sha256:{}", hash::<Sha256>(reader)?)))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl AsRef<str> for Digest {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

fn hash<H: sha2::Digest>(mut reader: impl Read) -> io::Result<String> {
    let mut hasher = H::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).expect("four bits are a digit");
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(
            Digest::sha256(b"abc").as_str(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(Digest::sha512(b"abc").hex().starts_with("ddaf35a193617aba"));
        assert!(Digest::sha512(b"abc").matches(&b"abc"[..]).unwrap());
        assert!(!Digest::sha256(b"abc").matches(&b"abd"[..]).unwrap());
    }

    #[test]
    fn only_whole_lower_case_digests_parse() {
        let good = Digest::sha256(b"");
        for bad in [
            "",
            "sha256:",
            "sha256:00",
            "md5:00",
            &good.as_str().to_uppercase(),
        ] {
            assert_eq!(Digest::parse(bad), None, "{bad}");
        }
        assert_eq!(good.algorithm(), "sha256");
        assert_eq!(good.hex().len(), 64);
    }
}
