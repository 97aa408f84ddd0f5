//! Headers that registries send: each line is read as every one of them.

#![no_main]

use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use regimg_registry::fuzzing;

fuzz_target!(|line: &str| {
    for scheme in fuzzing::challenges(line) {
        assert!(!scheme.is_empty());
        assert!(!scheme.contains(|byte: char| byte.is_ascii_uppercase()));
    }
    if let Some(target) = fuzzing::next_page(line) {
        assert!(line.contains(target.as_str()));
    }
    let today = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    fuzzing::retry_after(line, today);
    if let Some((first, last, total)) = fuzzing::content_range(line) {
        assert!(first <= last && total.is_none_or(|total| last < total));
    }
    assert_ne!(fuzzing::received_bytes(line), Some(1));
    if let Some(rate) = fuzzing::rate_limit(line) {
        assert!(rate.remaining > 0 || rate.is_low());
    }
});
