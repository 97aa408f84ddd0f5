//! The same questions to this client and to `oci-client`, where that works: the answers must agree.

use futures_util::{StreamExt as _, TryStreamExt as _};
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client as Other, Reference};
use regimg_core::Identifier;
use regimg_tests::registry::{Auth, Registry};
use regimg_tests::{Artifact as _, DockerRegistry, Image, Layer};

use crate::support::{Source, World, basic, content, digest, drain, raw, source_of, tag};

/// Everything that both clients understand: accepted media types of a single image.
const ACCEPTED: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

fn other() -> Other {
    // Its TLS takes the process's provider, and it wants one even for plain HTTP. Once is enough.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let protocol = ClientProtocol::Http;
    Other::new(ClientConfig {
        protocol,
        ..ClientConfig::default()
    })
}

fn image() -> Image {
    let layer = Layer::parse("file big random=300000");
    Image::builder().layer(layer).build()
}

#[tokio::test]
async fn both_read_the_same() {
    for (auth, theirs) in [
        (Auth::none(), RegistryAuth::Anonymous),
        (
            Auth::basic().account("user", "pa55word"),
            RegistryAuth::Basic("user".to_owned(), "pa55word".to_owned()),
        ),
        (
            Auth::bearer().account("user", "pa55word"),
            RegistryAuth::Basic("user".to_owned(), "pa55word".to_owned()),
        ),
    ] {
        let registry = Registry::builder().auth(auth).start();
        let image = image();
        for name in ["1", "2", "latest"] {
            registry.publish("a/b", name, &image);
        }
        let world = World::with(registry, basic("user", "pa55word"));
        let (ours, other) = (world.repository("a/b"), other());
        let reference = format!("{}/a/b:latest", world.registry.host());
        let reference: Reference = reference.parse().unwrap();

        let listed = other
            .list_tags(&reference, &theirs, None, None)
            .await
            .unwrap();
        assert_eq!(ours.tags().await.unwrap(), listed.tags);

        let found = other
            .fetch_manifest_digest(&reference, &theirs)
            .await
            .unwrap();
        let ours_found = ours.digest(&tag("latest")).await.unwrap().unwrap();
        assert_eq!(ours_found.as_str(), found);

        let (bytes, pulled) = other
            .pull_manifest_raw(&reference, &theirs, &ACCEPTED)
            .await
            .unwrap();
        let manifest = ours.manifest(&tag("latest")).await.unwrap();
        assert_eq!(
            (manifest.bytes(), manifest.digest().as_str()),
            (&bytes, pulled.as_str())
        );

        let regimg_core::Manifest::Image(parsed) = manifest.parse().unwrap() else {
            panic!("an image")
        };
        for layer in &parsed.layers {
            let stream = other
                .pull_blob_stream(&reference, layer.digest.as_str())
                .await
                .unwrap();
            let pieces: Vec<bytes::Bytes> = stream.stream.try_collect().await.unwrap();
            let reader = ours.open_blob(layer).await.unwrap();
            assert_eq!(drain(reader).await.unwrap(), pieces.concat());
        }
    }
}

/// What one pushes, the other pulls.
async fn both_ways(host: &str) {
    let other = other();
    let image = image();
    let name = regimg_core::Repository::parse(&format!("{host}/a/b")).unwrap();
    let client = regimg_registry::Client::new(
        regimg_registry::Config::default(),
        regimg_registry::Credential::Anonymous,
    )
    .unwrap();
    let ours = client.repository(&name);
    for blob in image.blobs() {
        ours.push_blob(&source_of(blob), &[]).await.unwrap();
    }
    let manifest = raw(image.manifest());
    ours.push_manifest(&tag("ours"), &manifest).await.unwrap();
    let reference: Reference = format!("{host}/a/b:ours").parse().unwrap();
    let anonymous = RegistryAuth::Anonymous;
    let (bytes, found) = other
        .pull_manifest_raw(&reference, &anonymous, &ACCEPTED)
        .await
        .unwrap();
    assert_eq!(
        (&bytes, found.as_str()),
        (manifest.bytes(), image.digest().as_str())
    );

    let theirs = Source::new(content(200_000));
    let reference: Reference = format!("{host}/a/b:theirs").parse().unwrap();
    let pushed = other.push_blob(
        &reference,
        theirs.content.clone(),
        theirs.descriptor.digest.as_str(),
    );
    pushed.await.unwrap();
    let content_type = manifest.media_type().as_str().parse().unwrap();
    other
        .push_manifest_raw(&reference, bytes, content_type)
        .await
        .unwrap();
    let reader = ours.open_blob(&theirs.descriptor).await.unwrap();
    assert_eq!(drain(reader).await.unwrap(), theirs.content);
    let asked = [tag("theirs"), Identifier::Digest(digest(&image.digest()))];
    let found: Vec<_> = ours.digests(asked).collect().await;
    for (_, found) in found {
        assert_eq!(found.unwrap(), Some(digest(&image.digest())));
    }
}

#[tokio::test]
async fn each_reads_what_the_other_wrote() {
    let registry = Registry::start();
    both_ways(&registry.host()).await;
    assert_eq!(registry.open_uploads(), 0);
    if let Some(server) = DockerRegistry::start() {
        both_ways(&server.host()).await;
    }
}
