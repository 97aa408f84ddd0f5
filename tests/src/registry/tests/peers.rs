//! `skopeo` as an independent client of the registry and reader of archives; skipped where it is missing.

use std::path::Path;

use crate::registry::{Auth, Builder, LinkForm, Paging, Realm, Registry, UploadLocation};
use crate::{
    ArchiveLayers, Artifact, Compression, DockerArchive, Image, Index, Layer, OciLayout, Peer,
    read_layout,
};

fn image() -> Image {
    Image::builder()
        .layer(Layer::parse("dir etc\nfile etc/motd \"hello\""))
        .layer_with(Layer::parse("file big random=2000000"), Compression::Zstd)
        .cmd(["/bin/sh"])
        .build()
}

fn copy(skopeo: &Peer, directory: &Path, arguments: &[&str]) {
    let process = skopeo
        .process()
        .args(["--insecure-policy", "copy", "--quiet"])
        .args(arguments);
    let process = process
        .env("HOME", directory)
        .env("XDG_RUNTIME_DIR", directory);
    process.run().unwrap().expect_success();
}

/// Lets skopeo pull an index from the registry and push it back under another name.
#[track_caller]
fn check(builder: Builder, more: &[&str]) -> Option<Registry> {
    let skopeo = Peer::find("skopeo")?;
    let registry = builder.start();
    let directory = tempfile::tempdir().unwrap();
    let index = Index::builder()
        .image(&image())
        .image(&Image::with_text("x"))
        .build();
    let digest = registry.publish("library/a", "1", &index);
    let remote = |name: &str| format!("docker://{}/library/{name}", registry.host());
    let layout = format!("oci:{}:1", directory.path().join("layout").display());
    let (pull, push): (Vec<String>, Vec<String>) = more
        .iter()
        .map(|option| {
            (
                option.replace("--X-", "--src-"),
                option.replace("--X-", "--dest-"),
            )
        })
        .unzip();
    let words = |options: &[String], from: &str, to: &str| {
        let mut words = options.to_vec();
        words.extend(["--all", "--preserve-digests", from, to].map(str::to_owned));
        words
    };
    let pulled = words(&pull, &remote("a:1"), &layout);
    copy(
        &skopeo,
        directory.path(),
        &pulled.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    assert_eq!(
        read_layout(directory.path().join("layout"))
            .unwrap()
            .digest(),
        digest
    );
    let pushed = words(&push, &layout, &remote("b:1"));
    copy(
        &skopeo,
        directory.path(),
        &pushed.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    assert_eq!(registry.tag_digest("library/b", "1"), Some(digest));
    assert_eq!(registry.open_uploads(), 0);
    Some(registry)
}

#[test]
fn skopeo_pulls_and_pushes_over_plain_http() {
    for location in [UploadLocation::Absolute, UploadLocation::Path] {
        check(
            Registry::builder().upload_location(location),
            &["--X-tls-verify=false"],
        );
    }
}

#[test]
fn skopeo_authenticates() {
    let options = &["--X-tls-verify=false", "--X-creds=user:secret"];
    check(
        Registry::builder().auth(Auth::basic().account("user", "secret")),
        options,
    );
    let bearer = Auth::bearer().account("user", "secret");
    let registry = check(Registry::builder().auth(bearer.clone()), options);
    if let Some(registry) = registry {
        assert!(registry.count("GET", "/token") > 0);
    }
    check(
        Registry::builder().auth(bearer.realm(Realm::Separate)),
        options,
    );
}

#[test]
fn skopeo_speaks_tls() {
    let directory = tempfile::tempdir().unwrap();
    let authority = crate::tls::Authority::new();
    std::fs::write(directory.path().join("ca.crt"), authority.pem()).unwrap();
    let server = authority.server(&crate::tls::LOCAL_NAMES);
    let option = format!("--X-cert-dir={}", directory.path().display());
    check(
        Registry::builder().tls_with(server, authority.pem()),
        &[&option],
    );
}

#[test]
fn skopeo_lists_pages_of_tags() {
    let Some(skopeo) = Peer::find("skopeo") else {
        return;
    };
    for form in [LinkForm::Path, LinkForm::Absolute, LinkForm::Opaque] {
        let registry = Registry::builder().paging(Paging::of(2).link(form)).start();
        for tag in ["1", "2", "3", "4", "5"] {
            registry.publish("a", tag, &Image::with_text("a"));
        }
        let name = format!("docker://{}/a", registry.host());
        let process = skopeo
            .process()
            .args(["list-tags", "--tls-verify=false", &name]);
        let listed = process.run().unwrap().expect_success();
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        assert_eq!(listed["Tags"], serde_json::json!(["1", "2", "3", "4", "5"]));
    }
}

#[test]
fn skopeo_reads_the_archives() {
    let Some(skopeo) = Peer::find("skopeo") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let image = image();
    let archive = DockerArchive::new().image(&image, &["example.com/a:1"]);
    let forms = [
        ("flat", archive.clone()),
        ("gzip", archive.clone().layers(ArchiveLayers::Gzip)),
        ("directories", archive.clone().directories().repositories()),
        ("blobs", archive.clone().blobs()),
    ];
    let out = |name: &str| format!("dir:{}", directory.path().join(name).display());
    for (name, archive) in forms {
        let path = directory.path().join(format!("{name}.tar"));
        archive.write(&path).unwrap();
        copy(
            &skopeo,
            directory.path(),
            &[&format!("docker-archive:{}", path.display()), &out(name)],
        );
        let manifest = std::fs::read(directory.path().join(name).join("manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(
            manifest["config"]["digest"],
            image.config().digest().as_str(),
            "{name}"
        );
    }
    let path = directory.path().join("oci.tar");
    std::fs::write(&path, OciLayout::new().entry(&image, Some("1")).to_tar()).unwrap();
    copy(
        &skopeo,
        directory.path(),
        &[&format!("oci-archive:{}:1", path.display()), &out("oci")],
    );
    let manifest = std::fs::read(directory.path().join("oci/manifest.json")).unwrap();
    assert_eq!(crate::Digest::sha256(&manifest), image.digest());
}
