//! Archives that nobody should have made.

use regimg_tests::registry::Registry;
use regimg_tests::{Image, Layer};
use serde_json::{Value, json};

use super::{assert_untouched, push_bytes};

fn config(image: &Image) -> Vec<u8> {
    image.config().content().bytes().to_vec()
}

/// Starts an archive with a configuration and a layer, without `manifest.json`.
fn parts(image: &Image) -> Layer {
    Layer::new()
        .file("config.json", config(image))
        .file("a.tar", image.layers()[0].content().bytes())
}

fn listing(config: &str, layers: &[&str]) -> String {
    json!([{"Config": config, "RepoTags": null, "Layers": layers}]).to_string()
}

/// A header of a type that the lines have no word for, with a size and a right checksum.
fn header(name: &str, kind: u8, size: &str) -> Vec<u8> {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..107].copy_from_slice(b"0000644");
    header[124..124 + size.len()].copy_from_slice(size.as_bytes());
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header.to_vec()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn archives_that_lead_astray_are_refused_and_nothing_is_sent() {
    let image = Image::with_text("victim");
    let whole = || parts(&image).file("manifest.json", listing("config.json", &["a.tar"]));
    let listed =
        |config: &str, layer: &str| parts(&image).file("manifest.json", listing(config, &[layer]));
    let other = Image::with_text("other").layers()[0].content().bytes();
    let deep = (0..40).fold(listed("config.json", "l40"), |layer, at| {
        layer.line(&format!("symlink l{} -> l{at}", at + 1))
    });
    let many_layers: Vec<Value> = vec![json!("a.tar"); 3];
    let many = json!([{"Config": "config.json", "Layers": many_layers}]).to_string();
    let cases: Vec<(&str, Layer, &str)> = vec![
        (
            "a name with ..",
            whole().file("../config.json", "x"),
            "file ../config.json: has .. in its name",
        ),
        (
            "a name with .. inside",
            whole().file("a/../a.tar", "x"),
            "has .. in its name",
        ),
        (
            "a configuration outside",
            listed("../../etc/passwd", "a.tar"),
            "file ../../etc/passwd not found in tar",
        ),
        (
            "an absolute layer",
            listed("config.json", "/etc/passwd"),
            "file /etc/passwd not found in tar",
        ),
        (
            "a link outside",
            listed("config.json", "l").line("symlink l -> ../../etc/passwd"),
            "file l: is a link that leads out of the archive",
        ),
        (
            "a link to nothing",
            listed("config.json", "l").line("symlink l -> gone"),
            "file l not found in tar",
        ),
        (
            "a link to itself",
            listed("config.json", "l").line("symlink l -> l"),
            "file l: is a link without end",
        ),
        (
            "links in a circle",
            listed("config.json", "l")
                .line("symlink l -> m")
                .line("hardlink m -> l"),
            "file l: is a link without end",
        ),
        ("links without end", deep, "file l40: is a link without end"),
        (
            "a layer twice",
            whole().file("a.tar", other.clone()),
            "file a.tar: is in the archive more than once",
        ),
        (
            "a configuration twice",
            whole().file("./config.json", "{}"),
            "file config.json: is in the archive more than once",
        ),
        (
            "two manifests",
            whole().file("manifest.json", "[]"),
            "file manifest.json: is in the archive more than once",
        ),
        (
            "a file that is a link too",
            whole().line("symlink a.tar -> config.json"),
            "more than once",
        ),
        (
            "a directory for a layer",
            listed("config.json", "d").line("dir d"),
            "file d not found in tar",
        ),
        (
            "a device for a layer",
            listed("config.json", "null").line("char null 1:3"),
            "file null not found in tar",
        ),
        (
            "a missing layer",
            listed("config.json", "b.tar"),
            "file b.tar not found in tar",
        ),
        (
            "a missing configuration",
            listed("c.json", "a.tar"),
            "file c.json not found in tar",
        ),
        (
            "too many layers",
            parts(&image).file("manifest.json", many),
            "describes 1 layers, manifest.json lists 3",
        ),
        (
            "no image",
            parts(&image).file("manifest.json", "[]"),
            "lists no image",
        ),
        (
            "no JSON",
            parts(&image).file("manifest.json", "{"),
            "file manifest.json: ",
        ),
        (
            "no configuration",
            parts(&image)
                .file("config.json", "[]")
                .file("manifest.json", listing("a.tar", &["a.tar"])),
            "file a.tar: invalid image configuration",
        ),
        (
            "another layer",
            Layer::new()
                .file("config.json", config(&image))
                .file("a.tar", other)
                .file("manifest.json", listing("config.json", &["a.tar"])),
            "the content's digest is sha256:",
        ),
        (
            "a sparse file",
            whole().line("file sparse type=S"),
            "file sparse: is stored as a sparse file",
        ),
        (
            "a sparse file by pax",
            whole().line("file s pax:GNU.sparse.major=1"),
            "file s: is stored as a sparse file",
        ),
        (
            "a size beyond the end",
            whole().line("file huge header-size=8589934591"),
            "file huge: is cut off",
        ),
        (
            "a size that is none",
            whole().raw(&header("odd", b'0', "abc")),
            "is no tar archive",
        ),
        (
            "a long name without end",
            Layer::new().line("file long type=L zeros=2097152"),
            "more than 1 MiB",
        ),
        (
            "rubbish in between",
            whole().raw(&[7; 512]),
            "is no tar archive",
        ),
        (
            "half a header",
            whole().raw(&[0; 1]).ending_with_zeros(100),
            "ends inside a header",
        ),
    ];
    for (what, layer, problem) in cases {
        let registry = Registry::start();
        let outcome = push_bytes(&registry, &layer.tar(), &json!({}));
        let failure = outcome.failure();
        assert!(
            failure.starts_with("could not load image from path '"),
            "{what}: {failure}"
        );
        assert!(failure.contains(problem), "{what}: {failure}");
        assert_eq!(registry.transcript(), "", "{what}");
        // Nobody shall think that a part was pushed.
        assert!(!outcome.stderr.contains("pushing tag"), "{what}");
    }
}

