//! The values that everyone who speaks with an OCI registry needs: names,
//! digests, platforms, manifests and verification, without any I/O.
//!
//! ```
//! use regimg_core::{Identifier, Manifest, Platform, RawManifest, Reference};
//!
//! let reference = Reference::parse("docker.io/alpine:3.20")?;
//! assert_eq!(reference.repository().registry().host(), "index.docker.io");
//! assert_eq!(reference.repository().path(), "library/alpine");
//! assert_eq!(reference.identifier(), Identifier::parse("3.20")?);
//!
//! // What a registry answered, kept byte for byte.
//! let body = r#"{"schemaVersion": 2, "manifests": [{
//!     "mediaType": "application/vnd.oci.image.manifest.v1+json",
//!     "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
//!     "size": 2,
//!     "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}
//! }]}"#;
//! let raw = RawManifest::new(None, body.into());
//! let Manifest::Index(index) = raw.parse()? else { unreachable!("it lists manifests") };
//!
//! assert_eq!(index.select(&Platform::parse("linux/aarch64")?)?.size, 2);
//! assert_eq!(
//!     index.select(&Platform::parse("linux/s390x")?).unwrap_err().to_string(),
//!     "no image for linux/s390x in the index; it has linux/arm64/v8",
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is meant by what is written
//!
//! | Written | Meant |
//! | --- | --- |
//! | `alpine`, `docker.io/alpine` | `index.docker.io/library/alpine` |
//! | `a/b` | `index.docker.io/a/b` |
//! | `localhost/ab`, `host:5000/ab`, `ghcr.io/a/b`, `[::1]:5000/ab` | that registry |
//! | `alpine` as a [`Reference`] | the tag `latest` |
//! | `alpine:3.20@sha256:…` | the digest |
//! | `linux/arm64/v8`, `arm64`, `linux/aarch64` | the same [`Platform`] |
//! | `null` for a list, a map or a text in JSON | an empty one |
//! | a manifest without `mediaType` | what its fields tell: see [`RawManifest`] |
//!
//! # What holds
//!
//! - No input makes a function panic, and none is read by recursion without
//!   limit.
//! - What was printed can be parsed again and is equal.
//! - Errors about documents fit one line of a log, whatever the document.
//! - A [`Digest`], [`Tag`], [`Repository`] and [`Registry`] hold nothing that
//!   leads a URL or a file name elsewhere: no `..`, `?`, `%` or blank.
//! - A [`Verifier`] calls content good only when its last byte has passed.
//!
//! There are no features, and no other crate's types in the API except
//! [`bytes::Bytes`] and serde's traits.

mod name;

mod digest;
mod verify;

mod media_type;
mod platform;

mod descriptor;
mod index;
mod json;
mod manifest;
mod raw_manifest;

mod config;

mod excerpt;
mod secret;

pub use config::{ContainerConfig, ImageConfig, ParseConfigError, RootFs};
pub use descriptor::Descriptor;
pub use digest::{Algorithm, Digest, Hasher, ParseDigestError};
pub use index::{Index, NoPlatform};
pub use manifest::{ImageManifest, Manifest, ParseManifestError, ParseManifestErrorKind};
pub use media_type::{Compression, MediaType};
pub use name::{Identifier, ParseReferenceError, Reference, Registry, Repository, Tag};
pub use platform::{ParsePlatformError, Platform};
pub use raw_manifest::RawManifest;
pub use secret::Secret;
pub use verify::{Verifier, VerifyError, VerifyErrorKind};

/// Runs the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
