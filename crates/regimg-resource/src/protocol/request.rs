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
    /// The image's repository. Without a host it is Docker Hub's, one word is below `library/`.
    /// With a digest (`app@sha256:...`, `app:1.0@sha256:...`) it is that one image, which is
    /// then the only version.
    ///
    /// Required. Example: `ghcr.io/example/app`.
    pub repository: String,
    /// Lets the registry be spoken to over plain http if it does not answer https. Loopback and
    /// private (RFC 1918) addresses need no such leave. Certificates are verified all the same.
    ///
    /// Default: `false`. Example: `true`.
    pub insecure: bool,
    /// The one tag to follow and to push. A number without quotes means its text, `1.10` too.
    ///
    /// Default: none. Example: `latest`.
    pub tag: TagValue,
    /// Lets pre-releases count as versions: those that begin with `alpha`, `beta` or `rc`.
    ///
    /// Default: `false`. Example: `true`.
    pub pre_releases: bool,
    /// More beginnings of pre-releases that count. With any, pre-releases may hold a hyphen.
    ///
    /// Default: none. Example: `[nightly]`.
    pub pre_release_prefixes: Vec<String>,
    /// Takes only tags that end in a hyphen and this, and the tag that is named like it instead
    /// of `latest`.
    ///
    /// Default: none. Example: `alpine`.
    pub variant: String,
    /// Takes only versions that satisfy it, in the syntax of Masterminds/semver. With it,
    /// `latest` is no version.
    ///
    /// Default: none. Example: `>= 1.2, < 3`.
    pub semver_constraint: String,
    /// Takes the tags in which this RE2 pattern matches somewhere, in the registry's order,
    /// instead of versions.
    ///
    /// Default: none. Example: `^build-[0-9]+$`.
    pub tag_regex: String,
    /// Orders the tags that match `tag_regex` by the creation time in their images'
    /// configurations, newest last.
    ///
    /// Default: `false`. Example: `true`.
    pub created_at_sort: bool,
    /// Orders the tags that match `tag_regex` by the version that its group `version` captures.
    ///
    /// Default: `false`. Example: `true`, with `tag_regex: ^jdk-(?P<version>[0-9.]+)`.
    pub version_group_sort: bool,
    /// Ignores the tags in which this RE2 pattern matches somewhere, as if they were not
    /// listed.
    ///
    /// Default: none. Example: `-(windows|nano)`.
    pub tag_exclude_regex: String,
    /// How versions are written: `semver` is one to three numbers, `numeric` any number of
    /// numbers.
    ///
    /// Default: `semver`. Example: `numeric`.
    pub version_scheme: String,
    /// The greatest whole number that counts as a version when it stands alone; dates like
    /// `20240105` are greater than all versions.
    ///
    /// Default: no limit. Example: `9999`.
    pub max_integer_version: Option<u64>,
    /// Shows the annotations whose keys match this RE2 pattern beside a fetched version.
    ///
    /// Default: none. Example: `^org\.opencontainers`.
    pub annotation_regex: String,
    /// Shows the labels whose keys match this RE2 pattern beside a fetched version.
    ///
    /// Default: none. Example: `^maintainer$`.
    pub label_regex: String,
    /// The name to log in with, to registries that want it with every request and to those that
    /// hand out tokens.
    ///
    /// Default: anonymous. Example: `((registry.username))`.
    pub username: String,
    /// The password or token to log in with. One without the other is an error.
    ///
    /// Default: anonymous. Example: `((registry.password))`.
    pub password: MaybeSecret,
    /// The text of a Docker `config.json`, whose entry for a registry logs in there: to the
    /// registry and to the mirror, each unless it has a `username` of its own.
    ///
    /// Default: none. Example: `((registry.docker_config))`.
    pub docker_config_json: MaybeSecret,
    /// ECR: the access key to begin with. Without keys the environment, a profile, a web identity,
    /// ECS or EC2 says who asks.
    ///
    /// Default: what AWS provides. Example: `((aws.access_key_id))`.
    pub aws_access_key_id: String,
    /// ECR: the secret of the access key.
    ///
    /// Default: what AWS provides. Example: `((aws.secret_access_key))`.
    pub aws_secret_access_key: MaybeSecret,
    /// ECR: what goes with a temporary access key (`ASIA...`).
    ///
    /// Default: none. Example: `((aws.session_token))`.
    pub aws_session_token: MaybeSecret,
    /// ECR: the region of the registry, and where roles are assumed. It puts `repository` into
    /// the account's registry there, unless `repository` names one of ECR itself.
    ///
    /// Default: that of the registry in `repository`. Example: `eu-west-1`.
    pub aws_region: String,
    /// ECR: the account whose registry AWS is asked for. Deprecated: say `aws_account_id`.
    ///
    /// Default: the account that asks. Example: `"123456789012"`.
    pub aws_ecr_registry_id: String,
    /// ECR: the role to assume.
    ///
    /// Default: none. Example: `arn:aws:iam::123456789012:role/puller`.
    pub aws_role_arn: String,
    /// ECR: roles to assume one after the other, instead of `aws_role_arn`.
    ///
    /// Default: none. Example: `[((aws.first_role)), ((aws.second_role))]`.
    pub aws_role_arns: Vec<String>,
    /// ECR: the account whose registry holds `repository`, which then need not be asked for.
    ///
    /// Default: the account that asks. Example: `"123456789012"`.
    pub aws_account_id: String,
    /// ECR: the external id that the trust policy of a role wants to be told.
    ///
    /// Default: none. Example: `((aws.external_id))`.
    pub aws_external_id: String,
    /// ECR: the name of the roles' sessions, as AWS's logs have it.
    ///
    /// Default: `regimg`. Example: `concourse`.
    pub aws_role_session_name: String,
    /// Logs in to Azure Container Registry, as a managed identity unless the fields below say
    /// otherwise. `repository` names the registry in full; `username` and `password` are not used.
    ///
    /// Default: `false`. Example: `true`.
    pub azure_acr: bool,
    /// Who logs in to ACR: the id of a user-assigned identity, or of an application.
    ///
    /// Default: the system-assigned identity. Example: `((azure.client_id))`.
    pub azure_client_id: String,
    /// The tenant of the registry, not that of the machine.
    ///
    /// Default: the registry is asked. Example: `((azure.tenant_id))`.
    pub azure_tenant_id: String,
    /// The registry's cloud: `AzurePublic`, `AzureGovernment` or `AzureChina`.
    ///
    /// Default: by the name, `.azurecr.us` and `.azurecr.cn`. Example: `AzureGovernment`.
    pub azure_environment: String,
    /// Logs in to ACR as a service principal: the secret of the application `azure_client_id`.
    ///
    /// Default: none. Example: `((azure.client_secret))`.
    pub azure_client_secret: MaybeSecret,
    /// Logs in to ACR by a token that `azure_client_id` trusts (workload identity federation).
    ///
    /// Default: none. Example: `((azure.federated_token))`.
    pub azure_federated_token: MaybeSecret,
    /// The same, with the path of a file that holds the token.
    ///
    /// Default: by `AZURE_FEDERATED_TOKEN_FILE`. Example: `/var/run/secrets/azure/tokens/azure-identity-token`.
    pub azure_federated_token_file: String,
    /// A mirror of Docker Hub that is asked first. For other registries it says nothing.
    ///
    /// Default: none. Example: `{host: mirror.example.com}`.
    pub registry_mirror: Option<RegistryMirror>,
    /// Signs what `out` pushes, for Docker Content Trust: see [signing](#signing). `check` and `in`
    /// take no notice of it.
    ///
    /// Default: nothing is signed. Example: `{repository_key_id: ((trust.key_id)), repository_key: ((trust.key)),
    /// repository_passphrase: ((trust.passphrase))}`.
    pub content_trust: Option<ContentTrust>,
    /// More certificate authorities to trust, each a PEM text. A server's own certificate may
    /// be one.
    ///
    /// Default: the system's. Example: `[((ca.certificate))]`.
    pub ca_certs: Vec<String>,
    /// Accepts whatever certificate the registry shows. Whoever is on the way can then read the
    /// login and replace what a tag names; each run says so. `ca_certs` is almost always better.
    ///
    /// Default: `false`. Example: `true`.
    pub skip_tls_verify: bool,
    /// The certificate to show to a registry that asks for one, PEM, with those between it and
    /// its authority behind it.
    ///
    /// Default: none. Example: `((registry.client_cert))`.
    pub client_cert: String,
    /// The private key of `client_cert`, PEM, not encrypted.
    ///
    /// Default: none. Example: `((registry.client_key))`.
    pub client_key: MaybeSecret,
    /// The platform to take from an image of several.
    ///
    /// Default: `linux` and the worker's architecture. Example: `{architecture: arm64/v8}`.
    pub platform: Option<PlatformSpec>,
    /// Requests under way at one time, apart from transfers of layers.
    ///
    /// Default: 24. Example: `4`.
    pub max_concurrent_requests: Option<u64>,
    /// Layers under way at one time, down or up.
    ///
    /// Default: 4. Example: `2`.
    pub max_concurrent_downloads: Option<u64>,
    /// Writes a line for each request to stderr, and no progress bars.
    ///
    /// Default: `false`. Example: `true`.
    pub debug: bool,
}

