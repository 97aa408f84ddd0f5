//! The configuration of an image.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::Digest;
use crate::lenient::null_is_default;

/// What an image says about itself, as far as it is read here. Read as leniently as Go
/// programs read it: unknown fields are skipped, and `null` stands for what is empty.
///
/// Source: OCI image specification, `config.md`.
///
/// ```
/// use regimg_core::ImageConfig;
///
/// let config = ImageConfig::parse(br#"{"config": {"Env": ["A=1"], "Cmd": null}}"#)?;
/// assert_eq!(config.config.env.as_deref(), Some(&["A=1".to_owned()][..]));
/// assert_eq!(config.config.cmd, None);
/// # Ok::<(), regimg_core::ParseConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ImageConfig {
    /// When the image was made, RFC 3339.
    #[serde(default)]
    pub created: Option<String>,
    /// The architecture that the image runs on.
    #[serde(default, deserialize_with = "null_is_default")]
    pub architecture: String,
    /// The operating system that the image runs on.
    #[serde(default, deserialize_with = "null_is_default")]
    pub os: String,
    /// The variant of the architecture.
    #[serde(default)]
    pub variant: Option<String>,
    /// How a container of the image is run.
    #[serde(default, deserialize_with = "null_is_default")]
    pub config: ContainerConfig,
    /// What the layers hold.
    #[serde(default, deserialize_with = "null_is_default")]
    pub rootfs: RootFs,
}

/// How a container is run, if nobody says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerConfig {
    /// Environment, `NAME=value`.
    #[serde(default)]
    pub env: Option<Vec<String>>,
    /// Arguments, or the command if there is no entry point.
    #[serde(default)]
    pub cmd: Option<Vec<String>>,
    /// The command.
    #[serde(default)]
    pub entrypoint: Option<Vec<String>>,
    /// `user[:group]`, names or numbers.
    #[serde(default, deserialize_with = "null_is_default")]
    pub user: String,
    /// Where the command starts.
    #[serde(default, deserialize_with = "null_is_default")]
    pub working_dir: String,
    /// Whatever its author wanted to say.
    #[serde(default)]
    pub labels: Option<BTreeMap<String, String>>,
}

/// The layers' contents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct RootFs {
    /// The digests of the layers before compression, the lowest first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub diff_ids: Vec<Digest>,
}

impl ImageConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    ///
    /// Malformed JSON, or a field of another type than it must have.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseConfigError> {
        serde_json::from_slice(bytes).map_err(|error| ParseConfigError {
            problem: error.to_string(),
        })
    }
}

/// Says what is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseConfigError {
    problem: String,
}

impl fmt::Display for ParseConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "image configuration: {}", self.problem)
    }
}

impl std::error::Error for ParseConfigError {}
