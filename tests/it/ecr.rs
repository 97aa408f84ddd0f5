//! ECR from end to end: AWS gives the token, and a registry under ECR's name takes it.

use std::fs;
use std::path::Path;

use regimg_resource::Command;
use regimg_tests::aws::{ACCOUNT, Answer, Aws, Operation, REQUEST_ID};
use regimg_tests::registry::{Auth, Realm, Registry, UploadLocation};
use regimg_tests::tls::Authority;
use regimg_tests::{Artifact, DockerArchive, Image, Proxy};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::driver::{self, Outcome};

const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const CHINA: &str = "210987654321.dkr.ecr.cn-north-1.amazonaws.com.cn";
const PUBLIC: &str = "public.ecr.aws";

const ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG";
const SESSION: &str = "FwoGZXIvYXdzE";

/// Environment variables.
type Variables<'a> = &'a [(&'a str, &'a str)];

/// AWS, and a registry that is all of ECR's to whoever trusts the authority and goes through the
/// proxy.
struct Fixture {
    aws: Aws,
    registry: Registry,
    proxy: Proxy,
    authority: Authority,
}

impl Fixture {
    /// Lets in who has the token that `access_key` gets in `region`.
    fn for_tokens_of(access_key: &str, region: &str) -> Self {
        let password = Aws::password(access_key, region, false);
        Self::new(Auth::basic().account("AWS", &password))
    }

    fn new(auth: Auth) -> Self {
        let authority = Authority::new();
        let identity = authority.server(&[HOST, CHINA, PUBLIC]);
        let registry = Registry::builder()
            .tls_with(identity, authority.pem())
            .upload_location(UploadLocation::Path)
            .start();
        registry.set_auth(auth);
        let proxy = Proxy::to(registry.addr());
        Self {
            aws: Aws::start(),
            registry,
            proxy,
            authority,
        }
    }

    /// A source with keys, an image's tag, and whatever else is given.
    fn source(&self, more: &Value) -> Value {
        let mut source = json!({
            "tag": "1.0",
            "aws_access_key_id": ID,
            "aws_secret_access_key": SECRET,
            "aws_session_token": SESSION,
        });
        let fields = more.as_object().expect("fields are an object");
        for (name, value) in fields {
            source[name] = value.clone();
        }
        self.bare(&source)
    }

    /// The same without keys.
    fn bare(&self, source: &Value) -> Value {
        let mut source = source.clone();
        source["ca_certs"] = json!([self.authority.pem()]);
        source["debug"] = json!(true);
        source
    }

    fn call(&self, command: Command, request: &Value, directory: Option<&Path>) -> Outcome {
        self.call_in(&[], command, request, directory)
    }

    /// Calls the resource, whose every word must be free of secrets.
    fn call_in(
        &self,
        more: Variables<'_>,
        command: Command,
        request: &Value,
        directory: Option<&Path>,
    ) -> Outcome {
        let mut variables = self.aws.variables();
        variables.push(("HTTPS_PROXY".to_owned(), self.proxy.url()));
        let given = more
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        variables.extend(given);
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let outcome = driver::call_in(&variables, command, &request.to_string(), directory);
        let shown = self.registry.requests();
        let shown = shown.iter().filter_map(|request| request.authorization());
        let shown = shown.filter_map(|value| value.split_once(' '));
        let secrets = [
            SECRET,
            SESSION,
            "-password-of-",
            "secret-key-of-",
            "session-token-of-",
        ];
        for secret in secrets.into_iter().chain(shown.map(|(_, secret)| secret)) {
            assert!(
                !outcome.stderr.contains(secret),
                "{secret} in {}",
                outcome.stderr
            );
            assert!(
                !outcome.stdout.contains(secret),
                "{secret} in {}",
                outcome.stdout
            );
        }
        outcome
    }

    /// Checks that the resource wanted to reach this host and no other, through the proxy.
    #[track_caller]
    fn asked_only(&self, host: &str) {
        for request in self.proxy.requests() {
            assert_eq!(request.target, format!("{host}:443"));
        }
        assert!(!self.proxy.requests().is_empty());
    }

    fn check(&self, source: &Value) -> Outcome {
        self.call(Command::Check, &json!({ "source": source }), None)
    }
}

fn versions(image: &Image) -> Value {
    json!([version(image)])
}

fn version(image: &Image) -> Value {
    json!({ "tag": "1.0", "digest": image.digest().to_string() })
}

/// A directory with an image to push.
fn archive(image: &Image) -> TempDir {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("image.tar");
    DockerArchive::new().image(image, &[]).write(path).unwrap();
    directory
}

