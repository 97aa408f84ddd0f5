//! `https` or `http`.

use std::time::Duration;

use regimg_registry::{Credential, Error, ErrorKind};
use regimg_tests::Image;
use regimg_tests::registry::{Auth, Builder, Fault, Match, Registry};
use regimg_tests::tls::{Authority, LOCAL_NAMES};

use crate::support::{World, basic, tag};

fn tls(authority: &Authority) -> Builder {
    Registry::builder()
        .auth(Auth::basic().account("user", "pa55word"))
        .tls_with(authority.server(&LOCAL_NAMES), authority.pem())
}

/// A registry on loopback, where plain `http` may be tried.
fn world(builder: Builder, trusted: &[&Authority], credential: Credential) -> World {
    let registry = builder.start();
    registry.publish("a/b", "latest", &Image::with_text("x"));
    World::new(registry, credential, |config| {
        config.ca_certs = trusted.iter().map(|one| one.pem().to_owned()).collect();
    })
}

async fn look(world: &World) -> Result<bool, Error> {
    let repository = world.repository("a/b");
    Ok(repository.digest(&tag("latest")).await?.is_some())
}

#[tokio::test]
async fn https_is_never_overtaken() {
    let authority = Authority::new();
    for delay in [0, 400] {
        let builder = tls(&authority)
            .plain_beside_tls()
            .tls_delay(Duration::from_millis(delay));
        let world = world(builder, &[&authority], basic("user", "pa55word"));
        assert!(look(&world).await.unwrap());
        assert!(world.registry.requests().iter().all(|record| record.tls));
    }
}

#[tokio::test]
async fn http_serves_where_https_does_not() {
    let authority = Authority::new();
    let builder = tls(&authority).plain_beside_tls();
    let world = world(builder, &[], basic("user", "pa55word"));
    assert!(look(&world).await.unwrap());
    assert!(world.registry.requests().iter().all(|record| !record.tls));
}

#[tokio::test]
async fn what_is_wrong_with_both_is_told() {
    let authority = Authority::new();
    let world = world(tls(&authority), &[], Credential::Anonymous);
    let error = look(&world).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Tls, 1));
    let text = error.to_string();
    for part in [
        "neither by https (",
        "regimg test authority",
        "nor by http (400",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn a_greeting_does_not_leave_https() {
    let authority = Authority::new();
    let world = world(tls(&authority), &[&authority], basic("user", "pa55word"));
    let away = Fault::redirect_to("http://example.com/v2/");
    world.registry.fault(Match::get("/v2/"), away);
    let error = look(&world).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
}

#[tokio::test]
async fn a_broken_connection_is_no_reason_to_leave_https() {
    let authority = Authority::new();
    let builder = tls(&authority).plain_beside_tls();
    let world = world(builder, &[&authority], basic("user", "pa55word"));
    for fault in [Fault::reset(), Fault::close()] {
        world.registry.fault(Match::get("/v2/").once(), fault);
    }
    assert!(look(&world).await.unwrap());
    assert!(world.registry.requests().iter().all(|record| record.tls));
}

#[tokio::test]
async fn errors_of_the_registry_are_no_reason_to_leave_https() {
    let authority = Authority::new();
    for (fault, wanted) in [
        (Fault::status(404), true),
        (Fault::status(403), true),
        (Fault::status(501), false),
    ] {
        let builder = tls(&authority).plain_beside_tls();
        let world = world(builder, &[&authority], basic("user", "pa55word"));
        world.registry.fault(Match::get("/v2/"), fault.clone());
        assert_eq!(look(&world).await.is_ok(), wanted, "{fault:?}");
        assert!(world.registry.requests().iter().all(|record| record.tls));
    }
}
