//! What a request's path stands for.

use http::Method;

/// The kind of thing that a request is about, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteKind {
    /// `/v2/` itself.
    Ping,
    /// Manifests by tag or digest.
    Manifest,
    /// Blobs by digest.
    Blob,
    /// Uploads: starting, sending, asking, finishing, cancelling.
    Upload,
    /// The list of tags.
    Tags,
    /// Referrers of a manifest.
    Referrers,
    /// Trust data and their updates.
    Trust,
    /// The token service.
    Token,
    /// Anything else.
    Other,
}

/// A path taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    Ping,
    Manifest {
        repository: &'a str,
        reference: &'a str,
    },
    Blob {
        repository: &'a str,
        digest: &'a str,
    },
    Uploads {
        repository: &'a str,
    },
    Upload {
        repository: &'a str,
        id: &'a str,
    },
    Tags {
        repository: &'a str,
    },
    Referrers {
        repository: &'a str,
        digest: &'a str,
    },
    /// A file of the notary server; none for an update.
    Trust {
        repository: &'a str,
        file: &'a str,
    },
    Token,
    Unknown,
}

impl<'a> Route<'a> {
    pub(super) fn parse(path: &'a str) -> Self {
        if path == super::auth::TOKEN_PATH {
            return Self::Token;
        }
        let Some(rest) = path.strip_prefix("/v2/") else {
            return if path == "/v2" {
                Self::Ping
            } else {
                Self::Unknown
            };
        };
        if rest.is_empty() {
            return Self::Ping;
        }
        Self::in_repository(rest).unwrap_or(Self::Unknown)
    }

    fn in_repository(rest: &'a str) -> Option<Self> {
        if let Some((repository, file)) = rest.split_once("/_trust/tuf/") {
            return Some(Self::Trust { repository, file });
        }
        if let Some(repository) = rest.strip_suffix("/tags/list") {
            return Some(Self::Tags { repository });
        }
        if let Some((repository, id)) = rest.rsplit_once("/blobs/uploads/") {
            return Some(match id {
                "" => Self::Uploads { repository },
                id => Self::Upload { repository, id },
            });
        }
        let (head, last) = rest.rsplit_once('/')?;
        let (repository, kind) = head.rsplit_once('/')?;
        Some(match kind {
            "manifests" => Self::Manifest {
                repository,
                reference: last,
            },
            "blobs" if last == "uploads" => Self::Uploads { repository },
            "blobs" => Self::Blob {
                repository,
                digest: last,
            },
            "referrers" => Self::Referrers {
                repository,
                digest: last,
            },
            _ => return None,
        })
    }

    pub(super) fn kind(self) -> RouteKind {
        match self {
            Self::Ping => RouteKind::Ping,
            Self::Manifest { .. } => RouteKind::Manifest,
            Self::Blob { .. } => RouteKind::Blob,
            Self::Uploads { .. } | Self::Upload { .. } => RouteKind::Upload,
            Self::Tags { .. } => RouteKind::Tags,
            Self::Referrers { .. } => RouteKind::Referrers,
            Self::Trust { .. } => RouteKind::Trust,
            Self::Token => RouteKind::Token,
            Self::Unknown => RouteKind::Other,
        }
    }

    pub(super) fn repository(self) -> Option<&'a str> {
        match self {
            Self::Manifest { repository, .. }
            | Self::Blob { repository, .. }
            | Self::Uploads { repository }
            | Self::Upload { repository, .. }
            | Self::Tags { repository }
            | Self::Referrers { repository, .. }
            | Self::Trust { repository, .. } => Some(repository),
            Self::Ping | Self::Token | Self::Unknown => None,
        }
    }

    /// The permission that a request needs in its repository.
    pub(super) fn action(method: &Method) -> &'static str {
        match *method {
            Method::GET | Method::HEAD => "pull",
            _ => "push",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        let cases = [
            ("/v2/", Route::Ping),
            ("/v2", Route::Ping),
            (
                "/v2/a/b/manifests/1.0",
                Route::Manifest {
                    repository: "a/b",
                    reference: "1.0",
                },
            ),
            (
                "/v2/a/blobs/sha256:0",
                Route::Blob {
                    repository: "a",
                    digest: "sha256:0",
                },
            ),
            ("/v2/a/blobs/uploads/", Route::Uploads { repository: "a" }),
            ("/v2/a/blobs/uploads", Route::Uploads { repository: "a" }),
            (
                "/v2/a/blobs/uploads/7",
                Route::Upload {
                    repository: "a",
                    id: "7",
                },
            ),
            (
                "/v2/manifests/tags/list",
                Route::Tags {
                    repository: "manifests",
                },
            ),
            (
                "/v2/a/referrers/sha256:0",
                Route::Referrers {
                    repository: "a",
                    digest: "sha256:0",
                },
            ),
            (
                "/v2/a:1/b/_trust/tuf/targets/c.json",
                Route::Trust {
                    repository: "a:1/b",
                    file: "targets/c.json",
                },
            ),
            (
                "/v2/a/_trust/tuf/",
                Route::Trust {
                    repository: "a",
                    file: "",
                },
            ),
            ("/token", Route::Token),
            ("/v2/a", Route::Unknown),
            ("/elsewhere", Route::Unknown),
        ];
        for (path, expected) in cases {
            assert_eq!(Route::parse(path), expected, "{path}");
        }
    }
}
