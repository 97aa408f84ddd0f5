//! Images on disk, made ready to push: manifests with their exact bytes, and blobs that
//! can be read from any offset as often as an upload needs.

mod archive;
mod blob;
mod compress;
mod files;
mod layer;
mod layout;
mod manifest;
mod ready;
mod saved;
mod step;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use regimg_core::{Descriptor, RawManifest};

pub(crate) use blob::Blob;
pub(crate) use compress::Compression;
pub(crate) use ready::Ready;
pub(crate) use step::StepDirectory;

use archive::Archive;
use files::Files;
use layer::{Encoding, Stored};
use layout::Layout;
use saved::SavedImage;

/// The files that are read whole are pages of JSON.
const JSON_LIMIT: u64 = 16 << 20;

/// The annotation and label that name the image which an image is built on.
const BASE_NAME: &str = "org.opencontainers.image.base.name";

/// An image that was found, and whose parts are all there.
#[derive(Debug)]
pub(crate) struct Image(Form);

#[derive(Debug)]
enum Form {
    /// A docker archive, whose layers have to be looked at and perhaps compressed.
    Saved {
        archive: Archive,
        image: Box<SavedImage>,
        layers: Vec<Stored>,
    },
    /// An OCI layout, which is pushed as it is.
    Layout(Layout),
}

/// What remains to be pushed when all blobs are on their way.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// What tags will point at.
    pub(crate) manifest: RawManifest,
    /// The manifests below it, children before parents.
    pub(crate) children: Vec<RawManifest>,
    /// Layers that must not be pushed.
    pub(crate) foreign: Vec<Descriptor>,
}

/// Says why a path holds no image that can be pushed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    #[error("is no tar archive")]
    NotAnArchive(#[source] io::Error),
    #[error("file {0} not found in tar")]
    Missing(String),
    #[error("holds no index.json, so it is no OCI layout{0}")]
    NoLayout(&'static str),
    #[error("file {0} not found in the layout")]
    NotInLayout(String),
    #[error("file {name}: {problem}")]
    Malformed { name: String, problem: String },
    #[error("holds {} images ({}): what is pushed is one", .0.len(), .0.join(", "))]
    SeveralImages(Vec<String>),
    #[error("has more files than an image has: gave up after {0}")]
    TooManyFiles(usize),
    #[error("has more manifests than fit into 16 MiB: gave up after {0}")]
    TooManyManifests(usize),
    #[error("has more than {0} indexes within indexes")]
    TooDeep(usize),
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
    #[error("decompressing the archive into a temporary file")]
    Decompress(#[source] io::Error),
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
    /// Opens the image at `path`: a docker archive, an OCI archive or an OCI layout.
    ///
    /// Everything that its manifests name must be there; layers are not read yet. Blocks.
    ///
    /// # Errors
    ///
    /// Anything that is not one whole image.
    pub(crate) fn open(step: &StepDirectory, path: &Path) -> Result<Self, ImageError> {
        let (file, metadata) = step.open(path).map_err(ImageError::read("it"))?;
        if metadata.is_dir() {
            return open_directory(step, path).map(Form::Layout).map(Self);
        }
        let archive = Archive::index(decompressed(file)?)?;
        let files = Files::Archive(&archive);
        // Compat: today's `docker save` writes both. Its manifest.json is what the Go
        // resource pushes, and its index.json may list platforms that are not in it.
        if !files.contains("manifest.json") && files.contains("index.json") {
            return layout::read(&files, None).map(Form::Layout).map(Self);
        }
        let image = Box::new(SavedImage::find(&files)?);
        let layers = layer::locate(&archive, &image)?;
        Ok(Self(Form::Saved {
            archive,
            image,
            layers,
        }))
    }

    /// Hands over the blobs as they are ready, and returns the manifests that refer to
    /// them.
    ///
    /// Layers of a docker archive that are not compressed are compressed, into temporary
    /// files, as many at once as there are cores; every layer's content is compared with
    /// the digest that the configuration gives for it. Blocks while it does.
    ///
    /// # Errors
    ///
    /// A layer that is not what the image says. Blobs that were handed over before are
    /// what they say, but parts of nothing.
    pub(crate) fn prepare(
        self,
        compression: Compression,
        ready: &Ready,
    ) -> Result<Prepared, ImageError> {
        match self.0 {
            Form::Saved {
                archive,
                image,
                layers,
            } => manifest::prepare(&archive, *image, layers, compression, ready),
            Form::Layout(layout) => {
                layout.blobs.into_iter().for_each(|blob| ready.send(blob));
                Ok(Prepared {
                    manifest: layout.manifest,
                    children: layout.children,
                    foreign: layout.foreign,
                })
            }
        }
    }
}

fn open_directory(step: &StepDirectory, path: &Path) -> Result<Layout, ImageError> {
    let files = Files::Directory(step.clone(), path.to_owned());
    if !files.contains("index.json") && !files.contains("single-image-digest") {
        let advice = if files.contains("image.tar") {
            "; it holds image.tar, which can be named in params.image"
        } else {
            ""
        };
        return Err(ImageError::NoLayout(advice));
    }
    layout::read(&files, layout::fetched(step, path).as_ref())
}

/// Decompresses an archive that is compressed, once, into a file without a name.
fn decompressed(file: File) -> Result<File, ImageError> {
    let mut magic = [0; 4];
    let read = file
        .read_at(&mut magic, 0)
        .map_err(ImageError::read("the archive"))?;
    let encoding = Encoding::of(&magic[..read]);
    if encoding == Encoding::Plain {
        return Ok(file);
    }
    let plain = || {
        let mut plain = tempfile::tempfile()?;
        io::copy(&mut encoding.decode(file)?, &mut plain)?;
        Ok(plain)
    };
    plain().map_err(ImageError::Decompress)
}
