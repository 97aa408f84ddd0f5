//! Which handler answers which route.

use http::request::Parts;
use http::{Method, StatusCode};

use super::access::{self, Grant};
use super::auth::Scheme;
use super::body::{Broken, RequestBody};
use super::reply::Reply;
use super::route::Route;
use super::service::Service;
use super::uploads::{UploadLocation, Uploads};
use super::{blobs, lock, manifests, tags, token, trust};

impl Service {
    /// Answers a request that is allowed.
    pub(super) async fn endpoint(
        &self,
        route: Route<'_>,
        head: &Parts,
        body: &mut RequestBody,
    ) -> Result<Reply, Broken> {
        match route {
            Route::Uploads { repository } | Route::Upload { repository, .. } => {
                self.upload(route, repository, head, body).await
            }
            Route::Manifest {
                repository,
                reference,
            } if head.method == Method::PUT => {
                let bytes = body.collect().await?;
                let mut store = lock(&self.store);
                Ok(manifests::put(
                    &mut store,
                    repository,
                    reference,
                    &head.headers,
                    bytes,
                ))
            }
            Route::Trust {
                repository,
                file: "",
            } if head.method == Method::POST => {
                let bytes = body.collect().await?;
                let mut trust = lock(&self.trust);
                Ok(trust::update(&mut trust, repository, &head.headers, &bytes))
            }
            _ => {
                body.drain().await;
                Ok(match head.method {
                    Method::GET | Method::HEAD => self.read(route, head),
                    Method::DELETE => self.delete(route),
                    _ => Reply::fault(StatusCode::METHOD_NOT_ALLOWED),
                })
            }
        }
    }

    fn read(&self, route: Route<'_>, head: &Parts) -> Reply {
        let store = lock(&self.store);
        let query = token::parse(head.uri.query().unwrap_or_default());
        match route {
            Route::Ping => Reply::json(StatusCode::OK, &serde_json::json!({})),
            Route::Manifest {
                repository,
                reference,
            } => manifests::get(&store, repository, reference),
            Route::Blob { repository, digest } => {
                blobs::get(&store, &head.method, repository, digest, &head.headers)
            }
            Route::Tags { repository } => tags::list(
                &store,
                &lock(&self.paging),
                &self.urls.registry,
                repository,
                &query,
            ),
            Route::Referrers { repository, digest } => {
                let kind = token::field(&query, "artifactType");
                manifests::referrers(&store, repository, digest, kind)
            }
            Route::Trust { repository, file } => trust::get(&lock(&self.trust), repository, file),
            _ => Reply::not_found("UNSUPPORTED", "no such endpoint"),
        }
    }

    fn delete(&self, route: Route<'_>) -> Reply {
        let mut store = lock(&self.store);
        match route {
            Route::Manifest {
                repository,
                reference,
            } => manifests::delete(&mut store, repository, reference),
            Route::Blob { repository, digest } => blobs::delete(&mut store, repository, digest),
            _ => Reply::fault(StatusCode::METHOD_NOT_ALLOWED),
        }
    }

    async fn upload(
        &self,
        route: Route<'_>,
        repository: &str,
        head: &Parts,
        body: &mut RequestBody,
    ) -> Result<Reply, Broken> {
        let raw_query = head.uri.query().unwrap_or_default();
        let query = token::parse(raw_query);
        let base = match self.upload_location {
            UploadLocation::Elsewhere => &self.urls.elsewhere,
            _ => &self.urls.registry,
        };
        let uploads = Uploads {
            store: &self.store,
            location: self.upload_location,
            base,
            minimal_chunk: self.minimal_chunk,
            repository,
            query: &query,
            raw_query,
        };
        match (route, &head.method) {
            (Route::Uploads { .. }, &Method::POST) => {
                uploads
                    .start(body, |source| self.may_mount(head, source))
                    .await
            }
            (Route::Upload { id, .. }, &Method::PATCH) => {
                uploads.append(id, &head.headers, body).await
            }
            (Route::Upload { id, .. }, &Method::PUT) => uploads.finish(id, body).await,
            (Route::Upload { id, .. }, &Method::GET) => Ok(uploads.status(id)),
            (Route::Upload { id, .. }, &Method::DELETE) => Ok(uploads.cancel(id)),
            _ => Ok(Reply::fault(StatusCode::METHOD_NOT_ALLOWED)),
        }
    }

    /// Where tokens are asked for, the source of a mount must be readable with the token that is shown.
    fn may_mount(&self, head: &Parts, source: &str) -> bool {
        let auth = self.auth();
        if auth.scheme != Scheme::Bearer {
            return true;
        }
        let pull = Grant {
            repository: source.to_owned(),
            action: "pull".to_owned(),
        };
        access::bearer_token(&head.headers).is_some_and(|shown| {
            auth.fixed_token.as_deref() == Some(shown) || self.tokens.grants(shown, &pull)
        })
    }
}
