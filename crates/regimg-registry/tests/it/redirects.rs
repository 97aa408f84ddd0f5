//! Redirects: where requests go, and what does not travel along.

use regimg_registry::{Credential, ErrorKind};
use regimg_tests::Image;
use regimg_tests::registry::{Auth, Fault, Match, Origin, Registry, UploadLocation};

use crate::support::{Source, World, basic, content, drain, stored, tag};

fn world(auth: Auth) -> World {
    let registry = Registry::builder()
        .auth(auth.account("user", "pa55word"))
        .upload_location(UploadLocation::Elsewhere)
        .start();
    registry.publish("a/b", "latest", &Image::with_text("x"));
    World::with(registry, basic("user", "pa55word"))
}

#[track_caller]
fn no_secrets_elsewhere(world: &World, requests: usize) {
    let elsewhere = world.registry.requests_to(Origin::Elsewhere);
    assert_eq!(elsewhere.len(), requests);
    for record in elsewhere {
        assert_eq!(record.authorization(), None, "{}", record.line());
    }
}

#[tokio::test]
async fn other_hosts_see_no_secrets() {
    for auth in [Auth::basic(), Auth::bearer()] {
        let world = world(auth);
        let descriptor = stored(&world.registry, "a/b", &content(1000));
        world.registry.fault(
            Match::any("/v2/a/b/blobs/sha256*"),
            Fault::redirect_elsewhere(),
        );
        world.registry.fault(
            Match::any("/v2/a/b/manifests/*"),
            Fault::redirect_elsewhere(),
        );
        let repository = world.repository("a/b");
        assert_eq!(
            drain(repository.open_blob(&descriptor).await.unwrap())
                .await
                .unwrap(),
            content(1000)
        );
        assert!(repository.blob_exists(&descriptor.digest).await.unwrap());
        let manifest = repository.manifest(&tag("latest")).await.unwrap();
        assert_eq!(
            repository.digest(&tag("latest")).await.unwrap().as_ref(),
            Some(manifest.digest())
        );
        no_secrets_elsewhere(&world, 4);
        repository
            .push_blob(&Source::new(content(500)), &[])
            .await
            .unwrap();
        no_secrets_elsewhere(&world, 7);
    }
}

/// Every request that there is, whether it ends well or not.
async fn do_everything(world: &World) {
    let repository = world.repository("a/b");
    let blob = stored(&world.registry, "a/b", &content(1000));
    let manifest = crate::support::raw(regimg_tests::Artifact::manifest(&Image::with_text("y")));
    let _ = repository.tags().await;
    let _ = repository.digest(&tag("latest")).await;
    let _ = repository.manifest(&tag("latest")).await;
    let _ = repository.referrers(&blob.digest, None).await;
    let _ = repository.blob_exists(&blob.digest).await;
    let _ = repository.read_blob(&blob, 1000).await;
    let _ = repository.push_manifest(&tag("new"), &manifest).await;
    for fault in [None, Some(Fault::status(400))] {
        if let Some(fault) = fault {
            // So that the upload is ended by `DELETE`.
            world
                .registry
                .fault(Match::put("/v2/a/b/blobs/uploads/*"), fault);
        }
        let source = Source::new(content(500));
        let _ = repository.push_blob(&source, &[world.name("other")]).await;
        world
            .registry
            .remove_blob("a/b", &regimg_tests::Digest::sha256(&content(500)));
    }
}

