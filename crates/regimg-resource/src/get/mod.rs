//! `in`: fetch one version of an image.

mod describe;
mod download;
mod files;
mod layout;
mod platforms;
mod rootfs;
mod staging;
mod tarball;
mod wanted;

use std::path::Path;
use std::sync::Arc;

use regimg_core::{Digest, Identifier, Platform, RawManifest};
use regimg_registry::RepositoryClient;

use crate::error::{During, Error};
use crate::protocol::{GetRequest, MetadataField, RequestedVersion, StepResponse};
use crate::remote;
use crate::report::Reporter;
use crate::resolve::{Located, Name, Origin, Origins, Patience, Settings, field};

use describe::{Description, Documents, image_manifest, own_annotations};
use staging::Staging;
use tarball::Archive;
use wanted::{Format, Wanted};

/// Fetches the requested version into `directory` in the format asked for.
///
/// # Errors
///
/// Whatever keeps the image from being there whole and verified. Nothing of it, and nothing
/// of an earlier step in the same directory, is then left under a name that a later step
/// would read. A request that cannot be meant fails before the directory is touched.
pub(crate) async fn get(
    request: &GetRequest,
    directory: &Path,
    settings: &Settings,
    report: &Reporter,
) -> Result<StepResponse<RequestedVersion>, Error> {
    let GetRequest {
        source,
        params: _,
        version,
    } = request;
    let located = Located::of(source, settings, report).await?;
    let name = Name::of(&located.repository).during("failed to resolve repository")?;
    let origins = Origins::of(source, &located, &name, Patience::Step)?;
    let wanted = Wanted::of(request, &name)?;
    staging::clear(directory).during("create destination")?;

    let order = Order {
        repository: repository_text(&located.repository),
        image_name: wanted.image_name(origins.repository()),
        wanted,
        directory,
        report,
    };
    let attempt = async |origin: &Origin| order.fulfil(&origin.connect(settings)?).await;
    let fetched = if let Some(fetched) = order.without_registry()? {
        Some(fetched)
    } else {
        let fetched = origins.first_answer(report, "download from", attempt).await;
        fetched.during("download failed")?
    };
    let Some(fetched) = fetched else {
        let problem = format!("{} has no tag {}", origins.repository(), version.tag);
        return Err(field("version.tag", &problem)).during("download failed");
    };
    let (version, metadata) = order.finish(&fetched, version)?;
    Ok(StepResponse { version, metadata })
}

/// Returns what the source calls the repository, without the tag and the digest that pin an
/// image in it.
fn repository_text(repository: &str) -> &str {
    let Some((name, _)) = repository.split_once('@') else {
        return repository;
    };
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    }
}

/// A get step, whoever serves it.
struct Order<'a> {
    repository: &'a str,
    image_name: String,
    wanted: Wanted,
    directory: &'a Path,
    report: &'a Reporter,
}

/// A version that was fetched, out of sight as yet.
struct Fetched {
    digest: Digest,
    staging: Arc<Staging>,
    description: Description,
}

impl Order<'_> {
    /// Answers what no registry need be asked for.
    fn without_registry(&self) -> Result<Option<Fetched>, Error> {
        match &self.wanted.identifier {
            Identifier::Digest(digest)
                if self.wanted.skips_download && !self.wanted.shown.is_something() =>
            {
                Ok(Some(Fetched {
                    digest: digest.clone(),
                    staging: self.stage()?,
                    description: Description::default(),
                }))
            }
            _ => Ok(None),
        }
    }

    fn stage(&self) -> Result<Arc<Staging>, Error> {
        let staging = Staging::create(self.directory).during("create destination")?;
        Ok(Arc::new(staging))
    }

    /// Fetches from one place; none if it does not have the tag.
    async fn fulfil(&self, repository: &RepositoryClient) -> Result<Option<Fetched>, Error> {
        let wanted = &self.wanted;
        let Some(digest) = resolved(repository, &wanted.identifier).await? else {
            return Ok(None);
        };
        if !wanted.skips_download {
            self.report.plain(&format!(
                "fetching \x1b[32m{}\x1b[0m@\x1b[33m{digest}\x1b[0m",
                self.repository
            ));
        }
        let staging = self.stage()?;
        let description = if wanted.skips_download && !wanted.shown.is_something() {
            Description::default()
        } else {
            let identifier = Identifier::Digest(digest.clone());
            let top = repository.manifest(&identifier).await;
            let top = top.during("fetch descriptor")?;
            if wanted.skips_download {
                let described = wanted.shown.ask(repository, top, &wanted.platform).await;
                described.during("enriching metadata failed")?
            } else {
                let fetch = Fetch {
                    repository,
                    staging: &staging,
                    report: self.report,
                };
                fetch.run(wanted, &self.image_name, top).await?
            }
        };
        Ok(Some(Fetched {
            digest,
            staging,
            description,
        }))
    }

    /// Adds the small files and puts everything in place.
    fn finish(
        &self,
        fetched: &Fetched,
        version: &RequestedVersion,
    ) -> Result<(RequestedVersion, Vec<MetadataField>), Error> {
        let Fetched {
            digest,
            staging,
            description,
        } = fetched;
        // A digest that was asked for is echoed as it was spelled.
        let version = RequestedVersion {
            tag: version.tag.clone(),
            digest: Some(&version.digest)
                .filter(|digest| !digest.is_empty())
                .map_or_else(|| digest.to_string(), Clone::clone),
        };
        if !self.wanted.skips_download {
            files::write_description(staging, self.wanted.format, description)?;
        }
        files::write_version(staging, self.repository, &version)
            .and_then(|()| staging.publish())
            .during("saving version info failed")?;
        let mut metadata = vec![
            MetadataField::new("repository", self.repository),
            MetadataField::new("tag", &version.tag),
        ];
        metadata.extend(self.wanted.shown.fields(description));
        Ok((version, metadata))
    }
}

