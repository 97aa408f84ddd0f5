//! Constraints: what is printed means the same. A line end separates a version to match.

#![no_main]

use libfuzzer_sys::fuzz_target;
use regimg_select::{Constraint, Semver};

fuzz_target!(|data: &str| {
    let (version, text) = data.split_once('\n').unwrap_or(("1.2.3-rc.1", data));
    let Ok(constraint) = Constraint::parse(text) else {
        return;
    };
    let printed = constraint.to_string();
    // It may have grown by the comparisons that a range stands for.
    let Ok(again) = Constraint::parse(&printed) else {
        assert!(printed.len() > Constraint::MAX_LENGTH, "{printed}");
        return;
    };
    assert_eq!(again, constraint);
    if let Ok(version) = Semver::parse(version) {
        assert_eq!(again.matches(&version), constraint.matches(&version));
        assert!(!constraint.matches(&version) || constraint.matches_with_pre_releases(&version));
    }
});
