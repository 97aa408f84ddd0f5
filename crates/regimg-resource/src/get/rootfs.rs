//! `format: rootfs`: the image's files, as a container would see them.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use regimg_core::{Descriptor, Digest};
use regimg_unpack::{ErrorKind, Options, Progress, Root, Warning};

use crate::error::{During, Error};
use crate::report::{Bar, Reporter};
use crate::spool::{Spool, SpoolReader, Spools};

use super::Fetch;
use super::download::{Downloads, Failure, Sink, Transfer};
use super::staging::Staging;

pub(super) const NAME: &str = "rootfs";

/// Unpacks the layers in order while they download, each once however often the image
/// names it.
///
/// # Errors
///
/// A layer that cannot be had whole, or holds what no file can be, or what the disk refuses.
pub(super) async fn write(fetch: &Fetch<'_>, layers: &[Descriptor]) -> Result<(), Error> {
    let spooled = Spooled::of(fetch, layers).during("create temporary file")?;
    let unpacking = Unpacking {
        readers: spooled.layers.iter().map(|it| it.spool.reader()).collect(),
        watch: Watch {
            layers: spooled.layers,
            report: fetch.report.clone(),
        },
    };
    let spools = unpacking.watch.layers.iter();
    let spools = spools.map(|layer| Arc::clone(&layer.spool)).collect();
    let downloads = Downloads::new(fetch.repository, spooled.transfers, fetch.staging);
    let work = {
        let staging = Arc::clone(fetch.staging);
        tokio::task::spawn_blocking(move || unpacking.run(&staging))
    };
    let outcome = downloads.filling(spools).feed(work).await;
    outcome.during("extract image")
}

/// A layer on its way.
#[derive(Clone, Debug)]
struct Layer {
    digest: Digest,
    spool: Arc<Spool>,
    bar: Bar,
}

/// The layers in the image's order, and the downloads that fill their spools.
struct Spooled {
    layers: Vec<Layer>,
    transfers: Vec<Transfer>,
}

impl Spooled {
    fn of(fetch: &Fetch<'_>, descriptors: &[Descriptor]) -> std::io::Result<Self> {
        let mut spools = Spools::new(fetch.staging.path());
        let mut known: BTreeMap<&Digest, Layer> = BTreeMap::new();
        let (mut layers, mut transfers) = (Vec::new(), Vec::new());
        for descriptor in descriptors {
            if let Some(layer) = known.get(&descriptor.digest) {
                layers.push(layer.clone());
                continue;
            }
            let (writer, spool) = spools.create(descriptor.size)?;
            let layer = Layer {
                digest: descriptor.digest.clone(),
                spool,
                bar: fetch.report.bar(descriptor),
            };
            transfers.push(Transfer {
                what: "layer",
                descriptor: descriptor.clone(),
                sink: Sink::Spool(writer),
                bar: layer.bar.clone(),
            });
            known.insert(&descriptor.digest, layer.clone());
            layers.push(layer);
        }
        Ok(Self { layers, transfers })
    }
}

/// The layers of an image on their way into a directory.
struct Unpacking {
    readers: Vec<SpoolReader>,
    watch: Watch,
}

impl Unpacking {
    fn run(mut self, staging: &Staging) -> Result<(), Failure> {
        let path = staging.join(NAME);
        fs::create_dir(&path).during("create rootfs")?;
        let root = Root::open(&path).during("open rootfs")?;
        let outcome =
            regimg_unpack::apply_all(self.readers, &root, &Options::default(), &mut self.watch);
        outcome.map(drop).map_err(|error| self.watch.failure(error))
    }
}

/// What the person who reads the log is told about each layer.
struct Watch {
    layers: Vec<Layer>,
    report: Reporter,
}

impl Watch {
    /// Says which layer an error is about by its digest, which is what a registry and a
    /// build's output know it by; the unpacker knows only its place.
    fn failure(&self, error: regimg_unpack::Error) -> Failure {
        let layer = error.layer().and_then(|index| self.layers.get(index));
        // What the disk refuses is not the download's fault.
        let reading = layer.filter(|_| error.kind() != ErrorKind::System);
        let (phase, error) = match layer {
            Some(layer) => (format!("layer {}", layer.digest), error.without_layer()),
            None => ("unpack".to_owned(), error),
        };
        Failure {
            reading: reading.map(|layer| Arc::clone(&layer.spool)),
            error: Error::During {
                phase: phase.into(),
                source: error.into(),
            },
        }
    }
}

impl Progress for Watch {
    fn layer_started(&mut self, index: usize) {
        self.layers[index].bar.work("unpacking");
    }

    fn layer_finished(&mut self, index: usize) {
        self.layers[index].bar.done("done");
    }

    fn warn(&mut self, index: usize, warning: &Warning) {
        let digest = &self.layers[index].digest;
        self.report.warn(&format!("layer {digest}: {warning}"));
    }
}
