//! Leaving through a proxy.

use std::error::Error as _;

use regimg_registry::{Client, Config, Credential, Error, ErrorKind, PlainHttp, Proxy};
use regimg_tests::registry::Registry;
use regimg_tests::tls::Authority;
use regimg_tests::{Image, Proxied};

use crate::log::Log;
use crate::support::tag;

/// A registry as its own proxy: it looks at the path alone, so it answers for every host.
async fn ask(no_proxy: &str) -> (bool, Vec<String>) {
    let registry = Registry::start();
    registry.publish("a/b", "latest", &Image::with_text("x"));
    let address = registry.host();
    let lookup = |name: &str| match name {
        "http_proxy" | "https_proxy" => Some(format!("user:secret@{address}")),
        "no_proxy" => Some(no_proxy.to_owned()),
        _ => None,
    };
    let mut config = Config::default();
    config.proxy = Proxy::from_variables(lookup).unwrap();
    config.plain_http = PlainHttp::Allowed;
    config.retry.max_elapsed = std::time::Duration::ZERO;
    let client = Client::new(config, Credential::Anonymous).unwrap();
    let repository = regimg_core::Repository::parse("registry.invalid/a/b").unwrap();
    let found = client.repository(&repository).digest(&tag("latest")).await;
    let requests = registry.requests();
    let presented = requests
        .iter()
        .filter_map(|record| record.header("proxy-authorization").map(str::to_owned));
    (
        found.is_ok_and(|digest| digest.is_some()),
        presented.collect(),
    )
}

#[tokio::test]
async fn proxies_are_used_and_greeted() {
    let (found, presented) = ask("other.invalid").await;
    assert!(found);
    // `CONNECT` for https, then `GET` and `HEAD` in the clear.
    assert_eq!(presented, vec!["Basic dXNlcjpzZWNyZXQ="; presented.len()]);
    assert!(presented.len() >= 2, "{presented:?}");
}

#[tokio::test]
async fn hosts_without_proxy_are_asked_directly() {
    let (found, presented) = ask("registry.invalid").await;
    assert!(!found && presented.is_empty());
}

/// Looks a tag up over TLS, through a proxy that wants `required`.
async fn tunnel(required: &str) -> (Result<bool, Error>, Vec<Proxied>) {
    let authority = Authority::new();
    let identity = authority.server(&["registry.invalid"]);
    let builder = Registry::builder().tls_with(identity, authority.pem());
    let registry = builder.start();
    registry.publish("a/b", "latest", &Image::with_text("x"));
    let proxy = regimg_tests::Proxy::with_authorization(registry.addr(), required);
    let address = proxy.url().replace("http://", "http://user:secret@");
    let mut config = Config::default();
    config.proxy =
        Proxy::from_variables(|name| (name == "HTTPS_PROXY").then(|| address.clone())).unwrap();
    config.ca_certs = vec![authority.pem().to_owned()];
    config.retry.max_elapsed = std::time::Duration::ZERO;
    let client = Client::new(config, Credential::Anonymous).unwrap();
    let repository = regimg_core::Repository::parse("registry.invalid/a/b").unwrap();
    let found = client.repository(&repository).digest(&tag("latest")).await;
    (found.map(|digest| digest.is_some()), proxy.requests())
}

#[tokio::test]
async fn tunnels_lead_through_the_proxy() {
    let (found, requests) = tunnel("Basic dXNlcjpzZWNyZXQ=").await;
    assert!(found.unwrap());
    let targets: Vec<_> = requests
        .iter()
        .map(|request| request.target.as_str())
        .collect();
    assert_eq!(targets, ["registry.invalid:443"], "one connection");

    let (found, _) = tunnel("Basic other").await;
    let error = found.unwrap_err();
    let told = format!("{error:?}");
    assert_eq!(error.kind(), ErrorKind::Connect, "{told}");
    assert!(told.contains("proxy") && !told.contains("dXNl"), "{told}");
}

/// Looks a tag up through the proxy at `address`, to which a password is given. Returns the error
/// and all that a person may get to see of it.
async fn refused(address: &str, plain_http: PlainHttp) -> (Error, String) {
    let log = Log::default();
    let _listening = log.listen();
    let scheme = if address.contains("://") {
        ""
    } else {
        "http://"
    };
    let url = format!("{scheme}{address}").replace("://", "://mole:whiskers@");
    let mut config = Config::default();
    config.proxy = Proxy::from_variables(|name| {
        matches!(name, "HTTPS_PROXY" | "HTTP_PROXY").then(|| url.clone())
    })
    .unwrap();
    config.plain_http = plain_http;
    config.retry.max_elapsed = std::time::Duration::ZERO;
    let client = Client::new(config, Credential::Anonymous).unwrap();
    let repository = regimg_core::Repository::parse("registry.invalid/a/b").unwrap();
    let found = client.repository(&repository).digest(&tag("latest")).await;
    let error = found.unwrap_err();
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told.extend([": ", &error.to_string()]);
        cause = error.source();
    }
    let seen = format!(
        "{told}\n{error:?}\n{}\n{}",
        error.hint().unwrap_or_default(),
        log.text()
    );
    // The password itself, and as `Proxy-Authorization` has it.
    for secret in ["mole", "whiskers", "bW9sZTp3aGlza2Vycw"] {
        assert!(!seen.contains(secret), "{seen}");
    }
    (error, told)
}

