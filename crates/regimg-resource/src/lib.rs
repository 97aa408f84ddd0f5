//! The registry-image resource of Concourse: `check`, `in` and `out` over OCI
//! registries, as the library behind the program `regimg`.
//!
//! Programs that want to select tags, talk to registries or unpack layers use
//! [`regimg_select`], [`regimg_registry`] and [`regimg_unpack`]; this crate joins
//! them to what Concourse sends on stdin and expects on stdout. Its one front door is
//! [`run`], which the program calls with the process's streams and which tests call
//! with their own:
//!
//! ```
//! use std::process::ExitCode;
//! use regimg_resource::{Command, Invocation, run};
//!
//! let stderr = regimg_resource::Captured::default();
//! let mut stdout = Vec::new();
//! let request = br#"{"source": {"repository": "alpine", "colour": "red"}}"#;
//! let invocation = Invocation::new(Command::Check, &request[..], &mut stdout, stderr.clone());
//!
//! assert_eq!(run(invocation).code(), 1);
//! assert!(stdout.is_empty());
//! assert!(stderr.text().contains(r#"invalid payload: json: unknown field "colour""#));
//! ```

pub mod protocol;

mod check;
mod cli;
mod error;
mod get;
mod image;
mod put;
mod remote;
mod report;
mod resolve;
mod run;
mod spool;
mod watch;

pub use cli::{Action, Command, UsageError, parse_arguments, print_help, print_version};
pub use error::{Error, Signal};
pub use report::Captured;
pub use run::{Exit, Invocation, run};
