//! A careful client for OCI registries: what it hands out is verified, what breaks is resumed,
//! what is busy is waited for, and secrets stay where they belong.
//!
//! It speaks the [distribution specification] to every registry in use, with their quirks, over
//! HTTP/1.1 and HTTP/2, and tries each request again as its [`RetryPolicy`] says.
//!
//! ```
//! use regimg_core::{Identifier, Platform, Reference};
//! use regimg_registry::{Client, Config, Credential};
//!
//! # use regimg_tests::{Image, registry::Registry};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(example())
//! # }
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = Registry::start();
//! # server.publish("library/hello", "1.2", &Image::with_text("hello"));
//! # let name = format!("{}/library/hello:1.2", server.host());
//! let client = Client::new(Config::default(), Credential::Anonymous)?;
//! // For example "ghcr.io/library/hello:1.2".
//! let reference = Reference::parse(&name)?;
//! let repository = client.repository(reference.repository());
//!
//! assert_eq!(repository.tags().await?, ["1.2"]);
//!
//! let image = repository.image(&reference.identifier(), &Platform::default()).await?;
//! let regimg_core::Manifest::Image(manifest) = image.parse()? else { unreachable!() };
//! for layer in &manifest.layers {
//!     let mut blob = repository.open_blob(layer).await?;
//!     while let Some(piece) = blob.next().await? {
//!         println!("{} more bytes", piece.len());
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it does
//!
//! | Where | What |
//! | --- | --- |
//! | Address | `https`; then `http`, only for local hosts or with [`PlainHttp::Allowed`], not even there with [`PlainHttp::Never`], and never because a connection broke |
//! | Certificates | the system's authorities and [`Config::ca_certs`], which may hold a self-signed server's own; a refusal names the issuer; unverified only by [`ServerCertificates::DangerouslyIgnored`] |
//! | Client certificate | to the registry and the token server it names, see [`ClientIdentity`] |
//! | Greeting | `GET /v2/` once for each registry, however many ask at one time |
//! | `WWW-Authenticate` | `Bearer`, then `Basic`, among any number of challenges; the challenge of a refused request is answered once |
//! | `realm` | an absolute address, `https` unless the registry itself is reached by `http`; a relative one is refused, for what it is relative to is nowhere laid down |
//! | Tokens | one purchase for each scope at one time; renewed 10 seconds early, or when they are refused |
//! | Credentials | asked of a [`CredentialSource`], again when the registry refuses them; from `config.json` and helpers with the feature `docker-config`, from AWS with the feature `ecr`, from Azure with the feature `acr` |
//! | Secrets | to the registry's own origin and the token server it names; never over a redirect, never in errors or logs, even if an answer repeats them |
//! | Redirects | 10; not from `https` to `http` except for bytes that a digest vouches for; not to literal private addresses of other hosts |
//! | `429`, `503` | `Retry-After`, in seconds or as a date by the host's own clock, holds back every request to the host; half as many requests at one time, and more again step by step |
//! | `408` `429` `499` `500` `502` `503` `504` `522`, cuts, silence | tried again with growing waits |
//! | `RateLimit-…` | [`RepositoryClient::rate_limit`]; one warning when a tenth is left |
//! | `HEAD` manifest | `GET` instead, unless it answers 200 in full, 404 or 429 |
//! | Manifests by tag | the digest is that of the bytes; headers are not believed |
//! | Indexes | the best entry for a platform, over indexes within indexes; the error lists what there is |
//! | Docker schema 1 | its digest can be looked up; as an image it is refused |
//! | Blobs | resumed by `Range` and `If-Range`; the last piece comes after the digest was found right |
//! | `206`, `200`, `416` to a range | checked to begin where it must, and followed by the next when it is short; the beginning left out; asked for without a range |
//! | `Link` | followed as it stands, on the same origin; circles end |
//! | Referrers | the API, or the tag that stands in for it; a refusal is not "none" |
//! | Uploads | `HEAD`, mount, `POST`, one `PATCH`, `PUT`; resumed by the upload's status; chunks after 413; ended by `DELETE` when given up |
//! | Pushing a tree | each blob once, children before parents, tags last; foreign layers stay where they are |
//! | Digests | `sha256` and `sha512` |
//! | Signatures of tags (Docker Content Trust, Notary v1) | with the feature `notary`: the trust data is verified, the tags are added to every role of the key in one update, and what the server made of it is read back |
//!
//! # Beside other Rust clients
//!
//! What was found of [`oci-client`](https://docs.rs/oci-client/0.18.0) 0.18.0, which this crate's
//! tests run beside it wherever both can do the same:
//!
//! | | `oci-client` 0.18.0 | here |
//! | --- | --- | --- |
//! | Tags beyond the first page | by `last=` alone | by `Link`, in every form |
//! | Look-up that is refused by 429 | becomes a `GET`, which counts as a pull | waits, then asks again |
//! | `Retry-After`, retries | no | yes |
//! | Token refused or at its end | an error | one new token for all requests |
//! | Refusal by the token server | the request goes out bare | an error that says so |
//! | Refresh tokens, `config.json` | no | yes |
//! | Cut download | `Content-Range` is not checked | resumed and checked |
//! | Cut upload | an error | resumed |
//! | Upload in chunks | one `PATCH` for each item of the stream | one `PATCH`, chunks after 413 |
//! | Index within an index, variants | no | yes |
//! | Manifest or index that is pushed | re-encoded, unless given raw | its exact bytes |
//! | 300 look-ups over HTTP/2 | greets before each one | one greeting, one connection |
//! | Self-signed server certificate | refused when it says `CA:TRUE` | accepted when it is the one given |
//! | Proxies | by `reqwest`'s rules | by Go's, which `NO_PROXY` is usually written for |
//!
//! # Time
//!
//! Every wait has an end: [`Timeouts`] for single ones, [`RetryPolicy::max_elapsed`] for the tries of one
//! request, [`Config::deadline`] for everything. Dropping a future cancels what it does and leaves
//! nothing behind but, for an upload, the registry's own session. A [`Clock`] of one's own makes
//! waits testable.
//!
//! # Events
//!
//! Through [`tracing`]: `WARN` for each wait, but once where a busy host holds everybody back, and for a
//! rate limit that runs out; `DEBUG` for each
//! request. None holds a secret.
//!
//! # Limits
//!
//! Manifests of 4 MiB, 8 indexes within indexes, 10 000 pages of tags, 500 000 tags in one list,
//! 16 requests and 4 transfers at one time: all but the second are fields of [`Config`]. A page of tags
//! has at most 8 MiB and 262 144 tags. No blob is held in memory.
//! A client lives in one tokio runtime with timers and I/O enabled.
//!
//! # Features
//!
//! | Feature | Adds |
//! | --- | --- |
//! | `acr` | `Acr`, which logs in to Azure Container Registry; off by default |
//! | `docker-config` | `DockerConfig`, a source of credentials; off by default |
//! | `ecr` | `Ecr`, a source of credentials for Amazon's registries, with AWS's own libraries; off by default |
//! | `notary` | `Notary`, which signs tags at a notary server (Docker Content Trust); off by default |
//!
//! [distribution specification]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md

