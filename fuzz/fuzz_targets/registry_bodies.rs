//! Bodies that registries and token servers send: what is repeated to a person is one short, clean line.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use regimg_registry::{DockerConfig, fuzzing};

fuzz_target!(|body: &[u8]| {
    let (codes, message) = fuzzing::envelope(body);
    for text in codes.iter().chain([&message]) {
        assert!(text.chars().count() <= 400);
        assert!(!text.chars().any(char::is_control));
    }
    if let Some(life) = fuzzing::token_reply(body) {
        assert!((Duration::from_mins(1)..=Duration::from_hours(24)).contains(&life));
    }
    if let Some(tags) = fuzzing::tag_page(body) {
        assert!(tags.iter().all(|tag| !tag.is_empty()));
        // Each takes two quotation marks at least, and a comma.
        assert!(tags.len() <= body.len() / 3);
    }
    if let Ok(text) = std::str::from_utf8(body) {
        let _ = DockerConfig::parse(text);
    }
});
