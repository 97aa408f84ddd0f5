//! A blob that is larger than any memory that the client may take.

use std::time::Duration;

use regimg_core::{Descriptor, Digest, MediaType, Repository};
use regimg_registry::{Client, Config, Credential};
use regimg_tests::process::peak_memory;
use regimg_tests::registry::{Fault, Match, Registry};
use regimg_tests::{Blob, Content, Process};

const SIZE: u64 = 2 << 30;

/// The memory that a process may have taken at its most, tests and all.
const MEMORY: u64 = 64 << 20;

/// Tells this test, run by itself once more, where to download what.
const ROLE: &str = "REGIMG_TEST_DOWNLOAD";

#[test]
fn two_gibibytes_take_little_memory() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the memory of a process of its own is measured, and that process is this test"
    )]
    let role = std::env::var(ROLE);
    if let Ok(role) = role {
        return download(&role);
    }
    let registry = Registry::start();
    let blob = Blob::new(MediaType::OCI_LAYER.as_str(), Content::repeated(SIZE));
    registry.put_blob("a/b", &blob);
    // Half of it comes after a cut.
    let first = Match::get("/v2/a/b/blobs/*").once();
    registry.fault(first, Fault::cut_at(SIZE / 2));
    let child = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "large::two_gibibytes_take_little_memory"])
        .arg("--nocapture")
        .env(ROLE, format!("{} {}", registry.host(), blob.digest()))
        .deadline(Duration::from_mins(5));
    let told = child.run().unwrap().expect_success();
    assert_eq!(registry.count("GET", "/v2/a/b/blobs/"), 2, "{told}");
    let peak = told
        .lines()
        .find_map(|line| line.split_once("peak: ")?.1.parse::<u64>().ok());
    let peak = peak.unwrap_or_else(|| panic!("{told}"));
    assert!(peak > 0 && peak < MEMORY, "{peak} bytes");
}

#[tokio::main(flavor = "current_thread")]
async fn download(role: &str) {
    let (host, digest) = role.split_once(' ').unwrap();
    let digest = Digest::parse(digest).unwrap();
    let descriptor = Descriptor::new(MediaType::OCI_LAYER, digest, SIZE);
    let client = Client::new(Config::default(), Credential::Anonymous).unwrap();
    let repository = Repository::parse(&format!("{host}/a/b")).unwrap();
    let repository = client.repository(&repository);
    let mut reader = repository.open_blob(&descriptor).await.unwrap();
    let mut length = 0;
    while let Some(piece) = reader.next().await.unwrap() {
        length += piece.len() as u64;
    }
    assert_eq!(length, SIZE);
    tell(&format!("peak: {}", peak_memory(std::process::id())));
}

#[expect(
    clippy::print_stdout,
    reason = "the process that has started this one reads it"
)]
fn tell(text: &str) {
    println!("{text}");
}
