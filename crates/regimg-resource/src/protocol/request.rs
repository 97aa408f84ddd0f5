//! The requests, field by field as Concourse sends them. Nothing here has
//! behaviour: [`crate::resolve`] turns a [`Source`] into something to talk to.

use std::fmt;

use serde::de::{Deserializer, Error as _, Visitor};
use serde::{Deserialize, Serialize};

use regimg_core::Secret;

use super::decode::RAW_TEXT;

/// What `check` reads on stdin.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename = "commands.CheckRequest")]
pub struct CheckRequest {
    /// The resource's configuration.
    pub source: Source,
    /// The newest version that Concourse knows: the cursor.
    pub version: Option<RequestedVersion>,
}

/// What `in` reads on stdin.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename = "resource.InRequest")]
pub struct GetRequest {
    /// The resource's configuration.
    pub source: Source,
    /// The parameters of the get step.
    pub params: GetParams,
    /// The version to fetch.
    pub version: RequestedVersion,
}

/// What `out` reads on stdin.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename = "resource.OutRequest")]
pub struct PutRequest {
    /// The resource's configuration.
    pub source: Source,
    /// The parameters of the put step.
    pub params: PutParams,
}

/// A version as it comes back from Concourse: unchecked text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename = "resource.Version")]
pub struct RequestedVersion {
    /// The tag; may be empty in a version that pins a digest alone.
    pub tag: String,
    /// The digest, `sha256:…`.
    pub digest: String,
}

/// The `source` of a resource of this type.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename = "resource.Source")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the protocol's fields are what they are"
)]
pub struct Source {
    /// The image's repository, such as `alpine` or `ghcr.io/a/b`.
    pub repository: String,
    /// Allows plain http where https is not offered.
    pub insecure: bool,
    /// The one tag to follow and to push.
    pub tag: TagValue,
    /// Lets pre-releases count as versions.
    pub pre_releases: bool,
    /// Further prefixes of pre-releases than alpha, beta and rc.
    pub pre_release_prefixes: Vec<String>,
    /// Follows tags that end in `-<variant>` only.
    pub variant: String,
    /// Restricts versions, in Masterminds' syntax.
    pub semver_constraint: String,
    /// Follows the tags that match this RE2 pattern.
    pub tag_regex: String,
    /// Orders `tag_regex` matches by the image's creation time.
    pub created_at_sort: bool,
    /// Orders `tag_regex` matches by the version that the group `version` captures.
    pub version_group_sort: bool,
    /// Ignores the tags that match this RE2 pattern.
    pub tag_exclude_regex: String,
    /// How versions are written: `semver` (also when empty) or `numeric`.
    pub version_scheme: String,
    /// The greatest plain integer that counts as a version.
    pub max_integer_version: Option<u64>,
    /// Shows annotations whose keys match in the metadata.
    pub annotation_regex: String,
    /// Shows labels whose keys match in the metadata.
    pub label_regex: String,
    /// Logs in with this name.
    pub username: String,
    /// Logs in with this password or token.
    pub password: MaybeSecret,
    /// ECR: access key.
    pub aws_access_key_id: String,
    /// ECR: secret key.
    pub aws_secret_access_key: MaybeSecret,
    /// ECR: session token.
    pub aws_session_token: MaybeSecret,
    /// ECR: region; switches ECR on.
    pub aws_region: String,
    /// ECR: registry id (deprecated).
    pub aws_ecr_registry_id: String,
    /// ECR: role to assume.
    pub aws_role_arn: String,
    /// ECR: roles to assume one after another.
    pub aws_role_arns: Vec<String>,
    /// ECR: account whose registry is meant.
    pub aws_account_id: String,
    /// ACR: switches Azure authentication on.
    pub azure_acr: bool,
    /// ACR: client id of the managed identity.
    pub azure_client_id: String,
    /// ACR: tenant of the identity.
    pub azure_tenant_id: String,
    /// ACR: cloud.
    pub azure_environment: String,
    /// A pull-through mirror of Docker Hub that is asked first.
    pub registry_mirror: Option<RegistryMirror>,
    /// Notary configuration for signing on put.
    pub content_trust: Option<ContentTrust>,
    /// Further certificate authorities, each a PEM text.
    pub ca_certs: Vec<String>,
    /// The platform to pick from an index.
    pub platform: Option<PlatformSpec>,
    /// Prints what is asked of the registry, and plain lines instead of bars.
    pub debug: bool,
}

