//! Trust data and keys: what is read is written as it stood, and nothing makes the parsers panic.

#![no_main]

use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use regimg_registry::fuzzing;

fuzz_target!(|input: &[u8]| {
    // A document is of one kind, whatever it says of itself; those of snapshots and timestamps
    // have the same fields.
    let kinds = fuzzing::trust_document(input);
    let is_pair = kinds == ["Snapshot", "Timestamp"];
    assert!(kinds.len() < 2 || is_pair, "{kinds:?}");
    let today = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    fuzzing::root_certificate(input, "registry.example.com/team/app", today);
    if let Ok(text) = std::str::from_utf8(input) {
        if let Some(id) = fuzzing::signing_key(text) {
            assert_eq!(id.len(), 64);
        }
    }
});
