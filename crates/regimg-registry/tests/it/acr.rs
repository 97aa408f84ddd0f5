//! Azure Container Registry: a scripted metadata service, App Service, authority and exchange.
//!
//! What is asked, and with which words, is Azure's documentation: the
//! [metadata service](https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token),
//! [App Service](https://learn.microsoft.com/en-us/azure/app-service/overview-managed-identity#rest-endpoint-reference),
//! [client credentials](https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow) and the
//! [exchange](https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future;
use regimg_core::{Repository, Secret};
use regimg_registry::{
    Acr, AcrConfig, AzureCloud, AzureIdentity, Client, Config, Error, ErrorKind, FederatedToken,
    ManagedIdentity, PlainHttp, Proxy, RepositoryClient, ServerCertificates,
};
use regimg_tests::registry::{Auth, Fault, Match, Origin, Record, Registry};
use regimg_tests::tls::Authority;
use regimg_tests::{Image, Process};
use serde_json::json;

use crate::log::{Log, holds_no_secret};
use crate::support::{TestClock, tag};

const USER: &str = "00000000-0000-0000-0000-000000000000";
const METADATA: &str = "/metadata/identity/oauth2/token";
const EXCHANGE: &str = "/oauth2/exchange";
const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const ARM: &str = "https://management.azure.com";

/// Whatever may be shown to one host only.
const SECRETS: [&str; 6] = [
    "entra-t0ken",
    "refresh-t0ken",
    "second-t0ken",
    "header-s3cret",
    "client-s3cret",
    "federated-t0ken",
];

/// The parts of Azure that take part. At the end the log holds no secret.
struct Azure {
    registry: Registry,
    /// Stands in for the metadata service, and for that of App Service.
    machine: Registry,
    /// Stands in for login.microsoftonline.com.
    entra: Registry,
    ca: String,
    clock: Arc<TestClock>,
    log: Log,
    _listening: tracing::subscriber::DefaultGuard,
}

impl Drop for Azure {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let secrets = SECRETS.map(str::to_owned);
            holds_no_secret(&self.log.text(), &secrets);
        }
    }
}

