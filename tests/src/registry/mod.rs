//! An OCI registry inside the test process: pull, push, authentication, faults, and a diary of every request.
//!
//! It listens on three ports of 127.0.0.1: its own, a second one ([`Origin::Elsewhere`]) to which downloads and
//! uploads may be sent and which refuses credentials, and one for the token service ([`Origin::Tokens`]).

mod access;
mod auth;
mod blobs;
mod body;
mod builder;
mod connection;
mod dress;
mod elsewhere;
mod endpoint;
mod fault;
mod manifests;
mod pattern;
mod record;
mod reply;
mod route;
mod rule;
mod server;
mod service;
mod signer;
mod store;
mod tags;
mod token;
mod trust;
mod uploads;

#[cfg(test)]
mod tests;

pub use auth::{Auth, Realm, TokenField};
pub use builder::Builder;
pub use fault::{Ending, Fault};
pub use record::{Origin, Record};
pub use route::RouteKind;
pub use rule::Match;
pub(crate) use signer::plain as plain_signature;
pub use tags::{LinkForm, Paging};
pub use uploads::UploadLocation;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::background::Background;
use crate::notary::{Collection, Owner, Trusted};
use crate::{Artifact, Blob, Content, Digest};
use pattern::Pattern;
use service::Service;
use store::StoredManifest;

/// A running registry; it stops when it is dropped.
///
/// ```
/// use regimg_tests::registry::{Fault, Match, Registry};
/// use regimg_tests::Image;
///
/// let registry = Registry::start();
/// let digest = registry.publish("library/a", "latest", &Image::with_text("hello"));
/// registry.fault(
///     Match::get("/v2/library/a/manifests/latest").times(2),
///     Fault::status(429).header("Retry-After", "1"),
/// );
/// assert_eq!(registry.tag_digest("library/a", "latest"), Some(digest));
/// assert_eq!(registry.count("GET", "/v2/"), 0);
/// ```
#[derive(Debug)]
pub struct Registry {
    service: Arc<Service>,
    address: SocketAddr,
    host: String,
    ca_pem: Option<String>,
    _background: Background,
}

impl Registry {
    /// Starts a registry that speaks plain HTTP and is open to everyone.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Configures a registry.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The address of the registry's own listener.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// `host:port`, as it stands in front of a repository's name.
    pub fn host(&self) -> String {
        format!("{}:{}", self.host, self.address.port())
    }

    /// The base URL of a listener, without a slash at the end.
    pub fn url(&self, origin: Origin) -> &str {
        let urls = &self.service.urls;
        match origin {
            Origin::Registry => &urls.registry,
            Origin::Elsewhere => &urls.elsewhere,
            Origin::Tokens => &urls.tokens,
        }
    }

    /// The certificate that clients have to trust.
    ///
    /// # Panics
    /// When the registry does not speak TLS.
    #[track_caller]
    pub fn ca_pem(&self) -> &str {
        self.ca_pem
            .as_deref()
            .expect("the registry was built with TLS")
    }

    // What it holds.

    /// Stores an image or index with everything beneath it and points `tag` at it.
    pub fn publish(&self, repository: &str, tag: &str, artifact: &dyn Artifact) -> Digest {
        let digest = self.push(repository, artifact);
        lock(&self.service.store).set_tag(repository, tag, digest.clone());
        digest
    }

    /// Stores an image or index without a tag.
    pub fn push(&self, repository: &str, artifact: &dyn Artifact) -> Digest {
        for blob in artifact.blobs() {
            self.put_blob(repository, blob);
        }
        for manifest in artifact.manifests() {
            self.put_manifest(repository, manifest);
        }
        artifact.digest()
    }

    /// Stores one blob under the digest of its descriptor, right or wrong.
    pub fn put_blob(&self, repository: &str, blob: &Blob) {
        let mut store = lock(&self.service.store);
        store.put_blob(repository, blob.digest().clone(), blob.content().clone());
    }

    /// Stores one manifest under the digest of its descriptor, right or wrong, with its media type.
    pub fn put_manifest(&self, repository: &str, manifest: &Blob) {
        let media_type = manifest.media_type().to_owned();
        let stored = StoredManifest {
            media_type,
            bytes: manifest.content().bytes(),
        };
        lock(&self.service.store).put_manifest(repository, manifest.digest().clone(), stored);
    }

    /// Points `tag` at `digest`, whether there is such a manifest or not.
    pub fn tag(&self, repository: &str, tag: &str, digest: &Digest) {
        lock(&self.service.store).set_tag(repository, tag, digest.clone());
    }

    /// Removes a tag; its manifest stays.
    pub fn untag(&self, repository: &str, tag: &str) {
        lock(&self.service.store).remove_tag(repository, tag);
    }

    /// Makes a repository known that has no tags.
    pub fn create_repository(&self, repository: &str) {
        lock(&self.service.store).add_repository(repository);
    }

