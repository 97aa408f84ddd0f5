//! What a server says that does not take an update, and what that means.

use http::StatusCode;
use serde_json::Value;
use url::Url;

use super::place::Place;
use crate::masking::Mask;
use crate::{Error, ErrorKind, envelope};

/// Says that somebody else published in between.
pub(super) fn is_outdated(error: &Error) -> bool {
    error.codes().any(|code| code == "VERSION")
}

/// Explains an answer with status 400.
pub(super) fn read<'a>(
    place: &Place,
    url: &Url,
    body: &[u8],
    secrets: impl Iterator<Item = &'a str>,
) -> Error {
    let answer = Error::answer(url, StatusCode::BAD_REQUEST, envelope::parse(body));
    let secrets: Vec<&str> = secrets.collect();
    let answer = answer.without(&secrets);
    let said = detail(body).unwrap_or_default();
    let text = match Mask::new(&secrets).clean(&said.message) {
        text if text.is_empty() => answer.message().to_owned(),
        text => text,
    };
    let message = match text.as_str() {
        "" => format!("the update of {place} was refused"),
        text => format!("the update of {place} was refused: {text}"),
    };
    let kind = if said.is_uninitialised() {
        ErrorKind::NotFound
    } else {
        ErrorKind::Rejected
    };
    let codes: Vec<String> = answer.codes().map(str::to_owned).collect();
    let error = Error::new(kind, message).with_codes(codes);
    let error = match said.advice(&answer, place) {
        Some(advice) => error.with_hint(advice),
        None => error,
    };
    error.with_source(answer)
}

#[derive(Default)]
struct Detail {
    /// `ErrBadTargets` and the like.
    name: String,
    message: String,
}

/// Finds `errors[0].detail`, which is `{"Name": …, "Error": {"Msg": …}}` or a text.
fn detail(body: &[u8]) -> Option<Detail> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let detail = body.get("errors")?.get(0)?.get("detail")?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(message) = text(detail) {
        let name = String::new();
        return Some(Detail { name, message });
    }
    Some(Detail {
        name: detail.get("Name").and_then(text)?,
        message: detail.get("Error")?.get("Msg").and_then(text)?,
    })
}

impl Detail {
    fn is_uninitialised(&self) -> bool {
        self.name == "ErrValidation" && self.message.contains("no pre-existing root")
    }

    /// The server that signs itself says the first, one with a signer of its own the second.
    fn wants_snapshot(&self) -> bool {
        let is_not_found = self.message.contains("NotFound") && self.message.contains("key ");
        self.name == "ErrBadHierarchy" || (self.name == "ErrValidation" && is_not_found)
    }

    fn advice(&self, answer: &Error, place: &Place) -> Option<String> {
        if self.is_uninitialised() {
            return Some(super::trust::to_initialise(&place.gun));
        }
        if self.wants_snapshot() {
            return Some(super::trust::to_rotate_snapshot(&place.gun));
        }
        match answer.codes().next()? {
            "VERSION" => Some("somebody else publishes all the time; try again".to_owned()),
            "INVALID_GUN" => Some("the server takes repositories of other names only".to_owned()),
            _ => None,
        }
    }
}
