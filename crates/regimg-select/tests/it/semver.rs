//! Versions: parsing and precedence.

use std::cmp::Ordering;

use proptest::prelude::*;
use regimg_select::{ParseSemverErrorKind as Kind, Semver};
use serde::Deserialize;

use crate::vectors;

#[derive(Deserialize)]
struct Parsed {
    #[serde(rename = "in")]
    text: String,
    ok: bool,
    err: Option<String>,
    msg: Option<String>,
    #[serde(default)]
    canonical: String,
    #[serde(default)]
    major: u64,
    #[serde(default)]
    minor: u64,
    #[serde(default)]
    patch: u64,
    #[serde(default)]
    pre: String,
    #[serde(default)]
    meta: String,
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::TooLong => "too_long",
        Kind::Invalid => "invalid",
        Kind::Overflow => "overflow",
        Kind::PreReleaseLeadingZero => "prerelease_leading_zero",
        _ => "unknown",
    }
}

#[test]
fn versions_are_read_as_masterminds_reads_them() {
    for case in vectors::cases::<Parsed>("semver_parse.json") {
        let text = &case.text;
        match Semver::parse(text) {
            Ok(version) => {
                assert!(case.ok, "{text:?}");
                assert_eq!(version.as_str(), text);
                assert_eq!(version.canonical().to_string(), case.canonical, "{text:?}");
                let numbers = [case.major, case.minor, case.patch];
                assert_eq!(version.numbers(), numbers, "{text:?}");
                assert_eq!(version.pre_release(), case.pre, "{text:?}");
                assert_eq!(version.metadata(), case.meta, "{text:?}");
                assert_eq!(version.is_pre_release(), !case.pre.is_empty(), "{text:?}");
            }
            Err(error) => {
                assert!(!case.ok, "{text:?}: {error}");
                assert_eq!(Some(class(error.kind())), case.err.as_deref(), "{text:?}");
                assert_eq!(Some(error.to_string()), case.msg, "{text:?}");
            }
        }
    }
}

#[derive(Deserialize)]
struct Compared {
    a: String,
    b: String,
    cmp: i8,
}

#[test]
fn precedence_is_masterminds() {
    for case in vectors::cases::<Compared>("semver_compare.json") {
        let [a, b] = [&case.a, &case.b].map(|text| Semver::parse(text).unwrap());
        let expected = case.cmp.cmp(&0);
        assert_eq!(a.cmp_precedence(&b), expected, "{a} {b}");
        assert_eq!(b.cmp_precedence(&a), expected.reverse(), "{b} {a}");
    }
}

#[test]
fn limits_are_at_the_byte() {
    let check = |text: String, expected: Option<Kind>| {
        let found = Semver::parse(&text).err().map(|error| error.kind());
        assert_eq!(found, expected, "{text}");
    };
    check(format!("1.0.0-{}", "a".repeat(250)), None);
    check(format!("1.0.0-{}", "a".repeat(251)), Some(Kind::TooLong));
    check("é".repeat(129), Some(Kind::TooLong));
    check(format!("{}{}", "0".repeat(236), u64::MAX), None);
    check("18446744073709551616".to_owned(), Some(Kind::Overflow));
    check("18446744073709551616-01".to_owned(), Some(Kind::Overflow));
    check("1.2.3-18446744073709551616".to_owned(), None);
}

/// Text that is a version more often than not.
fn versions() -> impl Strategy<Value = String> {
    let number = prop_oneof!["0{0,2}[0-9]{1,2}", Just(u64::MAX.to_string())];
    let numbers = prop::collection::vec(number, 1..4).prop_map(|numbers| numbers.join("."));
    let identifier = "(0|[1-9][0-9]{0,20}|[0-9a-cA-C-]{0,2}[a-cA-C-])";
    let identifiers = || prop::collection::vec(identifier, 0..4).prop_map(|all| all.join("."));
    (any::<bool>(), numbers, identifiers(), identifiers()).prop_map(|(v, numbers, pre, meta)| {
        let sign = if v { "v" } else { "" };
        let part = |sign: &str, text: String| match text.as_str() {
            "" => text,
            _ => format!("{sign}{text}"),
        };
        format!("{sign}{numbers}{}{}", part("-", pre), part("+", meta))
    })
}

fn version() -> impl Strategy<Value = Semver> {
    versions().prop_map(|text| Semver::parse(&text).unwrap())
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,300}") {
        if let Ok(version) = Semver::parse(&text) {
            prop_assert_eq!(version.to_string(), text);
        }
    }

    #[test]
    fn the_canonical_form_is_the_same_version(version in version()) {
        let canonical = version.canonical().to_string();
        let again = Semver::parse(&canonical).unwrap();
        prop_assert_eq!(again.canonical().to_string(), canonical);
        prop_assert!(again.cmp_precedence(&version).is_eq());
        prop_assert_eq!(again.metadata(), version.metadata());
    }

    #[test]
    fn the_order_is_total_and_transitive(versions in prop::collection::vec(version(), 3)) {
        let [a, b, c] = [&versions[0], &versions[1], &versions[2]];
        prop_assert_eq!(a.cmp_precedence(b), b.cmp_precedence(a).reverse());
        prop_assert!(a.cmp_precedence(a).is_eq());
        let [ab, bc, ac] = [a.cmp_precedence(b), b.cmp_precedence(c), a.cmp_precedence(c)];
        if ab == bc {
            prop_assert_eq!(ac, ab);
        }
        if ab == Ordering::Equal {
            prop_assert_eq!(ac, bc);
        }
    }
}

#[cfg(feature = "semver")]
mod interop {
    use super::{Semver, proptest, version};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn versions_convert_to_the_semver_crate_and_back(version in version()) {
            let theirs = semver::Version::try_from(&version).unwrap();
            prop_assert_eq!(theirs.to_string(), version.canonical().to_string());
            if let Ok(ours) = Semver::try_from(&theirs) {
                prop_assert!(ours.cmp_precedence(&version).is_eq());
            } else {
                // A missing minor number has to be written there, so it gets longer.
                prop_assert!(theirs.to_string().len() > Semver::MAX_LENGTH);
            }
        }
    }
}
