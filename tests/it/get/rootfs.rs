//! `format: rootfs`.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use regimg_tests::registry::Registry;
use regimg_tests::tree::Listing;
use regimg_tests::{Artifact, Compression, Image, ImageBuilder, Index, IndexBuilder, Layer};
use serde_json::json;

use super::{fetch, names, read, request};
use crate::driver;

fn layers() -> [Layer; 3] {
    [
        Layer::parse(
            r#"
            dir     etc            0755
            file    etc/passwd     0644 "root:x:0:0:root:/root:/bin/sh\n"
            file    etc/old        0644 "goes away"
            dir     var            0711 1000:1000 mtime=676013430
            file    var/mode       0603 "bits" mtime=676013430
            dir     swapped        0755
            file    swapped/inner  0644 "hidden by a file"
            symlink link           -> etc/passwd
            hardlink twin          -> etc/passwd
            "#,
        ),
        Layer::parse(
            r#"
            whiteout etc/old
            file     etc/new       0600 "second"
            "#,
        ),
        Layer::parse(
            r#"
            file     swapped       0644 "now a file"
            opaque   var
            file     var/after     0644 "stays"
            "#,
        ),
    ]
}

#[test]
fn layers_are_applied_in_order_whatever_their_compression() {
    let registry = Registry::start();
    let [first, second, third] = layers();
    let image = Image::builder()
        .layer(first)
        .layer_with(second, Compression::Zstd)
        .layer_with(third, Compression::None)
        .build();
    let directory = tempfile::tempdir().unwrap();
    fetch(&registry, &image, json!({}), directory.path()).answer();
    let root = directory.path().join("rootfs");
    assert_eq!(
        read(root.join("etc/passwd")),
        "root:x:0:0:root:/root:/bin/sh\n"
    );
    assert_eq!(names(&root.join("etc")), ["new", "passwd"]);
    assert_eq!(names(&root.join("var")), ["after"]);
    assert_eq!(read(root.join("swapped")), "now a file");
    assert_eq!(
        std::fs::read_link(root.join("link")).unwrap(),
        Path::new("etc/passwd")
    );
    let [inode, twin] =
        ["etc/passwd", "twin"].map(|name| root.join(name).metadata().unwrap().ino());
    assert_eq!(inode, twin);
}

#[test]
fn modes_and_times_are_kept() {
    let registry = Registry::start();
    let [first, ..] = layers();
    let image = Image::builder().layer(first).build();
    let directory = tempfile::tempdir().unwrap();
    fetch(
        &registry,
        &image,
        json!({"format": "rootfs"}),
        directory.path(),
    )
    .answer();
    let root = directory.path().join("rootfs");
    for (name, mode) in [("var", 0o711), ("var/mode", 0o603)] {
        let metadata = root.join(name).metadata().unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, mode, "{name}");
        assert_eq!(metadata.mtime(), 676_013_430, "{name}");
    }
}

#[test]
fn the_image_is_described_for_concourse() {
    let registry = Registry::start();
    let image = Image::builder()
        .env("PATH=/bin")
        .cmd(["sh", "-c", "a<b"])
        .user("1000:1000")
        .label("b", "2")
        .label("a", "1")
        .build();
    let directory = tempfile::tempdir().unwrap();
    fetch(&registry, &image, json!({}), directory.path()).answer();
    assert_eq!(
        read(directory.path().join("metadata.json")),
        "{\"cmd\":[\"sh\",\"-c\",\"a\\u003cb\"],\"entrypoint\":null,\"env\":[\"PATH=/bin\"],\"user\":\"1000:1000\"}\n"
    );
    assert_eq!(
        read(directory.path().join("labels.json")),
        "{\"a\":\"1\",\"b\":\"2\"}\n"
    );
    let all = [
        "annotations.json",
        "config.json",
        "digest",
        "image-manifest.json",
        "labels.json",
        "metadata.json",
        "repository",
        "rootfs",
        "tag",
    ];
    assert_eq!(names(directory.path()), all, "and nothing temporary");
}

#[test]
fn an_image_without_anything_is_an_empty_root() {
    let registry = Registry::start();
    let directory = tempfile::tempdir().unwrap();
    fetch(
        &registry,
        &Image::builder().build(),
        json!({}),
        directory.path(),
    )
    .answer();
    assert!(names(&directory.path().join("rootfs")).is_empty());
    assert_eq!(read(directory.path().join("labels.json")), "{}\n");
}

