//! Makes of a regular answer what a fault wants.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::body::BodyPlan;
use super::fault::{Fault, HeaderChange, Leaving};
use super::reply::Reply;
use crate::{Compression, Content};

/// An answer ready to be sent.
pub(super) struct Dressed {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) plan: BodyPlan,
}

/// Replaces, then reshapes the body, then declares its length, then changes headers: a test has the last word.
pub(super) fn dress(mut reply: Reply, fault: Fault) -> Dressed {
    if let Some(body) = fault.body {
        replace(&mut reply, body);
    }
    if fault.gzip {
        let packed = Compression::Gzip.encode(&reply.content.bytes());
        replace(&mut reply, packed);
        reply
            .headers
            .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let status = fault.as_status.unwrap_or(reply.status);
    let end = fault.truncate.map_or(reply.end, |length| {
        reply.end.min(reply.start.saturating_add(length))
    });
    let plan = BodyPlan {
        content: reply.content,
        start: reply.start,
        end,
        extra: fault.extend,
        corrupt: fault.corrupt,
        stops: fault.stops,
        pace: fault.pace,
        hang_up: fault.leaving == Leaving::HangUp,
    };
    let mut headers = reply.headers;
    if status != StatusCode::NO_CONTENT {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(plan.length()));
    }
    fault
        .headers
        .into_iter()
        .for_each(|change| apply(change, &mut headers));
    Dressed {
        status,
        headers,
        plan,
    }
}

fn replace(reply: &mut Reply, body: Bytes) {
    reply.content = Content::from(body);
    (reply.start, reply.end) = (0, reply.content.len());
}

fn apply(change: HeaderChange, headers: &mut HeaderMap) {
    match change {
        HeaderChange::Set(name, value) => {
            headers.insert(name, value);
        }
        HeaderChange::Add(name, value) => {
            headers.append(name, value);
        }
        HeaderChange::Remove(name) => {
            headers.remove(name);
        }
    }
}
