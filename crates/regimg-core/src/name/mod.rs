//! Names of registries, repositories and images.
//!
//! The rules are those of go-containerregistry's package `name`, which decide what
//! pipelines may write: `alpine` is `index.docker.io/library/alpine`, and a first
//! component is a registry if it has a dot or a colon or is `localhost`.

mod error;
mod reference;
mod registry;
mod repository;
mod tag;

pub use error::ParseReferenceError;
pub use reference::{Identifier, Reference};
pub use registry::Registry;
pub use repository::Repository;
pub use tag::Tag;
