//! Who asks: credentials, challenges and the tokens bought with them.

pub(crate) mod challenge;
pub(crate) mod prover;
pub(crate) mod reply;
pub(crate) mod scope;
pub(crate) mod token;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::HeaderValue;
use regimg_core::{Registry, Secret};

use crate::{Error, ErrorKind};

/// What to present to a registry. It goes to that registry, or to the token server that the
/// registry names over the same kind of connection, and nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Nothing. Registries that ask for a token get an anonymous one.
    Anonymous,
    /// A name and a password, sent as Basic or exchanged for a bearer token.
    Basic {
        /// The name, for example `AWS` or `_json_key`.
        username: String,
        /// The password, or what the registry takes in its place.
        password: Secret,
    },
    /// A refresh token, exchanged for bearer tokens
    /// ([token oauth](https://distribution.github.io/distribution/spec/auth/oauth/)).
    IdentityToken(Secret),
    /// A bearer token of the registry itself, sent as it is.
    RegistryToken(Secret),
}

impl Credential {
    /// Reports whether there is nothing to present.
    pub fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous)
    }

    /// Returns what nobody may read.
    pub(crate) fn secrets(&self) -> Option<&str> {
        match self {
            Self::Anonymous => None,
            Self::Basic { password, .. } => Some(password.expose()),
            Self::IdentityToken(token) | Self::RegistryToken(token) => Some(token.expose()),
        }
    }
}

/// Any error of a [`CredentialSource`].
pub type CredentialError = Box<dyn std::error::Error + Send + Sync>;

/// Produces the credential for a registry, asked once before the first request, and again when
/// the registry refused the one before: if it is another one by now, the request is sent again.
///
/// Implemented by [`Credential`] itself; others may have to ask a cloud for it.
pub trait CredentialSource: Send + Sync {
    /// Returns the credential for `registry`.
    ///
    /// # Errors
    ///
    /// Whatever went wrong; the request fails with [`ErrorKind::Credential`](crate::ErrorKind::Credential)
    /// and this as its source.
    fn credential<'a>(
        &'a self,
        registry: &'a Registry,
    ) -> BoxFuture<'a, Result<Credential, CredentialError>>;
}

impl CredentialSource for Credential {
    fn credential<'a>(
        &'a self,
        _registry: &'a Registry,
    ) -> BoxFuture<'a, Result<Credential, CredentialError>> {
        Box::pin(async { Ok(self.clone()) })
    }
}

impl<T: CredentialSource + ?Sized> CredentialSource for Arc<T> {
    fn credential<'a>(
        &'a self,
        registry: &'a Registry,
    ) -> BoxFuture<'a, Result<Credential, CredentialError>> {
        self.as_ref().credential(registry)
    }
}

/// Makes the value of a Basic `Authorization` header ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)).
pub(crate) fn basic(username: &str, password: &Secret) -> Result<HeaderValue, Error> {
    if username.contains(':') {
        // The server could not tell where the name ends.
        return Err(Error::new(
            ErrorKind::Credential,
            "the user name holds a colon",
        ));
    }
    let encoded = base64(format!("{username}:{}", password.expose()).as_bytes());
    let mut value = HeaderValue::from_str(&format!("Basic {encoded}"))
        .expect("base64 is ASCII without controls");
    value.set_sensitive(true);
    Ok(value)
}

/// Makes the value of a Bearer `Authorization` header of a token that the user gave.
pub(crate) fn bearer(token: &Secret) -> Result<HeaderValue, Error> {
    let message = "the registry token holds characters that no header may carry";
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose().trim()))
        .map_err(|_| Error::new(ErrorKind::Credential, message))?;
    value.set_sensitive(true);
    Ok(value)
}

/// [RFC 4648](https://www.rfc-editor.org/rfc/rfc4648#section-4), padded.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |position: usize| u32::from(group.get(position).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for position in 0..4 {
            let sextet = (bits >> (18 - 6 * position)) & 0x3f;
            let padding = position > group.len();
            text.push(if padding {
                '='
            } else {
                char::from(ALPHABET[sextet as usize])
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_the_rfc() {
        let cases = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, wanted) in cases {
            assert_eq!(base64(plain.as_bytes()), wanted);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn headers_are_safe() {
        let header = basic("Aladdin", &Secret::new("open sesame")).unwrap();
        assert_eq!(
            header.to_str().unwrap(),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
        assert!(!format!("{header:?}").contains("QWxh"));
        assert_eq!(
            basic("a:b", &Secret::new("c")).unwrap_err().kind(),
            ErrorKind::Credential
        );
        assert_eq!(bearer(&Secret::new("token\n")).unwrap(), "Bearer token");
        assert_eq!(
            bearer(&Secret::new("to\nken")).unwrap_err().kind(),
            ErrorKind::Credential
        );
    }
}
