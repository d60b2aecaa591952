//! Credentials go out to their host, and nowhere else, and do not come back.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

pub(super) const KEY: &str = "sk-0123456789abcdef";
pub(super) const OTHER: &str = "other/credential+42==";

/// As [`local`], with a credential for one of the names.
fn with_key(peer: &Peer) -> String {
    let port = peer.port;
    format!(
        "{}[[secret]]\nhost = \"peer.example:{port}\"\nheader = \"authorization\"\n\
         template = \"Bearer {{}}\"\nenv = \"KEY\"\n",
        local(peer)
    )
}

#[tokio::test]
async fn a_credential_is_added_for_its_host_alone() {
    let mut peer = Peer::start(ok).await;
    let egress = egress(&with_key(&peer));
    egress.send(get(&at(&peer, "/"))).await.unwrap();
    let request = peer.request().await;
    assert!(
        request.contains(&format!("\r\nauthorization: Bearer {KEY}\r\n")),
        "{request}"
    );

    for host in ["other.example", "127.0.0.1"] {
        let mut own = get(&format!("http://{host}:{}/", peer.port));
        own.headers.push(("authorization".into(), "mine".into()));
        egress.send(own).await.unwrap();
        let request = peer.request().await;
        assert!(
            request.contains("authorization: mine") && !request.contains(KEY),
            "{request}"
        );
    }
}

#[tokio::test]
async fn a_guest_cannot_set_the_header_of_a_credential() {
    let peer = Peer::start(ok).await;
    let mut request = get(&at(&peer, "/"));
    request
        .headers
        .push(("Authorization".into(), "Bearer mine".into()));
    let error = egress(&with_key(&peer)).send(request).await.unwrap_err();
    assert_eq!(error.code(), "denied");
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn an_echoed_credential_does_not_come_back() {
    let base64 = STANDARD.encode(format!("Authorization: Bearer {KEY}"));
    let body = format!("you sent {KEY}, that is {base64}, or {KEY}");
    let expected = body.len();
    let (half, rest) = body.split_at(body.find("456").unwrap());
    let (half, rest) = (half.to_owned(), rest.to_owned());
    let peer = Peer::start(move |_| {
        Reply::chunks(
            &format!("200 OK\r\nx-echo: Bearer {KEY}"),
            &[
                half.as_bytes(),
                &rest.as_bytes()[..1],
                &rest.as_bytes()[1..],
            ],
        )
    })
    .await;
    let mut incoming = egress(&with_key(&peer))
        .send(get(&at(&peer, "/")))
        .await
        .unwrap();
    assert!(
        incoming
            .headers()
            .contains(&("x-echo".into(), "Bearer ***".into()))
    );
    let body = text(&mut incoming).await;
    assert!(
        body.starts_with("you sent ***, that is QXV0aG9yaXphdGlvbjogQmVhcmVy"),
        "{body}"
    );
    assert!(body.ends_with(", or ***"), "{body}");
    assert!(body.len() < expected && !body.contains("0123"), "{body}");
    assert_eq!(body.matches("***").count(), 3);
}

#[tokio::test]
async fn a_guest_that_got_hold_of_a_credential_cannot_send_it() {
    let mut peer = Peer::start(ok).await;
    let egress = egress(&with_key(&peer));
    let url = at(&peer, "/");
    let mut in_header = get(&url);
    in_header
        .headers
        .push(("x-note".into(), format!("it is {KEY}")));
    let encoded = STANDARD.encode(format!("xy{KEY}"));
    for request in [
        get(&format!("{url}?key={KEY}")),
        in_header,
        post(&url, format!("{{\"key\": \"{KEY}\"}}")),
        post(&url, encoded),
    ] {
        let error = egress.send(request).await.unwrap_err();
        assert_eq!(error.code(), "denied");
        assert!(!error.to_string().contains("0123"), "{error}");
    }
    assert_eq!(peer.connections(), 0);

    let mut streamed = post(&url, "");
    streamed.body = pieces(&["it is sk-0123", "456789", "abcdef"]);
    let error = egress.send(streamed).await.unwrap_err();
    assert_eq!(error.code(), "denied", "{error}");
    assert!(!peer.request().await.contains("sk-"));
}

#[tokio::test]
async fn a_credential_of_one_host_is_blanked_out_of_another_s_answer() {
    let peer = Peer::start(|_| Reply::text("200 OK", KEY)).await;
    let url = format!("http://other.example:{}/", peer.port);
    let mut incoming = egress(&with_key(&peer)).send(get(&url)).await.unwrap();
    assert_eq!(text(&mut incoming).await, "***");
}

#[tokio::test]
async fn logs_and_error_texts_are_scrubbed() {
    let peer = Peer::start(ok).await;
    let with = egress(&with_key(&peer));
    assert_eq!(
        with.scrub_text(&format!("failed with {KEY}")),
        "failed with ***"
    );
    let without = egress(&local(&peer));
    assert!(matches!(without.scrub_text(KEY), Cow::Borrowed(_)));
    assert!(!format!("{with:?}").contains(KEY));
}

#[tokio::test]
async fn a_missing_credential_refuses_the_request_rather_than_sending_it_without() {
    let peer = Peer::start(ok).await;
    let grant = with_key(&peer).replace("\"KEY\"", "\"NOT_SET\"");
    let error = egress(&grant).send(get(&at(&peer, "/"))).await.unwrap_err();
    assert_eq!(error.code(), "denied");
    assert!(error.to_string().contains("set NOT_SET"), "{error}");
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn what_cannot_be_searched_does_not_come_back() {
    let mut peer = Peer::start(|_| Reply::text("200 OK\r\ncontent-encoding: gzip", "???")).await;
    let mut request = get(&at(&peer, "/"));
    request
        .headers
        .push(("accept-encoding".into(), "gzip".into()));
    let error = egress(&with_key(&peer)).send(request).await.unwrap_err();
    assert_eq!(error.code(), "invalid", "{error}");
    let request = peer.request().await;
    assert!(request.contains("accept-encoding: identity"), "{request}");
    // Without credentials there is nothing to search for.
    let mut plain = egress(&local(&peer))
        .send(get(&at(&peer, "/")))
        .await
        .unwrap();
    assert_eq!(text(&mut plain).await, "???");
}

#[tokio::test]
async fn two_credentials_for_one_host_both_go_out() {
    let mut peer = Peer::start(|_| Reply::text("200 OK", OTHER)).await;
    let port = peer.port;
    let grant = format!(
        "{}[[secret]]\nhost = \"peer.example:{port}\"\nheader = \"x-other\"\nenv = \"OTHER\"\n",
        with_key(&peer)
    );
    let mut incoming = egress(&grant).send(get(&at(&peer, "/"))).await.unwrap();
    assert_eq!(text(&mut incoming).await, "***");
    let request = peer.request().await;
    assert!(
        request.contains(KEY) && request.contains(OTHER),
        "{request}"
    );
}
