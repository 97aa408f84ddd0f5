//! Digests, manifests, and the way from an index to an image.

use futures_util::StreamExt as _;
use regimg_core::{Identifier, Platform, RawManifest};
use regimg_registry::{ErrorKind, ManifestOutcome};
use regimg_tests::registry::{Fault, Match, Registry};
use regimg_tests::{Artifact as _, Image, Index};

use crate::support::{World, digest, tag};

const LATEST: &str = "/v2/a/b/manifests/latest";

fn published() -> (World, Image) {
    let registry = Registry::start();
    let image = Image::with_text("hello");
    registry.publish("a/b", "latest", &image);
    (World::open(registry), image)
}

#[track_caller]
fn check(world: &World, heads: usize, gets: usize) {
    let counted = (
        world.registry.count("HEAD", LATEST),
        world.registry.count("GET", LATEST),
    );
    assert_eq!(counted, (heads, gets));
}

#[tokio::test]
async fn head_is_enough() {
    let (world, image) = published();
    let found = world
        .repository("a/b")
        .digest(&tag("latest"))
        .await
        .unwrap();
    assert_eq!(found, Some(digest(&image.digest())));
    check(&world, 1, 0);
    assert_eq!(world.registry.count("GET", "/v2/"), 1, "one greeting");
}

/// A page to log in has a digest as well, if one computes it.
#[tokio::test]
async fn a_page_for_people_is_no_manifest() {
    let (world, _) = published();
    let page = Fault::status(200)
        .header("Content-Type", "text/html; charset=utf-8")
        .without_header("Docker-Content-Digest")
        .body("<html><body>Please log in</body></html>");
    world.registry.fault(Match::any(LATEST), page);
    let repository = world.repository("a/b");
    let looked_up = repository.digest(&tag("latest")).await.unwrap_err();
    let fetched = repository.manifest(&tag("latest")).await.unwrap_err();
    for error in [looked_up, fetched] {
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(
            error.to_string().contains("no manifest but text/html"),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("log in"));
    }
}

