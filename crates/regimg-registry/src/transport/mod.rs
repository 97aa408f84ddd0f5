//! One exchange after the other: sending, redirects, waiting.

pub(crate) mod address;
mod body;
mod classify;
mod gate;
mod proxy;
mod redirect;
mod response;
pub(crate) mod retry;
mod tls;

use std::time::{Duration, Instant};

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tracing::debug;
use url::Url;

pub(crate) use body::Body;
use body::Pulse;
use gate::Gates;
pub use proxy::Proxy;
pub(crate) use redirect::Redirects;
pub(crate) use response::Response;
pub(crate) use retry::Retry;

use crate::{Config, Error, ErrorKind};

/// Sends requests; shared by everything that one [`Client`](crate::Client) does.
pub(crate) struct Transport {
    http: reqwest::Client,
    config: Config,
    gates: Gates,
}

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
}

/// A secret and the only place that may see it.
pub(crate) struct Authorization {
    pub(crate) origin: Url,
    pub(crate) value: HeaderValue,
}

impl Transport {
    pub(crate) fn new(config: Config) -> Result<Self, Error> {
        let proxy = config.proxy.clone();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config(&config.ca_certs)?)
            .user_agent(&config.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            // Whatever features other crates turn on, bytes arrive as they were sent.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .referer(false)
            .http2_adaptive_window(true)
            .connect_timeout(config.timeouts.connect)
            .proxy(reqwest::Proxy::custom(move |url| proxy.of(url).cloned()))
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::Configuration, "the HTTP client cannot be set up")
                    .with_source(error)
            })?;
        Ok(Self {
            http,
            config,
            gates: Gates::default(),
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

    /// Reports whether the host of `url` may be asked now.
    pub(crate) fn is_open(&self, url: &Url) -> bool {
        self.gates.wait(url, self.config.clock.as_ref()).is_none()
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
        let mut hop = request.clone();
        for _ in 0..=redirect::MAX_HOPS {
            let value = authorization
                .filter(|authorization| address::same_origin(&authorization.origin, &hop.url))
                .map(|authorization| authorization.value.clone());
            let response = self.hop(&hop, value).await?;
            match redirect::next(&hop, &response)? {
                Some(url) => hop.url = url,
                None => return Ok(response),
            }
        }
        let message = format!("{} redirects in circles", address::authority(&request.url));
        Err(Error::new(ErrorKind::Refused, message).at(&request.url))
    }

    async fn hop(
        &self,
        request: &Outgoing<'_>,
        authorization: Option<HeaderValue>,
    ) -> Result<Response, Error> {
        let pulse = Pulse::new();
        let begun = Instant::now();
        let opened = request.body.open(&pulse).await;
        let body =
            opened.map_err(|failure| Error::new(ErrorKind::Source, failure.0).at(&request.url))?;
        let builder = self
            .http
            .request(request.method.clone(), request.url.clone())
            .headers(headers(request, authorization))
            .body(body);
        let sent = self
            .until_silent(&request.url, &pulse, request.patience, builder.send())
            .await?;
        let inner = sent.map_err(|error| classify::unsent(&request.url, &error))?;
        let mut response = Response::new(inner, request.url.clone(), self.config.timeouts.idle);
        response.retry_after = self.learn(&response);
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
        url: &Url,
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
                return Err(classify::silent(url, "before answering", patience));
            }
        }
    }

    /// Closes the gate of the host that answered, if that is what it asks for.
    fn learn(&self, response: &Response) -> Option<Duration> {
        if !matches!(
            response.status(),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        ) {
            return None;
        }
        let clock = self.config.clock.as_ref();
        let wait = retry::retry_after(response.header(RETRY_AFTER.as_str())?, clock.today())?;
        if wait <= self.config.retry.max_retry_after {
            self.gates.close(response.url(), wait, clock);
        }
        Some(wait)
    }
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
