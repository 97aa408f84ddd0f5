//! Tokens of ECR, from a stand-in for AWS and from moto.

mod moto;

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use regimg_core::{Registry as Name, Secret};
use regimg_registry::{
    AwsKeys, Client, Config, Credential, CredentialSource as _, Ecr, EcrConfig, Error, ErrorKind,
    Proxy,
};
use regimg_tests::aws::{ACCOUNT, Answer, Aws, Operation, REQUEST_ID};

use crate::log::{Log, holds_no_secret};
use crate::support::{TestClock, basic};

const ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG";
const SESSION: &str = "FwoGZXIvYXdzE";

const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// Everything that nobody may read of whatever these tests do.
fn secrets() -> Vec<String> {
    let roles =
        ["first", "second", "web", "profile", "container", "machine"].map(Aws::keys_of_role);
    let of_roles = roles
        .iter()
        .flat_map(|[_, secret, session]| [secret, session]);
    let mut secrets: Vec<String> = of_roles.cloned().collect();
    secrets.extend([SECRET, SESSION, "-password-of-", "eyJ3ZWIi", "c0nta1ner"].map(str::to_owned));
    secrets
}

/// A configuration that reaches the stand-in and no machine's own identity.
fn config(aws: &Aws) -> EcrConfig {
    let mut config = EcrConfig::default();
    config.region = Some("eu-west-1".to_owned());
    config.variables = Some(aws.variables().into_iter().collect());
    config.initial_interval = Duration::from_millis(1);
    config.attempt_timeout = Duration::from_secs(20);
    config
}

fn with_keys(aws: &Aws) -> EcrConfig {
    let mut config = config(aws);
    let mut keys = AwsKeys::new(ID, Secret::new(SECRET));
    keys.session_token = Some(Secret::new(SESSION));
    config.keys = Some(keys);
    config
}

/// Environment variables.
type Variables<'a> = &'a [(&'a str, &'a str)];

fn with_variables(mut config: EcrConfig, more: Variables<'_>) -> EcrConfig {
    let variables = config.variables.get_or_insert_with(HashMap::new);
    let owned = more
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    variables.extend(owned);
    config
}

async fn ask(ecr: &Ecr, host: &str) -> Result<Credential, Error> {
    let made = ecr.credential(&Name::parse(host).unwrap()).await;
    made.map_err(|error| *error.downcast::<Error>().unwrap())
}

/// What the owner of an access key logs in with.
fn password_of(access_key: &str, region: &str) -> Credential {
    basic("AWS", &Aws::password(access_key, region, false))
}

/// Joins an error and its causes.
fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn tokens_are_of_the_region_of_the_registry_and_for_registries_of_ecr_alone() {
    let (aws, log) = (Aws::start(), Log::default());
    let _listening = log.listen();
    let ecr = Ecr::new(with_keys(&aws)).unwrap();
    let other = "210987654321.dkr.ecr.us-east-2.amazonaws.com";
    let china = "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn";
    for (host, region) in [
        (HOST, "eu-west-1"),
        (other, "us-east-2"),
        (china, "cn-north-1"),
    ] {
        assert_eq!(
            ask(&ecr, host).await.unwrap(),
            password_of(ID, region),
            "{host}"
        );
    }
    let public = basic("AWS", &Aws::password(ID, "us-east-1", true));
    assert_eq!(ask(&ecr, "public.ecr.aws").await.unwrap(), public);
    for host in [
        "ghcr.io",
        "index.docker.io",
        "127.0.0.1:5000",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example",
    ] {
        assert_eq!(
            ask(&ecr, host).await.unwrap(),
            Credential::Anonymous,
            "{host}"
        );
    }
    // What was bought is kept, also for another account's registry in the same region.
    let neighbour = "210987654321.dkr.ecr.eu-west-1.amazonaws.com";
    assert_eq!(
        ask(&ecr.clone(), neighbour).await.unwrap(),
        password_of(ID, "eu-west-1")
    );
    let calls = aws.calls();
    assert_eq!(calls.len(), 4, "{calls:?}");
    assert!(
        calls
            .iter()
            .all(|call| call.session_token.as_deref() == Some(SESSION))
    );
    assert!(log.text().contains("request to AWS"), "{}", log.text());
    holds_no_secret(&log.text(), &secrets());
    holds_no_secret(&format!("{ecr:?}"), &secrets());
}

