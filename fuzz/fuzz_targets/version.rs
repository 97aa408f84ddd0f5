//! Versions in both schemes: printing, and an order that holds for any three.

#![no_main]

use std::cmp::Ordering;

use libfuzzer_sys::fuzz_target;
use regimg_select::{NumericVersion, Semver};

fuzz_target!(|data: &str| {
    let texts: Vec<&str> = data.splitn(3, '\n').collect();
    let versions: Vec<_> = texts
        .iter()
        .filter_map(|text| Semver::parse(text).ok())
        .collect();
    for version in &versions {
        let canonical = version.canonical().to_string();
        if let Ok(again) = Semver::parse(&canonical) {
            assert_eq!(again.canonical().to_string(), canonical);
            assert!(again.cmp_precedence(version).is_eq());
        } else {
            assert!(canonical.len() > Semver::MAX_LENGTH);
        }
    }
    is_ordered(&versions, Semver::cmp_precedence);
    let versions = texts
        .iter()
        .filter_map(|text| NumericVersion::parse(text).ok());
    is_ordered(
        &versions.collect::<Vec<_>>(),
        NumericVersion::cmp_precedence,
    );
});

fn is_ordered<V>(versions: &[V], cmp: fn(&V, &V) -> Ordering) {
    let [a, b, c] = versions else { return };
    assert_eq!(cmp(a, b), cmp(b, a).reverse());
    if cmp(a, b) == cmp(b, c) {
        assert_eq!(cmp(a, c), cmp(a, b));
    }
}
