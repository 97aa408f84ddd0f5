//! Networks that fail in passing, and others who publish at the same time.

use std::time::Duration;

use regimg_tests::registry::{Ending, Fault, Match};
use serde_json::{Value, json};

use super::{Stage, put, target};

const UPDATES: &str = "/v2/*/_trust/tuf/";

#[test]
fn what_fails_in_passing_is_tried_again() {
    let document = |name: &str| Match::get(&format!("/v2/*/_trust/tuf/{name}"));
    let update = || Match::post(UPDATES);
    let cases = [
        (Match::get("/v2/"), Fault::status(503)),
        (document("root.json"), Fault::reset()),
        (document("timestamp.json"), Fault::cut_at(20)),
        (document("snapshot.*"), Fault::status(500)),
        (document("targets.*"), Fault::status(429)),
        (update(), Fault::status(503)),
        (update(), Fault::close()),
        (update(), Fault::end_request_at(100, Ending::Reset)),
        (update(), Fault::end_request_at(100, Ending::GoAway(0))),
        // The server has taken it, and that is not what arrives.
        (update(), Fault::answer().as_status(502)),
    ];
    for (rule, fault) in cases {
        let case = format!("{rule:?} {fault:?}");
        let stage = Stage::new();
        stage.notary.entrust(&stage.owner());
        stage.notary.fault(rule.once(), fault);
        let outcome = stage.put();
        assert_eq!(outcome.code, 0, "{case}: {outcome:#?}");
        let trusted = stage.trusted();
        assert_eq!(
            trusted["targets"]["1.0"],
            target(&stage.registry, "1.0"),
            "{case}"
        );
        let said = "] signed 1.0 as targets at";
        assert!(outcome.stderr.contains(said), "{case}: {outcome:#?}");
        // The image is not pushed again.
        assert_eq!(
            stage.registry.count("PUT", "/v2/app/manifests/1.0"),
            1,
            "{case}"
        );
    }
}

#[test]
fn an_update_that_never_gets_through_is_given_up() {
    for fault in [Fault::status(404), Fault::status(405), Fault::status(413)] {
        let stage = Stage::new();
        stage.notary.entrust(&stage.owner());
        stage.notary.fault(Match::post(UPDATES), fault);
        stage.all_was_pushed(&stage.put());
        assert!(!stage.trusted()["targets"].contains_key("1.0"));
    }
}

#[test]
fn whoever_was_slower_starts_again() {
    let outdated = || {
        let body = json!({"errors": [{"code": "VERSION", "message": "A newer version"}]});
        Fault::status(400).body(body.to_string())
    };
    let stage = Stage::new();
    stage.notary.entrust(&stage.owner());
    stage
        .notary
        .fault(Match::post(UPDATES).times(3), outdated());
    stage.put().answer();
    assert_eq!(stage.updates(), 4, "{}", stage.notary.transcript());

    let stage = Stage::new();
    stage.notary.entrust(&stage.owner());
    stage.notary.fault(Match::post(UPDATES), outdated());
    stage.all_was_pushed(&stage.put());
    assert_eq!(stage.updates(), 4, "{}", stage.notary.transcript());
}

#[test]
fn two_at_once_are_both_signed() {
    let stage = Stage::new();
    stage.notary.entrust(&stage.owner());
    // Both have read what there is before the first of them is heard.
    let slow = Fault::delay(Duration::from_millis(500));
    stage.notary.fault(Match::post(UPDATES).times(2), slow);
    let tags = ["1.0", "2.0"];
    std::thread::scope(|scope| {
        let puts = tags.map(|tag| {
            let mut source: Value = stage.source();
            source["tag"] = json!(tag);
            scope.spawn(move || put(&source, &json!({})))
        });
        for put in puts {
            put.join().unwrap().answer();
        }
    });
    let trusted = stage.trusted();
    for tag in tags {
        assert_eq!(trusted["targets"][tag], target(&stage.registry, tag));
    }
}

#[test]
fn a_delegation_that_has_ended_is_signed_anew() {
    let stage = Stage::new();
    let role = "targets/releases";
    let owner = stage.owner().delegation(role, &stage.key, &[""]);
    let earlier = regimg_tests::Digest::sha256(b"earlier");
    let owner = owner.signed(role, "0.9", &earlier, 7);
    stage.notary.entrust(&owner.expired(role));
    stage.put().answer();
    let trusted = stage.trusted();
    assert_eq!(trusted[role].len(), 2, "what was signed stays");
    let document = stage.notary.trust_document(&stage.name(), role).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(document["signed"]["version"], 2);
    // Three years, whatever the day is.
    let expires = document["signed"]["expires"].as_str().unwrap();
    assert!(expires.len() == 20 && expires > "2029-", "{expires}");
}
