//! What `cargo xtask images` made.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// Finds the layouts in a directory by what each of them has; some of them if there are names.
pub(crate) fn find(directory: &Path, names: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    let paths = entries.map(|entry| Ok(entry?.path()));
    let mut paths = paths.collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.join("index.json").exists());
    paths.retain(|path| names.is_empty() || names.iter().any(|name| path.ends_with(name)));
    paths.sort();
    ensure!(!paths.is_empty(), "{} has no layouts", directory.display());
    Ok(paths)
}
