//! Artifactory.

use regimg_core::Secret;
use regimg_registry::{BlobOutcome, Credential};
use regimg_tests::Image;
use regimg_tests::registry::{Auth, Fault, Match};

use super::{BASE, PATH, everything, with_auth};
use crate::support::{World, basic, tag};

/// The key of the repository stands before the image's name where one host serves several
/// (<https://github.com/xelalexv/dregsy/issues/111>). A `PUT` with a blob in it is answered by 404
/// (<https://github.com/docker/buildx/issues/196>).
#[tokio::test]
async fn everything_works_below_a_path() {
    let auth = Auth::basic().account("user", "pa55word").open_ping();
    let registry = with_auth(auth);
    let path = format!("docker-local/{PATH}");
    registry.publish(&path, "latest", &Image::with_text("x"));
    let world = World::with(registry, basic("user", "pa55word"));
    let of_base = everything(&world, &path).await.unwrap();
    assert_eq!(of_base, BlobOutcome::Mounted);
    let requests = world.registry.requests();
    let mut commits = requests
        .iter()
        .filter(|asked| asked.method == "PUT" && asked.path.contains("/blobs/uploads/"));
    assert!(commits.clone().count() > 0);
    assert!(commits.all(|asked| asked.received == 0));
    let mut foreign = requests
        .iter()
        .filter(|asked| !asked.path.starts_with("/v2/docker-local/") && asked.path != "/v2/");
    assert!(foreign.next().is_none());
    assert!(
        requests
            .iter()
            .any(|asked| asked.field("from").as_deref() == Some(BASE))
    );
}

/// A virtual repository denies what it has not got, and serves what it has
/// (<https://github.com/google/go-containerregistry/issues/1691>).
#[tokio::test]
async fn a_403_does_not_mean_that_it_is_there() {
    let auth = Auth::bearer().account("user", "pa55word");
    let world = World::with(with_auth(auth), basic("user", "pa55word"));
    let missing = "/v2/team/app/manifests/new";
    world
        .registry
        .fault(Match::head(missing), Fault::status(403));
    // So it is absent for who looks, and no reason not to push.
    assert!(
        world
            .repository(PATH)
            .digest(&tag("new"))
            .await
            .unwrap()
            .is_none()
    );
    everything(&world, PATH).await.unwrap();
}

/// <https://github.com/containerd/containerd/issues/2166>
#[tokio::test]
async fn an_access_token_is_shown_by_get() {
    let auth = Auth::bearer().account("<token>", "cmVmdGtuOjAx");
    let registry = with_auth(auth);
    registry.fault(Match::post("/token"), Fault::status(401));
    let token = Secret::new("cmVmdGtuOjAx");
    let world = World::with(registry, Credential::IdentityToken(token));
    everything(&world, PATH).await.unwrap();
}
