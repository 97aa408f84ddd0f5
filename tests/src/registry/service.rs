//! From a request to an answer: written down, spoilt by faults, authorised, handled.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::request::Parts;
use http::{Request, Response, Version, header};
use hyper::body::Incoming;

use super::access::{self, Tokens};
use super::auth::{Auth, Realm, TOKEN_PATH};
use super::body::{AnswerBody, Broken, Cut, RequestBody};
use super::connection::Connection;
use super::dress::dress;
use super::elsewhere::Signatures;
use super::fault::{Fault, Instead, Leaving, Redirect, RequestFault};
use super::lock;
use super::record::{Diary, Origin};
use super::reply::Reply;
use super::route::Route;
use super::rule::Faults;
use super::store::Store;
use super::tags::Paging;
use super::token;
use super::trust::Collections;
use super::uploads::UploadLocation;

/// Everything that the listeners share.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) store: Mutex<Store>,
    pub(super) trust: Mutex<Collections>,
    pub(super) diary: Arc<Diary>,
    pub(super) faults: Faults,
    pub(super) latency: Duration,
    pub(super) auth: Mutex<Auth>,
    pub(super) tokens: Tokens,
    pub(super) paging: Mutex<Paging>,
    pub(super) upload_location: UploadLocation,
    pub(super) minimal_chunk: Option<u64>,
    pub(super) signatures: Signatures,
    pub(super) urls: Urls,
}

/// The base URLs of the listeners, without a slash at the end.
#[derive(Clone, Debug)]
pub(super) struct Urls {
    pub(super) registry: String,
    pub(super) elsewhere: String,
    pub(super) tokens: String,
}

impl Service {
    pub(super) async fn handle(
        self: Arc<Self>,
        connection: Arc<Connection>,
        request: Request<Incoming>,
    ) -> Result<Response<AnswerBody>, Cut> {
        let (mut head, incoming) = request.into_parts();
        let entry = Arc::new(self.diary.begin(&connection, &head));
        let origin = connection.origin;
        let fault = self.faults.take(origin, &head);
        tokio::time::sleep(self.latency + fault.delay).await;
        if let Some(ending) = fault.ending {
            return Err(connection.cut(head.version, ending).await);
        }
        if fault.ignore_range {
            head.headers.remove(header::RANGE);
        }
        let mut body = RequestBody::new(incoming, Arc::clone(&entry), fault.request);
        let mut reply = match (
            self.reply(origin, &head, &fault, &mut body).await,
            fault.request,
        ) {
            (Ok(reply), _) => reply,
            (Err(Broken), RequestFault::Stop(_, Some(ending))) => {
                return Err(connection.cut(head.version, ending).await);
            }
            (Err(Broken), _) => return Err(Cut(None)),
        };
        if matches!(fault.request, RequestFault::Stop(_, None)) {
            tokio::spawn(body.forget());
        }
        if fault.leaving == Leaving::GoAway {
            match head.version {
                Version::HTTP_2 => connection.leave(),
                _ => reply = reply.with(header::CONNECTION, "close"),
            }
        }
        let dressed = dress(reply, fault);
        entry.answered(dressed.status);
        let mut response = Response::new(dressed.plan.into_body(connection, head.version, entry));
        *response.status_mut() = dressed.status;
        *response.headers_mut() = dressed.headers;
        Ok(response)
    }

    /// The answer that the fault gives, or the regular one.
    async fn reply(
        &self,
        origin: Origin,
        head: &Parts,
        fault: &Fault,
        body: &mut RequestBody,
    ) -> Result<Reply, Broken> {
        let reply = match &fault.instead {
            None => return self.regular(origin, head, body).await,
            Some(Instead::Status(status)) => Reply::fault(*status),
            Some(Instead::Redirect(redirect)) => self.redirect(redirect, head),
        };
        body.drain().await;
        Ok(reply)
    }

    async fn regular(
        &self,
        origin: Origin,
        head: &Parts,
        body: &mut RequestBody,
    ) -> Result<Reply, Broken> {
        let route = Route::parse(head.uri.path());
        if route == Route::Token {
            let form = body.collect().await?;
            let form = String::from_utf8_lossy(&form);
            return Ok(token::answer(&self.auth(), &self.tokens, head, &form));
        }
        let allowed = match origin {
            Origin::Registry => access::authorize(&self.auth(), &self.tokens, &self.realm(), head),
            Origin::Elsewhere => self.signatures.check(head),
            Origin::Tokens => Err(Box::new(Reply::not_found(
                "UNSUPPORTED",
                "only tokens here",
            ))),
        };
        match allowed {
            Ok(()) => self.endpoint(route, head, body).await,
            Err(refusal) => {
                body.drain().await;
                Ok(*refusal)
            }
        }
    }

    fn redirect(&self, redirect: &Redirect, head: &Parts) -> Reply {
        let target = head
            .uri
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str);
        let location = match redirect {
            Redirect::Url(url) => url.clone(),
            Redirect::Itself => format!("{}{target}", self.urls.registry),
            Redirect::Elsewhere { uses } => {
                format!(
                    "{}{}",
                    self.urls.elsewhere,
                    self.signatures.sign(target, *uses)
                )
            }
        };
        Reply::empty(http::StatusCode::TEMPORARY_REDIRECT).with(header::LOCATION, location)
    }

    pub(super) fn auth(&self) -> Auth {
        lock(&self.auth).clone()
    }

    fn realm(&self) -> String {
        match &lock(&self.auth).realm {
            Realm::Same => format!("{}{TOKEN_PATH}", self.urls.registry),
            Realm::Separate => format!("{}{TOKEN_PATH}", self.urls.tokens),
            Realm::Url(url) => url.clone(),
        }
    }
}
