//! Whether a credential that was refused is worth another one.

use std::time::{Duration, SystemTime};

/// A refused credential whose predecessor was refused too is kept this long: it is not the
/// credential then, and every request would get another one.
const SECOND_CHANCE: Duration = Duration::from_mins(5);

/// When a credential was had, and in place of what.
#[derive(Clone, Copy)]
pub(crate) struct Had {
    pub(crate) at: SystemTime,
    replaces_refused: bool,
}

impl Had {
    pub(crate) fn now(now: SystemTime) -> Self {
        Self {
            at: now,
            replaces_refused: false,
        }
    }

    pub(crate) fn in_place_of_refused(self) -> Self {
        Self {
            replaces_refused: true,
            ..self
        }
    }

    /// Says of a credential that was refused whether another one may do better.
    pub(crate) fn is_worth_renewing(&self, now: SystemTime) -> bool {
        let age = now.duration_since(self.at).unwrap_or_default();
        !self.replaces_refused || age >= SECOND_CHANCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_refusal_is_believed_for_a_while() {
        let start = SystemTime::UNIX_EPOCH;
        let after = |minutes| start + Duration::from_mins(minutes);
        let first = Had::now(start);
        assert!(first.is_worth_renewing(start));
        let second = first.in_place_of_refused();
        assert!(!second.is_worth_renewing(after(4)) && second.is_worth_renewing(after(5)));
    }
}
