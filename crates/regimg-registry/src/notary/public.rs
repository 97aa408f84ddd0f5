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
