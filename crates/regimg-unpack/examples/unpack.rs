//! Unpacks an image from an OCI layout, as a whole or one half of the work alone.
//!
//! `cargo xtask bench unpack` measures it; by hand it is
//! `cargo run --release --example unpack -- apply LAYOUT DIRECTORY`.
#![expect(
    clippy::disallowed_methods,
    reason = "the image and the directory are the caller's own"
)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people, and for xtask"
)]

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use regimg_unpack::{Options, Root, apply, apply_all};

const USAGE: &str = "usage: unpack apply LAYOUT DIRECTORY   unpack every layer
       unpack write LAYOUT DIRECTORY   unpack on one thread; the layers had better not be compressed
       unpack decompress LAYOUT        decompress every layer, and keep nothing
       unpack layers LAYOUT            list the layers' files, the lowest first";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["apply", layout, directory] => {
            let layers = layers(Path::new(layout))?.into_iter().map(Lazy::Unopened);
            let outcome = apply_all(
                layers.collect::<Vec<_>>(),
                &Root::open(directory)?,
                &Options::default(),
                &mut (),
            )?;
            println!("{} entries, {} bytes", outcome.entries, outcome.bytes);
        }
        ["write", layout, directory] => {
            let root = Root::open(directory)?;
            for layer in layers(Path::new(layout))? {
                apply(File::open(layer)?, &root, &Options::default(), &mut ())?;
            }
        }
        ["decompress", layout] => {
            for layer in layers(Path::new(layout))? {
                decompress(&layer)?;
            }
        }
        ["layers", layout] => {
            for layer in layers(Path::new(layout))? {
                println!("{}", layer.display());
            }
        }
        _ => {
            eprintln!("{USAGE}");
            std::process::exit(2);
        }
    }
    Ok(())
}

/// Finds the files of a layout's first image's layers; or those of a directory without an
/// index, in the order of their names.
fn layers(layout: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let Ok(index) = fs::read(layout.join("index.json")) else {
        let entries = fs::read_dir(layout)?.map(|entry| entry.map(|entry| entry.path()));
        let mut files = entries.collect::<io::Result<Vec<_>>>()?;
        files.sort();
        return Ok(files);
    };
    let blob = |descriptor: &serde_json::Value| -> Result<PathBuf, Box<dyn Error>> {
        let digest = descriptor["digest"]
            .as_str()
            .ok_or("a descriptor without a digest")?;
        Ok(layout.join("blobs").join(digest.replace(':', "/")))
    };
    let index: serde_json::Value = serde_json::from_slice(&index)?;
    let manifest = fs::read(blob(&index["manifests"][0])?)?;
    let manifest: serde_json::Value = serde_json::from_slice(&manifest)?;
    let layers = manifest["layers"]
        .as_array()
        .ok_or("a manifest without layers")?;
    layers.iter().map(blob).collect()
}

/// A file that is opened when it is first read, so that a hundred layers take one
/// descriptor.
enum Lazy {
    Unopened(PathBuf),
    Open(File),
}

impl Read for Lazy {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Self::Unopened(path) = self {
            *self = Self::Open(File::open(path)?);
        }
        match self {
            Self::Open(file) => file.read(buffer),
            Self::Unopened(_) => Ok(0),
        }
    }
}

fn decompress(layer: &Path) -> io::Result<()> {
    let mut magic = [0; 2];
    File::open(layer)?.read_exact(&mut magic)?;
    let file = BufReader::with_capacity(256 * 1024, File::open(layer)?);
    let mut reader: Box<dyn Read> = match magic {
        [0x1f, 0x8b] => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        [0x28, 0xb5] => Box::new(zstd::Decoder::with_buffer(file)?),
        _ => Box::new(file),
    };
    let mut buffer = vec![0; 256 * 1024];
    while reader.read(&mut buffer)? > 0 {}
    Ok(())
}
