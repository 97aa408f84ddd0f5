//! Platforms: spelling and matching.

use proptest::prelude::*;
use regimg_core::Platform;

fn platform(text: &str) -> Platform {
    Platform::parse(text).unwrap()
}

#[track_caller]
fn check_spelling(text: &str, want: &str) {
    assert_eq!(platform(text).normalized().to_string(), want);
}

#[test]
fn spellings_are_normalized_as_containerd_does() {
    check_spelling("linux/x86_64", "linux/amd64");
    check_spelling("linux/x86-64", "linux/amd64");
    check_spelling("linux/amd64/v1", "linux/amd64");
    check_spelling("linux/x86_64/v1", "linux/amd64");
    check_spelling("linux/x86_64/v3", "linux/amd64/v3");
    check_spelling("linux/i386", "linux/386");
    check_spelling("linux/i386/x", "linux/386");
    check_spelling("linux/x86", "linux/386");
    check_spelling("linux/aarch64", "linux/arm64");
    check_spelling("linux/aarch64/v9", "linux/arm64/v9");
    check_spelling("linux/arm64/v8", "linux/arm64");
    check_spelling("linux/arm64/8", "linux/arm64");
    check_spelling("linux/arm", "linux/arm/v7");
    check_spelling("linux/arm/7", "linux/arm/v7");
    check_spelling("linux/arm/v7", "linux/arm/v7");
    check_spelling("linux/arm/5", "linux/arm/v5");
    check_spelling("linux/arm/6", "linux/arm/v6");
    check_spelling("linux/arm/8", "linux/arm/v8");
    check_spelling("linux/armhf", "linux/arm/v7");
    check_spelling("linux/armel", "linux/arm/v6");
    check_spelling("Linux/AMD64/V3", "linux/amd64/v3");
    check_spelling("macos/aarch64", "darwin/arm64");
    check_spelling("macOS/x86_64", "darwin/amd64");
    check_spelling("linux/powerpc64le", "linux/powerpc64le");
}

#[test]
fn an_architecture_alone_is_for_linux() {
    check_spelling("arm64/v8", "linux/arm64");
    check_spelling("s390x", "linux/s390x");
    check_spelling("x86_64", "linux/amd64");
    check_spelling("armhf", "linux/arm/v7");
    check_spelling("arm/v6", "linux/arm/v6");
}

#[test]
fn windows_has_versions_and_features() {
    let nano = platform("windows(10.0.17763+win32k)/amd64");
    assert_eq!(nano.os, "windows");
    assert_eq!(nano.os_version.as_deref(), Some("10.0.17763"));
    assert_eq!(nano.os_features, ["win32k"]);
    check_spelling("windows(+win32k)/amd64", "windows(+win32k)/amd64");
    check_spelling("Windows(10.0.1)/x86_64", "windows(10.0.1)/amd64");
}

#[track_caller]
fn refuse(text: &str, rule: &str) {
    let error = Platform::parse(text).unwrap_err().to_string();
    assert_eq!(error, format!("invalid platform {text:?}: {rule}"));
}

#[test]
fn texts_that_are_no_platforms_say_why() {
    let (empty, form) = (
        "a part is empty",
        "it reads os/architecture[/variant], as in linux/arm64",
    );
    refuse("", empty);
    refuse("/", empty);
    refuse("linux/", empty);
    refuse("linux//v8", empty);
    refuse("linux/arm64/", empty);
    refuse("linux", form);
    refuse("itanic", form);
    refuse(
        "a/b/c/d",
        "it has at most three parts, os/architecture/variant",
    );
    refuse("linux/ñ", "'ñ' may not stand in it");
    refuse(" linux/amd64", "' ' may not stand in it");
    let os = "an operating system reads name, or name(version+feature)";
    refuse("windows(10/amd64", os);
    refuse("windows()/amd64", os);
    refuse("windows(1+)/amd64", empty);
}

#[test]
fn parts_are_joined_as_users_write_them() {
    assert_eq!(
        Platform::from_parts("linux", "arm64/v8"),
        platform("linux/arm64/v8")
    );
    assert_eq!(
        Platform::from_parts("linux", "arm64"),
        platform("linux/arm64")
    );
    assert_eq!(
        Platform::from_parts("linux", "arm64/"),
        platform("linux/arm64")
    );
    assert_eq!(Platform::default(), platform("linux/amd64"));
}

#[track_caller]
fn check_match(wanted: &str, candidate: &str, want: bool) {
    let verdict = platform(wanted).is_satisfied_by(&platform(candidate));
    assert_eq!(verdict, want);
}

#[test]
fn a_platform_takes_what_runs_on_it() {
    check_match("linux/amd64", "linux/amd64", true);
    check_match("linux/amd64", "linux/x86_64", true);
    check_match("linux/amd64", "linux/arm64", false);
    check_match("linux/amd64", "windows/amd64", false);
    check_match("linux/amd64", "linux/386", false);
    check_match("linux/arm64", "linux/arm/v7", false);
    check_match("linux/arm64", "linux/arm64/v8", true);
    check_match("linux/arm64/v8", "linux/arm64", true);
    check_match("linux/aarch64", "linux/arm64/v8", true);
}

