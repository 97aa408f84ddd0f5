//! The token service: `GET` with a query, `POST` with a form (the `OAuth2` form of the distribution project).

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::access::{Grant, Tokens, basic_credentials};
use super::auth::{Auth, TokenField};
use super::reply::Reply;

/// Answers a request for a token.
pub(super) fn answer(
    auth: &Auth,
    tokens: &Tokens,
    head: &http::request::Parts,
    form: &str,
) -> Reply {
    let query = head.uri.query().unwrap_or_default();
    let fields = if head.method == Method::POST {
        parse(form)
    } else {
        parse(query)
    };
    let Some(rights) = rights(auth, head, &fields) else {
        return Reply::fault(StatusCode::UNAUTHORIZED);
    };
    let grants = requested(&fields, auth.first_scope_only)
        .into_iter()
        .filter(|grant| rights.allow(grant))
        .collect();
    Reply::json(
        StatusCode::OK,
        &body(auth, &tokens.issue(auth, grants), &fields),
    )
}

/// What the asker may have a token for.
struct Rights {
    push: bool,
    pull: bool,
}

impl Rights {
    fn allow(&self, grant: &Grant) -> bool {
        match grant.action.as_str() {
            "pull" => self.pull,
            _ => self.push,
        }
    }
}

/// None when credentials are wrong, or missing though they are needed.
fn rights(auth: &Auth, head: &http::request::Parts, fields: &[(String, String)]) -> Option<Rights> {
    if head.method != Method::POST {
        return match basic_credentials(&head.headers) {
            None => auth.anonymous_pull.then_some(Rights {
                push: false,
                pull: true,
            }),
            Some((name, password)) => of_account(auth, &name, &password),
        };
    }
    match field(fields, "grant_type")? {
        "refresh_token" => {
            let token = field(fields, "refresh_token")?;
            let known = auth.identity_token.as_deref() == Some(token);
            known.then_some(Rights {
                push: true,
                pull: true,
            })
        }
        "password" => of_account(auth, field(fields, "username")?, field(fields, "password")?),
        _ => None,
    }
}

fn of_account(auth: &Auth, name: &str, password: &str) -> Option<Rights> {
    auth.find(name, password).map(|account| Rights {
        push: account.may_push,
        pull: true,
    })
}

/// Reads every `scope`, which may hold several scopes separated by spaces, or the first one.
fn requested(fields: &[(String, String)], first_only: bool) -> Vec<Grant> {
    let scopes = fields.iter().filter(|(key, _)| key == "scope");
    let scopes = scopes.flat_map(|(_, value)| value.split(' '));
    let count = if first_only { 1 } else { usize::MAX };
    scopes.take(count).filter_map(grants).flatten().collect()
}

/// `repository:NAME:ACTION,ACTION`; the name may hold a port, so the ends are cut off first.
fn grants(scope: &str) -> Option<Vec<Grant>> {
    let rest = scope.strip_prefix("repository:")?;
    let (repository, actions) = rest.rsplit_once(':')?;
    let grant = |action: &str| Grant {
        repository: repository.to_owned(),
        action: action.to_owned(),
    };
    Some(actions.split(',').map(grant).collect())
}

fn body(auth: &Auth, token: &str, fields: &[(String, String)]) -> Value {
    let mut body = match auth.field {
        TokenField::Token => json!({ "token": token }),
        TokenField::AccessToken => json!({ "access_token": token }),
        TokenField::Both => json!({ "token": token, "access_token": token }),
        TokenField::EmptyTokenAndAccessToken => json!({ "token": "", "access_token": token }),
    };
    if let Some(seconds) = auth.expires_in {
        body["expires_in"] = json!(seconds);
    }
    let offline = field(fields, "offline_token") == Some("true")
        || field(fields, "access_type") == Some("offline");
    if let (true, Some(refresh)) = (offline, &auth.identity_token) {
        body["refresh_token"] = json!(refresh);
    }
    body
}

pub(super) fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// Decodes `application/x-www-form-urlencoded`.
pub(super) fn parse(text: &str) -> Vec<(String, String)> {
    let parts = text.split('&').filter(|part| !part.is_empty());
    let pairs = parts.map(|part| part.split_once('=').unwrap_or((part, "")));
    pairs
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = tail
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, escaped) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(other),
        }
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded() {
        let fields = parse("scope=repository%3Aa%2Fb%3Apull&x=1+2&empty&bad=%zz");
        let field = |name| field(&fields, name);
        assert_eq!(field("scope"), Some("repository:a/b:pull"));
        assert_eq!(field("x"), Some("1 2"));
        assert_eq!(field("empty"), Some(""));
        assert_eq!(field("bad"), Some("%zz"));
    }

    #[test]
    fn scopes_become_grants() {
        let fields = parse(
            "scope=repository:a:pull,push%20repository:b:5000/c:pull&scope=registry:catalog:*",
        );
        let found: Vec<String> = requested(&fields, false)
            .into_iter()
            .map(|grant| format!("{} {}", grant.repository, grant.action))
            .collect();
        assert_eq!(found, ["a pull", "a push", "b:5000/c pull"]);
    }
}
