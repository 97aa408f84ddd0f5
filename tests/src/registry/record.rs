//! The diary of the registry: what was asked, on which connection, and what was answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, Method, StatusCode, Version};

use super::connection::Connection;
use super::lock;
use super::pattern::Pattern;
use super::route::{Route, RouteKind};
use super::token;
use std::sync::Mutex;

/// Which of the registry's three listeners took a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// The registry's own address.
    Registry,
    /// The second address, to which downloads and uploads may be sent; it must never see credentials.
    Elsewhere,
    /// The address of the token service when it is not the registry's own.
    Tokens,
}

/// One request and its answer.
#[derive(Clone, Debug)]
pub struct Record {
    /// Counts from 0 in the order in which requests arrived.
    pub sequence: usize,
    /// The listener that took it.
    pub origin: Origin,
    /// The connection, counted from 0 in the order of acceptance over all listeners.
    pub connection: usize,
    /// Whether it came by TLS.
    pub tls: bool,
    /// HTTP/1.1 or HTTP/2.
    pub version: Version,
    /// The method.
    pub method: Method,
    /// The path, as it was sent.
    pub path: String,
    /// What stood after the question mark, as it was sent.
    pub query: Option<String>,
    /// The request's headers, `Authorization` included.
    pub headers: HeaderMap,
    /// The request's body if it is a form, as it was sent.
    pub form: String,
    /// How many bytes of the request's body arrived.
    pub received: u64,
    /// The answer's status; none while there is none, or when the connection was ended instead.
    pub status: Option<StatusCode>,
    /// How many bytes of the answer's body were handed to the connection.
    pub sent: u64,
    /// When the request's head had arrived.
    pub started: Instant,
    /// When the answer was complete or given up; none while it is under way.
    pub finished: Option<Instant>,
}

impl Record {
    /// A header's value when it is there and text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The value of `Authorization`.
    pub fn authorization(&self) -> Option<&str> {
        self.header("authorization")
    }

    /// Path and query as they were sent.
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// A field of the query or of the form, decoded.
    pub fn field(&self, name: &str) -> Option<String> {
        let query = self.query.as_deref().unwrap_or_default();
        let mut fields = token::parse(query);
        fields.extend(token::parse(&self.form));
        token::field(&fields, name).map(str::to_owned)
    }

    /// The kind of route that was asked.
    pub fn kind(&self) -> RouteKind {
        Route::parse(&self.path).kind()
    }

    /// `METHOD target -> status`, or `-> cut` when no answer was sent.
    pub fn line(&self) -> String {
        let status = self
            .status
            .map_or_else(|| "cut".to_owned(), |status| status.as_str().to_owned());
        format!("{} {} -> {status}", self.method, self.target())
    }
}

#[derive(Debug, Default)]
pub(super) struct Diary {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    records: Vec<Record>,
    /// Sequence numbers go on after a clearing.
    cleared: usize,
    connections: BTreeMap<Origin, usize>,
    in_flight: BTreeMap<RouteKind, InFlight>,
}

#[derive(Clone, Copy, Debug, Default)]
struct InFlight {
    now: usize,
    most: usize,
}

impl Diary {
    /// Counts a connection and gives its number.
    pub(super) fn connect(&self, origin: Origin) -> usize {
        let mut state = lock(&self.state);
        let number = state.connections.values().sum();
        *state.connections.entry(origin).or_default() += 1;
        number
    }

    pub(super) fn connections(&self, origin: Origin) -> usize {
        lock(&self.state)
            .connections
            .get(&origin)
            .copied()
            .unwrap_or_default()
    }

    /// Writes a request down; the entry follows it until it is dropped.
    pub(super) fn begin(
        self: &Arc<Self>,
        connection: &Connection,
        head: &http::request::Parts,
    ) -> Entry {
        let kind = Route::parse(head.uri.path()).kind();
        let mut state = lock(&self.state);
        let in_flight = state.in_flight.entry(kind).or_default();
        in_flight.now += 1;
        in_flight.most = in_flight.most.max(in_flight.now);
        let sequence = state.cleared + state.records.len();
        state.records.push(Record {
            sequence,
            origin: connection.origin,
            connection: connection.number,
            tls: connection.tls,
            version: head.version,
            method: head.method.clone(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().map(str::to_owned),
            headers: head.headers.clone(),
            form: String::new(),
            received: 0,
            status: None,
            sent: 0,
            started: Instant::now(),
            finished: None,
        });
        Entry {
            diary: Arc::clone(self),
            sequence,
            kind,
        }
    }

    pub(super) fn records(&self) -> Vec<Record> {
        lock(&self.state).records.clone()
    }

    pub(super) fn clear(&self) {
        let mut state = lock(&self.state);
        state.cleared += state.records.len();
        state.records.clear();
        for in_flight in state.in_flight.values_mut() {
            in_flight.most = in_flight.now;
        }
    }

    pub(super) fn count(&self, method: &str, pattern: &Pattern) -> usize {
        let state = lock(&self.state);
        let wanted =
            |record: &&Record| record.method == method && pattern.matches(&record.target());
        state.records.iter().filter(wanted).count()
    }

    pub(super) fn max_in_flight(&self, kind: RouteKind) -> usize {
        lock(&self.state)
            .in_flight
            .get(&kind)
            .map_or(0, |in_flight| in_flight.most)
    }

    /// The connections that carried at least one request to this listener.
    pub(super) fn used_connections(&self, origin: Origin) -> usize {
        let state = lock(&self.state);
        let of_origin = state
            .records
            .iter()
            .filter(|record| record.origin == origin);
        of_origin
            .map(|record| record.connection)
            .collect::<BTreeSet<_>>()
            .len()
    }
}

/// The growing record of one request.
#[derive(Debug)]
pub(super) struct Entry {
    diary: Arc<Diary>,
    sequence: usize,
    kind: RouteKind,
}

impl Entry {
    pub(super) fn received(&self, bytes: usize) {
        self.update(|record| record.received += bytes as u64);
    }

    /// Keeps what arrived if it belongs to a form.
    pub(super) fn form(&self, bytes: &[u8]) {
        self.update(|record| {
            let kind = record.header("content-type");
            if kind == Some("application/x-www-form-urlencoded") {
                record.form.push_str(&String::from_utf8_lossy(bytes));
            }
        });
    }

    pub(super) fn answered(&self, status: StatusCode) {
        self.update(|record| record.status = Some(status));
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.update(|record| record.sent += bytes as u64);
    }

    /// Does nothing when the diary was cleared meanwhile.
    fn update(&self, change: impl FnOnce(&mut Record)) {
        let mut state = lock(&self.diary.state);
        let at = self.sequence.checked_sub(state.cleared);
        if let Some(record) = at.and_then(|at| state.records.get_mut(at)) {
            change(record);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.update(|record| record.finished = Some(Instant::now()));
        if let Some(in_flight) = lock(&self.diary.state).in_flight.get_mut(&self.kind) {
            in_flight.now -= 1;
        }
    }
}
