//! Media types.

use regimg_core::{Compression, MediaType};

#[track_caller]
fn check_layer(text: &str, compression: Option<Compression>, is_distributable: bool) {
    let media_type = MediaType::new(text);
    assert_eq!(media_type.compression(), compression);
    assert_eq!(media_type.is_layer(), compression.is_some());
    assert_eq!(media_type.is_distributable(), is_distributable);
    assert_eq!(media_type.is_foreign_layer(), !is_distributable);
}

#[test]
fn media_types_tell_the_compression_of_layers() {
    use Compression::{Gzip, None as Bare, Zstd};
    for (prefix, separator, is_distributable) in [
        ("application/vnd.oci.image.layer.v1.tar", '+', true),
        (
            "application/vnd.oci.image.layer.nondistributable.v1.tar",
            '+',
            false,
        ),
        ("application/vnd.docker.image.rootfs.diff.tar", '.', true),
        (
            "application/vnd.docker.image.rootfs.foreign.diff.tar",
            '.',
            false,
        ),
    ] {
        check_layer(prefix, Some(Bare), is_distributable);
        check_layer(
            &format!("{prefix}{separator}gzip"),
            Some(Gzip),
            is_distributable,
        );
        check_layer(
            &format!("{prefix}{separator}zstd"),
            Some(Zstd),
            is_distributable,
        );
        check_layer(&format!("{prefix}{separator}xz"), None, is_distributable);
    }
    check_layer("application/vnd.oci.image.config.v1+json", None, true);
    check_layer("application/octet-stream", None, true);
    check_layer("application/x.gzip", None, true);
    check_layer("", None, true);
}

#[test]
fn constants_are_what_their_names_say() {
    let layers = [
        (MediaType::OCI_LAYER, Compression::None),
        (MediaType::OCI_LAYER_GZIP, Compression::Gzip),
        (MediaType::OCI_LAYER_ZSTD, Compression::Zstd),
        (MediaType::OCI_FOREIGN_LAYER, Compression::None),
        (MediaType::OCI_FOREIGN_LAYER_GZIP, Compression::Gzip),
        (MediaType::OCI_FOREIGN_LAYER_ZSTD, Compression::Zstd),
        (MediaType::DOCKER_LAYER, Compression::None),
        (MediaType::DOCKER_LAYER_GZIP, Compression::Gzip),
        (MediaType::DOCKER_LAYER_ZSTD, Compression::Zstd),
        (MediaType::DOCKER_FOREIGN_LAYER, Compression::None),
        (MediaType::DOCKER_FOREIGN_LAYER_GZIP, Compression::Gzip),
    ];
    for (layer, compression) in layers {
        assert_eq!(layer.compression(), Some(compression), "{layer}");
        assert!(!layer.is_index() && !layer.is_image_manifest() && !layer.is_image_config());
    }
    assert!(MediaType::OCI_INDEX.is_index() && MediaType::DOCKER_MANIFEST_LIST.is_index());
    assert!(MediaType::OCI_MANIFEST.is_image_manifest());
    assert!(MediaType::DOCKER_MANIFEST.is_image_manifest());
    assert!(MediaType::DOCKER_SCHEMA1.is_schema1());
    assert!(MediaType::DOCKER_SCHEMA1_SIGNED.is_schema1());
    assert!(MediaType::OCI_CONFIG.is_image_config() && MediaType::DOCKER_CONFIG.is_image_config());
    assert!(!MediaType::OCI_EMPTY.is_image_config());
}

#[test]
fn headers_have_parameters_and_json_is_kept() {
    let header = MediaType::new(" Application/VND.oci.image.index.v1+json ;charset=utf-8");
    assert_eq!(header, MediaType::OCI_INDEX);
    assert!(MediaType::new(" ; q=1").is_empty());
    let json = r#""Text/X; y=1""#;
    let read: MediaType = serde_json::from_str(json).unwrap();
    assert_eq!(read, "Text/X; y=1");
    assert_eq!(serde_json::to_string(&read).unwrap(), json);
}
