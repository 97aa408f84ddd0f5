//! Why a tag is not wanted.

use std::fmt;

use crate::Policy;

/// Says why a policy does not want a tag. The greater, the nearer the tag comes to being
/// wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The pattern does not match.
    NoMatch,
    /// There is no version in it.
    NoVersion,
    /// It does not end in the variant.
    OtherVariant,
    /// It is a whole number above the greatest that counts as a version.
    TooGreat,
    /// It is a pre-release that is not asked for.
    PreRelease,
    /// It does not satisfy the constraint.
    Constraint,
    /// It is excluded.
    Excluded,
}

impl Policy {
    /// Says why a tag is not wanted; none if it is.
    ///
    /// ```
    /// use regimg_select::{Constraint, Policy, Refusal, VersionPolicy};
    ///
    /// let mut policy = VersionPolicy::default();
    /// policy.constraint = Some(Constraint::parse(">= 2")?);
    /// let policy = Policy::Versions(policy);
    ///
    /// assert_eq!(policy.refusal("2.1.0"), None);
    /// assert_eq!(policy.refusal("1.9.0"), Some(Refusal::Constraint));
    /// assert_eq!(policy.refusal("2.0.0-rc.1"), Some(Refusal::PreRelease));
    /// assert_eq!(policy.refusal("latest"), Some(Refusal::NoVersion));
    /// # Ok::<(), regimg_select::ParseConstraintError>(())
    /// ```
    pub fn refusal(&self, tag: &str) -> Option<Refusal> {
        self.pick(tag).err()
    }
}

impl fmt::Display for Refusal {
    /// Completes a sentence that begins with the tag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoMatch => "does not match the pattern",
            Self::NoVersion => "is no version",
            Self::OtherVariant => "is not of the variant",
            Self::TooGreat => "is a whole number above the greatest that counts",
            Self::PreRelease => "is a pre-release that is not asked for",
            Self::Constraint => "does not satisfy the constraint",
            Self::Excluded => "is excluded",
        })
    }
}
