//! Which images a platform can use, and which of them is best.

use std::cmp::Reverse;

use super::Platform;

/// How well an image serves a platform, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    /// It is for just this variant.
    Exact,
    /// It is for less than the machine has; the highest is best.
    Older(Reverse<Level>),
    /// It is for more than is usual, and nobody asked; the lowest is best.
    Newer(Level),
    /// It is for a variant without order, and nobody asked.
    Other,
    /// It does not say what it is for.
    Unstated,
}

/// The major and minor version of an architecture.
type Level = (u32, u32);

impl Platform {
    /// Says whether an image for `candidate` serves who asks for this.
    ///
    /// Both are normalized first. The operating system and architecture must
    /// be equal, the version of the operating system if asked for; features
    /// asked for must all be there, as in go-containerregistry. The variant:
    ///
    /// | Asked for | Satisfied by |
    /// | --- | --- |
    /// | `arm/v7` | `arm/v7`, `arm`, and what such a machine runs: `arm/v6`, `arm/v5` |
    /// | `amd64/v3` | `amd64/v3`, `amd64/v2`, `amd64` |
    /// | `arm64/v9.1` | `arm64/v9.1`, `arm64/v9`, `arm64/v8.6` down to `arm64` |
    /// | any other variant | the same variant |
    /// | no variant | every variant |
    ///
    /// These are the rules of containerd's [`Only`], except that another
    /// architecture never serves, neither `386` for `amd64` nor `arm` for
    /// `arm64`. [`Index::select`](crate::Index::select) takes the nearest.
    ///
    /// [`Only`]: https://github.com/containerd/platforms/blob/v1.0.0-rc.1/compare.go
    pub fn is_satisfied_by(&self, candidate: &Self) -> bool {
        self.fit(candidate).is_some()
    }

    /// Tells how well an image for `candidate` serves; `None` if not at all.
    pub(crate) fn fit(&self, candidate: &Self) -> Option<Fit> {
        let (want, have) = (self.normalized(), candidate.normalized());
        let same = want.os == have.os && want.architecture == have.architecture;
        let version = want.os_version.is_none() || want.os_version == have.os_version;
        let has = |feature| have.os_features.contains(feature);
        if !(same && version && want.os_features.iter().all(has)) {
            return None;
        }
        if want.variant == have.variant {
            return Some(Fit::Exact);
        }
        match (want.level(), have.level()) {
            (Some(machine), Some(image)) if want.runs(machine, image) => {
                Some(Fit::Older(Reverse(image)))
            }
            _ if self.names_variant() => None,
            (_, Some(image)) => Some(Fit::Newer(image)),
            _ => Some(Fit::Other),
        }
    }

    /// Reads a normalized variant as a version, where versions have an order.
    fn level(&self) -> Option<Level> {
        let usual = match self.architecture.as_str() {
            "amd64" => "v1",
            "arm" => "v7",
            "arm64" => "v8",
            _ => return None,
        };
        let version = self.variant.as_deref().unwrap_or(usual).strip_prefix('v')?;
        let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
        Some((major.parse().ok()?, minor.parse().ok()?))
    }

    /// Says whether a machine runs images that were built for less.
    ///
    /// Armv9.0 grew out of Armv8.5, so the minor versions are five apart.
    fn runs(&self, machine: Level, image: Level) -> bool {
        let is_arm64 = self.architecture == "arm64";
        match (machine, image) {
            ((9, machine), (8, image)) if is_arm64 => image <= machine.saturating_add(5),
            ((machine, _), (image, _)) if is_arm64 && machine != image => false,
            _ => image <= machine,
        }
    }

    /// Some names of architectures imply a variant.
    fn names_variant(&self) -> bool {
        let implied = ["armhf", "armel"];
        self.variant.as_ref().is_some_and(|text| !text.is_empty())
            || implied
                .iter()
                .any(|name| self.architecture.eq_ignore_ascii_case(name))
    }
}
