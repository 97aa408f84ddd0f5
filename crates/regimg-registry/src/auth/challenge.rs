//! `WWW-Authenticate`: what a registry wants before it answers.
//!
//! Challenges of several header lines, or several in one line, are told apart as
//! [RFC 9110, section 11.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1) says,
//! with two liberties: a token68 (`Negotiate YII=`) is skipped, and an unquoted value runs up
//! to the next comma or blank, because registries leave URLs unquoted.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// One challenge; names of schemes and parameters are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// Returns the parameter of that name, given in lower case.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(key, _)| key == name)?;
        Some(&found.1)
    }
}

/// The way in that a response offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Nothing that we can answer, or no challenge at all.
    None,
    /// User name and password with each request.
    Basic,
    /// A token bought at `realm`.
    Bearer(Bearer),
}

/// Where and for what a bearer token is bought.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bearer {
    pub(crate) realm: String,
    pub(crate) service: Option<String>,
    pub(crate) scope: Option<String>,
}

impl Scheme {
    /// Picks the best usable challenge of a response: bearer before basic, the first of each.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let challenges = challenges(headers);
        let bearer = challenges.iter().find_map(bearer);
        let basic = challenges
            .iter()
            .any(|challenge| challenge.scheme == "basic");
        match bearer {
            Some(bearer) => Self::Bearer(bearer),
            None if basic => Self::Basic,
            None => Self::None,
        }
    }
}

/// Reads the challenges of every header line, in order.
pub(crate) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let lines = headers.get_all(WWW_AUTHENTICATE).iter();
    lines
        .flat_map(|line| parse(&String::from_utf8_lossy(line.as_bytes())))
        .collect()
}

fn bearer(challenge: &Challenge) -> Option<Bearer> {
    if challenge.scheme != "bearer" {
        return None;
    }
    let owned = |name| {
        challenge
            .parameter(name)
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
    };
    Some(Bearer {
        realm: owned("realm")?,
        service: owned("service"),
        scope: owned("scope"),
    })
}

