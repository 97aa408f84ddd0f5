//! `check` of repositories with many tags.

use regimg_tests::registry::{LinkForm, Paging, Registry, RouteKind};
use regimg_tests::{Artifact, Image};
use serde_json::json;

use crate::driver;

/// What a check may hold, in bytes.
const MEMORY: u64 = 32 << 20;

#[test]
fn twenty_thousand_tags_are_listed_and_only_the_wanted_ones_looked_up() {
    const TAGS: usize = 20_000;
    let registry = Registry::builder()
        .paging(Paging::of(100).link(LinkForm::Opaque))
        .start();
    let images = ["even", "odd"].map(Image::with_text);
    for image in &images {
        registry.push("app", image);
    }
    for tag in 0..TAGS {
        let name = if tag % 100 == 0 {
            format!("1.{}.0", tag / 100)
        } else {
            format!("commit-{tag:05}")
        };
        registry.tag("app", &name, &images[tag / 100 % 2].digest());
    }
    let repository = format!("{}/app", registry.host());
    let outcome = driver::check(&json!({"source": {"repository": repository}}));
    let answer = outcome.answer();
    if let Some(peak) = outcome.peak {
        assert!(peak < MEMORY, "{peak} bytes");
    }
    assert_eq!(
        answer.as_array().map(Vec::len),
        Some(2),
        "one version for each image: {answer}"
    );
    assert_eq!(registry.count("GET", "/v2/app/tags/list"), TAGS / 100);
    assert_eq!(registry.count("HEAD", "/v2/app/manifests/"), TAGS / 100);
    assert!(
        registry.max_in_flight(RouteKind::Manifest) > 1,
        "they are asked for side by side"
    );
}

#[test]
fn as_many_requests_are_under_way_as_allowed() {
    for (limit, most) in [(Some(1), 1), (Some(4), 4), (None, 24)] {
        let registry = Registry::builder()
            .latency(std::time::Duration::from_millis(5))
            .start();
        let image = Image::with_text("one");
        for minor in 0..100 {
            registry.publish("app", &format!("1.{minor}.0"), &image);
        }
        let repository = format!("{}/app", registry.host());
        let request =
            json!({"source": {"repository": repository, "max_concurrent_requests": limit}});
        driver::check(&request).answer();
        let reached = registry.max_in_flight(RouteKind::Manifest);
        assert_eq!(reached, most, "with a limit of {limit:?}");
    }
}
