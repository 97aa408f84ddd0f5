//! The notary server: by hand, and in the eyes of the program `notary`.

use serde_json::{Value, json};

use super::client::{Answer, send};
use crate::Digest;
use crate::notary::{Key, NotaryClient, Owner, update};
use crate::registry::{Origin, Registry};

const NAME: &str = "example.com/app";

fn get(registry: &Registry, file: &str) -> Answer {
    let target = format!("/v2/{NAME}/_trust/tuf/{file}.json");
    send(registry, "GET", &target, &[], b"")
}

fn post(registry: &Registry, name: &str, files: &[(&str, &[u8])]) -> Answer {
    let mut body = Vec::new();
    for (role, bytes) in files {
        let head = format!(
            "--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{role}\"\r\n\r\n"
        );
        body.extend([head.as_bytes(), *bytes, b"\r\n"].concat());
    }
    body.extend(b"--b--\r\n");
    let kind = ["Content-Type: multipart/form-data; boundary=b"];
    let target = format!("/v2/{name}/_trust/tuf/");
    send(registry, "POST", &target, &kind, &body)
}

/// What is answered, in short: the code, and the message of the details.
fn said(answer: &Answer) -> String {
    if answer.body.is_empty() {
        return answer.status.to_string();
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let error = &body["errors"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let detail = text(&error["detail"]["Error"]["Msg"]);
    format!("{} {}: {detail}", answer.status, text(&error["code"]))
}

/// Has the key sign one more tag for the role, after what the registry has of it.
fn next(registry: &Registry, role: &str, key: &Key, tag: &str) -> Vec<u8> {
    let current = registry.trust_document(NAME, role);
    update(current.as_deref(), key, tag, &Digest::sha256(b"image"), 5)
}

#[test]
fn documents_have_several_names() {
    let registry = Registry::start();
    registry.entrust(&Owner::new(NAME));
    let targets = get(&registry, "targets");
    assert_eq!(targets.status, 200);
    let hash = Digest::sha256(&targets.body);
    assert_eq!(
        get(&registry, &format!("targets.{}", hash.hex())).body,
        targets.body
    );
    let snapshot: Value = serde_json::from_slice(&get(&registry, "snapshot").body).unwrap();
    assert_eq!(
        snapshot["signed"]["meta"]["targets"]["length"],
        json!(targets.body.len())
    );
    for missing in ["targets/a", "targets.00", "other"] {
        let answer = get(&registry, missing);
        assert_eq!(said(&answer), "404 METADATA_NOT_FOUND: ", "{missing}");
    }
}

#[test]
fn updates_are_judged_as_the_real_server_does() {
    let (registry, key, stranger) = (Registry::start(), Key::new(), Key::new());
    let owner = Owner::new(NAME).targets(&key);
    registry.entrust(&owner.clone().delegation("targets/a", &key, &[""]));
    let first = next(&registry, "targets", &key, "1");
    assert_eq!(said(&post(&registry, NAME, &[("targets", &first)])), "200");
    let trusted = registry.trusted(NAME).unwrap();
    let image = (Digest::sha256(b"image").hex().to_owned(), 5);
    assert_eq!(trusted["targets"]["1"], image);
    assert!(!trusted.contains_key("targets/a"));

    let second = next(&registry, "targets", &key, "2");
    let forged = next(&registry, "targets", &stranger, "2");
    let delegated = next(&registry, "targets/a", &key, "3");
    let invalid = "400 INVALID_UPDATE: ";
    let unsigned = format!("{invalid}valid signatures did not meet threshold for targets");
    let unknown = format!("{invalid}tuf: invalid role targets/b. delegation does not exist");
    let cases: [(&str, &[u8], &str); 5] = [
        ("targets", &first, "400 VERSION: "),
        ("targets", &forged, &unsigned),
        ("targets/b", &delegated, &unknown),
        ("targets", b"{", "400 MALFORMED_JSON: "),
        ("root", &first, "400 INVALID_ROLE: "),
    ];
    for (role, bytes, expected) in cases {
        assert_eq!(
            said(&post(&registry, NAME, &[(role, bytes)])),
            expected,
            "{role}"
        );
    }
    assert_eq!(
        registry.trusted(NAME).unwrap(),
        trusted,
        "nothing was taken"
    );

    let both: [(&str, &[u8]); 2] = [("targets", &second), ("targets/a", &delegated)];
    assert_eq!(said(&post(&registry, NAME, &both)), "200");
    let trusted = registry.trusted(NAME).unwrap();
    assert_eq!(trusted["targets"].len(), 2);
    assert_eq!(trusted["targets/a"]["3"], image);

    let none = format!("{invalid}no pre-existing root and no root provided in update.");
    assert_eq!(said(&post(&registry, "other", &both)), none);
    registry.entrust(&owner.keeping_the_snapshot_key());
    let held = said(&post(&registry, NAME, &[("targets", &first)]));
    assert!(
        held.contains("server does not hold current snapshot key"),
        "{held}"
    );
}

/// The trap: 200, and nobody can read it any more.
#[test]
fn what_the_server_would_write_differently_is_lost() {
    let key = Key::new();
    for (from, to) in [
        (",\"signatures\":", ", \"signatures\":"),
        ("05Z\"", "05.500Z\""),
    ] {
        let registry = Registry::start();
        registry.entrust(&Owner::new(NAME).targets(&key));
        let good = String::from_utf8(next(&registry, "targets", &key, "1")).unwrap();
        // Signing again is left out where the signature is not over what is changed.
        let bad = if to.starts_with(',') {
            good.replace(from, to)
        } else {
            let document: Value = serde_json::from_str(&good.replace(from, to)).unwrap();
            crate::notary::signed_raw(&document["signed"], &key)
        };
        assert_ne!(bad, good);
        assert_eq!(
            said(&post(&registry, NAME, &[("targets", bad.as_bytes())])),
            "200"
        );
        let lost = registry.trusted(NAME).unwrap_err();
        assert!(lost.ends_with("trust data unavailable"), "{lost}");
    }
}

#[test]
fn the_real_client_reads_and_publishes() {
    let (key, name) = (Key::new(), "127.0.0.1:5000/lab/app");
    let registry = Registry::builder().tls().start();
    let digest = Digest::sha256(b"image");
    let owner = Owner::new(name).signed("targets", "0", &digest, 5);
    let owner = owner.delegation("targets/releases", &key, &[""]);
    registry.entrust(&owner.delegation("targets/signer", &key, &["v"]));
    let client = || NotaryClient::new(registry.url(Origin::Registry), registry.ca_pem());
    let Some(signer) = client() else { return };
    signer.import(&key);
    let role = "targets/signer";
    let add = [
        "addhash",
        "-p",
        name,
        "v1",
        "5",
        "--sha256",
        digest.hex(),
        "-r",
        role,
    ];
    signer.call(&add);
    let listed = client().unwrap().list(name);
    let line = |tag: &str, role: &str| [tag, digest.hex(), "5", role].map(str::to_owned);
    assert_eq!(listed, [line("0", "targets"), line("v1", role)]);
    let trusted = registry.trusted(name).unwrap();
    assert_eq!(trusted[role]["v1"], (digest.hex().to_owned(), 5));
    assert_eq!(
        registry.count("POST", "/v2/"),
        1,
        "{}",
        registry.transcript()
    );
}