/// `registry_mirror`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename = "resource.RegistryMirror")]
pub struct RegistryMirror {
    /// The mirror's address; it may have a scheme, a port and a path.
    ///
    /// Required. Example: `https://harbor.example.com/dockerhub`.
    pub host: String,
    /// The name to log in to the mirror with. The login of the source is for the origin only.
    ///
    /// Default: anonymous. Example: `((mirror.username))`.
    pub username: String,
    /// The password to log in to the mirror with.
    ///
    /// Default: anonymous. Example: `((mirror.password))`.
    pub password: MaybeSecret,
    /// As in the source, for the mirror alone: what the source says is for the origin only.
    ///
    /// Default: `false`. Example: `true`.
    pub skip_tls_verify: bool,
    /// The certificate to show to the mirror, PEM. That of the source is for the origin only.
    ///
    /// Default: none. Example: `((mirror.client_cert))`.
    pub client_cert: String,
    /// The private key of `client_cert`, PEM, not encrypted.
    ///
    /// Default: none. Example: `((mirror.client_key))`.
    pub client_key: MaybeSecret,
}

/// `content_trust`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename = "resource.ContentTrust")]
pub struct ContentTrust {
    /// The address of the notary server, by `https`.
    ///
    /// Default: the registry's host; for Docker Hub `https://notary.docker.io`. Example: `https://notary.example.com:4443`.
    pub server: String,
    /// The ID of the key, which is also the name of its file, without `.key`.
    ///
    /// Required. Example: `((trust.key_id))`.
    pub repository_key_id: String,
    /// The private key of the targets, or of a delegation that may sign all of the tags: what is in
    /// its file, PEM. ECDSA on P-256.
    ///
    /// Required. Example: `((trust.key))`.
    pub repository_key: MaybeSecret,
    /// The passphrase of the key, if it is encrypted.
    ///
    /// Default: none. Example: `((trust.passphrase))`.
    pub repository_passphrase: MaybeSecret,
    /// The private key of `tls_cert`, PEM, not encrypted.
    ///
    /// Default: none. Example: `((trust.client_key))`.
    pub tls_key: MaybeSecret,
    /// The certificate to show to the notary server if it asks for one, PEM. That of the source is
    /// for the registry only.
    ///
    /// Default: none. Example: `((trust.client_cert))`.
    pub tls_cert: String,
    /// What the notary server's token service is asked to allow: `pull`, `push,pull`,
    /// `push,pull,delete` or `catalog`. Signing takes the second.
    ///
    /// Default: `push,pull`. Example: `push,pull,delete`.
    pub scopes: String,
    /// The name to log in to the notary server with.
    ///
    /// Default: the login of the source. Example: `((trust.username))`.
    pub username: String,
    /// The password to log in to the notary server with.
    ///
    /// Default: the login of the source. Example: `((trust.password))`.
    pub password: MaybeSecret,
}

