//! ECR, ACR, Red Hat's: what is not about logging in.

use regimg_tests::registry::{Auth, Fault, Match};

use super::{PATH, everything, with_auth};
use crate::support::World;

/// <https://github.com/quay/quay/issues/1310>
#[tokio::test]
async fn nothing_is_compressed_once_more() {
    let registry = with_auth(Auth::none());
    let accepting = Match::get("*").with_header("accept-encoding", "gzip");
    registry.fault(accepting, Fault::gzip());
    let without = Fault::answer().without_header("docker-content-digest");
    registry.fault(Match::any("/v2/team/app/manifests/*"), without);
    let world = World::open(registry);
    everything(&world, PATH).await.unwrap();
    for asked in world.registry.requests() {
        assert_eq!(
            asked.header("accept-encoding"),
            Some("identity"),
            "{}",
            asked.line()
        );
    }
}

/// <https://github.com/deitch/docker_registry2/issues/34>
#[tokio::test]
async fn a_list_of_tags_in_plain_text() {
    let registry = with_auth(Auth::none());
    let plain = Fault::answer().header("content-type", "text/plain; charset=utf-8");
    registry.fault(Match::get("/v2/team/app/tags/list"), plain);
    let world = World::open(registry);
    everything(&world, PATH).await.unwrap();
}

/// <https://github.com/neuvector/neuvector/issues/1768>
#[tokio::test]
async fn relative_links_keep_their_query() {
    let world = World::open(with_auth(Auth::none()));
    let list = "/v2/team/app/tags/list";
    let next = format!("{list}?last=t09&n=1000&orderby=");
    let first = Fault::status(200)
        .body(r#"{"name":"team/app","tags":["t00","t09"]}"#)
        .header("link", &format!(r#"<{next}>; rel="next""#));
    world
        .registry
        .fault(Match::get(&format!("{list}?n=1000")), first);
    let tags = world.repository(PATH).tags().await.unwrap();
    assert_eq!(tags[..3], ["t00", "t09", "t10"]);
    assert_eq!(world.registry.count("GET", &next), 1);
}
