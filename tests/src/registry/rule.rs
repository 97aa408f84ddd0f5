//! Which requests a fault hits.

use std::sync::Mutex;

use http::{HeaderName, Method};

use super::fault::{Fault, header_name};
use super::lock;
use super::pattern::Pattern;
use super::record::Origin;

/// Chooses requests by method, target, header and number.
///
/// The target is a path, or a path with a query; `*` stands for any run of characters. The second address
/// ([`Origin::Elsewhere`]) is only meant after [`Match::at`].
#[derive(Clone, Debug)]
pub struct Match {
    method: Option<Method>,
    pattern: Pattern,
    origin: Option<Origin>,
    header: Option<(HeaderName, String)>,
    skip: usize,
    remaining: Option<usize>,
}

impl Match {
    /// Matches requests of every method.
    pub fn any(target: &str) -> Self {
        Self {
            method: None,
            pattern: Pattern::whole(target),
            origin: None,
            header: None,
            skip: 0,
            remaining: None,
        }
    }

    /// Matches `GET`.
    pub fn get(target: &str) -> Self {
        Self::method(Method::GET, target)
    }

    /// Matches `HEAD`.
    pub fn head(target: &str) -> Self {
        Self::method(Method::HEAD, target)
    }

    /// Matches `POST`.
    pub fn post(target: &str) -> Self {
        Self::method(Method::POST, target)
    }

    /// Matches `PATCH`.
    pub fn patch(target: &str) -> Self {
        Self::method(Method::PATCH, target)
    }

    /// Matches `PUT`.
    pub fn put(target: &str) -> Self {
        Self::method(Method::PUT, target)
    }

    /// Matches `DELETE`.
    pub fn delete(target: &str) -> Self {
        Self::method(Method::DELETE, target)
    }

    fn method(method: Method, target: &str) -> Self {
        Self {
            method: Some(method),
            ..Self::any(target)
        }
    }

    /// Only requests to this listener.
    #[must_use]
    pub fn at(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Only requests that carry this header with `text` somewhere in its value.
    ///
    /// # Panics
    /// When `name` is no header name.
    #[must_use]
    pub fn with_header(mut self, name: &str, text: &str) -> Self {
        self.header = Some((header_name(name), text.to_owned()));
        self
    }

    /// Lets the first `count` matching requests pass.
    #[must_use]
    pub fn after(mut self, count: usize) -> Self {
        self.skip = count;
        self
    }

    /// Hits `count` requests, then none any more; without it every one is hit.
    #[must_use]
    pub fn times(mut self, count: usize) -> Self {
        self.remaining = Some(count);
        self
    }

    /// Hits one request.
    #[must_use]
    pub fn once(self) -> Self {
        self.times(1)
    }

    fn accepts(&self, origin: Origin, head: &http::request::Parts) -> bool {
        let origin_fits = match self.origin {
            Some(wanted) => wanted == origin,
            None => origin != Origin::Elsewhere,
        };
        let method_fits = self
            .method
            .as_ref()
            .is_none_or(|method| *method == head.method);
        let target = head
            .uri
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str);
        let header_fits = self.header.as_ref().is_none_or(|(name, text)| {
            let values = head.headers.get_all(name).iter();
            values
                .filter_map(|value| value.to_str().ok())
                .any(|value| value.contains(text))
        });
        origin_fits && method_fits && header_fits && self.pattern.matches(target)
    }

    /// Counts a matching request; true when it is to be hit.
    fn hit(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        match &mut self.remaining {
            None => true,
            Some(0) => false,
            Some(count) => {
                *count -= 1;
                true
            }
        }
    }
}

/// The rules of one registry.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<(Match, Fault)>>);

impl Faults {
    pub(super) fn add(&self, rule: Match, fault: Fault) {
        lock(&self.0).push((rule, fault));
    }

    pub(super) fn clear(&self) {
        lock(&self.0).clear();
    }

    /// The fault of the first rule that matches and is not used up.
    pub(super) fn take(&self, origin: Origin, head: &http::request::Parts) -> Fault {
        let mut rules = lock(&self.0);
        // Thousands of rules may be used up in a long run.
        rules.retain(|(rule, _)| rule.remaining != Some(0));
        let mut matching = rules
            .iter_mut()
            .filter(|(rule, _)| rule.accepts(origin, head));
        let found = matching.find_map(|(rule, fault)| rule.hit().then(|| fault.clone()));
        found.unwrap_or_default()
    }
}
