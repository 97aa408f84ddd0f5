//! Files with a private key: PEM of every age, encrypted or not.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use md5::{Digest as _, Md5};
use pem::Pem;

use super::der::{Der, oid};
use super::public::unhex;
use crate::transport::pem::missing_key;

/// Rounds of a key derivation beyond which nobody would wait.
const MOST_ROUNDS: u32 = 10_000_000;

/// What a file holds, decrypted.
pub(super) enum Content {
    /// PKCS #8, the algorithm's key in it.
    Pkcs8(Vec<u8>),
    /// SEC 1: an ECDSA key.
    Sec1(Vec<u8>),
    /// PKCS #1: an RSA key.
    Pkcs1(Vec<u8>),
    /// The public and the private key of `notary`, one after the other.
    Ed25519(Vec<u8>),
}

/// What is wrong with a file. Nothing of it is repeated.
pub(super) type Why = &'static str;

const WRONG: Why = "the passphrase is wrong, or the key is damaged";
const DAMAGED: Why = "the private key is damaged";

/// Reads the first private key of a text.
pub(super) fn read(text: &str, passphrase: &str) -> Result<Content, Why> {
    // Blanks around a line, which a YAML file may have lent it, would join headers to what follows.
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let blocks = pem::parse_many(lines.join("\n")).map_err(|_| missing_key(text))?;
    let is_key = |block: &Pem| block.tag().ends_with("PRIVATE KEY");
    let block = blocks
        .into_iter()
        .find(is_key)
        .ok_or_else(|| missing_key(text))?;
    let plain = match block.headers().get("Proc-Type") {
        Some(kind) if kind.contains("ENCRYPTED") => openssl(&block, passphrase)?,
        _ => block.contents().to_vec(),
    };
    Ok(match block.tag() {
        "ENCRYPTED PRIVATE KEY" => Content::Pkcs8(pkcs8(&plain, passphrase)?),
        "PRIVATE KEY" => Content::Pkcs8(plain),
        "EC PRIVATE KEY" => Content::Sec1(plain),
        "RSA PRIVATE KEY" => Content::Pkcs1(plain),
        "ED25519 PRIVATE KEY" => Content::Ed25519(plain),
        _ => return Err("the private key is in a format that is not supported"),
    })
}

/// Decrypts `EncryptedPrivateKeyInfo`
/// ([RFC 8018, appendix A](https://www.rfc-editor.org/rfc/rfc8018#appendix-A)).
fn pkcs8(der: &[u8], passphrase: &str) -> Result<Vec<u8>, Why> {
    let parameters = Parameters::read(der).ok_or(DAMAGED)??;
    let rounds = NonZeroU32::new(parameters.rounds).filter(|rounds| rounds.get() <= MOST_ROUNDS);
    let rounds = rounds.ok_or("the private key wants too many rounds to be decrypted")?;
    let mut key = vec![0; key_length(parameters.cipher)];
    let passphrase = needed(passphrase)?.as_bytes();
    pbkdf2::derive(
        parameters.hash,
        rounds,
        parameters.salt,
        passphrase,
        &mut key,
    );
    decrypted(parameters.cipher, &key, parameters.iv, parameters.encrypted)
}

/// How a key is encrypted.
struct Parameters<'a> {
    hash: pbkdf2::Algorithm,
    salt: &'a [u8],
    rounds: u32,
    cipher: &'static Algorithm,
    iv: &'a [u8],
    encrypted: &'a [u8],
}

impl<'a> Parameters<'a> {
    /// Returns `None` for what is damaged, and why for what is not supported.
    fn read(der: &'a [u8]) -> Option<Result<Self, Why>> {
        let mut outer = Der(der).sequence()?;
        let mut scheme = outer.sequence()?;
        let encrypted = outer.octets()?;
        if scheme.oid()? != oid::PBES2 {
            return Some(Err(
                "the private key is encrypted by other means than PBES2",
            ));
        }
        let mut scheme = scheme.sequence()?;
        let mut derivation = scheme.sequence()?;
        let mut encryption = scheme.sequence()?;
        if derivation.oid()? != oid::PBKDF2 {
            return Some(Err(
                "the private key's passphrase is derived by other means than PBKDF2",
            ));
        }
        let mut derivation = derivation.sequence()?;
        let (salt, rounds) = (derivation.octets()?, derivation.number()?);
        // The key's length may stand here, and is that of the cipher anyway.
        let mut ahead = derivation;
        if ahead.number().is_some() {
            derivation = ahead;
        }
        let hash = if derivation.is_empty() {
            oid::HMAC_SHA1
        } else {
            derivation.sequence()?.oid()?
        };
        let hash = match hash {
            oid::HMAC_SHA1 => pbkdf2::PBKDF2_HMAC_SHA1,
            oid::HMAC_SHA256 => pbkdf2::PBKDF2_HMAC_SHA256,
            oid::HMAC_SHA384 => pbkdf2::PBKDF2_HMAC_SHA384,
            oid::HMAC_SHA512 => pbkdf2::PBKDF2_HMAC_SHA512,
            _ => {
                return Some(Err(
                    "the private key's passphrase is hashed by an unknown algorithm",
                ));
            }
        };
        let cipher = match encryption.oid()? {
            oid::AES_128_CBC => &AES_128,
            oid::AES_192_CBC => &AES_192,
            oid::AES_256_CBC => &AES_256,
            _ => return Some(Err(OTHER_CIPHER)),
        };
        Some(Ok(Self {
            hash,
            salt,
            rounds,
            cipher,
            iv: encryption.octets()?,
            encrypted,
        }))
    }
}