/// Aliases take the registry's tags, and those nobody needs for an image that is not whole.
#[test]
fn what_is_not_there_is_found_before_the_registry_is_asked() {
    let image = Image::with_text("victim");
    let tar = parts(&image)
        .file("manifest.json", listing("config.json", &["b.tar"]))
        .tar();
    let registry = Registry::start();
    let params = json!({"version": "1.2.3", "bump_aliases": true});
    let failure = push_bytes(&registry, &tar, &params).failure();
    assert!(failure.contains("file b.tar not found in tar"), "{failure}");
    assert_eq!(registry.transcript(), "");
}

#[test]
fn the_same_file_twice_is_the_same_file() {
    let image = Image::with_text("victim");
    let tar = parts(&image)
        .file("./a.tar", image.layers()[0].content().bytes())
        .file("/config.json", config(&image))
        .file("manifest.json", listing("./config.json", &["a.tar"]))
        .file("manifest.json", listing("./config.json", &["a.tar"]))
        .tar();
    let registry = Registry::start();
    push_bytes(&registry, &tar, &json!({})).answer();
    assert!(registry.tag_digest("app", "1.0").is_some());
}

#[test]
fn an_archive_cut_anywhere_is_refused() {
    let image = Image::with_text("victim");
    let tar = parts(&image)
        .file("manifest.json", listing("config.json", &["a.tar"]))
        .ending_with_zeros(0)
        .tar();
    let registry = Registry::start();
    for length in (0..tar.len() - 512).step_by(256) {
        let failure = push_bytes(&registry, &tar[..length], &json!({})).failure();
        assert!(
            failure.contains("could not load image"),
            "{length}: {failure}"
        );
    }
    assert_eq!(registry.transcript(), "");
}

#[test]
fn flipped_bits_are_noticed() {
    let image = Image::with_text("victim");
    let tar = parts(&image)
        .file("manifest.json", listing("config.json", &["a.tar"]))
        .tar();
    let layer = image.layers()[0];
    let found = tar
        .windows(layer.content().bytes().len())
        .position(|window| *window == layer.content().bytes());
    let start = found.unwrap();
    let length = layer.content().bytes().len();
    for at in [start, start + 9, start + length / 2, start + length - 1] {
        let mut tar = tar.to_vec();
        tar[at] ^= 0x10;
        let registry = Registry::start();
        let outcome = push_bytes(&registry, &tar, &json!({}));
        if outcome.code == 0 {
            // gzip's header has bytes that mean nothing; the content is compared.
            assert_eq!(at, start + 9);
            continue;
        }
        assert!(outcome.failure().contains("a.tar"), "{outcome:?}");
        assert_untouched(&registry, "a flipped bit");
    }
}

/// A million files would fill the memory with their names; an image has a few.
#[test]
fn an_archive_of_a_million_files_is_given_up() {
    use std::io::Write;

    let mut bytes = Vec::new();
    let mut tar = flate2::write::GzEncoder::new(&mut bytes, flate2::Compression::fast());
    for number in 0..1_000_000_u32 {
        tar.write_all(&header(&format!("file-{number}"), b'0', "00000000000"))
            .unwrap();
    }
    tar.finish().unwrap();
    let registry = Registry::start();
    let failure = push_bytes(&registry, &bytes, &json!({})).failure();
    assert!(
        failure.contains("has more files than an image has"),
        "{failure}"
    );
    assert_eq!(registry.transcript(), "");
}
