//! regimg-select as its users see it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod registry;
mod vectors;

mod constraint;
mod follow;
mod glob;
mod pattern;
mod push;
mod selection;
mod semver;
