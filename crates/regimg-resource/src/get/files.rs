//! The small files beside an image: what Concourse and later steps read.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use regimg_core::ImageConfig;
use serde::Serialize;

use crate::protocol::{RequestedVersion, to_json};

/// Writes `tag`, `digest` and `repository`, each without a final newline.
pub(super) fn write_version(
    directory: &Path,
    repository: &str,
    version: &RequestedVersion,
) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    fs::write(directory.join("tag"), &version.tag)?;
    fs::write(directory.join("digest"), &version.digest)?;
    fs::write(directory.join("repository"), repository)
}

/// What Concourse reads to run a task in the image.
#[derive(Serialize)]
struct Metadata<'a> {
    cmd: Option<&'a [String]>,
    entrypoint: Option<&'a [String]>,
    env: Option<&'a [String]>,
    user: &'a str,
}

/// Writes `metadata.json`; what the image does not say is `null`.
pub(super) fn write_metadata(directory: &Path, config: &ImageConfig) -> io::Result<()> {
    let container = &config.config;
    let metadata = Metadata {
        cmd: container.cmd.as_deref(),
        entrypoint: container.entrypoint.as_deref(),
        env: container.env.as_deref(),
        user: &container.user,
    };
    write_json(&directory.join("metadata.json"), &metadata)
}

/// Writes `labels.json`, a map with sorted keys.
pub(super) fn write_labels(directory: &Path, config: &ImageConfig) -> io::Result<()> {
    let none = BTreeMap::new();
    write_json(
        &directory.join("labels.json"),
        config.config.labels.as_ref().unwrap_or(&none),
    )
}

fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    fs::write(path, to_json(value) + "\n")
}