/// Reads one header line. What cannot be understood ends the reading; what came before counts.
pub(crate) fn parse(line: &str) -> Vec<Challenge> {
    let mut rest = Cursor(line);
    let mut challenges: Vec<Challenge> = Vec::new();
    loop {
        rest.skip(|byte| matches!(byte, ' ' | '\t' | ','));
        let name = rest.take(is_token);
        if name.is_empty() {
            return challenges;
        }
        let blank = !rest.skip(|byte| matches!(byte, ' ' | '\t')).is_empty();
        match challenges.last_mut() {
            Some(current) if rest.eat('=') => {
                let value = rest.value();
                current.parameters.push((name.to_ascii_lowercase(), value));
            }
            _ => {
                if blank {
                    rest.skip_token68();
                }
                challenges.push(Challenge {
                    scheme: name.to_ascii_lowercase(),
                    parameters: Vec::new(),
                });
            }
        }
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: char) -> bool {
    byte.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(byte)
}

fn is_token68(byte: char) -> bool {
    byte.is_ascii_alphanumeric() || "-._~+/".contains(byte)
}

/// What is left of a header line.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn take(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|byte| !belongs(byte)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn skip(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        self.take(belongs)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let rest = self.0.strip_prefix(wanted);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Passes over `YII==`, but not over the `realm=` of `realm="x"`.
    fn skip_token68(&mut self) {
        let mut ahead = Cursor(self.0);
        ahead.skip(is_token68);
        ahead.skip(|byte| byte == '=');
        ahead.skip(|byte| matches!(byte, ' ' | '\t'));
        if ahead.0.is_empty() || ahead.0.starts_with(',') {
            self.0 = ahead.0;
        }
    }

    fn value(&mut self) -> String {
        self.skip(|byte| matches!(byte, ' ' | '\t'));
        if !self.eat('"') {
            return self
                .take(|byte| !matches!(byte, ' ' | '\t' | ','))
                .to_owned();
        }
        let mut value = String::new();
        let mut characters = self.0.chars();
        while let Some(character) = characters.next() {
            match character {
                '"' => break,
                '\\' => value.extend(characters.next()),
                other => value.push(other),
            }
        }
        self.0 = characters.as_str();
        value
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(line: &str, wanted: &[(&str, &[(&str, &str)])]) {
        let got = parse(line);
        let got: Vec<(&str, Vec<(&str, &str)>)> = got
            .iter()
            .map(|challenge| {
                let parameters = challenge.parameters.iter();
                (
                    challenge.scheme.as_str(),
                    parameters.map(|(k, v)| (k.as_str(), v.as_str())).collect(),
                )
            })
            .collect();
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(scheme, p)| (*scheme, p.to_vec()))
            .collect();
        assert_eq!(got, wanted, "{line}");
    }

    #[test]
    fn challenges_are_told_apart() {
        check("", &[]);
        check("Basic", &[("basic", &[])]);
        check("Basic realm=\"a b\"", &[("basic", &[("realm", "a b")])]);
        check(
            "Bearer realm=\"https://a/token\",service=\"s, t\",scope=\"repository:a/b:pull,push\"",
            &[(
                "bearer",
                &[
                    ("realm", "https://a/token"),
                    ("service", "s, t"),
                    ("scope", "repository:a/b:pull,push"),
                ],
            )],
        );
        check(
            "Negotiate, Basic realm=\"x\"",
            &[("negotiate", &[]), ("basic", &[("realm", "x")])],
        );
        check(
            "Negotiate YII/+a==, Basic realm=\"x\"",
            &[("negotiate", &[]), ("basic", &[("realm", "x")])],
        );
        check(
            "Basic realm=\"x\", Bearer realm=\"y\" , service = z",
            &[
                ("basic", &[("realm", "x")]),
                ("bearer", &[("realm", "y"), ("service", "z")]),
            ],
        );
        check(
            "BEARER Realm=https://a/b?c=d,Service=e",
            &[("bearer", &[("realm", "https://a/b?c=d"), ("service", "e")])],
        );
        check(
            r#"Basic realm="a \"quoted\" \\ word""#,
            &[("basic", &[("realm", r#"a "quoted" \ word"#)])],
        );
        check(
            "Basic realm=\"never closed",
            &[("basic", &[("realm", "never closed")])],
        );
        check("=x, Basic", &[]);
    }

    #[test]
    fn bearer_is_preferred_over_every_line() {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, "Basic realm=\"a\"".parse().unwrap());
        assert_eq!(Scheme::of(&headers), Scheme::Basic);
        headers.append(
            WWW_AUTHENTICATE,
            "bearer service=\"no realm\"".parse().unwrap(),
        );
        assert_eq!(Scheme::of(&headers), Scheme::Basic);
        headers.append(
            WWW_AUTHENTICATE,
            "Bearer realm=\"https://t/\"".parse().unwrap(),
        );
        let bearer = Bearer {
            realm: "https://t/".to_owned(),
            service: None,
            scope: None,
        };
        assert_eq!(Scheme::of(&headers), Scheme::Bearer(bearer));
        assert_eq!(Scheme::of(&HeaderMap::new()), Scheme::None);
    }

    proptest! {
        #[test]
        fn any_line_can_be_read(line in "\\PC{0,200}") {
            parse(&line);
        }

        #[test]
        fn quoted_values_come_back(
            scheme in "[A-Za-z]{1,10}",
            parameters in prop::collection::vec(("[a-z]{1,8}", "[ -~]{0,30}"), 1..5),
        ) {
            let written: Vec<String> = parameters
                .iter()
                .map(|(key, value)| {
                    format!("{key}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
                })
                .collect();
            let read = parse(&format!("{scheme} {}", written.join(", ")));
            prop_assert_eq!(read.len(), 1);
            prop_assert_eq!(&read[0].scheme, &scheme.to_ascii_lowercase());
            prop_assert_eq!(&read[0].parameters, &parameters);
        }
    }
}
