//! Applies OCI image layers to a directory: every attribute kept, nothing outside the root.
//!
//! ```
//! use regimg_unpack::{Options, Root, apply_all};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let layers: Vec<std::fs::File> = Vec::new();
//! let root = Root::open(directory.path())?;
//! let outcome = apply_all(layers, &root, &Options::default(), &mut ())?;
//! println!("{} entries, {} bytes", outcome.entries, outcome.bytes);
//! # Ok(())
//! # }
//! ```
//!
//! [`apply`] takes one layer, [`apply_all`] an image's, which it reads and decompresses ahead;
//! with the feature `tokio`, `apply_async` takes one that arrives through an `AsyncRead`. A
//! layer is a tar archive, as it is or in gzip or zstd; its first bytes decide.
//!
//! # Semantics
//!
//! | in the layer | in the directory |
//! | --- | --- |
//! | `a`, `./a`, `/a`, `x/../a`, `../../a` | `a` |
//! | `a/b` without `a` | `a`, mode 0755, of whoever unpacks |
//! | `a/b` where `a` links to `/c` | `c/b` |
//! | a directory over a directory | both, with the new one's attributes |
//! | anything else over anything | the new one |
//! | a name twice | the last |
//! | a hard link | another name for what the target's name leads to; its own attributes |
//! | `.wh.a` | no `a` of lower layers; of this one, it stays |
//! | `d/.wh..wh..opq` | nothing in `d` of lower layers |
//! | `.wh.`, `.wh..`, `.wh...` | an error |
//! | `SCHILY.xattr.user.a=1` | the extended attribute; a [`Warning`] where it is not allowed |
//! | a device | nothing, or the device ([`Devices`]) |
//! | owners | as root those of the archive, else one's own ([`Ownership`]) |
//! | times | to the nanosecond, those of directories last |
//! | holes (GNU, pax 0.0, 0.1, 1.0) | holes |
//!
//! What other readers of archives take in different ways is refused: two extended headers
//! for one entry, digits behind a NUL, a block of zeros on its own.
//!
//! # Security
//!
//! A layer's bytes are hostile until proved otherwise, which they never are; whoever else can
//! write to the directory meanwhile is, too. After [`Root::open`] no path is used any more:
//! every name is resolved below the root's descriptor, by `openat2` with
//! `RESOLVE_IN_ROOT`, or component by component where there is no such call. What exists is
//! never opened to be written. Memory is bounded by buffers of fixed size and about 100 bytes
//! an entry; [`Limits`] bound the rest, and their errors name them.
//!
//! What this does not give: verification of a layer's own digest, which is for whoever reads
//! it (every layer is read to its last byte, so that a reader can), though
//! [`Options::diff_ids`] compares the archives'; and privacy, for which the directory belongs
//! in one that other users cannot enter.
//!
//! # Features
//!
//! | feature | gives |
//! | --- | --- |
//! | `tokio` | `apply_async` |

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
mod xattrs;

mod ahead;
#[cfg(feature = "tokio")]
mod asynchronous;
mod decompress;
mod pipe;
mod source;
mod tar;

pub use apply::{apply, apply_all};
#[cfg(feature = "tokio")]
pub use asynchronous::apply_async;
pub use error::{Error, ErrorKind};
pub use options::{Devices, Limits, Options, Ownership};
pub use progress::{Outcome, Progress, Warning};
pub use root::Root;
