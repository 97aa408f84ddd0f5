//! `format: rootfs`: the image's files, as a container would see them.

use std::fs;
use std::sync::Arc;

use regimg_core::Descriptor;
use regimg_unpack::{Options, Progress, Root, Warning};

use crate::error::{During, Error};
use crate::report::{Bar, Reporter};
use crate::spool::SpoolReader;

use super::Image;
use super::download::Downloads;
use super::staging::Staging;

const NAME: &str = "rootfs";

/// Unpacks the layers in order while they download, and puts the result in place.
pub(super) async fn write(
    image: &Image,
    downloads: Downloads,
    staging: Arc<Staging>,
    report: &Reporter,
) -> Result<(), Error> {
    let layers = image.manifest.layers.iter();
    let unpacking = Unpacking {
        readers: layers
            .clone()
            .map(|layer| downloads.reader(layer))
            .collect(),
        watch: Watch {
            layers: layers
                .map(|layer| (layer.clone(), downloads.bar(layer)))
                .collect(),
            report: report.clone(),
        },
    };
    let work = {
        let staging = Arc::clone(&staging);
        tokio::task::spawn_blocking(move || unpacking.run(&staging))
    };
    downloads.feed(work).await.during("extract image")?;
    staging.publish(NAME).during("put the rootfs in place")
}

/// The layers of an image on their way into a directory.
struct Unpacking {
    readers: Vec<SpoolReader>,
    watch: Watch,
}

impl Unpacking {
    fn run(mut self, staging: &Staging) -> Result<(), Error> {
        let path = staging.join(NAME);
        fs::create_dir(&path).during("create rootfs")?;
        let root = Root::open(&path).during("open rootfs")?;
        let outcome =
            regimg_unpack::apply_all(self.readers, &root, &Options::default(), &mut self.watch);
        outcome
            .map(drop)
            .map_err(|error| self.watch.name_layer(error))
    }
}

/// What the person who reads the log is told about each layer.
struct Watch {
    layers: Vec<(Descriptor, Bar)>,
    report: Reporter,
}

impl Watch {
    /// Says which layer an error is about by its digest, which is what a registry and a
    /// build's output know it by; the unpacker knows only its place.
    fn name_layer(&self, error: regimg_unpack::Error) -> Error {
        let phase = match error.layer() {
            Some(index) => format!("layer {}", self.layers[index].0.digest),
            None => "unpack".to_owned(),
        };
        Error::During {
            phase: phase.into(),
            source: error.into(),
        }
    }
}

impl Progress for Watch {
    fn layer_started(&mut self, index: usize) {
        self.layers[index].1.say("unpacking");
    }

    fn layer_finished(&mut self, index: usize) {
        self.layers[index].1.done("done");
    }

    fn warn(&mut self, index: usize, warning: &Warning) {
        self.report
            .warn(&format!("layer {}: {warning}", self.layers[index].0.digest));
    }
}
