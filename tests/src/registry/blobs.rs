//! Blobs: `GET` with and without a range, `HEAD`, `DELETE`.

use http::{HeaderMap, Method, StatusCode, header};

use super::reply::{CONTENT_DIGEST, Reply};
use super::store::Store;
use crate::Digest;

pub(super) fn get(
    store: &Store,
    method: &Method,
    repository: &str,
    digest: &str,
    headers: &HeaderMap,
) -> Reply {
    let Some(digest) = Digest::parse(digest) else {
        return Reply::error(
            StatusCode::BAD_REQUEST,
            "DIGEST_INVALID",
            "the digest is malformed",
        );
    };
    let Some(content) = store.blob(repository, &digest) else {
        return Reply::not_found("BLOB_UNKNOWN", "blob unknown to registry");
    };
    let total = content.len();
    let etag = format!("\"{digest}\"");
    let mut reply = Reply::new(StatusCode::OK, content)
        .with(header::CONTENT_TYPE, "application/octet-stream")
        .with(header::ACCEPT_RANGES, "bytes")
        .with(header::ETAG, &etag)
        .with(CONTENT_DIGEST, &digest);
    let current = headers
        .get(header::IF_RANGE)
        .is_none_or(|value| value.as_bytes() == etag.as_bytes());
    let wanted = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok());
    match wanted
        .filter(|_| current && *method == Method::GET)
        .map(|text| range(text, total))
    {
        None | Some(Asked::Unusable) => reply,
        Some(Asked::Nothing) => Reply::empty(StatusCode::RANGE_NOT_SATISFIABLE)
            .with(header::CONTENT_RANGE, format!("bytes */{total}")),
        Some(Asked::Part(start, end)) => {
            reply.status = StatusCode::PARTIAL_CONTENT;
            (reply.start, reply.end) = (start, end);
            reply.with(
                header::CONTENT_RANGE,
                format!("bytes {start}-{}/{total}", end - 1),
            )
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// From the first number up to before the second.
    Part(u64, u64),
    /// Well-formed, but nothing of it exists.
    Nothing,
    /// Several ranges or another unit: RFC 9110 lets a server ignore these.
    Unusable,
}

fn range(text: &str, total: u64) -> Asked {
    let Some((first, last)) = text
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
    else {
        return Asked::Unusable;
    };
    let part = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, total.min(last.saturating_add(1))),
        (Ok(first), Err(_)) if last.is_empty() => (first, total),
        (Err(_), Ok(last)) if first.is_empty() => (total.saturating_sub(last), total),
        _ => return Asked::Unusable,
    };
    if part.0 < part.1 {
        Asked::Part(part.0, part.1)
    } else {
        Asked::Nothing
    }
}

pub(super) fn delete(store: &mut Store, repository: &str, digest: &str) -> Reply {
    let removed =
        Digest::parse(digest).is_some_and(|digest| store.remove_blob(repository, &digest));
    if removed {
        Reply::empty(StatusCode::ACCEPTED)
    } else {
        Reply::not_found("BLOB_UNKNOWN", "blob unknown to registry")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let cases = [
            ("bytes=0-0", Asked::Part(0, 1)),
            ("bytes=2-", Asked::Part(2, 10)),
            ("bytes=2-100", Asked::Part(2, 10)),
            ("bytes=-3", Asked::Part(7, 10)),
            ("bytes=-30", Asked::Part(0, 10)),
            ("bytes=10-", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=3-2", Asked::Unusable),
            ("bytes=0-1,3-4", Asked::Unusable),
            ("lines=0-1", Asked::Unusable),
            ("bytes=-", Asked::Unusable),
        ];
        for (text, expected) in cases {
            assert_eq!(range(text, 10), expected, "{text}");
        }
    }
}
