//! Tag lists and their pages.

use http::{StatusCode, header};
use serde_json::json;

use super::reply::Reply;
use super::store::{Store, Tags};

/// The form of the `Link` header that leads to the next page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LinkForm {
    /// `</v2/…?last=…&n=…>; rel="next"`.
    #[default]
    Path,
    /// The same with scheme and address.
    Absolute,
    /// Only `?last=…&n=…`, relative to the request.
    QueryOnly,
    /// A cursor that is no tag, in a parameter of its own, as Quay's `next_page`.
    Opaque,
    /// `rel=next` without quotes, after another link.
    Unquoted,
    /// A URL on an internal path, absolute and `http`, as Nexus sends it.
    Internal,
    /// A link to the very page that was asked.
    Loop,
    /// A link to this URL.
    Url(String),
    /// No link at all, though there are more pages.
    None,
}

/// How a registry pages its tag lists.
#[derive(Clone, Debug, Default)]
pub struct Paging {
    pub(super) size: Option<usize>,
    pub(super) refuse_above: Option<usize>,
    pub(super) ignore_n: bool,
    pub(super) link: LinkForm,
}

impl Paging {
    /// Pages of at most `size` tags, whatever is asked.
    pub fn of(size: usize) -> Self {
        Self {
            size: Some(size),
            ..Self::default()
        }
    }

    /// Chooses the form of `Link`.
    #[must_use]
    pub fn link(mut self, form: LinkForm) -> Self {
        self.link = form;
        self
    }

    /// Answers 400 to a larger `n`, as ECR does above 1000.
    #[must_use]
    pub fn refuse_above(mut self, count: usize) -> Self {
        self.refuse_above = Some(count);
        self
    }

    /// Always sends everything in one page.
    #[must_use]
    pub fn ignore_n(mut self) -> Self {
        self.ignore_n = true;
        self
    }
}

pub(super) fn list(
    store: &Store,
    paging: &Paging,
    base: &str,
    repository: &str,
    query: &[(String, String)],
) -> Reply {
    let Some(tags) = store.tags(repository) else {
        return Reply::not_found("NAME_UNKNOWN", "repository name not known to registry");
    };
    let value = |name: &str| {
        query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    let wanted = value("n").and_then(|count| count.parse::<usize>().ok());
    if wanted
        .zip(paging.refuse_above)
        .is_some_and(|(wanted, most)| wanted > most)
    {
        return Reply::error(
            StatusCode::BAD_REQUEST,
            "UNSUPPORTED",
            "Invalid parameter at 'maxResults' failed to satisfy constraint",
        );
    }
    let start = start(tags, value("last"), value("next_page"));
    let size = wanted
        .into_iter()
        .chain(paging.size)
        .min()
        .filter(|_| !paging.ignore_n);
    let end = size.map_or(tags.len(), |size| {
        tags.len().min(start.saturating_add(size))
    });
    let page: Vec<&str> = tags.names().take(end).skip(start).collect();
    let reply = Reply::json(StatusCode::OK, &json!({ "name": repository, "tags": page }));
    let link = page
        .last()
        .filter(|_| end < tags.len())
        .and_then(|last| link(&paging.link, base, repository, last, (start, end), wanted));
    match link {
        Some(link) => reply.with(header::LINK, link),
        None => reply,
    }
}

/// The place behind the tag `last`, or the one that an opaque cursor names.
fn start(tags: &Tags, last: Option<&str>, cursor: Option<&str>) -> usize {
    let behind = |last: &str| tags.place(last).map_or(tags.len(), |at| at + 1);
    let named = |cursor: &str| cursor.trim_start_matches("cursor-").parse().unwrap_or(0);
    cursor.map(named).or(last.map(behind)).unwrap_or(0)
}

fn link(
    form: &LinkForm,
    base: &str,
    repository: &str,
    last: &str,
    (start, end): (usize, usize),
    wanted: Option<usize>,
) -> Option<String> {
    let count = wanted
        .map(|count| format!("&n={count}"))
        .unwrap_or_default();
    let path = format!("/v2/{repository}/tags/list");
    let next = format!("?last={last}{count}");
    let opaque = |place: usize| format!("{path}?next_page=cursor-{place}{count}");
    let target = match form {
        LinkForm::Path => format!("{path}{next}"),
        LinkForm::Absolute => format!("{base}{path}{next}"),
        LinkForm::QueryOnly => next,
        LinkForm::Opaque => opaque(end),
        LinkForm::Unquoted => {
            return Some(format!(
                "<{path}>; rel=first, <{path}{next}>; title=\"a, b\"; rel=next"
            ));
        }
        LinkForm::Internal => {
            let host = base
                .trim_start_matches("https://")
                .trim_start_matches("http://");
            format!("http://{host}/repository/docker{path}{next}")
        }
        LinkForm::Loop => opaque(start),
        LinkForm::Url(url) => url.clone(),
        LinkForm::None => return None,
    };
    Some(format!("<{target}>; rel=\"next\""))
}
