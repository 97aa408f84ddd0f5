//! What a caller may set before the first request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{ClientIdentity, Clock, Proxy, ServerCertificates, SystemClock};

/// How a [`Client`](crate::Client) reaches registries. Start from `Config::default()` and
/// assign the fields that differ.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Sent as `User-Agent`.
    pub user_agent: String,
    /// When plain `http` may be tried.
    pub plain_http: PlainHttp,
    /// Certificates to trust beside the system's, each entry a PEM text of one or more.
    pub ca_certs: Vec<String>,
    /// Whether servers have to prove who they are.
    pub server_certificates: ServerCertificates,
    /// The certificate that registries may ask for. They and the token servers that they name see
    /// it, nobody else.
    pub client_identity: Option<ClientIdentity>,
    /// Through which proxy requests leave.
    pub proxy: Proxy,
    /// How long and how often a request is tried again.
    pub retry: RetryPolicy,
    /// How long a single wait may last.
    pub timeouts: Timeouts,
    /// When everything has to be done; what is not fails with
    /// [`ErrorKind::Deadline`](crate::ErrorKind::Deadline). Dropping a future ends what it does as well.
    pub deadline: Option<Instant>,
    /// Requests under way at one time to one registry, small blobs that are read as a whole among
    /// them and transfers not. After a complaint (429, 503, a cut, silence) it is half as many, and
    /// more again step by step.
    pub max_requests: usize,
    /// Blobs under way at one time to or from one registry, fewer after a complaint likewise.
    pub max_transfers: usize,
    /// Tags asked for in one page (`n`). ECR refuses more than 1000.
    pub tag_page_size: u32,
    /// Pages after which a tag list is given up as endless.
    pub max_tag_pages: usize,
    /// Tags after which [`RepositoryClient::tags`](crate::RepositoryClient::tags) gives up, repeated ones
    /// counted; and after as many bytes as that many of the longest tags have.
    pub max_tags: usize,
    /// Bytes after which a manifest is refused. Registries accept at least 4 MiB
    /// ([distribution-spec, "Pushing Manifests"](https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests)).
    pub max_manifest_bytes: u64,
    /// Tells the time and waits.
    pub clock: Arc<dyn Clock>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            user_agent: concat!("regimg/", env!("CARGO_PKG_VERSION")).to_owned(),
            plain_http: PlainHttp::default(),
            ca_certs: Vec::new(),
            server_certificates: ServerCertificates::default(),
            client_identity: None,
            proxy: Proxy::none(),
            retry: RetryPolicy::default(),
            timeouts: Timeouts::default(),
            deadline: None,
            max_requests: 16,
            max_transfers: 4,
            tag_page_size: 1000,
            max_tag_pages: 10_000,
            max_tags: 500_000,
            max_manifest_bytes: 4 << 20,
            clock: Arc::new(SystemClock),
        }
    }
}

/// When plain `http` may be tried. `https` is tried first, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlainHttp {
    /// For no host.
    Never,
    /// Only for hosts that [`regimg_core::Registry::is_local`] accepts.
    #[default]
    LocalOnly,
    /// For every host. Credentials and images can then be read and replaced on the way.
    Allowed,
}

/// When a failed request is sent again, and when it is given up.
///
/// The wait before try `n + 1` is `initial_interval * multiplier^(n - 1)`, at most
/// `max_interval`, changed at random by at most `jitter` of itself. A `Retry-After` of the
/// server replaces it, and holds back every other request to that host as well.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// The first wait.
    pub initial_interval: Duration,
    /// Factor from one wait to the next.
    pub multiplier: f64,
    /// Largest change of a wait, as a share of it: 0.5 means half as long up to half as long again.
    pub jitter: f64,
    /// The longest wait, before jitter.
    pub max_interval: Duration,
    /// Time since the first try after which no other one is begun. Zero means one try.
    pub max_elapsed: Duration,
    /// The longest `Retry-After` that is obeyed; a longer one fails the request at once.
    pub max_retry_after: Duration,
    /// Tries of one request, whatever fails. By default as many as `max_elapsed` has room for.
    pub max_tries: u32,
    /// Tries for a host that cannot be reached or does not speak HTTP.
    pub unreachable_tries: u32,
    /// Cuts of one transfer after which it is given up. Each 1 MiB that comes or goes begins the
    /// count anew, however many cuts it takes; where a download was cut because nothing came any
    /// more, 16 MiB.
    pub max_stalls: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            initial_interval: Duration::from_secs(5),
            multiplier: 1.5,
            jitter: 0.5,
            max_interval: Duration::from_mins(5),
            max_elapsed: Duration::from_hours(1),
            max_retry_after: Duration::from_mins(10),
            max_tries: u32::MAX,
            unreachable_tries: 3,
            max_stalls: 5,
        }
    }
}

/// How long one wait may last before the try counts as failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// For the `https` try on a host where plain `http` may follow.
    pub https_probe: Duration,
    /// From the last byte sent until the head of the response.
    pub first_byte: Duration,
    /// Between two pieces of a body, in either direction. An answer also counts as silent that
    /// brings less than 1 KiB a second while it is waited for this long.
    pub idle: Duration,
    /// From the end of an upload until the registry has taken the blob over.
    pub commit: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            https_probe: Duration::from_secs(5),
            first_byte: Duration::from_mins(2),
            idle: Duration::from_mins(2),
            commit: Duration::from_mins(10),
        }
    }
}
