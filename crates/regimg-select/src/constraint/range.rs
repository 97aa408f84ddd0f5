//! Ranges with both ends, `1.2 - 1.4`, which are rewritten as two comparisons.

use super::parse::{is_space, operand};

/// Rewrites every `A - B` as `>= A, <= B `, together with the white space around it.
///
/// Compat: upstream rewrites the text before it looks at anything else, so `A` is
/// whatever version ends before the hyphen, even in the middle of a word, and the space
/// that separated the range from what precedes it is gone.
pub(super) fn rewrite(text: &str) -> String {
    let mut rewritten = String::with_capacity(2 * text.len());
    let mut rest = text;
    while let Some(found) = find(rest) {
        let Found {
            before,
            low,
            high,
            after,
        } = found;
        rewritten.push_str(before);
        rewritten.push_str(">= ");
        rewritten.push_str(low);
        rewritten.push_str(", <= ");
        rewritten.push_str(high);
        rewritten.push(' ');
        rest = after;
    }
    rewritten.push_str(rest);
    rewritten
}

struct Found<'a> {
    before: &'a str,
    low: &'a str,
    high: &'a str,
    after: &'a str,
}

/// Finds the first range.
fn find(text: &str) -> Option<Found<'_>> {
    text.match_indices('-')
        .find_map(|(hyphen, _)| around(text, hyphen))
}

/// Reads the range that has its hyphen at `hyphen`, if there is one.
fn around(text: &str, hyphen: usize) -> Option<Found<'_>> {
    let high = text[hyphen + 1..].trim_start_matches(is_space);
    let low = text[..hyphen].trim_end_matches(is_space);
    let separated = low.len() < hyphen && high.len() < text.len() - hyphen - 1;
    let length = operand(high).filter(|_| separated)?.end;
    let start = last_operand(low)?;
    Some(Found {
        before: low[..start].trim_end_matches(is_space),
        low: &low[start..],
        high: &high[..length],
        after: high[length..].trim_start_matches(is_space),
    })
}

/// Finds the longest operand that `text` ends with.
fn last_operand(text: &str) -> Option<usize> {
    let word = text.rfind(is_space).map_or(0, |space| space + 1);
    (word..text.len())
        .filter(|&start| text.is_char_boundary(start))
        .find(|&start| operand(&text[start..]).is_some_and(|shape| start + shape.end == text.len()))
}

#[cfg(test)]
mod tests {
    use super::rewrite;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(rewrite(text), expected);
    }

    #[test]
    fn both_ends_become_comparisons() {
        check("1 - 2", ">= 1, <= 2 ");
        check(" v1.2-a\t-\nx.3 ,1", ">= v1.2-a, <= x.3 ,1");
        check("1 - 2 - 3", ">= 1, <= 2 - 3");
        check("1 - 2 || 3 - 4", ">= 1, <= 2 ||>= 3, <= 4 ");
        check("1 - 2 3 - 4", ">= 1, <= 2 >= 3, <= 4 ");
    }

    #[test]
    fn words_are_cut_where_a_version_starts() {
        check(">1 - 2", ">>= 1, <= 2 ");
        check("1.2.3.4 - 5.6.7.8", "1.>= 2.3.4, <= 5.6.7 .8");
        check("é1 - 2é", "é>= 1, <= 2 é");
        check("!=1.5 1 - 2", "!=1.5>= 1, <= 2 ");
    }

    #[test]
    fn other_hyphens_stay() {
        for text in [
            "1-2",
            "1 -2",
            "1- 2",
            "- 2",
            "1 -",
            "1 - <2",
            "a - b",
            "1\u{a0}- 2",
        ] {
            check(text, text);
        }
    }
}
