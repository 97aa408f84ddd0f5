//! One registry: sending requests to it, within its limits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use regimg_core::{Digest, Registry};
use url::Url;

use crate::auth::CredentialSource;
use crate::auth::prover::{Proof, Prover};
use crate::auth::scope::Scope;
use crate::sync::lock;
use crate::transport::limit::{Limit, Place};
use crate::transport::{Outgoing, Response, Transport, address};
use crate::{Error, ErrorKind};

/// Everything known about one registry.
pub(crate) struct Session {
    transport: Arc<Transport>,
    prover: Prover,
    /// Who pushes which blob at the moment.
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    requests: Arc<Limit>,
    transfers: Arc<Limit>,
}

/// A request to the registry and what it must be allowed to do.
#[derive(Clone)]
pub(crate) struct Call<'a> {
    pub(crate) request: Outgoing<'a>,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) lane: Lane<'a>,
}

/// An answer that was read to its end.
pub(crate) struct Answer {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Which limit a request counts against.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lane<'a> {
    /// A short exchange.
    Request,
    /// Part of a transfer, which has a place of its own.
    Transfer(&'a Place),
}

impl Session {
    pub(crate) fn new(
        transport: Arc<Transport>,
        registry: Registry,
        source: Arc<dyn CredentialSource>,
    ) -> Self {
        let config = transport.config();
        let requests = Limit::new("requests", config.max_requests);
        let transfers = Limit::new("transfers", config.max_transfers);
        Self {
            prover: Prover::new(transport.clone(), registry, source),
            transport,
            turns: Mutex::default(),
            requests,
            transfers,
        }
    }

    /// Shows a password only where it is asked for.
    #[cfg(feature = "notary")]
    pub(crate) fn reserved(mut self) -> Self {
        self.prover = self.prover.reserved();
        self
    }

    /// Returns what may be presented, to be kept out of what is told.
    #[cfg(feature = "notary")]
    pub(crate) async fn secrets(&self) -> Vec<String> {
        let credential = self.prover.credential().await;
        credential.map_or_else(|_| Vec::new(), |credential| credential.secrets())
    }

    pub(crate) fn transport(&self) -> &Arc<Transport> {
        &self.transport
    }

    pub(crate) fn registry(&self) -> &Registry {
        self.prover.registry()
    }

    /// Returns the registry's root, `https://ghcr.io/`, after having found out that it is there.
    pub(crate) async fn base(&self) -> Result<Url, Error> {
        Ok(self.prover.endpoint().await?.base.clone())
    }

    /// Does `work` within the time that the caller allowed.
    pub(crate) fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> impl Future<Output = Result<T, Error>> {
        self.transport.in_time(self.registry().host(), work)
    }

    /// Waits for one of the places among the transfers.
    pub(crate) async fn transfer(&self) -> Place {
        self.transfers.place().await
    }

    /// Waits for one of the places among the requests, for a transfer that is no longer than one.
    pub(crate) async fn short_transfer(&self) -> Place {
        self.requests.place().await
    }

    /// Returns the lock that whoever pushes this blob holds meanwhile.
    pub(crate) fn turn(&self, path: &str, digest: &Digest) -> Arc<tokio::sync::Mutex<()>> {
        let key = format!("{path}@{digest}");
        let mut turns = lock(&self.turns);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        turns.entry(key).or_default().clone()
    }

    /// Sends a request until it is answered by one of `accepted`, or by something final.
    pub(crate) async fn request(
        &self,
        call: &Call<'_>,
        accepted: &[StatusCode],
    ) -> Result<Response, Error> {
        let mut retry = self.transport.retry();
        loop {
            match self.attempt(call, accepted).await {
                Ok(response) => return Ok(response),
                Err(error) => retry.pause(error).await?,
            }
        }
    }

    /// Sends a request until its answer, a JSON document, was read as a whole, `limit` bytes at most.
    pub(crate) async fn read(
        &self,
        call: &Call<'_>,
        accepted: &[StatusCode],
        limit: u64,
    ) -> Result<Answer, Error> {
        let mut retry = self.transport.retry();
        loop {
            match self.read_once(call, accepted, limit).await {
                Ok(answer) => return Ok(answer),
                Err(error) => retry.pause(error).await?,
            }
        }
    }

    async fn read_once(
        &self,
        call: &Call<'_>,
        accepted: &[StatusCode],
        limit: u64,
    ) -> Result<Answer, Error> {
        let response = self.attempt(call, accepted).await?;
        let (url, headers) = (response.url().clone(), response.headers().clone());
        Ok(Answer {
            url,
            headers,
            body: response.document(limit).await?,
        })
    }

    /// Sends a request once; an answer that is not among `accepted` becomes the error that it is.
    pub(crate) async fn attempt(
        &self,
        call: &Call<'_>,
        accepted: &[StatusCode],
    ) -> Result<Response, Error> {
        let response = self.exchange(call).await?;
        if accepted.contains(&response.status()) {
            return Ok(response);
        }
        Err(self.prover.explain(response.into_error().await).await)
    }

    /// Sends a request once, and again when it has to prove itself better: with a token for more,
    /// or by a credential that its source has renewed meanwhile.
    pub(crate) async fn exchange(&self, call: &Call<'_>) -> Result<Response, Error> {
        let used = self.prover.credential().await?;
        let outcome = self.proven(call).await;
        let is_refused = match &outcome {
            Ok(response) => response.status() == StatusCode::UNAUTHORIZED,
            Err(error) => error.kind() == ErrorKind::Unauthorized,
        };
        if is_refused && self.prover.renew(&used).await? {
            // It holds a place that the next try needs.
            drop(outcome);
            return self.proven(call).await;
        }
        outcome
    }

    async fn proven(&self, call: &Call<'_>) -> Result<Response, Error> {
        let proof = self.prover.proof(call).await?;
        let response = self.dispatch(call, &proof).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let Some(better) = self.prover.better_proof(call, &response, &proof).await? else {
            return Ok(response);
        };
        let mut call = call.clone();
        if !address::same_origin(response.url(), &call.request.url) {
            // It was not the registry that refused, and its redirect may be good only once.
            call.request.url = response.url().clone();
        }
        drop(response);
        self.dispatch(&call, &better).await
    }

    async fn dispatch(&self, call: &Call<'_>, proof: &Proof) -> Result<Response, Error> {
        let own = self.admission(call).await;
        let mut request = call.request.clone();
        request.shows_identity = address::same_origin(&request.url, &self.base().await?);
        let sent = self.transport.send(&request, proof.authorization()).await;
        match (call.lane, &own) {
            (Lane::Transfer(place), _) | (Lane::Request, Some(place)) if is_complaint(&sent) => {
                place.complain();
            }
            // What a transfer is worth shows at its end.
            (Lane::Request, Some(place)) if sent.is_ok() => place.praise(),
            _ => {}
        }
        let mut response = sent?;
        response.place = own;
        Ok(response)
    }

    /// Waits for the host's gate and for a place, both at one time.
    async fn admission(&self, call: &Call<'_>) -> Option<Place> {
        loop {
            self.transport.pass(&call.request.url).await;
            if matches!(call.lane, Lane::Transfer(_)) {
                return None;
            }
            let place = self.requests.place().await;
            if self.transport.is_open(&call.request.url) {
                return Some(place);
            }
        }
    }
}

/// Says whether the host seems to have too much to do.
fn is_complaint(sent: &Result<Response, Error>) -> bool {
    match sent {
        Ok(response) => matches!(
            response.status(),
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        ),
        Err(error) => error.kind() == ErrorKind::Interrupted,
    }
}
