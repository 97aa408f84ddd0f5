//! Manifests, indexes, configurations and media types.

use proptest::prelude::*;
use regimg_core::{
    Algorithm, Compression, Digest, ImageConfig, Index, Manifest, MediaType, Platform, RawManifest,
};

fn digest(text: &str) -> Digest {
    Digest::of(Algorithm::Sha256, text.as_bytes())
}

fn raw(media_type: Option<&str>, json: &str) -> RawManifest {
    RawManifest::new(media_type.map(MediaType::new), json.to_owned().into())
}

#[test]
fn what_a_document_is_comes_from_its_header_then_itself_then_its_shape() {
    let oci_index = MediaType::OCI_INDEX;
    let cases = [
        (Some(oci_index.as_str()), "{}", MediaType::OCI_INDEX),
        (
            Some("application/vnd.docker.distribution.manifest.v2+json; charset=utf-8"),
            "{}",
            MediaType::DOCKER_MANIFEST,
        ),
        (
            Some("text/plain"),
            r#"{"manifests": []}"#,
            MediaType::OCI_INDEX,
        ),
        (
            None,
            r#"{"mediaType": "application/vnd.docker.distribution.manifest.list.v2+json"}"#,
            MediaType::DOCKER_MANIFEST_LIST,
        ),
        (
            None,
            r#"{"mediaType": "text/x", "layers": []}"#,
            MediaType::OCI_MANIFEST,
        ),
        (None, "{}", MediaType::OCI_MANIFEST),
        (None, "no json", MediaType::OCI_MANIFEST),
    ];
    for (header, json, expected) in cases {
        assert_eq!(
            raw(header, json).media_type(),
            &expected,
            "{header:?} {json}"
        );
    }
}

#[test]
fn bytes_are_kept_and_compared() {
    let json = "{\n  \"schemaVersion\" : 2 }\n";
    let manifest = RawManifest::verified(None, json.into(), &digest(json)).unwrap();
    assert_eq!(manifest.bytes(), json.as_bytes());
    assert_eq!(manifest.descriptor().size, json.len() as u64);
    let error = RawManifest::verified(None, json.into(), &digest("other")).unwrap_err();
    assert!(error.to_string().contains(digest(json).as_str()), "{error}");
}

#[test]
fn an_image_is_read_as_leniently_as_go_reads_it() {
    let digest = digest("x");
    let json = format!(
        r#"{{"schemaVersion": 2, "future": [1], "annotations": null,
            "config": {{"mediaType": "a/b", "digest": "{digest}", "size": 7, "annotations": null}},
            "layers": [{{"mediaType": "application/vnd.oci.image.layer.v1.tar+zstd", "digest": "{digest}", "size": 9}}]}}"#
    );
    let Manifest::Image(image) = raw(None, &json).parse().unwrap() else {
        panic!("an image")
    };
    assert_eq!(image.config.size, 7);
    assert_eq!(image.layers[0].media_type, MediaType::OCI_LAYER_ZSTD);
    let no_layers = json.replace("\"layers\": [", "\"layers\": null, \"other\": [");
    let Manifest::Image(image) = raw(None, &no_layers).parse().unwrap() else {
        panic!("an image")
    };
    assert!(image.layers.is_empty());
}

