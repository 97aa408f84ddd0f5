//! Tags to push: under which names does an image go to its repository?

mod aliases;
mod error;
mod tags;

pub use error::{PushError, PushErrorKind};
pub use tags::PushTags;

use crate::{Semver, variant};
use aliases::Aliases;
use error::Fault;
use tags::Role;

/// Says under which tags an image is pushed. Empty texts are none.
///
/// ```
/// use regimg_select::PushPolicy;
///
/// let mut policy = PushPolicy::default();
/// policy.version = "v1.4.0".to_owned();
/// policy.bump_aliases = true;
///
/// let mut plan = policy.plan()?;
/// if plan.needs_remote_tags() {
///     // One page after the other, as the registry lists them.
///     plan.see(["1.3.9", "1.4.1-rc.1", "1", "2.0.0-alpine"]);
///     plan.see(["2.0.0"]);
/// }
/// let tags = plan.tags("stable")?;
///
/// assert_eq!(tags.to_string(), "1.4.0 1 1.4 stable");
/// assert_eq!(tags.first().as_str(), "1.4.0");
/// # Ok::<(), regimg_select::PushError>(())
/// ```
///
/// | Tag | Comes from |
/// | --- | --- |
/// | `v1.4` with version `1.2.3` | [`tag`](Self::tag): as it is, in front of all others |
/// | `1.4.0`, `1.2.3-rc.1`, `2024.1.5` | [`version`](Self::version) `v1.4`, `1.2.3-rc.1`, `2024.01.05` |
/// | `1.4.0-alpine`, `1-alpine`, `alpine` | the same, and its aliases, with a [`variant`](Self::variant) |
/// | `latest`, `1`, `1.4` | [`bump_aliases`](Self::bump_aliases), unless the repository has something newer |
/// | `ci-stable` | additional tag `stable`, with [`tag_prefix`](Self::tag_prefix) `ci-` |
/// | `nightly`, `build_7` | [`tags`](Self::tags): as they are, behind all others |
///
/// An alias is not moved if the repository has a final release, of the same variant, that
/// it stands for rather than for ours: `2.0.0` or `20240105` for `latest`; `1.5` for `1`;
/// `1.4.1` for `1` and `1.4`. Pre-releases have no aliases and do not keep others from
/// theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushPolicy {
    /// A tag that stands for itself.
    pub tag: String,
    /// A version, as [`Semver`] reads it. Its tag is the version in full.
    pub version: String,
    /// What stands behind the version and its aliases, after a hyphen.
    pub variant: String,
    /// Whether the tags that stand for the newest version are moved to this one.
    pub bump_aliases: bool,
    /// What stands in front of the additional tags.
    pub tag_prefix: String,
    /// Further tags that stand for themselves.
    pub tags: Vec<String>,
}

/// Knows which tags to push, but for what the repository has already.
#[derive(Clone, Debug)]
pub struct PushPlan {
    policy: PushPolicy,
    version: Option<Semver>,
    aliases: Option<Aliases>,
}

impl PushPolicy {
    /// Reads the version.
    ///
    /// # Errors
    ///
    /// Fails if it is none.
    pub fn plan(self) -> Result<PushPlan, PushError> {
        let version = match self.version.as_str() {
            "" => None,
            text => Some(Semver::parse(text).map_err(|cause| Fault::version(text, cause))?),
        };
        let aliases = version
            .as_ref()
            .filter(|version| self.bump_aliases && !version.is_pre_release())
            .map(|version| Aliases::new(version, &self.variant));
        Ok(PushPlan {
            policy: self,
            version,
            aliases,
        })
    }
}

impl PushPlan {
    /// Reports whether [`see`](Self::see) has to be told the repository's tags, or the
    /// rest of them. A repository that does not exist has none.
    pub fn needs_remote_tags(&self) -> bool {
        self.aliases.as_ref().is_some_and(Aliases::is_open)
    }

    /// Takes tags that the repository has, in any order and number; all at once or page by
    /// page.
    pub fn see<T: AsRef<str>>(&mut self, tags: impl IntoIterator<Item = T>) {
        if let Some(aliases) = &mut self.aliases {
            tags.into_iter().for_each(|tag| aliases.see(tag.as_ref()));
        }
    }

    /// Returns the version in full if that leaves out zeros, so that its tag may surprise:
    /// a date like `2024.01.05` is pushed as `2024.1.5`.
    pub fn rewritten(&self) -> Option<String> {
        let version = self.version.as_ref();
        let version = version.filter(|version| version.has_leading_zeros());
        version.map(|version| version.canonical().to_string())
    }

    /// Lists the tags. The additional ones, which may get a prefix, are separated by white
    /// space.
    ///
    /// # Errors
    ///
    /// Fails if there is a prefix, but no additional tag; if there is no tag at all; and if
    /// one of the tags is not legal, such as one with the `+` of a version's metadata.
    pub fn tags(self, additional: &str) -> Result<PushTags, PushError> {
        let PushPolicy {
            tag,
            variant,
            tag_prefix: prefix,
            tags: listed,
            ..
        } = self.policy;
        let source = Some(tag).filter(|tag| !tag.is_empty());
        let version = self.version.as_ref().map(Semver::canonical);
        let version = version.map(|version| variant::add(&version, &variant));
        let aliases = self.aliases.iter().flat_map(Aliases::tags);
        let additional = additional.split_whitespace();
        let additional: Vec<_> = additional.map(|tag| format!("{prefix}{tag}")).collect();
        if !prefix.is_empty() && additional.is_empty() {
            return Err(Fault::PrefixAlone.into());
        }
        let source = source.into_iter().map(|tag| (Role::Source, tag));
        let version = version.into_iter().map(|tag| (Role::Version, tag));
        let aliases = aliases.map(|tag| (Role::Alias, tag));
        let further = additional.into_iter().chain(listed);
        let further = further.map(|tag| (Role::Additional, tag));
        PushTags::new(source.chain(version).chain(aliases).chain(further))
    }
}