fn auth(password: &str) -> Auth {
    let challenge = format!(r#"Bearer realm="{{realm}}?tenant={TENANT}",service="{{service}}""#);
    let auth = Auth::bearer().account(USER, password);
    auth.challenges(&[&challenge])
}

fn json_answer(body: &serde_json::Value) -> Fault {
    Fault::status(200).body(body.to_string())
}

impl Azure {
    /// Everything answers as it should.
    fn new() -> Self {
        let azure = Self::silent();
        let token = json!({"access_token": "entra-t0ken", "expires_in": "3599"});
        let paths = [METADATA, "/msi/token"];
        for path in paths {
            azure.machine.fault(Match::get(path), json_answer(&token));
        }
        let path = "/*/oauth2/v2.0/token";
        azure.entra.fault(Match::post(path), json_answer(&token));
        let refresh = json!({"refresh_token": "refresh-t0ken"});
        azure
            .registry
            .fault(Match::post(EXCHANGE), json_answer(&refresh));
        azure
    }

    /// Nothing is scripted yet.
    fn silent() -> Self {
        let authority = Authority::new();
        let tls = || {
            let identity = authority.server(&["127.0.0.1"]);
            Registry::builder().tls_with(identity, authority.pem())
        };
        let registry = tls().auth(auth("refresh-t0ken")).start();
        registry.publish("a/b", "latest", &Image::with_text("x"));
        let log = Log::default();
        Self {
            registry,
            machine: Registry::start(),
            entra: tls().start(),
            ca: authority.pem().to_owned(),
            clock: TestClock::new(),
            _listening: log.listen(),
            log,
        }
    }

    fn config(&self) -> Config {
        let mut config = Config::default();
        config.clock = self.clock.clone();
        config.ca_certs = vec![self.ca.clone()];
        config
    }

    fn metadata_service(&self) -> ManagedIdentity {
        ManagedIdentity::Machine {
            endpoint: self.machine.url(Origin::Registry).to_owned(),
        }
    }

    fn managed(&self) -> AcrConfig {
        managed(self.metadata_service(), None)
    }

    fn principal(&self) -> AcrConfig {
        self.signing_in(AzureIdentity::ServicePrincipal {
            client_id: "the-app".to_owned(),
            client_secret: Secret::new("client-s3cret"),
        })
    }

    fn federated(&self, file: &Path) -> AcrConfig {
        self.signing_in(AzureIdentity::Federated {
            client_id: "the-app".to_owned(),
            tenant_id: None,
            token: FederatedToken::File(file.to_owned()),
        })
    }

    fn signing_in(&self, identity: AzureIdentity) -> AcrConfig {
        let mut config = AcrConfig::new(identity);
        config.authority = Some(self.entra.url(Origin::Registry).to_owned());
        config
    }

    fn repository(&self, acr: AcrConfig) -> RepositoryClient {
        self.with(&self.config(), Acr::new(acr, &self.config()).unwrap())
    }

    fn with(
        &self,
        config: &Config,
        source: impl regimg_registry::CredentialSource + 'static,
    ) -> RepositoryClient {
        let client = Client::new(config.clone(), source).unwrap();
        let name = format!("{}/a/b", self.registry.host());
        client.repository(&Repository::parse(&name).unwrap())
    }

    async fn failure(&self, acr: AcrConfig) -> String {
        let outcome = look(&self.repository(acr)).await;
        told(&outcome.unwrap_err())
    }

    /// The requests to the registry's exchange.
    fn exchanges(&self) -> Vec<Record> {
        let requests = self.registry.requests().into_iter();
        requests.filter(|record| record.path == EXCHANGE).collect()
    }

    fn asked(registry: &Registry) -> Record {
        registry.requests().pop().unwrap()
    }
}

fn managed(service: ManagedIdentity, client_id: Option<&str>) -> AcrConfig {
    AcrConfig::new(AzureIdentity::Managed {
        service,
        client_id: client_id.map(str::to_owned),
    })
}

async fn look(repository: &RepositoryClient) -> Result<bool, Error> {
    Ok(repository.digest(&tag("latest")).await?.is_some())
}

/// Everything that an error says, in which there must be no secret.
fn told(error: &Error) -> String {
    let first: Option<&dyn std::error::Error> = Some(error);
    let chain = std::iter::successors(first, |error| error.source());
    let chain: Vec<String> = chain.map(ToString::to_string).collect();
    let hint = error.hint().unwrap_or_default();
    let text = format!("{} [{hint}]", chain.join(": "));
    holds_no_secret(&format!("{text} {error:?}"), &SECRETS.map(str::to_owned));
    text
}

#[track_caller]
fn has_fields(record: &Record, wanted: &[(&str, &str)]) {
    for (name, value) in wanted {
        let got = record.field(name);
        assert_eq!(got.as_deref(), Some(*value), "{name} of {}", record.line());
    }
}

#[tokio::test]
async fn the_machine_vouches_for_who_asks() {
    for client_id in [None, Some("0c4f")] {
        let azure = Azure::new();
        let repository = azure.repository(managed(azure.metadata_service(), client_id));
        let all = future::join_all((0..20).map(|_| look(&repository))).await;
        assert!(all.into_iter().all(|found| found.unwrap()));

        let asked = Azure::asked(&azure.machine);
        assert_eq!(azure.machine.requests().len(), 1, "once for all");
        assert_eq!(
            (asked.method.as_str(), asked.path.as_str()),
            ("GET", METADATA)
        );
        assert_eq!(asked.header("metadata"), Some("true"));
        has_fields(&asked, &[("api-version", "2018-02-01"), ("resource", ARM)]);
        assert_eq!(asked.field("client_id").as_deref(), client_id);

        let exchanges = azure.exchanges();
        assert_eq!(exchanges.len(), 1, "once for all");
        let host = azure.registry.host();
        let wanted = [
            ("grant_type", "access_token"),
            ("service", host.as_str()),
            ("tenant", TENANT),
            ("access_token", "entra-t0ken"),
        ];
        has_fields(&exchanges[0], &wanted);
        // One greeting is for the tenant, the other the session's own.
        assert_eq!(azure.registry.count("GET", "/v2/"), 2);
    }
}

#[tokio::test]
async fn the_service_beside_an_app_vouches_for_who_asks() {
    let azure = Azure::new();
    let service = ManagedIdentity::AppService {
        endpoint: format!("{}/msi/token", azure.machine.url(Origin::Registry)),
        header: Secret::new("header-s3cret"),
    };
    let repository = azure.repository(managed(service, Some("0c4f")));
    assert!(look(&repository).await.unwrap());
    let asked = Azure::asked(&azure.machine);
    assert_eq!(asked.path, "/msi/token");
    assert_eq!(asked.header("x-identity-header"), Some("header-s3cret"));
    assert_eq!(asked.header("metadata"), None);
    let wanted = [
        ("api-version", "2019-08-01"),
        ("resource", ARM),
        ("client_id", "0c4f"),
    ];
    has_fields(&asked, &wanted);
}

#[tokio::test]
async fn a_tenant_that_is_given_need_not_be_asked_for() {
    let azure = Azure::new();
    let mut acr = azure.managed();
    acr.tenant_id = Some("given".to_owned());
    assert!(look(&azure.repository(acr)).await.unwrap());
    assert_eq!(azure.registry.count("GET", "/v2/"), 1, "the session's own");
    has_fields(&azure.exchanges()[0], &[("tenant", "given")]);
}

#[tokio::test]
async fn a_registry_that_names_no_tenant_has_the_common_one() {
    let plain = r#"Bearer realm="{realm}",service="{service}""#;
    let account = || Auth::bearer().account(USER, "refresh-t0ken");
    for auth in [
        account().challenges(&[plain]),
        account().challenges(&[r#"Basic realm="?tenant=x""#, plain]),
        account().open_ping(),
    ] {
        let azure = Azure::new();
        azure.registry.set_auth(auth);
        assert!(look(&azure.repository(azure.managed())).await.unwrap());
        has_fields(&azure.exchanges()[0], &[("tenant", "common")]);
    }
}

#[tokio::test]
async fn a_service_principal_signs_in_at_the_registrys_tenant() {
    for (given, tenant) in [(None, TENANT), (Some("example.com"), "example.com")] {
        let azure = Azure::new();
        let mut acr = azure.principal();
        acr.tenant_id = given.map(str::to_owned);
        assert!(look(&azure.repository(acr)).await.unwrap());
        let asked = Azure::asked(&azure.entra);
        assert_eq!(asked.path, format!("/{tenant}/oauth2/v2.0/token"));
        let wanted = [
            ("grant_type", "client_credentials"),
            ("client_id", "the-app"),
            ("client_secret", "client-s3cret"),
            ("scope", "https://management.azure.com/.default"),
        ];
        has_fields(&asked, &wanted);
        has_fields(&azure.exchanges()[0], &[("tenant", tenant)]);
        assert!(azure.machine.requests().is_empty());
    }
}

#[tokio::test]
async fn a_federated_token_is_read_when_it_is_needed() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "federated-t0ken\n").unwrap();
    for (token, tenant_id, tenant) in [
        (
            FederatedToken::Text(Secret::new("federated-t0ken")),
            None,
            TENANT,
        ),
        (
            FederatedToken::File(file.path().to_owned()),
            Some("home"),
            "home",
        ),
    ] {
        let azure = Azure::new();
        let acr = azure.signing_in(AzureIdentity::Federated {
            client_id: "the-app".to_owned(),
            tenant_id: tenant_id.map(str::to_owned),
            token,
        });
        assert!(look(&azure.repository(acr)).await.unwrap());
        let asked = Azure::asked(&azure.entra);
        assert_eq!(asked.path, format!("/{tenant}/oauth2/v2.0/token"));
        let wanted = [
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", "federated-t0ken"),
            ("client_id", "the-app"),
        ];
        has_fields(&asked, &wanted);
        assert_eq!(asked.field("client_secret"), None);
        has_fields(&azure.exchanges()[0], &[("tenant", TENANT)]);
    }
}

/// On the one thread of this test's runtime, where nothing may wait for a FIFO's writer.
#[tokio::test]
async fn a_file_that_holds_no_federated_token_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let fifo = path("fifo");
    Process::new("/bin/sh")
        .args(["-c", r#"mkfifo "$1""#, "sh", fifo.to_str().unwrap()])
        .env("PATH", "/bin:/usr/bin")
        .run()
        .unwrap()
        .expect_success();
    let file = |name: &str, content: &[u8]| {
        std::fs::write(path(name), content).unwrap();
        path(name)
    };
    let longest = 64 << 10;
    for (path, wanted) in [
        (fifo, "is not a regular file"),
        (path("."), "is not a regular file"),
        ("/dev/zero".into(), "is not a regular file"),
        ("/nonexistent/token".into(), "cannot be read"),
        (file("empty", b""), "is empty"),
        (file("blank", b" \n"), "is empty"),
        (file("binary", b"\xff"), "cannot be read"),
        (
            file("long", &vec![b'x'; longest + 1]),
            "is longer than 65536 bytes",
        ),
    ] {
        let azure = Azure::new();
        let error = azure.failure(azure.federated(&path)).await;
        let wanted = format!("the federated token {} {wanted}", path.display());
        assert!(error.contains(&wanted), "{error}");
        assert!(azure.entra.requests().is_empty());
    }
    let azure = Azure::new();
    let token = file("longest", &vec![b'x'; longest]);
    let repository = azure.repository(azure.federated(&token));
    assert!(look(&repository).await.unwrap());
    let sent = Azure::asked(&azure.entra).field("client_assertion");
    assert_eq!(sent.unwrap().len(), longest);
}

#[tokio::test]
async fn each_cloud_has_its_audience() {
    for (cloud, audience) in [
        (None, ARM),
        (Some(AzureCloud::Public), ARM),
        (
            Some(AzureCloud::Government),
            "https://management.usgovcloudapi.net",
        ),
        (
            Some(AzureCloud::China),
            "https://management.chinacloudapi.cn",
        ),
    ] {
        let azure = Azure::new();
        let mut acr = azure.managed();
        acr.cloud = cloud;
        assert!(look(&azure.repository(acr)).await.unwrap());
        has_fields(&Azure::asked(&azure.machine), &[("resource", audience)]);
    }
}

#[tokio::test]
async fn a_registry_that_takes_no_tokens_of_the_resource_manager_gets_another() {
    let azure = Azure::silent();
    let refused = Match::post(EXCHANGE).once();
    azure.registry.fault(refused, Fault::status(401));
    let refresh = json!({"refresh_token": "refresh-t0ken"});
    azure
        .registry
        .fault(Match::post(EXCHANGE), json_answer(&refresh));
    let token = json!({"access_token": "entra-t0ken"});
    azure
        .machine
        .fault(Match::get(METADATA), json_answer(&token));
    assert!(look(&azure.repository(azure.managed())).await.unwrap());
    let asked = azure.machine.requests();
    let audiences: Vec<_> = asked
        .iter()
        .filter_map(|asked| asked.field("resource"))
        .collect();
    assert_eq!(audiences, [ARM, "https://containerregistry.azure.net"]);
}

/// A refresh token that lives for three hours: `{"iat":1000,"exp":11800}`.
fn living(name: &str) -> String {
    format!("{name}.eyJpYXQiOjEwMDAsImV4cCI6MTE4MDB9.x")
}

#[tokio::test]
async fn a_login_is_kept_until_it_ends_or_is_refused() {
    let azure = Azure::silent();
    let token = json!({"access_token": "entra-t0ken"});
    azure
        .machine
        .fault(Match::get(METADATA), json_answer(&token));
    let logins = ["refresh-t0ken", "second-t0ken", "third"].map(living);
    for login in &logins {
        let answer = json_answer(&json!({"refresh_token": login}));
        azure.registry.fault(Match::post(EXCHANGE).once(), answer);
    }
    let accept = |login: &str| {
        azure.registry.set_auth(auth(login));
        azure.registry.revoke_tokens();
    };
    let acr = Arc::new(Acr::new(azure.managed(), &azure.config()).unwrap());
    let client = || azure.with(&azure.config(), acr.clone());

    accept(&logins[0]);
    let first = client();
    assert!(look(&first).await.unwrap());
    assert!(look(&client()).await.unwrap());
    assert_eq!(azure.exchanges().len(), 1, "kept for other clients");

    azure.clock.advance(Duration::from_secs(10_800 - 299));
    accept(&logins[1]);
    assert!(look(&client()).await.unwrap());
    assert_eq!(azure.exchanges().len(), 2, "it was about to end");

    accept(&logins[2]);
    azure.clock.advance(Duration::from_mins(6));
    let second = client();
    let all = future::join_all((0..20).map(|_| look(&second))).await;
    assert!(all.into_iter().all(|found| found.unwrap()));
    assert_eq!(azure.exchanges().len(), 3, "it was refused");
}

#[tokio::test]
async fn a_registry_that_refuses_every_login_is_not_asked_for_ever_more() {
    let azure = Azure::silent();
    let token = json_answer(&json!({"access_token": "entra-t0ken"}));
    azure.machine.fault(Match::get(METADATA), token);
    for login in ["refresh-t0ken", "second-t0ken", "third"].map(living) {
        let answer = json_answer(&json!({"refresh_token": login}));
        azure.registry.fault(Match::post(EXCHANGE).once(), answer);
    }
    azure.registry.set_auth(auth("another"));
    let acr = Arc::new(Acr::new(azure.managed(), &azure.config()).unwrap());
    let client = || azure.with(&azure.config(), acr.clone());
    let refused = async |repository: &RepositoryClient| {
        let error = look(repository).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error:?}");
    };
    let first = client();
    for _ in 0..5 {
        refused(&first).await;
        refused(&client()).await;
    }
    assert_eq!(azure.exchanges().len(), 2, "a login, and one in its place");
    azure.clock.advance(Duration::from_mins(5));
    for _ in 0..5 {
        refused(&first).await;
    }
    assert_eq!(azure.exchanges().len(), 3, "one more after a while");
}

#[tokio::test]
async fn what_goes_wrong_is_said() {
    let bad = |status: u16, body: &str| Fault::status(status).body(body.to_owned());
    let no_identity = r#"{"error":"invalid_request","error_description":"Identity not found"}"#;
    let denied = r#"{"errors":[{"code":"UNAUTHORIZED","message":"no role for entra-t0ken"}]}"#;
    for (at_machine, at_exchange, wanted) in [
        (
            Some(bad(400, no_identity)),
            None,
            &[
                "400 Bad Request",
                "Identity not found",
                "[is an identity assigned",
            ][..],
        ),
        (
            Some(bad(500, "")),
            None,
            &["hands out no token of an identity: 500"],
        ),
        (
            Some(bad(404, "")),
            None,
            &["hands out no token of an identity: 404"],
        ),
        (
            Some(bad(200, "<html>")),
            None,
            &["failed to decode the token"],
        ),
        (
            Some(bad(200, r#"{"access_token":""}"#)),
            None,
            &["sent an empty token"],
        ),
        (
            Some(Fault::close()),
            None,
            &[
                "no managed identity endpoint answers at 127.0.0.1",
                "[is this an Azure VM",
            ],
        ),
        (
            None,
            Some(bad(401, denied)),
            &[
                "returned status 401",
                "no role for ****",
                "[may the identity use",
            ],
        ),
        (None, Some(bad(403, denied)), &["returned status 403"]),
        (None, Some(bad(500, denied)), &["returned status 500"]),
        (
            None,
            Some(bad(200, "nonsense")),
            &["failed to decode the token exchange"],
        ),
        (
            None,
            Some(bad(200, "{}")),
            &["received an empty refresh token"],
        ),
    ] {
        let azure = Azure::silent();
        azure.machine.fault(
            Match::get(METADATA),
            at_machine.unwrap_or_else(|| json_answer(&json!({"access_token": "entra-t0ken"}))),
        );
        azure.registry.fault(
            Match::post(EXCHANGE),
            at_exchange.unwrap_or_else(|| json_answer(&json!({"refresh_token": "refresh-t0ken"}))),
        );
        let mut config = azure.config();
        config.retry.max_tries = 3;
        let acr = Acr::new(azure.managed(), &config).unwrap();
        let error = look(&azure.with(&config, acr)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Credential);
        let text = told(&error);
        let host = azure.registry.host();
        let begin = format!("no credential for {host}: cannot authenticate with ACR: ");
        assert!(text.starts_with(&begin), "{text}");
        for wanted in wanted {
            assert!(text.contains(wanted), "{wanted} in {text}");
        }
        let requests = azure.machine.requests().len();
        assert!((1..=3).contains(&requests), "{requests} for {wanted:?}");
        assert!(azure.exchanges().len() <= 3);
    }
}

#[tokio::test]
async fn a_form_that_the_authority_repeats_is_blackened() {
    for form in [
        "client_id=the-app&client_secret=S3C8Q%7Ex%2Fy&scope=z",
        "client_id=the-app&client_secret=S3C8Q%7ex%2fy&scope=z",
        "client_id=the-app&client_secret=S3C8Q~x%2Fy&scope=z",
    ] {
        let azure = Azure::silent();
        let identity = AzureIdentity::ServicePrincipal {
            client_id: "the-app".to_owned(),
            client_secret: Secret::new("S3C8Q~x/y"),
        };
        let refusal = json!({"error_description": format!("not understood: {form}")}).to_string();
        let fault = Fault::status(400).body(refusal);
        azure.entra.fault(Match::post("/*"), fault);
        let error = azure.failure(azure.signing_in(identity)).await;
        assert!(error.contains("&client_secret=****&scope=z"), "{error}");
        assert!(!error.contains("S3C8Q"), "{error}");
    }
}

#[tokio::test]
async fn a_sign_in_that_fails_is_said() {
    let azure = Azure::silent();
    let refusal = r#"{"error":"invalid_client","error_description":"AADSTS7000215: client-s3cret is no secret"}"#;
    let fault = Fault::status(401).body(refusal);
    azure.entra.fault(Match::post("/*"), fault);
    let error = azure.failure(azure.principal()).await;
    let wanted = format!(
        "\"the-app\" cannot sign in to tenant {TENANT} at {}: 401",
        azure.entra.host()
    );
    assert!(error.contains(&wanted), "{error}");
    assert!(
        error.contains("AADSTS7000215: **** is no secret"),
        "{error}"
    );

    azure.registry.set_auth(Auth::bearer());
    azure.entra.clear_requests();
    let error = azure.failure(azure.principal()).await;
    assert!(error.contains("does not name its tenant"), "{error}");
    assert!(
        error.contains("[configure the id of the tenant]"),
        "{error}"
    );
    assert!(azure.entra.requests().is_empty());
}

#[tokio::test]
async fn passing_failures_pass() {
    let azure = Azure::silent();
    for status in [410, 404] {
        azure
            .machine
            .fault(Match::get(METADATA).once(), Fault::status(status));
    }
    let busy = Fault::status(429).header("retry-after", "7");
    azure.registry.fault(Match::post(EXCHANGE).once(), busy);
    azure
        .registry
        .fault(Match::get("/v2/").once(), Fault::status(503));
    let token = json!({"access_token": "entra-t0ken"});
    azure
        .machine
        .fault(Match::get(METADATA), json_answer(&token));
    let refresh = json!({"refresh_token": "refresh-t0ken"});
    azure
        .registry
        .fault(Match::post(EXCHANGE), json_answer(&refresh));
    assert!(look(&azure.repository(azure.managed())).await.unwrap());
    assert!(
        azure.clock.waits().contains(&7000),
        "{:?}",
        azure.clock.waits()
    );
}

#[tokio::test]
async fn no_secret_follows_a_redirect() {
    let service = |azure: &Azure| ManagedIdentity::AppService {
        endpoint: format!("{}/msi/token", azure.machine.url(Origin::Registry)),
        header: Secret::new("header-s3cret"),
    };
    for status in [301, 302, 303, 307, 308] {
        for part in 0..4 {
            let azure = Azure::silent();
            let token = json_answer(&json!({"access_token": "entra-t0ken"}));
            let away = Fault::redirect_elsewhere().as_status(status);
            let acr = match part {
                0 => {
                    azure.machine.fault(Match::get("/msi/*"), away);
                    managed(service(&azure), None)
                }
                1 => {
                    azure.entra.fault(Match::post("/*"), away);
                    azure.principal()
                }
                2 => {
                    azure.machine.fault(Match::get("/msi/*"), token);
                    azure.registry.fault(Match::post(EXCHANGE), away);
                    managed(service(&azure), None)
                }
                _ => {
                    // Whoever is redirected to does not say where to sign in. The first greeting
                    // is the session's own.
                    azure
                        .registry
                        .fault(Match::get("/v2/").after(1).once(), away);
                    azure.principal()
                }
            };
            let error = azure.failure(acr).await;
            for registry in [&azure.machine, &azure.entra, &azure.registry] {
                let elsewhere = registry.requests_to(Origin::Elsewhere);
                assert!(elsewhere.is_empty(), "{part} {status}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn the_metadata_service_is_asked_without_a_proxy() {
    let azure = Azure::new();
    let proxy = regimg_tests::Proxy::to(azure.machine.addr());
    let url = proxy.url();
    let lookup = |name: &str| (name == "HTTP_PROXY").then(|| url.clone());
    let mut config = azure.config();
    config.proxy = Proxy::from_variables(lookup).unwrap();
    // A name that nobody but a proxy could make sense of.
    let endpoint = "http://metadata.invalid".to_owned();
    let acr = Acr::new(
        managed(ManagedIdentity::Machine { endpoint }, None),
        &config,
    )
    .unwrap();
    let error = told(&look(&azure.with(&config, acr)).await.unwrap_err());
    assert!(
        error.contains("no managed identity endpoint answers at metadata.invalid"),
        "{error}"
    );
    assert!(proxy.requests().is_empty());
}

#[tokio::test]
async fn the_exchange_needs_https_and_a_good_certificate() {
    let azure = Azure::new();
    // Whoever the client itself would trust.
    let mut config = azure.config();
    config.ca_certs.clear();
    config.plain_http = PlainHttp::Allowed;
    config.server_certificates = ServerCertificates::DangerouslyIgnored;
    let acr = Acr::new(azure.managed(), &config).unwrap();
    let error = told(&look(&azure.with(&config, acr)).await.unwrap_err());
    assert!(error.contains("unknown here"), "{error}");
    assert!(azure.exchanges().is_empty());

    let plain = Registry::start();
    let mut acr = azure.managed();
    acr.tenant_id = Some(TENANT.to_owned());
    let client = Client::new(config.clone(), Acr::new(acr, &config).unwrap()).unwrap();
    let name = format!("{}/a/b", plain.host());
    let repository = client.repository(&Repository::parse(&name).unwrap());
    told(&look(&repository).await.unwrap_err());
    assert_eq!(plain.count("POST", EXCHANGE), 0);
    let asked = plain.requests();
    assert!(asked.iter().all(|asked| asked.form.is_empty()));
}

#[test]
fn configurations_that_cannot_be_meant_are_refused() {
    let principal = || {
        AcrConfig::new(AzureIdentity::ServicePrincipal {
            client_id: "the-app".to_owned(),
            client_secret: Secret::new("client-s3cret"),
        })
    };
    let authority = |text: &str| {
        let mut config = principal();
        config.authority = Some(text.to_owned());
        config
    };
    let tenant = |text: &str| {
        let mut config = principal();
        config.tenant_id = Some(text.to_owned());
        config
    };
    let service = |endpoint: &str, header: &str| {
        let service = ManagedIdentity::AppService {
            endpoint: endpoint.to_owned(),
            header: Secret::new(header),
        };
        managed(service, None)
    };
    for (config, wanted) in [
        (authority("http://login.example"), "is not an https address"),
        (
            authority("login.example"),
            "the authority has an address that is none",
        ),
        (
            tenant("a/b"),
            "\"a/b\" is not the id or the domain of a tenant",
        ),
        (tenant(".."), "is not the id"),
        (service("file:///msi", "x"), "an address that is none"),
        (
            service("http://127.0.0.1/msi", "header-s3cret\n"),
            "no header may carry",
        ),
    ] {
        let error = Acr::new(config, &Config::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let text = told(&error);
        assert!(text.contains(wanted), "{text}");
    }
    let acr = Acr::new(principal(), &Config::default()).unwrap();
    assert!(!format!("{acr:?}").contains("s3cret"));
}
