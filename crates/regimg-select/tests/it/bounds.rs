//! Patterns that would take too much stack, memory or time, if anything let them.
//!
//! Tests run on threads with 2 MiB of stack, and unoptimised code takes much of it.

use proptest::prelude::*;
use regimg_select::{ParsePatternErrorKind as Kind, Pattern, VersionPattern};

/// Reads a pattern and matches a tag and a text beyond ASCII; none stands for refused.
#[track_caller]
fn check(pattern: &str, expected: Result<bool, Kind>) {
    let excerpt: String = pattern.chars().take(60).collect();
    let found = Pattern::parse(pattern).map_err(|error| error.kind());
    let found = found.map(|pattern| {
        pattern.is_match("é");
        pattern.is_match("1.2.3-rc.1")
    });
    assert_eq!(found, expected, "{excerpt}");
}

fn nested(open: &str, inner: &str, close: &str, levels: usize) -> String {
    format!("{}{inner}{}", open.repeat(levels), close.repeat(levels))
}

#[test]
fn nesting_is_limited_and_needs_no_stack_of_the_caller() {
    check(&nested("(", "1", ")", 999), Ok(true));
    check(&nested("(", "1", ")", 1000), Err(Kind::NestingDepth));
    check(&nested("(", "1", ")*", 499), Ok(true));
    check(&nested("(", "1", ")*", 500), Err(Kind::NestingDepth));
    check(&nested("(x|y", "1", ")", 300), Ok(false));
    // What only groups adds nothing, so it may go on.
    check(&nested("(?:", "1", ")", 5_000), Ok(true));
    check(&nested("x|(?:y|", "1", ")", 5_000), Ok(true));
    check(&"(".repeat(100_000), Err(Kind::MissingParen));
}

#[test]
fn alternatives_with_common_beginnings_may_nest_deeper_when_simplified() {
    let level = |inner: String, level: usize| {
        let beginning = "[12]?".repeat(level);
        format!("{beginning}[ab]x*|(?:{beginning}[cd]y*|{inner})")
    };
    check(&(1..60).rev().fold("[12]".to_owned(), level), Ok(true));
}

#[test]
fn counts_multiply_up_to_a_thousand() {
    check("1{1000}", Ok(false));
    check("1{1001}", Err(Kind::InvalidRepeatSize));
    check("(1{10}){100}", Ok(false));
    check("(1{10}){101}", Err(Kind::InvalidRepeatSize));
    check("((1{10}){0}){1000}", Ok(true));
    check("(a{1000})(b{1000})", Ok(false));
    check(r"\pL{1000}", Ok(false));
    check(r"(?i)\PL{1000}", Ok(false));
}

#[test]
fn what_would_take_too_much_memory_is_refused() {
    check(&"(a{1000})".repeat(4_000), Err(Kind::Large));
    check(&".{1000}".repeat(1_000), Err(Kind::Large));
    check(&"1".repeat(1_000_000), Err(Kind::Large));
    check(&"|".repeat(1_000_000), Err(Kind::Large));
    check(&"(".repeat(1_000_000), Err(Kind::Large));
    check(&"1*".repeat(1_000_000), Err(Kind::Large));
    check(&r"\PL".repeat(50_000), Err(Kind::Large));
}

/// A cache of the lazy DFA that cannot hold one state makes it call itself for ever:
/// so it must hold one that consists of a million alternatives, or not be used.
#[test]
fn a_million_empty_alternatives_are_matched() {
    check(&format!("^(?:{}1){{1000}}", "|".repeat(999)), Ok(true));
    check(&format!("(?:{}){{1000}}$", "|".repeat(300)), Ok(true));
    check(&format!("(?:{}2){{100}}", "1?|".repeat(300)), Ok(true));
    check(&format!("(?:{}2){{1000}}", "[1a]?x?|".repeat(50)), Ok(true));
}

