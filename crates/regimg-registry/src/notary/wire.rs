//! Requests to a notary server.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use url::Url;

use super::moment::Moment;
use super::place::Place;
use super::public::{hex, sha256};
use super::refusal;
use super::{Notary, SigningKey};
use crate::Error;
use crate::auth::scope::Scope;
use crate::session::{Call, Lane};
use crate::transport::retry::Retry;
use crate::transport::{Body, Outgoing, Redirects};

/// Bytes of an answer to an update that are read.
const ANSWER_LIMIT: u64 = 64 << 10;

/// A file to send.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) role: String,
    pub(super) version: u64,
    pub(super) bytes: Vec<u8>,
}

/// Asks on behalf of a key, whose secrets no error may hold.
pub(super) struct Wire<'a> {
    notary: &'a Notary,
    key: &'a SigningKey,
}

impl<'a> Wire<'a> {
    pub(super) fn new(notary: &'a Notary, key: &'a SigningKey) -> Self {
        Self { notary, key }
    }

    pub(super) fn now(&self) -> Moment {
        Moment::of(self.notary.session.transport().config().clock.today())
    }

    pub(super) fn retry(&self) -> Retry {
        self.notary.session.transport().retry()
    }

    pub(super) fn place(&self) -> &Place {
        &self.notary.place
    }

    /// Gets a file, such as `root.json`.
    pub(super) async fn get(&self, file: &str, limit: u64) -> Result<Bytes, Error> {
        let mut request = self.request(Method::GET, file).await?;
        // Whatever stands in between may keep a file for minutes, and one whose name holds no
        // hash would then be an old one.
        request
            .headers
            .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        let call = self.call(request);
        let session = &self.notary.session;
        match session.read(&call, &[StatusCode::OK], limit).await {
            Ok(answer) => Ok(answer.body),
            Err(error) => Err(self.told(&format!("cannot read the file {file} of"), error)),
        }
    }

    /// Sends files, all or none of which the server takes.
    pub(super) async fn post(&self, files: &[Upload]) -> Result<(), Error> {
        let mut request = self.request(Method::POST, "").await?;
        let (boundary, body) = multipart(files);
        let kind = format!("multipart/form-data; boundary={boundary}");
        let kind = HeaderValue::from_str(&kind).expect("hexadecimal digits are a header's value");
        request.headers.insert(CONTENT_TYPE, kind);
        request.body = Body::Bytes(body.into());
        let call = self.call(request);
        let answered = [StatusCode::OK, StatusCode::BAD_REQUEST];
        let sent = self.notary.session.request(&call, &answered).await;
        let told = |error: Error| self.told("cannot send the signatures of", error);
        let response = sent.map_err(told)?;
        if response.status() == StatusCode::OK {
            return Ok(());
        }
        let url = response.url().clone();
        let body = response.document(ANSWER_LIMIT).await.map_err(told)?;
        let secrets = self.notary.session.secrets().await;
        let secrets = secrets.iter().map(String::as_str).chain(self.key.secrets());
        Err(refusal::read(self.place(), &url, &body, secrets))
    }

    /// Prepares a request, which follows no redirect: whoever answers has to be the server that
    /// was named, since at the beginning nothing else vouches for what it says.
    async fn request(&self, method: Method, file: &str) -> Result<Outgoing<'static>, Error> {
        let base = self.notary.session.base().await;
        let mut url = base.map_err(|error| self.told("cannot reach the trust data of", error))?;
        url.set_path(&path(&self.place().gun, file));
        let mut request = self.notary.session.transport().outgoing(method, url);
        request.redirects = Redirects::Never;
        Ok(request)
    }

    fn told(&self, what: &str, cause: Error) -> Error {
        let cause = cause.without(self.key.secrets());
        self.place().failed(what, cause)
    }

    fn call<'b>(&self, request: Outgoing<'b>) -> Call<'b> {
        let actions = &self.notary.config.actions;
        Call {
            request,
            scopes: vec![Scope::repository(&self.place().gun, actions)],
            lane: Lane::Request,
        }
    }
}

fn path(gun: &str, file: &str) -> String {
    format!("/v2/{gun}/_trust/tuf/{file}")
}

/// Says whether the GUN stands in an address as it is: a few characters, and no segment that means
/// another one.
pub(super) fn is_gun(gun: &str) -> bool {
    let belongs = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:[]".contains(&byte);
    let is_segment = |part: &str| {
        !part.is_empty() && !part.bytes().all(|byte| byte == b'.') && part.bytes().all(belongs)
    };
    let would_be = |url: Url| url.path() == path(gun, "");
    let address = Url::parse(&format!("https://host{}", path(gun, "")));
    gun.len() <= 255 && gun.split('/').all(is_segment) && address.is_ok_and(would_be)
}

/// Writes the form that the server reads: a part for each file, named for its role.
fn multipart(files: &[Upload]) -> (String, Vec<u8>) {
    let all: Vec<u8> = files.iter().flat_map(|file| &file.bytes).copied().collect();
    // Made of the files, it cannot stand in one of them but by a miracle.
    let boundary = hex(&sha256(&all));
    let mut body = Vec::with_capacity(all.len() + 400 * files.len());
    for file in files {
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{}\"\r\nContent-Type: application/octet-stream\r\n\r\n",
            file.role
        );
        body.extend(head.into_bytes());
        body.extend(&file.bytes);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{boundary}--\r\n").into_bytes());
    (boundary, body)
}
