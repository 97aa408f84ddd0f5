//! Fields that this version does not act on are refused by name: a field that is
//! ignored silently would push under the wrong tag or fetch with the wrong login.
//!
//! A field counts only where the command would use it. One `source` serves all three
//! commands, so `content_trust` does not keep a `get` step from working.

use regimg_core::Repository;

use crate::error::Error;
use crate::protocol::{GetParams, Source};

type Field = (&'static str, bool);

/// Refuses what `check` would have to act on.
///
/// With `source.tag` the fields that choose between tags have no say, as upstream
/// documents: tag, then `tag_regex`, then versions.
pub(crate) fn refuse_for_check(source: &Source, repository: &Repository) -> Result<(), Error> {
    refuse(&clouds(source))?;
    refuse(&mirror(source, repository))?;
    if !source.tag.0.is_empty() {
        return Ok(());
    }
    refuse(&[
        ("source.tag_regex", !source.tag_regex.is_empty()),
        ("source.created_at_sort", source.created_at_sort),
        (
            "source.semver_constraint",
            !source.semver_constraint.is_empty(),
        ),
        ("source.variant", !source.variant.is_empty()),
        ("source.pre_releases", source.pre_releases),
        (
            "source.pre_release_prefixes",
            !source.pre_release_prefixes.is_empty(),
        ),
    ])?;
    Err(Error::Unsupported {
        field: "a source without a tag",
        advice: ": name the tag to follow in source.tag",
    })
}

/// Refuses what `in` would have to act on.
pub(crate) fn refuse_for_get(
    source: &Source,
    params: &GetParams,
    repository: &Repository,
) -> Result<(), Error> {
    refuse(&clouds(source))?;
    refuse(&mirror(source, repository))?;
    refuse(&[
        ("source.label_regex", !source.label_regex.is_empty()),
        (
            "source.annotation_regex",
            !source.annotation_regex.is_empty(),
        ),
    ])?;
    if params.format == "oci-layout" {
        return Err(Error::Unsupported {
            field: "params.format 'oci-layout'",
            advice: ": use 'rootfs' or 'oci'",
        });
    }
    Ok(())
}

/// Refuses what `out` would have to act on.
pub(crate) fn refuse_for_put(source: &Source) -> Result<(), Error> {
    refuse(&clouds(source))?;
    refuse(&[("source.content_trust", source.content_trust.is_some())])
}

fn refuse(fields: &[Field]) -> Result<(), Error> {
    match fields.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((field, _)) => Err(Error::Unsupported { field, advice: "" }),
    }
}

/// Lists the fields of the clouds' own authentication. The region and the switch come
/// first: they say most clearly what was wanted.
fn clouds(source: &Source) -> [Field; 12] {
    [
        ("source.aws_region", !source.aws_region.is_empty()),
        (
            "source.aws_access_key_id",
            !source.aws_access_key_id.is_empty(),
        ),
        (
            "source.aws_secret_access_key",
            !source.aws_secret_access_key.is_empty(),
        ),
        (
            "source.aws_session_token",
            !source.aws_session_token.is_empty(),
        ),
        (
            "source.aws_ecr_registry_id",
            !source.aws_ecr_registry_id.is_empty(),
        ),
        ("source.aws_role_arn", !source.aws_role_arn.is_empty()),
        ("source.aws_role_arns", !source.aws_role_arns.is_empty()),
        ("source.aws_account_id", !source.aws_account_id.is_empty()),
        ("source.azure_acr", source.azure_acr),
        ("source.azure_client_id", !source.azure_client_id.is_empty()),
        ("source.azure_tenant_id", !source.azure_tenant_id.is_empty()),
        (
            "source.azure_environment",
            !source.azure_environment.is_empty(),
        ),
    ]
}

/// A mirror serves Docker Hub only; for another registry the field says nothing.
fn mirror(source: &Source, repository: &Repository) -> [Field; 1] {
    let given = source
        .registry_mirror
        .as_ref()
        .is_some_and(|mirror| !mirror.host.is_empty());
    [(
        "source.registry_mirror",
        given && repository.registry().is_docker_hub(),
    )]
}
