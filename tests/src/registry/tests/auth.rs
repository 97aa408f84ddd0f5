//! Authentication, seen from outside.

use serde_json::Value;

use super::client::{Answer, send, send_to};
use crate::registry::{Auth, Origin, Realm, Registry, TokenField};
use crate::{Digest, Image};

/// `user:secret`.
const BASIC: &str = "Authorization: Basic dXNlcjpzZWNyZXQ=";
const MANIFEST: &str = "/v2/a/manifests/1";
const PULL: &str = "/token?service=regimg-tests&scope=repository%3Aa%3Apull";

fn registry(auth: Auth) -> Registry {
    let registry = Registry::builder().auth(auth).start();
    registry.publish("a", "1", &Image::with_text("a"));
    registry
}

fn get(registry: &Registry, target: &str, headers: &[&str]) -> Answer {
    send(registry, "GET", target, headers, b"")
}

fn json(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

fn bearer(reply: &Value) -> String {
    format!("Authorization: Bearer {}", reply["token"].as_str().unwrap())
}

#[test]
fn basic() {
    let registry = registry(
        Auth::basic()
            .account("user", "secret")
            .read_only_account("reader", "x"),
    );
    let refused = get(&registry, MANIFEST, &[]);
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.header("www-authenticate"),
        Some("Basic realm=\"regimg-tests\"")
    );
    assert!(refused.text().contains("UNAUTHORIZED"));
    assert_eq!(get(&registry, "/v2/", &[]).status, 401);
    assert_eq!(get(&registry, MANIFEST, &[BASIC]).status, 200);
    assert_eq!(
        get(&registry, MANIFEST, &["Authorization: Basic dXNlcjp4"]).status,
        401
    );
    let reader = "Authorization: Basic cmVhZGVyOng=";
    assert_eq!(get(&registry, MANIFEST, &[reader]).status, 200);
    assert_eq!(
        send(&registry, "POST", "/v2/a/blobs/uploads/", &[reader], b"").status,
        403
    );
}

#[test]
fn bearer_tokens_are_good_for_their_scope() {
    let registry = registry(Auth::bearer().account("user", "secret"));
    let refused = get(&registry, MANIFEST, &[]);
    assert_eq!(refused.status, 401);
    let realm = format!("{}/token", registry.url(Origin::Registry));
    let challenge =
        format!("Bearer realm=\"{realm}\",service=\"regimg-tests\",scope=\"repository:a:pull\"");
    assert_eq!(refused.header("www-authenticate"), Some(challenge.as_str()));

    assert_eq!(
        get(&registry, PULL, &[]).status,
        401,
        "nobody is anonymous here"
    );
    assert_eq!(
        get(&registry, PULL, &["Authorization: Basic dXNlcjp4"]).status,
        401
    );
    let reply = json(&get(&registry, PULL, &[BASIC]));
    assert_eq!(reply["expires_in"], 300);
    let token = bearer(&reply);
    assert_eq!(get(&registry, MANIFEST, &[&token]).status, 200);
    assert_eq!(get(&registry, "/v2/", &[&token]).status, 200);

    let push = send(&registry, "POST", "/v2/a/blobs/uploads/", &[&token], b"");
    assert_eq!(push.status, 401);
    let challenge = push.header("www-authenticate").unwrap();
    assert!(challenge.ends_with("scope=\"repository:a:pull,push\",error=\"insufficient_scope\""));
    registry.revoke_tokens();
    let revoked = get(&registry, MANIFEST, &[&token]);
    assert!(
        revoked
            .header("www-authenticate")
            .unwrap()
            .ends_with("error=\"invalid_token\"")
    );
}

#[test]
fn anonymous_tokens_only_pull() {
    let registry = registry(Auth::bearer().anonymous_pull());
    let both = "/token?scope=repository:a:pull,push";
    let token = bearer(&json(&get(&registry, both, &[])));
    assert_eq!(get(&registry, MANIFEST, &[&token]).status, 200);
    assert_eq!(
        send(&registry, "POST", "/v2/a/blobs/uploads/", &[&token], b"").status,
        401
    );
}

