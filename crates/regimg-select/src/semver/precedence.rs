//! Numbers and pre-releases, and which of two comes first.

use std::cmp::Ordering;

use super::error::Fault;

/// Reads the digits of a number.
pub(crate) fn number(digits: &str) -> Result<u64, Fault> {
    digits
        .parse()
        .map_err(|_| Fault::Overflow(digits.to_owned()))
}

/// Reports whether a numeric identifier is written with a leading zero.
pub(crate) fn has_leading_zero(pre_release: &str) -> bool {
    pre_release.split('.').any(|identifier| {
        identifier.len() > 1 && identifier.starts_with('0') && is_numeric(identifier)
    })
}

/// Compares two pre-releases; an empty one is a final release and above all others.
pub(crate) fn pre_releases(left: &str, right: &str) -> Ordering {
    match (left.is_empty(), right.is_empty()) {
        (false, false) => left
            .split('.')
            .map(Identifier::of)
            .cmp(right.split('.').map(Identifier::of)),
        (left_final, right_final) => left_final.cmp(&right_final),
    }
}

/// One identifier of a pre-release; the order of the variants is their precedence.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Identifier<'a> {
    Numeric(u64),
    Text(&'a str),
}

impl<'a> Identifier<'a> {
    fn of(text: &'a str) -> Self {
        match text.parse() {
            Ok(number) if is_numeric(text) => Self::Numeric(number),
            _ => Self::Text(text),
        }
    }
}

fn is_numeric(identifier: &str) -> bool {
    identifier.bytes().all(|byte| byte.is_ascii_digit())
}
