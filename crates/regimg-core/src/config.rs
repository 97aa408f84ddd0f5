//! How an image says it is to be run.

use std::{collections::BTreeMap, error, fmt};

use serde::{Deserialize, Deserializer};

use crate::{
    Digest, Platform,
    json::{empty_as_none, null_as_default, object},
};

/// The configuration of an image, as far as it is of use to who unpacks it.
///
/// It is read as leniently as Go's `v1.ConfigFile`: every field may be
/// missing or `null`, and unknown fields are ignored. See the
/// [image specification].
///
/// ```
/// use regimg_core::ImageConfig;
///
/// # fn main() -> Result<(), regimg_core::ParseConfigError> {
/// let config = ImageConfig::parse(br#"{"config":{"Env":["A=b"],"Cmd":null}}"#)?;
/// assert_eq!(config.config.env.as_deref(), Some(&["A=b".to_owned()][..]));
/// assert_eq!(config.config.cmd, None);
/// # Ok(())
/// # }
/// ```
///
/// [image specification]: https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ImageConfig {
    /// When the image was built, as RFC 3339 text that is not checked.
    #[serde(default, deserialize_with = "empty_as_none")]
    pub created: Option<String>,
    /// The processor's architecture.
    #[serde(default, deserialize_with = "null_as_default")]
    pub architecture: String,
    /// The operating system.
    #[serde(default, deserialize_with = "null_as_default")]
    pub os: String,
    /// The version of the operating system.
    #[serde(rename = "os.version", default, deserialize_with = "empty_as_none")]
    pub os_version: Option<String>,
    /// What the operating system must support.
    #[serde(rename = "os.features", default, deserialize_with = "null_as_default")]
    pub os_features: Vec<String>,
    /// The variant of the architecture.
    #[serde(default, deserialize_with = "empty_as_none")]
    pub variant: Option<String>,
    /// How a container is started.
    #[serde(default, deserialize_with = "null_as_default")]
    pub config: ContainerConfig,
    /// The contents of the layers.
    #[serde(default, deserialize_with = "null_as_default")]
    pub rootfs: RootFs,
}

/// How a container is started.
///
/// A list that is missing or `null` is `None`; an empty one is `Some`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ContainerConfig {
    /// The environment, each entry `NAME=value`.
    #[serde(default, deserialize_with = "texts")]
    pub env: Option<Vec<String>>,
    /// The default command, or the arguments of the entry point.
    #[serde(default, deserialize_with = "texts")]
    pub cmd: Option<Vec<String>>,
    /// The program that is always run.
    #[serde(default, deserialize_with = "texts")]
    pub entrypoint: Option<Vec<String>>,
    /// The user and perhaps group, by name or number; empty for root.
    #[serde(default, deserialize_with = "null_as_default")]
    pub user: String,
    /// The directory to start in; empty for the root.
    #[serde(default, deserialize_with = "null_as_default")]
    pub working_dir: String,
    /// Free notes by the image's builder.
    #[serde(default, deserialize_with = "labels")]
    pub labels: Option<BTreeMap<String, String>>,
}

/// The contents of the layers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct RootFs {
    /// The digests of the layers' bare tar archives, lowest first.
    #[serde(default, deserialize_with = "null_as_default")]
    pub diff_ids: Vec<Digest>,
}

/// Says why bytes are not the configuration of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseConfigError(String);

impl ImageConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    ///
    /// Fails for what is not JSON and for values of a wrong type, and names
    /// the field: `config.Env[2]`.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseConfigError> {
        object(bytes).map_err(ParseConfigError)
    }

    /// Returns what a machine must be to run the image.
    pub fn platform(&self) -> Platform {
        Platform {
            architecture: self.architecture.clone(),
            os: self.os.clone(),
            os_version: self.os_version.clone(),
            os_features: self.os_features.clone(),
            variant: self.variant.clone(),
        }
    }
}

impl fmt::Display for ParseConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid image configuration: {}", self.0)
    }
}

impl error::Error for ParseConfigError {}

/// Go reads a `null` in a list of texts as an empty text.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let texts = Option::<Vec<Option<String>>>::deserialize(deserializer)?;
    Ok(texts.map(|texts| texts.into_iter().map(Option::unwrap_or_default).collect()))
}

/// Go reads a `null` in a map of texts as an empty text.
fn labels<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeMap<String, String>>, D::Error> {
    let labels = Option::<BTreeMap<String, Option<String>>>::deserialize(deserializer)?;
    Ok(labels.map(|labels| {
        let filled = labels.into_iter();
        filled
            .map(|(name, value)| (name, value.unwrap_or_default()))
            .collect()
    }))
}
