//! Names of things in registries: hosts, repositories, tags and references.

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