#[test]
fn an_index_gives_the_platform_that_is_asked_for() {
    let registry = Registry::start();
    let image = |platform: &str| {
        let text = format!("file platform \"{platform}\"");
        Image::builder()
            .platform(platform)
            .layer(Layer::parse(&text))
            .build()
    };
    let platforms = [
        "linux/amd64",
        "linux/arm64/v8",
        "linux/arm/v6",
        "linux/arm/v7",
        "windows/amd64",
    ];
    let images = platforms.map(image);
    let index = images.iter().fold(Index::builder(), IndexBuilder::image);
    let index = index.attestation_for(&images[0]).build();
    registry.publish("app", "latest", &index);
    let cases = [
        (
            json!(null),
            json!({"architecture": "arm64/v8"}),
            "linux/arm64/v8",
        ),
        (
            json!({"architecture": "arm64"}),
            json!(null),
            "linux/arm64/v8",
        ),
        (json!({"architecture": "arm"}), json!(null), "linux/arm/v7"),
        (
            json!({"architecture": "arm/v6"}),
            json!(null),
            "linux/arm/v6",
        ),
        (
            json!({"architecture": "arm64", "os": "windows"}),
            json!({"architecture": "amd64"}),
            "windows/amd64",
        ),
    ];
    for (source, step, expected) in cases {
        let directory = tempfile::tempdir().unwrap();
        let mut request = request(&registry, "app", &index, json!({"platform": step}));
        request["source"]["platform"] = source;
        driver::get(&request, directory.path()).answer();
        assert_eq!(read(directory.path().join("rootfs/platform")), expected);
    }
    let directory = tempfile::tempdir().unwrap();
    let request = request(
        &registry,
        "app",
        &index,
        json!({"platform": {"architecture": "s390x"}}),
    );
    let message = driver::get(&request, directory.path()).failure();
    assert!(
        message.contains("linux/s390x") && message.contains("linux/arm64/v8"),
        "{message}"
    );
    assert!(!message.contains("unknown"), "{message}");
}

#[test]
fn a_layer_that_is_named_twice_is_fetched_once_and_applied_twice() {
    let registry = Registry::start();
    let layer = || Layer::parse("file a \"1\"");
    let image = Image::builder()
        .layer(layer())
        .layer(Layer::parse("whiteout a"))
        .layer(layer())
        .build();
    let directory = tempfile::tempdir().unwrap();
    fetch(&registry, &image, json!({}), directory.path()).answer();
    assert_eq!(read(directory.path().join("rootfs/a")), "1");
    assert_eq!(
        registry.count("GET", "/v2/app/blobs/"),
        3,
        "the configuration and two layers"
    );
}

#[test]
fn a_destination_that_was_used_is_replaced() {
    let registry = Registry::start();
    let directory = tempfile::tempdir().unwrap();
    for name in ["first", "second"] {
        let image = Image::builder().layer(Layer::new().file(name, "x")).build();
        fetch(&registry, &image, json!({}), directory.path()).answer();
        assert_eq!(names(&directory.path().join("rootfs")), [name]);
    }
}

#[test]
fn nothing_is_written_outside_the_root() {
    let registry = Registry::start();
    let directory = tempfile::tempdir().unwrap();
    let destination = directory.path().join("destination");
    let layer = Layer::parse(
        r#"
        file    ../escaped          0644 "x"
        file    ../../escaped       0644 "x"
        symlink up                  -> ../..
        file    up/escaped          0644 "x"
        symlink absolute            -> /
        file    absolute/tmp/inside 0644 "x"
        "#,
    );
    let image = Image::builder().layer(layer).build();
    let outcome = fetch(&registry, &image, json!({}), &destination);
    assert_eq!(names(directory.path()), ["destination"], "{outcome:?}");
    let at_home = [
        "annotations.json",
        "config.json",
        "digest",
        "image-manifest.json",
        "labels.json",
        "metadata.json",
        "repository",
        "rootfs",
        "tag",
    ];
    assert!(
        names(&destination)
            .iter()
            .all(|name| at_home.contains(&name.as_str())),
        "{outcome:?}"
    );
    assert!(!image.digest().to_string().is_empty());
}