#[test]
fn identity_tokens_are_changed_by_post() {
    let registry = registry(
        Auth::bearer()
            .account("user", "secret")
            .identity_token("refresh"),
    );
    let post = |form: &[u8]| send(&registry, "POST", "/token", &[], form);
    let scope = "scope=repository:a:pull";
    let form = format!("grant_type=refresh_token&refresh_token=refresh&{scope}");
    let token = bearer(&json(&post(form.as_bytes())));
    assert_eq!(get(&registry, MANIFEST, &[&token]).status, 200);
    let form =
        format!("grant_type=password&username=user&password=secret&access_type=offline&{scope}");
    assert_eq!(json(&post(form.as_bytes()))["refresh_token"], "refresh");
    assert_eq!(
        post(b"grant_type=refresh_token&refresh_token=other").status,
        401
    );
}

#[test]
fn token_replies_in_every_spelling() {
    let cases = [
        (TokenField::Token, Some("token-1"), None),
        (TokenField::AccessToken, None, Some("token-1")),
        (TokenField::Both, Some("token-1"), Some("token-1")),
        (
            TokenField::EmptyTokenAndAccessToken,
            Some(""),
            Some("token-1"),
        ),
    ];
    for (field, token, access_token) in cases {
        let auth = Auth::bearer()
            .anonymous_pull()
            .token_field(field)
            .expires_in(None);
        let reply = json(&get(&registry(auth), PULL, &[]));
        assert_eq!(reply["token"].as_str(), token, "{field:?}");
        assert_eq!(reply["access_token"].as_str(), access_token, "{field:?}");
        assert_eq!(reply.get("expires_in"), None);
    }
}

#[test]
fn tokens_wear_out_and_expire() {
    let registry = registry(Auth::bearer().anonymous_pull().token_uses(2));
    let token = bearer(&json(&get(&registry, PULL, &[])));
    let statuses = [(); 3].map(|()| get(&registry, MANIFEST, &[&token]).status);
    assert_eq!(statuses, [200, 200, 401]);
    registry.set_auth(Auth::bearer().anonymous_pull().expires_in(Some(0)));
    let token = bearer(&json(&get(&registry, PULL, &[])));
    assert_eq!(get(&registry, MANIFEST, &[&token]).status, 401);
}

#[test]
fn a_fixed_token_opens_everything() {
    let registry = registry(Auth::bearer().registry_token("fixed"));
    assert_eq!(
        get(&registry, MANIFEST, &["Authorization: Bearer fixed"]).status,
        200
    );
    assert_eq!(
        get(&registry, MANIFEST, &["Authorization: Bearer other"]).status,
        401
    );
}

#[test]
fn odd_challenges_and_an_open_ping() {
    let auth = Auth::basic().account("user", "secret").open_ping();
    let registry =
        registry(auth.challenges(&["Negotiate", "Basic realm=\"{service}\", charset=\"UTF-8\""]));
    assert_eq!(get(&registry, "/v2/", &[]).status, 200);
    let refused = get(&registry, MANIFEST, &[]);
    let lines: Vec<&str> = refused
        .head
        .lines()
        .filter(|line| line.starts_with("www-authenticate"))
        .collect();
    assert_eq!(
        lines,
        [
            "www-authenticate: Negotiate",
            "www-authenticate: Basic realm=\"regimg-tests\", charset=\"UTF-8\""
        ]
    );
}

#[test]
fn a_separate_token_service_only_gives_tokens() {
    let registry = registry(Auth::bearer().anonymous_pull().realm(Realm::Separate));
    let tokens = registry.url(Origin::Tokens).to_owned();
    let challenge = get(&registry, MANIFEST, &[])
        .header("www-authenticate")
        .unwrap()
        .to_owned();
    assert!(
        challenge.contains(&format!("realm=\"{tokens}/token\"")),
        "{challenge}"
    );
    let token = bearer(&json(&send_to(&tokens, "GET", PULL, &[], b"")));
    assert_eq!(get(&registry, MANIFEST, &[&token]).status, 200);
    assert_eq!(
        send_to(&tokens, "GET", MANIFEST, &[&token], b"").status,
        404
    );
}

#[test]
fn a_mount_needs_the_right_to_read_the_source() {
    let registry = registry(Auth::bearer().account("user", "secret"));
    let blob = crate::Blob::new("application/octet-stream", &b"x"[..]);
    registry.put_blob("b", &blob);
    let target = format!("/v2/a/blobs/uploads/?mount={}&from=b", Digest::sha256(b"x"));
    let push = "/token?scope=repository:a:pull,push";
    for (scopes, status) in [
        (push, 202),
        (&format!("{push}&scope=repository:b:pull"), 201),
    ] {
        let token = bearer(&json(&get(&registry, scopes, &[BASIC])));
        assert_eq!(
            send(&registry, "POST", &target, &[&token], b"").status,
            status,
            "{scopes}"
        );
    }
}
