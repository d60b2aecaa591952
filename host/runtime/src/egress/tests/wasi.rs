//! The same way out for `wasi:http`.

use std::sync::atomic::AtomicUsize;

use http::HeaderName;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::*;

/// A body of so many pieces, and a counter of those that were read.
fn body(count: usize) -> (WasiBody, Arc<AtomicUsize>) {
    let read = Arc::new(AtomicUsize::new(0));
    let counter = read.clone();
    let pieces = stream::iter(0..count).map(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok::<_, Error>(Frame::data(Bytes::from_static(b"piece ")))
    });
    (StreamBody::new(pieces).boxed_unsync(), read)
}

async fn send(
    hooks: &mut EgressHooks,
    url: &str,
    headers: &[(&'static str, String)],
    body: WasiBody,
    options: Option<RequestOptions>,
) -> Result<http::Response<WasiBody>, Error> {
    let mut request = http::Request::post(url).body(body).unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let sending = hooks.send_request(request, options, Box::new(async { Ok(()) }));
    Box::into_pin(sending).await.map(|(response, _)| response)
}

fn hooks(grant: &str) -> EgressHooks {
    EgressHooks::new(&"acme".into(), Some(egress(grant).session()))
}

use futures_util::StreamExt;

#[tokio::test]
async fn a_request_streams_out_and_its_response_streams_in() {
    let mut peer = Peer::start(|_| Reply::chunks("200 OK\r\nx-made: here", &[b"hel", b"lo"])).await;
    let url = at(&peer, "/x");
    let host = format!("peer.example:{}", peer.port);
    let (pieces, _) = body(2);
    let response = send(
        &mut hooks(&local(&peer)),
        &url,
        &[("host", host)],
        pieces,
        None,
    )
    .await
    .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-made"], "here");
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "hello"
    );
    let request = peer.request().await;
    assert_eq!(request.matches("host:").count(), 1, "{request}");
    assert!(
        request.contains("6\r\npiece \r\n6\r\npiece \r\n0\r\n"),
        "{request}"
    );
}

#[tokio::test]
async fn a_promised_length_frames_the_request() {
    let mut peer = Peer::start(ok).await;
    let (pieces, _) = body(2);
    let length = [("content-length", "12".to_owned())];
    send(
        &mut hooks(&local(&peer)),
        &at(&peer, "/"),
        &length,
        pieces,
        None,
    )
    .await
    .unwrap();
    let request = peer.request().await;
    assert!(request.contains("content-length: 12\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\npiece piece "), "{request}");
}

#[tokio::test]
async fn a_denied_request_is_read_to_its_end_and_reaches_no_socket() {
    let peer = Peer::start(ok).await;
    let url = format!("http://127.0.0.1:{}/", peer.port);
    let grant = "[[http]]\nhost = \"api.example.com\"\n";
    for hooks in [
        &mut hooks(grant),
        &mut EgressHooks::new(&"acme".into(), None),
    ] {
        let (pieces, read) = body(5);
        let error = send(hooks, &url, &[], pieces, None).await.unwrap_err();
        assert!(matches!(error, Error::HttpRequestDenied), "{error}");
        assert_eq!(read.load(Ordering::SeqCst), 5);
    }
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn a_denied_endless_body_is_not_read_forever() {
    let (pieces, _) = body(usize::MAX);
    let mut hooks = hooks("[limits]\nrequest_bytes = 1000\n");
    let error = send(&mut hooks, "https://api.example.com/", &[], pieces, None).await;
    assert!(matches!(error, Err(Error::HttpRequestDenied)));
}

#[tokio::test]
async fn a_credential_is_added_and_scrubbed_here_too() {
    let mut peer = Peer::start(|_| Reply::text("200 OK", credentials::KEY)).await;
    let grant = format!(
        "{}[[secret]]\nhost = \"peer.example:{}\"\nheader = \"x-key\"\nenv = \"KEY\"\n",
        local(&peer),
        peer.port
    );
    let (pieces, _) = body(0);
    let response = send(&mut hooks(&grant), &at(&peer, "/"), &[], pieces, None)
        .await
        .unwrap();
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "***"
    );
    assert!(peer.request().await.contains(credentials::KEY));
}

#[tokio::test]
async fn waiting_between_two_pieces_is_bounded() {
    let peer = Peer::start(|_| Reply::endless("200 OK", &[b"x"])).await;
    let (pieces, _) = body(0);
    let options = RequestOptions {
        between_bytes_timeout: Some(Duration::from_millis(20)),
        ..RequestOptions::default()
    };
    let response = send(
        &mut hooks(&local(&peer)),
        &at(&peer, "/"),
        &[],
        pieces,
        Some(options),
    )
    .await
    .unwrap();
    let mut body = response.into_body();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "x"
    );
    let error = body.frame().await.unwrap().unwrap_err();
    assert!(matches!(error, Error::ConnectionReadTimeout), "{error}");
}

#[test]
fn a_guest_may_promise_a_length_and_not_name_a_host() {
    let mut hooks = hooks("");
    let filter = hooks.forbidden_header_filter();
    for (name, forbidden) in [
        ("host", true),
        ("proxy-x", true),
        ("te", true),
        ("content-length", false),
        ("accept", false),
    ] {
        let name = HeaderName::from_static(name);
        assert_eq!(hooks.is_forbidden_header(&name), forbidden, "{name}");
        assert_eq!(filter(&name), forbidden, "{name}");
    }
}
