//! Leaving through a proxy.

use regimg_registry::{Client, Config, Credential, Error, ErrorKind, PlainHttp, Proxy};
use regimg_tests::registry::Registry;
use regimg_tests::tls::Authority;
use regimg_tests::{Image, Proxied};

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
