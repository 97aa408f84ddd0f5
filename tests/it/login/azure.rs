//! Azure: which identity logs in, by the source and by Azure's own variables.

use regimg_resource::Command;
use regimg_tests::notary::{Key, Owner};
use regimg_tests::registry::{Auth, Fault, Match, Origin, Record, Registry};
use regimg_tests::tls::Authority;
use serde_json::{Value, json};

use super::{COMMANDS, all_succeed, image, run, tells_nothing};
use crate::driver;

const METADATA: &str = "/metadata/identity/oauth2/token";
const EXCHANGE: &str = "/oauth2/exchange";
const SECRETS: [&str; 6] = [
    "entra-t0ken",
    "refresh-t0ken",
    "header-s3cret",
    "client-s3cret",
    "federated-t0ken",
    "unused-pa55word",
];

/// A registry of Azure, the machine's metadata service (or App Service), and the authority.
struct Azure {
    registry: Registry,
    machine: Registry,
    entra: Registry,
    source: Value,
    /// Where the metadata service and the authority are.
    places: [(&'static str, String); 2],
}

impl Azure {
    fn new() -> Self {
        let authority = Authority::new();
        let tls = || {
            let identity = authority.server(&["127.0.0.1"]);
            Registry::builder().tls_with(identity, authority.pem())
        };
        let account = "00000000-0000-0000-0000-000000000000";
        let challenge = r#"Bearer realm="{realm}?tenant=theirs",service="{service}""#;
        let auth = Auth::bearer().account(account, "refresh-t0ken");
        let registry = tls().auth(auth.challenges(&[challenge])).start();
        registry.publish("app", "1.0", &image());
        let (machine, entra) = (Registry::start(), tls().start());
        let answer = |body: Value| Fault::status(200).body(body.to_string());
        let token = answer(json!({"access_token": "entra-t0ken"}));
        machine.fault(Match::get("*/token"), token.clone());
        entra.fault(Match::post("/*/oauth2/v2.0/token"), token);
        let refresh = answer(json!({"refresh_token": "refresh-t0ken"}));
        registry.fault(Match::post(EXCHANGE), refresh);
        let url = |registry: &Registry| registry.url(Origin::Registry).to_owned();
        Self {
            source: json!({
                "repository": format!("{}/app", registry.host()),
                "azure_acr": true,
                "ca_certs": [authority.pem()],
            }),
            places: [
                ("AZURE_POD_IDENTITY_AUTHORITY_HOST", url(&machine)),
                ("AZURE_AUTHORITY_HOST", url(&entra)),
            ],
            registry,
            machine,
            entra,
        }
    }

    fn with(mut self, fields: Value) -> Self {
        let Value::Object(fields) = fields else {
            panic!("fields are an object")
        };
        for (name, value) in fields {
            self.source[name] = value;
        }
        self
    }

    fn environment<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let places = self.places.iter().map(|(name, url)| (*name, url.as_str()));
        places.chain(more.iter().copied()).collect()
    }

    /// Runs all commands, and returns what the machine and the authority were asked by each.
    #[track_caller]
    fn all_succeed(&self, more: &[(&str, &str)]) -> Vec<Record> {
        all_succeed(&self.source, &self.environment(more), &SECRETS);
        let requests = self.registry.requests();
        let exchanges: Vec<_> = requests
            .iter()
            .filter(|asked| asked.path == EXCHANGE)
            .collect();
        assert_eq!(exchanges.len(), COMMANDS.len());
        for exchange in exchanges {
            let service = exchange.field("service");
            assert_eq!(service.as_deref(), Some(self.registry.host().as_str()));
            let token = exchange.field("access_token");
            assert_eq!(token.as_deref(), Some("entra-t0ken"));
        }
        let mut asked = self.machine.requests();
        asked.extend(self.entra.requests());
        assert_eq!(asked.len(), COMMANDS.len());
        asked
    }
}

#[track_caller]
fn has(asked: &[Record], path: &str, fields: &[(&str, Option<&str>)]) {
    for asked in asked {
        assert_eq!(asked.path, path);
        for (name, value) in fields {
            assert_eq!(asked.field(name).as_deref(), *value, "{name}");
        }
    }
}

#[test]
fn a_managed_identity_of_the_machine() {
    let azure = Azure::new();
    let public = Some("https://management.azure.com");
    let asked = azure.all_succeed(&[]);
    has(
        &asked,
        METADATA,
        &[("resource", public), ("client_id", None)],
    );
    assert!(
        asked
            .iter()
            .all(|asked| asked.header("metadata") == Some("true"))
    );

    let azure = Azure::new().with(json!({"azure_client_id": "0c4f", "azure_tenant_id": "ours"}));
    let asked = azure.all_succeed(&[]);
    has(
        &asked,
        METADATA,
        &[("resource", public), ("client_id", Some("0c4f"))],
    );
    let requests = azure.registry.requests();
    let mut exchanges = requests.iter().filter(|asked| asked.path == EXCHANGE);
    assert!(exchanges.all(|asked| asked.field("tenant").as_deref() == Some("ours")));
    // No greeting but the session's own.
    assert_eq!(
        azure.registry.count("GET", "/v2/"),
        3 + azure.registry.count("GET", "/v2/app/")
    );
}

#[test]
fn a_managed_identity_of_an_app() {
    let azure = Azure::new();
    let endpoint = format!("{}/msi/token", azure.machine.url(Origin::Registry));
    let variables = [
        ("IDENTITY_ENDPOINT", endpoint.as_str()),
        ("IDENTITY_HEADER", "header-s3cret"),
    ];
    let asked = azure.all_succeed(&variables);
    has(&asked, "/msi/token", &[("api-version", Some("2019-08-01"))]);
    let header = |asked: &Record| asked.header("x-identity-header") == Some("header-s3cret");
    assert!(asked.iter().all(header));
}

#[test]
fn a_service_principal() {
    let fields = json!({"azure_client_id": "the-app", "azure_client_secret": "client-s3cret"});
    let azure = Azure::new().with(fields);
    let wanted = [
        ("client_id", Some("the-app")),
        ("client_secret", Some("client-s3cret")),
        ("scope", Some("https://management.azure.com/.default")),
    ];
    has(
        &azure.all_succeed(&[]),
        "/theirs/oauth2/v2.0/token",
        &wanted,
    );
}

#[test]
fn a_federated_token() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "federated-t0ken").unwrap();
    let path = file.path().to_str().unwrap();
    let of_cluster = [
        ("AZURE_FEDERATED_TOKEN_FILE", path),
        ("AZURE_CLIENT_ID", "clusters"),
        ("AZURE_TENANT_ID", "home"),
    ];
    for (fields, variables, client_id, tenant) in [
        (
            json!({"azure_client_id": "ours", "azure_federated_token": "federated-t0ken"}),
            &[][..],
            "ours",
            "theirs",
        ),
        (
            json!({"azure_client_id": "ours", "azure_federated_token_file": path}),
            &of_cluster,
            "ours",
            "theirs",
        ),
        (
            json!({"azure_federated_token_file": path}),
            &of_cluster,
            "clusters",
            "home",
        ),
        (json!({}), &of_cluster, "clusters", "home"),
        (
            json!({"azure_client_id": "clusters"}),
            &of_cluster,
            "clusters",
            "home",
        ),
    ] {
        let azure = Azure::new().with(fields);
        let wanted = [
            ("client_id", Some(client_id)),
            ("client_assertion", Some("federated-t0ken")),
        ];
        let path = format!("/{tenant}/oauth2/v2.0/token");
        has(&azure.all_succeed(variables), &path, &wanted);
    }
    // Another identity than the cluster's is the machine's, as in the Go resource.
    let azure = Azure::new().with(json!({"azure_client_id": "another"}));
    let asked = azure.all_succeed(&of_cluster);
    has(&asked, METADATA, &[("client_id", Some("another"))]);
    let azure = Azure::new();
    has(&azure.all_succeed(&of_cluster[..1]), METADATA, &[]);
}