/// `platform`, of the source or of a get step.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename = "resource.PlatformField")]
pub struct PlatformSpec {
    /// The architecture in Go's spelling, with or without a variant.
    ///
    /// Default: the worker's. Example: `arm64/v8`.
    pub architecture: String,
    /// The operating system.
    ///
    /// Default: `linux`. Example: `windows`.
    pub os: String,
}

/// The parameters of a get step.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename = "resource.GetParams")]
pub struct GetParams {
    /// What is left for later steps: `rootfs` is the image's files, `oci` one archive for
    /// `docker load`, `oci-layout` a directory of every image of the version, for mirroring.
    ///
    /// Default: `rootfs`. Example: `oci-layout`.
    pub format: String,
    /// The platform to take from an image of several, over the source's field by field. In an
    /// `oci-layout` it says which image `labels.json` and the like are about.
    ///
    /// Default: the source's. Example: `{architecture: arm64/v8}`.
    pub platform: Option<PlatformSpec>,
    /// The platforms that an `oci-layout` is to hold, each `os/architecture` or
    /// `os/architecture/variant`.
    ///
    /// Default: all there are. Example: `[linux/amd64, linux/arm64]`.
    pub platforms: Vec<String>,
    /// Fetches no image and writes the version's files only. The registry is asked for nothing
    /// that `label_regex`, `annotation_regex` or a version without a digest do not need.
    ///
    /// Default: `false`. Example: `true`.
    pub skip_download: bool,
}

