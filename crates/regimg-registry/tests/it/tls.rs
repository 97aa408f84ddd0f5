//! Whom to trust.

use futures_util::future;
use http::Version;
use regimg_core::Secret;
use regimg_registry::{
    Client, ClientIdentity, Config, Credential, Error, ErrorKind, PlainHttp, ServerCertificates,
};
use regimg_tests::Image;
use regimg_tests::registry::{Auth, Builder, Fault, Match, Origin, Realm, Registry, RouteKind};
use regimg_tests::tls::{Authority, Identity, LOCAL_NAMES, Protocols};

use crate::support::{World, tag};

fn world(builder: Builder, ca_certs: Vec<String>) -> World {
    let registry = builder.start();
    registry.publish("a/b", "latest", &Image::with_text("x"));
    World::new(registry, Credential::Anonymous, |config| {
        config.ca_certs = ca_certs;
    })
}

async fn look(world: &World) -> Result<bool, Error> {
    Ok(world
        .repository("a/b")
        .digest(&tag("latest"))
        .await?
        .is_some())
}

/// Looks up a tag at a server with `identity`, trusting `ca_certs` only.
async fn handshake(identity: &Identity, ca_certs: &[&str]) -> Result<bool, Error> {
    let builder = Registry::builder().tls_with(identity.clone(), identity.certificate_pem());
    look(&world(
        builder,
        ca_certs.iter().map(|&pem| pem.to_owned()).collect(),
    ))
    .await
}

#[tokio::test]
async fn certificates() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let signed = authority.server(&LOCAL_NAMES);
    let lab = Identity::self_signed_authority(&LOCAL_NAMES);
    let leaf = Identity::self_signed(&LOCAL_NAMES);
    let misnamed = Identity::self_signed_authority(&["example.com"]);
    let both = format!("{}\n{}", stranger.pem(), authority.pem());
    for (case, identity, trusted, wanted) in [
        ("signed", &signed, vec![authority.pem()], true),
        (
            "signed, among others",
            &signed,
            vec![stranger.pem(), authority.pem()],
            true,
        ),
        (
            "signed, two in one text",
            &signed,
            vec![both.as_str()],
            true,
        ),
        (
            "signed, authority unknown",
            &signed,
            vec![stranger.pem()],
            false,
        ),
        ("signed, nobody known", &signed, vec![], false),
        (
            "signed, itself named",
            &signed,
            vec![signed.certificate_pem()],
            true,
        ),
        (
            "for another name",
            &authority.server(&["example.com"]),
            vec![authority.pem()],
            false,
        ),
        (
            "expired",
            &authority.expired_server(&LOCAL_NAMES),
            vec![authority.pem()],
            false,
        ),
        (
            "self-signed CA:TRUE",
            &lab,
            vec![lab.certificate_pem()],
            true,
        ),
        (
            "self-signed CA:TRUE, not named",
            &lab,
            vec![leaf.certificate_pem()],
            false,
        ),
        (
            "self-signed CA:TRUE, other name",
            &misnamed,
            vec![misnamed.certificate_pem()],
            false,
        ),
        (
            "self-signed CA:FALSE",
            &leaf,
            vec![leaf.certificate_pem()],
            true,
        ),
        (
            "self-signed CA:FALSE, not named",
            &leaf,
            vec![lab.certificate_pem()],
            false,
        ),
    ] {
        match (handshake(identity, &trusted).await, wanted) {
            (Ok(found), true) => assert!(found),
            (Err(error), false) => {
                assert_eq!(error.kind(), ErrorKind::Tls, "{case}: {error:?}");
                assert!(error.hint().is_some(), "{case}");
                assert_eq!(error.attempts(), 1, "{case}: {error:?}");
            }
            (got, wanted) => panic!("{case}: {got:?}, not {wanted}"),
        }
    }
}

