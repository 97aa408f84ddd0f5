//! `in`: fetch one version of an image.

mod download;
mod files;
mod rootfs;
mod staging;
mod tarball;

use std::path::Path;
use std::sync::Arc;

use regimg_core::{
    Descriptor, Digest, Identifier, ImageConfig, ImageManifest, Manifest, Platform, RawManifest,
    Tag,
};
use regimg_registry::RepositoryClient;

use crate::error::{During, Error};
use crate::protocol::{GetParams, GetRequest, MetadataField, RequestedVersion, StepResponse};
use crate::remote;
use crate::report::Reporter;
use crate::resolve::{self, Name, Origin, Origins, Patience, Settings};

use download::Downloads;
use staging::Staging;

/// What a get step leaves in its directory, besides the version's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// `rootfs/`, `metadata.json`, `labels.json`.
    Rootfs,
    /// `image.tar`, `labels.json`.
    Oci,
}

impl Format {
    fn of(params: &GetParams) -> Result<Self, Error> {
        match params.format.as_str() {
            "" | "rootfs" => Ok(Self::Rootfs),
            "oci" => Ok(Self::Oci),
            other => Err(Error::UnknownFormat(other.to_owned())),
        }
    }
}

/// Fetches the requested version into `directory` in the format asked for.
///
/// # Errors
///
/// Whatever keeps the image from being there whole and verified. Nothing half-fetched
/// is left under a name that a later step would read.
pub(crate) async fn get(
    request: &GetRequest,
    directory: &Path,
    settings: &Settings,
    report: &Reporter,
) -> Result<StepResponse<RequestedVersion>, Error> {
    let GetRequest {
        source,
        params,
        version,
    } = request;
    resolve::refuse_for_get(source, params)?;
    let name = Name::of(source).during("failed to resolve repository")?;
    let origins = Origins::of(source, &name, Patience::Step)?;
    let format = Format::of(params)?;
    let digest: Digest = version.digest.parse().during("version.digest")?;
    if !params.skip_download {
        let tag = tag(version)?;
        let attempt = async |origin: &Origin| {
            report.plain(&format!(
                "fetching \x1b[32m{}\x1b[0m@\x1b[33m{digest}\x1b[0m",
                source.repository
            ));
            let fetch = Fetch {
                repository: origin.connect(settings)?,
                name: tarball::image_name(origins.repository(), tag.as_ref()),
                digest: digest.clone(),
                platform: resolve::platform(source.platform.as_ref(), params.platform.as_ref()),
                directory,
                report,
            };
            fetch.run(format).await.map(Some)
        };
        let fetched = origins.first_answer(report, "download from", attempt).await;
        fetched.during("download failed")?;
    }
    files::write_version(directory, &source.repository, version)
        .during("saving version info failed")?;
    Ok(StepResponse {
        version: version.clone(),
        metadata: vec![
            MetadataField::new("repository", &source.repository),
            MetadataField::new("tag", &version.tag),
        ],
    })
}

/// Reads the version's tag, which names the image inside `image.tar`.
fn tag(version: &RequestedVersion) -> Result<Option<Tag>, Error> {
    if version.tag.is_empty() {
        return Ok(None);
    }
    Tag::parse(&version.tag).during("version.tag").map(Some)
}

/// One image on its way to a directory.
struct Fetch<'a> {
    repository: RepositoryClient,
    digest: Digest,
    platform: Platform,
    /// What the image is called where it has a name.
    name: String,
    directory: &'a Path,
    report: &'a Reporter,
}

/// An image's manifest and configuration, both verified, its layers yet to come.
struct Image {
    manifest: ImageManifest,
    raw_config: bytes::Bytes,
    config: ImageConfig,
}

impl Fetch<'_> {
    async fn run(&self, format: Format) -> Result<(), Error> {
        let manifest = self.manifest().await?;
        let image = self.image(manifest).await.during("fetching image")?;
        std::fs::create_dir_all(self.directory).during("create destination")?;
        let staging = Arc::new(Staging::create(self.directory).during("create destination")?);
        let downloads = self.download(&image.manifest.layers, &staging)?;
        match format {
            Format::Rootfs => rootfs::write(&image, downloads, staging, self.report)
                .await
                .during("write rootfs")?,
            Format::Oci => {
                tarball::write(&image, self.name.clone(), downloads, staging)
                    .await
                    .during("write oci image")?;
            }
        }
        self.describe(format, &image.config)
    }

    async fn manifest(&self) -> Result<RawManifest, Error> {
        let identifier = Identifier::Digest(self.digest.clone());
        self.repository
            .image(&identifier, &self.platform)
            .await
            .during("fetch descriptor")
    }

    async fn image(&self, manifest: RawManifest) -> Result<Image, Error> {
        let Manifest::Image(manifest) = manifest.parse().during("read manifest")? else {
            // The client answers an image or an error; a registry cannot choose.
            return Err(Error::Field {
                field: "manifest",
                problem: "is an index".to_owned(),
            });
        };
        let config = remote::config(&self.repository, &manifest.config).await;
        let (raw_config, config) = config.during("inspect image config")?;
        Ok(Image {
            manifest,
            raw_config,
            config,
        })
    }

    /// Starts to download every layer, each once however often the image names it.
    fn download(&self, layers: &[Descriptor], staging: &Staging) -> Result<Downloads, Error> {
        Downloads::start(&self.repository, layers, staging.path(), self.report)
            .during("create temporary file")
    }

    fn describe(&self, format: Format, config: &ImageConfig) -> Result<(), Error> {
        if format == Format::Rootfs {
            files::write_metadata(self.directory, config).during("create image metadata")?;
        }
        files::write_labels(self.directory, config).during("create image labels")
    }
}
