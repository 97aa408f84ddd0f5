//! Keys that sign trust data, in the forms in which the files and the owners have them.

use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_ED25519, PublicKeyData, SigningKey, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::document::canonical;
use crate::registry::plain_signature;
use crate::{Digest, base64};

/// A key that signs trust data.
///
/// ```
/// use regimg_tests::notary::Key;
///
/// let key = Key::new();
/// assert_eq!(key.id().len(), 64);
/// assert!(key.encrypted_pem("passphrase").contains("ENCRYPTED PRIVATE KEY"));
/// ```
#[derive(Clone, Debug)]
pub struct Key(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    pair: KeyPair,
    /// The certificate that a signer hands to the owner, once it was asked for.
    certificate: OnceLock<String>,
}

impl Key {
    /// Makes a new P-256 key, as owners and signers have it.
    ///
    /// # Panics
    /// When the system has no randomness.
    #[expect(
        clippy::new_without_default,
        reason = "each is another one, which no default is"
    )]
    pub fn new() -> Self {
        Self::of(&PKCS_ECDSA_P256_SHA256)
    }

    /// Makes a new key of the kind that a server without a signer keeps for itself.
    pub(super) fn of_server() -> Self {
        Self::of(&PKCS_ED25519)
    }

    fn of(algorithm: &'static rcgen::SignatureAlgorithm) -> Self {
        let pair = KeyPair::generate_for(algorithm).expect("the system has randomness");
        let certificate = OnceLock::new();
        Self(Arc::new(Parts { pair, certificate }))
    }

    /// The canonical ID, which names the key's file and is what `repository_key_id` means.
    pub fn id(&self) -> String {
        id(&self.public())
    }

    /// The private key, not encrypted.
    pub fn pem(&self) -> String {
        self.0.pair.serialize_pem()
    }

    /// The private key as the `notary` program keeps it.
    ///
    /// # Panics
    /// When the system has no randomness.
    pub fn encrypted_pem(&self, passphrase: &str) -> String {
        const LABEL: &str = "ENCRYPTED PRIVATE KEY";
        let body = base64::encode(&encrypt(self.0.pair.serialized_der(), passphrase));
        let lines: Vec<&str> = body
            .as_bytes()
            .chunks(64)
            .filter_map(|line| str::from_utf8(line).ok())
            .collect();
        let lines = lines.join("\n");
        format!("-----BEGIN {LABEL}-----\nrole: signer\n\n{lines}\n-----END {LABEL}-----\n")
    }

    /// The certificate by which a delegation names the key.
    pub(super) fn signer_certificate(&self) -> &str {
        let certificate = &self.0.certificate;
        certificate.get_or_init(|| self.certificate("signer"))
    }

    /// A certificate that signed itself; `name` is its common name.
    pub(super) fn certificate(&self, name: &str) -> String {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after = date_time_ymd(2100, 1, 1);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        let certificate = parameters.self_signed(&self.0.pair);
        certificate.expect("the parameters are complete").pem()
    }

    /// The public key as documents have it.
    pub(super) fn public(&self) -> Value {
        if self.0.pair.algorithm() == &PKCS_ED25519 {
            return public("ed25519", self.0.pair.der_bytes());
        }
        public("ecdsa", &self.0.pair.subject_public_key_info())
    }

    /// The method and the signature, numbers of fixed length in place of DER.
    pub(super) fn sign(&self, message: &[u8]) -> (&'static str, Vec<u8>) {
        let signature = self.0.pair.sign(message).expect("the key signs");
        if self.0.pair.algorithm() == &PKCS_ED25519 {
            return ("eddsa", signature);
        }
        ("ecdsa", plain_signature(&signature))
    }
}

/// A certificate as documents have it.
pub(super) fn of_certificate(pem: &str) -> Value {
    public("ecdsa-x509", pem.as_bytes())
}

fn public(kind: &str, bytes: &[u8]) -> Value {
    json!({"keytype": kind, "keyval": {"private": null, "public": base64::encode(bytes)}})
}

/// The ID by which documents name a key.
pub(super) fn id(key: &Value) -> String {
    let digest = Digest::sha256(canonical(key).as_bytes());
    digest.hex().to_owned()
}

/// Says whether a signature is that of a key in a document.
pub(super) fn verifies(key: &Value, message: &[u8], signature: &[u8]) -> bool {
    verify(key, message, signature).is_some()
}

fn verify(key: &Value, message: &[u8], signature: &[u8]) -> Option<()> {
    /// The uncompressed point at the end of a P-256 key.
    const POINT: usize = 65;
    let public = base64::decode(key["keyval"]["public"].as_str()?)?;
    let verified = match key["keytype"].as_str()? {
        "ed25519" => UnparsedPublicKey::new(&ED25519, &public).verify(message, signature),
        "ecdsa" => {
            let point = public.get(public.len().checked_sub(POINT)?..)?;
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
        }
        "ecdsa-x509" => {
            let der = CertificateDer::from_pem_slice(&public).ok()?;
            let (_, certificate) = X509Certificate::from_der(&der).ok()?;
            let point = &certificate.public_key().subject_public_key.data;
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
        }
        _ => return None,
    };
    verified.ok()
}

/// Encrypts as PKCS #5 has it: PBES2 with PBKDF2 of HMAC-SHA-1, 2048 rounds, and AES-256-CBC.
fn encrypt(der: &[u8], passphrase: &str) -> Vec<u8> {
    const ROUNDS: u16 = 2048;
    const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
    const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
    const AES_256_CBC: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a];
    let (mut salt, mut start, mut key) = ([0; 8], [0; 16], [0; 32]);
    for random in [&mut salt[..], &mut start] {
        aws_lc_rs::rand::fill(random).expect("the system has randomness");
    }
    let rounds = NonZeroU32::new(ROUNDS.into()).expect("it is not zero");
    let function = pbkdf2::PBKDF2_HMAC_SHA1;
    pbkdf2::derive(function, rounds, &salt, passphrase.as_bytes(), &mut key);
    let mut content = der.to_vec();
    UnboundCipherKey::new(&AES_256, &key)
        .and_then(PaddedBlockEncryptingKey::cbc_pkcs7)
        .and_then(|key| {
            let start = EncryptionContext::Iv128(FixedLength::from(start));
            key.less_safe_encrypt(&mut content, start)
        })
        .expect("any bytes can be encrypted");
    let rounds = tagged(0x02, &[&ROUNDS.to_be_bytes()]);
    let parameters = tagged(0x30, &[&tagged(0x04, &[&salt]), &rounds]);
    let derivation = tagged(0x30, &[&tagged(0x06, &[PBKDF2]), &parameters]);
    let cipher = [&tagged(0x06, &[AES_256_CBC])[..], &tagged(0x04, &[&start])];
    let scheme = tagged(0x30, &[&derivation, &tagged(0x30, &cipher)]);
    let algorithm = tagged(0x30, &[&tagged(0x06, &[PBES2]), &scheme]);
    tagged(0x30, &[&algorithm, &tagged(0x04, &[&content])])
}

/// A value of DER of fewer than 65536 bytes.
fn tagged(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let [high, low] = u16::try_from(content.len())
        .expect("keys are short")
        .to_be_bytes();
    let head = match (high, low) {
        (0, 0..=0x7f) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [head, content].concat()
}
