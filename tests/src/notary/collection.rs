//! The trust data of one name, as a server keeps them.
//!
//! What notary-server 0.7 does is followed where clients can tell: it stores the bytes that it is sent, but
//! the snapshot that it makes has the hash of what it would have written itself.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::document::{Delegations, File, Signed, Targets};
use super::key::{self, Key};
use super::owner::{First, Owner, end};
use crate::Digest;

/// What a client reads that verifies everything: the targets of each role, by their names, with the
/// SHA-256 in hexadecimal digits and the length.
pub type Trusted = BTreeMap<String, BTreeMap<String, (String, u64)>>;

/// The trust data of one name, and the keys that the server has for them.
#[derive(Debug)]
pub(crate) struct Collection {
    /// Every document that was ever current, by role, the current one last.
    documents: BTreeMap<String, Vec<Bytes>>,
    /// What the snapshot says of the others.
    described: BTreeMap<String, File>,
    root: Value,
    snapshot_keys: Keys,
    timestamp: Key,
    version: u64,
    expired: BTreeSet<String>,
}

/// The key of the snapshot, and who has it.
#[derive(Debug)]
enum Keys {
    Server(Key),
    Owner,
}

/// Why an update is not taken: `code`, and the name and message of its details.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// `INVALID_UPDATE`, with the kind and the message of its details.
    Invalid(&'static str, String),
    /// Another one was faster.
    Version,
    Role,
    Json,
}

/// The part of any document that is asked for its version.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

impl Collection {
    /// Takes over what the owner sends to a server for the first time.
    pub(crate) fn new(owner: &Owner) -> Self {
        let (snapshot, timestamp) = (Key::new(), Key::of_server());
        let First {
            root,
            targets,
            snapshot: own,
            expired,
        } = owner.first(&snapshot.public(), &timestamp.public());
        let mut collection = Self {
            documents: BTreeMap::new(),
            described: BTreeMap::new(),
            root: root.signed.clone(),
            snapshot_keys: Keys::Server(own.clone().unwrap_or(snapshot)),
            timestamp,
            version: 0,
            expired,
        };
        for (role, signed) in [("root".to_owned(), root)].into_iter().chain(targets) {
            let bytes = Bytes::from(signed.bytes());
            collection.keep(&role, bytes.clone(), &bytes);
        }
        collection.summarize();
        if own.is_some() {
            collection.snapshot_keys = Keys::Owner;
        }
        collection
    }

    /// Finds `ROLE`, `ROLE.SHA256` or `VERSION.ROLE`.
    pub(crate) fn document(&self, name: &str) -> Option<Bytes> {
        if let Some(current) = self.current(name) {
            return Some(current.clone());
        }
        let (first, rest) = name.split_once('.')?;
        if let Ok(version) = first.parse::<usize>() {
            return self
                .documents
                .get(rest)?
                .get(version.checked_sub(1)?)
                .cloned();
        }
        let mut of_role = self.documents.get(first)?.iter();
        let found = of_role.find(|bytes| Digest::sha256(bytes).hex() == rest);
        found.cloned()
    }

    /// Takes an update: all of it or nothing.
    pub(crate) fn update(&mut self, parts: &[(String, Bytes)]) -> Result<(), Refusal> {
        let mut sent = BTreeMap::new();
        for (role, bytes) in parts {
            if role != "targets" && !role.starts_with("targets/") {
                return Err(Refusal::Role);
            }
            let signed = Signed::parse(bytes).ok_or(Refusal::Json)?;
            sent.insert(role.as_str(), (signed, bytes));
        }
        for (role, (signed, _)) in &sent {
            self.validate(role, signed, &sent)?;
        }
        if matches!(self.snapshot_keys, Keys::Owner) {
            let message = "no snapshot was included in update and server does not hold current snapshot key for repository";
            return Err(Refusal::Invalid("ErrBadHierarchy", message.to_owned()));
        }
        for (role, (signed, _)) in &sent {
            if version(signed) <= self.version_of(role) {
                return Err(Refusal::Version);
            }
        }
        for (role, (signed, bytes)) in sent {
            let rewritten = signed.rewritten().ok_or(Refusal::Json)?;
            self.keep(role, bytes.clone(), &rewritten);
        }
        self.summarize();
        Ok(())
    }

    fn validate(
        &self,
        role: &str,
        signed: &Signed,
        sent: &BTreeMap<&str, (Signed, &Bytes)>,
    ) -> Result<(), Refusal> {
        let bad = |message: String| Err(Refusal::Invalid("ErrBadTargets", message));
        if signed.read::<Targets>().is_none() {
            return bad(format!("{role} is malformed"));
        }
        let is_signed = match parent(role) {
            None => self.is_signed(role, signed),
            Some(parent) => {
                let above = match sent.get(parent) {
                    Some((signed, _)) => Some(signed.clone()),
                    None => self.current(parent).and_then(|bytes| Signed::parse(bytes)),
                };
                let above = above.and_then(|above| above.read::<Targets>());
                let Some(above) = above.filter(|above| above.delegations.role(role).is_some())
                else {
                    let message = "delegation does not exist";
                    return bad(format!("tuf: invalid role {role}. {message}"));
                };
                is_delegated(&above.delegations, role, signed)
            }
        };
        if is_signed {
            return Ok(());
        }
        bad(format!(
            "valid signatures did not meet threshold for {role}"
        ))
    }

    /// Keeps a document; what the snapshot says of it is true of `written`.
    fn keep(&mut self, role: &str, bytes: Bytes, written: &[u8]) {
        self.described.insert(role.to_owned(), File::of(written));
        let of_role = self.documents.entry(role.to_owned()).or_default();
        of_role.push(bytes);
    }

