//! Patterns: none panics, overflows the stack or takes much memory. The last line is
//! what to match.

#![no_main]

use libfuzzer_sys::fuzz_target;
use regimg_select::{Pattern, VersionPattern};

fuzz_target!(|data: &str| {
    let (text, input) = data.rsplit_once('\n').unwrap_or((data, "1.2.3-rc.1"));
    match Pattern::parse(text) {
        Ok(pattern) => {
            let matches = pattern.is_match(input);
            if let Ok(captures) = VersionPattern::parse(text) {
                let version = captures.version(input);
                assert!(matches || version.is_none());
            }
        }
        Err(error) => assert!(text.contains(error.fragment())),
    }
});
