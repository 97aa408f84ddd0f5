//! One exchange after the other: sending, redirects, waiting.

pub(crate) mod address;
mod body;
pub(crate) mod classify;
mod gate;
mod identity;
pub(crate) mod limit;
pub(crate) mod pem;
mod proxy;
mod rate;
mod redirect;
mod response;
pub(crate) mod retry;
pub(crate) mod route;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tracing::debug;
use url::Url;

pub(crate) use body::Body;
use body::Pulse;
pub(crate) use classify::Cause;
use gate::Gates;
pub use identity::ClientIdentity;
pub use proxy::Proxy;
pub use rate::RateLimit;
use rate::RateLimits;
pub(crate) use redirect::Redirects;
pub(crate) use response::Response;
pub(crate) use retry::Retry;
use route::Route;
pub use tls::ServerCertificates;

use crate::error::Patience;
use crate::{Config, Error, ErrorKind};

/// Sends requests; shared by everything that one [`Client`](crate::Client) does.
pub(crate) struct Transport {
    http: reqwest::Client,
    /// Shows the client's certificate; the other one has none to show.
    identified: Option<reqwest::Client>,
    certificate_asked: Arc<AtomicBool>,
    config: Config,
    gates: Gates,
    rates: RateLimits,
}

/// Bytes of one HTTP/2 stream that may wait to be read. One that nobody reads must not use up
/// what the connection allows for all, so there is no adapting window here: it would be the same
/// for both.
const STREAM_WINDOW: u32 = 2 << 20;

/// Bytes for everything on the connection that is no transfer.
const SMALL_THINGS_WINDOW: u32 = 8 << 20;

/// A request as it shall leave, authorization aside.
#[derive(Clone)]
pub(crate) struct Outgoing<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body<'a>,
    pub(crate) redirects: Redirects,
    /// How long the answer may take once everything is sent.
    pub(crate) patience: Duration,
    /// Whether the host of `url` may see the client's certificate. Others that redirects lead to
    /// never do.
    pub(crate) shows_identity: bool,
}

/// A secret and the only place that may see it.
pub(crate) struct Authorization {
    pub(crate) origin: Url,
    pub(crate) value: HeaderValue,
}

