//! GitHub's registry.

use regimg_registry::{Credential, ErrorKind};
use regimg_tests::registry::{Auth, Fault, Match};

use super::{PATH, everything, with_auth};
use crate::support::{World, basic, tag};

/// The challenge of `/v2/`, word for word.
const GREETING: &str =
    r#"Bearer realm="{realm}",service="{service}",scope="repository:user/image:pull""#;

fn auth() -> Auth {
    Auth::bearer().account("octocat", "ghp_pa55word")
}

/// A token server that is asked for a repository of somebody else's refuses
/// (<https://github.com/oras-project/oras/issues/1128>).
#[tokio::test]
async fn a_scope_that_is_a_placeholder_is_not_asked_for() {
    let registry = with_auth(auth().challenges(&[GREETING]));
    let foreign = Match::get("/token?*user%2Fimage*");
    registry.fault(foreign, Fault::status(403));
    let world = World::with(registry, basic("octocat", "ghp_pa55word"));
    // The greeting's words come again with each refusal.
    world.registry.fault(
        Match::get("/v2/team/app/tags/list").once(),
        Fault::status(401).header(
            "www-authenticate",
            &GREETING.replace(
                "{realm}",
                &format!("http://{}/token", world.registry.host()),
            ),
        ),
    );
    everything(&world, PATH).await.unwrap();
    let tokens = world.registry.requests();
    let mut tokens = tokens.iter().filter(|asked| asked.path == "/token");
    assert!(tokens.all(|asked| {
        !asked
            .query
            .as_deref()
            .unwrap_or_default()
            .contains("user%2Fimage")
    }));
}

/// <https://github.com/k3s-io/k3s/issues/2401>
#[tokio::test]
async fn what_is_private_is_refused_by_the_token_server() {
    for (credential, kind, hint) in [
        (
            Credential::Anonymous,
            ErrorKind::Denied,
            "no credentials were given for ",
        ),
        (
            basic("octocat", "ghp_expired"),
            ErrorKind::Denied,
            "the token server did not accept the credentials for ",
        ),
    ] {
        let registry = with_auth(auth().challenges(&[GREETING]));
        let body = r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#;
        registry.fault(Match::get("/token"), Fault::status(403).body(body));
        let world = World::with(registry, credential);
        let error = world.repository(PATH).digest(&tag("latest")).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains("DENIED"), "{error}");
        assert!(
            error.hint().unwrap().starts_with(hint),
            "{:?}",
            error.hint()
        );
        assert_eq!(world.registry.count("GET", "/token"), 1);
    }
}

/// <https://github.com/getarcaneapp/arcane/issues/3968>
#[tokio::test]
async fn pages_go_on_though_their_links_say_none() {
    let world = World::with(with_auth(auth()), basic("octocat", "ghp_pa55word"));
    let link = r#"</v2/team/app/tags/list?last=t09&n=0>; rel="next""#;
    let first = Fault::status(200)
        .body(r#"{"name":"team/app","tags":["t00","t09"]}"#)
        .header("link", link);
    let second = Fault::status(200).body(r#"{"name":"team/app","tags":["t10"]}"#);
    world
        .registry
        .fault(Match::get("/v2/team/app/tags/list?n=1000"), first);
    world
        .registry
        .fault(Match::get("/v2/team/app/tags/list?last=t09&n=0"), second);
    let tags = world.repository(PATH).tags().await.unwrap();
    assert_eq!(tags, ["t00", "t09", "t10"]);
}

#[tokio::test]
async fn everything_works() {
    let world = World::with(
        with_auth(auth().challenges(&[GREETING])),
        basic("octocat", "ghp_pa55word"),
    );
    everything(&world, PATH).await.unwrap();
}
