//! Paths with wildcards. The last line is a name to match.

#![no_main]

use libfuzzer_sys::fuzz_target;
use regimg_select::{Glob, Wildcard};

fuzz_target!(|data: &[u8]| {
    let end = data
        .iter()
        .rposition(|&byte| byte == b'\n')
        .unwrap_or(data.len());
    let (text, name) = data.split_at(end);
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    if let Ok(glob) = Glob::parse(text) {
        assert!(
            !glob
                .base()
                .split('/')
                .any(|part| matches!(part, ".." | "."))
        );
        for wildcard in glob.wildcards() {
            wildcard.is_match(name);
        }
    }
    if let Ok(wildcard) = Wildcard::parse(text) {
        let matches = wildcard.is_match(name);
        // A run in front takes more, never less.
        let longer = Wildcard::parse(&format!("*{text}")).expect("a run can stand anywhere");
        assert!(!matches || longer.is_match(name));
    }
});
