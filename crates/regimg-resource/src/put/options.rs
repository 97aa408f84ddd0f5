//! How layers are to be compressed.

use crate::error::Error;
use crate::image::Compression;
use crate::protocol::PutParams;

/// Reads `compression` and `compression_level`.
///
/// # Errors
///
/// An unknown algorithm, or a level that it does not have.
pub(super) fn compression(params: &PutParams) -> Result<Compression, Error> {
    let level = params.compression_level;
    match params.compression.as_str() {
        "" | "gzip" => match level {
            None => Ok(Compression::GZIP),
            Some(level) => within(level, 0, 9).map(Compression::Gzip),
        },
        "zstd" => match level {
            None => Ok(Compression::ZSTD),
            Some(level) => within(level, 1, 19).map(Compression::Zstd),
        },
        other => Err(Error::Field {
            field: "params.compression",
            problem: format!("'{other}' is neither 'gzip' nor 'zstd'"),
        }),
    }
}

fn within<T: TryFrom<u64>>(level: u64, least: u64, most: u64) -> Result<T, Error> {
    let inside = Some(level).filter(|level| (least..=most).contains(level));
    let inside = inside.and_then(|level| T::try_from(level).ok());
    inside.ok_or_else(|| Error::Field {
        field: "params.compression_level",
        problem: format!("{level} is not from {least} to {most}"),
    })
}
