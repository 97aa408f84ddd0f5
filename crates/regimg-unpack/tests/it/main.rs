//! What the crate promises, tried on layers that are written one entry a line.
//!
//! Each case runs with both ways of resolving names, and as root and as somebody else where
//! the tests are run by root. What lies around the root is compared before and after.

#![expect(
    clippy::disallowed_methods,
    reason = "the tests make sandboxes and look at them, by path"
)]
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "in tests a panic is the answer, and a line is how a skipped test says so"
)]

mod fixture;

mod api;
#[cfg(feature = "tokio")]
mod asynchronous;
mod attacks;
mod containers;
mod headers;
mod limits;
mod links;
mod metadata;
mod names;
mod parents;
mod peers;
mod race;
mod replace;
mod sparse;
mod whiteouts;
