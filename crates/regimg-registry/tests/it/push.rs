//! Pushing whole images and indexes: what comes before what.

use regimg_core::Tag;
use regimg_registry::{Artifact, BlobOutcome, BlobSource, ErrorKind};
use regimg_tests::registry::{Fault, Match, Registry};
use regimg_tests::{Artifact as _, Image, Index, Layer};

use crate::support::{Source, World, assert_all_existed, content, raw, source_of};

/// What a fixture holds, as sources that outlive the artifact.
struct Parts {
    image: Image,
    blobs: Vec<Source>,
}

impl Parts {
    fn new(image: Image) -> Self {
        let blobs = image.blobs().into_iter().map(source_of).collect();
        Self { image, blobs }
    }

    fn artifact(&self) -> Artifact<'_> {
        let blobs = self.blobs.iter().map(|blob| blob as &dyn BlobSource);
        Artifact {
            manifest: raw(self.image.manifest()),
            blobs: blobs.collect(),
            children: Vec::new(),
        }
    }
}

fn over<'a>(index: &Index, children: Vec<Artifact<'a>>) -> Artifact<'a> {
    Artifact {
        manifest: raw(index.manifest()),
        blobs: Vec::new(),
        children,
    }
}

fn tags(names: &[&str]) -> Vec<Tag> {
    names.iter().map(|name| Tag::parse(name).unwrap()).collect()
}

/// Two images with a layer in common, an index of both, and an index of that and the first.
fn nested() -> (Parts, Parts, Index, Index) {
    let image = |platform: &str, text: &str| {
        let common = Layer::parse("file common random=300000");
        let own = Layer::parse(&format!("file own \"{text}\""));
        let builder = Image::builder().platform(platform).layer(common).layer(own);
        Parts::new(builder.build())
    };
    let (one, two) = (image("linux/amd64", "one"), image("linux/arm64", "two"));
    let inner = Index::builder().image(&one.image).image(&two.image).build();
    let outer = Index::builder().index(&inner).image(&one.image).build();
    (one, two, inner, outer)
}

#[tokio::test]
async fn children_come_before_parents_and_tags_last() {
    let (one, two, inner, outer) = nested();
    let children = vec![
        over(&inner, vec![one.artifact(), two.artifact()]),
        one.artifact(),
    ];
    let artifact = over(&outer, children);
    let world = World::open(Registry::start());
    let repository = world.repository("a/b");
    let names = tags(&["1.2", "latest", "1"]);
    let pushed = repository.push(&artifact, &names, &[]).await.unwrap();
    for name in &names {
        let digest = world.registry.tag_digest("a/b", name.as_str());
        assert_eq!(digest, Some(outer.digest()));
    }
    assert_eq!(
        pushed.blobs.len(),
        5,
        "two configurations, two layers, one in common"
    );
    let sent = |outcome: &BlobOutcome| matches!(outcome, BlobOutcome::Uploaded { .. });
    assert!(pushed.blobs.iter().all(|(_, outcome)| sent(outcome)));
    let puts: Vec<String> = world
        .registry
        .requests()
        .iter()
        .filter(|record| record.method == "PUT" && record.path.contains("/manifests/"))
        .map(|record| record.path.rsplit('/').next().unwrap().to_owned())
        .collect();
    let images = [one.image.digest(), two.image.digest()];
    assert!(
        puts[..2]
            .iter()
            .all(|name| images.iter().any(|image| image.as_str() == name))
    );
    let inner = inner.digest();
    assert_eq!(puts[2..], [inner.as_str(), "1.2", "latest", "1"]);
    let last_blob = world
        .registry
        .requests()
        .iter()
        .rposition(|record| record.path.contains("/blobs/"));
    let first_manifest = world
        .registry
        .requests()
        .iter()
        .position(|record| record.path.contains("/manifests/"));
    assert!(last_blob < first_manifest);

    world.registry.clear_requests();
    let again = repository.push(&artifact, &names, &[]).await.unwrap();
    assert_all_existed(&again);
    for method in ["PUT", "POST", "PATCH"] {
        assert_eq!(world.registry.count(method, "/v2/"), 0);
    }
}

#[tokio::test]
async fn without_tags_the_digest_is_the_name() {
    let parts = Parts::new(Image::with_text("x"));
    let world = World::open(Registry::start());
    let repository = world.repository("a/b");
    repository.push(&parts.artifact(), &[], &[]).await.unwrap();
    let digest = parts.image.digest();
    assert!(world.registry.manifest("a/b", digest.as_str()).is_some());
    assert!(world.registry.tags("a/b").is_empty());
}

#[tokio::test]
async fn foreign_layers_stay_where_they_are() {
    let layer = || Layer::parse("file a \"b\"");
    let image = Image::builder()
        .foreign_layer(layer(), &["https://example.com/layer"])
        .layer(Layer::parse("file c \"d\""))
        .build();
    let foreign = image.layers()[0].digest().clone();
    let parts = Parts::new(image);
    let mut artifact = parts.artifact();
    let source = source_of(parts.image.layers()[0]);
    if !parts
        .blobs
        .iter()
        .any(|blob| blob.descriptor.digest.as_str() == foreign.as_str())
    {
        artifact.blobs.push(&source);
    }
    let world = World::open(Registry::start());
    let repository = world.repository("a/b");
    let names = tags(&["latest"]);
    let pushed = repository.push(&artifact, &names, &[]).await.unwrap();
    assert_eq!(pushed.blobs.len(), 2);
    assert!(world.registry.blob("a/b", &foreign).is_none());
    let (_, bytes) = world.registry.manifest("a/b", "latest").unwrap();
    assert_eq!(bytes, parts.image.manifest().content().bytes());
}

#[tokio::test]
async fn nothing_points_at_what_is_incomplete() {
    let (one, two, inner, _) = nested();
    let artifact = over(&inner, vec![one.artifact(), two.artifact()]);
    let world = World::open(Registry::start());
    world
        .registry
        .fault(Match::patch("*").after(2), Fault::status(403));
    let repository = world.repository("a/b");
    let error = repository
        .push(&artifact, &tags(&["latest"]), &[])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(world.registry.count("PUT", "/v2/a/b/manifests/"), 0);
    assert_eq!(world.registry.tag_digest("a/b", "latest"), None);
}

#[tokio::test]
async fn sizes_that_contradict_each_other_are_noticed() {
    let parts = Parts::new(Image::with_text("x"));
    let mut other = Source::new(content(10));
    other.descriptor = parts.blobs[0].descriptor.clone();
    other.descriptor.size += 1;
    let mut artifact = parts.artifact();
    artifact.blobs.push(&other);
    let world = World::open(Registry::start());
    let repository = world.repository("a/b");
    let error = repository.push(&artifact, &[], &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source);
    assert!(world.registry.requests().is_empty());
}

#[tokio::test]
async fn blobs_are_mounted_where_possible() {
    let parts = Parts::new(Image::with_text("x"));
    let world = World::open(Registry::start());
    world.registry.push("other", &parts.image);
    let from = [world.name("other")];
    let repository = world.repository("a/b");
    let pushed = repository
        .push(&parts.artifact(), &[], &from)
        .await
        .unwrap();
    assert!(
        pushed
            .blobs
            .iter()
            .all(|(_, outcome)| *outcome == BlobOutcome::Mounted)
    );
    assert_eq!(world.registry.count("PATCH", "/v2/"), 0);
}