#[test]
fn a_variant_takes_older_ones() {
    check_match("linux/arm/v7", "linux/arm", true);
    check_match("linux/arm/v7", "linux/arm/v6", true);
    check_match("linux/arm/v6", "linux/arm/v7", false);
    check_match("linux/arm/v6", "linux/arm", false);
    check_match("linux/armel", "linux/arm/v7", false);
    check_match("linux/armhf", "linux/arm/v8", false);
    check_match("linux/amd64/v2", "linux/amd64", true);
    check_match("linux/amd64/v2", "linux/amd64/v3", false);
    check_match("linux/arm64/v8.2", "linux/arm64/v8.1", true);
    check_match("linux/arm64/v8.2", "linux/arm64", true);
    check_match("linux/arm64/v8", "linux/arm64/v8.2", false);
    check_match("linux/arm64/v8", "linux/arm64/v8.0", true);
    check_match("linux/arm64/v9", "linux/arm64/v8.5", true);
    check_match("linux/arm64/v9", "linux/arm64/v8.6", false);
    check_match("linux/arm64/v9.1", "linux/arm64/v8.6", true);
    check_match("linux/arm64/v9", "linux/arm64", true);
    check_match("linux/arm64/v8", "linux/arm64/v9", false);
    check_match("linux/arm64/v8", "linux/arm64/v7", false);
    check_match("linux/riscv64/odd", "linux/riscv64", false);
    check_match("linux/riscv64/odd", "linux/riscv64/odd", true);
    check_match("linux/amd64/odd", "linux/amd64", false);
    check_match("linux/arm/v99999999999", "linux/arm/v7", false);
}

#[test]
fn no_variant_takes_every_variant() {
    check_match("linux/arm", "linux/arm/v5", true);
    check_match("linux/arm", "linux/arm/v8", true);
    check_match("linux/amd64", "linux/amd64/v3", true);
    check_match("linux/amd64", "linux/amd64/odd", true);
    check_match("linux/riscv64", "linux/riscv64/odd", true);
}

#[test]
fn versions_and_features_count_as_far_as_they_are_asked_for() {
    let plain = "windows/amd64";
    let full = "windows(10.0.1+win32k)/amd64";
    check_match(plain, full, true);
    check_match(full, full, true);
    check_match(full, plain, false);
    check_match("windows(10.0.1)/amd64", full, true);
    check_match("windows(10.0.2)/amd64", full, false);
    check_match("windows(+win32k)/amd64", full, true);
    check_match("windows(+win32k+other)/amd64", full, false);
}

#[test]
fn json_is_that_of_an_index() {
    let full = r#"{"architecture":"arm","os":"linux","os.version":"1","os.features":["f"],"variant":"v7"}"#;
    let read: Platform = serde_json::from_str(full).unwrap();
    assert_eq!(read.to_string(), "linux(1+f)/arm/v7");
    assert_eq!(serde_json::to_string(&read).unwrap(), full);

    let bare = r#"{"architecture":"amd64","os":"linux"}"#;
    assert_eq!(serde_json::to_string(&Platform::default()).unwrap(), bare);
    let nulls = r#"{"architecture":"amd64","os":"linux","variant":"","os.version":null,"os.features":null,"features":["sse4"]}"#;
    let read: Platform = serde_json::from_str(nulls).unwrap();
    assert_eq!(read, Platform::default());
    let read: Platform = serde_json::from_str(r#"{"architecture":null}"#).unwrap();
    assert!(read.is_unknown());
}

proptest! {
    #[test]
    fn platforms_can_be_read_back(
        text in "[a-z]{1,8}(\\([0-9.]{1,5}(\\+[a-z]{1,4}){0,2}\\))?/[A-Za-z0-9_]{1,8}(/[a-z0-9.]{1,4})?",
    ) {
        let platform = Platform::parse(&text).unwrap();
        prop_assert_eq!(&platform, &platform.to_string().parse::<Platform>().unwrap());
        let json = serde_json::to_string(&platform).unwrap();
        prop_assert_eq!(&platform, &serde_json::from_str::<Platform>(&json).unwrap());
    }

    #[test]
    fn a_platform_serves_itself_in_every_spelling(text in "[a-zA-Z]{1,8}/(arm64|ARM|x86_64|armhf|[a-z0-9]{1,8})(/v?[0-9])?") {
        let platform = Platform::parse(&text).unwrap();
        let normal = platform.normalized();
        prop_assert_eq!(&normal, &normal.normalized());
        prop_assert!(platform.is_satisfied_by(&platform));
        prop_assert!(platform.is_satisfied_by(&normal));
        prop_assert!(normal.is_satisfied_by(&platform));
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "[a-z0-9/()+.é]{0,30}|.{0,30}") {
        if let Ok(platform) = Platform::parse(&text) {
            platform.is_satisfied_by(&Platform::default());
            prop_assert_eq!(&platform, &Platform::parse(&platform.to_string()).unwrap());
        }
    }
}
