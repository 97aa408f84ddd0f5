//! A signer, for the tests of the server alone.

use serde_json::{Value, json};

use super::document::{Delegations, File, Signed, Targets, targets};
use super::key::{Key, id, of_certificate};
use crate::Digest;

/// Signs one more tag after the current document of a role, by every name of the key.
pub(crate) fn update(
    current: Option<&[u8]>,
    key: &Key,
    tag: &str,
    digest: &Digest,
    length: u64,
) -> Vec<u8> {
    let current = current.and_then(Signed::parse);
    let current: Option<Targets> = current.and_then(|signed| signed.read());
    let (version, delegations, mut of_role) = match current {
        Some(current) => (
            current.version,
            current.delegations,
            current.files.unwrap_or_default(),
        ),
        None => (0, Delegations::none(), std::collections::BTreeMap::new()),
    };
    of_role.insert(tag.to_owned(), File::of_target(digest, length));
    let expires = "2096-01-02T03:04:05Z";
    sign(targets(version + 1, expires, &delegations, &of_role), key)
}

fn sign(signed: Value, key: &Key) -> Vec<u8> {
    let names = [key.id(), id(&of_certificate(key.signer_certificate()))];
    let keys = names.map(|name| (name, key.clone()));
    Signed::new(signed, &keys).bytes()
}

/// Signs a document as it stands.
pub(crate) fn signed_raw(signed: &Value, key: &Key) -> String {
    let bytes = sign(json!(signed), key);
    String::from_utf8(bytes).expect("it is text")
}
