//! One registry: sending requests to it, within its limits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use regimg_core::{Digest, Registry};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use crate::Error;
use crate::auth::CredentialSource;
use crate::auth::prover::{Proof, Prover};
use crate::auth::scope::Scope;
use crate::sync::lock;
use crate::transport::{Outgoing, Response, Transport, address};

/// Everything known about one registry.
pub(crate) struct Session {
    transport: Arc<Transport>,
    prover: Prover,
    /// Who pushes which blob at the moment.
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    requests: Arc<Semaphore>,
    transfers: Arc<Semaphore>,
}

/// A request to the registry and what it must be allowed to do.
#[derive(Clone)]
pub(crate) struct Call<'a> {
    pub(crate) request: Outgoing<'a>,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) lane: Lane,
}

/// An answer that was read to its end.
pub(crate) struct Answer {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Which limit a request counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// A short exchange.
    Request,
    /// Part of a transfer, whose permit is held by the transfer itself.
    Transfer,
}

impl Session {
    pub(crate) fn new(
        transport: Arc<Transport>,
        registry: Registry,
        source: Arc<dyn CredentialSource>,
    ) -> Self {
        let limit =
            |permits: usize| Arc::new(Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS)));
        let config = transport.config();
        let (requests, transfers) = (limit(config.max_requests), limit(config.max_transfers));
        Self {
            prover: Prover::new(transport.clone(), registry, source),
            transport,
            turns: Mutex::default(),
            requests,
            transfers,
        }
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

    /// Waits for one of the places among the transfers.
    pub(crate) async fn transfer(&self) -> OwnedSemaphorePermit {
        let transfers = self.transfers.clone();
        transfers
            .acquire_owned()
            .await
            .expect("this semaphore is never closed")
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

    /// Sends a request until its answer was read as a whole, `limit` bytes at most.
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
            body: response.bytes(limit).await?,
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

    /// Sends a request once, and a second time when it has to prove itself better.
    pub(crate) async fn exchange(&self, call: &Call<'_>) -> Result<Response, Error> {
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
        let permit = self.admission(call).await;
        let mut response = self
            .transport
            .send(&call.request, proof.authorization())
            .await?;
        response.permit = permit;
        Ok(response)
    }

    /// Waits for the host's gate and for a place, both at one time.
    async fn admission(&self, call: &Call<'_>) -> Option<OwnedSemaphorePermit> {
        loop {
            self.transport.pass(&call.request.url).await;
            if call.lane == Lane::Transfer {
                return None;
            }
            let permit = self
                .requests
                .clone()
                .acquire_owned()
                .await
                .expect("this semaphore is never closed");
            if self.transport.is_open(&call.request.url) {
                return Some(permit);
            }
        }
    }
}
