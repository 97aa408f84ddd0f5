//! Who asks: credentials, challenges and the tokens bought with them.

pub(crate) mod challenge;
pub(crate) mod prover;
#[cfg(any(feature = "acr", feature = "ecr"))]
pub(crate) mod renewal;
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

    /// Returns what nobody may read, as it is and as it is sent.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let pair = |username: &str, secret: &Secret| {
            let both = format!("{username}:{}", secret.expose());
            vec![secret.expose().to_owned(), base64(both.as_bytes())]
        };
        match self {
            Self::Anonymous => Vec::new(),
            Self::Basic { username, password } => pair(username, password),
            Self::IdentityToken(token) => pair(TOKEN_USER, token),
            Self::RegistryToken(token) => vec![token.expose().trim().to_owned()],
        }
    }
}

/// The user name that stands for "the password is a refresh token".
pub(crate) const TOKEN_USER: &str = "<token>";

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

    /// Returns a credential in place of `refused`, which the registry does not take, or does not
    /// take any more. The same one again means that there is no better.
    ///
    /// A source that keeps what it was given should give it up here; the others need not
    /// implement this: they are simply asked again.
    ///
    /// # Errors
    ///
    /// Those of [`credential`](Self::credential).
    fn replacement<'a>(
        &'a self,
        registry: &'a Registry,
        refused: &'a Credential,
    ) -> BoxFuture<'a, Result<Credential, CredentialError>> {
        let _ = refused;
        self.credential(registry)
    }
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

    fn replacement<'a>(
        &'a self,
        registry: &'a Registry,
        refused: &'a Credential,
    ) -> BoxFuture<'a, Result<Credential, CredentialError>> {
        self.as_ref().replacement(registry, refused)
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
pub(crate) fn base64(bytes: &[u8]) -> String {
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

/// Reads the same, with or without padding and blanks.
#[cfg(any(
    feature = "docker-config",
    feature = "acr",
    feature = "ecr",
    feature = "notary"
))]
pub(crate) fn unbase64(text: &str) -> Option<Vec<u8>> {
    let digits = text.bytes().filter(|byte| !byte.is_ascii_whitespace());
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0_u32);
    for digit in digits.take_while(|byte| *byte != b'=') {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    // Six bits alone are no byte.
    (count < 6).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(any(
        feature = "docker-config",
        feature = "acr",
        feature = "ecr",
        feature = "notary"
    ))]
    #[test]
    fn base64_is_read_as_it_is_written() {
        for length in 0..40_u8 {
            let bytes: Vec<u8> = (0..length).map(|byte| byte.wrapping_mul(97)).collect();
            let text = base64(&bytes);
            assert_eq!(unbase64(&text).as_deref(), Some(&bytes[..]));
            assert_eq!(unbase64(text.trim_end_matches('=')), Some(bytes));
        }
        assert_eq!(unbase64("Zg==\n"), Some(b"f".to_vec()));
        assert_eq!(unbase64("Z"), None);
        assert_eq!(unbase64("Z!"), None);
    }

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
