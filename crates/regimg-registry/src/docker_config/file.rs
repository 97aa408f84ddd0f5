//! The file, and which of its entries is whose.

use std::collections::BTreeMap;
use std::fmt;

use regimg_core::{Registry, Secret};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::error::Category;

use super::Login;
use crate::Credential;
use crate::auth::unbase64;
use crate::json::Object;

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    auths: Option<BTreeMap<String, Object<Entry>>>,
    #[serde(default, rename = "credHelpers")]
    helpers: Option<BTreeMap<String, String>>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

#[derive(Default, Deserialize)]
struct Entry {
    auth: Option<Secret>,
    username: Option<String>,
    password: Option<Secret>,
    identitytoken: Option<Secret>,
    registrytoken: Option<Secret>,
}

/// The file, by hosts.
#[derive(Clone)]
pub(super) struct File {
    credentials: BTreeMap<String, Credential>,
    helpers: BTreeMap<String, String>,
    store: Option<String>,
}

impl File {
    /// Reads the text; what is wrong is said without repeating any value.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let read = serde_json::from_str(text);
        let Object(wire): Object<Wire> = read.map_err(|error| problem(text, &error))?;
        let mut credentials = BTreeMap::new();
        // The host alone is the more exact of two keys that mean the same, and the shorter one.
        for (key, entry) in wire.auths.unwrap_or_default() {
            let Some(host) = host_of(&key) else { continue };
            let found = entry
                .0
                .credential()
                .map_err(|why| format!("auths: {key:?}: {why}"))?;
            if let Some(credential) = found
                && (key == host || !credentials.contains_key(&host))
            {
                credentials.insert(host, credential);
            }
        }
        let helpers = wire.helpers.unwrap_or_default().into_iter();
        Ok(Self {
            credentials,
            helpers: helpers
                .filter_map(|(key, name)| Some((host_of(&key)?, name)))
                .collect(),
            store: wire.store.filter(|name| !name.is_empty()),
        })
    }

    pub(super) fn credential(&self, host: &str) -> Option<Credential> {
        self.credentials.get(host).cloned()
    }

    pub(super) fn helper_of(&self, host: &str) -> Option<&str> {
        let name = self.helpers.get(host)?;
        (!name.is_empty()).then_some(name)
    }

    pub(super) fn store(&self) -> Option<&str> {
        self.store.as_deref()
    }
}

/// Says what is wrong and where; the library's own words may quote a value.
fn problem(text: &str, error: &serde_json::Error) -> String {
    if text.trim().is_empty() {
        return "it is empty".to_owned();
    }
    // As Kubernetes keeps it in a secret.
    let decoded = unbase64(text).unwrap_or_default();
    if serde_json::from_slice::<Object<IgnoredAny>>(&decoded).is_ok() {
        return "it is base64: its decoded text is wanted".to_owned();
    }
    let problem = match error.classify() {
        Category::Eof => "ends too early",
        // Of the library's words these hold names of fields alone.
        Category::Data if error.to_string().starts_with("duplicate field") => "has a field twice",
        Category::Data => "has a value of the wrong type",
        Category::Syntax | Category::Io => "is not JSON",
    };
    let (line, column) = (error.line(), error.column());
    format!("it {problem} (line {line}, column {column})")
}

impl Entry {
    /// Returns what the entry gives, if it gives anything. Half a login is an error: the registry's
    /// answer to a stranger would send people looking in the wrong place.
    fn credential(self) -> Result<Option<Credential>, &'static str> {
        let given = |secret: Option<Secret>| secret.filter(|secret| !secret.is_empty());
        if let Some(token) = given(self.registrytoken) {
            return Ok(Some(Credential::RegistryToken(token)));
        }
        if let Some(token) = given(self.identitytoken) {
            return Ok(Some(Credential::IdentityToken(token)));
        }
        let login = match given(self.auth) {
            Some(auth) => decoded(&auth)?,
            None => Login {
                username: self.username.unwrap_or_default(),
                secret: self.password.unwrap_or_default(),
            },
        };
        match (login.username.is_empty(), login.secret.is_empty()) {
            (true, true) => Ok(None),
            (false, false) => Ok(Some(login.into_credential())),
            (false, true) => Err("a user name is given without a password"),
            (true, false) => Err("a password is given without a user name"),
        }
    }
}

