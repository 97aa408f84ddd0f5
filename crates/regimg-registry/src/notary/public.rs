//! Public keys: the names they go by, and what they signed.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA256_ASN1, ECDSA_P521_SHA256_FIXED, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};

use super::canonical;
use super::certificate;
use super::document::{Key, Signature};

/// The kinds of keys that sign, certificates aside.
pub(super) const ECDSA: &str = "ecdsa";
pub(super) const RSA: &str = "rsa";
pub(super) const ED25519_KEY: &str = "ed25519";

/// Bytes of a signature by a key of 384 bits: two numbers.
const P384_SIGNATURE: usize = 96;

impl Key {
    /// Returns the name that the key has in documents.
    pub(super) fn id(&self) -> String {
        let canonical = canonical::to_vec(self);
        hex(&sha256(&canonical.unwrap_or_default()))
    }

    /// Takes the key out of its certificate, if it is in one.
    pub(super) fn bare(&self) -> Option<Self> {
        let Some(kind) = self.keytype.strip_suffix("-x509") else {
            return Some(self.clone());
        };
        let is_known = matches!(kind, ECDSA | RSA);
        let public = certificate::public_key(self.public()).filter(|_| is_known)?;
        Some(Self::new(kind, public))
    }

    pub(super) fn is_certificate(&self) -> bool {
        self.keytype.ends_with("-x509")
    }

    /// Says whether the signature is one of this key, over `signed`.
    pub(super) fn has_signed(&self, signed: &[u8], signature: &Signature) -> bool {
        let Some(key) = self.bare() else {
            return false;
        };
        let mut bytes = signature.sig.0.clone();
        let method = signature.method.to_ascii_lowercase();
        let algorithm: &'static dyn VerificationAlgorithm =
            match (key.keytype.as_str(), method.as_str(), bytes.len()) {
                (ECDSA, "ecdsa", 64) => &ECDSA_P256_SHA256_FIXED,
                (ECDSA, "ecdsa", P384_SIGNATURE) => {
                    bytes = asn1(&bytes);
                    &ECDSA_P384_SHA256_ASN1
                }
                (ECDSA, "ecdsa", 132) => &ECDSA_P521_SHA256_FIXED,
                (RSA, "rsapss", _) => &RSA_PSS_2048_8192_SHA256,
                (RSA, "rsapkcs1v15", _) => &RSA_PKCS1_2048_8192_SHA256,
                (ED25519_KEY, "eddsa", _) => &ED25519,
                _ => return false,
            };
        let key = UnparsedPublicKey::new(algorithm, key.public());
        key.verify(signed, &bytes).is_ok()
    }
}

/// Writes the two numbers of a signature as the library wants them where it has no fixed form:
/// a DER sequence of two integers. They are short enough for lengths of one byte.
fn asn1(fixed: &[u8]) -> Vec<u8> {
    let (r, s) = fixed.split_at(fixed.len() / 2);
    let mut numbers = Vec::new();
    for number in [r, s] {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let digits = &number[zeros.min(number.len() - 1)..];
        let sign = usize::from(digits[0] & 0x80 != 0);
        numbers.extend([2, byte(digits.len() + sign)]);
        numbers.extend(&[0][..sign]);
        numbers.extend(digits);
    }
    let mut sequence = vec![0x30, byte(numbers.len())];
    sequence.extend(numbers);
    sequence
}

fn byte(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

pub(super) fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    let pair = |byte: &u8| [digit(byte >> 4), digit(byte & 0xf)];
    bytes.iter().flat_map(pair).collect()
}

pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pair = |pair: &[u8]| {
        let &[high, low] = pair else { return None };
        u8::try_from(digit(high)? * 16 + digit(low)?).ok()
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::super::document::Bytes;
    use super::*;
    use crate::auth::unbase64;

    const P384: &str = "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEN2wzsDynroUoWYC9AVs835AXAdPyYYeSBJFNTT2r1io5AfUQpSRYTojXf21/gHge0bjuvnXm7HNBjuxaUgnPjvvY9knmKCV89oGJcJitgyGzMusgvRI3eSGDIzf7E/WP";
    const P521: &str = "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBgqN7NJsFLQlILNnQOcpsxMBMTV7WhbUtfBhwfYJSQ8iIVHPI6ANU8krEoQvXPy4PQEEPgKXx4W7zy4NF8WXMYd4AljGEBsr5b1mDXmelegd6M6AizqMEyE8j8eW/HFimRGLm9URcJlk8p3jLBmzyiG72jYLUhAak9dKn9tmmVdOxnOI=";
    const RSA_KEY: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAviSQtsDX0OZ5r4bcQSiEjHqPyDIMYl88Wv025OfWs5IHMdGW0Abx0bxBAgZS3wAq7TJv1bwhhCnTwpjPuoLXMvfBjPDX4oSPGH11ygnSWL2Q4G3L64BlQcuEINFAjFDXAVegAoZVc+nOxlkh2f/qdmVpXwwflsCQqqvllYTxbxvi4siBblLjpmkGhPoP9uEkvh8f6HTc4kaw+e7QkZOz2O3Y1UZ6nbayhnOfvG+xQr3+uWeUY3D2kz7j/AGe/nHwbVZ+3WzvNn/ZA2Po6IPBiXwpWqTZOsgDv07afflG15zNrBnnxpmCmJY0xrNCToGgBWI0AXGsZ+x1jam6POnInwIDAQAB";

    /// Made by OpenSSL, the two numbers of ECDSA put side by side: of P-384 one with a first byte
    /// above 127 in its second number, and one that begins with a zero.
    const SIGNATURES: [(&str, &str, &str, &str); 4] = [
        (
            ECDSA,
            P384,
            "ecdsa",
            "LedglY4PEyHgnSpdRrlaLulr/Ff4inAygFXOAdYelZVaM/G7IdA6WP88GP6QN0wnpDhq2ukPMbmgUfuYOHgqG2MI3u/7SMo5q0D3rbLEJCkVwYz3sfL5WVVJGFVJHZEh",
        ),
        (
            ECDSA,
            P384,
            "ECDSA",
            "APfIom/17HjaMonzukN7noBf7asLK2ORaaNHtpbSVzA7g9yXhtXJKgU9H0Pl8dLfpOmNOzEZbz7AuOLIuoMJKtfzktvWsX3Q+P8Mw2649i/jUlxBcYVBiCDCvOTpmWNj",
        ),
        (
            ECDSA,
            P521,
            "ecdsa",
            "AOuEs91NQJMXd9u1KbJrzf7AdXOj/xKjoG17g/5oBOBXZ0FF4DV6YJGkmG10LZt7gfMqRXTFicHxEbV29QkIo6pXAE5quy2Xl30ILC/0HIb0NQkz1Jn0NBI6yzrBB+cGu5gtZgrMwIQ8KWtI1lAJPsz/X8pMFxKOSrilrjrti4uHAHdl",
        ),
        (
            RSA,
            RSA_KEY,
            "rsapkcs1v15",
            "flJcBNcIoDxi/lUtDikd7o/gD3ksx4pQ27rzrNnQndkvL1AJPfPPmUeA/IkkWxF7B+oVDT80VGM+eiqi7mYbD5/Mp4wfZm6PDhG3cez1NPf/Et3b7d7MvCkMAsxdDAu93MgTxjgYilB13B7OoGazE6Nn4LmH7Um2GRYbIT0HIKf+lMe8FL3g4+/KSjcXGMlDrtA7zLKCVjq9JLCP/cpYhznXgTwOnVFjbvVex+UHupLohMQ/hrWr9XwGlZ3jLrLm6wpCQlJc4IjgxvxLo4f7IWis2ejBXUGC+MUqXTsT0k/wq5hI2wCGtEEN2+WRICFMupIQGmgCSaRWEk9t9I7eEA==",
        ),
    ];

    #[test]
    fn signatures_of_kinds_that_only_others_make() {
        for (kind, public, method, text) in SIGNATURES {
            let key = Key::new(kind, unbase64(public).unwrap());
            let signature = |method: &str, bytes: Vec<u8>| Signature {
                keyid: key.id(),
                method: method.to_owned(),
                sig: Bytes(bytes),
            };
            let bytes = unbase64(text).unwrap();
            let good = signature(method, bytes.clone());
            assert!(key.has_signed(b"message", &good), "{text}");
            assert!(!key.has_signed(b"massage", &good));
            for other in ["rsapss", "eddsa", "ecdsa-x509", ""] {
                assert!(!key.has_signed(b"message", &signature(other, bytes.clone())));
            }
            for at in 0..bytes.len() {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1;
                assert!(!key.has_signed(b"message", &signature(method, bytes)));
            }
            for length in [0, 1, 64, 96, 132, bytes.len() - 1] {
                let zeros = signature(method, vec![0; length]);
                assert!(!key.has_signed(b"message", &zeros));
            }
        }
    }
}