mod clock;
mod config;

mod blob;
mod client;
mod image;
mod json;
mod manifest;
mod push;
mod referrers;
mod repository;
mod tags;

#[cfg(feature = "acr")]
mod acr;
mod auth;
#[cfg(feature = "docker-config")]
mod docker_config;
#[cfg(feature = "ecr")]
mod ecr;
#[cfg(feature = "notary")]
mod notary;
mod ping;
mod session;

mod envelope;
mod link;
mod masking;
mod paging;
mod sync;
mod transport;

mod error;

#[cfg(feature = "__fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

#[cfg(feature = "acr")]
pub use acr::{Acr, AcrConfig, AzureCloud, AzureIdentity, FederatedToken, ManagedIdentity};
pub use auth::{Credential, CredentialError, CredentialSource};
pub use blob::{BlobOutcome, BlobReader, BlobSource};
pub use client::Client;
pub use clock::{Clock, SystemClock};
pub use config::{Config, PlainHttp, RetryPolicy, Timeouts};
#[cfg(feature = "docker-config")]
pub use docker_config::{DockerConfig, Helpers};
#[cfg(feature = "ecr")]
pub use ecr::{AwsKeys, Ecr, EcrConfig, EcrHost};
pub use error::{Error, ErrorKind};
pub use manifest::ManifestOutcome;
#[cfg(feature = "notary")]
pub use notary::{Notary, NotaryConfig, Published, Signer, SigningKey, Target};
pub use push::{Artifact, Pushed};
pub use repository::RepositoryClient;
pub use tags::TagPages;
pub use transport::{ClientIdentity, Proxy, RateLimit, ServerCertificates};
