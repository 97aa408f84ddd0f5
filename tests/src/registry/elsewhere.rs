//! The second address, as a content delivery network behind a registry: signed URLs, no credentials.

use std::collections::HashMap;
use std::sync::Mutex;

use http::request::Parts;
use http::{StatusCode, header};

use super::lock;
use super::reply::Reply;

/// The signatures that were given out, and how often each is still good; none for ever.
#[derive(Debug, Default)]
pub(super) struct Signatures(Mutex<HashMap<String, Option<u32>>>);

impl Signatures {
    /// Adds a new signature to `target`, a path with or without a query.
    pub(super) fn sign(&self, target: &str, uses: Option<u32>) -> String {
        let mut signatures = lock(&self.0);
        let signature = format!("signature={}", signatures.len() + 1);
        signatures.insert(signature.clone(), uses);
        let joint = if target.contains('?') { '&' } else { '?' };
        format!("{target}{joint}{signature}")
    }

    /// Lets a request pass that carries no credentials, and no signature or one that is still good.
    pub(super) fn check(&self, head: &Parts) -> Result<(), Box<Reply>> {
        if head.headers.contains_key(header::AUTHORIZATION) {
            let message = "Only one auth mechanism allowed";
            return refuse(StatusCode::BAD_REQUEST, "InvalidArgument", message);
        }
        let query = head.uri.query().unwrap_or_default();
        let Some(signature) = query.split('&').find(|part| part.starts_with("signature=")) else {
            return Ok(());
        };
        match lock(&self.0).get_mut(signature) {
            Some(None) => Ok(()),
            Some(Some(uses)) if *uses > 0 => {
                *uses -= 1;
                Ok(())
            }
            _ => refuse(StatusCode::FORBIDDEN, "AccessDenied", "Request has expired"),
        }
    }
}

fn refuse(status: StatusCode, code: &str, message: &str) -> Result<(), Box<Reply>> {
    Err(Box::new(Reply::error(status, code, message)))
}