/// The parameters of a put step.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename = "resource.PutParams")]
pub struct PutParams {
    /// The image's path below the step's directory: an archive, or the directory of an OCI
    /// layout. It may have the wildcards `*`, `?` and `[a-z]`, and must match one thing.
    ///
    /// Required. Example: `image/image.tar`.
    pub image: String,
    /// A version. Its tag is the version in full, without a `v`, with `source.variant` behind it.
    ///
    /// Default: none. Example: `1.2.3`.
    pub version: String,
    /// Moves the aliases of the version along: `latest` (or the variant), `1` and `1.2`, each
    /// unless the repository has something newer that it stands for.
    ///
    /// Default: `false`. Example: `true`.
    pub bump_aliases: bool,
    /// The path of a file with more tags, separated by white space.
    ///
    /// Default: none. Example: `build/tags`.
    pub additional_tags: String,
    /// Stands before each tag of that file.
    ///
    /// Default: none. Example: `ci-`.
    pub tag_prefix: String,
    /// More tags, each as it is. Numbers without quotes mean their text.
    ///
    /// Default: none. Example: `[nightly, build-7]`.
    pub tags: Vec<TagValue>,
    /// How layers of a docker archive are compressed that are not yet: `gzip` or `zstd`. Images
    /// with zstd layers are pushed as OCI images.
    ///
    /// Default: `gzip`. Example: `zstd`.
    pub compression: String,
    /// How well they are compressed: 0 to 9 for gzip, 1 to 19 for zstd. Beyond 9, zstd takes more
    /// than 64 MiB of memory.
    ///
    /// Default: 2 for gzip, 3 for zstd. Example: `6`.
    pub compression_level: Option<u64>,
    /// Repositories of the same registry that may have blobs of the image, which are then taken
    /// over from there instead of being sent. What the image says of its origin is tried too.
    ///
    /// Default: none. Example: `[team/base]`.
    pub mount_from: Vec<String>,
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
