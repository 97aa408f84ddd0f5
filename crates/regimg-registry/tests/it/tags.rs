//! Tag lists.

use futures_util::StreamExt as _;
use regimg_registry::{Credential, ErrorKind};
use regimg_tests::Image;
use regimg_tests::registry::{Fault, LinkForm, Match, Paging, Registry};

use crate::support::World;

/// A repository `a/b` with tags `t000`, `t001` and so on.
fn tagged(count: usize, paging: Paging) -> World {
    let registry = Registry::builder().paging(paging).start();
    registry.create_repository("a/b");
    if count > 0 {
        let digest = registry.push("a/b", &Image::with_text("x"));
        (0..count).for_each(|number| registry.tag("a/b", &format!("t{number:03}"), &digest));
    }
    World::open(registry)
}

#[track_caller]
fn check(world: &World, got: Result<Vec<String>, regimg_registry::Error>, requests: usize) {
    assert_eq!(got.unwrap(), world.registry.tags("a/b"));
    assert_eq!(world.registry.count("GET", "/v2/a/b/tags/list"), requests);
}

#[tokio::test]
async fn pages_are_followed_in_every_form() {
    for form in [
        LinkForm::Path,
        LinkForm::Absolute,
        LinkForm::QueryOnly,
        LinkForm::Opaque,
        LinkForm::Unquoted,
        LinkForm::Internal,
    ] {
        let world = tagged(25, Paging::of(10).link(form.clone()));
        let tags = world.repository("a/b").tags().await;
        assert!(tags.is_ok(), "{form:?}: {tags:?}");
        check(&world, tags, 3);
    }
}

#[tokio::test]
async fn one_page_and_none() {
    let world = tagged(0, Paging::default());
    check(&world, world.repository("a/b").tags().await, 1);
    let world = tagged(25, Paging::default().ignore_n());
    check(&world, world.repository("a/b").tags().await, 1);
    let world = tagged(25, Paging::default().refuse_above(1000));
    check(&world, world.repository("a/b").tags().await, 1);
}

