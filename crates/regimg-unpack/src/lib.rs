//! Applies OCI image layers to a directory: every attribute kept, nothing outside the root.

mod error;
mod options;
mod progress;
mod root;

mod apply;
mod names;
mod path;
mod proc;
mod remove;
mod walk;

mod ahead;
mod decompress;
mod source;
mod tar;

pub use apply::{apply, apply_all};
pub use error::{Error, ErrorKind};
pub use options::{Devices, Limits, Options, Ownership};
pub use progress::{Outcome, Progress, Warning};
pub use root::Root;
