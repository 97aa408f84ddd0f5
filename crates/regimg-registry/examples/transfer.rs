//! Looks up, downloads or uploads, with the client as it comes.
//!
//! `cargo xtask bench registry` measures it; by hand it is
//! `cargo run --release --example transfer -- heads REPOSITORY TAG...`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people, and for the benchmark"
)]

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use regimg_core::{Algorithm, Descriptor, Digest, Hasher, Identifier, MediaType, Reference};
use regimg_registry::{BlobSource, Client, Config, Credential, RepositoryClient};

const USAGE: &str = "usage: transfer [--ca FILE] heads REPOSITORY TAG...
       look up each tag's digest
   or: transfer [--ca FILE] pull REPOSITORY DIRECTORY DIGEST:SIZE...
       download and verify each blob, into a file that is named by the digest's hex
   or: transfer [--ca FILE] push REPOSITORY FILE...
       hash each file, and upload it";

/// Files that are hashed or uploaded at one time.
const UPLOADS: usize = 4;

/// How much is read from a file at a time.
const PIECE: usize = 256 * 1024;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut config = Config::default();
    if let ["--ca", file, rest @ ..] = &arguments[..] {
        config.ca_certs.push(fs::read_to_string(file)?);
        arguments = rest.to_vec();
    }
    let client = Client::new(config, Credential::Anonymous)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    match arguments[..] {
        ["heads", name, ref tags @ ..] => runtime.block_on(heads(&open(&client, name)?, tags)),
        ["pull", name, directory, ref blobs @ ..] => {
            runtime.block_on(pull(&open(&client, name)?, Path::new(directory), blobs))
        }
        ["push", name, ref files @ ..] => runtime.block_on(push(&open(&client, name)?, files)),
        _ => {
            eprintln!("{USAGE}");
            std::process::exit(2);
        }
    }
}

fn open(client: &Client, name: &str) -> Outcome<RepositoryClient> {
    Ok(client.repository(Reference::parse(name)?.repository()))
}

async fn heads(repository: &RepositoryClient, tags: &[&str]) -> Outcome<()> {
    let identifiers = tags.iter().map(|tag| Identifier::parse(tag));
    let identifiers = identifiers.collect::<Result<Vec<_>, _>>()?;
    let mut digests = repository.digests(identifiers);
    while let Some((tag, digest)) = digests.next().await {
        digest?.ok_or_else(|| format!("there is no {tag}"))?;
    }
    println!("{} digests", tags.len());
    Ok(())
}

/// Downloads every blob in a task of its own; the client has as many wait as it must.
async fn pull(repository: &RepositoryClient, directory: &Path, blobs: &[&str]) -> Outcome<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for blob in blobs {
        let blob = described(blob)?;
        let path = directory.join(blob.digest.hex());
        let repository = repository.clone();
        tasks.spawn(async move { download(&repository, &blob, &path).await });
    }
    while let Some(finished) = tasks.join_next().await {
        finished??;
    }
    println!("{} blobs", blobs.len());
    Ok(())
}

fn described(blob: &str) -> Outcome<Descriptor> {
    let (digest, size) = blob.rsplit_once(':').ok_or("a blob is DIGEST:SIZE")?;
    let digest = Digest::parse(digest)?;
    Ok(Descriptor::new(MediaType::OCI_LAYER, digest, size.parse()?))
}

async fn download(repository: &RepositoryClient, blob: &Descriptor, path: &Path) -> Outcome<()> {
    let mut reader = repository.open_blob(blob).await?;
    let mut file = File::create(path)?;
    while let Some(piece) = reader.next().await? {
        // A piece is small, and goes no further than the system's cache.
        file.write_all(&piece)?;
    }
    Ok(())
}

async fn push(repository: &RepositoryClient, files: &[&str]) -> Outcome<()> {
    let mut uploads = stream::iter(files)
        .map(|file| {
            let (repository, path) = (repository.clone(), (*file).to_owned());
            tokio::spawn(async move { upload(&repository, path).await })
        })
        .buffer_unordered(UPLOADS);
    while let Some(finished) = uploads.next().await {
        finished??;
    }
    println!("{} files", files.len());
    Ok(())
}

async fn upload(repository: &RepositoryClient, path: String) -> Outcome<()> {
    let source = tokio::task::spawn_blocking(move || OnDisk::hashed(Path::new(&path))).await??;
    repository.push_blob(&source, &[]).await?;
    Ok(())
}

/// A file to upload.
struct OnDisk {
    descriptor: Descriptor,
    file: Arc<File>,
}

impl OnDisk {
    fn hashed(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let (mut buffer, mut size) = (vec![0; PIECE], 0);
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            size += count as u64;
        }
        Ok(Self {
            descriptor: Descriptor::new(MediaType::OCI_LAYER, hasher.finish(), size),
            file: Arc::new(file),
        })
    }
}

impl BlobSource for OnDisk {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn open(
        &self,
        offset: u64,
    ) -> BoxFuture<'_, io::Result<BoxStream<'static, io::Result<Bytes>>>> {
        let start = (Arc::clone(&self.file), offset);
        let pieces = stream::try_unfold(start, |(file, offset)| async move {
            let read = tokio::task::spawn_blocking(move || {
                piece(&file, offset).map(|piece| (piece, file))
            });
            let (piece, file) = read.await.map_err(io::Error::other)??;
            let end = offset + piece.len() as u64;
            Ok((!piece.is_empty()).then_some((piece, (file, end))))
        });
        Box::pin(std::future::ready(Ok(pieces.boxed())))
    }
}

fn piece(file: &File, offset: u64) -> io::Result<Bytes> {
    let mut buffer = vec![0; PIECE];
    let count = file.read_at(&mut buffer, offset)?;
    buffer.truncate(count);
    Ok(buffer.into())
}
