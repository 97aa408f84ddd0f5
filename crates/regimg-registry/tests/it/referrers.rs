//! What other artifacts say about a manifest.

use regimg_core::Descriptor;
use regimg_registry::{Error, ErrorKind};
use regimg_tests::registry::{Fault, Match, Registry};
use regimg_tests::{Artifact as _, Blob, Image};
use serde_json::json;

use crate::support::{World, digest};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A repository with an image, a signature of it and two bills of materials.
fn signed() -> (World, Image) {
    let registry = Registry::start();
    let image = Image::with_text("x");
    registry.publish("a/b", "latest", &image);
    for (number, kind) in ["test/signature", "test/sbom", "test/sbom"]
        .iter()
        .enumerate()
    {
        registry.put_manifest("a/b", &statement(&image, kind, number));
    }
    (World::open(registry), image)
}

fn statement(image: &Image, kind: &str, number: usize) -> Blob {
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let empty = regimg_tests::Digest::sha256(b"{}");
    let body = json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "artifactType": kind,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty.as_str(), "size": 2},
        "layers": [],
        "subject": {"mediaType": media_type, "digest": image.digest().as_str(), "size": 1},
        "annotations": {"number": number.to_string()},
    });
    Blob::new(media_type, body.to_string().into_bytes())
}

async fn ask(world: &World, image: &Image, kind: Option<&str>) -> Result<Vec<Descriptor>, Error> {
    let subject = digest(&image.digest());
    world.repository("a/b").referrers(&subject, kind).await
}

#[tokio::test]
async fn referrers_come_from_the_api() {
    let (world, image) = signed();
    for (kind, wanted) in [
        (None, 3),
        (Some("test/sbom"), 2),
        (Some("test/signature"), 1),
        (Some("test/none"), 0),
    ] {
        let found = ask(&world, &image, kind).await.unwrap();
        assert_eq!(found.len(), wanted, "{kind:?}");
        let is_kind = |one: &Descriptor| kind.is_none() || one.artifact_type.as_deref() == kind;
        assert!(found.iter().all(is_kind));
    }
    let other = Image::with_text("nobody speaks of it");
    assert!(ask(&world, &other, None).await.unwrap().is_empty());
    assert_eq!(world.registry.count("GET", "/v2/a/b/manifests/"), 0);
}

#[tokio::test]
async fn registries_that_do_not_filter_are_filtered() {
    let (world, image) = signed();
    let subject = digest(&image.digest());
    let target = format!("/v2/a/b/referrers/{subject}?artifactType=*");
    let all = format!("/v2/a/b/referrers/{subject}");
    let unfiltered = format!(
        "{}{all}",
        world.registry.url(regimg_tests::registry::Origin::Registry)
    );
    world
        .registry
        .fault(Match::get(&target), Fault::redirect_to(&unfiltered));
    assert_eq!(
        ask(&world, &image, Some("test/sbom")).await.unwrap().len(),
        2
    );
}

#[tokio::test]
async fn pages_are_followed() {
    let (world, image) = signed();
    let subject = digest(&image.digest());
    let first = format!("/v2/a/b/referrers/{subject}");
    let next = format!("<{first}?page=2>; rel=\"next\"");
    world.registry.fault(
        Match::get(&first).once(),
        Fault::answer().header("link", &next),
    );
    assert_eq!(ask(&world, &image, None).await.unwrap().len(), 6);
    world.registry.fault(
        Match::get(&first),
        Fault::answer().header("link", "<https://example.com/x>; rel=next"),
    );
    let error = ask(&world, &image, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
}

/// Lets the tag that stands in for the API point at an index.
fn tag_instead(world: &World, image: &Image) {
    let statement = statement(image, "test/sbom", 7);
    let index = json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [{
            "mediaType": statement.media_type(),
            "digest": statement.digest().as_str(),
            "size": statement.content().bytes().len(),
            "artifactType": "test/sbom",
        }],
    });
    let index = Blob::new(INDEX, index.to_string().into_bytes());
    world.registry.put_manifest("a/b", &index);
    let tag = image.digest().as_str().replace(':', "-");
    world.registry.tag("a/b", &tag, index.digest());
}

#[tokio::test]
async fn a_tag_stands_in_where_there_is_no_api() {
    let page = Fault::status(200)
        .header("content-type", "text/html")
        .body("<html>");
    for missing in [
        Fault::status(404),
        Fault::status(400),
        Fault::status(405),
        Fault::status(406),
        page,
    ] {
        let (world, image) = signed();
        let api = Match::get("/v2/a/b/referrers/*");
        world.registry.fault(api, missing.clone());
        assert!(
            ask(&world, &image, None).await.unwrap().is_empty(),
            "{missing:?}"
        );
        tag_instead(&world, &image);
        assert_eq!(ask(&world, &image, None).await.unwrap().len(), 1);
        assert_eq!(
            ask(&world, &image, Some("test/none")).await.unwrap().len(),
            0
        );
    }
}

#[tokio::test]
async fn refusals_do_not_mean_that_there_is_nothing() {
    for (status, kind) in [(403, ErrorKind::Denied), (401, ErrorKind::Unauthorized)] {
        let (world, image) = signed();
        let api = Match::get("/v2/a/b/referrers/*");
        world.registry.fault(api, Fault::status(status));
        assert_eq!(ask(&world, &image, None).await.unwrap_err().kind(), kind);
    }
    let (world, image) = signed();
    let api = Match::get("/v2/a/b/referrers/*");
    world.registry.fault(api.clone().once(), Fault::status(429));
    assert_eq!(ask(&world, &image, None).await.unwrap().len(), 3);
    let broken = Fault::answer().body("{\"schemaVersion\":2,\"manifests\":7}");
    world.registry.fault(api, broken);
    let error = ask(&world, &image, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
}
