//! Whether a file is what it is said to be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use aws_lc_rs::digest::{SHA256, SHA512, digest};

use super::certificate;
use super::document::{self, Document, Key, Keyring, Meta, Root, Signed, Unreadable};
use super::moment::Moment;
use crate::ErrorKind;

/// Certificates of which an error says why they do not count.
const MOST_REFUSED: usize = 4;

/// What is wrong with a file, as the end of a sentence that begins with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    Unreadable(Unreadable),
    /// Another document in its place.
    Kind(&'static str),
    Version,
    Date,
    Expired(String),
    /// The role's keys did not sign it often enough.
    Unsigned {
        wanted: i64,
        found: usize,
        /// Why certificates of the role do not count; the first few.
        refused: Vec<String>,
    },
    /// A key is not the one that its name is made of.
    Misnamed(String),
    Length {
        wanted: i64,
        found: usize,
    },
    Hash(&'static str),
    /// Something that it has to say is missing.
    Missing(String),
}

impl Flaw {
    pub(super) fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreadable(_) | Self::Kind(_) | Self::Version | Self::Date | Self::Missing(_) => {
                ErrorKind::Protocol
            }
            Self::Expired(_)
            | Self::Unsigned { .. }
            | Self::Misnamed(_)
            | Self::Length { .. }
            | Self::Hash(_) => ErrorKind::Digest,
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => why.fmt(f),
            Self::Kind(wanted) => write!(f, "is no document of type {wanted}"),
            Self::Version => f.write_str("has a version below 1"),
            Self::Date => f.write_str("does not say when it expires"),
            Self::Expired(when) => write!(f, "expired at {when}"),
            Self::Unsigned {
                wanted,
                found,
                refused,
            } => {
                write!(
                    f,
                    "has {found} good signatures by keys of its role, and needs {wanted}"
                )?;
                for why in refused {
                    write!(f, "; {why}")?;
                }
                Ok(())
            }
            Self::Misnamed(id) => write!(f, "names a key {id} that is another one"),
            Self::Length { wanted, found } => {
                write!(f, "has {found} bytes, and should have {wanted}")
            }
            Self::Hash(algorithm) => write!(f, "does not have the {algorithm} that vouches for it"),
            Self::Missing(what) => write!(f, "does not say {what}"),
        }
    }
}

impl From<Unreadable> for Flaw {
    fn from(why: Unreadable) -> Self {
        Self::Unreadable(why)
    }
}

/// A file that those who may have signed.
pub(super) struct Verified<T> {
    pub(super) document: T,
    /// When it expired, if it did.
    pub(super) expired: Option<String>,
}

impl<T> Verified<T> {
    pub(super) fn fresh(self) -> Result<T, Flaw> {
        match self.expired {
            None => Ok(self.document),
            Some(when) => Err(Flaw::Expired(when)),
        }
    }
}

/// The keys of a role, by the names they have in its documents.
#[derive(Clone, Debug)]
pub(super) struct Signers {
    keys: BTreeMap<String, Key>,
    threshold: i64,
    refused: Vec<String>,
}

impl Signers {
    pub(super) fn new(keyring: &Keyring, keys: &BTreeMap<String, Key>) -> Self {
        // A large key may be named many times.
        let ids: BTreeSet<&String> = keyring.ids().iter().collect();
        let known = ids.into_iter();
        let known = known.filter_map(|id| Some((id.clone(), keys.get(id)?.clone())));
        Self {
            keys: known.collect(),
            threshold: keyring.threshold,
            refused: Vec::new(),
        }
    }

    /// Returns how many have to sign.
    pub(super) fn threshold(&self) -> i64 {
        self.threshold
    }

