//! Manifests: their bytes, their kinds and their fields.

use proptest::prelude::*;
use regimg_core::{
    Algorithm, Descriptor, Digest, ImageManifest, Index, Manifest, MediaType,
    ParseManifestErrorKind, Platform, RawManifest,
};

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+json";
const SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

fn digest(content: &str) -> Digest {
    Digest::of(Algorithm::Sha256, content.as_bytes())
}

fn raw(header: &str, json: &str) -> RawManifest {
    let header = (!header.is_empty()).then(|| MediaType::new(header));
    RawManifest::new(header, json.to_owned().into())
}

/// What a manifest turns out to be.
fn kind(manifest: &RawManifest) -> String {
    match manifest.parse() {
        Ok(Manifest::Image(_)) => "image".to_owned(),
        Ok(Manifest::Index(_)) => "index".to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    }
}

#[track_caller]
fn check(header: &str, json: &str, want: (&str, &str)) {
    let descriptor = format!(r#"{{"digest":"{}","size":1}}"#, digest(""));
    let manifest = raw(
        header,
        &json.replace("CONFIG", &format!(r#""config":{descriptor}"#)),
    );
    let got = (kind(&manifest), manifest.media_type().as_str());
    assert_eq!((got.0.as_str(), got.1), want);
}

/// Adds what a manifest says it is.
fn says(media_type: &str, fields: &str) -> String {
    format!(r#"{{"mediaType":"{media_type}"{fields}}}"#)
}

#[test]
fn the_fields_tell_what_a_manifest_is() {
    let (image, index) = ("{CONFIG}", r#"{"manifests":[]}"#);
    check("", image, ("image", OCI_MANIFEST));
    check("", index, ("index", OCI_INDEX));
    check("text/plain", image, ("image", OCI_MANIFEST));
    check("text/plain", index, ("index", OCI_INDEX));
    check(DOCKER_MANIFEST, image, ("image", DOCKER_MANIFEST));
    check(DOCKER_LIST, index, ("index", DOCKER_LIST));
    check(
        &format!("{DOCKER_LIST}; charset=utf-8"),
        index,
        ("index", DOCKER_LIST),
    );
    // A header that does not fit is no way to make an image of an index.
    check(DOCKER_MANIFEST, index, ("index", OCI_INDEX));
    check(DOCKER_LIST, image, ("image", OCI_MANIFEST));
    check(SCHEMA1, image, ("image", OCI_MANIFEST));
}

#[test]
fn a_manifest_that_says_what_it_is_is_believed() {
    for header in ["", "text/plain", DOCKER_MANIFEST, OCI_INDEX] {
        check(
            header,
            &says(DOCKER_MANIFEST, ",CONFIG"),
            ("image", DOCKER_MANIFEST),
        );
        check(
            header,
            &says(OCI_MANIFEST, ",CONFIG"),
            ("image", OCI_MANIFEST),
        );
        check(
            header,
            &says(DOCKER_LIST, r#","manifests":[]"#),
            ("index", DOCKER_LIST),
        );
        check(
            header,
            &says(OCI_INDEX, r#","manifests":null"#),
            ("index", OCI_INDEX),
        );
        check(header, &says(OCI_INDEX, ""), ("index", OCI_INDEX));
        check(header, &says(OCI_MANIFEST, ""), ("Syntax", OCI_MANIFEST));
        check(header, &says(SIGNED, ""), ("Schema1", SIGNED));
    }
    check("", &says("text/x", ",CONFIG"), ("image", OCI_MANIFEST));
}

#[test]
fn the_header_tells_what_the_bytes_do_not() {
    let unknown = "application/octet-stream";
    check(
        OCI_INDEX,
        r#"{"schemaVersion":2,"manifests":null}"#,
        ("index", OCI_INDEX),
    );
    check(OCI_MANIFEST, "{}", ("Syntax", OCI_MANIFEST));
    check("", "{}", ("Unknown", unknown));
    check("text/plain", "{}", ("Unknown", "text/plain"));
    check("", r#"{"errors":[]}"#, ("Unknown", unknown));
    check("", "<html>", ("Syntax", unknown));
    check("", "", ("Syntax", unknown));
    check(OCI_INDEX, "[]", ("Syntax", OCI_INDEX));
}

#[test]
fn schema_1_is_refused() {
    let fields = r#"{"schemaVersion":1,"fsLayers":[]}"#;
    check("", fields, ("Schema1", SCHEMA1));
    check(SIGNED, fields, ("Schema1", SIGNED));
    check(SIGNED, "{}", ("Schema1", SIGNED));
    assert_eq!(
        raw(SIGNED, fields).parse().unwrap_err().to_string(),
        format!(
            "unsupported MediaType {SIGNED:?}: Docker's schema 1 is obsolete, push the image again"
        ),
    );
}

/// <https://github.com/opencontainers/image-spec/security/advisories/GHSA-77vh-xpmg-72qh>
#[test]
fn two_manifests_in_one_are_refused() {
    let unknown = "application/octet-stream";
    check("", r#"{CONFIG,"manifests":[]}"#, ("Ambiguous", unknown));
    check(
        "",
        r#"{"layers":[],"manifests":[]}"#,
        ("Ambiguous", unknown),
    );
    let both = says(OCI_INDEX, r#",CONFIG,"manifests":[]"#);
    check(OCI_INDEX, &both, ("Ambiguous", OCI_INDEX));
    check(
        OCI_INDEX,
        &says(OCI_INDEX, ",CONFIG"),
        ("Ambiguous", OCI_INDEX),
    );
    let reverse = says(OCI_MANIFEST, r#","manifests":[]"#);
    check(OCI_MANIFEST, &reverse, ("Ambiguous", OCI_MANIFEST));
    check(
        "",
        &says(OCI_MANIFEST, r#",CONFIG,"manifests":null"#),
        ("image", OCI_MANIFEST),
    );
}

#[test]
fn bytes_are_kept_and_compared() {
    let json = "{\n  \"schemaVersion\" : 2,\t\"manifests\":[] }\n";
    let manifest = RawManifest::verified(None, json.into(), &digest(json)).unwrap();
    assert_eq!(manifest.bytes(), json.as_bytes());
    assert_eq!(manifest, raw("", json));
    let want = Descriptor::new(MediaType::OCI_INDEX, digest(json), json.len() as u64);
    assert_eq!(manifest.descriptor(), want);

    let sha512 = Digest::of(Algorithm::Sha512, json.as_bytes());
    let manifest = RawManifest::verified(None, json.into(), &sha512).unwrap();
    assert_eq!(manifest.digest(), &sha512);

    let error = RawManifest::verified(None, json.into(), &digest("other")).unwrap_err();
    assert!(error.to_string().contains(digest(json).as_str()), "{error}");
}

#[test]
fn an_image_is_read_as_leniently_as_go_reads_it() {
    let digest = digest("x");
    let json = format!(
        r#"{{"schemaVersion": 2, "future": [1], "annotations": null, "subject": null, "artifactType": "",
            "config": {{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "{digest}", "size": 7, "annotations": null}},
            "layers": [{{"mediaType": null, "digest": "{digest}", "size": 9, "urls": ["https://example.com"]}}]}}"#
    );
    let Manifest::Image(image) = raw("", &json).parse().unwrap() else {
        panic!("it has a configuration")
    };
    assert!(image.is_image());
    assert_eq!((image.schema_version, image.artifact_type), (2, None));
    assert_eq!(image.config.size, 7);
    assert_eq!(image.layers[0].urls, ["https://example.com"]);
    assert!(image.layers[0].media_type.is_empty());
    let no_layers = json.replace("\"layers\": [", "\"layers\": null, \"other\": [");
    let Manifest::Image(image) = raw("", &no_layers).parse().unwrap() else {
        panic!("it has a configuration")
    };
    assert!(image.layers.is_empty());
}

#[track_caller]
fn refuse(json: &str, problem: &str) {
    let error = raw("", &json.replace("DIGEST", digest("").as_str())).parse();
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ParseManifestErrorKind::Syntax);
    let want = format!("invalid manifest: {problem}");
    assert!(error.to_string().starts_with(&want), "{error}");
}

#[test]
fn errors_name_the_field() {
    refuse(
        r#"{"config":{"digest":"DIGEST"}}"#,
        "config: missing field `size`",
    );
    refuse(r#"{"config":{"size":1}}"#, "config: missing field `digest`");
    refuse(r#"{"layers":[]}"#, "missing field `config`");
    let config =
        |size: &str, digest: &str| format!(r#"{{"config":{{"size":{size},"digest":"{digest}"}}}}"#);
    refuse(
        &config("-1", "DIGEST"),
        "config.size: invalid value: integer `-1`",
    );
    refuse(
        &config("1.5", "DIGEST"),
        "config.size: invalid type: floating point",
    );
    refuse(
        &config("\"1\"", "DIGEST"),
        "config.size: invalid type: string",
    );
    refuse(&config("null", "DIGEST"), "config.size: invalid type: null");
    let huge = "9223372036854775808";
    refuse(
        &config(huge, "DIGEST"),
        "config.size: the size 9223372036854775808 is larger",
    );
    refuse(
        &config("99999999999999999999", "DIGEST"),
        "config.size: invalid type: floating point",
    );
    refuse(
        &config("1", "md5:00"),
        r#"config.digest: invalid digest "md5:00""#,
    );
    let layers = r#"{"config":{"size":1,"digest":"DIGEST"},"layers":[{"size":1,"digest":"DIGEST"},{"size":1}]}"#;
    refuse(layers, "layers[1]: missing field `digest`");
    let entry = r#"{"manifests":[{"size":1,"digest":"DIGEST","platform":{"os":1}}]}"#;
    refuse(entry, "manifests[0].platform.os: invalid type");
    refuse(
        r#"{"manifests":[],"manifests":[]}"#,
        "duplicate field `manifests`",
    );
    refuse(r#"{"manifests":[]}{}"#, "trailing characters");
}

#[test]
fn the_largest_size_is_taken() {
    let json = format!(
        r#"{{"config":{{"size":{},"digest":"{}"}}}}"#,
        i64::MAX,
        digest("")
    );
    let Ok(Manifest::Image(image)) = raw("", &json).parse() else {
        panic!("it has a configuration")
    };
    assert_eq!(image.config.size, i64::MAX as u64);
}

#[test]
fn nesting_without_end_is_refused() {
    for open in ["[", r#"{"a":"#] {
        let manifest = raw("", &open.repeat(100_000));
        assert_eq!(kind(&manifest), "Syntax");
    }
}

/// The order is that of go-containerregistry, so that digests of generated
/// documents agree with those of the Go resource.
#[test]
fn documents_are_written_as_go_containerregistry_does() {
    let digest = Digest::of(Algorithm::Sha256, b"{}");
    let mut entry = Descriptor::new(MediaType::OCI_MANIFEST, digest.clone(), 2);
    entry.annotations.insert("b".to_owned(), "2".to_owned());
    entry.annotations.insert("a".to_owned(), "1".to_owned());
    entry.artifact_type = Some("text/x".to_owned());
    entry.platform = Some(Platform::default());
    let index = RawManifest::from(&Index::new(vec![entry]));
    let want = format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{{"mediaType":"{OCI_MANIFEST}","size":2,"digest":"{digest}","annotations":{{"a":"1","b":"2"}},"platform":{{"architecture":"amd64","os":"linux"}},"artifactType":"text/x"}}]}}"#
    );
    assert_eq!(index.bytes(), want.as_bytes());
    assert_eq!(*index.media_type(), MediaType::OCI_INDEX);

    let config = Descriptor::new(MediaType::OCI_CONFIG, digest.clone(), 2);
    let image = ImageManifest::new(config, Vec::new());
    let raw = RawManifest::from(&image);
    let want = format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"{digest}"}},"layers":[]}}"#
    );
    assert_eq!(raw.bytes(), want.as_bytes());
    assert_eq!(raw.parse(), Ok(Manifest::Image(image)));
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused(
        json in r#"[\[\]{}:,"a-z0-9]{0,60}|\{"(config|manifests|layers|mediaType)":.{0,20}\}"#,
        bytes: Vec<u8>,
    ) {
        for header in ["", OCI_INDEX, OCI_MANIFEST] {
            let manifest = raw(header, &json);
            prop_assert_eq!(manifest.bytes(), json.as_bytes());
            if let Ok(Manifest::Index(index)) = manifest.parse() {
                index.select(&Platform::default()).ok();
            }
        }
        RawManifest::new(None, bytes.into()).parse().ok();
    }

    /// One digest stands for one thing, whatever a server says it is.
    #[test]
    fn the_header_makes_no_image_of_an_index(
        fields in prop::sample::subsequence(vec!["\"config\":{}", "\"layers\":[]", "\"manifests\":[]"], 1..=3),
    ) {
        let json = format!("{{{}}}", fields.join(","));
        let kinds = ["", "text/plain", OCI_MANIFEST, OCI_INDEX, DOCKER_LIST, SCHEMA1]
            .map(|header| kind(&raw(header, &json)));
        prop_assert!(kinds.iter().all(|kind| *kind == kinds[0]), "{kinds:?}");
    }
}