/// `registry_mirror`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename = "resource.RegistryMirror")]
pub struct RegistryMirror {
    /// The mirror's host, with port.
    pub host: String,
    /// Logs in to the mirror with this name.
    pub username: String,
    /// Logs in to the mirror with this password.
    pub password: MaybeSecret,
}

/// `content_trust`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename = "resource.ContentTrust")]
pub struct ContentTrust {
    /// The notary server.
    pub server: String,
    /// Id of the repository key.
    pub repository_key_id: String,
    /// The repository key, PEM.
    pub repository_key: MaybeSecret,
    /// Passphrase of the repository key.
    pub repository_passphrase: MaybeSecret,
    /// Client key for the server.
    pub tls_key: MaybeSecret,
    /// Client certificate for the server.
    pub tls_cert: String,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// Logs in to the server with this name.
    pub username: String,
    /// Logs in to the server with this password.
    pub password: MaybeSecret,
}

/// `platform`, of the source or of a get step.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename = "resource.PlatformField")]
pub struct PlatformSpec {
    /// Architecture, `amd64` or with a variant `arm64/v8`.
    pub architecture: String,
    /// Operating system, `linux`.
    pub os: String,
}

/// The parameters of a get step.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename = "resource.GetParams")]
pub struct GetParams {
    /// `rootfs` (also when empty), `oci` or `oci-layout`.
    pub format: String,
    /// Overrides fields of the source's platform.
    pub platform: Option<PlatformSpec>,
    /// The platforms that an OCI layout is to hold, `os/architecture[/variant]`; none means
    /// all there are.
    pub platforms: Vec<String>,
    /// Fetches nothing, writes the version's files only.
    pub skip_download: bool,
}

/// The parameters of a put step.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename = "resource.PutParams")]
pub struct PutParams {
    /// The image's path below the step's directory.
    pub image: String,
    /// A version to push as a tag.
    pub version: String,
    /// Moves `latest`, major and minor tags along.
    pub bump_aliases: bool,
    /// Path of a file with further tags.
    pub additional_tags: String,
    /// Put before each further tag.
    pub tag_prefix: String,
}

/// A tag as YAML wrote it: `tag: 42.10` arrives as a number and means the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagValue(pub String);

impl<'de> Deserialize<'de> for TagValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Raw;
        impl<'de> Visitor<'de> for Raw {
            type Value = TagValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a tag")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                raw: D,
            ) -> Result<TagValue, D::Error> {
                let raw = <&str>::deserialize(raw)?;
                match raw.as_bytes().first() {
                    Some(b'"') => serde_json::from_str(raw)
                        .map(TagValue)
                        .map_err(D::Error::custom),
                    _ if raw == "null" => Ok(TagValue::default()),
                    _ => Ok(TagValue(raw.to_owned())),
                }
            }
        }
        deserializer.deserialize_newtype_struct(RAW_TEXT, Raw)
    }
}

/// A field that must never be printed, empty when it was not given.
#[derive(Clone, Debug)]
pub struct MaybeSecret(pub Secret);

impl MaybeSecret {
    /// Says whether the field was left out.
    pub fn is_empty(&self) -> bool {
        self.0.expose().is_empty()
    }
}

impl Default for MaybeSecret {
    fn default() -> Self {
        Self(Secret::new(String::new()))
    }
}

impl<'de> Deserialize<'de> for MaybeSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}
