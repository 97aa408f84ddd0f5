//! What the registry holds.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use crate::content::Spool;
use crate::{Content, Digest};

#[derive(Debug, Default)]
pub(super) struct Store {
    repositories: BTreeMap<String, Repository>,
    blobs: HashMap<Digest, Content>,
    uploads: HashMap<String, Upload>,
    next_upload: u64,
}

#[derive(Debug, Default)]
struct Repository {
    tags: Tags,
    manifests: BTreeMap<Digest, StoredManifest>,
    blobs: BTreeSet<Digest>,
}

/// Tags in the order in which they were first pushed, found by name without a search.
#[derive(Debug, Default)]
pub(super) struct Tags {
    list: Vec<(String, Digest)>,
    places: HashMap<String, usize>,
}

impl Tags {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.list.iter().map(|(name, _)| name.as_str())
    }

    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }

    fn get(&self, name: &str) -> Option<&Digest> {
        self.place(name).map(|at| &self.list[at].1)
    }

    fn set(&mut self, name: &str, digest: Digest) {
        if let Some(at) = self.place(name) {
            self.list[at].1 = digest;
        } else {
            self.places.insert(name.to_owned(), self.list.len());
            self.list.push((name.to_owned(), digest));
        }
    }

    /// Keeps what `keep` wants; says whether anything went.
    fn retain(&mut self, keep: impl Fn(&str, &Digest) -> bool) -> bool {
        let before = self.list.len();
        self.list.retain(|(name, digest)| keep(name, digest));
        let places = self
            .list
            .iter()
            .enumerate()
            .map(|(at, (name, _))| (name.clone(), at));
        self.places = places.collect();
        self.list.len() < before
    }
}

#[derive(Clone, Debug)]
pub(super) struct StoredManifest {
    pub(super) media_type: String,
    pub(super) bytes: Bytes,
}

#[derive(Debug)]
pub(super) struct Upload {
    pub(super) repository: String,
    pub(super) spool: Spool,
}

impl Store {
    pub(super) fn has_repository(&self, name: &str) -> bool {
        self.repositories.contains_key(name)
    }

    pub(super) fn add_repository(&mut self, name: &str) {
        self.repositories.entry(name.to_owned()).or_default();
    }

    pub(super) fn tags(&self, repository: &str) -> Option<&Tags> {
        self.repositories
            .get(repository)
            .map(|repository| &repository.tags)
    }

    pub(super) fn tag_digest(&self, repository: &str, tag: &str) -> Option<&Digest> {
        self.tags(repository)?.get(tag)
    }

    /// Points `tag` at `digest`; a new tag goes to the end of the list.
    pub(super) fn set_tag(&mut self, repository: &str, tag: &str, digest: Digest) {
        let repository = self.repositories.entry(repository.to_owned()).or_default();
        repository.tags.set(tag, digest);
    }

    pub(super) fn remove_tag(&mut self, repository: &str, tag: &str) -> bool {
        let repository = self.repositories.get_mut(repository);
        repository.is_some_and(|repository| repository.tags.retain(|name, _| name != tag))
    }

    /// Finds a manifest by tag or digest.
    pub(super) fn manifest(
        &self,
        repository: &str,
        reference: &str,
    ) -> Option<(Digest, StoredManifest)> {
        let digest = match Digest::parse(reference) {
            Some(digest) => digest,
            None => self.tag_digest(repository, reference)?.clone(),
        };
        let manifest = self
            .repositories
            .get(repository)?
            .manifests
            .get(&digest)?
            .clone();
        Some((digest, manifest))
    }

    pub(super) fn manifests(
        &self,
        repository: &str,
    ) -> impl Iterator<Item = (&Digest, &StoredManifest)> {
        self.repositories
            .get(repository)
            .into_iter()
            .flat_map(|repository| &repository.manifests)
    }

    pub(super) fn put_manifest(
        &mut self,
        repository: &str,
        digest: Digest,
        manifest: StoredManifest,
    ) {
        let repository = self.repositories.entry(repository.to_owned()).or_default();
        repository.manifests.insert(digest, manifest);
    }

    pub(super) fn remove_manifest(&mut self, repository: &str, digest: &Digest) -> bool {
        let Some(repository) = self.repositories.get_mut(repository) else {
            return false;
        };
        repository.tags.retain(|_, tagged| tagged != digest);
        repository.manifests.remove(digest).is_some()
    }

    /// Finds a blob that was put into this repository.
    pub(super) fn blob(&self, repository: &str, digest: &Digest) -> Option<Content> {
        let linked = self.repositories.get(repository)?.blobs.contains(digest);
        linked.then(|| self.blobs.get(digest).cloned()).flatten()
    }

    pub(super) fn put_blob(&mut self, repository: &str, digest: Digest, content: Content) {
        let repository = self.repositories.entry(repository.to_owned()).or_default();
        repository.blobs.insert(digest.clone());
        self.blobs.insert(digest, content);
    }

    pub(super) fn remove_blob(&mut self, repository: &str, digest: &Digest) -> bool {
        let repository = self.repositories.get_mut(repository);
        repository.is_some_and(|repository| repository.blobs.remove(digest))
    }

    /// Makes a blob of `from` known in `repository`; false when it is not there.
    pub(super) fn mount(&mut self, repository: &str, digest: &Digest, from: &str) -> bool {
        let content = self.blob(from, digest);
        let found = content.is_some();
        if let Some(content) = content {
            self.put_blob(repository, digest.clone(), content);
        }
        found
    }

    pub(super) fn start_upload(&mut self, repository: &str) -> String {
        self.next_upload += 1;
        let id = format!("upload-{}", self.next_upload);
        let upload = Upload {
            repository: repository.to_owned(),
            spool: Spool::default(),
        };
        self.uploads.insert(id.clone(), upload);
        id
    }

    pub(super) fn upload(&mut self, repository: &str, id: &str) -> Option<&mut Upload> {
        self.uploads
            .get_mut(id)
            .filter(|upload| upload.repository == repository)
    }

    pub(super) fn take_upload(&mut self, repository: &str, id: &str) -> Option<Upload> {
        self.upload(repository, id)?;
        self.uploads.remove(id)
    }

    pub(super) fn open_uploads(&self) -> usize {
        self.uploads.len()
    }
}
