//! Certificates for tests: an authority, and what it or nobody signed.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;

/// The names that a certificate for the embedded registry carries.
pub const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A certificate and its private key, both PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    certificate: String,
    key: String,
}

impl Identity {
    /// The certificate, as `ca_certs` or `client_cert` take it.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    /// The private key in PKCS #8.
    pub fn key_pem(&self) -> &str {
        &self.key
    }

    /// Makes a server certificate that signed itself and says `CA:TRUE`, as `openssl req -x509` does.
    pub fn self_signed_authority(names: &[&str]) -> Self {
        let mut parameters = parameters("self-signed server", names);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        self_signed(&parameters)
    }

    /// Makes a server certificate that signed itself and is no authority.
    pub fn self_signed(names: &[&str]) -> Self {
        self_signed(&parameters("self-signed server", names))
    }
}

/// A certificate authority that exists only in this process.
///
/// ```
/// let authority = regimg_tests::tls::Authority::new();
/// let server = authority.server(&["localhost"]);
/// assert!(server.certificate_pem().starts_with("-----BEGIN CERTIFICATE-----"));
/// assert_ne!(authority.pem(), server.certificate_pem());
/// ```
#[derive(Debug)]
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a new authority with its own key.
    ///
    /// # Panics
    /// When the system has no randomness.
    pub fn new() -> Self {
        let mut parameters = parameters("regimg test authority", &[]);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = new_key();
        let pem = parameters
            .self_signed(&key)
            .expect("the parameters are complete")
            .pem();
        Self {
            pem,
            issuer: Issuer::new(parameters, key),
        }
    }

    /// The authority's own certificate.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Signs a server certificate for `names`, which are host names or IP addresses.
    pub fn server(&self, names: &[&str]) -> Identity {
        let mut parameters = parameters("server", names);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&parameters)
    }

    /// Signs a server certificate whose validity ended in 2001.
    pub fn expired_server(&self, names: &[&str]) -> Identity {
        let mut parameters = parameters("expired server", names);
        parameters.not_before = date_time_ymd(2000, 1, 1);
        parameters.not_after = date_time_ymd(2001, 1, 1);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&parameters)
    }

    /// Signs a client certificate with the common name `name`.
    pub fn client(&self, name: &str) -> Identity {
        let mut parameters = parameters(name, &[]);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&parameters)
    }

    /// Signs a certificate for `names` that servers and clients may show.
    pub(crate) fn peer(&self, names: &[&str]) -> Identity {
        let mut parameters = parameters("peer", names);
        parameters.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        self.sign(&parameters)
    }

    fn sign(&self, parameters: &CertificateParams) -> Identity {
        let key = new_key();
        let certificate = parameters
            .signed_by(&key, &self.issuer)
            .expect("the authority signs");
        Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// Which protocols a server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocols {
    /// Both, whichever the client asks for: by ALPN under TLS, by its first bytes otherwise.
    #[default]
    Both,
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 alone.
    Http2,
}

/// Builds the rustls configuration of a server; with `client_roots` a client must show a certificate of theirs.
pub(crate) fn server_config(
    identity: &Identity,
    client_roots: Option<&str>,
    protocols: Protocols,
) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS 1.2 and 1.3");
    let builder = match client_roots {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let roots = Arc::new(root_store(pem));
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
            builder.with_client_cert_verifier(verifier.expect("there is a root certificate"))
        }
    };
    let chain = certificates(&identity.certificate);
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("the key is PEM");
    let mut config = builder
        .with_single_cert(chain, key)
        .expect("key and certificate belong together");
    config.alpn_protocols = match protocols {
        Protocols::Both => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        Protocols::Http1 => vec![b"http/1.1".to_vec()],
        Protocols::Http2 => vec![b"h2".to_vec()],
    };
    config
}

pub(crate) fn root_store(pem: &str) -> rustls::RootCertStore {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(certificates(pem));
    roots
}

pub(crate) fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .expect("the certificates are PEM")
}

fn parameters(common_name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut parameters = CertificateParams::new(names).expect("the names are valid");
    parameters
        .distinguished_name
        .push(DnType::CommonName, common_name);
    parameters
}

fn self_signed(parameters: &CertificateParams) -> Identity {
    let key = new_key();
    let certificate = parameters
        .self_signed(&key)
        .expect("the parameters are complete");
    Identity {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("the system has randomness")
}
