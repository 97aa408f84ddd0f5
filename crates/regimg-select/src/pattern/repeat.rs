//! Repetitions: `*`, `+`, `?` and counts.

use super::error::ParsePatternErrorKind as Kind;

/// How often something is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) min: u32,
    pub(super) max: Option<u32>,
    /// Whether it is written in braces; only those are limited.
    braces: bool,
}

/// The greatest count, also of counts within counts.
const MAX: u32 = 1000;

impl Count {
    /// Reads the repetition that `text` begins with and returns its length. Braces that
    /// are no count stand for themselves and are none.
    pub(super) fn of_prefix(text: &str) -> Option<(Result<Self, Kind>, usize)> {
        let sign = |min, max| Self {
            min,
            max,
            braces: false,
        };
        let count = match text.as_bytes().first()? {
            b'*' => sign(0, None),
            b'+' => sign(1, None),
            b'?' => sign(0, Some(1)),
            b'{' => return braces(text),
            _ => return None,
        };
        Some((Ok(count), 1))
    }

    /// Reports whether something that repeats `repeats` times may be repeated so often.
    pub(super) fn allows(self, repeats: u32) -> bool {
        let least = self.min < 2 && self.max.is_none_or(|max| max < 2);
        !self.braces || least || self.factor(repeats) <= MAX
    }

    /// Multiplies with the repeats within. What is never there does not count.
    pub(super) fn factor(self, repeats: u32) -> u32 {
        match self.max {
            Some(0) => 1,
            _ if !self.braces => repeats,
            max => repeats.saturating_mul(max.unwrap_or(self.min).max(1)),
        }
    }
}

fn braces(text: &str) -> Option<(Result<Count, Kind>, usize)> {
    let rest = text.strip_prefix('{')?;
    let (min, rest) = number(rest)?;
    let (max, rest) = match rest.strip_prefix(',') {
        None => (Some(min), rest),
        Some(rest) if rest.starts_with('}') => (None, rest),
        Some(rest) => number(rest).map(|(max, rest)| (Some(max), rest))?,
    };
    let rest = rest.strip_prefix('}')?;
    let valid = min <= MAX && max.is_none_or(|max| max <= MAX && min <= max);
    let count = Count {
        min,
        max,
        braces: true,
    };
    let count = valid.then_some(count).ok_or(Kind::InvalidRepeatSize);
    Some((count, text.len() - rest.len()))
}

/// Takes a number without leading zeros; a huge one is as good as any above the limit.
fn number(text: &str) -> Option<(u32, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(length);
    let written = !digits.is_empty() && (digits == "0" || !digits.starts_with('0'));
    written.then(|| (digits.parse().unwrap_or(u32::MAX), rest))
}