/// An address where nobody listens.
fn deserted() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The error names the host and the proxy at `place`.
#[track_caller]
fn named(name: &str, (error, told): &(Error, String), place: &str, kind: ErrorKind, what: &str) {
    let wanted = format!("registry.invalid through the proxy {place}");
    assert_eq!(error.kind(), kind, "{name}: {told}");
    assert!(
        told.contains(&wanted) && told.contains(what),
        "{name}: {told}"
    );
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let deserted = deserted();
    let by_tls = format!("https://{deserted}");
    for (name, address, place, plain_http) in [
        ("refused", &*deserted, &*deserted, PlainHttp::LocalOnly),
        ("for http", &deserted, &deserted, PlainHttp::Allowed),
        ("by TLS", &by_tls, &deserted, PlainHttp::LocalOnly),
        (
            "unresolvable",
            "proxy.invalid:3128",
            "proxy.invalid:3128",
            PlainHttp::LocalOnly,
        ),
        (
            "without port",
            "proxy.invalid",
            "proxy.invalid:80",
            PlainHttp::LocalOnly,
        ),
    ] {
        let told = refused(address, plain_http).await;
        let (kind, what) = (ErrorKind::Connect, "could not connect");
        named(name, &told, place, kind, what);
    }
}

#[tokio::test]
async fn a_proxy_that_leads_nowhere_is_named() {
    use ErrorKind::{Connect, Denied, Unavailable};
    const NOTHING: &str = "Content-Length: 0\r\n\r\n";

    let no_tunnel = |answer: &str| (answer.to_owned(), false, Connect, "could not connect");
    let denied = format!("HTTP/1.1 403 Forbidden\r\n{NOTHING}");
    let broken = format!("HTTP/1.1 502 Bad Gateway\r\n{NOTHING}");
    for (answer, is_plain, kind, what) in [
        no_tunnel(&denied),
        no_tunnel(&broken),
        no_tunnel("HTTP/1.1 407 Authenticate\r\n\r\n"),
        no_tunnel("220 mail.example ESMTP\r\n"),
        no_tunnel("HTTP/1.1 200 OK\r\n\r\n"),
        no_tunnel(""),
        (denied, true, Denied, "403 Forbidden from"),
        (broken, true, Unavailable, "502 Bad Gateway from"),
    ] {
        let proxy = regimg_tests::Proxy::saying(answer.as_str());
        let place = proxy.addr().to_string();
        let plain_http = if is_plain {
            PlainHttp::Allowed
        } else {
            PlainHttp::LocalOnly
        };
        let told = refused(&place, plain_http).await;
        named(&answer, &told, &place, kind, what);
    }
}

#[tokio::test]
async fn a_proxy_that_wants_a_password_is_not_taken_for_the_registry() {
    let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    let proxy = regimg_tests::Proxy::saying(answer);
    let (error, told) = refused(&proxy.addr().to_string(), PlainHttp::Allowed).await;
    let wanted = format!(
        "407 Proxy Authentication Required from the proxy {}",
        proxy.addr()
    );
    assert_eq!(told, wanted);
    assert!(error.hint().is_some_and(|hint| hint.contains("password")));
}

#[tokio::test]
async fn a_proxy_on_which_an_answer_breaks_is_named() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let proxy = regimg_tests::Proxy::saying(answer);
    let (error, told) = refused(&proxy.addr().to_string(), PlainHttp::Allowed).await;
    assert_eq!(error.kind(), ErrorKind::Interrupted, "{told}");
    assert!(
        told.contains(&format!("the proxy {}", proxy.addr())),
        "{told}"
    );
}

#[tokio::test]
async fn a_tunnel_to_what_speaks_no_tls_is_named() {
    let registry = Registry::start();
    let proxy = regimg_tests::Proxy::to(registry.addr());
    let (error, told) = refused(&proxy.addr().to_string(), PlainHttp::LocalOnly).await;
    let wanted = format!(
        "registry.invalid through the proxy {} does not speak TLS",
        proxy.addr()
    );
    assert!(told.starts_with(&wanted), "{told}");
    assert!(error.hint().is_some_and(|hint| hint.contains("proxy")));
}

#[tokio::test]
async fn an_untrusted_host_behind_a_tunnel_is_named() {
    let authority = Authority::new();
    let identity = authority.server(&["registry.invalid"]);
    let registry = Registry::builder()
        .tls_with(identity, authority.pem())
        .start();
    let proxy = regimg_tests::Proxy::to(registry.addr());
    let (error, told) = refused(&proxy.addr().to_string(), PlainHttp::LocalOnly).await;
    assert_eq!(error.kind(), ErrorKind::Tls, "{told}");
    let wanted = format!(
        "no trusted connection to registry.invalid through the proxy {}",
        proxy.addr()
    );
    assert!(told.starts_with(&wanted), "{told}");
}
