//! Reading JSON that Go programs wrote: `null` stands for what is empty.

use serde::{Deserialize, Deserializer};

pub(crate) fn null_is_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
