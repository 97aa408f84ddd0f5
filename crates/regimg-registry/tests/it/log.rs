//! The debug log of a test, and the secrets that must not stand in it.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use regimg_registry::Credential;
use regimg_tests::registry::{Record, Registry};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

/// Writes down what this crate and those beneath it tell, each event on its own line.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<String>>);

impl Log {
    /// Listens on this thread until the guard is dropped.
    pub(crate) fn listen(&self) -> tracing::subscriber::DefaultGuard {
        tracing::subscriber::set_default(self.clone())
    }

    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }

    /// The messages of the warnings.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let text = self.text();
        let lines = text.lines();
        let warnings = lines.filter_map(|line| line.strip_prefix("WARN regimg_registry"));
        let message = |line: &str| Some(line.split_once("message=")?.1.to_owned());
        warnings.filter_map(message).collect()
    }
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::DEBUG
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = self.0.lock().unwrap();
        let metadata = event.metadata();
        write!(text, "{} {}", metadata.level(), metadata.target()).unwrap();
        event.record(&mut Line(&mut text));
        text.push('\n');
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Everything that a client knew or was told and nobody else may read.
pub(crate) fn secrets(registry: &Registry, credential: &Credential) -> Vec<String> {
    let given = match credential {
        Credential::Anonymous => None,
        Credential::Basic { password, .. } => Some(password),
        Credential::IdentityToken(token) | Credential::RegistryToken(token) => Some(token),
    };
    let requests = registry.requests();
    let mut secrets: Vec<String> = requests.iter().flat_map(of_request).collect();
    secrets.extend(given.map(|secret| secret.expose().to_owned()));
    secrets.retain(|secret| !secret.is_empty());
    secrets.sort_unstable();
    secrets.dedup();
    secrets
}

/// What stood behind `Basic` and `Bearer`, and the values of signatures and upload states.
fn of_request(record: &Record) -> Vec<String> {
    let names = ["authorization", "proxy-authorization"];
    let shown = names.iter().filter_map(|name| record.header(name));
    let shown = shown.filter_map(|value| value.split_once(' '));
    let query = record.query.as_deref().unwrap_or_default();
    let hidden = query
        .split('&')
        .filter(|part| part.starts_with("signature=") || part.starts_with("_state="));
    shown
        .map(|(_, secret)| secret)
        .chain(hidden)
        .map(str::to_owned)
        .collect()
}

/// Asserts that none of `secrets` stands in `told`.
#[track_caller]
pub(crate) fn holds_no_secret(told: &str, secrets: &[String]) {
    for secret in secrets {
        assert!(!told.contains(secret.as_str()), "{secret} in {told}");
    }
}
