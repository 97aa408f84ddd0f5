//! Under which tags the image goes to its repository.

use std::io::{self, Read};

use regimg_registry::RepositoryClient;
use regimg_select::{PushError, PushErrorKind, PushPlan, PushPolicy, PushTags};

use crate::error::{During, Error};
use crate::image::StepDirectory;
use crate::protocol::{PutParams, Source};
use crate::report::Reporter;

/// A file of tags is a page, not a book.
const FILE_LIMIT: u64 = 1 << 20;

/// Everything about the tags that can be known without the registry.
#[derive(Debug)]
pub(super) struct Plan {
    push: PushPlan,
    version: String,
    /// The content of the file with additional tags.
    additional: String,
}

impl Plan {
    /// Reads the tags from the request and the file that it names, and checks all of them.
    ///
    /// # Errors
    ///
    /// A version that is none, a file that cannot be read, a tag that no registry takes, or
    /// no tag at all.
    pub(super) fn of(
        source: &Source,
        params: &PutParams,
        step: &StepDirectory,
    ) -> Result<Self, Error> {
        let mut policy = PushPolicy::default();
        policy.tag.clone_from(&source.tag.0);
        policy.version.clone_from(&params.version);
        policy.variant.clone_from(&source.variant);
        policy.bump_aliases = params.bump_aliases;
        policy.tag_prefix.clone_from(&params.tag_prefix);
        policy.tags = params.tags.iter().map(|tag| tag.0.clone()).collect();
        let plan = policy.plan().map_err(told)?;
        let additional = additional(&params.additional_tags, step)?;
        // Without the repository's tags all aliases are among them, so each is checked.
        plan.clone().tags(&additional).map_err(told)?;
        Ok(Self {
            push: plan,
            version: params.version.clone(),
            additional,
        })
    }

    /// Says so when the version is not what its tag will be.
    pub(super) fn warn(&self, report: &Reporter) {
        if let Some(tag) = self.push.rewritten() {
            report.warn(&format!(
                "version {} is pushed as {tag}: versions have no leading zeros; use params.tags for a tag as it is",
                self.version
            ));
        }
    }

    /// Asks the registry for what decides about aliases, as far as that is needed.
    ///
    /// # Errors
    ///
    /// The tags cannot be listed. A repository that does not exist has none.
    pub(super) async fn complete(
        mut self,
        repository: &RepositoryClient,
    ) -> Result<PushTags, Error> {
        if self.push.needs_remote_tags() {
            self.see_remote(repository)
                .await
                .during("list repository tags")
                .during("determine aliases")?;
        }
        self.push.tags(&self.additional).map_err(told)
    }

    async fn see_remote(
        &mut self,
        repository: &RepositoryClient,
    ) -> Result<(), regimg_registry::Error> {
        let mut pages = repository.tag_pages();
        while self.push.needs_remote_tags() {
            match pages.next().await {
                Ok(Some(page)) => self.push.see(page),
                Ok(None) => return Ok(()),
                Err(error) if error.is_new_repository() => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Reads the file with additional tags, if one is named.
fn additional(name: &str, step: &StepDirectory) -> Result<String, Error> {
    if name.is_empty() {
        return Ok(String::new());
    }
    let path = step.path().join(name.trim_start_matches('/'));
    let read = || {
        let (mut file, metadata) = step.open(&path)?;
        if metadata.len() > FILE_LIMIT {
            return Err(io::Error::other("is larger than 1 MiB"));
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(text)
    };
    read()
        .during(format!("failed to read file at \"{}\"", path.display()))
        .during("could not parse additional tags")
}

/// Keeps the texts that people know from the Go resource.
fn told(error: PushError) -> Error {
    match error.kind() {
        PushErrorKind::NoTag => Error::NoTag,
        _ => error.into(),
    }
}
