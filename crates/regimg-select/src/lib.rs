//! Which image tags are versions, and which of them come next: tags in, versions out.

mod candidates;
mod constraint;
mod created;
mod follow;
mod glob;
mod listing;
mod numeric;
mod pattern;
mod policy;
mod push;
mod quote;
mod refusal;
mod resolved;
mod scheme;
mod semver;
mod shape;
mod variant;
mod version;

#[cfg(feature = "semver")]
pub use self::semver::IntoSemverCrateError;
pub use self::semver::{Canonical, ParseSemverError, ParseSemverErrorKind, Semver};
pub use candidates::Candidates;
pub use constraint::{Constraint, ParseConstraintError, ParseConstraintErrorKind};
pub use created::{Created, ParseCreatedError, in_creation_order};
pub use follow::{Follow, Followed};
pub use glob::{Glob, ParseGlobError, ParseGlobErrorKind, Wildcard};
pub use listing::Listing;
pub use numeric::{NumericVersion, ParseNumericVersionError};
pub use pattern::{ParsePatternError, ParsePatternErrorKind, Pattern, VersionPattern};
pub use policy::{CapturePolicy, MatchPolicy, Policy, PreReleases, VersionPolicy};
pub use push::{PushError, PushErrorKind, PushPlan, PushPolicy, PushTags};
pub use refusal::Refusal;
pub use resolved::Resolved;
pub use scheme::Scheme;
pub use version::{Cursor, Version};
