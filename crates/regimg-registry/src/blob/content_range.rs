//! `Content-Range` of a download, and `Range` of an upload.

/// What part of a blob an answer holds
/// ([RFC 9110, section 14.4](https://www.rfc-editor.org/rfc/rfc9110#section-14.4)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContentRange {
    pub(crate) first: u64,
    /// The last byte, itself included.
    pub(crate) last: u64,
    /// The size of the whole, unless the server does not know it.
    pub(crate) total: Option<u64>,
}

impl ContentRange {
    /// Reads `bytes 5-9/10` or `bytes 5-9/*`; ranges that contradict themselves are none.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let (unit, range) = value.trim().split_once(' ')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (part, total) = range.trim().split_once('/')?;
        let (first, last) = part.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let total = match total {
            "*" => None,
            total => Some(number(total)?),
        };
        let is_sound = first <= last && total.is_none_or(|total| last < total);
        is_sound.then_some(Self { first, last, total })
    }
}

/// Reads how many bytes an upload holds: `0-99` means 100, with or without `bytes=`.
///
/// `0-0` is what registries say of an empty upload, so it counts as nothing.
pub(crate) fn received(value: &str) -> Option<u64> {
    let range = value.trim();
    let range = range.strip_prefix("bytes=").unwrap_or(range);
    match range.strip_prefix("0-").and_then(number)? {
        0 => Some(0),
        last => last.checked_add(1),
    }
}

fn number(text: &str) -> Option<u64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(value: &str, wanted: Option<(u64, u64, Option<u64>)>) {
        let got = ContentRange::parse(value).map(|range| (range.first, range.last, range.total));
        assert_eq!(got, wanted, "{value}");
    }

    #[test]
    fn content_ranges() {
        check("bytes 0-0/1", Some((0, 0, Some(1))));
        check("Bytes 5-9/10", Some((5, 9, Some(10))));
        check("bytes 5-9/*", Some((5, 9, None)));
        check("bytes 5-10/10", None);
        check("bytes 9-5/10", None);
        check("bytes */10", None);
        check("bytes=5-9/10", None);
        check("bytes 5-9", None);
        check("bytes +5-9/10", None);
        check("bytes 5-99999999999999999999/*", None);
        check("items 5-9/10", None);
        check("", None);
    }

    #[test]
    fn received_bytes() {
        let cases = [
            ("0-99", Some(100)),
            ("bytes=0-99", Some(100)),
            ("0-0", Some(0)),
            ("5-9", None),
            ("0-", None),
            ("", None),
            ("0-18446744073709551615", None),
            ("0--1", None),
        ];
        for (value, wanted) in cases {
            assert_eq!(received(value), wanted, "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_value_can_be_read(value in "\\PC{0,60}") {
            ContentRange::parse(&value);
            received(&value);
        }

        #[test]
        fn sound_ranges_come_back(first in 0..u64::MAX / 4, length in 1..u64::MAX / 4, behind in 0..u64::MAX / 4) {
            let (last, total) = (first + length - 1, first + length + behind);
            let got = ContentRange::parse(&format!("bytes {first}-{last}/{total}"));
            prop_assert_eq!(got, Some(ContentRange { first, last, total: Some(total) }));
        }
    }
}
