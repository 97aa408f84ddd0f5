//! Who sets a collection of trust data up: makes its keys and signs its first documents.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::document::{self, Delegation, Delegations, File, Signed};
use super::key::{self, Key};
use crate::Digest;

/// When everything ends that no test wants to have ended.
const LATER: &str = "2096-01-02T03:04:05.678Z";
/// A time that is over.
const OVER: &str = "2020-01-02T03:04:05.678Z";

/// The owner of trust data for one name, who has the root key.
///
/// The rest is up to the test: which key signs targets, to whom that is delegated, what goes wrong.
///
/// ```
/// use regimg_tests::notary::{Key, Owner};
/// use regimg_tests::registry::Registry;
///
/// let (registry, key) = (Registry::start(), Key::new());
/// let name = format!("{}/app", registry.host());
/// registry.entrust(&Owner::new(&name).delegation("targets/releases", &key, &[""]));
/// assert!(registry.trusted(&name).unwrap()["targets"].is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Owner {
    pub(crate) name: String,
    certificate_name: String,
    root: Key,
    targets: Key,
    snapshot: Option<Key>,
    delegations: Vec<Delegated>,
    signed: BTreeMap<String, BTreeMap<String, File>>,
    expired: BTreeSet<String>,
}

#[derive(Clone, Debug)]
struct Delegated {
    name: String,
    key: Key,
    paths: Vec<String>,
}

impl Delegated {
    fn public(&self) -> Value {
        key::of_certificate(self.key.signer_certificate())
    }
}

/// What an owner hands to a server, the snapshot aside.
pub(super) struct First {
    pub(super) root: Signed,
    /// The targets, and the delegations that have signed something.
    pub(super) targets: BTreeMap<String, Signed>,
    /// The snapshot's key when the server does not keep it.
    pub(super) snapshot: Option<Key>,
    pub(super) expired: BTreeSet<String>,
}

impl Owner {
    /// Sets up `name`, which is `host/repository`, with keys that nobody else has, and lets the
    /// server keep the key of the snapshot.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            certificate_name: name.to_owned(),
            root: Key::new(),
            targets: Key::new(),
            snapshot: None,
            delegations: Vec::new(),
            signed: BTreeMap::new(),
            expired: BTreeSet::new(),
        }
    }

    /// Signs targets with this key.
    #[must_use]
    pub fn targets(mut self, key: &Key) -> Self {
        self.targets = key.clone();
        self
    }

    /// Lets the key sign names that begin with one of `paths` in the role `name`, `targets/...`.
    ///
    /// The delegation names the key by a certificate, as it does when the `notary` program makes it.
    #[must_use]
    pub fn delegation(mut self, name: &str, key: &Key, paths: &[&str]) -> Self {
        self.delegations.push(Delegated {
            name: name.to_owned(),
            key: key.clone(),
            paths: paths.iter().map(|&path| path.to_owned()).collect(),
        });
        self
    }

    /// Has signed this image under the tag, in `targets` or in a delegation.
    #[must_use]
    pub fn signed(mut self, role: &str, tag: &str, digest: &Digest, length: u64) -> Self {
        let target = File::of_target(digest, length);
        let of_role = self.signed.entry(role.to_owned()).or_default();
        of_role.insert(tag.to_owned(), target);
        self
    }

    /// Keeps the key of the snapshot, as `notary init` does, so that nobody else can publish.
    #[must_use]
    pub fn keeping_the_snapshot_key(mut self) -> Self {
        self.snapshot = Some(Key::new());
        self
    }

    /// Puts another name into the root certificate than its own.
    #[must_use]
    pub fn certified_for(mut self, name: &str) -> Self {
        name.clone_into(&mut self.certificate_name);
        self
    }

    /// Lets a document be over: `root`, `targets`, a delegation, `snapshot` or `timestamp`.
    #[must_use]
    pub fn expired(mut self, role: &str) -> Self {
        self.expired.insert(role.to_owned());
        if role.starts_with("targets/") {
            self.signed.entry(role.to_owned()).or_default();
        }
        self
    }

    /// Makes the documents for a server that keeps these public keys.
    pub(super) fn first(&self, snapshot: &Value, timestamp: &Value) -> First {
        let own = self.snapshot.as_ref().map(Key::public);
        let root = self.root(own.as_ref().unwrap_or(snapshot), timestamp);
        let mut targets: BTreeMap<String, Signed> = self
            .delegations
            .iter()
            .filter(|delegated| self.signed.contains_key(&delegated.name))
            .map(|delegated| {
                let id = key::id(&delegated.public());
                let signed = self.document(&delegated.name, &Delegations::none());
                let signed = Signed::new(signed, &[(id, delegated.key.clone())]);
                (delegated.name.clone(), signed)
            })
            .collect();
        let signed = self.document("targets", &self.delegations());
        let signed = Signed::new(signed, &[(self.targets.id(), self.targets.clone())]);
        targets.insert("targets".to_owned(), signed);
        First {
            root,
            targets,
            snapshot: self.snapshot.clone(),
            expired: self.expired.clone(),
        }
    }

    fn document(&self, role: &str, delegations: &Delegations) -> Value {
        let none = BTreeMap::new();
        let targets = self.signed.get(role).unwrap_or(&none);
        document::targets(1, self.end_of(role), delegations, targets)
    }

    fn delegations(&self) -> Delegations {
        let mut delegations = Delegations::none();
        for delegated in &self.delegations {
            let public = delegated.public();
            let id = key::id(&public);
            delegations.roles.get_or_insert_default().push(Delegation {
                keyids: vec![id.clone()],
                name: delegated.name.clone(),
                paths: delegated.paths.clone(),
                threshold: 1,
            });
            let keys = delegations.keys.get_or_insert_default();
            keys.insert(id, public);
        }
        delegations
    }

    fn root(&self, snapshot: &Value, timestamp: &Value) -> Signed {
        let certificate = key::of_certificate(&self.root.certificate(&self.certificate_name));
        let roles = [
            ("root", certificate.clone()),
            ("snapshot", snapshot.clone()),
            ("targets", self.targets.public()),
            ("timestamp", timestamp.clone()),
        ];
        let ids = roles.clone().map(|(role, public)| {
            let entry = json!({"keyids": [key::id(&public)], "threshold": 1});
            (role.to_owned(), entry)
        });
        let keys = roles.map(|(_, public)| (key::id(&public), public));
        let signed = json!({
            "_type": "Root",
            "consistent_snapshot": false,
            "expires": self.end_of("root"),
            "keys": BTreeMap::from(keys),
            "roles": BTreeMap::from(ids),
            "version": 1,
        });
        Signed::new(signed, &[(key::id(&certificate), self.root.clone())])
    }

    fn end_of(&self, role: &str) -> &'static str {
        end(&self.expired, role)
    }
}

/// When a document of the role ends.
pub(super) fn end(expired: &BTreeSet<String>, role: &str) -> &'static str {
    if expired.contains(role) { OVER } else { LATER }
}