    /// Returns the canonical IDs, by which people know the keys.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        let keys = self.keys.values();
        keys.filter_map(|key| Some(key.bare()?.id()))
    }

    /// Returns the name that the key with this canonical ID has here.
    pub(super) fn find(&self, canonical: &str) -> Option<&str> {
        let is_it = |key: &Key| key.bare().is_some_and(|key| key.id() == canonical);
        let mut keys = self.keys.iter();
        // A signature under another name than the key's own counts for nobody.
        let found = keys.find(|(id, key)| is_it(key) && key.id() == **id);
        found.map(|(id, _)| id.as_str())
    }

    /// Reads and verifies a file of this role.
    pub(super) fn verify<T: Document>(
        &self,
        file: &[u8],
        now: Moment,
    ) -> Result<Verified<T>, Flaw> {
        let signed: Signed<T> = document::read(file)?;
        self.accept(signed, now)
    }

    fn accept<T: Document>(&self, signed: Signed<T>, now: Moment) -> Result<Verified<T>, Flaw> {
        self.count(&signed)?;
        let document = signed.document;
        if document.kind() != T::KIND {
            return Err(Flaw::Kind(T::KIND));
        }
        if document.version() == 0 {
            return Err(Flaw::Version);
        }
        let end = Moment::parse(document.expires()).ok_or(Flaw::Date)?;
        let expired = (end < now).then(|| document.expires().to_owned());
        Ok(Verified { document, expired })
    }

    /// Counts the keys that signed, each once.
    fn count<T>(&self, signed: &Signed<T>) -> Result<(), Flaw> {
        let mut found = BTreeSet::new();
        for signature in &signed.signatures {
            let id = signature.keyid.as_str();
            let Some(key) = self.keys.get(id).filter(|_| !found.contains(id)) else {
                continue;
            };
            if key.id() != id {
                return Err(Flaw::Misnamed(crate::envelope::clean(id)));
            }
            if key.has_signed(&signed.canonical, signature) {
                found.insert(id);
            }
        }
        let is_enough = i64::try_from(found.len()).is_ok_and(|found| found >= self.threshold);
        if self.threshold >= 1 && is_enough {
            return Ok(());
        }
        Err(Flaw::Unsigned {
            wanted: self.threshold.max(1),
            found: found.len(),
            refused: self.refused.clone(),
        })
    }
}

impl Root {
    /// Verifies the file that says which keys are whose. Nothing vouches for it but the
    /// connection it came over, and certificates that are made out to the repository.
    pub(super) fn verify(file: &[u8], gun: &str, now: Moment) -> Result<Self, Flaw> {
        let signed: Signed<Self> = document::read(file)?;
        let mut signers = signed.document.signers("root")?;
        let mut refused = Vec::new();
        signers.keys.retain(|id, key| {
            let checked = if key.is_certificate() {
                certificate::check_root(key.public(), gun, now)
            } else {
                Err("is none".to_owned())
            };
            let why = checked
                .err()
                .map(|why| format!("the certificate {} {why}", short(id)));
            let is_good = why.is_none();
            refused.extend(why.filter(|_| refused.len() < MOST_REFUSED));
            is_good
        });
        signers.refused = refused;
        signers.accept(signed, now)?.fresh()
    }

    /// Returns the keys of one of the four roles.
    pub(super) fn signers(&self, role: &str) -> Result<Signers, Flaw> {
        let missing = || Flaw::Missing(format!("whose the role {role} is"));
        let keyring = self.roles.get(role).ok_or_else(missing)?;
        Ok(Signers::new(keyring, &self.keys))
    }
}

/// The beginning of a name that is too long to read.
pub(super) fn short(id: &str) -> String {
    crate::envelope::clean(&id.chars().take(12).collect::<String>())
}

