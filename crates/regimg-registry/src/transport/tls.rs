//! Whom to trust: the system's certificates and those that the user names.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};

use super::identity::{Answer, ClientIdentity};
use super::pem;
use crate::{Config, Error, ErrorKind};

/// Whether servers have to prove who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerCertificates {
    /// By a certificate of the system's authorities or of those in
    /// [`Config::ca_certs`](crate::Config::ca_certs).
    #[default]
    Verified,
    /// No: whoever sits on the way may take the credentials, and the images of a tag may be
    /// anybody's. What is asked for by digest is verified all the same.
    DangerouslyIgnored,
}

/// Builds the configuration of every TLS connection of one client.
///
/// The system's certificates are found as OpenSSL finds them (`SSL_CERT_FILE` and `SSL_CERT_DIR`
/// included); that there are none is no error until a server has to be verified by them.
pub(crate) fn config(
    config: &Config,
    identity: Option<&ClientIdentity>,
    asked: Arc<AtomicBool>,
) -> Result<ClientConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let given = given_certificates(&config.ca_certs)?;
    let mut verifier = Verifier::new(given, provider.clone())?;
    verifier.ignores = config.server_certificates == ServerCertificates::DangerouslyIgnored;
    let answer = Answer::new(identity, &provider, asked)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(answer));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn unusable(error: rustls::Error) -> Error {
    Error::new(ErrorKind::Configuration, "TLS cannot be set up").with_source(error)
}

/// Reads the user's PEM texts; each must hold at least one certificate.
fn given_certificates(texts: &[String]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let mut certificates = Vec::new();
    for (position, text) in texts.iter().enumerate() {
        let found = pem::certificates(text).map_err(|why| bad_entry(position, why))?;
        let mut probe = RootCertStore::empty();
        for certificate in &found {
            probe
                .add(certificate.clone())
                .map_err(|error| bad_entry(position, &error.to_string()))?;
        }
        certificates.extend(found);
    }
    Ok(certificates)
}

fn bad_entry(position: usize, why: &str) -> Error {
    let message = format!(
        "failed to append registry certificate: entry {} of ca_certs: {why}",
        position + 1
    );
    Error::new(ErrorKind::Configuration, message)
}

/// Verifies servers as rustls does, and besides accepts a server that presents a certificate
/// which the user named, byte for byte.
///
/// `openssl req -x509` marks what it makes as a certificate authority, and labs use the result as
/// the server's own certificate. Go accepts that; rustls refuses a certificate authority in this
/// place ([rustls/webpki#205](https://github.com/rustls/webpki/issues/205)). Name and dates are
/// checked here too, and possession of the key by the handshake itself.
struct Verifier {
    /// `None` when there is no certificate at all, neither the system's nor the user's.
    chain: Option<Arc<WebPkiServerVerifier>>,
    given: Vec<CertificateDer<'static>>,
    /// Whether every certificate will do.
    ignores: bool,
    provider: Arc<CryptoProvider>,
}

/// The certificate of a server that nobody known here vouches for.
#[derive(Debug)]
pub(super) struct UnknownIssuer {
    issuer: String,
    is_own: bool,
    signature_is_bad: bool,
}

impl fmt::Display for UnknownIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.signature_is_bad, self.is_own) {
            (true, _) => write!(
                f,
                "the certificate claims in vain to be issued by {:?}",
                self.issuer
            ),
            (false, true) => write!(
                f,
                "the certificate of {:?} is signed by itself",
                self.issuer
            ),
            (false, false) => write!(
                f,
                "the certificate is issued by {:?}, unknown here",
                self.issuer
            ),
        }
    }
}

impl std::error::Error for UnknownIssuer {}

/// Says who issued a certificate that is refused for its issuer; other reasons stay as they are.
fn named(refused: rustls::Error, leaf: &CertificateDer<'_>) -> rustls::Error {
    let rustls::Error::InvalidCertificate(reason) = &refused else {
        return refused;
    };
    let signature_is_bad = matches!(reason, CertificateError::BadSignature);
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(leaf) else {
        return refused;
    };
    let is_unknown = match reason {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => true,
        // An authority's certificate in the place of a server's.
        CertificateError::Other(_) => parsed.issuer() == parsed.subject(),
        _ => false,
    };
    if !is_unknown {
        return refused;
    }
    let issuer = UnknownIssuer {
        issuer: parsed.issuer().to_string().chars().take(200).collect(),
        is_own: parsed.issuer() == parsed.subject(),
        signature_is_bad,
    };
    CertificateError::Other(OtherError(Arc::new(issuer))).into()
}

impl Verifier {
    fn new(
        given: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        // Systems carry certificates that nothing can parse; those are left out, as everywhere.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots.add_parsable_certificates(given.iter().cloned());
        Self::with_roots(roots, given, provider)
    }

    fn with_roots(
        roots: RootCertStore,
        given: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let chain = if roots.is_empty() {
            None
        } else {
            let builder =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
            Some(builder.build().map_err(|error| {
                Error::new(ErrorKind::Configuration, "TLS cannot be set up").with_source(error)
            })?)
        };
        Ok(Self {
            chain,
            given,
            ignores: false,
            provider,
        })
    }

    fn verify_given(
        &self,
        leaf: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        if !self
            .given
            .iter()
            .any(|given| given.as_ref() == leaf.as_ref())
        {
            return Err(CertificateError::UnknownIssuer.into());
        }
        verify_server_name(&ParsedCertificate::try_from(leaf)?, name)?;
        verify_dates(leaf, now)
    }
}

fn verify_dates(leaf: &CertificateDer<'_>, now: UnixTime) -> Result<(), rustls::Error> {
    let (_, parsed) =
        x509_parser::parse_x509_certificate(leaf).map_err(|_| CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < parsed.validity().not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > parsed.validity().not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.ignores {
            return Ok(ServerCertVerified::assertion());
        }
        let refused = match &self.chain {
            Some(chain) => {
                match chain.verify_server_cert(leaf, intermediates, name, ocsp_response, now) {
                    Ok(verified) => return Ok(verified),
                    Err(refused) => refused,
                }
            }
            None => CertificateError::UnknownIssuer.into(),
        };
        self.verify_given(leaf, name, now)
            .map_err(|_| named(refused, leaf))?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("given", &self.given.len())
            .finish_non_exhaustive()
    }
}
