//! The parsers of what servers hand out, for fuzzing.

use std::time::SystemTime;

use super::document::{self, Document, Root, Snapshot, Targets, Timestamp};
use super::moment::Moment;
use super::{canonical, certificate};

pub(crate) fn document(file: &[u8]) -> Vec<&'static str> {
    let kinds = [
        kind::<Root>(file),
        kind::<Targets>(file),
        kind::<Snapshot>(file),
        kind::<Timestamp>(file),
    ];
    kinds.into_iter().flatten().collect()
}

fn kind<T: Document>(file: &[u8]) -> Option<&'static str> {
    let read = document::read::<T>(file).ok()?;
    // Signatures of others are never written, and may hold what cannot be.
    let written = document::write(&read.canonical, &[]);
    let written = written.expect("no signatures can be written");
    let again = document::read::<T>(&written).expect("what was written can be read");
    assert_eq!(again.canonical, read.canonical);
    let canonical = canonical::to_vec(&again.document);
    assert_eq!(canonical.ok(), Some(read.canonical));
    if let Some(end) = Moment::parse(read.document.expires()) {
        Moment::parse(&end.text());
    }
    Some(T::KIND)
}

pub(crate) fn root_certificate(pem: &[u8], gun: &str, today: SystemTime) -> bool {
    let _ = certificate::public_key(pem);
    certificate::check_root(pem, gun, Moment::of(today)).is_ok()
}
