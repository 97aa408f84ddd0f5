//! Several requests on one connection: HTTP/2, its faults, and connections that end between requests.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::registry::{Ending, Fault, Match, Origin, Registry, RouteKind};
use crate::{Blob, Image};

type Sender = http2::SendRequest<Empty<Bytes>>;

async fn connect(registry: &Registry) -> Sender {
    let stream = TcpStream::connect(registry.addr()).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

fn request(registry: &Registry, target: &str) -> Request<Empty<Bytes>> {
    let uri = format!("{}{target}", registry.url(Origin::Registry));
    Request::get(uri).body(Empty::new()).unwrap()
}

fn published() -> (Registry, String) {
    let registry = Registry::start();
    let blob = Blob::new("application/octet-stream", vec![7_u8; 100_000]);
    registry.put_blob("a", &blob);
    let target = format!("/v2/a/blobs/{}", blob.digest());
    (registry, target)
}

/// The bytes that arrive, and the HTTP/2 error code at their end if there is one.
async fn fetch(registry: &Registry, target: &str) -> (usize, Option<Option<u32>>) {
    let mut sender = connect(registry).await;
    let mut response = match sender.send_request(request(registry, target)).await {
        Ok(response) => response.into_body(),
        Err(error) => return (0, Some(code(&error))),
    };
    let mut length = 0;
    while let Some(frame) = response.frame().await {
        match frame {
            Ok(frame) => length += frame.into_data().unwrap().len(),
            Err(error) => return (length, Some(code(&error))),
        }
    }
    (length, None)
}

/// The code with which the server reset the stream.
fn code(error: &hyper::Error) -> Option<u32> {
    let source = error.source()?.downcast_ref::<h2::Error>()?;
    source
        .is_reset()
        .then(|| source.reason().map(u32::from))
        .flatten()
}

#[tokio::test]
async fn many_requests_share_one_connection() {
    let registry = Registry::start();
    registry.publish("a", "1", &Image::with_text("a"));
    registry.fault(Match::get("*"), Fault::delay(Duration::from_millis(50)));
    let sender = connect(&registry).await;
    let requests = (0..30).map(|_| {
        let mut sender = sender.clone();
        let request = request(&registry, "/v2/a/manifests/1");
        async move { sender.send_request(request).await.unwrap().status() }
    });
    let statuses = futures_util::future::join_all(requests).await;
    assert!(statuses.iter().all(|&status| status == StatusCode::OK));
    assert_eq!(registry.connections(), 1);
    assert_eq!(registry.max_in_flight(RouteKind::Manifest), 30);
    assert!(
        registry
            .requests()
            .iter()
            .all(|record| record.version == Version::HTTP_2)
    );
}

#[tokio::test]
async fn streams_and_connections_are_cut() {
    const REFUSED_STREAM: u32 = 7;
    const CANCEL: u32 = 8;
    let (registry, target) = published();
    let cases = [
        (
            Fault::end(Ending::Stream(REFUSED_STREAM)),
            0,
            Some(REFUSED_STREAM),
        ),
        (Fault::end_at(10, Ending::Stream(CANCEL)), 10, Some(CANCEL)),
        (
            Fault::end_at(50_000, Ending::Stream(CANCEL)),
            50_000,
            Some(CANCEL),
        ),
        (
            Fault::end_at(50_000, Ending::Stream(0xff)),
            50_000,
            Some(0xff),
        ),
        (Fault::end_at(50_000, Ending::GoAway(11)), 50_000, None),
        (Fault::cut_at(50_000), 50_000, None),
        (Fault::reset_at(50_000), 50_000, None),
        (Fault::reset(), 0, None),
    ];
    for (fault, length, code) in cases {
        let case = format!("{fault:?}");
        registry.fault(Match::get("/v2/a/blobs/*").once(), fault);
        assert_eq!(
            fetch(&registry, &target).await,
            (length, Some(code)),
            "{case}"
        );
    }
    assert_eq!(fetch(&registry, &target).await, (100_000, None));
}

/// Clients that do not count bytes take these for the end of the body.
#[tokio::test]
async fn streams_are_cut_without_an_error() {
    let (registry, target) = published();
    for ending in [Ending::Stream(0), Ending::GoAway(0)] {
        let rule = Match::get("/v2/a/blobs/*").once();
        registry.fault(rule, Fault::end_at(50_000, ending));
        assert_eq!(
            fetch(&registry, &target).await,
            (50_000, None),
            "{ending:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_goes_away_finishes_its_answers() {
    let (registry, target) = published();
    registry.fault(Match::get("/v2/a/blobs/*").once(), Fault::go_away());
    let mut sender = connect(&registry).await;
    let response = sender
        .send_request(request(&registry, &target))
        .await
        .unwrap();
    assert_eq!(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .len(),
        100_000
    );
    tokio::time::timeout(Duration::from_secs(5), async {
        while sender.ready().await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the connection ends");
    assert_eq!(fetch(&registry, &target).await, (100_000, None));
}

#[tokio::test]
async fn connections_end_between_requests() {
    let registry = Registry::start();
    for (fault, says_so) in [(Fault::go_away(), true), (Fault::hang_up(), false)] {
        registry.fault(Match::get("/v2/").once(), fault);
        let stream = TcpStream::connect(registry.addr()).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let response = sender
            .send_request(request(&registry, "/v2/"))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let close = response
            .headers()
            .get("connection")
            .is_some_and(|value| value == "close");
        assert_eq!(close, says_so);
        assert_eq!(
            response.into_body().collect().await.unwrap().to_bytes(),
            "{}"
        );
        tokio::time::timeout(Duration::from_secs(5), connection)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
}
