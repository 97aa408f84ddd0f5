//! What `source.repository` names.

use regimg_core::{Digest, Reference, Repository, Tag};

use crate::error::{During, Error};

use super::field;

/// A repository, and perhaps the one image in it that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) repository: Repository,
    pub(crate) pinned: Option<Pinned>,
}

/// An image that is named by its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pinned {
    pub(crate) tag: Option<Tag>,
    pub(crate) digest: Digest,
}

impl Name {
    /// Reads `app`, `app@sha256:...` or `app:1.0@sha256:...`. A tag alone has a field of its
    /// own, and one here would leave open which of the two is followed.
    ///
    /// # Errors
    ///
    /// No name or an illegal one.
    pub(crate) fn of(name: &str) -> Result<Self, Error> {
        const FIELD: &str = "source.repository";
        if name.is_empty() {
            return Err(field(FIELD, "is missing"));
        }
        if !name.contains('@') {
            let repository = Repository::parse(name).during(FIELD)?;
            return Ok(Self {
                repository,
                pinned: None,
            });
        }
        let reference = Reference::parse(name).during(FIELD)?;
        let digest = reference.digest().cloned();
        let pinned = digest.map(|digest| Pinned {
            tag: reference.tag().cloned(),
            digest,
        });
        Ok(Self {
            repository: reference.repository().clone(),
            pinned,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::describe;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[track_caller]
    fn check(repository: &str, expected: &str) {
        let actual = match Name::of(&repository.replace('D', DIGEST)) {
            Ok(Name { repository, pinned }) => {
                let tag = pinned.as_ref().and_then(|pinned| pinned.tag.clone());
                let tag = tag.map_or_else(String::new, |tag| format!(" tag {tag}"));
                let digest = pinned.map_or("", |_| " by digest");
                format!("{repository}{tag}{digest}")
            }
            Err(error) => describe(&error),
        };
        assert!(actual.contains(expected), "{repository}: {actual}");
    }

    #[test]
    fn a_repository_may_name_one_image() {
        check("alpine", "index.docker.io/library/alpine");
        check("127.0.0.1:5000/ab", "127.0.0.1:5000/ab");
        check("ghcr.io/a/b@D", "ghcr.io/a/b by digest");
        check(
            "localhost:5000/ab:1.0@D",
            "localhost:5000/ab tag 1.0 by digest",
        );
        check("", "source.repository: is missing");
        check("alpine:3.20", "source.repository: ");
        check("alpine@sha256:12", "source.repository: ");
        check("alpine@3.20", "source.repository: ");
    }
}
