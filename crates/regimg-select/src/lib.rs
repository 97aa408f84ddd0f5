//! Which image tags are versions, and which of them come next: tags in, versions out.

mod candidates;
mod constraint;
mod created;
mod follow;
mod numeric;
mod pattern;
mod policy;
mod quote;
mod scheme;
mod semver;
mod shape;
mod version;

pub use self::semver::{Canonical, ParseSemverError, ParseSemverErrorKind, Semver};
pub use candidates::{Candidates, Resolved};
pub use constraint::{Constraint, ParseConstraintError, ParseConstraintErrorKind};
pub use created::{Created, ParseCreatedError, in_creation_order};
pub use follow::{Follow, Followed};
pub use numeric::{NumericVersion, ParseNumericVersionError};
pub use pattern::{ParsePatternError, ParsePatternErrorKind, Pattern, VersionPattern};
pub use policy::{CapturePolicy, MatchPolicy, Policy, PreReleases, VersionPolicy};
pub use scheme::Scheme;
pub use version::{Cursor, Version};
