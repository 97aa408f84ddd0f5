//! The notary server behind the same address: trust data by role, and updates.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use super::reply::Reply;
use crate::notary::{Collection, Refusal, parts};

/// The trust data by the names that they are for.
pub(super) type Collections = BTreeMap<String, Collection>;

/// Answers with `ROLE.json`, in all its spellings.
pub(super) fn get(collections: &Collections, name: &str, file: &str) -> Reply {
    let collection = collections.get(name);
    let role = file.strip_suffix(".json");
    match collection
        .zip(role)
        .and_then(|(found, role)| found.document(role))
    {
        Some(bytes) => Reply::new(StatusCode::OK, bytes).with(
            header::CACHE_CONTROL,
            "public, max-age=300, s-maxage=300, must-revalidate",
        ),
        None => Reply::not_found(
            "METADATA_NOT_FOUND",
            "You have requested metadata that does not exist.",
        ),
    }
}

/// Takes an update.
pub(super) fn update(
    collections: &mut Collections,
    name: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Reply {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let Some(parts) = parts(kind, body) else {
        let message = "The body of your request is malformed.";
        return refusal("MALFORMED_UPLOAD", message, &Value::Null);
    };
    let Some(collection) = collections.get_mut(name) else {
        let message = "no pre-existing root and no root provided in update.".to_owned();
        return refused(&Refusal::Invalid("ErrValidation", message));
    };
    match collection.update(&parts) {
        Ok(()) => Reply::empty(StatusCode::OK),
        Err(reason) => refused(&reason),
    }
}

fn refused(reason: &Refusal) -> Reply {
    match reason {
        Refusal::Invalid(kind, message) => {
            let detail = json!({"Name": kind, "Error": {"Msg": message}});
            refusal(
                "INVALID_UPDATE",
                "Update sent by the client is invalid.",
                &detail,
            )
        }
        Refusal::Version => {
            let message = "A newer version of metadata is already available.";
            refusal("VERSION", message, &Value::Null)
        }
        Refusal::Role => {
            let message = "The role you are attempting to operate on is invalid.";
            refusal("INVALID_ROLE", message, &Value::Null)
        }
        Refusal::Json => {
            let message = "JSON sent by the client could not be parsed by the server";
            refusal("MALFORMED_JSON", message, &Value::Null)
        }
    }
}

fn refusal(code: &str, message: &str, detail: &Value) -> Reply {
    let error = json!({"errors": [{"code": code, "message": message, "detail": detail}]});
    Reply::json(StatusCode::BAD_REQUEST, &error)
}
