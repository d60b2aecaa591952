//! The whole way out, against servers on this machine.

mod credentials;
mod peer;
mod tls;
mod wasi;

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;

use super::*;
use peer::{Peer, Reply};

/// Answers every name with the same addresses.
struct Fixed(Vec<IpAddr>);

impl Resolver for Fixed {
    fn resolve(&self, _: &str) -> Resolution {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

fn resolver(addresses: &[&str]) -> Arc<dyn Resolver> {
    Arc::new(Fixed(
        addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
    ))
}

/// An egress for the plugin "acme" whose every name leads to this machine, and whose
/// credentials are in variables named after them.
fn egress(grant: &str) -> Egress {
    let grant = Grant::parse("acme.grant.toml", grant).unwrap();
    let secrets = Secrets::load_with(&grant.secrets, |name| match name {
        "KEY" => Some(credentials::KEY.into()),
        "OTHER" => Some(credentials::OTHER.into()),
        _ => None,
    });
    Egress::new(
        "acme",
        &grant,
        World::Connector,
        secrets,
        resolver(&["127.0.0.1"]),
    )
    .unwrap()
}

/// A grant for everything at a peer, by name and by address.
fn local(peer: &Peer) -> String {
    let port = peer.port;
    ["peer.example", "other.example", "127.0.0.1"]
        .map(|host| {
            format!(
                "[[http]]\nhost = \"{host}:{port}\"\nplain = true\nprivate = true\n\
                 methods = [\"GET\", \"POST\"]\n"
            )
        })
        .concat()
}

fn get(url: &str) -> Outgoing {
    Outgoing {
        method: "GET".into(),
        url: url.into(),
        headers: Vec::new(),
        body: OutgoingBody::Empty,
        timeout: None,
    }
}

fn at(peer: &Peer, path: &str) -> String {
    format!("http://peer.example:{}{path}", peer.port)
}

fn post(url: &str, body: impl Into<Bytes>) -> Outgoing {
    Outgoing {
        method: "POST".into(),
        body: OutgoingBody::Bytes(body.into()),
        ..get(url)
    }
}

fn pieces(pieces: &'static [&'static str]) -> OutgoingBody {
    OutgoingBody::Stream {
        pieces: Box::pin(stream::iter(
            pieces.iter().map(|piece| Ok(Bytes::from(*piece))),
        )),
        length: None,
    }
}

async fn text(incoming: &mut Incoming) -> String {
    String::from_utf8(incoming.read_to_end().await.unwrap()).unwrap()
}

fn ok(_: &str) -> Reply {
    Reply::text("200 OK", "hello")
}

#[tokio::test]
async fn a_granted_request_is_sent_as_it_is_and_answered() {
    let mut peer = Peer::start(|_| Reply::text("201 Created\r\nX-Made: here", "hello")).await;
    let mut request = post(&at(&peer, "/a?b=c#d"), "body");
    request.headers.push(("X-Mine".into(), "1".into()));
    let mut incoming = egress(&local(&peer)).send(request).await.unwrap();
    assert_eq!(incoming.status(), 201);
    assert!(
        incoming
            .headers()
            .contains(&("x-made".into(), "here".into()))
    );
    assert_eq!(text(&mut incoming).await, "hello");
    assert_eq!(incoming.next(1).await, Ok(None));
    let port = peer.port;
    assert_eq!(
        peer.request().await,
        format!(
            "POST /a?b=c HTTP/1.1\r\nx-mine: 1\r\naccept: */*\r\nhost: peer.example:{port}\r\n\
             content-length: 4\r\n\r\nbody"
        )
    );
}

#[tokio::test]
async fn connections_are_used_again() {
    let peer = Peer::start(ok).await;
    let egress = egress(&local(&peer));
    for _ in 0..5 {
        let mut incoming = egress.send(get(&at(&peer, "/"))).await.unwrap();
        text(&mut incoming).await;
    }
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn a_redirect_is_returned_and_not_followed() {
    let elsewhere = Peer::start(ok).await;
    let location = format!("http://127.0.0.1:{}/", elsewhere.port);
    let peer =
        Peer::start(move |_| Reply::text(&format!("302 Found\r\nlocation: {location}"), "")).await;
    let egress = egress(&local(&peer));
    let incoming = egress.send(get(&at(&peer, "/"))).await.unwrap();
    assert_eq!(incoming.status(), 302);
    let (_, location) = incoming
        .headers()
        .into_iter()
        .find(|(name, _)| name == "location")
        .unwrap();
    // And asking for it is a request like any other.
    assert_eq!(
        egress.send(get(&location)).await.unwrap_err().code(),
        "denied"
    );
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn what_is_denied_reaches_no_socket() {
    let peer = Peer::start(ok).await;
    let port = peer.port;
    let egress = egress("[[http]]\nhost = \"api.example.com\"\n");
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("https://api.example.com:{port}/"),
        "http://169.254.169.254/latest/meta-data/".into(),
        "http://[fd00:ec2::254]/".into(),
    ] {
        let error = egress.send(get(&url)).await.unwrap_err();
        assert_eq!(error.code(), "denied", "{url}: {error}");
    }
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn a_public_name_that_leads_to_this_machine_is_refused_with_what_would_allow_it() {
    let peer = Peer::start(ok).await;
    let table = |private: &str| {
        let port = peer.port;
        format!("[[http]]\nhost = \"peer.example:{port}\"\nplain = true\n{private}")
    };
    let refused = egress(&table(""))
        .send(get(&at(&peer, "/x")))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "denied");
    assert_eq!(peer.connections(), 0);
    let refused = refused.to_string();
    let (sentence, remedy) = refused.split_once(":\n").unwrap();
    assert!(
        sentence.contains("leads to an address of this machine"),
        "{sentence}"
    );
    // Both tables stand in the file then.
    let allowed = egress(&format!("{}\n{remedy}", table("")));
    assert!(allowed.send(get(&at(&peer, "/x"))).await.is_ok());
}

#[tokio::test]
async fn no_name_leads_to_the_metadata_service() {
    let grant = Grant::parse(
        "acme.grant.toml",
        "[[http]]\nhost = \"metadata.example\"\nplain = true\nprivate = true\n",
    )
    .unwrap();
    for address in [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "fd00:ec2::254",
        "169.254.0.1",
    ] {
        let egress = Egress::new(
            "acme",
            &grant,
            World::Connector,
            Secrets::default(),
            resolver(&[address]),
        )
        .unwrap();
        let error = egress
            .send(get("http://metadata.example/"))
            .await
            .unwrap_err();
        assert_eq!(error.code(), "denied", "{address}: {error}");
        assert!(
            error
                .to_string()
                .contains("only a grant for the address itself"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn headers_that_frame_the_message_are_refused() {
    let peer = Peer::start(ok).await;
    let egress = egress(&local(&peer));
    for name in [
        "Host",
        "Content-Length",
        "transfer-encoding",
        "Connection",
        "Proxy-Authorization",
    ] {
        let mut request = get(&at(&peer, "/"));
        request.headers.push((name.into(), "1".into()));
        assert_eq!(
            egress.send(request).await.unwrap_err().code(),
            "denied",
            "{name}"
        );
    }
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn pieces_are_handed_over_as_they_arrive() {
    // The response never ends, so waiting for its end would wait forever.
    let mut peer =
        Peer::start(|_| Reply::endless("200 OK", &[b"data: 1\n\n", b"data: 2\n\n"])).await;
    let mut incoming = egress(&local(&peer))
        .send(get(&at(&peer, "/")))
        .await
        .unwrap();
    assert_eq!(incoming.next(100).await, Ok(Some("data: 1\n\n".into())));
    assert_eq!(incoming.next(4).await, Ok(Some("data".into())));
    assert_eq!(incoming.next(0).await, Ok(Some(":".into())));
    assert_eq!(incoming.next(100).await, Ok(Some(" 2\n\n".into())));
    drop(incoming);
    peer.closed().await;
}

#[tokio::test]
async fn giving_up_on_a_silent_server_closes_the_connection() {
    let mut peer = Peer::start(|_| Reply::silence()).await;
    let egress = egress(&local(&peer));
    let url = at(&peer, "/");
    let waiting = tokio::spawn(async move { egress.send(get(&url)).await });
    peer.request().await;
    waiting.abort();
    peer.closed().await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_in_time_is_given_up() {
    let mut peer = Peer::start(|_| Reply::silence()).await;
    let mut request = get(&at(&peer, "/"));
    request.timeout = Some(Duration::from_millis(20));
    let error = egress(&local(&peer)).send(request).await.unwrap_err();
    assert_eq!(error.code(), "timeout");
    peer.closed().await;
}

#[tokio::test]
async fn a_response_that_does_not_end_in_time_is_given_up() {
    let mut peer = Peer::start(|_| Reply::endless("200 OK", &[b"x"])).await;
    let grant = format!("{}[limits]\nwall_ms = 50\n", local(&peer));
    let mut incoming = egress(&grant).send(get(&at(&peer, "/"))).await.unwrap();
    assert_eq!(incoming.next(9).await, Ok(Some("x".into())));
    assert_eq!(incoming.next(9).await.unwrap_err().code(), "timeout");
    assert_eq!(incoming.next(9).await, Ok(None));
    peer.closed().await;
}

#[tokio::test]
async fn a_response_over_the_limit_is_cut_off() {
    let grant = |peer: &Peer| format!("{}[limits]\nresponse_bytes = 10\n", local(peer));
    let announced = Peer::start(|_| Reply::text("200 OK", "eleven byte")).await;
    let error = egress(&grant(&announced))
        .send(get(&at(&announced, "/")))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "too-large");
    assert!(error.to_string().contains("response_bytes = 20"), "{error}");

    let mut surprising = Peer::start(|_| Reply::endless("200 OK", &[b"ten bytes!", b"!"])).await;
    let mut incoming = egress(&grant(&surprising))
        .send(get(&at(&surprising, "/")))
        .await
        .unwrap();
    assert_eq!(incoming.next(99).await, Ok(Some("ten bytes!".into())));
    assert_eq!(incoming.next(99).await.unwrap_err().code(), "too-large");
    surprising.closed().await;
}

#[tokio::test]
async fn a_request_over_the_limit_is_not_sent_to_its_end() {
    let mut peer = Peer::start(ok).await;
    let egress = egress(&format!("{}[limits]\nrequest_bytes = 10\n", local(&peer)));
    let error = egress
        .send(post(&at(&peer, "/"), "eleven byte"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "too-large");
    assert_eq!(peer.connections(), 0);

    let mut streamed = post(&at(&peer, "/"), "");
    streamed.body = pieces(&["ten bytes!", "eleventh"]);
    let error = egress.send(streamed).await.unwrap_err();
    assert_eq!(error.code(), "too-large", "{error}");
    assert!(!peer.request().await.contains("eleventh"));
}

#[tokio::test]
async fn a_body_that_streams_out_arrives() {
    let mut peer = Peer::start(ok).await;
    let mut request = post(&at(&peer, "/"), "");
    request.body = pieces(&["one ", "", "two"]);
    egress(&local(&peer)).send(request).await.unwrap();
    let request = peer.request().await;
    assert!(
        request.ends_with("4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n"),
        "{request}"
    );
}

#[tokio::test]
async fn a_call_may_send_so_many_requests_and_no_more() {
    let peer = Peer::start(ok).await;
    let egress = egress(&format!("{}[limits]\nhttp_calls = 2\n", local(&peer)));
    let session = egress.session();
    let url = at(&peer, "/");
    session.send(get(&url)).await.unwrap();
    // What is refused counts.
    session
        .send(get("https://elsewhere.example/"))
        .await
        .unwrap_err();
    let error = session.clone().send(get(&url)).await.unwrap_err();
    assert!(error.to_string().contains("http_calls = 4"), "{error}");
    egress.session().send(get(&url)).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_connection_error() {
    let peer = Peer::start(ok).await;
    let (grant, url) = (local(&peer), at(&peer, "/"));
    let port = peer.port;
    drop(peer);
    // The socket closes with its task, which the runtime drops in its own time.
    while tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .is_ok()
    {
        tokio::task::yield_now().await;
    }
    let error = egress(&grant).send(get(&url)).await.unwrap_err();
    assert_eq!(error.code(), "connection");
    assert!(error.to_string().contains("peer.example"), "{error}");
}

#[tokio::test]
async fn a_server_that_hangs_up_is_a_connection_error() {
    let peer = Peer::start(|_| Reply::Whole(b"this is not http\r\n\r\n".to_vec())).await;
    let error = egress(&local(&peer))
        .send(get(&at(&peer, "/")))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "connection", "{error}");
}

#[tokio::test]
async fn a_plugin_without_grants_has_no_client_and_no_way_out() {
    let egress = egress("");
    assert!(egress.0.public.is_none() && egress.0.private.is_none());
    let error = egress.send(get("https://example.com/")).await.unwrap_err();
    assert_eq!(error.code(), "denied");
}
