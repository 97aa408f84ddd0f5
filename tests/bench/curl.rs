//! curl, as a registry's client without a mind of its own.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use regimg_tests::Peer;

use super::measure::call;

/// Blobs that the client has under way at one time.
pub(crate) const BLOBS_AT_ONCE: &str = "4";

pub(crate) struct Curl(Peer);

impl Curl {
    pub(crate) fn find() -> Result<Self> {
        Peer::find("curl").context("curl is needed").map(Self)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn one(&self) -> Command {
        let mut curl = call(self.path());
        // Over HTTP/2 curl 7.88 and this registry end most of hundreds of look-ups with a
        // protocol error.
        curl.args(["--silent", "--fail", "--globoff", "--http1.1"]);
        curl
    }

    /// Calls curl for many addresses side by side.
    pub(crate) fn many(&self, at_once: &str) -> Command {
        let mut curl = self.one();
        curl.args([
            "--parallel",
            "--parallel-immediate",
            "--parallel-max",
            at_once,
        ]);
        curl
    }
}
