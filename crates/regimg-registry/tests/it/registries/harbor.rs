//! Harbor.

use regimg_registry::BlobOutcome;
use regimg_tests::registry::{Auth, Fault, Match};

use super::{PATH, everything, with_auth};
use crate::support::{World, basic};

/// Robots of a project and of the system
/// (<https://goharbor.io/docs/main/working-with-projects/project-configuration/create-robot-accounts/>).
#[tokio::test]
async fn robots_log_in() {
    for name in ["robot$team+pipeline", "robot$pipeline"] {
        for auth in [Auth::bearer(), Auth::basic()] {
            let auth = auth.account(name, "pa55word");
            let world = World::with(with_auth(auth), basic(name, "pa55word"));
            everything(&world, PATH).await.unwrap();
        }
    }
}

/// A project that does not exist is 401, a name without a project 400
/// (<https://github.com/goharbor/harbor/issues/17097>).
#[tokio::test]
async fn mounts_that_are_refused_are_uploads() {
    for (status, code) in [
        (401, "UNAUTHORIZED"),
        (400, "BAD_REQUEST"),
        (404, "NOT_FOUND"),
    ] {
        let auth = Auth::bearer().account("robot$team+pipeline", "pa55word");
        let registry = with_auth(auth);
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"project not found"}}]}}"#);
        let mounts = Match::post("/v2/team/app/blobs/uploads/?mount=*");
        registry.fault(mounts, Fault::status(status).body(body));
        let world = World::with(registry, basic("robot$team+pipeline", "pa55word"));
        let of_base = everything(&world, PATH).await.unwrap();
        assert!(
            matches!(of_base, BlobOutcome::Uploaded { .. }),
            "{of_base:?}"
        );
    }
}

/// <https://github.com/goharbor/harbor/issues/22078>
#[tokio::test]
async fn bursts_of_errors_pass() {
    let auth = Auth::bearer().account("user", "pa55word");
    let registry = with_auth(auth);
    for (matching, status) in [
        (Match::head("/v2/team/app/blobs/*").times(2), 500),
        (Match::post("/v2/team/app/blobs/uploads/").times(2), 502),
        (Match::patch("/v2/team/app/blobs/uploads/*").once(), 500),
        (Match::put("/v2/team/app/blobs/uploads/*").once(), 502),
        (Match::put("/v2/team/app/manifests/*").times(2), 500),
    ] {
        registry.fault(matching, Fault::status(status));
    }
    let world = World::with(registry, basic("user", "pa55word"));
    everything(&world, PATH).await.unwrap();
    assert!(world.clock.waits().len() >= 7);
}
