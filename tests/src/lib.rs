//! Fixtures for tests and demonstrations: a registry that can misbehave, images made of lines, listings of trees.
//!
//! Nothing here uses the crates under test; digests, archives and protocol are worked out anew.
//!
//! ```
//! use regimg_tests::registry::Registry;
//! use regimg_tests::{Artifact, Image, Layer};
//!
//! let image = Image::builder().layer(Layer::parse("file etc/motd \"hello\"")).build();
//! let registry = Registry::start();
//! assert_eq!(registry.publish("library/a", "latest", &image), image.digest());
//! ```

pub mod aws;
pub mod notary;
pub mod process;
pub mod registry;
pub mod tls;
pub mod tree;

mod background;
mod base64;
mod content;
mod digest;
mod image;
mod layer;
mod link;
mod moto;
mod peer;
mod proxy;

pub use content::Content;
pub use digest::Digest;
pub use image::{
    ArchiveLayers, Artifact, Blob, Descriptor, DockerArchive, Image, ImageBuilder, Index,
    IndexBuilder, OciLayout, Platform, read_layout,
};
pub use layer::{Compression, Layer};
pub use link::Link;
pub use moto::Moto;
pub use peer::{DockerRegistry, DockerSettings, Peer};
pub use process::{Finished, Process, Running};
pub use proxy::{Proxied, Proxy};
