//! regimg-select as its users see it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod registry;
mod vectors;

mod beyond;
mod bounds;
mod constraint;
mod follow;
mod glob;
mod listing;
mod pattern;
mod push;
mod selection;
mod semver;