impl Meta {
    /// Sees whether these bytes are meant.
    pub(super) fn check(&self, file: &[u8]) -> Result<(), Flaw> {
        if i64::try_from(file.len()) != Ok(self.length) {
            return Err(Flaw::Length {
                wanted: self.length,
                found: file.len(),
            });
        }
        let sha256 = self.hash("sha256");
        if sha256 != Some(digest(&SHA256, file).as_ref()) {
            return Err(Flaw::Hash("sha256"));
        }
        let sha512 = self.hash("sha512");
        if sha512.is_some_and(|hash| hash != digest(&SHA512, file).as_ref()) {
            return Err(Flaw::Hash("sha512"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::{Snapshot, Targets, Timestamp};
    use super::*;

    macro_rules! vector {
        ($name:literal) => {
            include_bytes!(concat!("../../tests/vectors/notary/", $name)).as_slice()
        };
    }

    /// The files of one repository, as a real server handed them out.
    struct Vectors {
        gun: &'static str,
        root: &'static [u8],
        timestamp: &'static [u8],
        snapshot: &'static [u8],
        targets: &'static [u8],
        delegations: &'static [(&'static str, &'static [u8])],
    }

    /// From a server with keys of ECDSA, and with delegations to a certificate; and from one with
    /// keys of Ed25519.
    const VECTORS: [Vectors; 2] = [
        Vectors {
            gun: "127.0.0.1:5000/lab/deleg",
            root: vector!("ecdsa-delegations/root.json"),
            timestamp: vector!("ecdsa-delegations/timestamp.json"),
            snapshot: vector!("ecdsa-delegations/snapshot.json"),
            targets: vector!("ecdsa-delegations/targets.json"),
            delegations: &[
                (
                    "targets/releases",
                    vector!("ecdsa-delegations/targets/releases.json"),
                ),
                (
                    "targets/jertel",
                    vector!("ecdsa-delegations/targets/jertel.json"),
                ),
            ],
        },
        Vectors {
            gun: "127.0.0.1:5000/lab/var-ok",
            root: vector!("ed25519/root.json"),
            timestamp: vector!("ed25519/timestamp.json"),
            snapshot: vector!("ed25519/snapshot.json"),
            targets: vector!("ed25519/targets.json"),
            delegations: &[],
        },
    ];

    fn at(when: &str) -> Moment {
        Moment::parse(when).unwrap()
    }

    fn now() -> Moment {
        at("2026-11-24T12:00:00Z")
    }

    /// Says whether a file is good.
    type Judge = Box<dyn Fn(&[u8]) -> Result<(), Flaw>>;

    impl Vectors {
        fn root(&self) -> Root {
            Root::verify(self.root, self.gun, now()).unwrap()
        }

        /// Whose signatures a file needs that is not the root.
        fn signers(&self, role: &str) -> Signers {
            let root = self.root();
            if !role.contains('/') {
                return root.signers(role).unwrap();
            }
            let signers = root.signers("targets").unwrap();
            let targets: Targets = signers.verify(self.targets, now()).unwrap().document;
            let roles = targets.delegations.roles.unwrap();
            let found = roles.iter().find(|child| child.name == role).unwrap();
            Signers::new(&found.keyring(), &targets.delegations.keys.unwrap())
        }

        fn files(&self) -> Vec<(&str, &[u8])> {
            let base = [
                ("root", self.root),
                ("timestamp", self.timestamp),
                ("snapshot", self.snapshot),
                ("targets", self.targets),
            ];
            let delegations = self.delegations.iter().copied();
            base.into_iter().chain(delegations).collect()
        }

        /// Makes what says whether a file of this name is good.
        fn judge(&self, name: &str) -> Judge {
            fn fresh<T: Document>(signers: Signers) -> Judge {
                Box::new(move |file| signers.verify::<T>(file, now())?.fresh().map(drop))
            }
            let gun = self.gun;
            match name {
                "root" => Box::new(move |file| Root::verify(file, gun, now()).map(drop)),
                "timestamp" => fresh::<Timestamp>(self.signers(name)),
                "snapshot" => fresh::<Snapshot>(self.signers(name)),
                name => fresh::<Targets>(self.signers(name)),
            }
        }
    }

    #[test]
    fn files_of_real_servers_are_good() {
        for vectors in VECTORS {
            for (name, file) in vectors.files() {
                assert_eq!(vectors.judge(name)(file), Ok(()), "{name}");
            }
            let signers = vectors.signers("snapshot");
            let snapshot: Snapshot = signers.verify(vectors.snapshot, now()).unwrap().document;
            for (name, file) in vectors.files() {
                if !matches!(name, "timestamp" | "snapshot") {
                    assert_eq!(snapshot.meta[name].check(file), Ok(()), "{name}");
                }
            }
            let signers = vectors.signers("timestamp");
            let timestamp: Timestamp = signers.verify(vectors.timestamp, now()).unwrap().document;
            let meta = &timestamp.meta["snapshot"];
            assert_eq!(meta.check(vectors.snapshot), Ok(()));
            let mut file = vectors.snapshot.to_vec();
            file[9] ^= 1;
            assert_eq!(meta.check(&file), Err(Flaw::Hash("sha256")));
            file.push(b' ');
            assert!(matches!(meta.check(&file), Err(Flaw::Length { .. })));
        }
    }

    #[test]
    fn files_of_real_servers_are_written_as_they_are_read() {
        fn check<T: Document>(file: &[u8]) {
            let signed = document::read::<T>(file).unwrap();
            let written = document::write(&signed.canonical, &signed.signatures).unwrap();
            assert_eq!(written, file);
        }
        for vectors in VECTORS {
            check::<Root>(vectors.root);
            check::<Timestamp>(vectors.timestamp);
            check::<Snapshot>(vectors.snapshot);
            check::<Targets>(vectors.targets);
            let delegations = vectors.delegations.iter();
            delegations.for_each(|(_, file)| check::<Targets>(file));
        }
    }

    /// Five bits of the eight: the sixth changes the case of a letter, which a method may.
    #[test]
    fn one_changed_bit_anywhere_is_noticed() {
        for vectors in VECTORS {
            for (name, file) in vectors.files() {
                let judge = vectors.judge(name);
                for position in 0..file.len() {
                    let mut file = file.to_vec();
                    file[position] ^= 1 << (position % 5);
                    assert!(judge(&file).is_err(), "a bit of byte {position} of {name}");
                }
            }
        }
    }

    #[test]
    fn files_end_when_they_say() {
        let [vectors, _] = &VECTORS;
        let signers = vectors.signers("timestamp");
        for (when, is_fresh) in [
            ("2026-12-07T12:00:00Z", true),
            ("2026-12-08T12:00:00Z", false),
        ] {
            let verified = signers.verify::<Timestamp>(vectors.timestamp, at(when));
            assert_eq!(verified.unwrap().fresh().is_ok(), is_fresh, "{when}");
        }
    }

    #[test]
    fn documents_of_another_kind_or_name_are_refused() {
        let [vectors, other] = &VECTORS;
        // The same fields, and another word for what they are.
        let outcome = vectors
            .signers("timestamp")
            .verify::<Snapshot>(vectors.timestamp, now());
        assert_eq!(outcome.err(), Some(Flaw::Kind("Snapshot")));
        for (gun, when, wanted) in [
            (other.gun, now(), "made out to \"127.0.0.1:5000/lab/deleg\""),
            (
                vectors.gun,
                at("2026-11-01T00:00:00Z"),
                "is valid from 2026",
            ),
            (vectors.gun, at("2037-11-01T00:00:00Z"), "expired at 2036"),
        ] {
            let outcome = Root::verify(vectors.root, gun, when).unwrap_err();
            let told = outcome.to_string();
            let start = "has 0 good signatures by keys of its role, and needs 1; the certificate ";
            assert!(told.starts_with(start) && told.contains(wanted), "{told}");
        }
    }

    #[test]
    fn errors_do_not_tell_of_every_certificate() {
        let [vectors, _] = &VECTORS;
        let mut root = vectors.root();
        let keys = (0..100).map(|number| Key::new("ecdsa", vec![number]));
        let keys: BTreeMap<String, Key> = keys.map(|key| (key.id(), key)).collect();
        let keyring = root.roles.get_mut("root").unwrap();
        keyring.keyids = Some(keys.keys().cloned().collect());
        root.keys.extend(keys);
        let canonical = super::super::canonical::to_vec(&root).unwrap();
        let file = document::write(&canonical, &[]).unwrap();
        let told = Root::verify(&file, vectors.gun, now()).unwrap_err();
        assert_eq!(told.to_string().matches("is none").count(), MOST_REFUSED);
    }

    #[test]
    fn one_signature_counts_once_and_none_is_never_enough() {
        let [vectors, _] = &VECTORS;
        let mut signers = vectors.signers("targets");
        let mut signed: Signed<Targets> = document::read(vectors.targets).unwrap();
        let unsigned = |wanted, found| {
            let refused = Vec::new();
            Err(Flaw::Unsigned {
                wanted,
                found,
                refused,
            })
        };
        signers.threshold = 2;
        signed.signatures.push(signed.signatures[0].clone());
        assert_eq!(signers.count(&signed), unsigned(2, 1));
        // A stranger's signature is not looked at, but a key under a wrong name is an error.
        let nobody = "0".repeat(64);
        signed.signatures[1].keyid.clone_from(&nobody);
        assert_eq!(signers.count(&signed), unsigned(2, 1));
        let key = signers.keys.values().next().unwrap().clone();
        signers.keys.insert(nobody.clone(), key);
        assert_eq!(signers.count(&signed), Err(Flaw::Misnamed(nobody)));
        signers.threshold = 0;
        signed.signatures.clear();
        assert_eq!(signers.count(&signed), unsigned(1, 0));
    }
}