#[test]
fn errors_name_the_field() {
    let digest = digest("x");
    let config = |size: &str, digest: &str| {
        format!(r#"{{"config": {{"digest": "{digest}", "size": {size}}}}}"#)
    };
    let cases = [
        ("{}".to_owned(), "config"),
        (config("-1", digest.as_str()), "-1"),
        (config("1e400", digest.as_str()), "number out of range"),
        (config("1", "sha256:beef"), "this has 4"),
        (config("1", "md5:00"), "neither sha256 nor sha512"),
        (r#"{"config": {"size": 1}}"#.to_owned(), "digest"),
        ("<html>".to_owned(), "expected value"),
    ];
    for (json, problem) in cases {
        let error = raw(None, &json).parse().unwrap_err().to_string();
        assert!(
            error.starts_with("manifest sha256:") && error.contains(problem),
            "{json}: {error}"
        );
    }
    let schema1 = raw(Some(MediaType::DOCKER_SCHEMA1_SIGNED.as_str()), "{}")
        .parse()
        .unwrap_err();
    assert!(schema1.to_string().contains("schema 1"), "{schema1}");
}

fn index(platforms: &[Option<&str>]) -> Index {
    let entries: Vec<_> = platforms
        .iter()
        .enumerate()
        .map(|(size, platform)| {
            let mut entry = serde_json::json!({"digest": digest("x"), "size": size});
            if let Some(platform) = platform {
                let (os, architecture) = platform.split_once('/').unwrap();
                let (architecture, variant) =
                    architecture.split_once('/').unwrap_or((architecture, ""));
                entry["platform"] = serde_json::json!({"os": os, "architecture": architecture});
                if !variant.is_empty() {
                    entry["platform"]["variant"] = variant.into();
                }
            }
            entry
        })
        .collect();
    serde_json::from_value(serde_json::json!({"schemaVersion": 2, "manifests": entries})).unwrap()
}

#[test]
fn an_index_gives_the_nearest_entry() {
    let arm = index(&[
        Some("linux/arm/v5"),
        Some("linux/arm/v7"),
        Some("linux/arm64/v8"),
        Some("linux/arm/v6"),
    ]);
    let amd = index(&[
        Some("unknown/unknown"),
        Some("linux/amd64/v3"),
        Some("linux/amd64"),
        Some("linux/amd64"),
    ]);
    let cases = [
        (&arm, "linux/arm", 1),
        (&arm, "linux/arm/v7", 1),
        (&arm, "linux/arm/v6", 3),
        (&arm, "linux/arm/v5", 0),
        (&arm, "linux/arm/v8", 1),
        (&arm, "linux/arm64", 2),
        (&arm, "arm64/v8", 2),
        (&amd, "linux/amd64", 2),
        (&amd, "linux/amd64/v3", 1),
        (&amd, "linux/amd64/v2", 2),
        (&index(&[None]), "linux/amd64", 0),
    ];
    for (index, wanted, expected) in cases {
        let entry = index.select(&Platform::parse(wanted).unwrap()).unwrap();
        assert_eq!(entry.size, expected, "{wanted}");
    }
}

#[test]
fn a_platform_that_is_missing_is_answered_with_those_there_are() {
    let index = index(&[
        Some("linux/amd64"),
        Some("unknown/unknown"),
        Some("linux/arm64/v8"),
    ]);
    let error = index
        .select(&Platform::parse("linux/s390x").unwrap())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "no image for linux/s390x in the index; it has linux/amd64, linux/arm64/v8"
    );
}

#[test]
fn a_configuration_may_say_nothing() {
    let cases = [
        "{}",
        r#"{"config": null, "rootfs": null}"#,
        r#"{"config": {"Labels": null, "User": null, "Env": null}}"#,
    ];
    for json in cases {
        let config = ImageConfig::parse(json.as_bytes()).unwrap();
        assert_eq!(config.config.labels, None, "{json}");
        assert_eq!(config.config.user, "", "{json}");
        assert!(config.rootfs.diff_ids.is_empty(), "{json}");
    }
    assert!(ImageConfig::parse(br#"{"config": {"Env": "A=1"}}"#).is_err());
}

#[test]
fn media_types_tell_the_compression_of_layers() {
    let cases = [
        (
            "application/vnd.oci.image.layer.v1.tar",
            Some(Compression::None),
        ),
        (
            "application/vnd.oci.image.layer.v1.tar+gzip",
            Some(Compression::Gzip),
        ),
        (
            "application/vnd.oci.image.layer.v1.tar+zstd",
            Some(Compression::Zstd),
        ),
        (
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            Some(Compression::Gzip),
        ),
        (
            "application/vnd.docker.image.rootfs.diff.tar",
            Some(Compression::None),
        ),
        (
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
            Some(Compression::Gzip),
        ),
        (
            "application/vnd.docker.image.rootfs.diff.tar.zstd",
            Some(Compression::Zstd),
        ),
        (
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            Some(Compression::Gzip),
        ),
        ("application/vnd.oci.image.config.v1+json", None),
        ("application/octet-stream", None),
        ("", None),
    ];
    for (text, expected) in cases {
        let media_type = MediaType::new(text);
        assert_eq!(media_type.compression(), expected, "{text}");
        let is_foreign = text.contains("foreign") || text.contains("nondistributable");
        assert_eq!(media_type.is_distributable(), !is_foreign, "{text}");
    }
}

proptest! {
    #[test]
    fn no_document_panics(json in r#"[\[\]{}:,"a-z0-9]{0,60}|\{"(config|manifests|layers)":.{0,20}\}"#) {
        for header in [None, Some(MediaType::OCI_INDEX.as_str())] {
            let manifest = raw(header, &json);
            if let Ok(Manifest::Index(index)) = manifest.parse() {
                let _ = index.select(&Platform::default());
            }
        }
        let _ = ImageConfig::parse(json.as_bytes());
    }
}