#[test]
fn what_out_pushes_check_finds_and_in_fetches_from_the_account_that_asks() {
    let fixture = Fixture::for_tokens_of(ID, "eu-west-1");
    let source = fixture.source(&json!({ "repository": "team/app", "aws_region": "eu-west-1" }));
    let directory = archive(&Image::with_text("one"));
    let request = json!({ "source": source, "params": { "image": "image.tar" } });
    let put = fixture
        .call(Command::Put, &request, Some(directory.path()))
        .answer();
    let name = format!("{HOST}/team/app");
    assert_eq!(put["metadata"][0]["value"], name);

    assert_eq!(fixture.check(&source).answer(), json!([put["version"]]));

    let directory = TempDir::new().unwrap();
    let request = json!({ "source": source, "version": put["version"] });
    let get = fixture
        .call(Command::Get, &request, Some(directory.path()))
        .answer();
    assert_eq!(get["metadata"][0]["value"], name);
    let repository = fs::read_to_string(directory.path().join("repository")).unwrap();
    assert_eq!(repository, name);

    // Once for each step: where the registry is comes with the token.
    assert_eq!(fixture.aws.count(Operation::Token), 3);
    fixture.asked_only(HOST);
}

#[test]
fn the_registry_may_be_named_by_account_or_in_full() {
    let cases = [
        (
            json!({"repository": "app", "aws_region": "cn-north-1", "aws_account_id": "210987654321"}),
            CHINA,
            "cn-north-1",
        ),
        (
            json!({"repository": format!("{CHINA}/app")}),
            CHINA,
            "cn-north-1",
        ),
        (
            json!({"repository": format!("https://{HOST}/app"), "aws_region": "eu-west-1"}),
            HOST,
            "eu-west-1",
        ),
        (
            json!({"repository": format!("{HOST}/app"), "aws_region": "us-east-1", "aws_account_id": ACCOUNT}),
            HOST,
            "eu-west-1",
        ),
    ];
    for (fields, host, region) in cases {
        let fixture = Fixture::for_tokens_of(ID, region);
        let image = Image::with_text("one");
        fixture.registry.publish("app", "1.0", &image);
        let source = fixture.source(&fields);
        assert_eq!(
            fixture.check(&source).answer(),
            versions(&image),
            "{fields}"
        );
        fixture.asked_only(host);

        // What is known is not asked for.
        let before = fixture.aws.calls().len();
        let directory = TempDir::new().unwrap();
        let request = json!({ "source": source, "version": version(&image), "params": {"skip_download": true} });
        let get = fixture
            .call(Command::Get, &request, Some(directory.path()))
            .answer();
        assert_eq!(get["metadata"][0]["value"], format!("{host}/app"));
        assert_eq!(fixture.aws.calls().len(), before, "{fields}");
    }
}

