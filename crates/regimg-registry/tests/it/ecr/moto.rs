//! What moto accepts and refuses: real signatures, and who may do what.

use std::time::Duration;

use regimg_core::Secret;
use regimg_registry::{AwsKeys, Ecr, EcrConfig};
use regimg_tests::Moto;

use super::{HOST, ask, told};
use crate::log::{Log, holds_no_secret};
use crate::support::basic;

const TOKEN: &str = "ecr:GetAuthorizationToken";

fn config(moto: &Moto, (id, secret): &(String, String)) -> EcrConfig {
    let mut config = EcrConfig::default();
    let variable = |name: &str| (name.to_owned(), moto.url());
    let names = ["AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL_STS"];
    config.variables = Some(names.map(variable).into_iter().collect());
    config.keys = Some(AwsKeys::new(id, Secret::new(secret.clone())));
    config.initial_interval = Duration::from_millis(1);
    config
}

#[tokio::test]
async fn signatures_and_chains_of_roles_are_real() {
    let Some(moto) = Moto::start() else { return };
    let log = Log::default();
    let _listening = log.listen();
    let puller = moto.user("puller", &[TOKEN]);
    let caller = moto.user("caller", &["sts:AssumeRole"]);
    let stranger = moto.user("stranger", &["ecr:ListImages"]);
    let first = moto.role("first", &["sts:AssumeRole"]);
    let second = moto.role("second", &[TOKEN]);
    moto.enforce();
    // What moto calls a password.
    let password = basic("AWS", "123456789012-auth-token");

    let ecr = Ecr::new(config(&moto, &puller)).unwrap();
    assert_eq!(ask(&ecr, HOST).await.unwrap(), password);
    let mut home = config(&moto, &puller);
    home.region = Some("eu-central-1".to_owned());
    let home = Ecr::new(home).unwrap().home().await.unwrap();
    assert_eq!(
        home.to_string(),
        "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
    );

    let mut chain = config(&moto, &caller);
    chain.roles = vec![first.clone(), second.clone()];
    assert_eq!(
        ask(&Ecr::new(chain.clone()).unwrap(), HOST).await.unwrap(),
        password
    );

    // The first role may not ask for tokens, the second not assume anything.
    chain.roles = vec![first.clone()];
    let error = ask(&Ecr::new(chain.clone()).unwrap(), HOST)
        .await
        .unwrap_err();
    assert!(
        told(&error)
            .contains("failed to authenticate to ECR: GetAuthorizationToken in eu-west-1: "),
        "{}",
        told(&error)
    );
    chain.roles = vec![first, second.clone(), second];
    let error = told(&ask(&Ecr::new(chain).unwrap(), HOST).await.unwrap_err());
    let phase = "error assuming role 'arn:aws:iam::123456789012:role/second': AssumeRole in eu-west-1: AccessDenied: ";
    assert!(error.contains(phase), "{error}");

    let mistaken = (puller.0.clone(), "mistaken".to_owned());
    let unknown = ("AKIAUNKNOWN".to_owned(), "x1234".to_owned());
    for (keys, code) in [
        (&stranger, "AccessDenied"),
        (&mistaken, "SignatureDoesNotMatch"),
        (&unknown, "InvalidClientTokenId"),
    ] {
        let error = ask(&Ecr::new(config(&moto, keys)).unwrap(), HOST)
            .await
            .unwrap_err();
        let text = told(&error);
        assert!(text.contains(code), "{text}");
        assert!(error.hint().is_some(), "{text}");
    }
    let mut chain = config(&moto, &mistaken);
    chain.roles = vec!["arn:aws:iam::123456789012:role/first".to_owned()];
    let error = told(&ask(&Ecr::new(chain).unwrap(), HOST).await.unwrap_err());
    assert!(error.contains("SignatureDoesNotMatch: "), "{error}");

    let secrets = [
        puller.1,
        caller.1,
        stranger.1,
        "123456789012-auth-token".to_owned(),
    ];
    holds_no_secret(&log.text(), &secrets);
}
