//! The crate as its users see it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod config;
mod digest;
mod index;
mod manifest;
mod media_type;
mod name;
mod platform;
