//! `check` of a repository that names one image by its digest.

use regimg_tests::registry::Registry;
use regimg_tests::{Artifact, Image};
use serde_json::json;

use crate::driver;

#[test]
fn a_digest_is_the_one_version_while_it_exists() {
    let registry = Registry::start();
    let image = Image::with_text("one");
    registry.publish("app", "1.0", &image);
    let digest = image.digest().to_string();
    let gone = format!("sha256:{}", "0".repeat(64));
    let version = |tag: &str| json!([{"tag": tag, "digest": digest}]);
    let cases = [
        (format!("app@{digest}"), json!({}), version("")),
        (format!("app:1.0@{digest}"), json!({}), version("1.0")),
        (
            format!("app@{digest}"),
            json!({"tag": "1.0"}),
            version("1.0"),
        ),
        (format!("app@{gone}"), json!({"tag": "1.0"}), json!([])),
    ];
    for (name, mut source, expected) in cases {
        source["repository"] = json!(format!("{}/{name}", registry.host()));
        let outcome = driver::check(&json!({ "source": source }));
        assert_eq!(outcome.answer(), expected, "{name}");
    }
    assert_eq!(
        registry.count("GET", "/v2/app/"),
        0,
        "{}",
        registry.transcript()
    );
}

#[test]
fn nothing_is_pushed_to_a_digest() {
    let directory = tempfile::tempdir().unwrap();
    let repository = format!("127.0.0.1:1/app@sha256:{}", "0".repeat(64));
    let request =
        json!({"source": {"repository": repository, "tag": "1"}, "params": {"image": "a"}});
    let message = driver::put(&request, directory.path()).failure();
    assert!(
        message.contains("source.repository: names a digest"),
        "{message}"
    );
}
