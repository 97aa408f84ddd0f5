//! Artifact Registry, and Container Registry before it.

use regimg_registry::ErrorKind;
use regimg_tests::registry::{Auth, Fault, Match, TokenField};

use super::{PATH, everything, with_auth};
use crate::support::{World, basic, tag};

/// A service account's key is a page of JSON with line ends, colons and quotation marks in it; an
/// access token is opaque ([authentication](https://cloud.google.com/artifact-registry/docs/docker/authentication)).
#[tokio::test]
async fn every_kind_of_login() {
    let key = "{\n  \"type\": \"service_account\",\n  \"private_key\": \"-----BEGIN PRIVATE KEY-----\\nMIIE:vQ==\\n-----END PRIVATE KEY-----\\n\"\n}\n";
    for (username, password) in [
        ("_json_key", key),
        (
            "_json_key_base64",
            "ewogICJ0eXBlIjogInNlcnZpY2VfYWNjb3VudCIKfQ==",
        ),
        ("oauth2accesstoken", "ya29.a0Af_B-yCx.y"),
    ] {
        let auth = Auth::bearer().account(username, password);
        let registry = with_auth(auth.token_field(TokenField::Both));
        let world = World::with(registry, basic(username, password));
        everything(&world, PATH).await.unwrap();
        let requests = world.registry.requests();
        let kinds = requests.iter().filter_map(|asked| {
            let kind = asked.authorization()?.split(' ').next()?;
            Some((asked.path == "/token", kind))
        });
        // The login buys tokens, and nothing else sees it.
        assert!(
            kinds
                .into_iter()
                .all(|(buys, kind)| buys == (kind == "Basic"))
        );
    }
}

/// <https://github.com/docker/build-push-action/issues/171>, and what the Go resource expects of an
/// unknown repository (`out_test.go`).
#[tokio::test]
async fn names_that_are_none() {
    let world = World::open(with_auth(Auth::none()));
    let list = "/v2/project/repository/tags/list";
    let body = r#"{"errors":[{"code":"NAME_INVALID","message":"Missing image name. Pushes should be of the form docker push HOST-NAME/PROJECT-ID/REPOSITORY/IMAGE"}]}"#;
    world
        .registry
        .fault(Match::get(list), Fault::status(400).body(body));
    let repository = world.repository("project/repository");
    let error = repository.tags().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(error.to_string().contains("NAME_INVALID"), "{error}");
    assert!(error.to_string().contains("Missing image name"), "{error}");

    world.registry.clear_faults();
    let body = r#"{"errors":[{"code":"NOT_FOUND","message":"Failed to list versions"}]}"#;
    world
        .registry
        .fault(Match::get(list), Fault::status(404).body(body));
    assert!(repository.tags().await.unwrap_err().is_new_repository());
    assert!(repository.digest(&tag("latest")).await.unwrap().is_none());
}
