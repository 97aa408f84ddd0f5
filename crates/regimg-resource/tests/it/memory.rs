//! How much memory `out` takes for an image that is larger.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use regimg_tests::Digest;
use regimg_tests::registry::{Fault, Match, Registry};

use crate::{PROGRAM, eventually, start, wait};

/// What the program may take, in KiB, and what the image has, in bytes.
const LIMIT: u64 = 64 * 1024;
const LAYER: u64 = 1 << 30;

/// Writes a docker archive whose one layer is nothing but zeros, which take no room.
fn write_archive(path: &Path) -> io::Result<()> {
    let diff_id = Digest::sha256_of(io::repeat(0).take(LAYER))?;
    let config = format!(r#"{{"rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}}}}"#);
    let manifest = r#"[{"Config":"config.json","RepoTags":null,"Layers":["layer.tar"]}]"#;
    let mut file = File::create(path)?;
    let mut archive = tar::Builder::new(&mut file);
    for (name, content) in [("config.json", &*config), ("manifest.json", manifest)] {
        let mut header = header(content.len() as u64);
        archive.append_data(&mut header, name, content.as_bytes())?;
    }
    archive.finish()?;
    drop(archive);
    let mut header = header(LAYER);
    header.set_path("layer.tar")?;
    header.set_cksum();
    // Instead of the blocks that the builder ended with.
    let end = file.metadata()?.len() - 1024;
    file.set_len(end)?;
    io::Seek::seek(&mut file, io::SeekFrom::End(0))?;
    file.write_all(header.as_bytes())?;
    file.set_len(end + 512 + LAYER)
}

fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header
}

/// Reads the most memory that a process has had, in KiB.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.unwrap().trim().trim_end_matches(" kB");
    number.parse().unwrap()
}

#[test]
fn an_archive_larger_than_the_memory_is_pushed() {
    let registry = Registry::start();
    // While it waits for this answer it has done everything.
    registry.fault(
        Match::put("/v2/app/manifests/1.0"),
        Fault::delay(Duration::from_secs(2)),
    );
    let directory = tempfile::tempdir().unwrap();
    write_archive(&directory.path().join("image.tar")).unwrap();
    let request = format!(
        r#"{{"source": {{"repository": "{}/app", "tag": "1.0"}}, "params": {{"image": "image.tar"}}}}"#,
        registry.host()
    );
    let mut command = Command::new(PROGRAM);
    let mut child = start(command.arg("out").arg(directory.path()), &request);
    eventually(|| registry.count("PUT", "/v2/app/manifests/") == 1);
    let peak = peak(child.id());
    assert!(wait(&mut child).success());
    assert!(peak < LIMIT, "{peak} KiB");
    assert!(registry.tag_digest("app", "1.0").is_some());
}
