//! Manifests: `GET`, `HEAD`, `PUT`, `DELETE`, and the referrers that follow from them.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use super::reply::{CONTENT_DIGEST, Reply, SUBJECT};
use super::store::{Store, StoredManifest};
use crate::Digest;

pub(super) fn get(store: &Store, repository: &str, reference: &str) -> Reply {
    match store.manifest(repository, reference) {
        Some((digest, manifest)) => Reply::new(StatusCode::OK, manifest.bytes)
            .with(header::CONTENT_TYPE, manifest.media_type)
            .with(CONTENT_DIGEST, &digest),
        None if store.has_repository(repository) => {
            Reply::not_found("MANIFEST_UNKNOWN", "manifest unknown")
        }
        None => Reply::not_found("NAME_UNKNOWN", "repository name not known to registry"),
    }
}

pub(super) fn put(
    store: &mut Store,
    repository: &str,
    reference: &str,
    headers: &HeaderMap,
    bytes: Bytes,
) -> Reply {
    let Ok(manifest) = serde_json::from_slice::<Value>(&bytes) else {
        return invalid("the manifest is not JSON");
    };
    let digest = match Digest::parse(reference) {
        Some(digest) if digest.matches(&bytes[..]).is_ok_and(|fits| fits) => digest,
        Some(_) => {
            return Reply::error(
                StatusCode::BAD_REQUEST,
                "DIGEST_INVALID",
                "digest did not match",
            );
        }
        None => Digest::sha256(&bytes),
    };
    let declared = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let Some(media_type) = declared else {
        return invalid("there is no content type");
    };
    if manifest["mediaType"]
        .as_str()
        .is_some_and(|inner| inner != media_type)
    {
        return invalid("content type and mediaType differ");
    }
    if let Some(missing) = missing(store, repository, &manifest) {
        return Reply::not_found("MANIFEST_BLOB_UNKNOWN", &format!("{missing} is unknown"));
    }
    let stored = StoredManifest {
        media_type: media_type.to_owned(),
        bytes,
    };
    store.put_manifest(repository, digest.clone(), stored);
    if Digest::parse(reference).is_none() {
        store.set_tag(repository, reference, digest.clone());
    }
    let reply = Reply::empty(StatusCode::CREATED)
        .with(
            header::LOCATION,
            format!("/v2/{repository}/manifests/{digest}"),
        )
        .with(CONTENT_DIGEST, &digest);
    match manifest["subject"]["digest"].as_str() {
        Some(subject) => reply.with(SUBJECT, subject),
        None => reply,
    }
}

fn invalid(message: &str) -> Reply {
    Reply::error(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", message)
}

/// The first blob or manifest that `manifest` needs and the repository lacks. Foreign layers may be absent.
fn missing(store: &Store, repository: &str, manifest: &Value) -> Option<String> {
    let layers = manifest["layers"].as_array().into_iter().flatten();
    let local = layers.filter(|layer| layer["urls"].as_array().is_none_or(Vec::is_empty));
    let config = Some(&manifest["config"]).filter(|config| config.is_object());
    let blobs = config
        .into_iter()
        .chain(local)
        .filter_map(|blob| blob["digest"].as_str());
    let has_blob = |text: &&str| {
        Digest::parse(text).is_some_and(|digest| store.blob(repository, &digest).is_some())
    };
    let children = manifest["manifests"].as_array().into_iter().flatten();
    let children = children.filter_map(|child| child["digest"].as_str());
    let has_manifest = |text: &&str| store.manifest(repository, text).is_some();
    blobs
        .filter(|text| !has_blob(text))
        .chain(children.filter(|text| !has_manifest(text)))
        .next()
        .map(str::to_owned)
}

pub(super) fn delete(store: &mut Store, repository: &str, reference: &str) -> Reply {
    let removed = match Digest::parse(reference) {
        Some(digest) => store.remove_manifest(repository, &digest),
        None => store.remove_tag(repository, reference),
    };
    if removed {
        Reply::empty(StatusCode::ACCEPTED)
    } else {
        Reply::not_found("MANIFEST_UNKNOWN", "manifest unknown")
    }
}

pub(super) fn referrers(
    store: &Store,
    repository: &str,
    subject: &str,
    kind: Option<&str>,
) -> Reply {
    let mut entries = Vec::new();
    for (digest, stored) in store.manifests(repository) {
        let manifest: Value = serde_json::from_slice(&stored.bytes).unwrap_or_default();
        let declared = manifest["artifactType"].as_str();
        let artifact_type = declared.or(manifest["config"]["mediaType"].as_str());
        if manifest["subject"]["digest"] != subject || (kind.is_some() && kind != artifact_type) {
            continue;
        }
        entries.push(json!({
            "mediaType": stored.media_type,
            "digest": digest,
            "size": stored.bytes.len(),
            "artifactType": artifact_type,
            "annotations": manifest["annotations"],
        }));
    }
    let media_type = "application/vnd.oci.image.index.v1+json";
    let index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": entries });
    let reply =
        Reply::new(StatusCode::OK, index.to_string()).with(header::CONTENT_TYPE, media_type);
    match kind {
        Some(_) => reply.with(super::reply::FILTERS, "artifactType"),
        None => reply,
    }
}
