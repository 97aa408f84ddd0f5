//! What Concourse sends on stdin and reads from stdout.

mod decode;
mod encode;
mod request;
mod response;
mod surrogates;

pub use decode::DecodeError;
pub use encode::to_json;
pub use request::{
    CheckRequest, ContentTrust, GetParams, GetRequest, MaybeSecret, PlatformSpec, PutParams,
    PutRequest, RegistryMirror, RequestedVersion, Source, TagValue,
};
pub use response::{MetadataField, StepResponse, Version};

use serde::de::DeserializeOwned;

/// Decodes the first JSON value on stdin as one of the requests.
///
/// The rules are those of Go's `encoding/json` with `DisallowUnknownFields`,
/// because pipelines have been written against them: keys match whatever their
/// case, `null` leaves the default, of two equal keys the last wins field by field,
/// unknown keys are refused at every level, what is no character becomes U+FFFD,
/// and bytes after the first value are not looked at.
///
/// # Errors
///
/// Empty input (`EOF`), input that stops early (`unexpected EOF`), malformed JSON,
/// an unknown key, or a value of the wrong type; the text names the field.
pub fn from_slice<T: DeserializeOwned>(input: &[u8]) -> Result<T, DecodeError> {
    decode::from_slice(input)
}

/// Says whether `input` holds a whole JSON value, or one that no further byte mends.
pub(crate) fn is_complete(input: &[u8]) -> bool {
    decode::is_complete(input)
}
