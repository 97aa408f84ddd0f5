//! A root with canaries around it, for the targets that unpack.

#![allow(dead_code, reason = "each target uses its part")]

use std::fs;
use std::io::Cursor;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use regimg_unpack::{Options, Root, apply_all};

/// Applies layers, each with limits that keep a run short, and compares what is outside.
pub fn apply(layers: &[Vec<u8>], walks: bool) {
    let directory = tempfile::tempdir().expect("there is room");
    let path = directory.path();
    for name in ["root", "outside", "outside/dir"] {
        fs::create_dir(path.join(name)).expect("the sandbox is new");
    }
    fs::write(path.join("outside/file"), "canary").expect("the sandbox is new");
    let before = surroundings(path);
    let root = Root::open(path.join("root")).expect("the root is there");
    let root = if walks { root.without_openat2() } else { root };
    let mut options = Options::default();
    options.limits.entries = 2000;
    options.limits.name = 2000;
    options.limits.bytes = 8 << 20;
    let readers: Vec<_> = layers.iter().cloned().map(Cursor::new).collect();
    let outcome = apply_all(readers, &root, &options, &mut ());
    if let Err(error) = outcome {
        let text = error.to_string();
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    assert_eq!(surroundings(path), before);
    root.clear().expect("what was made can be removed");
    assert_eq!(fs::read_dir(path.join("root")).expect("the root stays").count(), 0);
}

/// What is outside the root, with everything that a change of it would change.
fn surroundings(path: &Path) -> Vec<String> {
    let mut names: Vec<_> = ["", "outside", "outside/dir"]
        .iter()
        .flat_map(|name| fs::read_dir(path.join(name)).expect("the sandbox stays"))
        .map(|entry| entry.expect("the sandbox can be read").path())
        .collect();
    names.sort();
    let describe = |name: &std::path::PathBuf| {
        let metadata = fs::symlink_metadata(name).expect("it was listed");
        let is_root = name.ends_with("root");
        // The root itself may change in all but its place.
        let changes = (metadata.mode(), metadata.uid(), metadata.ctime(), metadata.ctime_nsec(), metadata.len(), metadata.nlink());
        let changes = if is_root { String::new() } else { format!("{changes:?}") };
        format!("{} {} {changes}", name.display(), metadata.ino())
    };
    names.iter().map(describe).collect()
}

/// A header of a kind, a name, a target and a size.
pub fn header((kind, name, target): (u8, &str, &str), size: usize) -> Vec<u8> {
    let mut block = [0; 512];
    let put = |block: &mut [u8; 512], at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(&mut block, 0, name.as_bytes());
    put(&mut block, 100, b"0000755");
    put(&mut block, 108, b"0000000");
    put(&mut block, 116, b"0000000");
    put(&mut block, 124, format!("{size:011o}").as_bytes());
    put(&mut block, 136, b"00000000000");
    block[156] = kind;
    put(&mut block, 157, target.as_bytes());
    let magic: &[u8] = if kind == b'S' { b"ustar  \0" } else { b"ustar\x0000" };
    put(&mut block, 257, magic);
    if kind == b'S' {
        put(&mut block, 386, format!("{:011o}\0{size:011o}\0", 512).as_bytes());
        put(&mut block, 483, format!("{:011o}\0", 512 + size).as_bytes());
    }
    summed(&block)
}

/// A block with the sum that a header of these bytes has.
pub fn summed(block: &[u8]) -> Vec<u8> {
    let mut block = block.to_vec();
    if block.len() == 512 && block.iter().any(|&byte| byte != 0) {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    block
}
