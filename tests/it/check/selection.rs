//! `check` of tags that are versions or match a pattern.

use std::collections::BTreeMap;

use regimg_tests::registry::Registry;
use regimg_tests::{Artifact, Image};
use serde_json::{Value, json};

use crate::driver;

/// A registry with tags, each written `TAG=IMAGE`; images of one name are one image.
struct Fixture {
    registry: Registry,
    /// Digests by name, and names by digest.
    names: BTreeMap<String, String>,
}

impl Fixture {
    fn with(tags: &str) -> Self {
        let registry = Registry::start();
        let mut names = BTreeMap::new();
        for (tag, name) in pairs(tags) {
            let image = Image::with_text(name);
            registry.publish("app", tag, &image);
            let digest = image.digest().to_string();
            names.insert(digest.clone(), name.to_owned());
            names.insert(name.to_owned(), digest);
        }
        Self { registry, names }
    }

    /// Checks and writes the answer as the tags were written.
    #[track_caller]
    fn check(&self, fields: &Value, cursor: &str) -> String {
        let mut source = fields.clone();
        source["repository"] = json!(format!("{}/app", self.registry.host()));
        let mut request = json!({ "source": source });
        if let Some((tag, name)) = pairs(cursor).next() {
            let digest = self.names.get(name).map_or(name, String::as_str);
            request["version"] = json!({ "tag": tag, "digest": digest });
        }
        let answer = driver::check(&request).answer();
        let versions = answer.as_array().unwrap().iter().map(|version| {
            let [tag, digest] = ["tag", "digest"].map(|field| version[field].as_str().unwrap());
            format!("{tag}={}", self.names[digest])
        });
        versions.collect::<Vec<_>>().join(" ")
    }

    fn heads(&self) -> usize {
        self.registry.count("HEAD", "/v2/app/manifests/")
    }
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split_whitespace()
        .map(|pair| pair.split_once('=').unwrap())
}

/// Checks tags, and that it took as many look-ups as said.
#[track_caller]
#[expect(
    clippy::needless_pass_by_value,
    reason = "callers write `json!` in place"
)]
fn check(tags: &str, fields: Value, cursor: &str, expected: &str, heads: usize) {
    let fixture = Fixture::with(tags);
    assert_eq!(
        fixture.check(&fields, cursor),
        expected,
        "{tags} with {fields} after {cursor:?}"
    );
    assert_eq!(fixture.heads(), heads, "{}", fixture.registry.transcript());
    assert_eq!(fixture.registry.count("GET", "/v2/app/manifests/"), 0);
}

#[test]
fn versions_are_in_order_of_precedence() {
    check(
        "1.0.0=a 1.2.1=c 2.0.0=d 1.2.0=b",
        json!({}),
        "",
        "1.0.0=a 1.2.0=b 1.2.1=c 2.0.0=d",
        4,
    );
    check(
        "3.2.1=f 2.1=c 3.1.0=e 1=a 3.0.0=d",
        json!({}),
        "",
        "1=a 2.1=c 3.0.0=d 3.1.0=e 3.2.1=f",
        5,
    );
    check(
        "v1.2.3=a 1.2.4=b nightly=c 1.x=d",
        json!({}),
        "",
        "v1.2.3=a 1.2.4=b",
        2,
    );
    check("nightly=a", json!({}), "", "", 0);
}

/// Of the tags of one image the one that says most is its version.
#[test]
fn an_image_has_one_version() {
    check("3=a 3.2=a 3.2.1=a 2=b", json!({}), "", "2=b 3.2.1=a", 4);
    check(
        "1.0.0-rc.1=a 1.0.0-rc1=a 1.0.0-rc=a 1.0.0=a",
        json!({"pre_releases": true}),
        "",
        "1.0.0=a",
        4,
    );
}

#[test]
fn latest_is_a_version_if_no_other_tag_is() {
    check("1.0.0=a latest=a", json!({}), "", "1.0.0=a", 2);
    check("1.0.0=a latest=b", json!({}), "", "1.0.0=a latest=b", 2);
    check("latest=b", json!({}), "", "latest=b", 1);
    check(
        "1.0.0=a latest=b",
        json!({"semver_constraint": "1.x"}),
        "",
        "1.0.0=a",
        1,
    );
}

#[test]
fn variants_are_apart() {
    let tags = "1.0.0=a 1.0.0-foo=b 1.1.0-foo=c 1.1.0-bar-foo=d latest=e foo=c bar=f";
    check(
        tags,
        json!({"variant": "foo"}),
        "",
        "1.0.0-foo=b 1.1.0-foo=c",
        3,
    );
    check(tags, json!({}), "", "1.0.0=a latest=e", 2);
}

#[test]
fn pre_releases_are_asked_for() {
    let tags = "1.0.0-alpha.1-foo=a 1.0.0-beta.1-foo=b 1.0.0-rc.1-foo=c 1.0.0-foo=d \
        1.0.0-alpha.1-bar-foo=e 1.0.0-build-foo=f";
    let variant = |more: Value| {
        let mut fields = json!({"variant": "foo"});
        fields
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        fields
    };
    check(tags, variant(json!({})), "", "1.0.0-foo=d", 1);
    check(
        tags,
        variant(json!({"pre_releases": true})),
        "",
        "1.0.0-alpha.1-foo=a 1.0.0-beta.1-foo=b 1.0.0-rc.1-foo=c 1.0.0-foo=d",
        4,
    );
    check(
        tags,
        variant(json!({"pre_releases": true, "pre_release_prefixes": ["build"]})),
        "",
        "1.0.0-alpha.1-foo=a 1.0.0-alpha.1-bar-foo=e 1.0.0-beta.1-foo=b 1.0.0-build-foo=f \
            1.0.0-rc.1-foo=c 1.0.0-foo=d",
        6,
    );
}

