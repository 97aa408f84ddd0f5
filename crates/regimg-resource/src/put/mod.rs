//! `out`: push an image under its tags.

mod mount;
mod options;
mod place;
mod push;
mod sign;
mod tags;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Once;

use regimg_select::PushTags;

use crate::error::{During, Error};
use crate::image::{Image, StepDirectory};
use crate::protocol::{MetadataField, PutRequest, StepResponse, Version};
use crate::report::Reporter;
use crate::resolve::{Located, Origin, Settings, Trust};

/// Pushes the image that `params.image` names below `directory`: its blobs side by
/// side, then its manifests, then the tags one by one.
///
/// # Errors
///
/// A path without one whole image, tags that cannot be meant, or a registry that does not
/// take it. Whatever can be found wrong before the registry is asked is.
pub(crate) async fn put(
    request: &PutRequest,
    directory: &Path,
    settings: &Settings,
    report: &Reporter,
) -> Result<StepResponse<Version>, Error> {
    let PutRequest { source, params } = request;
    let located = Located::of(source, settings, report).await?;
    let origin = Origin::to_push_to(source, &located).during("could not resolve repository")?;
    let trust = Trust::of(source, &origin, settings)?;
    let step = StepDirectory::new(directory).during(format!("opening {}", directory.display()))?;
    let compression = options::compression(params)?;
    let mounts = mount::Mounts::of(params, &origin.repository)?;
    let plan = tags::Plan::of(source, params, &step)?;
    let path = place::find(&params.image, &step)?;
    let phase = format!("could not load image from path '{}'", path.display());
    let opening = tokio::task::spawn_blocking(move || Image::open(&step, &path));
    let image = opening.await.during(phase.clone())?.during(phase.clone())?;

    let repository = origin.connect(settings)?;
    plan.warn(report);
    let tags = plan.complete(&repository).await?;
    let names: Vec<_> = each_once(&tags).collect();
    let signing = match &trust {
        None => None,
        Some(trust) => Some(sign::Signing::open(trust, &names, report).await?),
    };
    let push = push::Push {
        repository: &repository,
        mounts: &mounts,
        report,
        names: names.join(", "),
        begun: Once::new(),
    };
    let manifest = push.content(image, compression, &phase).await?;
    if signing.is_some() {
        sign::Signing::check(&manifest)?;
    }
    push.tags(&manifest, &tags).await?;
    if let Some(signing) = signing {
        signing.publish(&manifest, &names).await?;
    }
    push.wait_until_known(manifest.digest(), settings).await;
    report.info("pushed");
    Ok(StepResponse {
        version: Version {
            tag: tags.first().to_string(),
            digest: manifest.digest().clone(),
        },
        metadata: vec![
            MetadataField::new("repository", &located.repository),
            MetadataField::new("tags", names.join(" ")),
        ],
    })
}

/// Lists the tags as they were asked for.
fn each_once(tags: &PushTags) -> impl Iterator<Item = &str> {
    let mut seen = HashSet::new();
    let tags = tags.iter().map(regimg_core::Tag::as_str);
    tags.filter(move |tag| seen.insert(*tag))
}
