//! Documents of an image, read from a registry.

use bytes::Bytes;
use regimg_core::{Descriptor, ImageConfig};
use regimg_registry::RepositoryClient;

use crate::error::Cause;

/// A configuration is a page of JSON; the largest ones known are some hundred KiB. A check
/// holds as many as there are requests under way.
pub(crate) const CONFIG_LIMIT: u64 = 2 << 20;

/// Reads a configuration: its exact bytes, verified, and what they say.
///
/// # Errors
///
/// It cannot be had, is larger than 2 MiB, or is no configuration of an image.
pub(crate) async fn config(
    repository: &RepositoryClient,
    descriptor: &Descriptor,
) -> Result<(Bytes, ImageConfig), Cause> {
    let bytes = repository.read_blob(descriptor, CONFIG_LIMIT).await?;
    let config = ImageConfig::parse(&bytes)?;
    Ok((bytes, config))
}