#[tokio::test]
async fn the_home_registry_is_asked_for_once_together_with_its_token() {
    let aws = Aws::start();
    let mut config = with_keys(&aws);
    config.registry_id = Some("210987654321".to_owned());
    let ecr = Ecr::new(config).unwrap();
    let home = ecr.home().await.unwrap();
    assert_eq!(home.to_string(), HOST);
    assert_eq!(ask(&ecr, HOST).await.unwrap(), password_of(ID, "eu-west-1"));
    let calls = aws.calls();
    assert_eq!(calls.len(), 1);
    assert!(calls[0].body.contains("210987654321"), "{calls:?}");

    let nowhere = r#"{"authorizationData":[{"authorizationToken":"QVdTOnNlY3JldA==","proxyEndpoint":"https://evil.example"}]}"#;
    aws.answer(Operation::Token, Answer::Raw(200, nowhere.to_owned()));
    let error = Ecr::new(with_keys(&aws)).unwrap().home().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(told(&error).contains("evil.example"), "{error}");

    let mut config = with_keys(&aws);
    config.region = None;
    let error = Ecr::new(config).unwrap().home().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
}

#[tokio::test]
async fn roles_are_assumed_in_order_each_as_the_one_before() {
    let (aws, log) = (Aws::start(), Log::default());
    let _listening = log.listen();
    let mut config = with_keys(&aws);
    let role = |name: &str| format!("arn:aws:iam::{ACCOUNT}:role/{name}");
    config.roles = vec![role("first"), role("second")];
    config.external_id = Some("our-customer".to_owned());
    let ecr = Ecr::new(config.clone()).unwrap();
    let [first, ..] = Aws::keys_of_role("first");
    let [second, _, session] = Aws::keys_of_role("second");
    assert_eq!(
        ask(&ecr, HOST).await.unwrap(),
        password_of(&second, "eu-west-1")
    );
    let calls = aws.calls();
    let signers: Vec<_> = calls.iter().map(|call| call.access_key.as_str()).collect();
    assert_eq!(signers, [ID, &first, &second]);
    assert_eq!(calls[2].session_token.as_ref(), Some(&session));
    for (call, name) in calls.iter().zip(["first", "second"]) {
        for part in [
            format!("role%2F{name}"),
            "RoleSessionName=regimg".to_owned(),
            "ExternalId=our-customer".to_owned(),
        ] {
            assert!(call.body.contains(&part), "{call:?}");
        }
    }
    config.role_session_name = Some("concourse".to_owned());
    ask(&Ecr::new(config).unwrap(), HOST).await.unwrap();
    assert!(aws.calls()[3].body.contains("RoleSessionName=concourse"));
    holds_no_secret(&log.text(), &secrets());
}

#[tokio::test]
async fn the_default_chain_finds_whatever_identity_there_is() {
    let (aws, log) = (Aws::start(), Log::default());
    let _listening = log.listen();
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let token = file("token", "eyJ3ZWIi.web.identity");
    let credentials = file(
        "credentials",
        &format!("[ci]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = {SECRET}\n"),
    );
    let profile = file(
        "config",
        &format!(
            "[profile by-role]\nrole_arn = arn:aws:iam::{ACCOUNT}:role/profile\nsource_profile = ci\nregion = eu-west-1\n"
        ),
    );
    let container = format!("{}/container", aws.url());
    let web_role = format!("arn:aws:iam::{ACCOUNT}:role/web");
    let cases: [(&str, Variables<'_>, String); 6] = [
        (
            "environment",
            &[
                ("AWS_ACCESS_KEY_ID", "AKIDENV"),
                ("AWS_SECRET_ACCESS_KEY", SECRET),
            ],
            "AKIDENV".to_owned(),
        ),
        (
            "profile",
            &[
                ("AWS_SHARED_CREDENTIALS_FILE", &credentials),
                ("AWS_PROFILE", "ci"),
            ],
            "AKIDPROFILE".to_owned(),
        ),
        (
            "role of a profile",
            &[
                ("AWS_SHARED_CREDENTIALS_FILE", &credentials),
                ("AWS_CONFIG_FILE", &profile),
                ("AWS_PROFILE", "by-role"),
            ],
            Aws::keys_of_role("profile")[0].clone(),
        ),
        (
            "web identity",
            &[
                ("AWS_WEB_IDENTITY_TOKEN_FILE", &token),
                ("AWS_ROLE_ARN", &web_role),
            ],
            Aws::keys_of_role("web")[0].clone(),
        ),
        (
            "container",
            &[
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &container),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "c0nta1ner"),
            ],
            Aws::keys_of_role("container")[0].clone(),
        ),
        ("machine", &[], Aws::keys_of_role("machine")[0].clone()),
    ];
    for (name, variables, access_key) in cases {
        let ecr = Ecr::new(with_variables(config(&aws), variables)).unwrap();
        let credential = ask(&ecr, HOST)
            .await
            .unwrap_or_else(|error| panic!("{name}: {}", told(&error)));
        assert_eq!(credential, password_of(&access_key, "eu-west-1"), "{name}");
    }
    assert!(
        aws.calls_of(Operation::AssumeRoleWithWebIdentity)[0]
            .body
            .contains("eyJ3ZWIi.web.identity")
    );
    assert_eq!(
        aws.count(Operation::MetadataToken),
        1,
        "version 2 of the service"
    );
    holds_no_secret(&log.text(), &secrets());
}

