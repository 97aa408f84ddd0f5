//! Who asks: challenges, tokens, and where secrets go.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{self, BoxFuture};
use regimg_core::Secret;
use regimg_registry::{
    Client, Config, Credential, CredentialError, CredentialSource, Error, ErrorKind,
};
use regimg_tests::Image;
use regimg_tests::registry::{Auth, Fault, Match, Origin, Realm, Registry, TokenField};

use crate::support::{Source, World, basic, content, tag};

const LATEST: &str = "/v2/a/b/manifests/latest";

fn registry(auth: Auth) -> Registry {
    let registry = Registry::builder().auth(auth).start();
    registry.publish("a/b", "latest", &Image::with_text("x"));
    registry
}

fn world(auth: Auth, credential: Credential) -> World {
    World::with(registry(auth), credential)
}

async fn look(world: &World) -> Result<bool, Error> {
    Ok(world
        .repository("a/b")
        .digest(&tag("latest"))
        .await?
        .is_some())
}

fn tokens(world: &World) -> usize {
    world.registry.count("GET", "/token") + world.registry.count("POST", "/token")
}

fn bearer() -> Auth {
    Auth::bearer().account("user", "pa55word")
}

#[tokio::test]
async fn good_credentials_of_every_kind() {
    let user = || basic("user", "pa55word");
    let challenges = |lines: &[&str]| bearer().challenges(lines);
    let wanted = r#"Bearer realm="{realm}",service="{service}",scope="{scope}""#;
    for (auth, credential) in [
        (Auth::none(), Credential::Anonymous),
        (Auth::none(), user()),
        (Auth::basic().account("user", "pa55word"), user()),
        (
            Auth::basic().account("user", "pa55word").open_ping(),
            user(),
        ),
        (
            Auth::basic()
                .account("user", "pa55word")
                .challenges(&["Negotiate", r#"Basic realm="x""#]),
            user(),
        ),
        (bearer(), user()),
        (bearer().open_ping(), user()),
        (bearer().realm(Realm::Separate), user()),
        (bearer().anonymous_pull(), Credential::Anonymous),
        (bearer().token_field(TokenField::AccessToken), user()),
        (bearer().token_field(TokenField::Both), user()),
        (
            bearer().token_field(TokenField::EmptyTokenAndAccessToken),
            user(),
        ),
        (bearer().expires_in(None), user()),
        (
            bearer().identity_token("refr3sh"),
            Credential::IdentityToken(Secret::new("refr3sh")),
        ),
        (
            bearer().registry_token("f1xed"),
            Credential::RegistryToken(Secret::new("f1xed")),
        ),
        (challenges(&[r#"Basic realm="x""#, wanted]), user()),
        (
            challenges(&[&format!(r#"Basic realm="a, b", {wanted}"#)]),
            user(),
        ),
        (
            challenges(&[&wanted.replace("Bearer realm", "bearer Realm")]),
            user(),
        ),
    ] {
        let world = world(auth.clone(), credential);
        assert!(look(&world).await.unwrap(), "{auth:?}");
        assert!(look(&world).await.unwrap());
        assert!(tokens(&world) <= 1, "{auth:?}");
    }
}

#[tokio::test]
async fn bad_credentials_are_tried_once_and_said_to_be_bad() {
    for auth in [Auth::basic().account("user", "pa55word"), bearer()] {
        let world = world(auth, basic("user", "wr0ng"));
        let error = world
            .repository("a/b")
            .manifest(&tag("latest"))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts()),
            (ErrorKind::Unauthorized, 1),
            "{error:?}"
        );
        assert!(!error.is_not_found() && error.hint().is_some());
        assert!(tokens(&world) <= 1);
        assert!(world.registry.count("GET", LATEST) <= 1);
    }
    let world = world(bearer(), Credential::Anonymous);
    let error = look(&world).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert_eq!(
        error.hint().unwrap(),
        format!("no credentials were given for {}", world.registry.host())
    );
}

#[tokio::test]
async fn a_refusal_of_the_token_server_is_not_an_absent_manifest() {
    let world = world(bearer(), basic("user", "pa55word"));
    world
        .registry
        .fault(Match::get("/token"), Fault::status(404));
    assert_eq!(
        look(&world).await.unwrap_err().kind(),
        ErrorKind::Unauthorized
    );
}

#[tokio::test]
async fn scopes_are_those_of_go_clients() {
    let world = world(bearer(), basic("user", "pa55word"));
    look(&world).await.unwrap();
    let source = Source::new(content(10));
    world
        .repository("a/b")
        .push_blob(&source, &[world.name("other")])
        .await
        .unwrap();
    let requests = world
        .registry
        .requests()
        .into_iter()
        .filter(|record| record.path == "/token");
    let queries: Vec<String> = requests.filter_map(|record| record.query).collect();
    let scopes: Vec<&str> = queries
        .iter()
        .map(|query| query.split("&service").next().unwrap())
        .collect();
    let push = "scope=repository%3Aa%2Fb%3Apush%2Cpull";
    assert_eq!(
        scopes,
        [
            "scope=repository%3Aa%2Fb%3Apull",
            push,
            &format!("{push}&scope=repository%3Aother%3Apull")
        ]
    );
}

#[tokio::test]
async fn many_at_one_time_greet_once_and_buy_one_token() {
    let world = world(bearer(), basic("user", "pa55word"));
    let all = future::join_all((0..100).map(|_| look(&world))).await;
    assert!(all.into_iter().all(|found| found.unwrap()));
    assert_eq!(
        (world.registry.count("GET", "/v2/"), tokens(&world)),
        (1, 1)
    );
    assert_eq!(world.registry.count("HEAD", LATEST), 100);
}

#[tokio::test]
async fn revoked_tokens_are_renewed_once() {
    let world = world(bearer(), basic("user", "pa55word"));
    look(&world).await.unwrap();
    world.registry.revoke_tokens();
    let all = future::join_all((0..32).map(|_| look(&world))).await;
    assert!(all.into_iter().all(|found| found.unwrap()));
    assert_eq!(tokens(&world), 2);
}

#[tokio::test]
async fn tokens_are_renewed_before_they_end() {
    let world = world(bearer().expires_in(Some(300)), basic("user", "pa55word"));
    look(&world).await.unwrap();
    world.clock.advance(Duration::from_secs(285));
    look(&world).await.unwrap();
    assert_eq!(tokens(&world), 1);
    world.clock.advance(Duration::from_secs(10));
    look(&world).await.unwrap();
    assert_eq!(tokens(&world), 2);
}

#[tokio::test]
async fn a_large_body_gets_a_token_that_lasts() {
    let world = world(bearer().expires_in(Some(300)), basic("user", "pa55word"));
    let repository = world.repository("a/b");
    let source = Source::new(content(10));
    repository.push_blob(&source, &[]).await.unwrap();
    assert_eq!(tokens(&world), 1);
    world.clock.advance(Duration::from_secs(245));
    let source = Source::new(content(11));
    repository.push_blob(&source, &[]).await.unwrap();
    assert_eq!(tokens(&world), 2, "the first one had 55 seconds left");
}

#[tokio::test]
async fn short_tokens_serve_more_than_one_transfer() {
    let world = world(bearer().expires_in(None), basic("user", "pa55word"));
    let repository = world.repository("a/b");
    for length in 10..20 {
        let source = Source::new(content(length));
        repository.push_blob(&source, &[]).await.unwrap();
        let mut blob = repository.open_blob(&source.descriptor).await.unwrap();
        while blob.next().await.unwrap().is_some() {}
    }
    assert_eq!(tokens(&world), 2, "one to push, one to pull");
}

#[tokio::test]
async fn a_refusal_without_end_is_an_error_after_one_more_try() {
    let world = world(bearer(), basic("user", "pa55word"));
    let challenge = format!(
        r#"Bearer realm="{}/token",scope="repository:a/b:pull""#,
        world.registry.url(Origin::Registry)
    );
    world.registry.fault(
        Match::get(LATEST),
        Fault::status(401).header("www-authenticate", &challenge),
    );
    let error = world
        .repository("a/b")
        .manifest(&tag("latest"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::Unauthorized, Some(401))
    );
    assert_eq!(
        (world.registry.count("GET", LATEST), tokens(&world)),
        (2, 2)
    );
}

#[tokio::test]
async fn demanded_scopes_are_added_and_remembered() {
    let world = world(bearer(), basic("user", "pa55word"));
    let realm = format!("{}/token", world.registry.url(Origin::Registry));
    let challenge = format!(
        r#"Bearer realm="{realm}",scope="repository:base:pull",error="insufficient_scope""#
    );
    world.registry.fault(
        Match::head(LATEST).once(),
        Fault::status(401).header("www-authenticate", &challenge),
    );
    look(&world).await.unwrap();
    look(&world).await.unwrap();
    assert_eq!(
        (world.registry.count("HEAD", LATEST), tokens(&world)),
        (3, 2)
    );
    let last = world
        .registry
        .requests()
        .into_iter()
        .rfind(|record| record.path == "/token")
        .unwrap();
    assert!(
        last.query
            .unwrap()
            .starts_with("scope=repository%3Abase%3Apull&scope=repository%3Aa%2Fb%3Apull")
    );
}

#[tokio::test]
async fn a_token_server_out_of_order_is_waited_for() {
    let world = world(bearer(), basic("user", "pa55word"));
    world.registry.fault(
        Match::get("/token").once(),
        Fault::status(503).header("Retry-After", "11"),
    );
    world
        .registry
        .fault(Match::get("/token").once(), Fault::reset());
    assert!(look(&world).await.unwrap());
    assert_eq!(tokens(&world), 3);
    assert_eq!(world.clock.waits()[0], 11_000);
}

#[tokio::test]
async fn replies_that_are_none() {
    let long = format!(r#"{{"token":"{}"}}"#, "x".repeat(70_000));
    for (body, kind) in [
        (r#"{"token":"a\nb"}"#, ErrorKind::Protocol),
        (r#"{"token":""}"#, ErrorKind::Protocol),
        ("", ErrorKind::Protocol),
        (long.as_str(), ErrorKind::TooLarge),
    ] {
        let world = world(bearer(), basic("user", "pa55word"));
        world
            .registry
            .fault(Match::get("/token"), Fault::answer().body(body.to_owned()));
        let error = look(&world).await.unwrap_err();
        assert_eq!((error.kind(), tokens(&world)), (kind, 1), "{error}");
    }
}

#[tokio::test]
async fn refresh_tokens_are_exchanged_by_post_or_else_by_get() {
    for status in [404, 405, 401] {
        let world = world(
            bearer().account("<token>", "refr3sh"),
            Credential::IdentityToken(Secret::new("refr3sh")),
        );
        world
            .registry
            .fault(Match::post("/token"), Fault::status(status));
        assert!(look(&world).await.unwrap());
        assert_eq!(
            (
                world.registry.count("POST", "/token"),
                world.registry.count("GET", "/token")
            ),
            (1, 1)
        );
    }
}

#[tokio::test]
async fn an_identity_token_is_of_no_use_where_passwords_are_wanted() {
    let basic = || Auth::basic().account("user", "pa55word");
    for auth in [basic(), basic().open_ping()] {
        let token = Credential::IdentityToken(Secret::new("refr3sh"));
        let world = world(auth, token);
        let error = look(&world).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        let host = world.registry.host();
        let wanted = "takes only a user name and a password, and an identity token was given";
        assert_eq!(error.hint().unwrap(), format!("{host} {wanted}"));
        let requests = world.registry.requests();
        let shown = requests.iter().filter_map(|record| record.authorization());
        assert_eq!(shown.count(), 0);
    }
    // One that takes tokens, and not this one.
    let world = world(bearer(), Credential::IdentityToken(Secret::new("wr0ng")));
    let error = look(&world).await.unwrap_err();
    let host = world.registry.host();
    let wanted = format!("the token server did not accept the credentials for {host}");
    assert_eq!(error.hint().unwrap(), wanted);
}

#[tokio::test]
async fn a_form_that_the_token_server_repeats_is_blackened() {
    let secret = "S3CRTOK/+x ~y";
    let filler = "x".repeat(370);
    for (form, wanted) in [
        (
            "grant_type=refresh_token&refresh_token=S3CRTOK%2F%2Bx+%7Ey&service=s",
            "****&service=s",
        ),
        (
            "grant_type=refresh_token&refresh_token=S3CRTOK%2f%2bx%20~y&service=s",
            "****&service=s",
        ),
        (
            &format!("{filler} refresh_token=S3CRTOK%2F%2Bx+%7Ey&service=s"),
            "x refresh_token=****",
        ),
        ("refresh_token=S3CRTOK%2F%2Bx", "refresh_token=****"),
    ] {
        let world = world(
            bearer().account("<token>", secret),
            Credential::IdentityToken(Secret::new(secret)),
        );
        let refusal = Fault::status(400).body(form.to_owned());
        world.registry.fault(Match::post("/token"), refusal);
        let error = look(&world).await.unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(told.contains(wanted), "{wanted} in {told}");
        assert!(!told.contains("S3CRTOK"), "{told}");
    }
}

#[tokio::test]
async fn passwords_go_to_the_token_server_alone() {
    let world = world(bearer().realm(Realm::Separate), basic("user", "pa55word"));
    let repository = world.repository("a/b");
    look(&world).await.unwrap();
    repository.tags().await.unwrap();
    for record in world.registry.requests() {
        let presented = record.authorization().unwrap_or_default();
        let wanted = match record.origin {
            Origin::Tokens => presented.starts_with("Basic "),
            Origin::Registry => {
                record.path == "/v2/" && presented.is_empty() || presented.starts_with("Bearer ")
            }
            Origin::Elsewhere => false,
        };
        assert!(wanted, "{} {presented}", record.line());
    }
}

#[tokio::test]
async fn dangerous_token_servers_are_refused() {
    for (realm, kind) in [
        ("http://169.254.169.254/token", ErrorKind::Refused),
        ("http://10.0.0.1/token", ErrorKind::Refused),
        ("http://[::1]:1/token", ErrorKind::Refused),
        ("file:///etc/passwd", ErrorKind::Refused),
        ("/token", ErrorKind::Protocol),
    ] {
        let world = world(
            bearer().realm(Realm::Url(realm.to_owned())),
            basic("user", "pa55word"),
        );
        let error = look(&world).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{realm}: {error}");
    }
}

/// What a realm would be relative to is nowhere laid down, so nothing is sent anywhere.
#[tokio::test]
async fn relative_token_servers_are_refused_by_name() {
    for realm in ["/token", "token", "//tokens.example/x", "?a", ""] {
        let auth = bearer().realm(Realm::Url(realm.to_owned()));
        let world = world(auth, basic("user", "pa55word"));
        let error = look(&world).await.unwrap_err();
        if realm.is_empty() {
            assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error:?}");
            continue;
        }
        let host = world.registry.host();
        let wanted =
            format!("{host} names the token server {realm:?}, which is no absolute address");
        assert_eq!(error.to_string(), wanted);
        assert_eq!((error.kind(), tokens(&world)), (ErrorKind::Protocol, 0));
        let shown = |record: &regimg_tests::registry::Record| record.authorization().is_some();
        assert!(!world.registry.requests().iter().any(shown), "{realm}");
    }
}

#[tokio::test]
async fn half_an_account_is_none() {
    for (username, password) in [("user", ""), ("", "pa55word")] {
        let world = world(Auth::none(), basic(username, password));
        look(&world).await.unwrap();
        assert!(
            world
                .registry
                .requests()
                .iter()
                .all(|record| record.authorization().is_none())
        );
    }
}

/// A source of credentials that counts, and may have none.
struct Counting(std::sync::atomic::AtomicUsize, Option<Credential>);

impl CredentialSource for Counting {
    fn credential<'a>(
        &'a self,
        _: &'a regimg_core::Registry,
    ) -> BoxFuture<'a, Result<Credential, CredentialError>> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Box::pin(async { self.1.clone().ok_or_else(|| "the cloud is away".into()) })
    }
}

#[tokio::test]
async fn sources_of_credentials_are_asked_once() {
    let world = World::open(registry(Auth::basic().account("user", "pa55word")));
    for (credential, wanted) in [
        (Some(basic("user", "pa55word")), None),
        (None, Some(ErrorKind::Credential)),
    ] {
        let source = Arc::new(Counting(0.into(), credential));
        let client = Client::new(Config::default(), source.clone()).unwrap();
        let repository = client.repository(&world.name("a/b"));
        let latest = tag("latest");
        let all = future::join_all((0..8).map(|_| repository.digest(&latest))).await;
        assert!(
            all.iter()
                .all(|got| got.as_ref().err().map(Error::kind) == wanted),
            "{all:?}"
        );
        let asked = source.0.load(std::sync::atomic::Ordering::Relaxed);
        assert!(asked == 1 || wanted.is_some(), "{asked}");
    }
}

/// A source whose password changes when it is asked again.
struct Rotating(std::sync::atomic::AtomicUsize);

impl CredentialSource for Rotating {
    fn credential<'a>(
        &'a self,
        _: &'a regimg_core::Registry,
    ) -> BoxFuture<'a, Result<Credential, CredentialError>> {
        let asked = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Box::pin(async move { Ok(basic("user", &format!("pa55word-{asked}"))) })
    }
}

#[tokio::test]
async fn passwords_that_end_are_asked_for_again() {
    let bearer = || Auth::bearer().expires_in(Some(60));
    for kind in [Auth::basic as fn() -> Auth, bearer] {
        let server = registry(kind().account("user", "pa55word-0"));
        let clock = crate::support::TestClock::new();
        let mut config = Config::default();
        config.clock = clock.clone();
        let source = Arc::new(Rotating(0.into()));
        let client = Client::new(config, source.clone()).unwrap();
        let name = format!("{}/a/b", server.host());
        let repository = client.repository(&regimg_core::Repository::parse(&name).unwrap());
        let latest = tag("latest");
        let all = || future::join_all((0..20).map(|_| repository.digest(&latest)));
        assert!(all().await.into_iter().all(|found| found.is_ok()));
        server.set_auth(kind().account("user", "pa55word-1"));
        server.revoke_tokens();
        clock.advance(Duration::from_mins(2));
        assert!(all().await.into_iter().all(|found| found.is_ok()));
        let asked = source.0.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(asked, 2, "once for all");
        server.set_auth(kind().account("user", "another"));
        server.revoke_tokens();
        clock.advance(Duration::from_mins(2));
        let error = repository.manifest(&latest).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        let asked = source.0.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(asked, 3, "and then it is an error");
    }
}