#[tokio::test]
async fn entries_without_certificates_are_named() {
    let good = Authority::new();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for bad in ["", "nonsense", broken] {
        let mut config = Config::default();
        config.ca_certs = vec![good.pem().to_owned(), bad.to_owned()];
        let error = Client::new(config, Credential::Anonymous).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(
            error
                .to_string()
                .starts_with("failed to append registry certificate: entry 2 of ca_certs"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn http_2_needs_one_connection() {
    let authority = Authority::new();
    for (protocols, version) in [
        (Protocols::Both, Version::HTTP_2),
        (Protocols::Http1, Version::HTTP_11),
    ] {
        let builder = Registry::builder()
            .tls_with(authority.server(&LOCAL_NAMES), authority.pem())
            .protocols(protocols);
        let world = world(builder, vec![authority.pem().to_owned()]);
        let all = future::join_all((0..200).map(|_| look(&world))).await;
        assert!(all.into_iter().all(|found| found.unwrap()));
        assert!(
            world
                .registry
                .requests()
                .iter()
                .all(|record| record.version == version)
        );
        let (limit, connections) = (Config::default().max_requests, world.registry.connections());
        if version == Version::HTTP_2 {
            assert_eq!(connections, 1);
        } else {
            // A connection is free for the next request a moment after its answer was read, so
            // some more than the limit come into being, but far fewer than requests.
            assert!(connections <= 3 * limit, "{connections}");
            assert!(world.registry.max_in_flight(RouteKind::Manifest) <= limit);
        }
    }
}

#[tokio::test]
async fn hundreds_of_look_ups_need_one_greeting_and_one_token() {
    let authority = Authority::new();
    let builder = Registry::builder()
        .auth(Auth::bearer().anonymous_pull())
        .tls_with(authority.server(&LOCAL_NAMES), authority.pem());
    let world = world(builder, vec![authority.pem().to_owned()]);
    let all = future::join_all((0..500).map(|_| look(&world))).await;
    assert!(all.into_iter().all(|found| found.unwrap()));
    let (greetings, tokens) = (
        world.registry.count("GET", "/v2/"),
        world.registry.count("GET", "/token"),
    );
    assert_eq!((world.registry.connections(), greetings, tokens), (1, 1, 1));
}

#[tokio::test]
async fn http_2_streams_that_break_are_tried_again() {
    let authority = Authority::new();
    let builder = Registry::builder()
        .tls_with(authority.server(&LOCAL_NAMES), authority.pem())
        .protocols(Protocols::Http2);
    let world = world(builder, vec![authority.pem().to_owned()]);
    for code in [1, 2, 7, 8, 11] {
        let stream = regimg_tests::registry::Ending::Stream(code);
        world.registry.fault(
            Match::get("/v2/a/b/manifests/latest").once(),
            Fault::end_at(10, stream),
        );
        world
            .repository("a/b")
            .manifest(&tag("latest"))
            .await
            .unwrap_or_else(|error| panic!("{code}: {error:?}"));
    }
    assert_eq!(world.registry.count("GET", "/v2/a/b/manifests/latest"), 10);
}

#[tokio::test]
async fn a_registry_that_calls_itself_http_is_asked_by_https() {
    let authority = Authority::new();
    let world = world(
        Registry::builder().tls_with(authority.server(&LOCAL_NAMES), authority.pem()),
        vec![authority.pem().to_owned()],
    );
    let location = format!("http://{}/v2/a/b/manifests/latest", world.registry.host());
    world.registry.fault(
        Match::get("/v2/a/b/manifests/other"),
        Fault::redirect_to(&location),
    );
    world
        .repository("a/b")
        .manifest(&tag("other"))
        .await
        .unwrap();
    let realm = "http://example.com/token";
    world.registry.set_auth(
        regimg_tests::registry::Auth::bearer()
            .realm(regimg_tests::registry::Realm::Url(realm.to_owned())),
    );
    let error = look(&world).await.unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Refused,
        "a token server in the clear: {error}"
    );
}

#[tokio::test]
async fn plain_http_only_where_allowed() {
    // An address that leads here without being known as local.
    let registry = Registry::start();
    registry.publish("a/b", "latest", &Image::with_text("x"));
    for (plain_http, wanted) in [(PlainHttp::LocalOnly, false), (PlainHttp::Allowed, true)] {
        let mut config = Config::default();
        config.plain_http = plain_http;
        config.retry.max_elapsed = std::time::Duration::ZERO;
        let client = Client::new(config, Credential::Anonymous).unwrap();
        let name = format!("[::ffff:127.0.0.1]:{}/a/b", registry.addr().port());
        let name = regimg_core::Repository::parse(&name).unwrap();
        assert!(!name.registry().is_local());
        registry.clear_requests();
        let got = client.repository(&name).digest(&tag("latest")).await;
        assert_eq!(got.is_ok(), wanted, "{got:?}");
        assert_eq!(registry.count("GET", "/v2/"), usize::from(wanted));
    }
}

#[tokio::test]
async fn a_refusal_names_who_issued_the_certificate() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let lab = Identity::self_signed_authority(&LOCAL_NAMES);
    for (identity, trusted, wanted) in [
        (
            authority.server(&LOCAL_NAMES),
            vec![],
            "issued by \"CN=regimg test authority\", unknown here",
        ),
        (
            authority.server(&LOCAL_NAMES),
            vec![stranger.pem()],
            "in vain to be issued by \"CN=regimg test authority\"",
        ),
        (
            lab,
            vec![],
            "of \"CN=self-signed server\" is signed by itself",
        ),
    ] {
        let error = handshake(&identity, &trusted).await.unwrap_err();
        assert!(error.to_string().contains(wanted), "{error:?}");
        assert!(error.hint().unwrap().contains("ca_certs"), "{error:?}");
    }
}

#[tokio::test]
async fn verification_ends_only_when_told_to() {
    let authority = Authority::new();
    for identity in [
        authority.server(&LOCAL_NAMES),
        authority.server(&["example.com"]),
        authority.expired_server(&LOCAL_NAMES),
    ] {
        for (certificates, wanted) in [
            (ServerCertificates::Verified, false),
            (ServerCertificates::DangerouslyIgnored, true),
        ] {
            let builder = Registry::builder().tls_with(identity.clone(), authority.pem());
            let registry = builder.start();
            registry.publish("a/b", "latest", &Image::with_text("x"));
            let world = World::new(registry, Credential::Anonymous, |config| {
                config.server_certificates = certificates;
            });
            assert_eq!(look(&world).await.is_ok(), wanted, "{certificates:?}");
        }
    }
}

fn identity_of(identity: &Identity) -> ClientIdentity {
    ClientIdentity {
        certificate: identity.certificate_pem().to_owned(),
        key: Secret::new(identity.key_pem()),
    }
}

/// A registry that wants a certificate of `clients`, and a client that has `identity`.
fn identified(
    auth: Auth,
    clients: &Authority,
    identity: Option<ClientIdentity>,
    credential: Credential,
) -> World {
    let authority = Authority::new();
    let builder = Registry::builder()
        .auth(auth)
        .tls_with(authority.server(&LOCAL_NAMES), authority.pem())
        .require_client_certificate(clients.pem());
    let registry = builder.start();
    registry.publish("a/b", "latest", &Image::with_text("x"));
    World::new(registry, credential, |config| {
        config.ca_certs = vec![authority.pem().to_owned()];
        config.client_identity = identity;
        config.retry.max_elapsed = std::time::Duration::from_secs(20);
    })
}

#[tokio::test]
async fn clients_show_their_certificate() {
    let (clients, stranger) = (Authority::new(), Authority::new());
    let user = || crate::support::basic("user", "pa55word");
    let bearer = || Auth::bearer().account("user", "pa55word");
    let known = || Some(identity_of(&clients.client("me")));
    for (auth, credential) in [
        (Auth::none(), Credential::Anonymous),
        (bearer(), user()),
        (bearer().realm(Realm::Separate), user()),
    ] {
        let world = identified(auth, &clients, known(), credential);
        assert!(look(&world).await.unwrap());
    }
    for identity in [None, Some(identity_of(&stranger.client("me")))] {
        let world = identified(Auth::none(), &clients, identity, Credential::Anonymous);
        let error = look(&world).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{error:?}");
        assert!(
            error.hint().unwrap().contains("client certificate"),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn hosts_of_redirects_see_no_certificate() {
    let clients = Authority::new();
    let identity = Some(identity_of(&clients.client("me")));
    let world = identified(Auth::none(), &clients, identity, Credential::Anonymous);
    let rule = Match::get("/v2/a/b/manifests/*");
    world.registry.fault(rule, Fault::redirect_elsewhere());
    let repository = world.repository("a/b");
    let error = repository.manifest(&tag("latest")).await.unwrap_err();
    let kinds = [ErrorKind::Tls, ErrorKind::Interrupted];
    assert!(
        kinds.contains(&error.kind()),
        "it wants one, too: {error:?}"
    );
    assert!(world.registry.requests_to(Origin::Elsewhere).is_empty());
}

#[test]
fn unusable_certificates_of_clients_are_refused_without_showing_the_key() {
    let (one, other) = (Authority::new().client("a"), Authority::new().client("b"));
    let (certificate, key) = (one.certificate_pem(), one.key_pem());
    for (certificate, key) in [
        ("", key),
        ("nonsense", key),
        (certificate, ""),
        (certificate, "nonsense"),
        (certificate, other.key_pem()),
        (
            certificate,
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ),
    ] {
        let mut config = Config::default();
        config.client_identity = Some(ClientIdentity {
            certificate: certificate.to_owned(),
            key: Secret::new(key),
        });
        assert!(!format!("{config:?}").contains("PRIVATE KEY"));
        let error = Client::new(config, Credential::Anonymous).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let told = format!("{error:?}");
        assert!(
            told.contains("client certificate") && !told.contains("AAAA"),
            "{told}"
        );
    }
}

/// A text as YAML and templates spoil it: on one line, in three ways, or left as it is.
fn spoilt(text: &str) -> [String; 4] {
    [
        text.to_owned(),
        text.replace('\n', "\\n"),
        text.replace('\n', " "),
        text.replace('\n', ""),
    ]
}

/// Looks for a key in words, and as the list of bytes that a parser's error may hold.
#[track_caller]
fn holds_nothing_of(key: &str, told: &str) {
    let told = told.replace(", ", ",");
    let is_data = |line: &&str| line.len() >= 4 && !line.contains("-----");
    for line in key.lines().filter(is_data) {
        let bytes: Vec<String> = line.bytes().take(4).map(|byte| byte.to_string()).collect();
        for piece in [&line[..8.min(line.len())], &bytes.join(",")] {
            assert!(!told.contains(piece), "{piece} in {told}");
        }
    }
    assert!(!told.contains("45,45,45"), "{told}");
}

#[track_caller]
fn refused_identity(certificate: &str, key: &str, wanted: &str) {
    let identity = ClientIdentity {
        certificate: certificate.to_owned(),
        key: Secret::new(key),
    };
    let error = identity.check().unwrap_err();
    let told = format!("{error} {error:?}");
    assert!(told.contains(wanted), "{wanted} in {told}");
    for secret in [certificate, key] {
        if secret.contains("PRIVATE KEY") {
            holds_nothing_of(&secret.replace("\\n", "\n").replace(' ', "\n"), &told);
        }
    }
}

#[test]
fn keys_in_the_wrong_place_are_not_shown() {
    let one = Authority::new().client("a");
    let (certificate, key) = (one.certificate_pem(), one.key_pem());
    let [_, escaped, blanks, joined] = spoilt(certificate);
    for key in spoilt(key) {
        refused_identity(
            &key,
            certificate,
            "a private key where a certificate belongs",
        );
        let mut config = Config::default();
        config.ca_certs = vec![key.clone()];
        let error = Client::new(config, Credential::Anonymous).unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(
            told.contains("entry 1 of ca_certs: there is a private key"),
            "{told}"
        );
        holds_nothing_of(one.key_pem(), &told);
    }
    for spoilt in [&escaped, &blanks, &joined] {
        refused_identity(spoilt, key, "are its line ends real ones?");
        refused_identity(
            &format!("{spoilt}{key}"),
            key,
            "are its line ends real ones?",
        );
    }
    for key in &spoilt(key)[1..] {
        refused_identity(
            certificate,
            key,
            "no private key in PEM that can be read: are its",
        );
    }
}

#[test]
fn what_is_wrong_with_a_key_is_said() {
    let (one, other) = (Authority::new().client("a"), Authority::new().client("b"));
    let certificate = one.certificate_pem();
    let pkcs8 =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let older = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
                 DEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let damaged = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for (key, wanted) in [
        (
            other.key_pem(),
            "the key does not belong to the certificate",
        ),
        (certificate, "a certificate where the private key belongs"),
        (pkcs8, "the private key is encrypted"),
        (older, "the private key is encrypted"),
        (damaged, "of a kind that cannot be used, or damaged"),
    ] {
        refused_identity(certificate, key, wanted);
    }
}

#[tokio::test]
async fn transfers_that_nobody_reads_do_not_hold_up_the_others() {
    let authority = Authority::new();
    let builder = Registry::builder()
        .tls_with(authority.server(&LOCAL_NAMES), authority.pem())
        .protocols(Protocols::Http2);
    let world = world(builder, vec![authority.pem().to_owned()]);
    let contents: Vec<_> = (0..4)
        .map(|number| crate::support::content((5 << 20) + number))
        .collect();
    let repository = world.repository("a/b");
    let mut readers = Vec::new();
    for content in &contents {
        let descriptor = crate::support::stored(&world.registry, "a/b", content);
        readers.push(repository.open_blob(&descriptor).await.unwrap());
    }
    // Time for the server to send all that may wait.
    for _ in 0..20 {
        repository.manifest(&tag("latest")).await.unwrap();
    }
    for (reader, content) in readers.into_iter().zip(&contents).rev() {
        let got = crate::support::drain(reader).await.unwrap();
        assert_eq!(got, *content);
    }
    assert_eq!(world.registry.connections(), 1);
    assert_eq!(
        world.registry.count("GET", "/v2/a/b/blobs/"),
        4,
        "nothing was cut"
    );
}
