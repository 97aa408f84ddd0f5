//! What a machine must be to run an image.

mod fit;
mod parse;

use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use fit::Fit;
pub use parse::ParsePlatformError;

use crate::json::{empty_as_none, null_as_default};

/// What a machine must be to run an image.
///
/// The fields keep the spelling they came with; comparison goes by the
/// [normalized](Self::normalized) one. The text is containerd's:
/// `os/architecture/variant`, with the version and features of the operating
/// system, if any, in parentheses behind its name.
///
/// ```
/// use regimg_core::Platform;
///
/// # fn main() -> Result<(), regimg_core::ParsePlatformError> {
/// let platform = Platform::parse("arm64/v8")?;
/// assert_eq!(platform.to_string(), "linux/arm64/v8");
/// assert!(platform.is_satisfied_by(&Platform::parse("linux/aarch64")?));
/// assert_eq!(Platform::default().to_string(), "linux/amd64");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// The processor's architecture in Go's spelling: `amd64`, `arm64`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub architecture: String,
    /// The operating system in Go's spelling: `linux`, `windows`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub os: String,
    /// The operating system's version, which Windows images have:
    /// `10.0.20348.2700`.
    #[serde(
        rename = "os.version",
        default,
        deserialize_with = "empty_as_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub os_version: Option<String>,
    /// What the operating system must support: `win32k`.
    #[serde(
        rename = "os.features",
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub os_features: Vec<String>,
    /// The architecture's variant: `v7` of `arm`, `v3` of `amd64`.
    #[serde(
        default,
        deserialize_with = "empty_as_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub variant: Option<String>,
}

impl Platform {
    /// Puts a platform together from separate settings.
    ///
    /// The architecture may hold the variant, `arm64/v8`, as users write it.
    /// Nothing is refused: odd parts make a platform that no image is for,
    /// and the error then shows them.
    pub fn from_parts(os: &str, architecture: &str) -> Self {
        let (architecture, variant) = architecture.split_once('/').unwrap_or((architecture, ""));
        Self {
            architecture: architecture.to_owned(),
            os: os.to_owned(),
            os_version: None,
            os_features: Vec::new(),
            variant: (!variant.is_empty()).then(|| variant.to_owned()),
        }
    }

    /// Returns the platform in the one spelling that containerd gives it.
    ///
    /// | Written | Normalized |
    /// | --- | --- |
    /// | `macos` | `darwin` |
    /// | `i386`, `x86` | `386` |
    /// | `x86_64`, `x86-64`, `amd64/v1` | `amd64` |
    /// | `aarch64`, `arm64/v8`, `arm64/8` | `arm64` |
    /// | `arm`, `arm/7`, `armhf` | `arm/v7` |
    /// | `arm/5`, `arm/6`, `arm/8` | `arm/v5`, `arm/v6`, `arm/v8` |
    /// | `armel` | `arm/v6` |
    ///
    /// All of it is put in lower case, apart from the version and features of
    /// the operating system. See [`database.go`] of containerd; only `x86`,
    /// which is Rust's name, is not there.
    ///
    /// [`database.go`]: https://github.com/containerd/platforms/blob/v1.0.0-rc.1/database.go
    #[must_use]
    pub fn normalized(&self) -> Self {
        let os = match self.os.to_ascii_lowercase() {
            os if os == "macos" => "darwin".to_owned(),
            os => os,
        };
        let (architecture, variant) = normalize(&self.architecture, self.variant.as_deref());
        Self {
            architecture,
            os,
            os_version: self.os_version.clone(),
            os_features: self.os_features.clone(),
            variant,
        }
    }

    /// Says whether this stands for no platform at all, as that of an
    /// attestation does, which `BuildKit` labels `unknown/unknown`.
    pub fn is_unknown(&self) -> bool {
        let unknown = |text: &str| text.is_empty() || text == "unknown";
        unknown(&self.os) && unknown(&self.architecture)
    }
}

impl Default for Platform {
    /// Returns `linux/amd64`, what go-containerregistry assumes of an image
    /// that states no platform.
    fn default() -> Self {
        Self::from_parts("linux", "amd64")
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.os)?;
        if self.os_version.is_some() || !self.os_features.is_empty() {
            write!(f, "({}", self.os_version.as_deref().unwrap_or_default())?;
            for feature in &self.os_features {
                write!(f, "+{feature}")?;
            }
            f.write_str(")")?;
        }
        write!(f, "/{}", self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

fn normalize(architecture: &str, variant: Option<&str>) -> (String, Option<String>) {
    let architecture = architecture.to_ascii_lowercase();
    let variant = variant.unwrap_or_default().to_ascii_lowercase();
    let (architecture, variant) = match (architecture.as_str(), variant.as_str()) {
        ("i386" | "x86", _) => ("386", ""),
        ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
        ("x86_64" | "x86-64", variant) => ("amd64", variant),
        ("aarch64" | "arm64", "8" | "v8") => ("arm64", ""),
        ("aarch64", variant) => ("arm64", variant),
        ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
        ("armel", _) | ("arm", "6") => ("arm", "v6"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "8") => ("arm", "v8"),
        other => other,
    };
    let variant = (!variant.is_empty()).then(|| variant.to_owned());
    (architecture.to_owned(), variant)
}