#[test]
fn identities_come_from_roles_and_from_where_the_worker_runs() {
    let role = |name: &str| format!("arn:aws:iam::{ACCOUNT}:role/{name}");
    let directory = TempDir::new().unwrap();
    let token = directory.path().join("token");
    fs::write(&token, "eyJ3ZWIi").unwrap();
    let aws_role = role("web");
    let web = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
        ("AWS_ROLE_ARN", aws_role.as_str()),
    ];
    let keys = json!({"aws_access_key_id": ID, "aws_secret_access_key": SECRET});
    let with = |name: &str, value: Value| {
        let mut fields = keys.clone();
        fields[name] = value;
        fields
    };
    let environment = [
        ("AWS_ACCESS_KEY_ID", "AKIDENV"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ];
    let cases: [(Value, Variables<'_>, &str, usize); 6] = [
        (
            with("aws_role_arn", json!(role("first"))),
            &[],
            "ASIAFIRST",
            1,
        ),
        (
            with("aws_role_arns", json!([role("first"), role("second")])),
            &[],
            "ASIASECOND",
            2,
        ),
        (json!({"aws_role_arn": role("first")}), &[], "ASIAFIRST", 1),
        (json!({}), &environment, "AKIDENV", 0),
        (json!({}), &web, "ASIAWEB", 0),
        (json!({}), &[], "ASIAMACHINE", 0),
    ];
    for (fields, variables, access_key, roles) in cases {
        let fixture = Fixture::for_tokens_of(access_key, "eu-west-1");
        let image = Image::with_text("one");
        fixture.registry.publish("app", "1.0", &image);
        let mut source = fields.clone();
        source["repository"] = json!("app");
        source["tag"] = json!("1.0");
        source["aws_region"] = json!("eu-west-1");
        let request = json!({ "source": fixture.bare(&source) });
        let outcome = fixture.call_in(variables, Command::Check, &request, None);
        assert_eq!(outcome.answer(), versions(&image), "{fields}");
        assert_eq!(fixture.aws.count(Operation::AssumeRole), roles, "{fields}");
    }
}

#[test]
fn external_id_and_session_name_go_to_the_role() {
    let fixture = Fixture::for_tokens_of("ASIAFIRST", "eu-west-1");
    let source = fixture.source(&json!({
        "repository": "app",
        "aws_region": "eu-west-1",
        "aws_role_arn": format!("arn:aws:iam::{ACCOUNT}:role/first"),
        "aws_external_id": "our-customer",
        "aws_role_session_name": "concourse",
    }));
    fixture
        .registry
        .publish("app", "1.0", &Image::with_text("one"));
    fixture.check(&source).answer();
    let call = &fixture.aws.calls_of(Operation::AssumeRole)[0];
    for part in ["ExternalId=our-customer", "RoleSessionName=concourse"] {
        assert!(call.body.contains(part), "{call:?}");
    }
    assert_eq!(call.session_token.as_deref(), Some(SESSION));
}

#[test]
fn a_token_that_the_registry_refuses_is_replaced_once() {
    let fixture = Fixture::for_tokens_of(ID, "eu-west-1");
    let image = Image::with_text("one");
    fixture.registry.publish("app", "1.0", &image);
    let source = fixture.source(&json!({ "repository": "app", "aws_region": "eu-west-1" }));
    // `AWS:old`.
    let old = format!(
        r#"{{"authorizationData":[{{"authorizationToken":"QVdTOm9sZA==","proxyEndpoint":"https://{HOST}"}}]}}"#
    );
    fixture
        .aws
        .answer(Operation::Token, Answer::Raw(200, old.clone()));
    assert_eq!(fixture.check(&source).answer(), versions(&image));
    assert_eq!(fixture.aws.count(Operation::Token), 2);

    for _ in 0..2 {
        fixture
            .aws
            .answer(Operation::Token, Answer::Raw(200, old.clone()));
    }
    let message = fixture.check(&source).failure();
    assert!(message.contains("401"), "{message}");
    assert_eq!(fixture.aws.count(Operation::Token), 4);
}

#[test]
fn the_public_registry_takes_strangers_and_its_own_tokens() {
    let password = Aws::password(ID, "us-east-1", true);
    let realm = Realm::Url(format!("https://{PUBLIC}/token"));
    let auth = Auth::bearer().realm(realm).account("AWS", &password);
    let auth = auth.anonymous_pull();
    let fixture = Fixture::new(auth);
    let image = Image::with_text("one");
    fixture.registry.publish("team/app", "1.0", &image);
    let repository = format!("{PUBLIC}/team/app");
    let source = fixture.bare(&json!({ "repository": repository, "tag": "1.0" }));
    assert_eq!(fixture.check(&source).answer(), versions(&image));
    assert!(fixture.aws.calls().is_empty());

    let directory = archive(&image);
    let request = |source: &Value| json!({ "source": source, "params": { "image": "image.tar", "version": "2.0.0" } });
    let put = |source: &Value| fixture.call(Command::Put, &request(source), Some(directory.path()));
    let refused = put(&source).failure();
    assert!(
        refused.contains("401") || refused.contains("403"),
        "{refused}"
    );
    let source = fixture.source(&json!({ "repository": repository }));
    let answer = put(&source).answer();
    assert_eq!(answer["metadata"][0]["value"], repository);
    let calls = fixture.aws.calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert_eq!(calls[0].operation, Some(Operation::PublicToken));
}

#[test]
fn a_mirror_of_docker_hub_sees_nothing_of_it() {
    let fixture = Fixture::for_tokens_of(ID, "eu-west-1");
    let image = Image::with_text("one");
    fixture.registry.publish("app", "1.0", &image);
    let mirror = Registry::start();
    let source = fixture.source(&json!({
        "repository": "app",
        "aws_region": "eu-west-1",
        "registry_mirror": { "host": mirror.host() },
    }));
    assert_eq!(fixture.check(&source).answer(), versions(&image));
    assert!(mirror.requests().is_empty());
}

#[test]
fn a_refusal_of_aws_is_told_with_its_id_and_advice() {
    let role = format!("arn:aws:iam::{ACCOUNT}:role/first");
    let named = json!({ "repository": format!("{HOST}/app"), "aws_role_arn": role });
    let unnamed = json!({ "repository": "app", "aws_region": "eu-west-1", "aws_role_arn": role });
    for (fields, prefix) in [
        (named, format!("checking origin {HOST}/app failed: ")),
        (unnamed, String::new()),
    ] {
        let fixture = Fixture::for_tokens_of(ID, "eu-west-1");
        let message = format!("User is not authorized; x-amz-security-token:{SESSION}");
        fixture.aws.answer(
            Operation::AssumeRole,
            Answer::refusal(403, "AccessDenied", &message),
        );
        let outcome = fixture.check(&fixture.source(&fields));
        let message = outcome.failure();
        assert!(message.starts_with(&prefix), "{message}");
        let detail = format!(
            "cannot authenticate with ECR: error assuming role '{role}': AssumeRole in eu-west-1: \
             AccessDenied: User is not authorized; x-amz-security-token:**** (request id {REQUEST_ID})"
        );
        assert!(message.contains(&detail), "{message}");
        assert!(
            outcome.stderr.contains("trust policy"),
            "{}",
            outcome.stderr
        );
        assert!(fixture.registry.count("GET", "/v2/app") == 0);
    }
}

#[test]
fn fields_that_cannot_be_meant_are_refused_by_name() {
    let region = json!({ "repository": "app", "aws_region": "eu-west-1" });
    let with = |name: &str, value: Value| {
        let mut fields = region.clone();
        fields[name] = value;
        fields
    };
    let cases = [
        (
            json!({"repository": "app", "aws_role_arn": "arn:aws:iam::1:role/r"}),
            "is given without source.aws_region",
        ),
        (
            json!({"repository": "ghcr.io/a/app", "aws_account_id": ACCOUNT}),
            "is given without source.aws_region",
        ),
        (
            with("aws_access_key_id", json!(ID)),
            "source.aws_access_key_id: is given without source.aws_secret_access_key",
        ),
        (
            with("aws_secret_access_key", json!(SECRET)),
            "source.aws_secret_access_key: is given without source.aws_access_key_id",
        ),
        (
            with("aws_session_token", json!(SESSION)),
            "source.aws_session_token: is given without source.aws_access_key_id",
        ),
        (
            with("aws_access_key_id", json!(format!("{ID}\n"))),
            "source.aws_access_key_id: has white space in it",
        ),
        (
            with("aws_secret_access_key", json!(format!("{SECRET} "))),
            "source.aws_secret_access_key: has white space in it",
        ),
        (
            with("aws_session_token", json!(format!("{SESSION}\r\n"))),
            "source.aws_session_token: has white space in it",
        ),
        (
            with("aws_role_arns", json!(["a", " b"])),
            "source.aws_role_arns: has white space in it",
        ),
        (
            with("aws_role_arns", json!(["a", ""])),
            "source.aws_role_arns: has nothing at position 2",
        ),
        (
            with("aws_external_id", json!("x")),
            "source.aws_external_id: is given without a role to assume",
        ),
        (
            with("aws_role_session_name", json!("x")),
            "source.aws_role_session_name: is given without a role to assume",
        ),
        (
            with("aws_account_id", json!("1234")),
            "cannot authenticate with ECR: the account id \"1234\" is not twelve digits",
        ),
        (
            with("aws_region", json!("eu")),
            "cannot authenticate with ECR: there can be no AWS region \"eu\"",
        ),
        (
            with("aws_region", json!("eu-west-1\n")),
            "source.aws_region: has white space in it",
        ),
        (
            json!({"repository": "app", "aws_region": "eu-west-1", "aws_role_arn": "a", "aws_role_arns": ["b"]}),
            "cannot authenticate with ECR: `aws_role_arn` cannot be set at the same time as `aws_role_arns`",
        ),
        (
            json!({"repository": format!("{HOST}/app"), "aws_account_id": "210987654321"}),
            "source.aws_account_id: is another account than the 123456789012 of source.repository",
        ),
        (
            with("azure_acr", json!(true)),
            "source.azure_acr: is given together with source.aws_region",
        ),
        (
            json!({"repository": "", "aws_region": "eu-west-1"}),
            "source.repository: is missing",
        ),
    ];
    let fixture = Fixture::new(Auth::none());
    for (fields, expected) in cases {
        let directory = TempDir::new().unwrap();
        let request = json!({ "source": fixture.bare(&fields) });
        for command in [Command::Check, Command::Get, Command::Put] {
            let message = fixture
                .call(command, &request, Some(directory.path()))
                .failure();
            assert!(message.contains(expected), "{fields}: {message}");
        }
    }
    assert!(fixture.aws.calls().is_empty());
    assert!(fixture.proxy.requests().is_empty());
}

#[test]
fn what_is_deprecated_or_not_used_is_warned_of_once() {
    let fixture = Fixture::for_tokens_of(ID, "eu-west-1");
    let image = Image::with_text("one");
    fixture.registry.publish("app", "1.0", &image);
    let source = fixture.source(&json!({
        "repository": "app",
        "aws_region": "eu-west-1",
        "aws_ecr_registry_id": ACCOUNT,
        "username": "AWS",
        "password": "of yesterday",
    }));
    let outcome = fixture.check(&source);
    assert_eq!(outcome.answer(), versions(&image));
    for warning in [
        "source.aws_ecr_registry_id is deprecated",
        "source.username and source.password are not used",
    ] {
        assert_eq!(
            outcome.stderr.matches(warning).count(),
            1,
            "{}",
            outcome.stderr
        );
    }
    assert!(fixture.aws.calls()[0].body.contains(ACCOUNT));
}
