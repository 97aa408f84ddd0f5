//! Private keys, and the names they go by.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PSS_SHA256,
    RsaKeyPair,
};
use regimg_core::Secret;

use super::der::{Der, oid};
use super::document::{Bytes, Key, Signature};
use super::key_file::{self, Content, Why};
use super::public;
use crate::{Error, ErrorKind};

/// A private key that signs targets. Clones are cheap.
///
/// It is what `notary` and `docker trust` keep in their `private` folders, and what OpenSSL makes:
///
/// | | Supported |
/// | --- | --- |
/// | Kinds | ECDSA on P-256, RSA of 2048 to 8192 bits, Ed25519; not ECDSA on other curves |
/// | PEM | `ENCRYPTED PRIVATE KEY`, `PRIVATE KEY`, `EC PRIVATE KEY`, `RSA PRIVATE KEY` and `notary`'s `ED25519 PRIVATE KEY`, with any headers |
/// | Encryption | PBES2 with PBKDF2 and AES-CBC, and OpenSSL's older one with AES-CBC; not DES, not scrypt |
#[derive(Clone)]
pub struct SigningKey(Arc<Inner>);

struct Inner {
    id: String,
    pair: Pair,
    /// What nobody may read, should an answer repeat it.
    secrets: [Secret; 2],
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// Reads the first key of a PEM text. The passphrase of a key that is not encrypted is not used.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for a text without a key, a wrong passphrase, and a kind of
    /// key or encryption that is not supported. The error holds nothing of key and passphrase.
    pub fn from_pem(text: &Secret, passphrase: &Secret) -> Result<Self, Error> {
        let content = key_file::read(text.expose(), passphrase.expose());
        let pair = content.and_then(|content| Pair::read(&content));
        let pair = pair.map_err(|why| Error::new(ErrorKind::Configuration, why))?;
        let public = pair
            .public()
            .ok_or_else(|| Error::new(ErrorKind::Configuration, DAMAGED))?;
        Ok(Self(Arc::new(Inner {
            id: public.id(),
            pair,
            secrets: [text.clone(), passphrase.clone()],
        })))
    }

    /// Returns the key's canonical ID: 64 hexadecimal digits, which are also the name of its file
    /// (`<id>.key`).
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Signs in the name of `keyid`, which this key may have in a document.
    pub(super) fn sign(&self, keyid: &str, message: &[u8]) -> Result<Signature, Error> {
        let (method, signed) = self.0.pair.sign(message);
        let sig = signed.map_err(|_| {
            let message = format!("the key {} cannot sign", self.id());
            Error::new(ErrorKind::Configuration, message)
        })?;
        Ok(Signature {
            keyid: keyid.to_owned(),
            method: method.to_owned(),
            sig: Bytes(sig),
        })
    }

    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.0.secrets.iter().map(Secret::expose)
    }
}

const DAMAGED: Why = "the private key is damaged";
const OTHER_CURVE: Why = "the private key is on another curve than P-256, which is not supported";

impl Pair {
    fn read(content: &Content) -> Result<Self, Why> {
        match content {
            Content::Pkcs8(der) => Self::of_pkcs8(der),
            Content::Sec1(der) => Self::of_sec1(der),
            Content::Pkcs1(der) => Self::of_pkcs1(der),
            Content::Ed25519(both) => Self::of_both(both),
        }
    }

