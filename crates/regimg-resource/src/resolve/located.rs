//! Where the image is: the repository in full, which a cloud may have to be asked for.

use regimg_registry::Ecr;

use crate::error::Error;
use crate::protocol::Source;
use crate::report::Reporter;

use super::{Settings, aws};

/// What the source says of a place.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    /// As `source.repository` is written, behind the registry that a cloud puts it in.
    pub(crate) repository: String,
    /// What asks there, if it is in ECR and AWS gives the login.
    pub(super) ecr: Option<Ecr>,
}

impl Located {
    /// Finds the place. AWS is asked where only it can say which registry is meant.
    ///
    /// # Errors
    ///
    /// A login that cannot be meant, or, if AWS is asked, what keeps it from answering.
    pub(crate) async fn of(
        source: &Source,
        settings: &Settings,
        report: &Reporter,
    ) -> Result<Self, Error> {
        // Without a name there is nothing to ask for, which is said later in better words.
        if aws::is_meant(source) && !source.repository.is_empty() {
            return aws::locate(source, settings, report).await;
        }
        Ok(Self::as_written(&source.repository))
    }

    pub(super) fn as_written(repository: &str) -> Self {
        Self {
            repository: repository.to_owned(),
            ecr: None,
        }
    }
}