impl Transport {
    pub(crate) fn new(config: Config) -> Result<Self, Error> {
        let asked = Arc::default();
        let http = client(&config, None, &asked)?;
        let identity = config.client_identity.as_ref();
        let identified = identity
            .map(|identity| client(&config, Some(identity), &asked))
            .transpose()?;
        Ok(Self {
            certificate_asked: asked,
            http,
            identified,
            config,
            gates: Gates::default(),
            rates: RateLimits::default(),
        })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Begins the tries of one request.
    pub(crate) fn retry(&self) -> Retry {
        Retry::new(&self.config)
    }

    /// Waits until the host of `url` may be asked again.
    pub(crate) async fn pass(&self, url: &Url) {
        self.gates.pass(url, self.config.clock.as_ref()).await;
    }

    /// Does `work`, unless the time that the caller allowed is over before.
    pub(crate) fn in_time<T>(
        &self,
        host: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> impl Future<Output = Result<T, Error>> {
        // On the heap, because futures within futures add up.
        let work = Box::pin(work);
        async move {
            let Some(deadline) = self.config.deadline else {
                return work.await;
            };
            let done = tokio::time::timeout_at(deadline.into(), work).await;
            done.map_err(|_| self.overdue(host))?
        }
    }

    /// Says that the time allowed is over, and whether it was spent before a closed gate.
    fn overdue(&self, host: &str) -> Error {
        let message = format!("{host} was not done within the time allowed");
        let error = Error::new(ErrorKind::Deadline, message);
        match self.gates.wait_for(host, self.config.clock.as_ref()) {
            Some(wait) => error.with_hint(retry::asked_to_wait(wait)),
            None => error,
        }
    }

    /// Says of a first exchange that broke whether a certificate that the server asked for is the
    /// likely reason, which no further try will change.
    pub(crate) fn blame_certificate(&self, error: Error) -> Error {
        let is_asked = self.certificate_asked.load(Ordering::Relaxed);
        if error.kind() != ErrorKind::Interrupted || !is_asked {
            return error;
        }
        let hint = match self.identified {
            None => "the server asked for a client certificate, and none is configured",
            Some(_) => "the server asked for a client certificate, and may not accept this one",
        };
        let error = error.with_kind(ErrorKind::Tls).with_hint(hint);
        error.with_patience(Patience::Short)
    }

    /// Returns what the host of `url` said last about its limits.
    pub(crate) fn rate_limit(&self, url: &Url) -> Option<RateLimit> {
        self.rates.of(url)
    }

    /// Reports whether the host of `url` may be asked now.
    pub(crate) fn is_open(&self, url: &Url) -> bool {
        self.gates.wait(url, self.config.clock.as_ref()).is_none()
    }

    /// Says that a host did not answer in the time it was given.
    pub(crate) fn unanswered(&self, url: &Url) -> Error {
        let proxy = self.config.proxy.place_for(url);
        let route = Route {
            url,
            proxy: proxy.as_deref(),
        };
        let message = format!("{route} does not answer by {}", url.scheme());
        Error::new(ErrorKind::Connect, message)
    }

    /// Starts a request with the defaults of a short one.
    pub(crate) fn outgoing(&self, method: Method, url: Url) -> Outgoing<'static> {
        Outgoing {
            method,
            url,
            headers: HeaderMap::new(),
            body: Body::Empty,
            redirects: Redirects::Strict,
            patience: self.config.timeouts.first_byte,
            shows_identity: false,
        }
    }

    /// Sends a request once and follows its redirects; any answer that is none counts as success.
    ///
    /// `authorization` is shown to its own origin and to no other, whatever the redirects say.
    pub(crate) async fn send(
        &self,
        request: &Outgoing<'_>,
        authorization: Option<&Authorization>,
    ) -> Result<Response, Error> {
        let sent = self.follow(request, authorization).await;
        sent.map_err(|error| error.by(&request.method))
    }

    async fn follow(
        &self,
        request: &Outgoing<'_>,
        authorization: Option<&Authorization>,
    ) -> Result<Response, Error> {
        let mut hop = request.clone();
        for _ in 0..=redirect::MAX_HOPS {
            let value = authorization
                .filter(|authorization| address::same_origin(&authorization.origin, &hop.url))
                .map(|authorization| authorization.value.clone());
            hop.shows_identity =
                request.shows_identity && address::same_origin(&request.url, &hop.url);
            let response = self.hop(&hop, value).await?;
            let Some(url) = redirect::next(&hop, &response)? else {
                return Ok(response);
            };
            drop(response);
            // The first host's gate was passed on the way here.
            self.pass(&url).await;
            hop.url = url;
        }
        let message = format!("{} redirects in circles", address::authority(&request.url));
        Err(Error::new(ErrorKind::Refused, message).at(&request.url))
    }

    async fn hop(
        &self,
        request: &Outgoing<'_>,
        authorization: Option<HeaderValue>,
    ) -> Result<Response, Error> {
        let proxy = self.config.proxy.place_for(&request.url);
        let route = Route {
            url: &request.url,
            proxy: proxy.as_deref(),
        };
        let pulse = Pulse::new();
        let begun = Instant::now();
        let opened = request.body.open(&pulse).await;
        let body =
            opened.map_err(|failure| Error::new(ErrorKind::Source, failure.0).at(&request.url))?;
        let http = self.identified.as_ref().filter(|_| request.shows_identity);
        let builder = http
            .unwrap_or(&self.http)
            .request(request.method.clone(), request.url.clone())
            .headers(headers(request, authorization.clone()))
            .body(body);
        let sent = self
            .until_silent(&route, &pulse, request.patience, builder.send())
            .await?;
        let inner = sent.map_err(|error| classify::unsent(&route, &error))?;
        let mut response = Response::new(inner, request, proxy, self.config.timeouts.idle);
        (response.retry_after, response.is_known) = self.learn(&response);
        response.presented = authorization;
        debug!(
            method = %request.method,
            url = address::redacted(&request.url),
            status = response.status().as_u16(),
            version = ?response.version(),
            milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            "request"
        );
        Ok(response)
    }

    /// Waits for `sending`, unless nothing moved for longer than `patience`.
    async fn until_silent<T>(
        &self,
        route: &Route<'_>,
        pulse: &Pulse,
        patience: Duration,
        sending: impl Future<Output = T>,
    ) -> Result<T, Error> {
        tokio::pin!(sending);
        loop {
            let deadline = pulse.last() + patience;
            tokio::select! {
                done = &mut sending => return Ok(done),
                () = tokio::time::sleep_until(deadline.into()) => {}
            }
            if pulse.last() + patience <= Instant::now() {
                return Err(classify::silent(route, "before answering", patience));
            }
        }
    }

    /// Closes the gate of the host that answered, if that is what it asks for. Returns for how long
    /// it asked, and whether the gate was closed before.
    fn learn(&self, response: &Response) -> (Option<Duration>, bool) {
        self.rates.learn(response.url(), response.headers());
        let is_limited = response.status() == StatusCode::TOO_MANY_REQUESTS;
        if !is_limited && response.status() != StatusCode::SERVICE_UNAVAILABLE {
            return (None, false);
        }
        let clock = self.config.clock.as_ref();
        let retry = &self.config.retry;
        let said = response.header(RETRY_AFTER.as_str());
        // A date is one of the host's clock, which need not be right, nor ours.
        let today = response.date().unwrap_or_else(|| clock.today());
        let asked = said.and_then(|value| retry::retry_after(value, today));
        let wait = match asked.filter(|wait| !wait.is_zero()) {
            Some(wait) => Some(wait).filter(|wait| *wait <= retry.max_retry_after),
            // Without a word about when, the others wait as long as the first to try again.
            None => is_limited.then(|| retry.shortest_wait()),
        };
        let is_known = wait.is_some_and(|wait| !self.gates.close(response.url(), wait, clock));
        (asked, is_known)
    }
}

pub(crate) fn client(
    config: &Config,
    identity: Option<&ClientIdentity>,
    asked: &Arc<AtomicBool>,
) -> Result<reqwest::Client, Error> {
    let proxy = config.proxy.clone();
    let transfers = u32::try_from(config.max_transfers).unwrap_or(u32::MAX);
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls::config(config, identity, asked.clone())?)
        .user_agent(&config.user_agent)
        .redirect(reqwest::redirect::Policy::none())
        // Whatever features other crates turn on, bytes arrive as they were sent.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .referer(false)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(
            transfers
                .saturating_mul(STREAM_WINDOW)
                .saturating_add(SMALL_THINGS_WINDOW)
                // The protocol counts in 31 bits.
                .min(u32::MAX >> 1),
        )
        .connect_timeout(config.timeouts.connect)
        .proxy(reqwest::Proxy::custom(move |url| proxy.of(url).cloned()));
    builder.build().map_err(|error| {
        Error::new(ErrorKind::Configuration, "the HTTP client cannot be set up").with_source(error)
    })
}

fn headers(request: &Outgoing<'_>, authorization: Option<HeaderValue>) -> HeaderMap {
    let mut headers = request.headers.clone();
    // Some registries compress what is compressed already, and the digest is of the bytes at rest.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if let Some(value) = authorization {
        headers.insert(AUTHORIZATION, value);
    }
    if matches!(request.method, Method::POST | Method::PUT | Method::PATCH) {
        headers.insert(CONTENT_LENGTH, request.body.length().into());
    }
    headers
}