/// What the Go resource's own suite asks of a rootfs: layers, and lines of the tree that
/// they make.
const TREES: [(&str, &[&str], &[&str]); 8] = [
    (
        "modes and times",
        &["dir etc 0750 mtime=676013430\nfile etc/a 0603 \"a\" mtime=676013430"],
        &[
            "etc dir 0750 0:0 mtime=676013430",
            "etc/a file 0603 0:0 1 sha256:ca978112ca1b mtime=676013430",
        ],
    ),
    (
        "owners",
        &[
            "dir home 0700 1000:1001 mtime=676013430\nfile home/a 0644 1000:1000 \"a\" mtime=676013430",
        ],
        &[
            "home dir 0700 1000:1001 mtime=676013430",
            "home/a file 0644 1000:1000 1 sha256:ca978112ca1b mtime=676013430",
        ],
    ),
    (
        "a removed file and a removed directory",
        &[
            "dir a 0755 mtime=676013430\nfile a/file mtime=676013430\ndir a/dir 0755\nfile a/dir/inner",
            "dir a 0755 mtime=676013430\nwhiteout a/file\nwhiteout a/dir",
        ],
        &["a dir 0755 0:0 mtime=676013430"],
    ),
    (
        "a directory emptied by an opaque marker keeps its owner and mode",
        &[
            "dir a 01777 1000:1000 mtime=676013430\nfile a/gone \"x\"",
            "opaque a",
        ],
        &["a dir 1777 1000:1000 mtime=676013430"],
    ),
    (
        "a file becomes a directory, and a directory a file",
        &[
            "file up \"file\"\ndir down 0755\nfile down/inner",
            "dir up 0755 mtime=676013430\nfile up/inner 0644 \"a\" mtime=676013430\ndir up 0755 mtime=676013430\nfile down 0644 \"a\" mtime=676013430",
        ],
        &[
            "down file 0644 0:0 1 sha256:ca978112ca1b mtime=676013430",
            "up dir 0755 0:0 mtime=676013430",
            "up/inner file 0644 0:0 1 sha256:ca978112ca1b mtime=676013430",
        ],
    ),
    (
        "a hard link outlives the name it was made of",
        &[
            "file source 0644 \"a\" mtime=676013430\nhardlink link -> source mtime=676013430",
            "whiteout source",
        ],
        &["link file 0644 0:0 1 sha256:ca978112ca1b mtime=676013430"],
    ),
    (
        "a file in place of a symbolic link is not written where the link leads",
        &[
            "file target 0644 \"a\" mtime=676013430\nsymlink link -> target mtime=676013430",
            "file link 0644 \"other\" mtime=676013430",
        ],
        &[
            "link file 0644 0:0 5 sha256:d9298a10d1b0 mtime=676013430",
            "target file 0644 0:0 1 sha256:ca978112ca1b mtime=676013430",
        ],
    ),
    (
        "devices are left out",
        &["char null 0666 1:3\nfifo pipe 0600 mtime=676013430\nfile a 0644 \"a\" mtime=676013430"],
        &[
            "a file 0644 0:0 1 sha256:ca978112ca1b mtime=676013430",
            "pipe fifo 0600 0:0 mtime=676013430",
        ],
    ),
];

/// The time that layers give what they date.
const DATED: &str = " mtime=676013430";

#[test]
fn trees_are_those_that_the_go_resource_promises() {
    let is_root = rustix::process::geteuid().is_root();
    let registry = Registry::start();
    for (name, layers, expected) in TREES {
        let layers = layers.iter().map(|lines| Layer::parse(lines));
        let image = layers.fold(Image::builder(), ImageBuilder::layer);
        let directory = tempfile::tempdir().unwrap();
        fetch(&registry, &image.build(), json!({}), directory.path()).answer();
        let listing = Listing::new().without_attributes();
        let listing = if is_root {
            listing
        } else {
            listing.without_owners()
        };
        let lines = listing.lines(directory.path().join("rootfs")).unwrap();
        // What no layer dates has the time of the day.
        let undated = |line: &String| match line.strip_suffix(DATED) {
            Some(_) => line.clone(),
            None => line.split(" mtime=").next().unwrap().to_owned(),
        };
        let lines: Vec<_> = lines[1..].iter().map(undated).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|line| {
                let words = line.split(' ').enumerate();
                let words = words.filter(|(at, _)| is_root || *at != 3);
                words.map(|(_, word)| word).collect::<Vec<_>>().join(" ")
            })
            .collect();
        assert_eq!(lines, expected, "{name}");
    }
}
