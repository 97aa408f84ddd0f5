//! The small files beside an image: what Concourse and later steps read.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use regimg_core::ImageConfig;
use serde::Serialize;

use crate::error::{During, Error};
use crate::protocol::{RequestedVersion, to_json};

use super::Format;
use super::describe::Description;
use super::staging::Staging;

pub(super) const TAG: &str = "tag";
pub(super) const DIGEST: &str = "digest";
pub(super) const REPOSITORY: &str = "repository";
pub(super) const METADATA: &str = "metadata.json";
pub(super) const LABELS: &str = "labels.json";
pub(super) const ANNOTATIONS: &str = "annotations.json";
/// The image's configuration, byte for byte.
pub(super) const CONFIG: &str = "config.json";
/// The image's manifest, byte for byte. Compat: the Go resource promises that there is no
/// `manifest.json`, by which tasks tell its results from those of `docker save`.
pub(super) const MANIFEST: &str = "image-manifest.json";

/// Writes `tag`, `digest` and `repository`, each without a final newline.
pub(super) fn write_version(
    staging: &Staging,
    repository: &str,
    version: &RequestedVersion,
) -> Result<(), Error> {
    let files = [
        (TAG, version.tag.as_str()),
        (DIGEST, &version.digest),
        (REPOSITORY, repository),
    ];
    files
        .into_iter()
        .try_for_each(|(name, text)| fs::write(staging.join(name), text).during(name))
}

/// Writes what the image says about itself.
pub(super) fn write_description(
    staging: &Staging,
    format: Format,
    description: &Description,
) -> Result<(), Error> {
    let none = BTreeMap::new();
    if let (Format::Rootfs, Some(config)) = (format, description.config()) {
        write_json(&staging.join(METADATA), &Metadata::of(config))
            .during("create image metadata")?;
    }
    let labels = description.labels().unwrap_or(&none);
    write_json(&staging.join(LABELS), labels).during("create image labels")?;
    write_json(&staging.join(ANNOTATIONS), &description.annotations)
        .during("create image annotations")?;
    if let Some(image) = &description.image {
        fs::write(staging.join(CONFIG), &image.raw_config).during("create image config")?;
        fs::write(staging.join(MANIFEST), image.manifest.bytes())
            .during("create image manifest")?;
    }
    Ok(())
}

/// What Concourse reads to run a task in the image; what the image does not say is `null`.
#[derive(Serialize)]
struct Metadata<'a> {
    cmd: Option<&'a [String]>,
    entrypoint: Option<&'a [String]>,
    env: Option<&'a [String]>,
    user: &'a str,
}

impl<'a> Metadata<'a> {
    fn of(config: &'a ImageConfig) -> Self {
        let container = &config.config;
        Self {
            cmd: container.cmd.as_deref(),
            entrypoint: container.entrypoint.as_deref(),
            env: container.env.as_deref(),
            user: &container.user,
        }
    }
}

/// Writes a value on one line; maps have sorted keys.
fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    fs::write(path, to_json(value) + "\n")
}
