//! Images on disk, made ready to push: a manifest with its exact bytes, and blobs that
//! can be read from any offset as often as an upload needs.

mod archive;
mod blob;
mod layer;
mod manifest;
mod saved;

use std::fs::File;
use std::io;
use std::path::Path;

use regimg_core::RawManifest;

pub(crate) use blob::Blob;

/// An image that can be pushed.
#[derive(Debug)]
pub(crate) struct Image {
    /// What tags will point at.
    pub(crate) manifest: RawManifest,
    /// Everything that the manifest names, the configuration first.
    pub(crate) blobs: Vec<Blob>,
}

/// Says why a path holds no image that can be pushed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    #[error("is a directory: pushing an OCI layout is not supported by this version of regimg")]
    Directory,
    #[error("is compressed with {0}: decompress the archive first")]
    Compressed(&'static str),
    #[error("is no tar archive")]
    NotAnArchive(#[source] io::Error),
    #[error("file {0} not found in tar")]
    Missing(String),
    #[error(
        "has no manifest.json but an index.json: pushing an OCI archive is not supported by this version of regimg"
    )]
    OciArchive,
    #[error("file {name}: {problem}")]
    Malformed { name: String, problem: String },
    #[error("holds {0} images: an archive to push holds one")]
    SeveralImages(usize),
    #[error("layer {name}: the content's digest is {actual}, the configuration says {expected}")]
    DiffId {
        name: String,
        actual: String,
        expected: String,
    },
    #[error("reading {name}")]
    Read {
        name: String,
        #[source]
        source: io::Error,
    },
    #[error("compressing layer {name} into a temporary file")]
    Compress {
        name: String,
        #[source]
        source: io::Error,
    },
}

impl ImageError {
    fn malformed(name: &str, problem: impl Into<String>) -> Self {
        Self::Malformed {
            name: name.to_owned(),
            problem: problem.into(),
        }
    }

    fn read(name: &str) -> impl FnOnce(io::Error) -> Self {
        let name = name.to_owned();
        move |source| Self::Read { name, source }
    }
}

impl Image {
    /// Opens the docker archive at `path`.
    ///
    /// Layers that are not compressed are compressed once, into temporary files, one
    /// worker to a core; every layer's content is compared with the digest that the
    /// configuration gives for it. Blocks while it does.
    ///
    /// # Errors
    ///
    /// Anything that is not one whole image in a plain tar archive.
    pub(crate) fn open(path: &Path) -> Result<Self, ImageError> {
        let file = File::open(path).map_err(ImageError::read("the archive"))?;
        if file
            .metadata()
            .map_err(ImageError::read("the archive"))?
            .is_dir()
        {
            return Err(ImageError::Directory);
        }
        let archive = archive::Archive::index(file)?;
        let saved = saved::SavedImage::find(&archive)?;
        let layers = layer::prepare(&archive, &saved)?;
        Ok(manifest::assemble(saved, layers))
    }
}
