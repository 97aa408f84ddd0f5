//! Events of our crates as log lines.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::{Bar, Reporter, Severity};

/// How the client's events begin that say that it will try again.
const RETRY: &str = "transient error: ";

/// Forwards what `regimg-*` crates say; libraries below them keep to themselves.
#[derive(Debug)]
pub(super) struct EventLayer {
    report: Reporter,
}

impl EventLayer {
    pub(super) fn new(report: Reporter) -> Self {
        Self { report }
    }
}

impl<S: Subscriber> Layer<S> for EventLayer {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with("regimg") && *metadata.level() <= Level::DEBUG
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let severity = match *event.metadata().level() {
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warning,
            Level::INFO => Severity::Info,
            _ => Severity::Debug,
        };
        let mut line = Line::default();
        event.record(&mut line);
        let message = match line.message.starts_with(RETRY).then(Bar::retry_current) {
            Some(Some(name)) => format!("{name}: {}", line.finish()),
            _ => line.finish(),
        };
        self.report.log(severity, &message);
    }
}

/// The message of an event, and its fields after it.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Line {
    fn finish(self) -> String {
        self.message + &self.fields
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String does not fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }
}
