//! The command line of `cargo xtask`.

use std::path::PathBuf;

xflags::xflags! {
    /// Automates the work on regimg.
    cmd xtask {
        /// Check everything: formatting, lints, tests, documents, dependencies, the
        /// static binary and the demo.
        cmd test {
            /// Fail where something that a check needs cannot be had, instead of
            /// leaving the check out.
            optional --ci
        }
        /// Build the static binary and the links that Concourse calls it by.
        cmd dist {
            /// The directory to fill, created if need be.
            required --out directory: PathBuf
        }
        /// Write the tables of the guide from the documentation of the protocol's types.
        cmd docs {
            /// Change nothing, and fail if there is something to change.
            optional --check
        }
        /// Show the resource at work against a registry on loopback.
        cmd demo {}
        /// Build images of real file systems to try the resource on.
        cmd images {
            /// The directory to fill, created if need be.
            required directory: PathBuf
            /// The images to build; all of them if none is named.
            repeated names: String
        }
    }
}
