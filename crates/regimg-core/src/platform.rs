//! What an image runs on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Names an operating system and an architecture, as OCI indexes do.
///
/// ```
/// use regimg_core::Platform;
///
/// let wanted: Platform = "linux/arm64/v8".parse()?;
/// assert_eq!(wanted.normalized(), Platform::from_parts("linux", "aarch64").normalized());
/// assert!(wanted.is_satisfied_by(&Platform::from_parts("linux", "arm64")));
/// assert_eq!(Platform::default().to_string(), "linux/amd64");
/// # Ok::<(), regimg_core::ParsePlatformError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// Go's name of the architecture, such as `amd64`.
    #[serde(default)]
    pub architecture: String,
    /// Go's name of the operating system, such as `linux`.
    #[serde(default)]
    pub os: String,
    /// The version of the operating system; Windows images have one.
    #[serde(
        default,
        rename = "os.version",
        skip_serializing_if = "Option::is_none"
    )]
    pub os_version: Option<String>,
    /// Features of the operating system that the image needs.
    #[serde(
        default,
        rename = "os.features",
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "crate::lenient::null_is_default"
    )]
    pub os_features: Vec<String>,
    /// The variant of the architecture, such as `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Default for Platform {
    fn default() -> Self {
        Self::from_parts("linux", "amd64")
    }
}

impl Platform {
    /// Joins an operating system and an architecture; the latter may carry its variant
    /// (`arm64/v8`).
    pub fn from_parts(os: &str, architecture: &str) -> Self {
        let (architecture, variant) = match architecture.split_once('/') {
            Some((architecture, variant)) => (architecture, Some(variant.to_owned())),
            None => (architecture, None),
        };
        Self {
            architecture: architecture.to_owned(),
            os: os.to_owned(),
            os_version: None,
            os_features: Vec::new(),
            variant: variant.filter(|variant| !variant.is_empty()),
        }
    }

    /// Reads `os/architecture[/variant]`, or `architecture[/variant]` for Linux where
    /// the second word is a variant or missing.
    ///
    /// # Errors
    ///
    /// An empty or surplus part.
    pub fn parse(text: &str) -> Result<Self, ParsePlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        if parts.iter().any(|part| part.is_empty()) || parts.len() > 3 {
            return Err(ParsePlatformError {
                input: text.to_owned(),
            });
        }
        Ok(match parts[..] {
            [architecture] => Self::from_parts("linux", architecture),
            [_, second] if is_variant(second) => Self::from_parts("linux", text),
            [os, ..] => Self::from_parts(os, &text[os.len() + 1..]),
            [] => Self::default(),
        })
    }

    /// Returns the platform in the spelling that indexes use, as containerd normalises
    /// it: `x86_64` is `amd64`, `aarch64` is `arm64`, and the variant that everybody
    /// means (`arm64/v8`, `amd64/v1`) is left out.
    ///
    /// Source: containerd/platforms `database.go`.
    #[must_use]
    pub fn normalized(&self) -> Self {
        let os = match self.os.to_ascii_lowercase().as_str() {
            "macos" => "darwin".to_owned(),
            os => os.to_owned(),
        };
        let architecture = self.architecture.to_ascii_lowercase();
        let variant = self.variant.as_deref().map(str::to_ascii_lowercase);
        let (architecture, variant) = normalize(&architecture, variant.as_deref());
        Self {
            os,
            architecture: architecture.to_owned(),
            variant: variant.map(str::to_owned),
            ..self.clone()
        }
    }

    /// Says whether an image for `candidate` runs where this platform is asked for.
    ///
    /// System and architecture have to be equal. A variant that is asked for has to be
    /// the candidate's or a later one than it (`arm/v7` runs `arm/v6`); none asked for
    /// takes any. Version and features count as far as they are asked for, as in
    /// go-containerregistry's `matchesPlatform`.
    pub fn is_satisfied_by(&self, candidate: &Self) -> bool {
        self.distance(candidate).is_some()
    }

    /// Tells how far a candidate that satisfies this platform is from what was asked
    /// for: 0 is exactly it.
    pub(crate) fn distance(&self, candidate: &Self) -> Option<u32> {
        let (wanted, candidate) = (self.normalized(), candidate.normalized());
        let same = wanted.os == candidate.os && wanted.architecture == candidate.architecture;
        let version = wanted.os_version.is_none() || wanted.os_version == candidate.os_version;
        let features = wanted
            .os_features
            .iter()
            .all(|feature| candidate.os_features.contains(feature));
        if !same || !version || !features {
            return None;
        }
        let (asked, offered) = (wanted.level(), candidate.level());
        match (wanted.variant.is_some(), asked, offered) {
            _ if wanted.variant == candidate.variant => Some(0),
            (_, Some(asked), Some(offered)) if offered <= asked => Some(asked - offered),
            // Nobody asked for a variant: a later one than the usual is the last choice.
            (false, Some(asked), Some(offered)) => Some(1000 + offered.saturating_sub(asked)),
            (false, ..) => Some(2000),
            (true, ..) => None,
        }
    }

    /// Returns the number of the variant, of the usual one if none is named.
    fn level(&self) -> Option<u32> {
        let usual = match self.architecture.as_str() {
            "amd64" => 1,
            "arm" => 7,
            "arm64" => 8,
            _ => 0,
        };
        match &self.variant {
            None => Some(usual),
            Some(variant) => variant.strip_prefix('v')?.parse().ok(),
        }
    }
}

fn is_variant(text: &str) -> bool {
    text.strip_prefix('v')
        .is_some_and(|digits| digits.starts_with(|c: char| c.is_ascii_digit()))
}

fn normalize<'a>(architecture: &'a str, variant: Option<&'a str>) -> (&'a str, Option<&'a str>) {
    match (architecture, variant) {
        ("i386" | "x86", _) => ("386", None),
        ("x86_64" | "x86-64" | "amd64", None | Some("v1")) => ("amd64", None),
        ("x86_64" | "x86-64", variant) => ("amd64", variant),
        ("aarch64" | "arm64", None | Some("8" | "v8")) => ("arm64", None),
        ("aarch64", variant) => ("arm64", variant),
        ("armhf", _) | ("arm", Some("7")) => ("arm", Some("v7")),
        ("armel", _) | ("arm", Some("6")) => ("arm", Some("v6")),
        ("arm", Some("5")) => ("arm", Some("v5")),
        ("arm", Some("8")) => ("arm", Some("v8")),
        other => other,
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if let Some(variant) = &self.variant {
            write!(f, "/{variant}")?;
        }
        if let Some(version) = &self.os_version {
            write!(f, " ({version})")?;
        }
        Ok(())
    }
}

impl FromStr for Platform {
    type Err = ParsePlatformError;

    fn from_str(text: &str) -> Result<Self, ParsePlatformError> {
        Self::parse(text)
    }
}

/// Says which text is no platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsePlatformError {
    input: String,
}

impl fmt::Display for ParsePlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "platform {:?}: expected os/architecture or os/architecture/variant",
            self.input
        )
    }
}

impl std::error::Error for ParsePlatformError {}