#[tokio::test]
async fn no_method_carries_secrets_over_a_redirect() {
    for status in [301, 302, 303, 307, 308] {
        for method in ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"] {
            for auth in [Auth::basic(), Auth::bearer()] {
                let registry = Registry::builder()
                    .auth(auth.account("user", "pa55word"))
                    .start();
                registry.publish("a/b", "latest", &Image::with_text("x"));
                let world = World::with(registry, basic("user", "pa55word"));
                let rule = match method {
                    "GET" => Match::get("/v2/a/b/*"),
                    "HEAD" => Match::head("/v2/a/b/*"),
                    "POST" => Match::post("/v2/a/b/*"),
                    "PATCH" => Match::patch("/v2/a/b/*"),
                    "PUT" => Match::put("/v2/a/b/manifests/*"),
                    _ => Match::delete("/v2/a/b/*"),
                };
                let away = Fault::redirect_elsewhere().as_status(status);
                world.registry.fault(rule.at(Origin::Registry), away);
                do_everything(&world).await;
                let elsewhere = world.registry.requests_to(Origin::Elsewhere);
                let follows = status >= 307 || matches!(method, "GET" | "HEAD");
                assert_eq!(!elsewhere.is_empty(), follows, "{method} {status}");
                for record in elsewhere {
                    assert_eq!(record.authorization(), None, "{}", record.line());
                }
            }
        }
    }
}

#[tokio::test]
async fn the_host_of_a_redirected_greeting_gets_no_password() {
    let world = world(Auth::basic());
    world
        .registry
        .fault(Match::get("/v2/").once(), Fault::redirect_elsewhere());
    let thief = format!(
        r#"Bearer realm="{}/token""#,
        world.registry.url(Origin::Tokens)
    );
    let challenge = Fault::status(401).header("www-authenticate", &thief);
    world
        .registry
        .fault(Match::get("/v2/").at(Origin::Elsewhere), challenge);
    let found = world.repository("a/b").digest(&tag("latest")).await;
    assert!(found.unwrap().is_some());
    assert!(world.registry.requests_to(Origin::Tokens).is_empty());
    no_secrets_elsewhere(&world, 1);
}

#[tokio::test]
async fn the_registry_itself_sees_them_again() {
    let world = world(Auth::basic());
    let target = format!(
        "{}/v2/a/b/manifests/latest",
        world.registry.url(Origin::Registry)
    );
    world.registry.fault(
        Match::get("/v2/a/b/manifests/other"),
        Fault::redirect_to(&target),
    );
    world
        .repository("a/b")
        .manifest(&tag("other"))
        .await
        .unwrap();
    let last = world.registry.requests().pop().unwrap();
    assert_eq!(
        (last.path.as_str(), last.authorization().is_some()),
        ("/v2/a/b/manifests/latest", true)
    );
}

