//! What counts as a version, and in which order.

use std::cmp::Ordering;

use crate::{Constraint, NumericVersion, Semver};

/// Says how versions are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// As [`Semver`] reads them: one to three numbers.
    #[default]
    Semver,
    /// As [`NumericVersion`] reads them: any number of numbers.
    Numeric,
}

/// A version in either scheme. All versions of one selection are in the same.
#[derive(Clone, Debug)]
pub(crate) enum Ranked {
    Semver(Semver),
    Numeric(NumericVersion),
}

impl Scheme {
    pub(crate) fn parse(self, text: &str) -> Option<Ranked> {
        // Nearly all tags that are no versions are found out by their first byte.
        if !text.starts_with(|first: char| first == 'v' || first.is_ascii_digit()) {
            return None;
        }
        match self {
            Self::Semver => Semver::parse(text).ok().map(Ranked::Semver),
            Self::Numeric => NumericVersion::read(text).map(Ranked::Numeric),
        }
    }
}

impl Ranked {
    pub(crate) fn pre_release(&self) -> &str {
        match self {
            Self::Semver(version) => version.pre_release(),
            Self::Numeric(version) => version.pre_release(),
        }
    }

    /// Returns the number of a version that is written with only one.
    pub(crate) fn plain_integer(&self) -> Option<u64> {
        match self {
            Self::Semver(version) => (version.written_numbers() == 1).then(|| version.major()),
            Self::Numeric(version) => match version.numbers() {
                &[number] => Some(number),
                _ => None,
            },
        }
    }

    pub(crate) fn satisfies(&self, constraint: &Constraint) -> bool {
        match self {
            Self::Semver(version) => constraint.matches(version),
            Self::Numeric(version) => first_three(version).is_some_and(|v| constraint.matches(&v)),
        }
    }

    pub(crate) fn cmp_precedence(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Semver(left), Self::Semver(right)) => left.cmp_precedence(right),
            (Self::Numeric(left), Self::Numeric(right)) => left.cmp_precedence(right),
            (Self::Semver(_), Self::Numeric(_)) => Ordering::Less,
            (Self::Numeric(_), Self::Semver(_)) => Ordering::Greater,
        }
    }

    /// Says how much a version tells about an image, to choose one among its aliases.
    pub(crate) fn rank(&self) -> (bool, usize) {
        (self.pre_release().is_empty(), self.detail())
    }

    /// Orders versions of equal precedence: more detail later, and what is written in
    /// the usual way after what is not.
    pub(crate) fn specificity(&self) -> (usize, bool) {
        (self.detail(), self.is_canonical())
    }

    fn detail(&self) -> usize {
        match self {
            Self::Semver(version) => dots(version.as_str()),
            Self::Numeric(version) => version.numbers().len() + dots(version.pre_release()),
        }
    }

    fn is_canonical(&self) -> bool {
        match self {
            Self::Semver(version) => version.canonical().to_string() == version.as_str(),
            Self::Numeric(version) => !version.as_str().starts_with('v'),
        }
    }
}

fn dots(text: &str) -> usize {
    text.bytes().filter(|&byte| byte == b'.').count()
}

/// Returns what constraints can compare: three numbers and the pre-release.
fn first_three(version: &NumericVersion) -> Option<Semver> {
    let number = |index| version.numbers().get(index).copied().unwrap_or(0);
    let mut text = format!("{}.{}.{}", number(0), number(1), number(2));
    if version.is_pre_release() {
        text.push('-');
        text.push_str(version.pre_release());
    }
    Semver::parse(&text).ok()
}
