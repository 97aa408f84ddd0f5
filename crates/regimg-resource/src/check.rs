//! `check`: which versions are there?

mod created;
mod follow;
mod lookups;
mod nearest;
mod plan;
mod select;

use std::time::Duration;

use tokio::time::timeout;

use crate::error::{During, Error};
use crate::protocol::{CheckRequest, Version};
use crate::report::Reporter;
use crate::resolve::{Located, Name, Origin, Origins, Patience, Settings};

use plan::Plan;

/// How long a check may take. A list that trickles in would otherwise hold it for hours.
const LIMIT: Duration = Duration::from_mins(15);

/// The same where the origin can still be asked.
const MIRROR_LIMIT: Duration = Duration::from_mins(1);

/// Lists the versions from the cursor on, oldest first; none if there is nothing that the
/// source asks for.
///
/// # Errors
///
/// A source that cannot be meant, or a registry that does not answer it.
pub(crate) async fn check(
    request: &CheckRequest,
    settings: &Settings,
    report: &Reporter,
) -> Result<Vec<Version>, Error> {
    let CheckRequest { source, version } = request;
    let located = Located::of(source, settings, report).await?;
    let name = Name::of(&located.repository).during("resolve repository")?;
    let plan = Plan::of(source, name.pinned.as_ref())?;
    let origins = Origins::of(source, &located, &name, Patience::Check)?;
    let attempt = async |origin: &Origin| {
        let repository = origin.connect(settings)?;
        let limit = if origin.is_mirror() {
            MIRROR_LIMIT
        } else {
            LIMIT
        };
        let versions = timeout(limit, plan.versions(&repository, version.as_ref(), report));
        let versions = versions.await.map_err(|_| Error::TooSlow(limit))??;
        Ok((!versions.is_empty()).then_some(versions))
    };
    let versions = origins.first_answer(report, "checking", attempt).await;
    let phase = || format!("checking origin {} failed", origins.repository());
    Ok(versions.during(phase())?.unwrap_or_default())
}
