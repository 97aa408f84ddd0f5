//! Constraints: parsing and matching.

use proptest::prelude::*;
use regimg_select::{Constraint, ParseConstraintErrorKind as Kind, Semver};
use serde::Deserialize;

use crate::vectors;

#[derive(Deserialize)]
struct Case {
    constraint: String,
    ok: bool,
    err: Option<String>,
    msg: Option<String>,
    string: Option<String>,
    #[serde(default)]
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    v: String,
    r: bool,
    rp: bool,
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::TooLong => "too_long",
        Kind::TooManyAlternatives => "too_many_groups",
        Kind::Improper => "improper",
        Kind::Version => "bad_version",
        _ => "unknown",
    }
}

#[test]
fn constraints_are_masterminds() {
    for case in vectors::cases::<Case>("constraints.json") {
        let text = &case.constraint;
        let constraint = match Constraint::parse(text) {
            Ok(constraint) => constraint,
            Err(error) => {
                assert!(!case.ok, "{text:?}: {error}");
                assert_eq!(Some(class(error.kind())), case.err.as_deref(), "{text:?}");
                assert_eq!(Some(error.to_string()), case.msg, "{text:?}");
                continue;
            }
        };
        assert!(case.ok, "{text:?}");
        assert_eq!(Some(constraint.to_string()), case.string, "{text:?}");
        for check in &case.checks {
            let version = Semver::parse(&check.v).unwrap();
            assert_eq!(constraint.matches(&version), check.r, "{text:?} {version}");
            let with_pre_releases = constraint.matches_with_pre_releases(&version);
            assert_eq!(with_pre_releases, check.rp, "{text:?} {version}");
        }
    }
}

#[test]
fn limits_are_at_the_byte_and_at_the_alternative() {
    let check = |text: String, expected: Option<Kind>| {
        let found = Constraint::parse(&text).err().map(|error| error.kind());
        assert_eq!(found, expected, "{text}");
    };
    check(format!("1{}", " ".repeat(511)), None);
    check(format!("1{}", " ".repeat(512)), Some(Kind::TooLong));
    check(vec!["1"; 32].join("||"), None);
    check(vec!["1"; 33].join("||"), Some(Kind::TooManyAlternatives));
    // The length is limited before ranges are rewritten, which makes them longer.
    check(vec!["1 - 2"; 32].join(" || "), None);
}

fn constraints() -> impl Strategy<Value = String> {
    let operator = "(|=|!=|>|<|>=|=>|<=|=<|~|~>|\\^)[ \t]{0,2}";
    let operand = "v?[0-3xX*|]{1,2}(\\.[0-3xX*]{1,2}){0,2}(-[a0-1.-]{1,3})?(\\+[a.]{1,2})?";
    let range = "[0-3](\\.[0-3x]){0,2} - [0-3](\\.[0-3x]){0,2}";
    let atom = prop_oneof![
        4 => (operator, operand).prop_map(|(operator, operand)| operator + &operand),
        1 => range,
    ];
    prop::collection::vec((atom, "(, | |,| \\|\\| |)"), 1..5).prop_map(|all| {
        all.into_iter()
            .map(|(atom, separator)| atom + &separator)
            .collect()
    })
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
        let _ = Constraint::parse(&text).map(|constraint| constraint.to_string());
    }

    #[test]
    fn what_is_printed_is_the_same_constraint(
        text in constraints(),
        version in "[0-3]\\.[0-3]\\.[0-3](-[a-c])?",
    ) {
        let version = Semver::parse(&version).unwrap();
        if let Ok(constraint) = Constraint::parse(&text) {
            let again = Constraint::parse(&constraint.to_string()).unwrap();
            prop_assert_eq!(&again, &constraint);
            prop_assert_eq!(again.matches(&version), constraint.matches(&version));
            if constraint.matches(&version) {
                prop_assert!(constraint.matches_with_pre_releases(&version));
            }
        }
    }
}
