//! The black-box suite: requests in, answers, messages and files out.
//!
//! The cases run in this process, or, with `REGIMG_RESOURCE_DIR=/opt/resource`, against
//! the programs `check`, `in` and `out` in that directory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod architecture;
mod check;
mod dockerfile;
mod driver;
mod ecr;
mod get;
mod hub;
mod login;
mod pages;
mod peers;
mod protocol;
mod put;
mod trust;
