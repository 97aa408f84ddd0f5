//! Reading and decompression on threads of their own, ahead of whoever applies the layers.
//!
//! Decompressing is the slowest part of most images and cannot be divided, so the thread that
//! does it does nothing else: what reading costs, another one pays.

use std::io::{self, Read};

use crate::decompress::Decoder;
use crate::options::Limits;
use crate::pipe::{self, BUFFER, Outlet};

/// Buffers of a layer's own bytes on their way at most: 4 MiB together, so that decompression
/// goes on while the thread that reads waits for its turn on a busy machine.
const READ: usize = 16;

/// Buffers of archives on their way at most: 16 MiB together. More buys nothing, since what
/// stands ready is read faster than files are written.
const DECOMPRESSED: usize = 64;

/// Starts the threads. The archives come in the order of their layers.
///
/// Layers are passed on as they come, archives in full buffers: a member of gzip for each file,
/// as eStargz has them, shall neither wake the writer for each nor take a buffer each.
pub(crate) fn start<R, I>(layers: I, limits: &Limits) -> io::Result<Outlet>
where
    R: Read,
    I: ExactSizeIterator<Item = R> + Send + 'static,
{
    let count = layers.len();
    let mut read = pipe::spawn("read", READ, |inlet| {
        for mut layer in layers {
            inlet.pass(&mut layer, 1)?;
            inlet.end(0)?;
        }
        Ok(())
    })?;
    let limits = limits.clone();
    pipe::spawn("decompress", DECOMPRESSED, move |inlet| {
        for _ in 0..count {
            let mut decoder = Decoder::new(read.stream(), &limits)?;
            inlet.pass(&mut decoder, BUFFER)?;
            inlet.end(decoder.trailing())?;
        }
        Ok(())
    })
}