#[test]
fn what_is_odd_is_said() {
    for (fields, audience, warning) in [
        (
            json!({"azure_environment": "AzureGovernment"}),
            "https://management.usgovcloudapi.net",
            None,
        ),
        (
            json!({"azure_environment": "AzureMoon"}),
            "https://management.azure.com",
            Some("unknown azure_environment \"AzureMoon\", falling back"),
        ),
        (
            json!({"username": "u", "password": "unused-pa55word"}),
            "https://management.azure.com",
            Some("azure_acr logs in: the source's username and password are not used"),
        ),
    ] {
        let azure = Azure::new().with(fields);
        has(
            &azure.all_succeed(&[]),
            METADATA,
            &[("resource", Some(audience))],
        );
        let outcome = run(Command::Check, &azure.source, &azure.environment(&[]));
        let warns = outcome.stderr.contains("WARN");
        assert_eq!(warns, warning.is_some(), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(warning.unwrap_or_default()));
    }
}

/// Without `azure_acr` what it would use says nothing, as in the Go resource.
#[test]
fn nothing_is_asked_unless_it_is_switched_on() {
    let azure = Azure::new().with(json!({
        "azure_acr": false,
        "azure_client_id": "0c4f",
        "azure_tenant_id": "ours",
        "azure_environment": "AzureChina",
    }));
    azure.registry.set_auth(Auth::none());
    all_succeed(&azure.source, &azure.environment(&[]), &[]);
    assert!(azure.machine.requests().is_empty());
    assert_eq!(azure.registry.count("POST", EXCHANGE), 0);
}

