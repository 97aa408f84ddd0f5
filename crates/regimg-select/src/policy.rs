//! Which tags are wanted.

use crate::{Constraint, Pattern, Refusal, Scheme, VersionPattern, scheme::Ranked, variant};

/// Says which tags are wanted and in which order.
///
/// Selection starts at [`candidates`](Self::candidates) and cannot fail any more.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Policy {
    /// Tags that are versions, in order of precedence, one for each image.
    Versions(VersionPolicy),
    /// Tags that match a pattern, in the order in which the registry lists them.
    Matches(MatchPolicy),
    /// Tags that match a pattern, in order of the version that stands in them.
    Captures(CapturePolicy),
}

/// Wants tags that are versions, and the one that is named after none.
///
/// The default wants final releases without variant, and `latest`.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct VersionPolicy {
    /// What stands behind the version and a hyphen: `alpine` for `3.20-alpine`. The tag
    /// named after no version is then not `latest` but `alpine`. Empty means none.
    pub variant: Option<String>,
    /// Which versions. With a constraint, the tag named after no version is not wanted.
    pub constraint: Option<Constraint>,
    /// Whether pre-releases are wanted.
    pub pre_releases: PreReleases,
    /// How versions are written. Constraints compare the first three numbers.
    pub scheme: Scheme,
    /// The greatest number that counts as a version if it is the only one. Without it,
    /// a date like `20240105` is greater than all other versions.
    pub max_integer: Option<u64>,
    /// Tags to ignore, as if the registry did not list them.
    pub exclude: Option<Pattern>,
}

/// Wants tags that match a pattern.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MatchPolicy {
    /// Which tags. It may match anywhere in the tag.
    pub pattern: Pattern,
    /// Tags to ignore, as if the registry did not list them.
    pub exclude: Option<Pattern>,
}

/// Wants tags in which a pattern finds a version.
///
/// A tag in which the group captures no version is not wanted. All other tags are, aliases
/// and pre-releases too: the pattern says which.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CapturePolicy {
    /// Which tags, and where their version stands.
    pub pattern: VersionPattern,
    /// How versions are written.
    pub scheme: Scheme,
    /// The greatest number that counts as a version if it is the only one.
    pub max_integer: Option<u64>,
    /// Tags to ignore, as if the registry did not list them.
    pub exclude: Option<Pattern>,
}

/// Says which pre-releases are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PreReleases {
    /// None.
    #[default]
    Ignored,
    /// Those that begin with `alpha`, `beta`, `rc` or one of the prefixes. Upper and
    /// lower case differ.
    ///
    /// Unless there is a prefix, one with a hyphen is taken for a variant and ignored:
    /// `1.0-rc.1-alpine`. The empty prefix admits all.
    Wanted {
        /// More prefixes; usually none.
        prefixes: Vec<String>,
    },
}

impl MatchPolicy {
    /// Wants all tags that match `pattern`.
    pub fn new(pattern: Pattern) -> Self {
        Self {
            pattern,
            exclude: None,
        }
    }
}

impl CapturePolicy {
    /// Wants all tags in which `pattern` finds a version of the default scheme.
    pub fn new(pattern: VersionPattern) -> Self {
        Self {
            pattern,
            scheme: Scheme::default(),
            max_integer: None,
            exclude: None,
        }
    }

    /// Reads the version in `tag`, if it is a wanted one.
    pub(crate) fn version(&self, tag: &str) -> Result<Ranked, Refusal> {
        let text = self.pattern.version(tag).ok_or(Refusal::NoMatch)?;
        let version = self.scheme.parse(text).ok_or(Refusal::NoVersion)?;
        within(version, self.max_integer)
    }
}

impl VersionPolicy {
    /// Returns the tag that is named after no version.
    pub(crate) fn bare(&self) -> &str {
        variant::bare(self.suffix())
    }

    /// Reads the version in `tag`, if it is a wanted one.
    pub(crate) fn version(&self, tag: &str) -> Result<Ranked, Refusal> {
        let text = variant::strip(tag, self.suffix()).ok_or(Refusal::OtherVariant)?;
        let version = self.scheme.parse(text).ok_or(Refusal::NoVersion)?;
        let version = within(version, self.max_integer)?;
        if !self.pre_releases.want(version.pre_release()) {
            return Err(Refusal::PreRelease);
        }
        let mut constraint = self.constraint.iter();
        if constraint.all(|constraint| version.satisfies(constraint)) {
            Ok(version)
        } else {
            Err(Refusal::Constraint)
        }
    }

    fn suffix(&self) -> &str {
        self.variant.as_deref().unwrap_or_default()
    }
}

impl PreReleases {
    fn want(&self, pre_release: &str) -> bool {
        if pre_release.is_empty() {
            return true;
        }
        let Self::Wanted { prefixes } = self else {
            return false;
        };
        let known = ["alpha", "beta", "rc"].into_iter();
        let mut known = known.chain(prefixes.iter().map(String::as_str));
        (!prefixes.is_empty() || !pre_release.contains('-'))
            && known.any(|prefix| pre_release.starts_with(prefix))
    }
}

fn within(version: Ranked, max_integer: Option<u64>) -> Result<Ranked, Refusal> {
    match (version.plain_integer(), max_integer) {
        (Some(integer), Some(max)) if integer > max => Err(Refusal::TooGreat),
        _ => Ok(version),
    }
}
