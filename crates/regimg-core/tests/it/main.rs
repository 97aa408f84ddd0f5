//! regimg-core as its users see it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod digest;
mod manifest;
mod name;
mod platform;
