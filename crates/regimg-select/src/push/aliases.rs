//! Tags that stand for the newest version: `latest`, `1`, `1.4`.

use crate::{Semver, variant};

/// Knows which aliases may move to a version.
#[derive(Clone, Debug)]
pub(super) struct Aliases {
    /// The version's numbers.
    numbers: [u64; 3],
    variant: String,
    latest: bool,
    major: bool,
    minor: bool,
}

impl Aliases {
    /// Lets all aliases move to `version` as long as nothing newer is seen.
    pub(super) fn new(version: &Semver, variant: &str) -> Self {
        Self {
            numbers: version.numbers(),
            variant: variant.to_owned(),
            latest: true,
            major: true,
            minor: true,
        }
    }

    /// Reports whether a tag could still make a difference.
    pub(super) fn is_open(&self) -> bool {
        self.latest || self.major || self.minor
    }

    /// Takes a tag that the repository has. Aliases there are versions, too: `2` is newer
    /// than 1.4.0, and so is a date.
    pub(super) fn see(&mut self, tag: &str) {
        let text = variant::strip(tag, &self.variant);
        let version = text.and_then(|text| Semver::parse(text).ok());
        let Some(remote) = version.filter(|version| !version.is_pre_release()) else {
            return;
        };
        let (remote, ours) = (remote.numbers(), self.numbers);
        if remote <= ours {
            return;
        }
        self.latest = false;
        self.major &= remote[..1] != ours[..1];
        self.minor &= remote[..2] != ours[..2];
    }

    /// Lists the aliases that move.
    pub(super) fn tags(&self) -> impl Iterator<Item = String> {
        let [major, minor, _] = self.numbers;
        let tag = |version: &str| variant::add(&version, &self.variant);
        let aliases = [
            (self.latest, variant::bare(&self.variant).to_owned()),
            (self.major, tag(&major.to_string())),
            (self.minor, tag(&format!("{major}.{minor}"))),
        ];
        aliases
            .into_iter()
            .filter_map(|(moves, tag)| moves.then_some(tag))
    }
}
