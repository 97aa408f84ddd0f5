//! Private keys, and the names they go by.

use std::fmt;

use regimg_core::Secret;

use crate::{Error, ErrorKind};

/// A private key that signs targets. Clones are cheap.
///
/// What `notary` and `docker trust` keep in their `private` folders, and what OpenSSL makes:
/// ECDSA keys on P-256, in PEM, encrypted or not.
#[derive(Clone)]
pub struct SigningKey {
    id: String,
}

impl SigningKey {
    /// Reads a key of PEM text. The passphrase of a key that is not encrypted is not used.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for a text without a key, a wrong passphrase, and a kind of
    /// key or encryption that is not supported. The error holds nothing of key and passphrase.
    pub fn from_pem(text: &Secret, passphrase: &Secret) -> Result<Self, Error> {
        let _ = (text, passphrase);
        Err(Error::new(ErrorKind::Configuration, "not read"))
    }

    /// Returns the key's canonical ID: 64 hexadecimal digits, which are also the name of its file
    /// (`<id>.key`).
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.id).finish()
    }
}
