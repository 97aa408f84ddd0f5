//! Platforms as people write them.

use std::{error, fmt, str::FromStr};

use super::{Platform, normalize};

/// Says why a text is not a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsePlatformError {
    input: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Empty,
    UnknownArchitecture,
    Parts,
    Character(char),
    Parentheses,
}

impl Platform {
    /// Reads `os/architecture[/variant]`, or `architecture[/variant]` of
    /// Linux if the architecture is a known one.
    ///
    /// The operating system may be followed by its version and features:
    /// `windows(10.0.17763+win32k)/amd64`. The spelling is kept.
    ///
    /// # Errors
    ///
    /// Fails for empty parts, more than three of them, characters other than
    /// letters, digits, `_`, `.` and `-`, and a lone unknown word.
    pub fn parse(platform: &str) -> Result<Self, ParsePlatformError> {
        Self::from_text(platform).map_err(|kind| {
            let input = platform.to_owned();
            ParsePlatformError { input, kind }
        })
    }

    fn from_text(text: &str) -> Result<Self, Kind> {
        if text.is_empty() {
            return Err(Kind::Empty);
        }
        let parts: Vec<&str> = text.split('/').collect();
        match parts[..] {
            [architecture] if is_known(architecture) => Self::checked("linux", architecture, None),
            [_] => Err(Kind::UnknownArchitecture),
            [architecture, variant] if is_known(architecture) => {
                Self::checked("linux", architecture, Some(variant))
            }
            [os, architecture] => Self::checked(os, architecture, None),
            [os, architecture, variant] => Self::checked(os, architecture, Some(variant)),
            _ => Err(Kind::Parts),
        }
    }

    fn checked(os: &str, architecture: &str, variant: Option<&str>) -> Result<Self, Kind> {
        let (os, os_version, os_features) = parse_os(os)?;
        Ok(Self {
            architecture: word(architecture)?,
            os,
            os_version,
            os_features,
            variant: variant.map(word).transpose()?,
        })
    }
}

impl FromStr for Platform {
    type Err = ParsePlatformError;

    fn from_str(platform: &str) -> Result<Self, Self::Err> {
        Self::parse(platform)
    }
}

impl fmt::Display for ParsePlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid platform {:?}: ", self.input)?;
        match self.kind {
            Kind::Empty => f.write_str("a part is empty"),
            Kind::UnknownArchitecture => {
                f.write_str("it reads os/architecture[/variant], as in linux/arm64")
            }
            Kind::Parts => f.write_str("it has at most three parts, os/architecture/variant"),
            Kind::Character(found) => write!(f, "{found:?} may not stand in it"),
            Kind::Parentheses => {
                f.write_str("an operating system reads name, or name(version+feature)")
            }
        }
    }
}

impl error::Error for ParsePlatformError {}

/// Splits `name(version+feature+feature)`.
fn parse_os(os: &str) -> Result<(String, Option<String>, Vec<String>), Kind> {
    let Some((name, rest)) = os.split_once('(') else {
        return Ok((word(os)?, None, Vec::new()));
    };
    let inner = rest.strip_suffix(')').ok_or(Kind::Parentheses)?;
    let mut words = inner.split('+');
    let version = words.next().filter(|version| !version.is_empty());
    let features = words.map(word).collect::<Result<Vec<_>, _>>()?;
    if version.is_none() && features.is_empty() {
        return Err(Kind::Parentheses);
    }
    Ok((word(name)?, version.map(word).transpose()?, features))
}

fn word(part: &str) -> Result<String, Kind> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if part.is_empty() {
        return Err(Kind::Empty);
    }
    match part.chars().find(|&c| !allowed(c)) {
        Some(found) => Err(Kind::Character(found)),
        None => Ok(part.to_owned()),
    }
}

/// The architectures that Go, and so the specification, has names for.
fn is_known(architecture: &str) -> bool {
    const KNOWN: [&str; 17] = [
        "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64",
        "ppc64le", "riscv64", "s390x", "sparc64", "wasm", "ppc", "riscv",
    ];
    KNOWN.contains(&normalize(architecture, None).0.as_str())
}