/// Finds the digest that is meant; none if the registry does not have the tag.
async fn resolved(
    repository: &RepositoryClient,
    identifier: &Identifier,
) -> Result<Option<Digest>, Error> {
    match identifier {
        Identifier::Digest(digest) => Ok(Some(digest.clone())),
        Identifier::Tag(_) => repository.digest(identifier).await.during("get tag digest"),
    }
}

/// A version on its way from one place to a directory.
struct Fetch<'a> {
    repository: &'a RepositoryClient,
    staging: &'a Arc<Staging>,
    report: &'a Reporter,
}

impl Fetch<'_> {
    async fn run(
        &self,
        wanted: &Wanted,
        image_name: &str,
        top: RawManifest,
    ) -> Result<Description, Error> {
        let annotations = own_annotations(&top);
        let image = match wanted.format {
            Format::OciLayout => self.layout(wanted, top).await?,
            Format::Rootfs | Format::Oci => {
                let manifest = self.repository.image_in(top, &wanted.platform).await;
                let manifest = manifest.during("fetching image")?;
                let image = self.image(wanted.format, image_name, manifest).await?;
                self.compare(&image, &wanted.platform);
                Some(image)
            }
        };
        Ok(Description::of(annotations, image))
    }

    async fn layout(&self, wanted: &Wanted, top: RawManifest) -> Result<Option<Documents>, Error> {
        let kept = layout::write(self, top, &wanted.platforms).await;
        let kept = kept.during("write oci layout")?;
        layout::find_image(&self.staging.join(layout::NAME), kept, &wanted.platform)
    }

    /// Downloads one image, its configuration beside its layers.
    async fn image(
        &self,
        format: Format,
        name: &str,
        manifest: RawManifest,
    ) -> Result<Documents, Error> {
        let image = image_manifest(&manifest).during("fetching image")?;
        let config = async {
            let config = remote::config(self.repository, &image.config).await;
            config.during("inspect image config")
        };
        // The configuration first: it is small, and tells at once what is no image.
        let (raw_config, config) = if format == Format::Rootfs {
            let layers = async {
                let written = rootfs::write(self, &image.layers).await;
                written.during("write rootfs")
            };
            tokio::try_join!(biased; config, layers)?.0
        } else {
            let archive = async {
                let archive = Archive::create(self, &image)?;
                archive.download().await.during("write OCI image")
            };
            let archive = async { archive.await.during("write oci image") };
            let ((raw_config, config), archive) = tokio::try_join!(biased; config, archive)?;
            let finished = archive.finish(name.to_owned(), &image, &raw_config, &config);
            finished.during("write oci image")?;
            (raw_config, config)
        };
        Ok(Documents {
            manifest,
            raw_config,
            config,
        })
    }

    /// Warns of an image that cannot run where it is wanted. It is what the version names,
    /// and the platform may be a default that nobody thought of.
    fn compare(&self, image: &Documents, platform: &Platform) {
        let actual = image.config.platform();
        let is_stated = !(actual.os.is_empty() || actual.architecture.is_empty());
        if is_stated && !platform.is_satisfied_by(&actual) {
            let message = format!("the image is for {actual}; wanted is one for {platform}");
            self.report.warn(&message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::repository_text;

    #[test]
    fn the_repository_is_called_what_the_source_calls_it() {
        let cases = [
            ("alpine", "alpine"),
            ("localhost:5000/a", "localhost:5000/a"),
            ("alpine@sha256:00", "alpine"),
            ("alpine:3.20@sha256:00", "alpine"),
            ("localhost:5000/a@sha256:00", "localhost:5000/a"),
            ("localhost:5000/a:1@sha256:00", "localhost:5000/a"),
        ];
        for (repository, expected) in cases {
            assert_eq!(repository_text(repository), expected);
        }
    }
}
