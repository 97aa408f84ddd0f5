//! Constraints: which versions a user wants.

mod atom;
mod error;
mod parse;
mod range;

use std::{fmt, str::FromStr};

pub use error::{ParseConstraintError, ParseConstraintErrorKind};

use crate::Semver;
use atom::Atom;

/// Says which versions are wanted: `>=1.2 <3 || ^4.1`.
///
/// Alternatives are separated by `||`. Each consists of comparisons, separated by white
/// space or a comma, all of which must hold. A comparison is a version behind one of
/// `=`, `!=`, `>`, `<`, `>=`, `<=`, `~` and `^`, or behind nothing; parts of the version
/// may be missing or be `x`, `X` or `*`. `1.2 - 1.4` is a range with both ends.
///
/// ```
/// use regimg_select::{Constraint, Semver};
///
/// let constraint = Constraint::parse(">= 1.2, < 2 || ^4.1")?;
/// let matches = |version| Semver::parse(version).is_ok_and(|version| constraint.matches(&version));
/// assert!(matches("1.9") && matches("v4.2.0"));
/// assert!(!matches("2.0.0") && !matches("4.0.9"));
/// # Ok::<(), regimg_select::ParseConstraintError>(())
/// ```
///
/// | Constraint | Matches |
/// | --- | --- |
/// | `1.2`, `1.2.x`, `~1.2` | every 1.2.*n* |
/// | `~1.2.3` | 1.2.3 and above, below 1.3 |
/// | `^1.2.3` | 1.2.3 and above, below 2 |
/// | `^0.2.3` | 0.2.3 and above, below 0.3 |
/// | `>1.2` | 1.3 and above: the whole of 1.2 is excluded |
/// | `<=1.2` | up to and with the whole of 1.2 |
/// | `>=1.2.3-0` | 1.2.3 and above, and pre-releases too |
///
/// A pre-release matches only alternatives in which some comparison has a pre-release
/// itself. All of this is as in [Masterminds/semver] v3.5.0, including where that may
/// surprise: `<=*` is only 0.0.*n*, `^*` is only 0.0.0, `!=*` is everything but 0.0.0.
///
/// [Masterminds/semver]: https://github.com/Masterminds/semver/blob/v3.5.0/constraints.go
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    alternatives: Vec<Vec<Atom>>,
}

impl Constraint {
    /// The most bytes that a constraint may have.
    pub const MAX_LENGTH: usize = 512;

    /// The most alternatives that a constraint may have.
    pub const MAX_ALTERNATIVES: usize = 32;

    /// Reads a constraint.
    ///
    /// # Errors
    ///
    /// [`ParseConstraintErrorKind`] lists them. An empty text is none: it is not known
    /// what it should mean.
    pub fn parse(text: &str) -> Result<Self, ParseConstraintError> {
        let alternatives = parse::alternatives(text).map_err(ParseConstraintError::new)?;
        Ok(Self { alternatives })
    }

    /// Reports whether `version` is wanted.
    pub fn matches(&self, version: &Semver) -> bool {
        self.alternatives.iter().any(|atoms| {
            let open = !version.is_pre_release() || atoms.iter().any(Atom::is_pre_release);
            open && atoms.iter().all(|atom| atom.matches(version))
        })
    }

    /// Reports whether `version` is wanted, if pre-releases are wanted like all others.
    pub fn matches_with_pre_releases(&self, version: &Semver) -> bool {
        let mut alternatives = self.alternatives.iter();
        alternatives.any(|atoms| atoms.iter().all(|atom| atom.matches(version)))
    }
}

/// Ranges are displayed as the two comparisons that they stand for.
impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, atoms) in self.alternatives.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { " || " })?;
            for (index, atom) in atoms.iter().enumerate() {
                f.write_str(if index == 0 { "" } else { " " })?;
                atom.fmt(f)?;
            }
        }
        Ok(())
    }
}

impl FromStr for Constraint {
    type Err = ParseConstraintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}
