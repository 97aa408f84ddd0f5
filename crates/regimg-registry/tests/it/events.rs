//! What is told through `tracing`, and what is not.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use regimg_core::Secret;
use regimg_registry::Credential;
use regimg_tests::Image;
use regimg_tests::registry::{Auth, Fault, Match, Origin, Registry};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

use crate::support::{World, basic, content, stored, tag};

/// Writes every event down, each on its own line.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<String>>);

impl Notes {
    fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Notes {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("regimg_registry")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = self.0.lock().unwrap();
        text.push_str(event.metadata().level().as_str());
        event.record(&mut Line(&mut text));
        text.push('\n');
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn waits_are_told_as_in_go() {
    let world = World::open(Registry::start());
    world
        .registry
        .publish("a/b", "latest", &Image::with_text("x"));
    let limit =
        Fault::status(429).body(r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#);
    world
        .registry
        .fault(Match::get("/v2/a/b/manifests/latest").times(2), limit);
    let notes = Notes::default();
    let guard = tracing::subscriber::set_default(notes.clone());
    world
        .repository("a/b")
        .manifest(&tag("latest"))
        .await
        .unwrap();
    drop(guard);
    let host = world.registry.host();
    let warnings: Vec<String> = notes
        .text()
        .lines()
        .filter(|line| line.starts_with("WARN"))
        .map(str::to_owned)
        .collect();
    let warning = |wait| {
        format!(
            "WARN message=transient error: 429 TOOMANYREQUESTS from {host}: slow down; retrying in {wait}"
        )
    };
    assert_eq!(warnings, [warning("5s"), warning("7.5s")]);
}

#[tokio::test]
async fn no_secret_is_told() {
    for (auth, credential) in [
        (
            Auth::basic().account("user", "hidden-password"),
            basic("user", "hidden-password"),
        ),
        (
            Auth::bearer().account("user", "hidden-password"),
            basic("user", "hidden-password"),
        ),
        (
            Auth::bearer().identity_token("hidden-refresh"),
            Credential::IdentityToken(Secret::new("hidden-refresh")),
        ),
        (
            Auth::bearer().registry_token("hidden-token"),
            Credential::RegistryToken(Secret::new("hidden-token")),
        ),
    ] {
        let registry = Registry::builder().auth(auth).start();
        registry.publish("a/b", "latest", &Image::with_text("x"));
        let blob = stored(&registry, "a/b", &content(100));
        let signed = format!(
            "{}/x?X-Amz-Signature=hidden-signature",
            registry.url(Origin::Elsewhere)
        );
        registry.fault(Match::get("/v2/a/b/blobs/*"), Fault::redirect_to(&signed));
        let world = World::with(registry, credential);
        let notes = Notes::default();
        let guard = tracing::subscriber::set_default(notes.clone());
        let repository = world.repository("a/b");
        repository.manifest(&tag("latest")).await.unwrap();
        let error = repository.open_blob(&blob).await.unwrap_err();
        drop(guard);
        let told = format!("{}{error}{error:?}{:?}", notes.text(), world.client);
        assert!(told.contains("/v2/a/b/manifests/latest"), "{told}");
        let requests = world.registry.requests();
        let shown = requests
            .iter()
            .filter_map(|record| record.authorization()?.split_once(' '));
        for secret in shown.map(|(_, secret)| secret).chain(["hidden"]) {
            assert!(!told.contains(secret), "{secret} in {told}");
        }
    }
}
