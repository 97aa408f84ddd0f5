//! Docker Hub.

use regimg_registry::ErrorKind;
use regimg_tests::registry::{Auth, Fault, Match};

use super::{PATH, everything, filled, with_auth};
use crate::support::{World, basic, tag};

/// <https://github.com/docker/hub-feedback/issues/1907>
#[tokio::test]
async fn the_limit_against_abuse_is_waited_for() {
    let world = World::open(with_auth(Auth::bearer().anonymous_pull()));
    let busy = Fault::status(429)
        .header("content-type", "text/plain")
        .body("Too Many Requests (HAP429).\n");
    let listed = Match::get("/v2/team/app/tags/list");
    world.registry.fault(listed.once(), busy);
    assert!(world.repository(PATH).tags().await.is_ok());
    let warnings = world.log.warnings();
    assert!(
        warnings[0].contains("Too Many Requests (HAP429)"),
        "{warnings:?}"
    );
}

/// Whoever does not accept indexes gets the digest of some image in them
/// (<https://github.com/opencontainers/distribution-spec/issues/207>).
#[tokio::test]
async fn every_kind_of_manifest_is_accepted() {
    let world = World::open(filled(regimg_tests::registry::Registry::builder()));
    let repository = world.repository(PATH);
    repository.digest(&tag("latest")).await.unwrap();
    repository.manifest(&tag("latest")).await.unwrap();
    let requests = world.registry.requests();
    let mut asked = requests
        .iter()
        .filter(|asked| asked.path.contains("/manifests/"));
    assert!(asked.clone().count() == 2);
    assert!(asked.all(|asked| {
        let accept = asked.headers.get_all("accept").iter();
        let accept: Vec<_> = accept.map(|value| value.to_str().unwrap()).collect();
        let accept = accept.join(",");
        [
            "application/vnd.oci.image.index.v1+json",
            "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.list.v2+json",
            "application/vnd.docker.distribution.manifest.v2+json",
        ]
        .iter()
        .all(|kind| accept.contains(kind))
    }));
}

/// <https://github.com/concourse/registry-image-resource/issues/138>
#[tokio::test]
async fn a_refusal_in_other_words_is_told() {
    let auth = Auth::bearer().account("user", "pa55word");
    let world = World::with(with_auth(auth), basic("user", "pa55word"));
    let uploads = Match::post("/v2/team/app/blobs/uploads/*");
    world.registry.fault(uploads, Fault::status(405));
    let error = everything(&world, PATH).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::Rejected, Some(405))
    );
    assert_eq!(error.codes().collect::<Vec<_>>(), ["UNSUPPORTED"]);
    assert!(!error.is_transient());
}
