//! A client whose time is ours, and blobs made of numbers.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use regimg_core::{
    Algorithm, Descriptor, Digest, Identifier, MediaType, RawManifest, Repository, Tag,
};
use regimg_registry::{
    BlobOutcome, BlobReader, BlobSource, Client, Clock, Config, Credential, Error, ManifestOutcome,
    Pushed, RepositoryClient,
};
use regimg_tests::Blob;
use regimg_tests::registry::Registry;

use crate::log::{Log, holds_no_secret, secrets};

/// Time that passes only when somebody waits for it.
#[derive(Debug)]
pub(crate) struct TestClock {
    start: Instant,
    passed: Mutex<Duration>,
    waits: Mutex<Vec<Duration>>,
    /// Whether waiting makes time pass; otherwise only the test does.
    flows: bool,
    passing: Arc<tokio::sync::Notify>,
}

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::with_flow(true))
    }

    /// Time that stands still until the test lets it pass.
    pub(crate) fn standing() -> Arc<Self> {
        Arc::new(Self::with_flow(false))
    }

    fn with_flow(flows: bool) -> Self {
        Self {
            start: Instant::now(),
            passed: Mutex::default(),
            waits: Mutex::default(),
            flows,
            passing: Arc::default(),
        }
    }

    /// Every wait so far, in milliseconds.
    pub(crate) fn waits(&self) -> Vec<u128> {
        self.waits
            .lock()
            .unwrap()
            .iter()
            .map(Duration::as_millis)
            .collect()
    }

    pub(crate) fn advance(&self, duration: Duration) {
        *self.passed.lock().unwrap() += duration;
        self.passing.notify_waiters();
    }
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        self.start + *self.passed.lock().unwrap()
    }

    fn today(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_887_151) + *self.passed.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.waits.lock().unwrap().push(duration);
        if self.flows {
            self.advance(duration);
            return Box::pin(tokio::task::yield_now());
        }
        let passing = self.passing.clone();
        // Registered at once: `notify_waiters` reaches those only that wait already.
        let passed = passing.notified_owned();
        Box::pin(passed)
    }

    fn jitter(&self) -> f64 {
        0.5
    }
}

/// A registry, a client for it, the client's time, and everything that was told.
///
/// At its end no secret may stand in the log.
pub(crate) struct World {
    pub(crate) registry: Registry,
    pub(crate) client: Client,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) log: Log,
    credential: Credential,
    _listening: tracing::subscriber::DefaultGuard,
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            holds_no_secret(&self.log.text(), &self.secrets());
        }
    }
}

impl World {
    pub(crate) fn open(registry: Registry) -> Self {
        Self::new(registry, Credential::Anonymous, |_| {})
    }

    pub(crate) fn with(registry: Registry, credential: Credential) -> Self {
        Self::new(registry, credential, |_| {})
    }

    pub(crate) fn new(
        registry: Registry,
        credential: Credential,
        adjust: impl FnOnce(&mut Config),
    ) -> Self {
        let clock = TestClock::new();
        let mut config = Config::default();
        config.clock = clock.clone();
        config.timeouts.idle = Duration::from_millis(300);
        adjust(&mut config);
        let log = Log::default();
        let listening = log.listen();
        let client = Client::new(config, credential.clone()).unwrap();
        Self {
            registry,
            client,
            clock,
            log,
            credential,
            _listening: listening,
        }
    }

    pub(crate) fn secrets(&self) -> Vec<String> {
        secrets(&self.registry, &self.credential)
    }

    pub(crate) fn repository(&self, path: &str) -> RepositoryClient {
        self.client.repository(&self.name(path))
    }

    pub(crate) fn name(&self, path: &str) -> Repository {
        Repository::parse(&format!("{}/{path}", self.registry.host())).unwrap()
    }
}

pub(crate) fn basic(username: &str, password: &str) -> Credential {
    Credential::Basic {
        username: username.to_owned(),
        password: regimg_core::Secret::new(password),
    }
}

pub(crate) fn tag(name: &str) -> Identifier {
    Identifier::Tag(Tag::parse(name).unwrap())
}

pub(crate) fn digest(digest: &regimg_tests::Digest) -> Digest {
    Digest::parse(digest.as_str()).unwrap()
}

/// Bytes that no shift or swap leaves equal.
pub(crate) fn content(length: usize) -> Bytes {
    (0..length)
        .map(|position| u8::try_from(position * 7 % 251).unwrap())
        .collect::<Vec<u8>>()
        .into()
}

pub(crate) fn descriptor(content: &[u8]) -> Descriptor {
    let digest = Digest::of(Algorithm::Sha256, content);
    Descriptor::new(MediaType::OCI_LAYER, digest, content.len() as u64)
}

/// Puts a blob into the registry.
pub(crate) fn stored(registry: &Registry, repository: &str, content: &Bytes) -> Descriptor {
    registry.put_blob(
        repository,
        &Blob::new(MediaType::OCI_LAYER.as_str(), content.clone()),
    );
    descriptor(content)
}

/// The blob of a fixture, to be pushed.
pub(crate) fn source_of(blob: &Blob) -> Source {
    let media_type = MediaType::new(blob.media_type());
    let content = blob.content().bytes();
    let size = content.len() as u64;
    Source {
        descriptor: Descriptor::new(media_type, digest(blob.digest()), size),
        content,
        opened: Mutex::default(),
    }
}

/// The manifest of a fixture, to be pushed.
pub(crate) fn raw(blob: &Blob) -> RawManifest {
    let media_type = MediaType::new(blob.media_type());
    RawManifest::new(Some(media_type), blob.content().bytes())
}

/// Reads a blob to its end.
pub(crate) async fn drain(mut reader: BlobReader) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    while let Some(piece) = reader.next().await? {
        content.extend_from_slice(&piece);
    }
    Ok(content)
}

/// A blob in memory, handed out in small pieces, counting how often it was opened where.
pub(crate) struct Source {
    pub(crate) descriptor: Descriptor,
    pub(crate) content: Bytes,
    pub(crate) opened: Mutex<Vec<u64>>,
}

impl Source {
    pub(crate) fn new(content: Bytes) -> Self {
        Self {
            descriptor: descriptor(&content),
            content,
            opened: Mutex::default(),
        }
    }
}

impl BlobSource for Source {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn open(
        &self,
        offset: u64,
    ) -> BoxFuture<'_, io::Result<BoxStream<'static, io::Result<Bytes>>>> {
        self.opened.lock().unwrap().push(offset);
        let rest = self.content.slice(usize::try_from(offset).unwrap()..);
        let pieces: Vec<io::Result<Bytes>> = rest
            .chunks(64 << 10)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        Box::pin(async move { Ok(stream::iter(pieces).boxed()) })
    }
}

/// Checks that a push found everything there already.
#[track_caller]
pub(crate) fn assert_all_existed(pushed: &Pushed) {
    let Pushed {
        blobs, manifests, ..
    } = pushed;
    let existed = |(_, outcome): &(Digest, BlobOutcome)| *outcome == BlobOutcome::Existed;
    assert!(blobs.iter().all(existed), "{blobs:?}");
    let existed =
        |(_, outcome): &(Identifier, ManifestOutcome)| *outcome == ManifestOutcome::Existed;
    assert!(manifests.iter().all(existed), "{manifests:?}");
}
