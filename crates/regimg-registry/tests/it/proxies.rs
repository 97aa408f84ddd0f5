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
        told += &format!(": {error}");
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

#[tokio::test]
async fn a_proxy_that_fails_is_named_without_its_password() {
    use PlainHttp::{Allowed, LocalOnly};

    let deserted = deserted();
    let closing = "HTTP/1.1 200 OK\r\n\r\n";
    let cases: [(&str, Result<&[u8], &str>, PlainHttp, ErrorKind, &str); 12] = [
        (
            "refused",
            Err(&deserted),
            LocalOnly,
            ErrorKind::Connect,
            "could not connect",
        ),
        (
            "refused for http",
            Err(&deserted),
            Allowed,
            ErrorKind::Connect,
            "could not connect",
        ),
        (
            "refused by TLS",
            Err(&format!("https://{deserted}")),
            LocalOnly,
            ErrorKind::Connect,
            "could not connect",
        ),
        (
            "unresolvable",
            Err("proxy.invalid:3128"),
            LocalOnly,
            ErrorKind::Connect,
            "could not connect",
        ),
        (
            "without port",
            Err("proxy.invalid"),
            LocalOnly,
            ErrorKind::Connect,
            "could not connect",
        ),
        (
            "403",
            Ok(b"HTTP/1.1 403 Forbidden\r\n\r\n"),
            LocalOnly,
            ErrorKind::Connect,
            "could not connect",
        ),
        (
            "407",
            Ok(b"HTTP/1.1 407 No\r\n\r\n"),
            LocalOnly,
            ErrorKind::Connect,
            "could not connect",
        ),
        (
            "502",
            Ok(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"),
            LocalOnly,
            ErrorKind::Connect,
            "could not connect",
        ),
        (
            "nonsense",
            Ok(b"220 mail.example ESMTP\r\n"),
            LocalOnly,
            ErrorKind::Connect,
            "could not connect",
        ),
        (
            "nothing behind",
            Ok(closing.as_bytes()),
            LocalOnly,
            ErrorKind::Connect,
            "could not connect",
        ),
        (
            "403 for http",
            Ok(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
            Allowed,
            ErrorKind::Denied,
            "403 Forbidden from",
        ),
        (
            "502 for http",
            Ok(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"),
            Allowed,
            ErrorKind::Unavailable,
            "502 Bad Gateway from",
        ),
    ];
    for (name, proxy, plain_http, kind, what) in cases {
        let (address, _proxy) = match proxy {
            Err(address) => (address.to_owned(), None),
            Ok(bytes) => {
                let proxy = regimg_tests::Proxy::saying(bytes);
                (proxy.addr().to_string(), Some(proxy))
            }
        };
        let (error, told) = refused(&address, plain_http).await;
        let place = address.trim_start_matches("https://");
        let place = if place.contains(':') {
            place.to_owned()
        } else {
            format!("{place}:80")
        };
        let wanted = format!("registry.invalid through the proxy {place}");
        assert_eq!(error.kind(), kind, "{name}: {told}");
        assert!(
            told.contains(&wanted) && told.contains(what),
            "{name}: {told}"
        );
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