    /// The tags of a repository, in the order of its list.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let store = lock(&self.service.store);
        let tags = store.tags(repository);
        tags.map(|tags| tags.names().map(str::to_owned).collect())
            .unwrap_or_default()
    }

    /// What a tag points at.
    pub fn tag_digest(&self, repository: &str, tag: &str) -> Option<Digest> {
        lock(&self.service.store)
            .tag_digest(repository, tag)
            .cloned()
    }

    /// Media type and bytes of the manifest under a tag or digest.
    pub fn manifest(&self, repository: &str, reference: &str) -> Option<(String, Bytes)> {
        let found = lock(&self.service.store).manifest(repository, reference);
        found.map(|(_, manifest)| (manifest.media_type, manifest.bytes))
    }

    /// The content of a blob of this repository.
    pub fn blob(&self, repository: &str, digest: &Digest) -> Option<Content> {
        lock(&self.service.store).blob(repository, digest)
    }

    /// Forgets a blob; manifests that refer to it stay.
    pub fn remove_blob(&self, repository: &str, digest: &Digest) {
        lock(&self.service.store).remove_blob(repository, digest);
    }

    /// How many uploads were started and neither finished nor cancelled.
    pub fn open_uploads(&self) -> usize {
        lock(&self.service.store).open_uploads()
    }

    // What it vouches for.

    /// Takes over the trust data that an owner has made, in place of those of the same name.
    pub fn entrust(&self, owner: &Owner) {
        let (name, collection) = (owner.name.clone(), Collection::new(owner));
        lock(&self.service.trust).insert(name, collection);
    }

    /// Reads what a client trusts that sees the name for the first time.
    ///
    /// # Errors
    /// The document that keeps it from trusting anything.
    pub fn trusted(&self, name: &str) -> Result<Trusted, String> {
        let trust = lock(&self.service.trust);
        let collection = trust.get(name).ok_or("there are no trust data")?;
        collection.read()
    }

    /// A document of the trust data: `ROLE`, `VERSION.ROLE` or `ROLE.SHA256`.
    pub fn trust_document(&self, name: &str, document: &str) -> Option<Bytes> {
        lock(&self.service.trust).get(name)?.document(document)
    }

    // What it does.

    /// Lets matching requests go wrong; the first rule that matches and is not used up is taken.
    pub fn fault(&self, rule: Match, fault: Fault) {
        self.service.faults.add(rule, fault);
    }

    /// Forgets all faults.
    pub fn clear_faults(&self) {
        self.service.faults.clear();
    }

    /// Changes how clients authenticate from now on; tokens stay in force.
    pub fn set_auth(&self, auth: Auth) {
        *lock(&self.service.auth) = auth;
    }

    /// Changes how tag lists are paged from now on.
    pub fn set_paging(&self, paging: Paging) {
        *lock(&self.service.paging) = paging;
    }

    /// Makes all tokens invalid that were given out so far.
    pub fn revoke_tokens(&self) {
        self.service.tokens.revoke_all();
    }

    // What it saw.

    /// Every request so far, in the order of arrival.
    pub fn requests(&self) -> Vec<Record> {
        self.service.diary.records()
    }

    /// The requests to one listener.
    pub fn requests_to(&self, origin: Origin) -> Vec<Record> {
        self.requests()
            .into_iter()
            .filter(|record| record.origin == origin)
            .collect()
    }

    /// Counts requests of `method` whose target begins with `prefix`, in which `*` stands for anything.
    ///
    /// `count("GET", "/v2/*/blobs/")` counts downloads. The query is compared when `prefix` names one.
    pub fn count(&self, method: &str, prefix: &str) -> usize {
        self.service.diary.count(method, &Pattern::prefix(prefix))
    }

    /// One line a request, `METHOD target -> status`, for comparing with a snapshot.
    ///
    /// Addresses do not stand in it, but digests and the order of arrival do.
    pub fn transcript(&self) -> String {
        self.requests()
            .iter()
            .map(|record| record.line() + "\n")
            .collect()
    }

    /// How many connections the registry's own listener accepted.
    pub fn connections(&self) -> usize {
        self.connections_to(Origin::Registry)
    }

    /// How many connections a listener accepted.
    pub fn connections_to(&self, origin: Origin) -> usize {
        self.service.diary.connections(origin)
    }

    /// How many connections to a listener carried at least one request that is still in the diary.
    pub fn used_connections(&self, origin: Origin) -> usize {
        self.service.diary.used_connections(origin)
    }

    /// The most requests of a kind that were under way at the same time.
    pub fn max_in_flight(&self, kind: RouteKind) -> usize {
        self.service.diary.max_in_flight(kind)
    }

    /// Begins a new page of the diary.
    pub fn clear_requests(&self) {
        self.service.diary.clear();
    }
}

/// Who issues tokens, and for whom: what a registry elsewhere has to be told to believe them.
pub(crate) fn token_parties() -> (&'static str, &'static str) {
    (signer::ISSUER, access::SERVICE)
}

/// Locks also after a panic elsewhere: the test that panicked fails anyway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