    /// The version is not looked at: `notary` writes one that announces a public key, and none
    /// ([RFC 5958, section 2](https://www.rfc-editor.org/rfc/rfc5958#section-2)).
    fn of_pkcs8(der: &[u8]) -> Result<Self, Why> {
        let read = || {
            let mut info = Der(der).sequence()?;
            info.number()?;
            let mut algorithm = info.sequence()?;
            Some((algorithm.oid()?, algorithm.oid(), info.octets()?))
        };
        let (algorithm, curve, key) = read().ok_or(DAMAGED)?;
        match algorithm {
            oid::EC_PUBLIC_KEY if curve == Some(oid::P256) => {
                let pair =
                    EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, key)
                        .or_else(|_| {
                            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
                        });
                pair.map(Self::Ecdsa).map_err(|_| DAMAGED)
            }
            oid::EC_PUBLIC_KEY => Err(OTHER_CURVE),
            oid::RSA => Self::of_pkcs1(key),
            oid::ED25519 => {
                let seed = Der(key).octets().ok_or(DAMAGED)?;
                Self::of_seed(seed, None)
            }
            oid::OLD_ED25519 => Self::of_both(key),
            _ => Err("the private key is of a kind that is not supported"),
        }
    }

    fn of_sec1(der: &[u8]) -> Result<Self, Why> {
        let curve = || {
            let mut key = Der(der).sequence()?;
            key.number()?;
            key.octets()?;
            key.tagged(0)?.oid()
        };
        if curve().is_some_and(|curve| curve != oid::P256) {
            return Err(OTHER_CURVE);
        }
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der);
        pair.map(Self::Ecdsa).map_err(|_| DAMAGED)
    }

    fn of_pkcs1(der: &[u8]) -> Result<Self, Why> {
        let pair = RsaKeyPair::from_der(der);
        pair.map(Self::Rsa)
            .map_err(|_| "the RSA key is damaged, or not of 2048 to 8192 bits")
    }

    /// Takes the public key, the seed and the public key once more, as Go keeps them.
    fn of_both(both: &[u8]) -> Result<Self, Why> {
        match both.len() {
            96 => Self::of_seed(&both[32..64], Some(&both[..32])),
            _ => Err(DAMAGED),
        }
    }

    fn of_seed(seed: &[u8], public: Option<&[u8]>) -> Result<Self, Why> {
        if seed.len() != 32 {
            return Err(DAMAGED);
        }
        let pair = match public {
            Some(public) => Ed25519KeyPair::from_seed_and_public_key(seed, public),
            None => Ed25519KeyPair::from_seed_unchecked(seed),
        };
        pair.map(Self::Ed25519).map_err(|_| DAMAGED)
    }

    fn public(&self) -> Option<Key> {
        let der: PublicKeyX509Der<'_> = match self {
            Self::Ecdsa(pair) => pair.public_key().as_der().ok()?,
            Self::Rsa(pair) => pair.public_key().as_der().ok()?,
            Self::Ed25519(pair) => {
                let public = pair.public_key().as_ref().to_vec();
                return Some(Key::new(public::ED25519_KEY, public));
            }
        };
        let kind = match self {
            Self::Rsa(_) => public::RSA,
            _ => public::ECDSA,
        };
        Some(Key::new(kind, der.as_ref().to_vec()))
    }

    fn sign(
        &self,
        message: &[u8],
    ) -> (&'static str, Result<Vec<u8>, aws_lc_rs::error::Unspecified>) {
        let random = SystemRandom::new();
        match self {
            Self::Ecdsa(pair) => {
                let signed = pair.sign(&random, message);
                ("ecdsa", signed.map(|signature| signature.as_ref().to_vec()))
            }
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let signed = pair.sign(&RSA_PSS_SHA256, &random, message, &mut signature);
                ("rsapss", signed.map(|()| signature))
            }
            Self::Ed25519(pair) => ("eddsa", Ok(pair.sign(message).as_ref().to_vec())),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.0.id).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSPHRASE: &str = "delegation-passphrase";
    const DELEGATION: &str = "95e64beba4fdad59a4ba17ebe30996a1568b0333cb7892bf01b551a0dcd050e5";

    macro_rules! vector {
        ($name:literal) => {
            include_str!(concat!("../../tests/vectors/notary/", $name))
        };
    }

    fn read(text: &str, passphrase: &str) -> Result<SigningKey, Error> {
        SigningKey::from_pem(&text.into(), &passphrase.into())
    }

    #[test]
    fn one_key_in_all_its_files() {
        for (name, text) in [
            ("SEC 1", vector!("deleg.pem")),
            ("PKCS #8", vector!("deleg-p8-plain.pem")),
            ("with a header", vector!("deleg-p8-plain-headers.pem")),
        ] {
            for passphrase in ["", PASSPHRASE, "another"] {
                assert_eq!(read(text, passphrase).unwrap().id(), DELEGATION, "{name}");
            }
        }
        for (name, text) in [
            ("of notary", vector!("jertel.key")),
            ("SHA-1", vector!("deleg-pbkdf2-sha1.pem")),
            ("SHA-256", vector!("deleg-pbkdf2-sha256.pem")),
            ("SHA-512", vector!("deleg-pbkdf2-sha512-aes128.pem")),
            ("old, AES-128", vector!("deleg-legacy-aes128.pem")),
            ("old, AES-192", vector!("deleg-legacy-aes192.pem")),
            ("old, AES-256", vector!("deleg-legacy-aes256.pem")),
        ] {
            let key = read(text, PASSPHRASE).unwrap();
            assert_eq!(key.id(), DELEGATION, "{name}");
            for (passphrase, wanted) in [
                ("another", "the passphrase is wrong, or the key is damaged"),
                (
                    "",
                    "the private key is encrypted, and no passphrase is given",
                ),
            ] {
                let error = read(text, passphrase).unwrap_err();
                assert_eq!(error.to_string(), wanted, "{name}");
                assert_eq!(error.kind(), ErrorKind::Configuration);
            }
        }
        let key = read(vector!("targets.key"), "targets-passphrase").unwrap();
        let id = "f960b6901b15cdfb97f3ea2a909f39a8819d0bc9d6511dd616f5e87a17cf3ab3";
        assert_eq!(key.id(), id);
        assert_eq!(format!("{key:?}"), format!("SigningKey({id:?})"));
    }

    #[test]
    fn lines_may_end_in_any_way() {
        let plain = vector!("deleg-p8-plain-headers.pem");
        for text in [
            vector!("jertel.key"),
            vector!("deleg-legacy-aes128.pem"),
            plain,
        ] {
            for (from, to) in [("\n", "\r\n"), ("\n", " \t\n"), ("\n", "\n  ")] {
                let key = read(&text.replace(from, to), PASSPHRASE).unwrap();
                assert_eq!(key.id(), DELEGATION, "{to:?}");
            }
            assert!(read(&format!("a key:\n{text}\nand more"), PASSPHRASE).is_ok());
        }
    }

    /// Many wrong passphrases, since one in 256 leaves a padding that looks right.
    #[test]
    fn no_wrong_passphrase_opens_a_key() {
        for text in [vector!("deleg-legacy-aes256.pem"), vector!("jertel.key")] {
            for number in 0..1500 {
                let passphrase = format!("wrong {number}");
                let error = read(text, &passphrase).unwrap_err();
                assert!(!error.to_string().contains(&passphrase), "{error}");
            }
        }
    }

    #[test]
    fn texts_that_are_no_key_to_sign_with() {
        let text = vector!("deleg-p8-plain.pem");
        let middle = &text.lines().nth(1).unwrap()[..40];
        for (name, text, wanted) in [
            ("old DES", vector!("deleg-legacy-des3.pem"), "AES-CBC"),
            ("DES", vector!("deleg-pbkdf2-des3.pem"), "AES-CBC"),
            ("scrypt", vector!("deleg-scrypt.pem"), "PBKDF2"),
            ("P-384", vector!("p384.pem"), "P-256"),
            ("P-384 in PKCS #8", vector!("p384-p8.pem"), "P-256"),
            ("short RSA", vector!("rsa1024.pem"), "2048"),
            ("a certificate", vector!("deleg.crt"), "a certificate"),
            ("nothing", "", "no private key in PEM"),
            ("lost line ends", &text.replace('\n', "\\n"), "line ends"),
            ("a hole", &text.replace(middle, ""), "damaged"),
            ("no end", &text.replace("-----END", "--END"), "line ends"),
        ] {
            let error = read(text, PASSPHRASE).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{name}");
            let told = format!("{error} {error:?}");
            assert!(told.contains(wanted), "{name}: {told}");
            assert!(!told.contains(PASSPHRASE) && !told.contains(middle));
            assert!(std::error::Error::source(&error).is_none(), "{name}");
        }
    }

    /// Cut at each byte and with each byte another one: no panic, and no key but the one that was.
    /// Of an Ed25519 key any other seed is one too.
    #[test]
    fn damaged_keys_are_no_other_keys() {
        for (text, is_seed) in [
            (vector!("deleg.pem"), false),
            (vector!("deleg-p8-plain.pem"), false),
            (vector!("jertel.key"), false),
            (vector!("deleg-legacy-aes128.pem"), false),
            (vector!("rsa.pem"), false),
            (vector!("ed25519.pem"), true),
        ] {
            let whole = read(text, PASSPHRASE).unwrap();
            let mut blocks = pem::parse_many(text).unwrap().into_iter();
            let block = blocks.find(|block| block.tag().ends_with("KEY")).unwrap();
            let with = |content: &[u8]| {
                let mut other = pem::Pem::new(block.tag(), content);
                for (name, value) in block.headers().iter() {
                    other.headers_mut().add(name, value).unwrap();
                }
                read(&pem::encode(&other), PASSPHRASE)
            };
            let content = block.contents();
            assert_eq!(with(content).unwrap().id(), whole.id());
            for at in 0..content.len() {
                assert!(with(&content[..at]).is_err(), "{at}");
                for bit in [1, 0x80] {
                    let mut content = content.to_vec();
                    content[at] ^= bit;
                    if let Ok(other) = with(&content) {
                        assert!(is_seed || other.id() == whole.id(), "{at}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_kind_of_key_signs() {
        let ids = [
            (vector!("deleg.pem"), "ecdsa", 64),
            (vector!("rsa.pem"), "rsapss", 256),
            (vector!("rsa-p8.pem"), "rsapss", 256),
            (vector!("ed25519.pem"), "eddsa", 64),
        ]
        .map(|(text, method, length)| {
            let key = read(text, "").unwrap();
            let signature = key.sign("a", b"message").unwrap();
            assert_eq!(signature.method, method);
            assert_eq!(signature.sig.0.len(), length);
            let public = key.0.pair.public().unwrap();
            assert!(public.has_signed(b"message", &signature));
            assert!(!public.has_signed(b"massage", &signature));
            key.id().to_owned()
        });
        assert_eq!(ids[1], ids[2]);
    }

    /// What `notary` makes of an Ed25519 key: public key, seed, public key.
    #[test]
    fn ed25519_as_notary_keeps_it() {
        let key = read(vector!("ed25519.pem"), "").unwrap();
        let Pair::Ed25519(pair) = &key.0.pair else {
            panic!("{key:?} is none")
        };
        let public = pair.public_key().as_ref();
        // The seed is the end of the file.
        let file = pem::parse(vector!("ed25519.pem")).unwrap();
        let seed = &file.contents()[16..];
        let both = [public, seed, public].concat();
        let mut wrapped = vec![0x30, 114, 2, 1, 0, 0x30, 11, 6, 9];
        wrapped.extend(oid::OLD_ED25519);
        wrapped.extend([4, 96]);
        wrapped.extend(&both);
        for (tag, content, is_good) in [
            ("ED25519 PRIVATE KEY", both, true),
            ("PRIVATE KEY", wrapped, true),
            ("ED25519 PRIVATE KEY", [seed, seed, public].concat(), false),
            ("ED25519 PRIVATE KEY", seed.to_vec(), false),
        ] {
            let read = read(&pem::encode(&pem::Pem::new(tag, content)), "");
            assert_eq!(read.is_ok_and(|read| read.id() == key.id()), is_good);
        }
    }

    #[test]
    fn ids_are_hashes_of_public_keys() {
        let text = r#"{"keytype":"ecdsa","keyval":{"private":null,"public":"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZCIXBzfEDZnI6DSS0qlhM8s1FgMAVfCRtjAz5QnMWgekDMJCyJhxLVUcS5XXyVU0Wneb1OViul/2b2mu/TviPg=="}}"#;
        let key: Key = serde_json::from_str(text).unwrap();
        let wanted = "7d0c47ea9f13c34f3c77a3cd906c9ac92da9510cb8b126e2ee3bb27831369767";
        assert_eq!(key.id(), wanted);
        let certificate = Key::new("ecdsa-x509", vector!("deleg.crt").into());
        assert_eq!(certificate.bare().unwrap().id(), DELEGATION);
        assert_ne!(certificate.id(), DELEGATION);
    }
}
