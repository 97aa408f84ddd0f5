//! Which image tags are versions, and which of them come next: tags in, versions out.
//!
//! Selection is three pure steps, and the questions to the registry stand between them. This
//! crate does no I/O, so the registry may be anything that knows tags and digests:
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use regimg_core::{Algorithm, Digest, Tag};
//! use regimg_select::{Constraint, Cursor, Policy, VersionPolicy};
//!
//! // What a registry would answer: tags in its order, and what they point at.
//! let tags = ["1.4.0", "1.4", "1.5.0", "1.3.9", "latest", "1.5.0-rc.1", "nightly"];
//! let image = |tag: &Tag| {
//!     let image = if tag.as_str() == "1.4" { "1.4.0" } else { tag.as_str() };
//!     Digest::of(Algorithm::Sha256, image.as_bytes())
//! };
//! let digests = |tags: &mut dyn Iterator<Item = &Tag>| -> BTreeMap<Tag, Digest> {
//!     tags.map(|tag| (tag.clone(), image(tag))).collect()
//! };
//!
//! let mut policy = VersionPolicy::default();
//! policy.constraint = Some(Constraint::parse(">=1.4 <2")?);
//! let policy = Policy::Versions(policy);
//!
//! // What was reported last time: from there on.
//! let tag = Tag::parse("1.4.0")?;
//! let cursor = Cursor { digest: Some(image(&tag)), tag };
//!
//! // 1. Which tags may be wanted?
//! let mut candidates = policy.candidates(tags);
//! // 2. Has the cursor's tag been moved? This one answer is needed first.
//! if candidates.need(&cursor) {
//!     candidates = candidates.after(&cursor, Some(image(&cursor.tag)));
//! }
//! // 3. What do the others point at? They may all be asked for at once.
//! let current = digests(&mut candidates.tags());
//! let resolved = candidates.resolve(&current);
//! let doubtful = digests(&mut resolved.tags());
//!
//! let versions = resolved.versions(&doubtful);
//! let tags: Vec<_> = versions.iter().map(|version| version.tag.as_str()).collect();
//! assert_eq!(tags, ["1.4.0", "1.5.0"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The last question is asked only if there is a tag like `latest` that may point at a version
//! below the cursor. [`Policy::listing`] does step 1 page by page and says which digests are
//! needed whatever is still to come. No digest is asked for that the rules do not need.
//!
//! # What is a version
//!
//! With [`Policy::Versions`], the rules of the Go resource of Concourse:
//!
//! | Tag | Is wanted |
//! | --- | --- |
//! | `1.2.3`, `v1.2`, `1`, `01.02`, `20240105` | always: [`Semver`] is read leniently |
//! | `1.2.3.4`, `V1`, `1.x`, `nightly`, `sha-12ab` | never |
//! | `1.2.3-rc.1`, `1.0-beta`, `1-alphabet` | with [`PreReleases::Wanted`] |
//! | `1.2.3-dev`, `1.2.3-RC.1` | with a prefix for it: `dev`, `RC`, or the empty one for all |
//! | `1.2.3-rc.1-foo` | with any prefix; else what follows the second hyphen is a variant |
//! | `1.2.3-alpine` | with the [variant](VersionPolicy::variant) `alpine`; then `1.2.3` is not |
//! | `1.5.0` | unless a [`Constraint`] does not match: `<1.5`, `~1.4` |
//! | `latest`, or `alpine` with that variant | if no version has its image, and without constraint |
//! | `1.2`, `1.2.0` on the same image | `1.2.0`: what tells most, final before pre-release, first listed |
//! | `1.2`, `1.2.0` on different images | both; `1.2.0` is the later one |
//! | `1.2.2` below the cursor `1.2.3` | not if `1.2.3` still points at the cursor's digest |
//! | `1.2.0+b`, or more than 128 characters | never: it is [no legal tag](Candidates::illegal_tags) |
//!
//! Versions are ordered by [precedence](Semver::cmp_precedence), oldest first. Other policies:
//!
//! | Policy | Wants | In the order |
//! | --- | --- | --- |
//! | [`Follow`] | one tag: the cursor's digest while it exists, then the current one | of time |
//! | [`Policy::Matches`] | each tag that a [`Pattern`] matches, Go's syntax to the letter | as listed, or [of creation](in_creation_order) |
//! | [`Policy::Captures`] | each tag in which a [`VersionPattern`] finds a version | of precedence |
//!
//! # Beyond the Go resource
//!
//! All of it is off unless asked for:
//!
//! | Tag | Asked for by | Then |
//! | --- | --- | --- |
//! | `1.2.3.4`, `2024-01-05`, `2024.01.05_2` | [`Scheme::Numeric`] | is a [`NumericVersion`], ordered by its numbers |
//! | `20240105`, `7654321` | [`max_integer`](VersionPolicy::max_integer), such as 9999 | is no version, so it does not beat `1.2.3` for ever |
//! | `2.7.0`, pushed by mistake | [`exclude`](VersionPolicy::exclude) `^2\.7\.0$` | is as if it were not listed |
//! | `build-1.10.0-linux` | [`VersionPattern`] `^build-(?P<version>[\d.]+)-linux$` | is above `build-1.9.0-linux` |
//!
//! # What else there is
//!
//! - [`PushPolicy`]: under which tags an image is pushed, and which aliases (`latest`, `1`, `1.4`)
//!   move to it.
//! - [`Glob`] and [`Wildcard`]: paths with wildcards, for somebody else to walk.
//! - [`Created`]: times as image configurations have them.
//!
//! # What holds
//!
//! - The same tags and digests give the same versions, in the same order.
//! - The time for selection grows with the number of tags, the memory with those that are wanted.
//! - No text makes a function panic. Versions and constraints are short; a [`Pattern`] takes bounded
//!   memory and stack, and matching takes time linear in the text.
//!
//! # Features
//!
//! - `semver` (off): conversions between [`Semver`] and the `semver` crate's `Version`.
//!
//! Other crates' types in the API: those of [`regimg_core`], and of `semver` with that feature.

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

/// Runs the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
