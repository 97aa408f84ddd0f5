//! Names, digests, platforms, manifests and verification for OCI registries: the
//! values that everyone who speaks with a registry needs, and no I/O.
//!
//! ```
//! use regimg_core::{Algorithm, Digest, Identifier, Reference, Verifier};
//!
//! let reference = Reference::parse("docker.io/alpine:3.20")?;
//! assert_eq!(reference.repository().registry().host(), "index.docker.io");
//! assert_eq!(reference.repository().path(), "library/alpine");
//! assert_eq!(reference.identifier().to_string(), "3.20");
//!
//! let digest = Digest::of(Algorithm::Sha256, b"a layer");
//! let mut verifier = Verifier::new(&digest, Some(7));
//! verifier.update(b"a layer")?;
//! verifier.finish()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | Written | Meant |
//! | --- | --- |
//! | `alpine`, `docker.io/alpine` | `index.docker.io/library/alpine` |
//! | `a/b` | `index.docker.io/a/b` |
//! | `localhost/a`, `host:5000/a`, `ghcr.io/a/b`, `[::1]:5000/a` | that registry |
//! | `linux/arm64/v8`, `arm64`, `aarch64` | the same platform |
//! | a manifest without `mediaType` | an index if it lists `manifests`, else an image |

mod config;
mod descriptor;
mod digest;
mod lenient;
mod manifest;
mod media_type;
mod name;
mod platform;
mod secret;
mod verify;

pub use config::{ContainerConfig, ImageConfig, ParseConfigError, RootFs};
pub use descriptor::Descriptor;
pub use digest::{Algorithm, Digest, Hasher, ParseDigestError};
pub use manifest::{ImageManifest, Index, Manifest, NoPlatform, ParseManifestError, RawManifest};
pub use media_type::{Compression, MediaType};
pub use name::{Identifier, ParseReferenceError, Reference, Registry, Repository, Tag};
pub use platform::{ParsePlatformError, Platform};
pub use secret::Secret;
pub use verify::{Verifier, VerifyError, VerifyErrorKind};

/// Runs the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
