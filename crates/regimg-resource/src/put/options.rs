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
    let level = params.compression_level.0.as_str();
    match params.compression.as_str() {
        "" | "gzip" if level.is_empty() => Ok(Compression::GZIP),
        "" | "gzip" => Ok(Compression::Gzip(within(level, 0, 9)?)),
        "zstd" if level.is_empty() => Ok(Compression::ZSTD),
        "zstd" => Ok(Compression::Zstd(within(level, 1, 19)?)),
        other => Err(Error::Field {
            field: "params.compression",
            problem: format!("'{other}' is neither 'gzip' nor 'zstd'"),
        }),
    }
}

fn within<T>(level: &str, least: T, most: T) -> Result<T, Error>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let parsed = level.parse().ok();
    let inside = parsed.filter(|level| (&least..=&most).contains(&level));
    inside.ok_or_else(|| Error::Field {
        field: "params.compression_level",
        problem: format!("'{level}' is no number from {least} to {most}"),
    })
}