#[tokio::test]
async fn refusals_say_what_aws_said_and_what_to_do() {
    let cases = [
        (
            Operation::Token,
            400,
            "UnrecognizedClientException",
            "does not know the access key id",
        ),
        (
            Operation::Token,
            400,
            "InvalidSignatureException",
            "does not belong",
        ),
        (
            Operation::Token,
            400,
            "ExpiredTokenException",
            "have expired",
        ),
        (
            Operation::Token,
            400,
            "AccessDeniedException",
            "ecr:GetAuthorizationToken",
        ),
        (
            Operation::PublicToken,
            400,
            "AccessDeniedException",
            "sts:GetServiceBearerToken",
        ),
        (Operation::AssumeRole, 403, "AccessDenied", "trust policy"),
        (
            Operation::AssumeRole,
            403,
            "InvalidClientTokenId",
            "does not know the access key id",
        ),
        (
            Operation::AssumeRole,
            403,
            "SignatureDoesNotMatch",
            "does not belong",
        ),
        (Operation::AssumeRole, 400, "ExpiredToken", "have expired"),
        (
            Operation::AssumeRole,
            403,
            "RegionDisabledException",
            "enabled",
        ),
    ];
    for (operation, status, code, advice) in cases {
        let (aws, log) = (Aws::start(), Log::default());
        let _listening = log.listen();
        let mut config = with_keys(&aws);
        let mut host = HOST;
        let (phase, call) = match operation {
            Operation::AssumeRole => {
                config.roles = vec![format!("arn:aws:iam::{ACCOUNT}:role/first")];
                let phase = format!("error assuming role 'arn:aws:iam::{ACCOUNT}:role/first'");
                (phase, "AssumeRole in eu-west-1")
            }
            Operation::PublicToken => {
                host = "public.ecr.aws";
                (
                    "failed to authenticate to ECR".to_owned(),
                    "GetAuthorizationToken of ECR Public in us-east-1",
                )
            }
            _ => (
                "failed to authenticate to ECR".to_owned(),
                "GetAuthorizationToken in eu-west-1",
            ),
        };
        let message = format!("no, not with x-amz-security-token:{SESSION}");
        aws.answer(operation, Answer::refusal(status, code, &message));
        let error = ask(&Ecr::new(config).unwrap(), host).await.unwrap_err();
        let expected = format!(
            "cannot authenticate with ECR: {phase}: {call}: {code}: \
             no, not with x-amz-security-token:**** (request id {REQUEST_ID})"
        );
        assert_eq!(told(&error), expected);
        assert_eq!(error.kind(), ErrorKind::Credential);
        let hint = error.hint().unwrap_or_default();
        assert!(hint.contains(advice), "{code}: {hint}");
        assert_eq!(aws.count(operation), 1, "{code} is final");
        holds_no_secret(&format!("{error:?}"), &secrets());
        holds_no_secret(&log.text(), &secrets());
    }
}

