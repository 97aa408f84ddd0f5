//! The AWS libraries' requests over this crate's own HTTP: one stack of TLS and proxies for all.
//!
//! The libraries' own client would bring a second pool and a second reading of the system's
//! certificates, and read proxies from the process's environment by other rules than Go's.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use tracing::debug;

use crate::transport::{self, address, classify, route::Route};
use crate::{Config, Error, ErrorKind, Proxy};

/// Answers are a token and some XML or JSON around it.
const LARGEST_ANSWER: usize = 1 << 20;

/// How long an answer may take where the libraries do not say.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends what the AWS libraries ask for. Clones share their connections.
#[derive(Clone, Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    proxy: Proxy,
}

impl Http {
    /// Makes a client that trusts the system's authorities alone, whatever registries are trusted by.
    pub(super) fn new(proxy: &Proxy) -> Result<Self, Error> {
        let config = Config {
            // What a proxy would answer there is who the proxy is.
            proxy: proxy.clone().sparing_metadata_services(),
            ..Config::default()
        };
        Ok(Self {
            client: transport::client(&config, None, &Arc::default())?,
            proxy: config.proxy,
        })
    }
}

impl HttpClient for Http {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let limits = (settings.connect_timeout(), settings.read_timeout());
        let patience = match limits {
            (None, None) => PATIENCE,
            (connect, read) => connect.unwrap_or_default() + read.unwrap_or_default(),
        };
        SharedHttpConnector::new(Connector {
            http: self.clone(),
            patience,
        })
    }
}

#[derive(Debug)]
struct Connector {
    http: Http,
    patience: Duration,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (http, patience) = (self.http.clone(), self.patience);
        HttpConnectorFuture::new(async move { exchange(&http, request, patience).await })
    }
}

async fn exchange(
    http: &Http,
    request: HttpRequest,
    patience: Duration,
) -> Result<HttpResponse, ConnectorError> {
    let request = convert(request).map_err(|error| ConnectorError::user(error.into()))?;
    let (method, url) = (request.method().clone(), request.url().clone());
    let proxy = http.proxy.place_for(&url);
    let route = Route {
        url: &url,
        proxy: proxy.as_deref(),
    };
    let answered = tokio::time::timeout(patience, answer(&http.client, request, &route)).await;
    let (status, response) = answered.map_err(|_| {
        let error = classify::silent(&route, "before answering", patience);
        ConnectorError::timeout(error.into())
    })??;
    // Paths are left out: that of a container's identity is a secret.
    debug!(%method, host = address::authority(&url), status, "request to AWS");
    Ok(response)
}

fn convert(request: HttpRequest) -> Result<reqwest::Request, Error> {
    let unusable = |why: &str| Error::new(ErrorKind::Configuration, why);
    let request = request
        .try_into_http1x()
        .map_err(|_| unusable("the request to AWS cannot be made"))?;
    let (parts, body) = request.into_parts();
    let body = body.bytes().map(<[u8]>::to_vec);
    let body = body.ok_or_else(|| unusable("the request to AWS is a stream"))?;
    reqwest::Request::try_from(http::Request::from_parts(parts, body))
        .map_err(|_| unusable("the address of the AWS endpoint cannot be used"))
}

async fn answer(
    client: &reqwest::Client,
    request: reqwest::Request,
    route: &Route<'_>,
) -> Result<(u16, HttpResponse), ConnectorError> {
    let sent = client.execute(request).await;
    let mut response = sent.map_err(|error| broken(classify::unsent(route, &error)))?;
    let mut body = Vec::new();
    while let Some(piece) = response
        .chunk()
        .await
        .map_err(|error| broken(classify::cut(route, &error)))?
    {
        if body.len() + piece.len() > LARGEST_ANSWER {
            let message = format!("the answer of {route} is too large");
            let error = Error::new(ErrorKind::TooLarge, message);
            return Err(ConnectorError::other(error.into(), None));
        }
        body.extend_from_slice(&piece);
    }
    let status = response.status();
    let mut answer = http::Response::new(SdkBody::from(body));
    *answer.status_mut() = status;
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    let answer = HttpResponse::try_from(answer).map_err(|error| {
        let message = format!("{route} answered with strange headers");
        let error = Error::new(ErrorKind::Protocol, message).with_source(error);
        ConnectorError::other(error.into(), None)
    })?;
    Ok((status.as_u16(), answer))
}

/// Says to the libraries whether another try may help.
fn broken(error: Error) -> ConnectorError {
    if error.is_transient() {
        ConnectorError::io(error.into())
    } else {
        ConnectorError::other(error.into(), None)
    }
}