/// `dXNlcjpwYXNz` is `user:pass`; some versions of Docker put NULs behind it.
fn decoded(auth: &Secret) -> Result<Login, &'static str> {
    const WRONG: &str = "auth is not the base64 form of name:password";
    let text = unbase64(auth.expose()).and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.ok_or(WRONG)?;
    let (username, secret) = text.split_once(':').ok_or(WRONG)?;
    Ok(Login {
        username: username.to_owned(),
        secret: Secret::new(secret.trim_end_matches('\0')),
    })
}

/// Returns the host that a key means, as the name of a registry has it; `None` when it means
/// something else.
fn host_of(key: &str) -> Option<String> {
    let rest = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"));
    let rest = rest.unwrap_or(key);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !matches!(path.trim_end_matches('/'), "" | "v1" | "v2") {
        return None;
    }
    // The address that Docker itself pulls from.
    if host == "registry-1.docker.io" {
        return Some(Registry::docker_hub().host().to_owned());
    }
    Registry::parse(host)
        .ok()
        .map(|registry| registry.host().to_owned())
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("hosts", &self.credentials.keys().collect::<Vec<_>>())
            .field("helpers", &self.helpers)
            .field("store", &self.store)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_and_their_hosts() {
        for (key, wanted) in [
            ("ghcr.io", Some("ghcr.io")),
            ("https://ghcr.io", Some("ghcr.io")),
            ("https://ghcr.io/v2/", Some("ghcr.io")),
            ("http://localhost:5000/v1", Some("localhost:5000")),
            ("https://index.docker.io/v1/", Some("index.docker.io")),
            ("docker.io", Some("index.docker.io")),
            ("registry-1.docker.io", Some("index.docker.io")),
            ("quay.io/organisation", None),
            ("", None),
            ("https://", None),
        ] {
            assert_eq!(host_of(key).as_deref(), wanted, "{key}");
        }
    }

    fn basic(username: &str, password: &str) -> Credential {
        Credential::Basic {
            username: username.to_owned(),
            password: Secret::new(password),
        }
    }

    #[test]
    fn entries_of_every_kind() {
        let secret = Secret::new;
        for (entry, wanted) in [
            ("{}", None),
            (r#"{"auth":""}"#, None),
            (r#"{"auth":"dTpw"}"#, Some(basic("u", "p"))),
            (r#"{"auth":"dTpw\n"}"#, Some(basic("u", "p"))),
            (r#"{"auth":"dTpwOnEA"}"#, Some(basic("u", "p:q"))),
            (r#"{"username":"u","password":"p"}"#, Some(basic("u", "p"))),
            (r#"{"auth":"Og=="}"#, None),
            (r#"{"username":"","password":""}"#, None),
            (r#"{"email":"u@h.io"}"#, None),
            (
                r#"{"username":"u","identitytoken":"r"}"#,
                Some(Credential::IdentityToken(secret("r"))),
            ),
            (
                r#"{"auth":"dTo=","identitytoken":"r"}"#,
                Some(Credential::IdentityToken(secret("r"))),
            ),
            (
                r#"{"username":"u","registrytoken":"t"}"#,
                Some(Credential::RegistryToken(secret("t"))),
            ),
            (
                r#"{"auth":"PHRva2VuPjpy"}"#,
                Some(Credential::IdentityToken(secret("r"))),
            ),
            (
                r#"{"auth":"dTpw","identitytoken":"r"}"#,
                Some(Credential::IdentityToken(secret("r"))),
            ),
            (
                r#"{"registrytoken":"t"}"#,
                Some(Credential::RegistryToken(secret("t"))),
            ),
        ] {
            let file = File::parse(&format!(r#"{{"auths":{{"h.io":{entry}}}}}"#)).unwrap();
            assert_eq!(file.credential("h.io"), wanted, "{entry}");
        }
    }

    #[test]
    fn half_a_login_is_an_error_that_names_the_host() {
        let no_password = "a user name is given without a password";
        let no_name = "a password is given without a user name";
        for (entry, wanted) in [
            (r#"{"username":"u"}"#, no_password),
            (r#"{"username":"u","password":""}"#, no_password),
            (r#"{"auth":"","username":"u"}"#, no_password),
            (r#"{"password":"hidden"}"#, no_name),
            (r#"{"username":"","password":"hidden"}"#, no_name),
            // `u:` and `:hidden`.
            (r#"{"auth":"dTo="}"#, no_password),
            (r#"{"auth":"OmhpZGRlbg=="}"#, no_name),
        ] {
            let text = format!(r#"{{"auths":{{"https://h.io/v2/":{entry}}}}}"#);
            let wanted = format!(r#"auths: "https://h.io/v2/": {wanted}"#);
            assert_eq!(File::parse(&text).unwrap_err(), wanted, "{entry}");
        }
    }

    #[test]
    fn a_text_that_cannot_be_read_is_told_by_its_kind() {
        let config = r#"{"auths":{"h.io":{"auth":"dTpw"}}}"#;
        let base64 = crate::auth::base64(config.as_bytes());
        let lines = format!("{}\n{}\n", &base64[..20], &base64[20..]);
        let decoded = "it is base64: its decoded text is wanted";
        for (text, wanted) in [
            ("", "it is empty"),
            (" \n", "it is empty"),
            ("hidden", "it is not JSON (line 1, column 1)"),
            ("{\n'hidden'}", "it is not JSON (line 2, column 1)"),
            ("{} {}", "it is not JSON (line 1, column 4)"),
            (r#"{"auths":{"#, "it ends too early (line 1, column 10)"),
            ("7", "it has a value of the wrong type (line 1, column 1)"),
            (
                r#"{"auths":{"h.io":"hidden"}}"#,
                "it has a value of the wrong type (line 1, column 25)",
            ),
            (
                r#"{"auths":{},"auths":{}}"#,
                "it has a field twice (line 1, column 19)",
            ),
            (&base64, decoded),
            (&lines, decoded),
            // Base64 of `hidden`, which is no configuration either.
            ("aGlkZGVu", "it is not JSON (line 1, column 1)"),
        ] {
            assert_eq!(File::parse(text).unwrap_err(), wanted, "{text}");
        }
    }

    #[test]
    fn the_host_alone_is_the_better_key() {
        let text = r#"{"auths":{"h.io":{"auth":"dTpw"},"https://h.io/v2/":{"auth":"djpx"}}}"#;
        assert_eq!(
            File::parse(text).unwrap().credential("h.io"),
            Some(basic("u", "p"))
        );
    }

    #[test]
    fn what_is_wrong_is_said_without_values() {
        for text in [
            r#"{"auths":{"h.io":{"auth":"hidden!"}}}"#,
            r#"{"auths":{"h.io":{"auth":"aGlkZGVu"}}}"#,
            r#"{"auths":{"h.io":"hidden"}}"#,
            r#"{"auths":{"h.io":["hidden"]}}"#,
            r#"[{"h.io":{"auth":"hidden"}}]"#,
            r#"{"auths":{"h.io":{"password":{"hidden":1}}}}"#,
            "hidden",
        ] {
            let error = File::parse(text).unwrap_err();
            assert!(
                !error.contains("hidden") && !error.contains("aGlk"),
                "{error}"
            );
        }
        let file = File::parse(r#"{"auths":{"h.io":{"username":"u","password":"hidden"}}}"#);
        assert!(!format!("{:?}", file.unwrap()).contains("hidden"));
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(key in "\\PC{0,30}", auth in "\\PC{0,30}") {
            let text = serde_json::json!({"auths": {key: {"auth": auth}}});
            let _ = File::parse(&text.to_string());
        }
    }
}
