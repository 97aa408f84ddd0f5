//! Which certificates to trust at a place, and which one to show there.

use regimg_core::Registry;
use regimg_registry::{ClientIdentity, Config, ServerCertificates};
use tracing::warn;

use crate::error::{During, Error};
use crate::protocol::{ContentTrust, MaybeSecret, RegistryMirror, Source};

use super::field;

/// What one place has to prove, and what proves to it who asks.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    ca_certs: Vec<String>,
    server_certificates: ServerCertificates,
    client_identity: Option<ClientIdentity>,
}

impl Tls {
    /// Reads what holds for the origin.
    ///
    /// # Errors
    ///
    /// A certificate without its key, or the reverse; a pair that cannot be used.
    pub(super) fn of(source: &Source) -> Result<Self, Error> {
        let fields = ["source.client_cert", "source.client_key"];
        Ok(Self {
            ca_certs: source.ca_certs.clone(),
            server_certificates: server_certificates(source.skip_tls_verify),
            client_identity: identity(&source.client_cert, &source.client_key, fields)?,
        })
    }

    /// Reads what holds for the mirror, which shares with the origin only whom to trust.
    ///
    /// # Errors
    ///
    /// As [`of`](Self::of).
    pub(super) fn of_mirror(source: &Source, mirror: &RegistryMirror) -> Result<Self, Error> {
        let fields = [
            "source.registry_mirror.client_cert",
            "source.registry_mirror.client_key",
        ];
        Ok(Self {
            ca_certs: source.ca_certs.clone(),
            server_certificates: server_certificates(mirror.skip_tls_verify),
            client_identity: identity(&mirror.client_cert, &mirror.client_key, fields)?,
        })
    }

    /// Reads what holds for the notary server, whose certificate is always verified.
    ///
    /// # Errors
    ///
    /// As [`of`](Self::of).
    pub(super) fn of_notary(source: &Source, trust: &ContentTrust) -> Result<Self, Error> {
        let fields = [
            "source.content_trust.tls_cert",
            "source.content_trust.tls_key",
        ];
        Ok(Self {
            ca_certs: source.ca_certs.clone(),
            server_certificates: ServerCertificates::Verified,
            client_identity: identity(&trust.tls_cert, &trust.tls_key, fields)?,
        })
    }

    /// Configures a client for `registry`. That nothing is verified is said each time: it is
    /// easily forgotten.
    pub(super) fn apply(&self, config: &mut Config, registry: &Registry) {
        if self.server_certificates == ServerCertificates::DangerouslyIgnored {
            warn!(
                "skip_tls_verify: the certificate of {} is not verified; whoever is on the way can read the login and replace what a tag names",
                registry.host()
            );
        }
        config.ca_certs.clone_from(&self.ca_certs);
        config.server_certificates = self.server_certificates;
        config.client_identity.clone_from(&self.client_identity);
    }
}

fn server_certificates(skip_verify: bool) -> ServerCertificates {
    if skip_verify {
        ServerCertificates::DangerouslyIgnored
    } else {
        ServerCertificates::Verified
    }
}

fn identity(
    certificate: &str,
    key: &MaybeSecret,
    [certificate_field, key_field]: [&'static str; 2],
) -> Result<Option<ClientIdentity>, Error> {
    match (certificate.is_empty(), key.is_empty()) {
        (true, true) => return Ok(None),
        (false, false) => {}
        (false, true) => {
            return Err(field(
                certificate_field,
                &format!("is given without {key_field}"),
            ));
        }
        (true, false) => {
            return Err(field(
                key_field,
                &format!("is given without {certificate_field}"),
            ));
        }
    }
    let identity = ClientIdentity {
        certificate: certificate.to_owned(),
        key: key.0.clone(),
    };
    let checked = identity.check();
    checked.during(format!("{certificate_field}, {key_field}"))?;
    Ok(Some(identity))
}
