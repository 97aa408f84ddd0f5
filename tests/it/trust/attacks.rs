//! A server, or whoever stands between, that wants something signed that should not be.

use regimg_tests::notary::{Key, Owner};
use regimg_tests::registry::{Fault, Match, Origin};

use super::Stage;

const UPDATES: &str = "/v2/*/_trust/tuf/";

fn rule(file: &str) -> Match {
    Match::get(&format!("/v2/*/_trust/tuf/{file}"))
}

/// Checks that a put fails before anything is pushed, when the stage was set up so.
#[track_caller]
fn refused(case: &str, set_up: impl FnOnce(&Stage)) {
    let stage = Stage::new();
    stage.notary.entrust(&stage.owner());
    set_up(&stage);
    let outcome = stage.put();
    assert_eq!(outcome.code, 1, "{case}: {outcome:#?}");
    let message = stage.nothing_was_pushed(&outcome);
    assert!(message.contains(&stage.notary.host()), "{case}: {message}");
}

#[test]
fn documents_that_are_over_are_refused() {
    for role in ["root", "timestamp", "snapshot", "targets"] {
        refused(role, |stage| {
            stage.notary.entrust(&stage.owner().expired(role));
        });
    }
}

#[test]
fn a_flipped_bit_is_seen() {
    for file in ["root.json", "timestamp.json", "snapshot.*", "targets.*"] {
        for position in [1, 40, 150, 250] {
            refused(&format!("{file} at {position}"), |stage| {
                stage.notary.fault(rule(file), Fault::corrupt_at(position));
            });
        }
    }
}

#[test]
fn documents_of_others_are_refused() {
    refused("root of another name", |stage| {
        stage
            .notary
            .entrust(&stage.owner().certified_for("example.com/other"));
    });
    // Each document of a repository that is right in itself.
    for (role, file) in [
        ("root", "root.json"),
        ("timestamp", "timestamp.json"),
        ("snapshot", "snapshot.*"),
        ("targets", "targets.*"),
    ] {
        refused(role, |stage| {
            let name = stage.name();
            let right = stage.notary.trust_document(&name, role).unwrap();
            stage
                .notary
                .entrust(&Owner::new(&name).targets(&Key::new()));
            let other = stage.notary.trust_document(&name, role).unwrap();
            assert_ne!(right, other);
            stage.notary.entrust(&stage.owner());
            stage.notary.fault(rule(file), Fault::answer().body(other));
        });
    }
}

#[test]
fn an_old_snapshot_is_not_that_of_the_timestamp() {
    refused("snapshot", |stage| {
        let name = stage.name();
        let first = stage.notary.trust_document(&name, "snapshot").unwrap();
        stage.put().answer();
        stage
            .notary
            .fault(rule("snapshot.*"), Fault::answer().body(first));
        stage.registry.untag("app", "1.0");
        stage.registry.clear_requests();
        stage.notary.clear_requests();
    });
}

/// What is old as a whole cannot be told from what is new by who has no memory; the server itself
/// refuses what is built on it.
#[test]
fn an_old_timestamp_gets_nothing_signed() {
    let stage = Stage::new();
    stage.notary.entrust(&stage.owner());
    let first = stage
        .notary
        .trust_document(&stage.name(), "timestamp")
        .unwrap();
    stage.put().answer();
    let before = stage.trusted();
    stage.registry.untag("app", "1.0");
    stage
        .notary
        .fault(rule("timestamp.json"), Fault::answer().body(first));
    stage.all_was_pushed(&stage.put());
    assert_eq!(stage.trusted(), before);
}

#[test]
fn files_without_end_are_not_read_to_their_end() {
    for file in ["root.json", "timestamp.json", "snapshot.*", "targets.*"] {
        refused(file, |stage| {
            stage.notary.fault(rule(file), Fault::endless());
        });
        refused(file, |stage| {
            stage.notary.fault(rule(file), Fault::extend(200 << 20));
        });
    }
}

#[test]
fn redirects_lead_nowhere() {
    for file in ["root.json", "timestamp.json", "targets.*"] {
        let stage = Stage::new();
        stage.notary.entrust(&stage.owner());
        stage.notary.fault(rule(file), Fault::redirect_elsewhere());
        stage.nothing_was_pushed(&stage.put());
        assert!(
            stage.notary.requests_to(Origin::Elsewhere).is_empty(),
            "{file}"
        );
    }
    let stage = Stage::new();
    stage.notary.entrust(&stage.owner());
    stage
        .notary
        .fault(Match::post(UPDATES), Fault::redirect_elsewhere());
    stage.all_was_pushed(&stage.put());
    assert!(stage.notary.requests_to(Origin::Elsewhere).is_empty());
}

#[test]
fn what_is_no_document_is_refused() {
    let nonsense = [
        "",
        "{}",
        "[]",
        "null",
        "\u{0}",
        "<html>",
        "{\"signed\":{},\"signatures\":[]}",
    ];
    for text in nonsense {
        for file in ["root.json", "timestamp.json"] {
            refused(&format!("{file}: {text}"), |stage| {
                stage.notary.fault(rule(file), Fault::answer().body(text));
            });
        }
    }
}

/// The trap of the format: the server takes what it would write differently, and nobody can read it.
#[test]
fn an_update_that_the_server_has_lost_is_seen() {
    let stage = Stage::new();
    stage.notary.entrust(&stage.owner());
    let rule = rule("targets.*").after(1);
    stage.notary.fault(rule, Fault::status(404));
    let outcome = stage.put();
    stage.all_was_pushed(&outcome);
    assert!(
        outcome.stderr.contains("published anew"),
        "{}",
        outcome.stderr
    );
}