const OTHER_CIPHER: Why = "the private key is encrypted by another cipher than AES-CBC, which is not supported: encrypt it anew with `openssl pkcs8 -topk8 -v2 aes-256-cbc`";

/// Decrypts what OpenSSL wrote before PKCS #8, and `notary` before 0.6: the key is MD5 over
/// passphrase and salt, again and again until it is long enough (`EVP_BytesToKey` of one round).
fn openssl(block: &Pem, passphrase: &str) -> Result<Vec<u8>, Why> {
    let how = block.headers().get("DEK-Info").ok_or(DAMAGED)?;
    let (cipher, iv) = how.split_once(',').ok_or(DAMAGED)?;
    let cipher = match cipher.trim() {
        "AES-128-CBC" => &AES_128,
        "AES-192-CBC" => &AES_192,
        "AES-256-CBC" => &AES_256,
        _ => return Err(OTHER_CIPHER),
    };
    let iv = unhex(iv.trim()).ok_or(DAMAGED)?;
    let salt = iv.get(..8).ok_or(DAMAGED)?;
    let passphrase = needed(passphrase)?;
    let length = key_length(cipher);
    let mut key: Vec<u8> = Vec::with_capacity(length + 16);
    while key.len() < length {
        let mut hash = Md5::new();
        hash.update(&key[key.len().saturating_sub(16)..]);
        hash.update(passphrase);
        hash.update(salt);
        key.extend(hash.finalize());
    }
    decrypted(cipher, &key[..length], &iv, block.contents())
}

fn needed(passphrase: &str) -> Result<&str, Why> {
    if passphrase.is_empty() {
        return Err("the private key is encrypted, and no passphrase is given");
    }
    Ok(passphrase)
}

fn key_length(cipher: &'static Algorithm) -> usize {
    if cipher == &AES_128 {
        16
    } else if cipher == &AES_192 {
        24
    } else {
        32
    }
}

fn decrypted(
    cipher: &'static Algorithm,
    key: &[u8],
    iv: &[u8],
    encrypted: &[u8],
) -> Result<Vec<u8>, Why> {
    let iv = FixedLength::<16>::try_from(iv).map_err(|_| DAMAGED)?;
    let key = UnboundCipherKey::new(cipher, key).map_err(|_| DAMAGED)?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(|_| DAMAGED)?;
    let mut text = encrypted.to_vec();
    let plain = key.decrypt(&mut text, DecryptionContext::Iv128(iv));
    let plain = plain.map_err(|_| WRONG)?.to_vec();
    // One wrong passphrase in 256 leaves a padding that looks right.
    if Der(&plain).sequence().is_none() {
        return Err(WRONG);
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value, none longer than 127 bytes.
    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        [&[tag, u8::try_from(content.len()).unwrap()], &content[..]].concat()
    }

    /// A key that takes so many rounds to be decrypted.
    fn key_of(rounds: &[u8]) -> String {
        let (sequence, octets) = (0x30, 4);
        let rounds = der(sequence, &[&der(octets, &[&[0; 8]]), &der(2, &[rounds])]);
        let derivation = der(sequence, &[&der(6, &[oid::PBKDF2]), &rounds]);
        let iv = der(octets, &[&[0; 16]]);
        let encryption = der(sequence, &[&der(6, &[oid::AES_128_CBC]), &iv]);
        let scheme = der(sequence, &[&derivation, &encryption]);
        let scheme = der(sequence, &[&der(6, &[oid::PBES2]), &scheme]);
        let content = der(sequence, &[&scheme, &der(octets, &[&[0; 32]])]);
        pem::encode(&Pem::new("ENCRYPTED PRIVATE KEY", content))
    }

    #[test]
    fn nobody_waits_for_rounds_without_end() {
        const TOO_MANY: Why = "the private key wants too many rounds to be decrypted";
        for (rounds, wanted) in [
            (&[8, 0][..], WRONG),
            (&[0], TOO_MANY),
            (&[0, 0x98, 0x96, 0x81], TOO_MANY),
            (&[0x7f, 0xff, 0xff, 0xff], TOO_MANY),
            (&[0, 0xff, 0xff, 0xff, 0xff], TOO_MANY),
            (&[1, 0, 0, 0, 0], DAMAGED),
            (&[0xff], DAMAGED),
            (&[], DAMAGED),
        ] {
            assert_eq!(read(&key_of(rounds), "passphrase").err(), Some(wanted));
        }
    }
}
