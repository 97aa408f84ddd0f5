//! Versions in the order in which their images were made.

use std::collections::BTreeMap;
use std::error::Error as StdError;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use regimg_core::{Digest, Identifier, Manifest, ParseConfigError, ParseManifestError, Platform};
use regimg_registry::{ErrorKind, RepositoryClient};
use regimg_select::{Created, Version, in_creation_order};

use crate::error::{During, Error, describe};
use crate::remote;
use crate::report::Reporter;

/// Images read at one time. How many requests are under way is the client's business.
const WINDOW: usize = 64;

/// Why an image has no place in the order.
type Reason = String;

/// Sorts versions by what their images' configurations say, each image read once. What is
/// no image, such as a signature, or not for the platform, is left out with a warning.
///
/// # Errors
///
/// A manifest or a configuration that cannot be read.
pub(super) async fn sort(
    repository: &RepositoryClient,
    versions: Vec<Version>,
    platform: &Platform,
    report: &Reporter,
) -> Result<Vec<Version>, Error> {
    let mut digests: Vec<_> = versions
        .iter()
        .map(|version| version.digest.clone())
        .collect();
    digests.sort();
    digests.dedup();
    let times: BTreeMap<Digest, Result<Created, Reason>> = stream::iter(digests)
        .map(async |digest| {
            let time = created(repository, &digest, platform).await?;
            Ok::<_, Error>((digest, time))
        })
        .buffer_unordered(WINDOW)
        .try_collect()
        .await?;
    let mut dated = Vec::with_capacity(versions.len());
    let mut left_out = Vec::new();
    for version in versions {
        match &times[&version.digest] {
            Ok(time) => dated.push((version, *time)),
            Err(reason) => left_out.push((version.tag, reason)),
        }
    }
    if let Some((tag, reason)) = left_out.first() {
        let others = match left_out.len() - 1 {
            0 => String::new(),
            others => format!(", and {others} more likewise"),
        };
        report.warn(&format!("tag {tag} is left out{others}: {reason}"));
        for (tag, reason) in &left_out[1..] {
            report.debug(&format!("tag {tag} is left out: {reason}"));
        }
    }
    Ok(in_creation_order(dated))
}

/// Finds out when an image was made.
async fn created(
    repository: &RepositoryClient,
    digest: &Digest,
    platform: &Platform,
) -> Result<Result<Created, Reason>, Error> {
    let identifier = Identifier::Digest(digest.clone());
    let manifest = match repository.image(&identifier, platform).await {
        Ok(manifest) => manifest,
        Err(error) if has_no_image(&error) => return Ok(Err(describe(&error))),
        Err(error) => return Err(error).during(format!("get remote image {digest}")),
    };
    let Manifest::Image(manifest) = manifest.parse().during("get remote image")? else {
        return Ok(Err("it is an index".to_owned()));
    };
    if !manifest.is_image() {
        let what = manifest.config.media_type;
        return Ok(Err(format!("it is no image but {}", what.as_str())));
    }
    let config = remote::config(repository, &manifest.config).await;
    let config = match config {
        Ok((_, config)) => config,
        Err(error) if is_no_config(&*error) => return Ok(Err(describe(&*error))),
        Err(error) => {
            let phase = format!("get remote image config file of {digest}");
            return Err(error).during(phase);
        }
    };
    let time = config.created.as_deref().map(Created::parse);
    Ok(time
        .unwrap_or(Ok(Created::UNKNOWN))
        .map_err(|error| error.to_string()))
}

/// Tells a configuration that is none from one that cannot be had.
fn is_no_config(error: &(dyn StdError + Send + Sync + 'static)) -> bool {
    let answer = error.downcast_ref::<regimg_registry::Error>();
    error.is::<ParseConfigError>() || answer.is_some_and(has_no_image)
}

/// Tells a tag that has no image to sort from a registry that does not answer. A manifest
/// that is none has the digest that was asked for, so it is not the registry's doing.
fn has_no_image(error: &regimg_registry::Error) -> bool {
    let is_manifest = |cause: &(dyn StdError + 'static)| cause.is::<ParseManifestError>();
    matches!(error.kind(), ErrorKind::NoPlatform | ErrorKind::Unsupported)
        || error.is_not_found()
        || error.source().is_some_and(is_manifest)
}
