//! Blobs: layers and configurations, down and up.

pub(crate) mod content_range;
mod reader;
mod source;
mod upload;

pub use reader::BlobReader;
pub use source::{BlobOutcome, BlobSource};