#[test]
fn constraints_leave_out() {
    let tags = "1.2.3=a 1.3.0=b 2.0.0=c 4.2.3=d 4.2.2=e latest=f";
    check(
        tags,
        json!({"semver_constraint": "1.2.x"}),
        "",
        "1.2.3=a",
        1,
    );
    check(
        tags,
        json!({"semver_constraint": ">= 1.2 < 2.0.0 || >= 4.2.3"}),
        "",
        "1.2.3=a 1.3.0=b 4.2.3=d",
        3,
    );
}

#[test]
fn a_cursor_leaves_out_what_is_not_newer() {
    let tags = "1.0.0=a 1.1.0=b 1.2.0=c 2.0.0=d";
    check(tags, json!({}), "1.1.0=b", "1.1.0=b 1.2.0=c 2.0.0=d", 3);
    check(tags, json!({}), "2.0.0=d", "2.0.0=d", 1);
    let all = "1.0.0=a 1.1.0=b 1.2.0=c 2.0.0=d";
    // The tag was moved, or its digest is none, or it is not there any more.
    check(tags, json!({}), "1.1.0=a", all, 4);
    check(tags, json!({}), "1.1.0=nothing", all, 4);
    check(tags, json!({}), "0.9.0=a", all, 4);
}

/// The Go resource reports `latest` as the newest version here
/// (<https://github.com/concourse/registry-image-resource/issues/351>).
#[test]
fn a_cursor_does_not_make_latest_new() {
    check(
        "1.0.0=a 2.0.0=b 3.0.0=c latest=b",
        json!({}),
        "3.0.0=c",
        "3.0.0=c",
        3 + 1,
    );
    check(
        "1.0.0=a 3.0.0=c latest=c",
        json!({}),
        "3.0.0=c",
        "3.0.0=c",
        2,
    );
    check(
        "1.0.0=a 3.0.0=c latest=d",
        json!({}),
        "3.0.0=c",
        "3.0.0=c latest=d",
        3,
    );
}

/// The Go resource answers an empty digest
/// (<https://github.com/concourse/registry-image-resource/issues/327>).
#[test]
fn a_tag_that_is_listed_and_gone_is_left_out() {
    use regimg_tests::registry::{Fault, Match};
    for gone in ["latest", "1.0.0"] {
        let fixture = Fixture::with("1.0.0=a 2.0.0=b latest=c");
        fixture.registry.fault(
            Match::any(&format!("/v2/app/manifests/{gone}")),
            Fault::status(404),
        );
        let rest = "1.0.0=a 2.0.0=b latest=c"
            .split(' ')
            .filter(|tag| !tag.starts_with(gone));
        assert_eq!(
            fixture.check(&json!({}), ""),
            rest.collect::<Vec<_>>().join(" ")
        );
    }
}

#[test]
fn a_pattern_takes_what_it_matches_as_listed() {
    let tags = "build-1=a build-2=b test-1=c";
    check(
        tags,
        json!({"tag_regex": "^build-"}),
        "",
        "build-1=a build-2=b",
        2,
    );
    check(
        tags,
        json!({"tag_regex": "1"}),
        "build-1=a",
        "build-1=a test-1=c",
        2,
    );
    // It is in charge alone.
    check(
        "1.0.0=a 2.0.0=a",
        json!({"tag_regex": r"^\d", "semver_constraint": "2.x", "variant": "foo"}),
        "",
        "1.0.0=a 2.0.0=a",
        2,
    );
}

#[test]
fn a_group_named_version_orders_by_version() {
    let fields = json!({"tag_regex": r"^jdk-(?P<version>[\d.]+)", "version_group_sort": true});
    check(
        "jdk-9.1=a jdk-10.0=b jdk-8=c jre-1=d",
        fields,
        "",
        "jdk-8=c jdk-9.1=a jdk-10.0=b",
        3,
    );
    let fields = json!({
        "tag_regex": "^r(?P<version>.*)$", "version_group_sort": true, "version_scheme": "numeric",
    });
    check(
        "r1.2.3.4=a r1.2.3.10=b",
        fields,
        "",
        "r1.2.3.4=a r1.2.3.10=b",
        2,
    );
}

#[test]
fn other_schemes_are_for_who_asks() {
    let tags = "2024.01.05=a 1.2.3.4=b 1.2.3.10=c 20240105=d 7=e";
    check(tags, json!({}), "", "7=e 2024.01.05=a 20240105=d", 3);
    check(
        tags,
        json!({"version_scheme": "numeric"}),
        "",
        "1.2.3.4=b 1.2.3.10=c 7=e 2024.01.05=a 20240105=d",
        5,
    );
    check(
        tags,
        json!({"max_integer_version": 9999}),
        "",
        "7=e 2024.01.05=a",
        2,
    );
    check(tags, json!({"tag_exclude_regex": "^20"}), "", "7=e", 1);
}
