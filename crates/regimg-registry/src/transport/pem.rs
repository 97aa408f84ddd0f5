//! Certificates and keys as people paste them, and what is wrong with them.
//!
//! Nothing that the parser says is repeated: it quotes the text, byte by byte, and where two
//! fields were mixed up that text is a private key.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Reads the certificates of a text, of which there must be one at least.
pub(super) fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(no_certificate(text)),
    }
}

/// Reads a private key that is not encrypted.
pub(super) fn key(text: &str) -> Result<PrivateKeyDer<'static>, &'static str> {
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| no_key(text))
}

fn no_certificate(text: &str) -> &'static str {
    if text.contains("BEGIN CERTIFICATE") {
        "there is no PEM certificate that can be read: are its line ends real ones?"
    } else if text.contains("PRIVATE KEY") {
        "there is a private key where a certificate belongs"
    } else {
        "there is no PEM certificate"
    }
}

fn no_key(text: &str) -> &'static str {
    // PKCS #8 says it in the label, OpenSSL's older form in a header (RFC 1421, section 4.6.1.1).
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("4,ENCRYPTED") {
        "the private key is encrypted, and has to be given without its passphrase"
    } else {
        missing_key(text)
    }
}

/// Says what is wrong with a text in which no private key can be read.
pub(crate) fn missing_key(text: &str) -> &'static str {
    if text.contains("PRIVATE KEY") {
        "there is no private key in PEM that can be read: are its line ends real ones?"
    } else if text.contains("BEGIN CERTIFICATE") {
        "there is a certificate where the private key belongs"
    } else {
        "there is no private key in PEM"
    }
}