#[tokio::test]
async fn null_and_repeated_tags() {
    let world = tagged(0, Paging::default());
    world.registry.fault(
        Match::get("/v2/a/b/tags/list*").once(),
        Fault::answer().body(r#"{"name":"a/b","tags":null}"#),
    );
    assert_eq!(
        world.repository("a/b").tags().await.unwrap(),
        Vec::<String>::new()
    );
    world.registry.fault(
        Match::get("/v2/a/b/tags/list*").once(),
        Fault::answer().body(r#"{"tags":["b","a","b"],"name":"other"}"#),
    );
    assert_eq!(world.repository("a/b").tags().await.unwrap(), ["b", "a"]);
}

#[tokio::test]
async fn endless_and_foreign_pages_are_refused() {
    let world = tagged(25, Paging::of(10).link(LinkForm::Loop));
    let error = world.repository("a/b").tags().await.unwrap_err();
    assert_eq!(
        (
            error.kind(),
            world.registry.count("GET", "/v2/a/b/tags/list")
        ),
        (ErrorKind::Protocol, 2)
    );

    for url in [
        "https://example.com/v2/a/b/tags/list",
        "http://127.0.0.1:1/v2/a/b/tags/list",
    ] {
        let world = tagged(25, Paging::of(10).link(LinkForm::Url(url.to_owned())));
        let error = world.repository("a/b").tags().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    }
}

#[tokio::test]
async fn an_unknown_repository_is_told_from_an_error() {
    let world = World::open(Registry::start());
    let error = world.repository("a/b").tags().await.unwrap_err();
    assert!(
        error.is_not_found() && error.is_new_repository(),
        "{error:?}"
    );
    assert_eq!(error.attempts(), 1);

    let world = tagged(25, Paging::of(10));
    world.registry.fault(
        Match::get("/v2/a/b/tags/list?*last=*"),
        Fault::status(404).body(r#"{"errors":[]}"#),
    );
    let error = world.repository("a/b").tags().await.unwrap_err();
    assert!(
        error.is_not_found() && !error.is_new_repository(),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_page_in_the_middle_may_fail_for_a_while() {
    let world = tagged(25, Paging::of(10));
    let middle = Match::get("/v2/a/b/tags/list?*last=t009*");
    world.registry.fault(
        middle.clone().once(),
        Fault::status(429).header("Retry-After", "7"),
    );
    world.registry.fault(middle.clone().once(), Fault::reset());
    world.registry.fault(middle.once(), Fault::cut_at(5));
    check(&world, world.repository("a/b").tags().await, 6);
    assert_eq!(world.clock.waits()[0], 7000);
}

#[tokio::test]
async fn pages_stream_one_at_a_time_and_end_with_an_error() {
    let world = tagged(25, Paging::of(10));
    let mut pages = Box::pin(world.repository("a/b").tag_pages().into_stream());
    for requests in 1..=3 {
        let page = pages.next().await.unwrap().unwrap();
        assert_eq!(page.len(), if requests == 3 { 5 } else { 10 });
        assert_eq!(world.registry.count("GET", "/v2/a/b/tags/list"), requests);
    }
    assert!(pages.next().await.is_none());

    let world = tagged(25, Paging::of(10));
    let broken = Match::get("/v2/a/b/tags/list?*last=*");
    world.registry.fault(broken, Fault::status(400));
    let pages = world.repository("a/b").tag_pages().into_stream();
    let pages: Vec<_> = pages.collect().await;
    assert_eq!(
        pages.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, false]
    );
}

#[tokio::test]
async fn a_page_that_was_not_waited_for_is_not_lost() {
    let world = tagged(25, Paging::of(10));
    let slow = Match::get("/v2/a/b/tags/list?*last=t009*").once();
    world
        .registry
        .fault(slow, Fault::delay(std::time::Duration::from_mins(1)));
    let mut pages = world.repository("a/b").tag_pages();
    let mut tags = pages.next().await.unwrap().unwrap();
    let impatient = std::time::Duration::from_millis(100);
    assert!(tokio::time::timeout(impatient, pages.next()).await.is_err());
    while let Some(page) = pages.next().await.unwrap() {
        tags.extend(page);
    }
    assert_eq!(tags, world.registry.tags("a/b"));
}

#[tokio::test]
async fn long_lists_are_read_and_endless_pages_refused() {
    let world = tagged(30_000, Paging::default());
    check(&world, world.repository("a/b").tags().await, 30);

    world
        .registry
        .fault(Match::get("/v2/a/b/tags/list*"), Fault::endless());
    let error = world.repository("a/b").tags().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

/// Lists all tags of `a/b`, whose only page is `body`.
async fn listed(body: String, max_tags: usize) -> Result<Vec<String>, regimg_registry::Error> {
    let registry = Registry::start();
    registry.create_repository("a/b");
    let fault = Fault::answer().body(body);
    registry.fault(Match::get("/v2/a/b/tags/list*"), fault);
    let world = World::new(registry, Credential::Anonymous, |config| {
        config.max_tags = max_tags;
    });
    world.repository("a/b").tags().await
}

#[tokio::test]
async fn pages_are_objects_and_their_tags_texts() {
    for (body, wanted) in [
        (r#"{"tags":["a","b"]}"#, Some(&["a", "b"][..])),
        (r#"{"tags":["","a",""]}"#, Some(&["a"])),
        (r#"{"extra":[[1]],"tags":["a"],"more":null}"#, Some(&["a"])),
        (r#"{"tags":null}"#, Some(&[])),
        (r#"{"name":"a/b"}"#, Some(&[])),
        (r#"[["a","b"]]"#, None),
        (r#"[["a"],{}]"#, None),
        (r#"["a"]"#, None),
        (r#"{"tags":{"0":"a"}}"#, None),
        (r#"{"tags":"a"}"#, None),
        (r#"{"tags":["a",7]}"#, None),
        (r#"{"tags":["a"],"tags":["b"]}"#, None),
        (r#"{"tags":["a"]} x"#, None),
        ("null", None),
        ("", None),
    ] {
        let got = listed(body.to_owned(), 100).await;
        match wanted {
            Some(wanted) => assert_eq!(got.unwrap(), wanted, "{body}"),
            None => assert_eq!(got.unwrap_err().kind(), ErrorKind::Protocol, "{body}"),
        }
    }
}

#[tokio::test]
async fn too_much_is_refused_and_the_limit_named() {
    let tags = |count: usize, tag: &str| {
        let tag = format!("{tag:?},");
        format!(r#"{{"tags":[{}"x"]}}"#, tag.repeat(count - 1))
    };
    let long = "t".repeat(300);
    for (name, body, max_tags, limit) in [
        ("too many", tags(101, "t"), 100, "100 tags"),
        ("too long ones", tags(50, &long), 100, "100 tags"),
        (
            "too large a page",
            tags(30_000, &long),
            1 << 20,
            "8388608 bytes",
        ),
        (
            "too many in a page",
            tags(262_145, "t"),
            1 << 20,
            "more than 262144 tags at once",
        ),
    ] {
        let error = listed(body, max_tags).await.unwrap_err();
        let told = format!("{error:?}");
        assert!(told.contains(limit), "{name}: {told}");
        assert!(told.len() < 1000, "{name}: {told}");
    }
    assert_eq!(listed(tags(100, "t"), 100).await.unwrap(), ["t", "x"]);
}

/// The library quotes the text that it did not expect, however long it is.
#[tokio::test]
async fn what_is_not_understood_is_not_repeated_at_length() {
    let text = "quoted".repeat(1 << 20);
    for body in [format!(r#"{{"tags":{text:?}}}"#), format!("{text:?}")] {
        let error = listed(body, 100).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        let told = format!("{error:?}");
        assert!(told.contains("quoted") && told.len() < 1000, "{told}");
    }
}

#[tokio::test]
async fn refusals_of_any_size_are_told_in_short() {
    let world = tagged(0, Paging::default());
    let text = "word".repeat(1 << 20);
    let many = vec![r#"{"code":"C","message":"m"}"#; 2000].join(",");
    let url = format!("https://elsewhere.example/{text}");
    for fault in [
        Fault::status(400).body(text.clone()),
        Fault::status(400).body(format!(
            r#"{{"errors":[{{"code":{text:?},"message":{text:?}}}]}}"#
        )),
        Fault::status(400).body(format!(r#"{{"errors":[{many}]}}"#)),
        Fault::redirect_to(&format!("ftp://elsewhere.example/{}", &url[30..60_000])),
        Fault::answer().header("link", &format!("<{}>; rel=next", &url[..60_000])),
    ] {
        world.registry.clear_faults();
        world
            .registry
            .fault(Match::get("/v2/a/b/tags/list*"), fault);
        let error = world.repository("a/b").tags().await.unwrap_err();
        let told = format!("{error:?} {:?}", error.codes().collect::<Vec<_>>());
        assert!(told.len() < 4000, "{}: {}", told.len(), &told[..200]);
    }
}
