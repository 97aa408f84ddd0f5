//! What the crate promises, tried on layers that are written one entry a line.
//!
//! Each case runs with both ways of resolving names, and as root and as somebody else where
//! the tests are run by root. What lies around the root is compared before and after.

mod fixture;

mod api;
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