    /// Makes the next snapshot, and the timestamp above it.
    fn summarize(&mut self) {
        self.version += 1;
        let Keys::Server(key) = &self.snapshot_keys else {
            return;
        };
        let snapshot = self.sign("snapshot", &json!(self.described), key);
        let above = json!({"snapshot": File::of(&snapshot)});
        let timestamp = self.sign("timestamp", &above, &self.timestamp);
        for (role, bytes) in [("snapshot", snapshot), ("timestamp", timestamp)] {
            let of_role = self.documents.entry(role.to_owned()).or_default();
            of_role.push(bytes);
        }
    }

    fn sign(&self, role: &str, meta: &Value, key: &Key) -> Bytes {
        let kind = if role == "snapshot" {
            "Snapshot"
        } else {
            "Timestamp"
        };
        let signed = json!({
            "_type": kind,
            "expires": end(&self.expired, role),
            "meta": meta,
            "version": self.version,
        });
        let key = (key::id(&key.public()), key.clone());
        Signed::new(signed, &[key]).bytes().into()
    }

    fn current(&self, role: &str) -> Option<&Bytes> {
        self.documents.get(role)?.last()
    }

    fn version_of(&self, role: &str) -> u64 {
        let signed = self.current(role).and_then(|bytes| Signed::parse(bytes));
        signed.map_or(0, |signed| version(&signed))
    }

    /// Reads everything as a client does that sees it for the first time.
    ///
    /// # Errors
    /// The document that is missing, is another one, or is not signed as it should be.
    pub(crate) fn read(&self) -> Result<Trusted, String> {
        let root = self.verified("root", None)?;
        let timestamp = self.verified("timestamp", None)?;
        let snapshot = self.verified("snapshot", meta(&timestamp, "snapshot"))?;
        let described = meta(&snapshot, "root").ok_or("the root is not in the snapshot")?;
        if !described.is(&root.bytes()) {
            return Err("the root is not that of the snapshot".to_owned());
        }
        let mut trusted = Trusted::new();
        self.read_role("targets", &snapshot, None, &mut trusted)?;
        Ok(trusted)
    }

    fn read_role(
        &self,
        role: &str,
        snapshot: &Signed,
        above: Option<&Delegations>,
        trusted: &mut Trusted,
    ) -> Result<(), String> {
        let Some(described) = meta(snapshot, role) else {
            // A delegation may have nothing yet.
            return above.map_or_else(|| Err("no targets".to_owned()), |_| Ok(()));
        };
        let signed = match above {
            None => self.verified(role, Some(described))?,
            Some(above) => {
                let signed = self.described(role, &described)?;
                if !is_delegated(above, role, &signed) {
                    return Err(format!("{role} is not signed"));
                }
                signed
            }
        };
        let targets: Targets = signed.read().ok_or(format!("{role} is malformed"))?;
        let facts = |(name, file): (String, File)| Some((name, file.facts()?));
        let of_role = targets.files.unwrap_or_default().into_iter();
        trusted.insert(role.to_owned(), of_role.filter_map(facts).collect());
        for delegation in targets.delegations.roles.iter().flatten() {
            let (name, above) = (&delegation.name, Some(&targets.delegations));
            self.read_role(name, snapshot, above, trusted)?;
        }
        Ok(())
    }

    /// Finds the document that is described, or the current one, signed by a role of the root.
    fn verified(&self, role: &str, described: Option<File>) -> Result<Signed, String> {
        let signed = if let Some(described) = described {
            self.described(role, &described)?
        } else {
            let bytes = self.current(role).ok_or(format!("no {role}"))?;
            Signed::parse(bytes).ok_or(format!("{role} is malformed"))?
        };
        if self.is_signed(role, &signed) {
            return Ok(signed);
        }
        Err(format!("{role} is not signed"))
    }

    fn described(&self, role: &str, described: &File) -> Result<Signed, String> {
        let (hash, _) = described.facts().ok_or(format!("{role} has no hash"))?;
        let bytes = self.document(&format!("{role}.{hash}"));
        let bytes = bytes.filter(|bytes| described.is(bytes));
        let bytes = bytes.ok_or(format!("{role}.{hash} trust data unavailable"))?;
        Signed::parse(&bytes).ok_or(format!("{role} is malformed"))
    }

    fn is_signed(&self, role: &str, signed: &Signed) -> bool {
        let role = &self.root["roles"][role];
        let ids = role["keyids"].as_array().into_iter().flatten();
        let ids: Vec<&str> = ids.filter_map(Value::as_str).collect();
        let keys = self.root["keys"].as_object().into_iter().flatten();
        let keys = keys.filter(|(id, _)| ids.contains(&id.as_str()));
        signed.is_signed_by(keys, 1)
    }
}

fn meta(signed: &Signed, role: &str) -> Option<File> {
    serde_json::from_value(signed.signed["meta"][role].clone()).ok()
}

fn version(signed: &Signed) -> u64 {
    signed.read().map_or(0, |Versioned { version }| version)
}

/// The role that delegates to this one; none of the targets themselves.
fn parent(role: &str) -> Option<&str> {
    role.rsplit_once('/').map(|(parent, _)| parent)
}

fn is_delegated(above: &Delegations, role: &str, signed: &Signed) -> bool {
    above.role(role).is_some_and(|delegation| {
        let keys = above.keys.iter().flatten();
        let keys = keys.filter(|(id, _)| delegation.keyids.contains(id));
        signed.is_signed_by(keys, delegation.threshold)
    })
}
