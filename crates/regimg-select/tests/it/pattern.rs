//! Patterns: what is one, and what it matches.

use std::collections::BTreeMap;

use regimg_select::Pattern;
use serde::Deserialize;

use crate::vectors;

#[derive(Deserialize)]
struct Case {
    pattern: String,
    ok: bool,
    err: Option<String>,
    /// The part of the pattern that is wrong.
    expr: Option<String>,
    #[serde(default)]
    tests: Vec<(String, bool)>,
}

#[test]
fn patterns_are_gos() {
    for case in vectors::cases::<Case>("regex.json") {
        let text = &case.pattern;
        let pattern = match Pattern::parse(text) {
            Ok(pattern) => pattern,
            Err(error) => {
                assert!(!case.ok, "{text:?}: {error}");
                assert_eq!(Some(error.kind().to_string()), case.err, "{text:?}");
                // The vectors leave out fragments that are empty, or the whole of a huge pattern.
                let fragment = case.expr.as_ref().unwrap_or(text);
                let known = case.expr.is_some() || !error.fragment().is_empty();
                assert!(!known || error.fragment() == fragment, "{text:?}: {error}");
                continue;
            }
        };
        assert!(case.ok, "{text:?}");
        for (input, expected) in &case.tests {
            assert_eq!(pattern.is_match(input), *expected, "{text:?} {input:?}");
        }
    }
}

#[derive(Deserialize)]
struct Names {
    names: BTreeMap<String, Name>,
}

#[derive(Deserialize)]
struct Name {
    /// The ASCII characters that have it, as ranges.
    ascii: Vec<(u32, u32)>,
}

#[test]
fn unicode_names_are_gos() {
    let document: Names = vectors::document("go_unicode_names.json");
    for (name, expected) in &document.names {
        let spelled = name.to_uppercase().replace('_', "- ");
        let [pattern, respelled, negated] = [
            format!(r"\p{{{name}}}"),
            format!(r"\p{{{spelled}}}"),
            format!(r"\p{{^{name}}}"),
        ]
        .map(|text| Pattern::parse(&text).unwrap());
        for code in 0..128 {
            let character = char::from_u32(code).unwrap().to_string();
            let expected = expected
                .ascii
                .iter()
                .any(|&(low, high)| (low..=high).contains(&code));
            assert_eq!(pattern.is_match(&character), expected, "{name} {code}");
            assert_eq!(respelled.is_match(&character), expected, "{spelled} {code}");
            assert_eq!(negated.is_match(&character), !expected, "{name} {code}");
        }
    }
    for other in [
        "Latn",
        "Alphabetic",
        "White_Space",
        "sc=Greek",
        "gc=L",
        "Age:6.0",
    ] {
        assert!(
            Pattern::parse(&format!(r"\p{{{other}}}")).is_err(),
            "{other}"
        );
    }
}
