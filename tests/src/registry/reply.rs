//! Answers as the handlers give them, before faults are applied.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;

use crate::Content;

/// A status, headers and the part of a content that is the body.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) content: Content,
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Reply {
    pub(super) fn new(status: StatusCode, content: impl Into<Content>) -> Self {
        let content = content.into();
        let end = content.len();
        Self {
            status,
            headers: HeaderMap::new(),
            content,
            start: 0,
            end,
        }
    }

    pub(super) fn empty(status: StatusCode) -> Self {
        Self::new(status, Vec::new())
    }

    pub(super) fn json(status: StatusCode, value: &serde_json::Value) -> Self {
        Self::new(status, value.to_string()).with(header::CONTENT_TYPE, "application/json")
    }

    /// An error in the envelope of the distribution specification.
    pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Self {
        let error = json!({ "errors": [{ "code": code, "message": message, "detail": {} }] });
        Self::json(status, &error)
    }

    pub(super) fn not_found(code: &str, message: &str) -> Self {
        Self::error(StatusCode::NOT_FOUND, code, message)
    }

    /// The error that a fault answers with when the test gives no body.
    pub(super) fn fault(status: StatusCode) -> Self {
        let (code, message) = match status.as_u16() {
            401 => ("UNAUTHORIZED", "authentication required"),
            403 => ("DENIED", "requested access to the resource is denied"),
            404 => ("NAME_UNKNOWN", "repository name not known to registry"),
            405 => ("UNSUPPORTED", "the operation is unsupported"),
            413 => ("SIZE_INVALID", "the body is too large"),
            429 => ("TOOMANYREQUESTS", "too many requests"),
            200..=399 => return Self::empty(status),
            _ => ("UNKNOWN", "something went wrong"),
        };
        Self::error(status, code, message)
    }

    /// Sets a header; a value that is unfit is left out.
    pub(super) fn with(mut self, name: HeaderName, value: impl AsRef<str>) -> Self {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers.insert(name, value);
        }
        self
    }
}

/// `Docker-Content-Digest`.
pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// `Docker-Upload-UUID`.
pub(super) const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
/// `OCI-Subject`.
pub(super) const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
/// `OCI-Filters-Applied`.
pub(super) const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");
/// `OCI-Chunk-Min-Length`.
pub(super) const CHUNK_MINIMUM: HeaderName = HeaderName::from_static("oci-chunk-min-length");