#[tokio::test]
async fn absent_is_no_error() {
    let (world, _) = published();
    assert_eq!(
        world.repository("a/b").digest(&tag("other")).await.unwrap(),
        None
    );
    assert_eq!(world.registry.count("GET", "/v2/a/b/manifests/other"), 0);
    assert_eq!(
        world
            .repository("nothing")
            .digest(&tag("latest"))
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn get_finds_out_where_head_is_useless() {
    for fault in [
        Fault::answer().without_header("docker-content-digest"),
        Fault::answer().without_header("content-type"),
        Fault::answer().header("docker-content-digest", "nonsense"),
        Fault::status(405),
        Fault::status(403),
        Fault::status(500),
    ] {
        let (world, image) = published();
        world.registry.fault(Match::head(LATEST), fault);
        let found = world
            .repository("a/b")
            .digest(&tag("latest"))
            .await
            .unwrap();
        assert_eq!(found, Some(digest(&image.digest())));
        check(&world, 1, 1);
    }
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_instead_of_costing_a_pull() {
    let (world, image) = published();
    world.registry.fault(
        Match::head(LATEST).times(2),
        Fault::status(429).header("Retry-After", "3"),
    );
    let found = world
        .repository("a/b")
        .digest(&tag("latest"))
        .await
        .unwrap();
    assert_eq!(found, Some(digest(&image.digest())));
    check(&world, 3, 0);
}

#[tokio::test]
async fn absent_for_get_after_a_strange_head() {
    let (world, _) = published();
    world
        .registry
        .fault(Match::head(LATEST), Fault::status(403));
    world.registry.untag("a/b", "latest");
    assert_eq!(
        world
            .repository("a/b")
            .digest(&tag("latest"))
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn bytes_decide_not_headers() {
    let (world, image) = published();
    let lie = format!("sha256:{}", "0".repeat(64));
    world.registry.fault(
        Match::get("/v2/a/b/manifests/*"),
        Fault::answer().header("docker-content-digest", &lie),
    );
    let repository = world.repository("a/b");
    let by_tag = repository.manifest(&tag("latest")).await.unwrap();
    assert_eq!(*by_tag.digest(), digest(&image.digest()));
    let by_digest = repository
        .manifest(&Identifier::Digest(by_tag.digest().clone()))
        .await
        .unwrap();
    assert_eq!(by_digest, by_tag);
}

#[tokio::test]
async fn other_bytes_than_asked_for_are_refused() {
    let (world, image) = published();
    world.registry.fault(
        Match::get("/v2/a/b/manifests/sha256*"),
        Fault::corrupt_at(3),
    );
    let asked = Identifier::Digest(digest(&image.digest()));
    let error = world.repository("a/b").manifest(&asked).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_transient()),
        (ErrorKind::Digest, false)
    );
}

#[tokio::test]
async fn sizes_are_limited() {
    let (world, _) = published();
    world.registry.fault(Match::get(LATEST), Fault::endless());
    let error = world
        .repository("a/b")
        .manifest(&tag("latest"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    check(&world, 0, 1);
}

#[tokio::test]
async fn a_cut_manifest_is_fetched_again() {
    let (world, image) = published();
    world
        .registry
        .fault(Match::get(LATEST).times(2), Fault::cut_at(20));
    let manifest = world
        .repository("a/b")
        .manifest(&tag("latest"))
        .await
        .unwrap();
    assert_eq!(*manifest.digest(), digest(&image.digest()));
    check(&world, 0, 3);
}

#[tokio::test]
async fn errors_say_what_came_back() {
    let (world, _) = published();
    let body = r#"{"errors":[{"code":"DENIED","message":"not yours."}]}"#;
    world
        .registry
        .fault(Match::get(LATEST), Fault::status(403).body(body));
    let error = world
        .repository("a/b")
        .manifest(&tag("latest"))
        .await
        .unwrap_err();
    let host = world.registry.host();
    assert_eq!(
        error.to_string(),
        format!("403 DENIED from {host}: not yours")
    );
    assert_eq!(
        (error.kind(), error.status(), error.attempts()),
        (ErrorKind::Denied, Some(403), 1)
    );
    assert_eq!(error.url().unwrap(), format!("http://{host}{LATEST}"));
    assert_eq!(
        error.hint().unwrap(),
        format!("no credentials were given for {host}")
    );
}

#[tokio::test]
async fn indexes_lead_to_the_image_of_a_platform() {
    let arm = Image::builder().platform("linux/arm64").build();
    let amd = Image::builder().platform("linux/amd64").build();
    let inner = Index::builder().image(&arm).image(&amd).build();
    let registry = Registry::start();
    registry.publish("a/b", "latest", &Index::builder().index(&inner).build());
    registry.publish("a/b", "flat", &inner);
    registry.publish("a/b", "single", &arm);
    let world = World::open(registry);
    let repository = world.repository("a/b");
    for (name, platform, wanted) in [
        ("flat", "linux/arm64", &arm),
        ("flat", "linux/amd64", &amd),
        ("single", "linux/amd64", &arm),
    ] {
        let platform = Platform::parse(platform).unwrap();
        let found = repository.image(&tag(name), &platform).await.unwrap();
        assert_eq!(
            *found.digest(),
            digest(&wanted.digest()),
            "{name} {platform}"
        );
    }
    let error = repository
        .image(&tag("flat"), &Platform::parse("linux/s390x").unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoPlatform);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        cause.contains("linux/s390x") && cause.contains("linux/arm64"),
        "{cause}"
    );
}

#[tokio::test]
async fn indexes_within_indexes_are_searched_and_listed() {
    let image = |platform: &str| Image::builder().platform(platform).build();
    let (arm, amd, riscv) = (
        image("linux/arm64"),
        image("linux/amd64"),
        image("linux/riscv64"),
    );
    let index = |builder: regimg_tests::IndexBuilder| builder.build();
    let one = index(Index::builder().image(&amd));
    let two = index(Index::builder().image(&arm).attestation_for(&arm));
    let both = index(Index::builder().index(&one).index(&two).image(&riscv));
    let registry = Registry::start();
    registry.publish("a/b", "latest", &index(Index::builder().index(&both)));
    let mut deep = index(Index::builder().image(&amd));
    for _ in 0..8 {
        deep = index(Index::builder().index(&deep));
    }
    registry.publish("a/b", "deep", &deep);
    let world = World::open(registry);
    let repository = world.repository("a/b");
    let ask = async |name: &str, platform: &str| {
        let platform = Platform::parse(platform).unwrap();
        repository.image(&tag(name), &platform).await
    };
    for (platform, wanted) in [
        ("linux/arm64", &arm),
        ("linux/amd64", &amd),
        ("linux/riscv64", &riscv),
    ] {
        let found = ask("latest", platform).await.unwrap();
        assert_eq!(*found.digest(), digest(&wanted.digest()), "{platform}");
    }
    let error = ask("latest", "linux/s390x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoPlatform);
    let list = std::error::Error::source(&error).unwrap().to_string();
    for there in ["linux/arm64", "linux/amd64", "linux/riscv64"] {
        assert!(list.contains(there), "{list}");
    }
    let error = ask("deep", "linux/amd64").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoPlatform);
    assert!(error.to_string().contains("8 indexes"), "{error}");
}

#[tokio::test]
async fn many_digests_are_looked_up_side_by_side() {
    let (world, image) = published();
    let wanted = digest(&image.digest());
    (0..40).for_each(|number| {
        world
            .registry
            .tag("a/b", &format!("t{number}"), &image.digest());
    });
    let names = (0..50).map(|number| tag(&format!("t{number}")));
    let looked_up = world.repository("a/b").digests(names);
    let found: Vec<_> = looked_up.collect().await;
    let absent = |found: &&(Identifier, Result<_, _>)| matches!(found.1, Ok(None));
    assert_eq!(found.len(), 50);
    assert_eq!(found.iter().filter(absent).count(), 10);
    let present = found
        .iter()
        .filter_map(|(_, found)| found.as_ref().unwrap().as_ref());
    assert!(present.into_iter().all(|digest| *digest == wanted));
    assert_eq!(world.registry.count("HEAD", "/v2/a/b/manifests/"), 50);
}

#[tokio::test]
async fn a_head_that_names_another_digest_is_not_believed() {
    let (world, image) = published();
    let lie = format!("sha256:{}", "0".repeat(64));
    world.registry.fault(
        Match::head("/v2/a/b/manifests/sha256*"),
        Fault::answer().header("docker-content-digest", &lie),
    );
    let asked = digest(&image.digest());
    let found = world
        .repository("a/b")
        .digest(&Identifier::Digest(asked.clone()))
        .await;
    assert_eq!(found.unwrap(), Some(asked));
}

#[tokio::test]
async fn docker_schema_1_is_unsupported() {
    let (world, _) = published();
    let body = r#"{"schemaVersion":1,"name":"a/b","tag":"latest","fsLayers":[]}"#;
    let media_type = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let old = Fault::answer()
        .header("content-type", media_type)
        .body(body);
    world.registry.fault(Match::get(LATEST), old);
    let error = world
        .repository("a/b")
        .image(&tag("latest"), &Platform::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}

#[tokio::test]
async fn manifests_are_pushed_once_and_as_they_are() {
    let (world, image) = published();
    let repository = world.repository("a/b");
    let manifest = repository.manifest(&tag("latest")).await.unwrap();
    assert_eq!(
        repository
            .push_manifest(&tag("latest"), &manifest)
            .await
            .unwrap(),
        ManifestOutcome::Existed
    );
    assert_eq!(world.registry.count("PUT", "/v2/"), 0);
    assert_eq!(
        repository
            .push_manifest(&tag("new"), &manifest)
            .await
            .unwrap(),
        ManifestOutcome::Pushed
    );
    assert_eq!(
        world.registry.tag_digest("a/b", "new"),
        Some(image.digest())
    );

    let spaced = bytes::Bytes::from([manifest.bytes().as_ref(), b"\n"].concat());
    let spaced = RawManifest::new(Some(manifest.media_type().clone()), spaced);
    repository
        .push_manifest(&Identifier::Digest(spaced.digest().clone()), &spaced)
        .await
        .unwrap();
    let (media_type, bytes) = world
        .registry
        .manifest("a/b", spaced.digest().as_str())
        .unwrap();
    assert_eq!(
        (media_type.as_str(), &bytes),
        (spaced.media_type().as_str(), spaced.bytes())
    );
}

#[tokio::test]
async fn a_push_survives_a_useless_head_and_a_rate_limit() {
    let (world, image) = published();
    let repository = world.repository("a/b");
    let manifest = repository.manifest(&tag("latest")).await.unwrap();
    for status in [200, 202] {
        let name = format!("n{status}");
        let target = format!("/v2/a/b/manifests/{name}");
        world
            .registry
            .fault(Match::head(&target), Fault::status(403));
        world
            .registry
            .fault(Match::put(&target).once(), Fault::status(429));
        let kept = Fault::answer().as_status(status).without_header("location");
        world.registry.fault(Match::put(&target), kept);
        assert_eq!(
            repository
                .push_manifest(&tag(&name), &manifest)
                .await
                .unwrap(),
            ManifestOutcome::Pushed
        );
        assert_eq!(world.registry.count("PUT", &target), 2);
        assert_eq!(
            world.registry.tag_digest("a/b", &name),
            Some(image.digest())
        );
    }
}