#[test]
fn what_looks_for_an_end_that_is_missing_does_so_once() {
    check(&"[:".repeat(100_000), Err(Kind::MissingBracket));
    check(
        &format!("[{}", "[:".repeat(100_000)),
        Err(Kind::MissingBracket),
    );
    check(&"(?P<".repeat(10_000), Err(Kind::InvalidNamedCapture));
    check(&r"\Q".repeat(10_000), Ok(false));
    check(&"{1".repeat(10_000), Ok(false));
    check(&format!("{{{}", "1".repeat(100_000)), Ok(false));
}

#[test]
fn classes_of_everything_are_folded_quickly() {
    check(
        &format!("(?i){}", r"[\x00-\x{10ffff}]".repeat(1_000)),
        Ok(false),
    );
}

#[test]
fn captures_are_limited_in_number_and_size() {
    let check = |pattern: &str, expected: Option<Kind>| {
        let found = VersionPattern::parse(pattern)
            .err()
            .map(|error| error.kind());
        assert_eq!(found, expected, "{}", &pattern[..pattern.len().min(60)]);
    };
    check(&"(?P<version>1)|".repeat(16), None);
    check(&"(?P<version>1)|".repeat(17), Some(Kind::Large));
    check("(?P<version>1{1000})", None);
    check(
        &format!("(?P<version>{})", "(1{1000})".repeat(200)),
        Some(Kind::Large),
    );
    check(&nested("(", "(?<version>1)", ")", 998), None);
    check("(1)", Some(Kind::NoVersionGroup));
}

#[test]
fn errors_fit_a_line_of_a_log() {
    let error = Pattern::parse(&"é".repeat(1_000_000)).unwrap_err();
    assert_eq!(error.to_string().chars().filter(|&c| c == 'é').count(), 300);
    assert_eq!(error.fragment().len(), 2_000_000);
}

/// Pieces of patterns, put together at random.
fn patterns() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a",
        "1",
        "é",
        ".",
        "^",
        "$",
        "|",
        "(",
        ")",
        "(?:",
        "(?i)",
        "(?-s:",
        "(?P<version>",
        "*",
        "+?",
        "?",
        "{2}",
        "{0,3}",
        "{,2}",
        "[",
        "]",
        "[^",
        "-",
        "[:alpha:]",
        "[:",
        ":]",
        r"\d",
        r"\PL",
        r"\p{Greek}",
        r"\Q",
        r"\E",
        r"\b",
        r"\z",
        r"\x41",
        r"\101",
        r"\",
        "{",
    ]);
    prop::collection::vec(pieces, 0..16).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_a_pattern_panic(text in "\\PC{0,40}", input in "\\PC{0,20}") {
        if let Ok(pattern) = Pattern::parse(&text) {
            pattern.is_match(&input);
        }
    }

    #[test]
    fn both_programs_of_a_pattern_agree(text in patterns(), input in "[a1A. -]{0,8}") {
        let Ok(pattern) = Pattern::parse(&text) else {
            return Ok(());
        };
        prop_assert_eq!(Pattern::parse(pattern.as_str()), Ok(pattern.clone()));
        // Text beyond ASCII goes to the other program. In front of it, this one skips to
        // the text that the first one saw.
        let shifted = Pattern::parse(&format!(r"é\n(?:{text})"));
        let anchored = Pattern::parse(&format!(r"\A(?:{text})"));
        if let (Ok(shifted), Ok(anchored)) = (shifted, anchored) {
            let places = [r"^", r"\A", r"\b", r"\B", r"\Q", "$"];
            if !places.iter().any(|place| text.contains(place)) {
                let found = shifted.is_match(&format!("é\n{input}"));
                prop_assert_eq!(found, anchored.is_match(&input));
            }
        }
    }

    #[test]
    fn a_captured_version_is_part_of_a_match(text in patterns(), input in "[a1A. -]{0,8}") {
        let Ok(pattern) = VersionPattern::parse(&text) else {
            return Ok(());
        };
        if let Some(version) = pattern.version(&input) {
            prop_assert!(input.contains(version));
            prop_assert!(Pattern::parse(&text).unwrap().is_match(&input));
        }
    }
}
