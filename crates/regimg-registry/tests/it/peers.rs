//! The client against Debian's `docker-registry`; skipped where it is missing, unless it is required.

use futures_util::{StreamExt as _, future};
use regimg_core::{Algorithm, Digest, Identifier, Platform, Repository, Tag};
use regimg_registry::{Artifact, BlobOutcome, BlobSource, Client, Config, Credential, ErrorKind};
use regimg_tests::registry::{Auth, Origin, Registry};
use regimg_tests::tls::{Authority, Identity, LOCAL_NAMES};
use regimg_tests::{Artifact as _, DockerRegistry, DockerSettings, Image, Index, Layer};

use crate::support::{Source, assert_all_existed, basic, content, drain, raw, source_of, tag};

/// `user:secret`, hashed by bcrypt with the least cost.
const HTPASSWD: &str = "user:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

struct Case {
    settings: DockerSettings,
    credential: Credential,
    ca_certs: Vec<String>,
    /// Where its tokens come from, kept running.
    tokens: Option<Registry>,
}

impl Case {
    fn open() -> Self {
        Self {
            settings: DockerSettings::default(),
            credential: Credential::Anonymous,
            ca_certs: Vec::new(),
            tokens: None,
        }
    }

    fn htpasswd() -> Self {
        let mut case = Self::open();
        case.settings.htpasswd = Some(HTPASSWD.to_owned());
        case.credential = basic("user", "secret");
        case
    }

    fn tokens() -> Self {
        let signer = Identity::self_signed_authority(&LOCAL_NAMES);
        let auth = Auth::bearer().account("user", "secret").signed_by(&signer);
        let service = Registry::builder().auth(auth).start();
        let mut case = Self::open();
        let realm = format!("{}/token", service.url(Origin::Tokens));
        case.settings.tokens = Some((realm, signer.certificate_pem().to_owned()));
        case.credential = basic("user", "secret");
        case.tokens = Some(service);
        case
    }

    fn tls() -> Self {
        let authority = Authority::new();
        let mut case = Self::htpasswd();
        case.settings.tls = Some(authority.server(&LOCAL_NAMES));
        case.ca_certs.push(authority.pem().to_owned());
        case
    }
}

