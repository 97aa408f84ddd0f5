//! Federated tokens: given, or in a file that somebody else keeps fresh.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use regimg_core::Secret;

use super::ask;
use super::config::FederatedToken;
use crate::{Error, ErrorKind};

/// The longest token that is taken from a file. None is a tenth as long.
const LONGEST: usize = 64 << 10;

/// Reads a token; a file is read anew each time.
///
/// # Errors
///
/// [`ErrorKind::Configuration`] for a file that is not a regular one, cannot be read in time, is
/// empty, or holds more than a token.
pub(super) async fn read(token: &FederatedToken) -> Result<Secret, Error> {
    let path = match token {
        FederatedToken::Text(token) => return Ok(token.clone()),
        FederatedToken::File(path) => path.clone(),
    };
    // What a broken mount does to a thread, it shall not do to the runtime's.
    let own = path.clone();
    let reading = tokio::task::spawn_blocking(move || read_file(&own));
    match tokio::time::timeout(ask::LIMIT, reading).await {
        Ok(Ok(read)) => read,
        Ok(Err(error)) => Err(unreadable(&path, error)),
        Err(error) => Err(unreadable(&path, error)),
    }
}

fn read_file(path: &Path) -> Result<Secret, Error> {
    let metadata = path.metadata().map_err(|error| unreadable(path, error))?;
    // Asked before it is opened: opening a FIFO waits for whoever writes.
    if !metadata.is_file() {
        return Err(unusable(path, "is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(path, error))?;
    if bytes.len() > LONGEST {
        return Err(unusable(path, &format!("is longer than {LONGEST} bytes")));
    }
    let text = std::str::from_utf8(&bytes).map_err(|error| unreadable(path, error))?;
    match text.trim() {
        "" => Err(unusable(path, "is empty")),
        token => Ok(Secret::new(token)),
    }
}

fn unreadable(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    unusable(path, "cannot be read").with_source(error)
}

fn unusable(path: &Path, problem: &str) -> Error {
    let message = format!("the federated token {} {problem}", path.display());
    Error::new(ErrorKind::Configuration, message)
}
