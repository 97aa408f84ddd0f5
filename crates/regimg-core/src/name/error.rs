//! The one error of every parser of names.

use std::{error, fmt};

use crate::{ParseDigestError, excerpt::excerpt};

/// Says which rule a registry, repository, tag or reference breaks.
///
/// The text names the input and the rule, in words a user can act on:
///
/// ```
/// use regimg_core::Repository;
///
/// let error = Repository::parse("Alpine").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"invalid name "Alpine": 'A' may not stand in a repository, only a-z, 0-9, '_', '.', '-' and '/'"#,
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseReferenceError {
    input: String,
    kind: Kind,
}

/// The rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Empty(Part),
    Length { part: Part, min: usize, max: usize },
    Character { part: Part, found: char },
    TagStart(char),
    Component(String),
    Scheme,
    Login,
    HostShape,
    UnbracketedIpv6,
    Ipv6,
    Port(String),
    TwoDigests,
    Digest(ParseDigestError),
}

/// The part of a name that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Registry,
    Repository,
    Tag,
}

impl ParseReferenceError {
    pub(super) fn new(input: &str, kind: Kind) -> Self {
        match without_login(input) {
            None => Self {
                input: excerpt(input),
                kind,
            },
            // What the rule says of the input may hold a part of the password.
            Some(input) => Self {
                input: excerpt(&input),
                kind: Kind::Login,
            },
        }
    }

    /// Returns what was parsed, cut after 300 characters, and a login that stands in front
    /// of a host as `****`.
    pub fn input(&self) -> &str {
        &self.input
    }
}

/// Hides the login of `https://user:password@host/path`, if there is one; the scheme may be
/// missing. What stands behind the `@` of a reference is a digest and no host.
fn without_login(input: &str) -> Option<String> {
    let start = input.find("://").map_or(0, |scheme| scheme + 3);
    let (scheme, rest) = input.split_at(start);
    let authority = rest.split('/').next()?;
    let (login, host) = authority.rsplit_once('@')?;
    let is_digest = ["sha256:", "sha512:"]
        .iter()
        .any(|algorithm| host.starts_with(algorithm));
    let has_password = login.contains(':');
    (has_password && !is_digest).then(|| format!("{scheme}****{}", &rest[login.len()..]))
}

impl fmt::Display for ParseReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid name {:?}: {}", self.input, self.kind)
    }
}

impl error::Error for ParseReferenceError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.kind {
            Kind::Digest(source) => Some(source),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty(part) => write!(f, "the {part} is empty"),
            Self::Length { part, min, max } => {
                write!(f, "a {part} has {min} to {max} characters")
            }
            Self::Character { part, found } => {
                let allowed = part.allowed();
                write!(f, "{found:?} may not stand in a {part}, only {allowed}")
            }
            Self::TagStart(found) => write!(f, "a tag may not start with {found:?}"),
            Self::Component(found) => write!(
                f,
                "{found:?} may not stand between the slashes of a repository"
            ),
            Self::Scheme => f.write_str("a name has no scheme; leave out everything up to \"://\""),
            Self::Login => f.write_str("a name holds no login"),
            Self::HostShape => {
                f.write_str("a registry is a host name or an address, with an optional port")
            }
            Self::UnbracketedIpv6 => {
                f.write_str("an IPv6 address stands in brackets, as in [::1]:5000")
            }
            Self::Ipv6 => f.write_str("there is no IPv6 address between the brackets"),
            Self::Port(found) => {
                write!(f, "{found:?} is not a port, a number from 1 to 65535")
            }
            Self::TwoDigests => f.write_str("there may be one '@' only, before the digest"),
            Self::Digest(_) => f.write_str("what follows the '@' is not a digest"),
        }
    }
}

impl Part {
    fn allowed(self) -> &'static str {
        match self {
            Self::Registry | Self::Tag => "letters, digits, '_', '.' and '-'",
            Self::Repository => "a-z, 0-9, '_', '.', '-' and '/'",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Registry => "registry",
            Self::Repository => "repository",
            Self::Tag => "tag",
        })
    }
}
