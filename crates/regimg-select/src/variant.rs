//! Variants: what stands behind a version in a tag, after a hyphen.

use std::fmt::Display;

/// Puts the variant behind a version; an empty one is none.
pub(crate) fn add(version: &dyn Display, variant: &str) -> String {
    match variant {
        "" => version.to_string(),
        _ => format!("{version}-{variant}"),
    }
}

/// Takes the variant off a tag; returns none if the tag does not have it.
pub(crate) fn strip<'a>(tag: &'a str, variant: &str) -> Option<&'a str> {
    match variant {
        "" => Some(tag),
        _ => tag.strip_suffix(variant)?.strip_suffix('-'),
    }
}

/// Returns the tag that is named after no version.
pub(crate) fn bare(variant: &str) -> &str {
    match variant {
        "" => "latest",
        _ => variant,
    }
}
