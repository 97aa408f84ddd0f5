//! As much of DER as key files need: one value after the other.

use x509_parser::asn1_rs::{Any, Class, FromDer as _, Tag};

/// Object identifiers, encoded.
pub(super) mod oid {
    pub(in crate::notary) const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    pub(in crate::notary) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    pub(in crate::notary) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    pub(in crate::notary) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
    /// 1.3.6.1.4.1.11591.15.1, under which `notary` keeps such keys.
    pub(in crate::notary) const OLD_ED25519: &[u8] = &[0x2b, 6, 1, 4, 1, 0xda, 0x47, 0x0f, 1];
    pub(in crate::notary) const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
    pub(in crate::notary) const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
    pub(in crate::notary) const HMAC_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 7];
    pub(in crate::notary) const HMAC_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 9];
    pub(in crate::notary) const HMAC_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 10];
    pub(in crate::notary) const HMAC_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 11];
    pub(in crate::notary) const AES_128_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2];
    pub(in crate::notary) const AES_192_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 22];
    pub(in crate::notary) const AES_256_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42];
}

/// What is left to read.
#[derive(Clone, Copy)]
pub(super) struct Der<'a>(pub(super) &'a [u8]);

impl<'a> Der<'a> {
    fn any(&mut self) -> Option<Any<'a>> {
        let (rest, value) = Any::from_der(self.0).ok()?;
        self.0 = rest;
        Some(value)
    }

    fn value(&mut self, tag: Tag) -> Option<&'a [u8]> {
        let value = self.any()?;
        (value.tag() == tag).then_some(value.data)
    }

    pub(super) fn sequence(&mut self) -> Option<Der<'a>> {
        self.value(Tag::Sequence).map(Der)
    }

    pub(super) fn oid(&mut self) -> Option<&'a [u8]> {
        self.value(Tag::Oid)
    }

    pub(super) fn octets(&mut self) -> Option<&'a [u8]> {
        self.value(Tag::OctetString)
    }

    /// Reads a whole number that is not negative and not large.
    pub(super) fn number(&mut self) -> Option<u32> {
        let bytes = self.value(Tag::Integer)?;
        let is_negative = bytes.first().is_none_or(|byte| byte & 0x80 != 0);
        let digits = bytes.iter().skip_while(|byte| **byte == 0);
        if is_negative || digits.clone().count() > 4 {
            return None;
        }
        Some(digits.fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// Reads what stands in `[tag]`, if that comes next.
    pub(super) fn tagged(&mut self, tag: u32) -> Option<Der<'a>> {
        let mut ahead = *self;
        let value = ahead.any()?;
        let is_it = value.class() == Class::ContextSpecific && value.tag() == Tag(tag);
        is_it.then(|| {
            *self = ahead;
            Der(value.data)
        })
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}
