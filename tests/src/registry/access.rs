//! Decides who may do what: tokens in force, credentials in headers, challenges.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::auth::{Auth, Greeting, Scheme};
use super::lock;
use super::reply::Reply;
use super::route::Route;
use crate::base64;

/// A permission: an action in a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Grant {
    pub(super) repository: String,
    pub(super) action: String,
}

#[derive(Clone, Debug)]
struct Token {
    grants: Vec<Grant>,
    expires: Instant,
    uses: Option<usize>,
}

/// The tokens that are in force.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    issued: Mutex<(u64, HashMap<String, Token>)>,
}

impl Tokens {
    pub(super) fn issue(&self, auth: &Auth, grants: Vec<Grant>) -> String {
        let life = Duration::from_secs(auth.expires_in.unwrap_or(60));
        let mut issued = lock(&self.issued);
        issued.0 += 1;
        let name = match &auth.signer {
            None => format!("token-{}", issued.0),
            Some(signer) => signer.sign(issued.0, &grants, life),
        };
        let token = Token {
            grants,
            expires: Instant::now() + life,
            uses: auth.token_uses,
        };
        issued.1.insert(name.clone(), token);
        name
    }

    pub(super) fn revoke_all(&self) {
        lock(&self.issued).1.clear();
    }

    fn present(&self, name: &str, needed: &[Grant]) -> Verdict {
        let mut issued = lock(&self.issued);
        let Some(token) = issued.1.get_mut(name) else {
            return Verdict::Challenge("invalid_token");
        };
        if token.expires <= Instant::now() || token.uses == Some(0) {
            return Verdict::Challenge("invalid_token");
        }
        if !needed.iter().all(|grant| token.grants.contains(grant)) {
            return Verdict::Challenge("insufficient_scope");
        }
        if let Some(uses) = &mut token.uses {
            *uses -= 1;
        }
        Verdict::Allowed
    }

    pub(super) fn grants(&self, name: &str, grant: &Grant) -> bool {
        lock(&self.issued)
            .1
            .get(name)
            .is_some_and(|token| token.grants.contains(grant))
    }
}

/// Decides about one request; an error is the answer that refuses it.
pub(super) fn authorize(
    auth: &Auth,
    tokens: &Tokens,
    realm: &str,
    head: &http::request::Parts,
) -> Result<(), Box<Reply>> {
    let route = Route::parse(head.uri.path());
    if auth.greeting == Greeting::Open && route == Route::Ping {
        return Ok(());
    }
    let needed = needed(route, &head.method);
    let verdict = match auth.scheme {
        Scheme::None => Verdict::Allowed,
        Scheme::Basic => basic(auth, &head.headers, &needed),
        Scheme::Bearer => bearer(auth, tokens, &head.headers, &needed),
    };
    match verdict {
        Verdict::Allowed => Ok(()),
        Verdict::Denied => Err(Box::new(Reply::fault(StatusCode::FORBIDDEN))),
        Verdict::Challenge(error) => Err(Box::new(challenge(auth, realm, &needed, error))),
    }
}

enum Verdict {
    Allowed,
    Denied,
    /// With the `error` of the challenge, which may be empty.
    Challenge(&'static str),
}

fn basic(auth: &Auth, headers: &HeaderMap, needed: &[Grant]) -> Verdict {
    let pull_only = needed.iter().all(|grant| grant.action == "pull");
    let Some((name, password)) = basic_credentials(headers) else {
        let anonymous = auth.anonymous_pull && pull_only;
        return if anonymous {
            Verdict::Allowed
        } else {
            Verdict::Challenge("")
        };
    };
    match auth.find(&name, &password) {
        Some(account) if account.may_push || pull_only => Verdict::Allowed,
        Some(_) => Verdict::Denied,
        None => Verdict::Challenge(""),
    }
}

fn bearer(auth: &Auth, tokens: &Tokens, headers: &HeaderMap, needed: &[Grant]) -> Verdict {
    match bearer_token(headers) {
        None => Verdict::Challenge(""),
        Some(token) if auth.fixed_token.as_deref() == Some(token) => Verdict::Allowed,
        Some(token) => tokens.present(token, needed),
    }
}

fn needed(route: Route<'_>, method: &http::Method) -> Vec<Grant> {
    let Some(repository) = route.repository() else {
        return Vec::new();
    };
    let grant = |action: &str| Grant {
        repository: repository.to_owned(),
        action: action.to_owned(),
    };
    match Route::action(method) {
        "push" => vec![grant("pull"), grant("push")],
        action => vec![grant(action)],
    }
}

fn challenge(auth: &Auth, realm: &str, needed: &[Grant], error: &str) -> Reply {
    let mut reply = Reply::fault(StatusCode::UNAUTHORIZED);
    let scope = match scope_text(needed) {
        none if none.is_empty() && auth.greeting == Greeting::Catalog => {
            "registry:catalog:*".to_owned()
        }
        scope => scope,
    };
    let mut lines = auth.challenges.clone();
    if lines.is_empty() {
        lines.push(default_challenge(auth, &scope, error));
    }
    for line in lines {
        let line = line.replace("{realm}", realm).replace("{service}", SERVICE);
        let line = line.replace("{scope}", &scope);
        if let Ok(value) = HeaderValue::from_str(&line) {
            reply.headers.append(header::WWW_AUTHENTICATE, value);
        }
    }
    reply
}

/// The name that the token service is asked for.
pub(super) const SERVICE: &str = "regimg-tests";

fn default_challenge(auth: &Auth, scope: &str, error: &str) -> String {
    if auth.scheme == Scheme::Basic {
        return r#"Basic realm="{service}""#.to_owned();
    }
    let mut line = r#"Bearer realm="{realm}",service="{service}""#.to_owned();
    for (key, value) in [("scope", scope), ("error", error)] {
        if !value.is_empty() {
            line.extend([",", key, "=\"", value, "\""]);
        }
    }
    line
}

/// `repository:a/b:pull,push`.
fn scope_text(needed: &[Grant]) -> String {
    let Some(first) = needed.first() else {
        return String::new();
    };
    let actions: Vec<&str> = needed.iter().map(|grant| grant.action.as_str()).collect();
    format!("repository:{}:{}", first.repository, actions.join(","))
}

pub(super) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

pub(super) fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(base64::decode(encoded.trim())?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}
