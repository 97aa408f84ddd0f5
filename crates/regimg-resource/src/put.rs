//! `out`: push an image under the configured tag.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use regimg_core::{Descriptor, Identifier, Tag};
use regimg_registry::{BlobOutcome, BlobSource, ManifestOutcome, RepositoryClient};

use crate::error::{During, Error};
use crate::image::{Blob, Image};
use crate::protocol::{MetadataField, PutParams, PutRequest, StepResponse, Version};
use crate::report::{Bar, Reporter};
use crate::resolve::{self, Origin, Settings};

/// Pushes the image that `params.image` names below `directory`: its blobs side by
/// side, then its manifest under the tag.
///
/// # Errors
///
/// A file that is no image, a registry that does not take it, or no tag to push.
pub(crate) async fn put(
    request: &PutRequest,
    directory: &Path,
    settings: &Settings,
    report: &Reporter,
) -> Result<StepResponse<Version>, Error> {
    let PutRequest { source, params } = request;
    let origin = Origin::to_push_to(source).during("could not resolve repository")?;
    resolve::refuse_for_put(source, params)?;
    let tag = resolve::tag(source)?.ok_or(Error::NoTag)?;
    let path = image_path(params, directory)?;
    let image = load(path).await?;
    let repository = origin.connect(settings)?;
    report.info(&format!("pushing tag(s) {tag}"));
    push(&repository, &image, &tag, report)
        .await
        .during("pushing image failed: pushing tag(s)")?;
    report.info("pushed");
    Ok(StepResponse {
        version: Version {
            tag: tag.to_string(),
            digest: image.manifest.digest().clone(),
        },
        metadata: vec![
            MetadataField::new("repository", &source.repository),
            MetadataField::new("tags", tag.as_str()),
        ],
    })
}

/// Finds the image's file inside the step's directory.
fn image_path(params: &PutParams, directory: &Path) -> Result<PathBuf, Error> {
    let image = params.image.as_str();
    let problem = |problem: &str| Error::Field {
        field: "params.image",
        problem: problem.to_owned(),
    };
    if image.is_empty() {
        return Err(problem(
            "is missing: name the image's file below the step's directory",
        ));
    }
    if image.contains(['*', '?', '[', '\\']) {
        return Err(Error::Unsupported {
            field: "a pattern in params.image",
            advice: ": name the file itself",
        });
    }
    if image.split('/').any(|part| part == "..") {
        return Err(problem("leaves the step's directory"));
    }
    // Compat: an absolute path is taken below the directory, as Go's filepath.Join does.
    let path = directory.join(image.trim_start_matches('/'));
    match path.try_exists() {
        Ok(true) => Ok(path),
        Ok(false) => Err(Error::NoImage(image.to_owned())),
        Err(error) => Err(error).during(format!("failed to glob path '{image}'")),
    }
}

/// Opens the image where blocking is allowed: it may have to be compressed first.
async fn load(path: PathBuf) -> Result<Image, Error> {
    let phase = format!("could not load image from path '{}'", path.display());
    let image = tokio::task::spawn_blocking(move || Image::open(&path))
        .await
        .during(phase.clone())?;
    image.during(phase)
}

async fn push(
    repository: &RepositoryClient,
    image: &Image,
    tag: &Tag,
    report: &Reporter,
) -> Result<(), Error> {
    push_blobs(repository, image, report).await?;
    let (digest, size) = (image.manifest.digest(), image.manifest.bytes().len());
    let identifier = Identifier::Tag(tag.clone());
    let outcome = repository
        .push_manifest(&identifier, &image.manifest)
        .await
        .during(format!("manifest {tag}"))?;
    match outcome {
        ManifestOutcome::Existed => report.info(&format!("existing manifest: {tag}@{digest}")),
        ManifestOutcome::Pushed => {
            report.info(&format!(
                "{}:{tag}: digest: {digest} size: {size}",
                repository.repository()
            ));
        }
    }
    Ok(())
}

/// Pushes the blobs; how many at once is the client's business.
async fn push_blobs(
    repository: &RepositoryClient,
    image: &Image,
    report: &Reporter,
) -> Result<(), Error> {
    stream::iter(&image.blobs)
        .map(|blob| {
            // Here, so that the bars stand in the order of the layers.
            let bar = report.bar(blob.descriptor());
            push_blob(repository, blob, bar, report)
        })
        .buffer_unordered(image.blobs.len().max(1))
        .try_collect()
        .await
}

async fn push_blob(
    repository: &RepositoryClient,
    blob: &Blob,
    bar: Bar,
    report: &Reporter,
) -> Result<(), Error> {
    let digest = &blob.descriptor().digest;
    let watched = Watched {
        blob,
        bar: bar.clone(),
    };
    let outcome = repository
        .push_blob(&watched, &[])
        .await
        .during(format!("blob {digest}"))?;
    let (line, end) = match outcome {
        BlobOutcome::Existed => ("existing blob", "existed"),
        BlobOutcome::Mounted => ("mounted blob", "mounted"),
        BlobOutcome::Uploaded { .. } => ("pushed blob", "pushed"),
    };
    bar.done(end);
    report.info(&format!("{line}: {digest}"));
    Ok(())
}

/// A blob whose reading moves a bar. An upload that starts again moves it back.
struct Watched<'a> {
    blob: &'a Blob,
    bar: Bar,
}

impl BlobSource for Watched<'_> {
    fn descriptor(&self) -> &Descriptor {
        self.blob.descriptor()
    }

    fn open(
        &self,
        offset: u64,
    ) -> BoxFuture<'_, io::Result<BoxStream<'static, io::Result<Bytes>>>> {
        let bar = self.bar.clone();
        Box::pin(async move {
            bar.set_position(offset);
            bar.say("pushing");
            let chunks = self.blob.open(offset).await?;
            Ok(chunks
                .inspect_ok(move |chunk| bar.advance(chunk.len() as u64))
                .boxed())
        })
    }
}
