//! Platforms: spelling and matching.

use proptest::prelude::*;
use regimg_core::Platform;

#[test]
fn spellings_are_normalised_as_containerd_does() {
    let cases = [
        ("linux/x86_64", "linux/amd64"),
        ("linux/x86-64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/arm64/v9", "linux/arm64/v9"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/i386", "linux/386"),
        ("Linux/AMD64", "linux/amd64"),
        ("macos/aarch64", "darwin/arm64"),
        ("arm64/v8", "linux/arm64"),
        ("s390x", "linux/s390x"),
        ("linux/powerpc64le", "linux/powerpc64le"),
    ];
    for (text, expected) in cases {
        assert_eq!(
            Platform::parse(text).unwrap().normalized().to_string(),
            expected,
            "{text}"
        );
    }
    for text in ["", "/", "linux/", "a/b/c/d", "linux//v8"] {
        assert!(Platform::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_platform_takes_what_runs_on_it() {
    let cases = [
        ("linux/amd64", "linux/amd64", true),
        ("linux/amd64", "linux/arm64", false),
        ("linux/amd64", "windows/amd64", false),
        ("linux/arm64/v8", "linux/arm64", true),
        ("linux/arm64", "linux/arm64/v8", true),
        ("linux/aarch64", "linux/arm64/v8", true),
        ("linux/arm/v7", "linux/arm/v6", true),
        ("linux/arm/v6", "linux/arm/v7", false),
        ("linux/arm", "linux/arm/v7", true),
        ("linux/arm", "linux/arm/v5", true),
        ("linux/amd64/v2", "linux/amd64", true),
        ("linux/amd64/v2", "linux/amd64/v3", false),
        ("linux/amd64", "linux/amd64/v3", true),
        ("linux/riscv64", "linux/riscv64/odd", true),
        ("linux/riscv64/odd", "linux/riscv64", false),
    ];
    for (wanted, candidate, expected) in cases {
        let (asked, offered) = (
            Platform::parse(wanted).unwrap(),
            Platform::parse(candidate).unwrap(),
        );
        assert_eq!(
            asked.is_satisfied_by(&offered),
            expected,
            "{wanted} by {candidate}"
        );
    }
}

#[test]
fn versions_and_features_count_as_far_as_they_are_asked_for() {
    let plain = Platform::parse("windows/amd64").unwrap();
    let mut offered = plain.clone();
    offered.os_version = Some("10.0.1".to_owned());
    offered.os_features = vec!["win32k".to_owned()];
    assert!(plain.is_satisfied_by(&offered));
    assert!(offered.is_satisfied_by(&offered));
    assert!(!offered.is_satisfied_by(&plain));
}

proptest! {
    #[test]
    fn platforms_print_as_they_are_read(text in "[a-z]{1,8}/[a-z0-9]{1,8}(/v[0-9])?") {
        let platform = Platform::parse(&text).unwrap();
        prop_assert_eq!(&platform, &Platform::parse(&platform.to_string()).unwrap());
        let normal = platform.normalized();
        prop_assert_eq!(&normal, &normal.normalized());
        prop_assert!(platform.is_satisfied_by(&platform));
    }

    #[test]
    fn no_text_panics(text in "[a-z0-9/é]{0,30}") {
        let _ = Platform::parse(&text).map(|platform| platform.is_satisfied_by(&Platform::default()));
    }
}