/// Pushes an index, lists, looks up and pulls it; mounts, and finds what is not there.
async fn round_trip(case: Case) {
    let Some(server) = DockerRegistry::start_with(&case.settings) else {
        return;
    };
    let mut config = Config::default();
    config.ca_certs = case.ca_certs;
    config.tag_page_size = 2;
    let client = Client::new(config, case.credential).unwrap();
    let name = |path: &str| Repository::parse(&format!("{}/{path}", server.host())).unwrap();
    let repository = client.repository(&name("library/a"));

    let error = repository.tags().await.unwrap_err();
    assert!(error.is_new_repository(), "{error:?}");

    let image = |platform: &str| {
        let layer = Layer::parse(&format!("file big random=3000000\nfile own \"{platform}\""));
        Image::builder().platform(platform).layer(layer).build()
    };
    let images = [image("linux/amd64"), image("linux/arm64")];
    let index = Index::builder().image(&images[0]).image(&images[1]).build();
    let blobs: Vec<Vec<Source>> = images
        .iter()
        .map(|image| image.blobs().into_iter().map(source_of).collect())
        .collect();
    let children = images.iter().zip(&blobs).map(|(image, blobs)| Artifact {
        manifest: raw(image.manifest()),
        blobs: blobs.iter().map(|blob| blob as &dyn BlobSource).collect(),
        children: Vec::new(),
    });
    let artifact = Artifact {
        manifest: raw(index.manifest()),
        blobs: Vec::new(),
        children: children.collect(),
    };
    let names: Vec<Tag> = ["1", "2", "3", "4", "latest"]
        .iter()
        .map(|name| Tag::parse(name).unwrap())
        .collect();
    repository.push(&artifact, &names, &[]).await.unwrap();
    let mut listed = repository.tags().await.unwrap();
    listed.sort();
    assert_eq!(listed, ["1", "2", "3", "4", "latest"]);

    let wanted = Digest::parse(index.digest().as_str()).unwrap();
    let asked = names.iter().cloned().map(Identifier::Tag);
    let found: Vec<_> = repository
        .digests(asked.chain([tag("other")]))
        .collect()
        .await;
    let found: Vec<Digest> = found
        .into_iter()
        .filter_map(|(_, found)| found.unwrap())
        .collect();
    assert_eq!(found, vec![wanted; 5]);

    let platform = Platform::parse("linux/arm64").unwrap();
    let arm = repository.image(&tag("latest"), &platform).await.unwrap();
    assert_eq!(arm.bytes(), &images[1].manifest().content().bytes());
    for blob in &blobs[1] {
        let reader = repository.open_blob(&blob.descriptor).await.unwrap();
        assert_eq!(drain(reader).await.unwrap(), blob.content);
    }

    let again = repository.push(&artifact, &names, &[]).await.unwrap();
    assert_all_existed(&again);

    let other = client.repository(&name("library/b"));
    let from = [name("library/a")];
    let mounted = other.push_blob(&blobs[0][0], &from).await.unwrap();
    assert_eq!(mounted, BlobOutcome::Mounted);

    let mut wide = Source::new(content(100_000));
    wide.descriptor.digest = Digest::of(Algorithm::Sha512, &wide.content);
    other.push_blob(&wide, &[]).await.unwrap();
    let reader = other.open_blob(&wide.descriptor).await.unwrap();
    assert_eq!(drain(reader).await.unwrap(), wide.content);

    let mut wrong = Source::new(content(1000));
    wrong.content = content(1000)
        .iter()
        .rev()
        .copied()
        .collect::<Vec<u8>>()
        .into();
    let error = other.push_blob(&wrong, &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected, "{error:?}");
    assert!(!other.blob_exists(&wrong.descriptor.digest).await.unwrap());
    assert!(
        repository
            .referrers(&blobs[0][0].descriptor.digest, None)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn the_distribution_registry_open() {
    round_trip(Case::open()).await;
}

#[tokio::test]
async fn the_distribution_registry_with_passwords() {
    round_trip(Case::htpasswd()).await;
}

#[tokio::test]
async fn the_distribution_registry_with_signed_tokens() {
    round_trip(Case::tokens()).await;
}

#[tokio::test]
async fn the_distribution_registry_over_tls() {
    round_trip(Case::tls()).await;
}

#[tokio::test]
async fn the_distribution_registry_refuses_wrong_passwords() {
    for case in [Case::htpasswd(), Case::tokens()] {
        let Some(server) = DockerRegistry::start_with(&case.settings) else {
            return;
        };
        for credential in [Credential::Anonymous, basic("user", "another")] {
            let client = Client::new(Config::default(), credential).unwrap();
            let name = Repository::parse(&format!("{}/library/a", server.host())).unwrap();
            let error = client.repository(&name).tags().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error:?}");
        }
    }
}

#[tokio::test]
async fn the_distribution_registry_takes_parallel_uploads_of_one_blob() {
    let Some(server) = DockerRegistry::start() else {
        return;
    };
    let client = Client::new(Config::default(), Credential::Anonymous).unwrap();
    let name = Repository::parse(&format!("{}/library/a", server.host())).unwrap();
    let repository = client.repository(&name);
    let source = Source::new(content(500_000));
    let all = future::join_all((0..6).map(|_| repository.push_blob(&source, &[]))).await;
    let outcomes: Vec<BlobOutcome> = all.into_iter().map(Result::unwrap).collect();
    let sent = outcomes
        .iter()
        .filter(|outcome| **outcome != BlobOutcome::Existed);
    assert_eq!(sent.count(), 1, "{outcomes:?}");
}