#[tokio::test]
async fn a_refusal_is_blackened_before_it_is_cut() {
    // A message is cut after 400 characters: before, within and behind the secret.
    for before in (370..=405).step_by(5) {
        let aws = Aws::start();
        let config = with_keys(&aws);
        let message = format!("{} {SESSION} of {SESSION}", "x".repeat(before));
        let refusal = Answer::refusal(403, "InvalidSignatureException", &message);
        aws.answer(Operation::Token, refusal);
        let error = ask(&Ecr::new(config).unwrap(), HOST).await.unwrap_err();
        let told = format!("{} {error:?}", told(&error));
        assert!(!told.contains(&SESSION[..4]), "{before}: {told}");
    }
}

#[tokio::test]
async fn a_busy_or_broken_aws_is_asked_three_times() {
    let busy = || Answer::refusal(400, "ThrottlingException", "Rate exceeded");
    let cases = [
        ("busy", busy(), "ThrottlingException: Rate exceeded"),
        ("broken", Answer::Raw(500, String::new()), "status 500"),
        (
            "proxy",
            Answer::Raw(502, "<html>Bad Gateway</html>".to_owned()),
            "status 502",
        ),
        ("silent", Answer::Silence, "silent"),
    ];
    for (name, answer, expected) in cases {
        let aws = Aws::start();
        let mut config = with_keys(&aws);
        if name == "silent" {
            config.attempt_timeout = Duration::from_millis(50);
        }
        let ecr = Ecr::new(config).unwrap();
        for _ in 0..3 {
            aws.answer(Operation::Token, answer.clone());
        }
        let error = ask(&ecr, HOST).await.unwrap_err();
        let error = told(&error);
        assert!(
            error.contains("GetAuthorizationToken in eu-west-1: "),
            "{name}: {error}"
        );
        assert!(
            error.contains(expected) || error.contains("in time"),
            "{name}: {error}"
        );
        assert_eq!(aws.count(Operation::Token), 3, "{name}");
        if name != "silent" {
            // A failure is not kept, and two in a row do no harm.
            aws.answer(Operation::Token, answer.clone());
            aws.answer(Operation::Token, answer);
            assert_eq!(
                ask(&ecr, HOST).await.unwrap(),
                password_of(ID, "eu-west-1"),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn answers_that_are_none_are_errors() {
    let cases = [
        ("", "the answer has no token"),
        ("<html>Log in to the network</html>", "of status 200"),
        (r#"{"authorizationData": 5}"#, "of status 200"),
        ("{}", "the answer has no token"),
        (r#"{"authorizationData":[]}"#, "the answer has no token"),
        (
            r#"{"authorizationData":[{"authorizationToken":"!"}]}"#,
            "not base64",
        ),
        (
            r#"{"authorizationData":[{"authorizationToken":"QVdT"}]}"#,
            "without a user name or a password",
        ),
    ];
    for (body, expected) in cases {
        let aws = Aws::start();
        aws.answer(Operation::Token, Answer::Raw(200, body.to_owned()));
        let error = ask(&Ecr::new(with_keys(&aws)).unwrap(), HOST)
            .await
            .unwrap_err();
        assert!(told(&error).contains(expected), "{body}: {}", told(&error));
    }
    let aws = Aws::start();
    let endless = format!("{{\"authorizationData\":\"{}\"}}", "x".repeat(2 << 20));
    aws.answer(Operation::Token, Answer::Raw(200, endless));
    let error = ask(&Ecr::new(with_keys(&aws)).unwrap(), HOST)
        .await
        .unwrap_err();
    assert!(told(&error).contains("too large"), "{}", told(&error));
}

#[tokio::test]
async fn identities_that_cannot_be_had_are_explained() {
    let aws = Aws::start();
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    fs::write(&token, "eyJ3ZWIi.web.identity").unwrap();
    let web = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web"),
    ];

    let nobody = with_variables(config(&aws), &[("AWS_EC2_METADATA_DISABLED", "true")]);
    let error = ask(&Ecr::new(nobody).unwrap(), HOST).await.unwrap_err();
    assert!(
        told(&error).contains("failed to authenticate to ECR: no AWS identity: "),
        "{}",
        told(&error)
    );
    assert!(error.hint().unwrap().contains("hop limit"), "{error:?}");

    let refusal = Answer::refusal(
        400,
        "InvalidIdentityToken",
        "No OpenIDConnect provider found",
    );
    aws.answer(Operation::AssumeRoleWithWebIdentity, refusal);
    let error = ask(&Ecr::new(with_variables(config(&aws), &web)).unwrap(), HOST)
        .await
        .unwrap_err();
    let expected = format!(
        "AssumeRoleWithWebIdentity: InvalidIdentityToken: No OpenIDConnect provider found (request id {REQUEST_ID})"
    );
    assert!(told(&error).contains(&expected), "{}", told(&error));
    assert!(error.hint().unwrap().contains("trust policy"), "{error:?}");

    let sso = directory.path().join("config");
    fs::write(&sso, "[default]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://x\n").unwrap();
    let sso = with_variables(config(&aws), &[("AWS_CONFIG_FILE", sso.to_str().unwrap())]);
    let error = ask(&Ecr::new(sso).unwrap(), HOST).await.unwrap_err();
    assert!(told(&error).contains("sso"), "{}", told(&error));
    assert_eq!(aws.count(Operation::Token), 0);
}

#[tokio::test]
async fn tokens_are_renewed_before_their_end() {
    let aws = Aws::start();
    let clock = TestClock::new();
    let mut config = with_keys(&aws);
    config.clock = clock.clone();
    let ecr = Ecr::new(config).unwrap();
    // The clock of the tests stands in 1994, so that the end that AWS names never comes.
    let token = r#"{"authorizationData":[{"authorizationToken":"QVdTOnNlY3JldA==","expiresAt":784890751}]}"#;
    aws.answer(Operation::Token, Answer::Raw(200, token.to_owned()));
    for (minutes, count) in [(0, 1), (44, 1), (1, 2), (0, 2)] {
        clock.advance(Duration::from_mins(minutes));
        ask(&ecr, HOST).await.unwrap();
        assert_eq!(
            aws.count(Operation::Token),
            count,
            "{minutes} minutes later"
        );
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let aws = Aws::start();
    let clock = TestClock::new();
    let mut config = with_keys(&aws);
    config.clock = clock.clone();
    let ecr = Ecr::new(config).unwrap();
    let registry = Name::parse(HOST).unwrap();
    let answer = |token: &str| {
        Answer::Raw(
            200,
            format!(r#"{{"authorizationData":[{{"authorizationToken":"{token}"}}]}}"#),
        )
    };
    for token in ["QVdTOmZpcnN0", "QVdTOnNlY29uZA==", "QVdTOnRoaXJk"] {
        aws.answer(Operation::Token, answer(token));
    }
    let first = ecr.credential(&registry).await.unwrap();
    let second = ecr.replacement(&registry, &first).await.unwrap();
    assert_eq!(
        (first.clone(), second.clone()),
        (basic("AWS", "first"), basic("AWS", "second"))
    );
    // Somebody else was refused with the first one, too.
    assert_eq!(ecr.replacement(&registry, &first).await.unwrap(), second);
    // The second one is refused as well: it is not the token.
    assert_eq!(ecr.replacement(&registry, &second).await.unwrap(), second);
    assert_eq!(aws.count(Operation::Token), 2);
    clock.advance(Duration::from_mins(6));
    assert_eq!(
        ecr.replacement(&registry, &second).await.unwrap(),
        basic("AWS", "third")
    );
    let elsewhere = Name::parse("ghcr.io").unwrap();
    assert_eq!(
        ecr.replacement(&elsewhere, &first).await.unwrap(),
        Credential::Anonymous
    );
}

#[tokio::test]
async fn one_token_is_bought_for_many_who_ask_together() {
    let aws = Aws::start();
    let ecr = Ecr::new(with_keys(&aws)).unwrap();
    let all = futures_util::future::join_all((0..16).map(|_| ask(&ecr, HOST))).await;
    assert!(all.into_iter().all(|one| one.is_ok()));
    assert_eq!(aws.count(Operation::Token), 1);
}

/// Breaks a configuration.
type Spoil = fn(&mut EcrConfig);

#[test]
fn stray_white_space_is_named_and_never_sent() {
    let aws = Aws::start();
    let cases: [(&str, Spoil); 9] = [
        ("access key id", |config| {
            config.keys.as_mut().unwrap().access_key_id.push('\n');
        }),
        ("secret access key", |config| {
            config.keys.as_mut().unwrap().secret_access_key = Secret::new(format!("{SECRET}\n"));
        }),
        ("session token", |config| {
            config.keys.as_mut().unwrap().session_token = Some(Secret::new(format!(" {SESSION}")));
        }),
        ("access key id", |config| {
            config.keys.as_mut().unwrap().access_key_id.clear();
        }),
        ("role", |config| {
            config.roles = vec!["arn:aws:iam::1:role/a\t".to_owned()];
        }),
        ("external id", |config| {
            config.external_id = Some("a b".to_owned());
        }),
        ("role session name", |config| {
            config.role_session_name = Some("a b".to_owned());
        }),
        ("registry id", |config| {
            config.registry_id = Some("1\r".to_owned());
        }),
        ("region", |config| {
            config.region = Some("eu-west-1 ".to_owned());
        }),
    ];
    for (name, spoil) in cases {
        let mut config = with_keys(&aws);
        spoil(&mut config);
        let error = Ecr::new(config).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{name}");
        assert!(error.to_string().contains(name), "{name}: {error}");
        holds_no_secret(&error.to_string(), &secrets());
    }
    assert!(aws.calls().is_empty());
}

/// Where AWS's own endpoints are asked, as a proxy sees it.
#[tokio::test]
async fn endpoints_follow_the_host_and_leave_through_the_proxy() {
    let dead = regimg_tests::registry::Registry::start();
    let cases = [
        (HOST, "api.ecr.eu-west-1.amazonaws.com:443"),
        (
            "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com",
            "api.ecr-fips.us-east-1.amazonaws.com:443",
        ),
        (
            "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
            "api.ecr-fips.us-gov-west-1.amazonaws.com:443",
        ),
        (
            "123456789012.dkr-ecr.eu-west-1.on.aws",
            "ecr.eu-west-1.api.aws:443",
        ),
        (
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
            "api.ecr.cn-north-1.amazonaws.com.cn:443",
        ),
        (
            "123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov",
            "api.ecr.us-iso-east-1.c2s.ic.gov:443",
        ),
        (
            "public.ecr.aws",
            "api.ecr-public.us-east-1.amazonaws.com:443",
        ),
    ];
    for (host, endpoint) in cases {
        // It speaks no TLS, so that nothing is ever answered.
        let proxy = regimg_tests::Proxy::to(dead.addr());
        let mut config = EcrConfig::default();
        config.variables = Some(HashMap::new());
        config.keys = Some(AwsKeys::new(ID, Secret::new(SECRET)));
        config.initial_interval = Duration::from_millis(1);
        let url = proxy.url();
        let lookup = |name: &str| (name == "HTTPS_PROXY").then(|| url.clone());
        config.proxy = Proxy::from_variables(lookup).unwrap();
        let error = ask(&Ecr::new(config).unwrap(), host).await.unwrap_err();
        assert!(
            told(&error).contains("GetAuthorizationToken"),
            "{}",
            told(&error)
        );
        let targets: Vec<_> = proxy
            .requests()
            .into_iter()
            .map(|request| request.target)
            .collect();
        assert!(
            !targets.is_empty() && targets.iter().all(|target| target == endpoint),
            "{host}: {targets:?}"
        );
    }
}

/// A client asks for a token when it greets the registry, and again when it is refused.
#[tokio::test]
async fn an_error_of_aws_is_that_of_the_request() {
    let aws = Aws::start();
    let refusal = Answer::refusal(400, "AccessDeniedException", "User is not authorized");
    aws.answer(Operation::Token, refusal);
    let server = regimg_tests::registry::Registry::start();
    let proxy = regimg_tests::Proxy::to(server.addr());
    let mut config = Config::default();
    let url = proxy.url();
    config.plain_http = regimg_registry::PlainHttp::Allowed;
    let lookup = |name: &str| {
        name.ends_with("_PROXY")
            .then(|| url.clone())
            .filter(|_| name != "NO_PROXY")
    };
    config.proxy = Proxy::from_variables(lookup).unwrap();
    let client = Client::new(config, Ecr::new(with_keys(&aws)).unwrap()).unwrap();
    let repository = regimg_core::Repository::parse(&format!("{HOST}/app")).unwrap();
    let error = client.repository(&repository).tags().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credential);
    let expected = format!(
        "no credential for {HOST}: cannot authenticate with ECR: failed to authenticate to ECR: "
    );
    assert!(told(&error).starts_with(&expected), "{}", told(&error));
    assert!(
        error.hint().unwrap().contains("ecr:GetAuthorizationToken"),
        "{error:?}"
    );
}
