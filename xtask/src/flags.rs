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
        /// Measure regimg against other people's programs.
        cmd bench {
            /// Check repositories of 50 to 5000 tags at 0 to 80 ms, side by side and one
            /// look-up after another.
            cmd check {}
            /// Fetch images in every format from docker-registry on loopback, at full speed
            /// and over a line of 100 Mbit/s and 20 ms, side by side with skopeo, umoci,
            /// podman and curl as far as they are installed.
            cmd in {
                /// The directory of `cargo xtask images`; target/images if not given. What
                /// is missing there is built.
                optional --images directory: PathBuf
                /// The line to fetch over, `full` or `slow`; both if not given.
                optional --line name: String
                /// The images to fetch; all of them if none is named.
                repeated names: String
            }
            /// Push images to docker-registry on loopback, for the first and for the second
            /// time, with one layer new, and as an archive whose layers are not compressed,
            /// side by side with skopeo and curl.
            cmd out {
                /// The directory of `cargo xtask images`; target/images if not given. What
                /// is missing there is built.
                optional --images directory: PathBuf
                /// The images to push; all of them if none is named.
                repeated names: String
            }
            /// Look up, download and upload with the registry client alone, side by side
            /// with curl, sha256sum and skopeo.
            cmd registry {}
            /// Unpack images, side by side with umoci, bsdtar and tar as far as they are
            /// installed, and with each half of the work alone.
            cmd unpack {
                /// The directory of `cargo xtask images`; target/images if not given. What
                /// is missing there is built.
                optional --images directory: PathBuf
                /// The directory to unpack into; target/bench if not given. Whatever is in
                /// its `root` is removed.
                optional --scratch directory: PathBuf
                /// How often everything runs; 3 if not given.
                optional --runs count: usize
                /// The images to unpack; all of them if none is named.
                repeated names: String
            }
        }
        /// Build images of real file systems to try the resource on.
        cmd images {
            /// The directory to fill, created if need be.
            required directory: PathBuf
            /// The images to build; all of them if none is named.
            repeated names: String
        }
    }
}
