//! GitLab's registry.

use regimg_registry::BlobOutcome;
use regimg_tests::registry::{Auth, Realm};

use super::{PATH, everything, with_auth};
use crate::support::{World, basic};

/// Deploy tokens are a name and a password; the token server is another host
/// (<https://docs.gitlab.com/user/project/deploy_tokens/>).
#[tokio::test]
async fn everything_works_with_a_deploy_token() {
    let (name, token) = ("gitlab+deploy-token-1", "gldt-pa55word");
    let auth = Auth::bearer().account(name, token).realm(Realm::Separate);
    let world = World::with(with_auth(auth), basic(name, token));
    let of_base = everything(&world, PATH).await.unwrap();
    assert_eq!(of_base, BlobOutcome::Mounted);
}

/// What is pushed to comes first, so that a server that reads one scope gives what is needed; the
/// mount, which needs the second, is an upload then (go-containerregistry, `bearer.go`).
#[tokio::test]
async fn a_token_server_that_reads_one_scope() {
    let auth = Auth::bearer()
        .account("user", "pa55word")
        .first_scope_only();
    let world = World::with(with_auth(auth), basic("user", "pa55word"));
    let of_base = everything(&world, PATH).await.unwrap();
    assert!(
        matches!(of_base, BlobOutcome::Uploaded { .. }),
        "{of_base:?}"
    );
}
