//! Tags that are not wanted but come near, for whoever wonders why nothing is found.

use regimg_core::Repository;
use regimg_select::{Policy, Refusal};

use crate::report::Reporter;

/// Tags that are named at most.
const COUNT: usize = 5;

/// What was seen of a list of tags.
#[derive(Debug, Default)]
pub(super) struct Nearest {
    seen: usize,
    /// Nearest first; among equals as they are listed.
    refused: Vec<(Refusal, String)>,
}

impl Nearest {
    /// Takes a page of tags.
    pub(super) fn note(&mut self, policy: &Policy, page: &[String]) {
        self.seen += page.len();
        for tag in page {
            let Some(refusal) = policy.refusal(tag) else {
                continue;
            };
            let position = self
                .refused
                .partition_point(|(nearer, _)| *nearer >= refusal);
            if position < COUNT {
                self.refused.insert(position, (refusal, tag.clone()));
                self.refused.truncate(COUNT);
            }
        }
    }

    /// Tells what was seen, of a repository where nothing is wanted.
    pub(super) fn tell(&self, repository: &Repository, report: &Reporter) {
        match self.seen {
            0 => report.info(&format!("{repository} has no tags")),
            1 => report.info(&format!("the one tag of {repository} is not wanted")),
            seen => report.info(&format!(
                "none of the {seen} tags of {repository} is wanted"
            )),
        }
        for (refusal, tag) in &self.refused {
            report.debug(&format!("tag {tag:?} {refusal}"));
        }
    }
}