#[tokio::test]
async fn circles_and_dangers_are_refused() {
    let faults = [
        (Fault::redirect_to_itself(), 11),
        (
            Fault::redirect_to("http://169.254.169.254/latest/meta-data"),
            1,
        ),
        (Fault::redirect_to("http://192.168.0.1/"), 1),
        (Fault::redirect_to("http://[fd00::1]/"), 1),
        (Fault::redirect_to("file:///etc/passwd"), 1),
    ];
    for (fault, requests) in faults {
        let world = world(Auth::basic());
        world
            .registry
            .fault(Match::get("/v2/a/b/manifests/latest"), fault.clone());
        let error = world
            .repository("a/b")
            .manifest(&tag("latest"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{fault:?} {error}");
        assert_eq!(
            world.registry.count("GET", "/v2/a/b/manifests/latest"),
            requests
        );
    }
}

#[tokio::test]
async fn token_servers_that_redirect_pass_no_secrets_on() {
    let world = world(Auth::bearer());
    let elsewhere = format!("{}/token", world.registry.url(Origin::Elsewhere));
    world
        .registry
        .fault(Match::get("/token"), Fault::redirect_to(&elsewhere));
    world
        .repository("a/b")
        .digest(&tag("latest"))
        .await
        .unwrap_err();
    no_secrets_elsewhere(&world, 1);

    let registry = Registry::builder()
        .auth(Auth::bearer().identity_token("refr3sh"))
        .start();
    let world = World::with(
        registry,
        Credential::IdentityToken(regimg_core::Secret::new("refr3sh")),
    );
    let elsewhere = format!("{}/token", world.registry.url(Origin::Elsewhere));
    world
        .registry
        .fault(Match::post("/token"), Fault::redirect_to(&elsewhere));
    let error = world
        .repository("a/b")
        .digest(&tag("latest"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    no_secrets_elsewhere(&world, 0);
}

#[tokio::test]
async fn errors_hold_no_signed_addresses() {
    let world = world(Auth::basic());
    let descriptor = stored(&world.registry, "a/b", &content(1000));
    let signed = format!(
        "{}/x?X-Amz-Signature=deadbeef",
        world.registry.url(Origin::Elsewhere)
    );
    world
        .registry
        .fault(Match::get("/v2/a/b/blobs/*"), Fault::redirect_to(&signed));
    let error = world
        .repository("a/b")
        .open_blob(&descriptor)
        .await
        .unwrap_err();
    assert_eq!(world.registry.requests_to(Origin::Elsewhere).len(), 1);
    let told = format!("{error} {error:?} {:?}", error.url());
    assert!(
        told.contains("X-Amz-Signature=…") && !told.contains("deadbeef"),
        "{told}"
    );
}

#[tokio::test]
async fn a_store_that_wants_a_token_gets_a_strangers() {
    let world = world(Auth::bearer().anonymous_pull());
    let descriptor = stored(&world.registry, "a/b", &content(1000));
    world.registry.fault(
        Match::get("/v2/a/b/blobs/*"),
        Fault::redirect_elsewhere_for(1),
    );
    let store = Match::get("*").at(Origin::Elsewhere);
    let challenge = format!(
        r#"Bearer realm="{}/token",service="store""#,
        world.registry.url(Origin::Tokens)
    );
    let refusal = Fault::status(401).header("www-authenticate", &challenge);
    world.registry.fault(store.clone().once(), refusal);
    world
        .registry
        .fault(store, Fault::status(200).body(content(1000)));
    let repository = world.repository("a/b");
    assert_eq!(
        drain(repository.open_blob(&descriptor).await.unwrap())
            .await
            .unwrap(),
        content(1000)
    );
    let to_store: Vec<_> = world.registry.requests_to(Origin::Elsewhere);
    let bearer = |record: &regimg_tests::registry::Record| {
        record
            .authorization()
            .is_some_and(|value| value.starts_with("Bearer "))
    };
    assert_eq!(
        to_store.iter().map(bearer).collect::<Vec<_>>(),
        [false, true]
    );
    let bought = world.registry.requests_to(Origin::Tokens);
    assert_eq!(
        (bought.len(), bought[0].authorization()),
        (1, None),
        "no password for the store's token server"
    );
    let ours = world.registry.requests_to(Origin::Registry);
    let shown = ours.iter().filter_map(|record| record.authorization());
    assert!(
        shown
            .into_iter()
            .all(|value| Some(value) != to_store[1].authorization())
    );
}

/// A store that repeats the registry's own challenge asks for the token that the password
/// bought, and must not get it.
#[tokio::test]
async fn a_store_does_not_get_the_registrys_token_by_asking_in_its_words() {
    let own = r#"Bearer realm="{realm}",service="shared",scope="{scope}""#;
    let world = world(Auth::bearer().challenges(&[own]));
    let descriptor = stored(&world.registry, "a/b", &content(1000));
    world.registry.fault(
        Match::get("/v2/a/b/blobs/*"),
        Fault::redirect_elsewhere_for(1),
    );
    let store = Match::get("*").at(Origin::Elsewhere);
    let realm = format!("{}/token", world.registry.url(Origin::Registry));
    let challenge = own
        .replace("{realm}", &realm)
        .replace("{scope}", "repository:a/b:pull");
    let refusal = Fault::status(401).header("www-authenticate", &challenge);
    world.registry.fault(store, refusal);
    let repository = world.repository("a/b");
    repository.digest(&tag("latest")).await.unwrap();
    repository.open_blob(&descriptor).await.unwrap_err();

    let ours = world.registry.requests_to(Origin::Registry);
    let ours: Vec<_> = ours
        .iter()
        .filter_map(|record| record.authorization())
        .collect();
    assert!(!ours.is_empty());
    for record in world.registry.requests_to(Origin::Elsewhere) {
        let shown = record.authorization();
        assert!(
            shown.is_none_or(|shown| !ours.contains(&shown)),
            "{}",
            record.line()
        );
    }
}