#[test]
fn a_login_that_fails_is_said() {
    for command in COMMANDS {
        let azure = Azure::new();
        azure.machine.clear_faults();
        let body = json!({"error": "invalid_request", "error_description": "Identity not found"});
        let fault = Fault::status(400).body(body.to_string());
        azure.machine.fault(Match::get(METADATA), fault);
        let outcome = run(command, &azure.source, &azure.environment(&[]));
        let message = outcome.failure();
        for wanted in [
            "cannot authenticate with ACR",
            "400 Bad Request",
            "Identity not found",
        ] {
            assert!(message.contains(wanted), "{message}");
        }
        assert!(outcome.stderr.contains("hint: is an identity assigned"));
        tells_nothing(&outcome, &SECRETS);

        azure.machine.clear_faults();
        azure.machine.fault(Match::get("*"), Fault::close());
        let message = run(command, &azure.source, &azure.environment(&[])).failure();
        let wanted = format!(
            "no managed identity endpoint answers at {}",
            azure.machine.host()
        );
        assert!(message.contains(&wanted), "{message}");
    }
}

#[test]
fn fields_that_contradict_each_other_are_refused() {
    let azure = Azure::new();
    for (fields, wanted) in [
        (
            json!({"azure_client_secret": "client-s3cret"}),
            "source.azure_client_id: is missing",
        ),
        (
            json!({"azure_federated_token": "federated-t0ken"}),
            "source.azure_client_id: is missing",
        ),
        (
            json!({"azure_client_secret": "client-s3cret", "azure_federated_token": "federated-t0ken"}),
            "source.azure_federated_token: is given together with source.azure_client_secret",
        ),
        (
            json!({"azure_federated_token": "federated-t0ken", "azure_federated_token_file": "/x"}),
            "source.azure_federated_token_file: is given together with source.azure_federated_token",
        ),
        (
            json!({"azure_acr": false, "azure_client_secret": "client-s3cret"}),
            "source.azure_client_secret: is given without source.azure_acr",
        ),
        (
            json!({"azure_tenant_id": "a/b"}),
            "initialize login to ACR: \"a/b\" is not the id or the domain of a tenant",
        ),
        (
            json!({"repository": "docker.io/app"}),
            "source.repository: names no registry of Azure's",
        ),
    ] {
        let mut source = azure.source.clone();
        for (name, value) in fields.as_object().unwrap() {
            source[name] = value.clone();
        }
        for command in COMMANDS {
            let outcome = run(command, &source, &azure.environment(&[]));
            let message = outcome.failure();
            assert!(message.contains(wanted), "{message}");
            tells_nothing(&outcome, &SECRETS);
        }
    }
    let mut environment = azure.environment(&[]);
    environment[1].1 = "http://127.0.0.1:1";
    let request = json!({"source": azure.source}).to_string();
    let message = driver::call_in(&environment, Command::Check, &request, None).failure();
    assert!(message.contains("is not an https address"), "{message}");
    assert!(azure.registry.requests().is_empty());
}

/// What Azure gives out signs at the registry's own host and at no other.
#[test]
fn a_notary_server_is_logged_in_to_if_it_is_the_registry() {
    let key = Key::new();
    let elsewhere = || {
        let auth = Auth::bearer().account("signer", "other-pa55word");
        Registry::builder()
            .tls()
            .auth(auth.anonymous_pull())
            .start()
    };
    for other in [None, Some(elsewhere())] {
        let azure = Azure::new();
        let name = azure.source["repository"].as_str().unwrap().to_owned();
        let notary = other.as_ref().unwrap_or(&azure.registry);
        notary.entrust(&Owner::new(&name).targets(&key));
        let azure = azure.with(json!({"content_trust": {
            "server": other.as_ref().map(|notary| notary.url(Origin::Registry)),
            "repository_key_id": key.id(),
            "repository_key": key.pem(),
        }}));
        let mut source = azure.source.clone();
        let authorities = source["ca_certs"].as_array_mut().unwrap();
        authorities.extend(other.as_ref().map(|notary| json!(notary.ca_pem())));
        let outcome = run(Command::Put, &source, &azure.environment(&[]));
        tells_nothing(&outcome, &SECRETS);
        let Some(notary) = &other else {
            outcome.answer();
            let trusted = azure.registry.trusted(&name).unwrap();
            assert!(trusted["targets"].contains_key("2.0.0"));
            continue;
        };
        let message = outcome.failure();
        assert!(message.contains("but not signed"), "{message}");
        for request in notary.requests() {
            assert_ne!(request.path, EXCHANGE);
            let shown = request.authorization().unwrap_or_default();
            assert!(!shown.starts_with("Basic"), "{request:?}");
        }
    }
}
