//! What a get step asks for.

use regimg_core::{Digest, Identifier, Platform, Repository, Tag};

use crate::error::{During, Error};
use crate::protocol::{GetParams, GetRequest, RequestedVersion};
use crate::resolve::{self, Name, field};

use super::describe::Shown;

/// What a get step leaves in its directory, besides the small files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `rootfs/`: the files of one image.
    Rootfs,
    /// `image.tar`: one image as an archive.
    Oci,
    /// `oci/`: every image of the version.
    OciLayout,
}

impl Format {
    fn of(params: &GetParams) -> Result<Self, Error> {
        match params.format.as_str() {
            "" | "rootfs" => Ok(Self::Rootfs),
            "oci" => Ok(Self::Oci),
            "oci-layout" => Ok(Self::OciLayout),
            other => Err(Error::UnknownFormat(other.to_owned())),
        }
    }
}

/// What a get step asks for, read and checked.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) format: Format,
    pub(super) identifier: Identifier,
    /// Names the image where it needs a name.
    tag: Option<Tag>,
    /// The platform of the one image that is wanted, or described.
    pub(super) platform: Platform,
    /// The platforms that a layout is to hold; none means all.
    pub(super) platforms: Vec<Platform>,
    pub(super) shown: Shown,
    pub(super) skips_download: bool,
}

impl Wanted {
    /// Reads a request, before anything is sent.
    ///
    /// # Errors
    ///
    /// A field that cannot be meant.
    pub(super) fn of(request: &GetRequest, name: &Name) -> Result<Self, Error> {
        let GetRequest {
            source,
            params,
            version,
        } = request;
        let format = Format::of(params)?;
        let pinned = name.pinned.as_ref();
        let tag = optional_tag(version)?;
        Ok(Self {
            format,
            identifier: identifier(version, tag.as_ref(), name)?,
            tag: match (tag, pinned.and_then(|pinned| pinned.tag.clone())) {
                (None, None) => resolve::tag(source)?,
                (tag, pinned) => tag.or(pinned),
            },
            platform: resolve::platform(source.platform.as_ref(), params.platform.as_ref()),
            platforms: platforms(params, format)?,
            shown: Shown::of(source)?,
            skips_download: params.skip_download,
        })
    }

    /// Names the image as tools that load it will: the canonical repository, so
    /// `index.docker.io/library/alpine:3.20`.
    pub(super) fn image_name(&self, repository: &Repository) -> String {
        let tag = self.tag.as_ref().map_or("latest", Tag::as_str);
        format!("{repository}:{tag}")
    }
}

fn optional_tag(version: &RequestedVersion) -> Result<Option<Tag>, Error> {
    if version.tag.is_empty() {
        return Ok(None);
    }
    Tag::parse(&version.tag).during("version.tag").map(Some)
}

/// Finds out what is to be fetched: the version's digest, else what its tag points at, else
/// the image that the source names.
fn identifier(
    version: &RequestedVersion,
    tag: Option<&Tag>,
    name: &Name,
) -> Result<Identifier, Error> {
    if !version.digest.is_empty() {
        let digest = version.digest.parse::<Digest>();
        return digest.during("version.digest").map(Identifier::Digest);
    }
    match (&name.pinned, tag) {
        (Some(pinned), _) => Ok(Identifier::Digest(pinned.digest.clone())),
        (None, Some(tag)) => Ok(Identifier::Tag(tag.clone())),
        (None, None) => Err(field("version", "names neither a digest nor a tag")),
    }
}

fn platforms(params: &GetParams, format: Format) -> Result<Vec<Platform>, Error> {
    const FIELD: &str = "params.platforms";
    if !params.platforms.is_empty() && format != Format::OciLayout {
        let problem =
            "is for the format 'oci-layout'; the others hold one image, see params.platform";
        return Err(field(FIELD, problem));
    }
    let platforms = params.platforms.iter().map(|text| Platform::parse(text));
    platforms.collect::<Result<_, _>>().during(FIELD)
}
