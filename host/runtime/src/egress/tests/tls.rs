//! Secure connections, to servers whose certificate is known and to others.

use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::*;

/// A server's certificate for a name, and a list of authorities that knows it.
fn certificate(name: &str) -> (TlsAcceptor, Arc<RootCertStore>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    (TlsAcceptor::from(Arc::new(config)), Arc::new(roots))
}

async fn send(roots: Arc<RootCertStore>, peer: &Peer, host: &str) -> Result<Incoming, EgressError> {
    let host = format!("{host}:{}", peer.port);
    let grant = format!("[[http]]\nhost = \"{host}\"\nprivate = true\n");
    let grant = Grant::parse("acme.grant.toml", &grant).unwrap();
    let resolver = resolver(&["127.0.0.1"]);
    Egress::with_roots(
        "acme",
        &grant,
        World::Connector,
        Secrets::default(),
        resolver,
        roots,
    )
    .unwrap()
    .send(get(&format!("https://{host}/")))
    .await
}

#[tokio::test]
async fn a_server_whose_certificate_is_known_is_answered_to() {
    let (tls, roots) = certificate("secure.example");
    let peer = Peer::start_with(ok, Some(tls)).await;
    let mut incoming = send(roots, &peer, "secure.example").await.unwrap();
    assert_eq!(text(&mut incoming).await, "hello");
}

#[tokio::test]
async fn a_server_with_a_stranger_s_certificate_is_refused() {
    let (tls, _) = certificate("secure.example");
    let (_, other) = certificate("secure.example");
    let peer = Peer::start_with(ok, Some(tls)).await;
    let error = send(other, &peer, "secure.example").await.unwrap_err();
    assert_eq!(error.code(), "connection");
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test]
async fn a_server_with_a_certificate_for_another_name_is_refused() {
    let (tls, roots) = certificate("secure.example");
    let peer = Peer::start_with(ok, Some(tls)).await;
    let error = send(roots, &peer, "impostor.example").await.unwrap_err();
    assert_eq!(error.code(), "connection");
}

#[tokio::test]
async fn a_machine_without_authorities_says_what_to_install() {
    let (tls, _) = certificate("secure.example");
    let peer = Peer::start_with(ok, Some(tls)).await;
    let none = Arc::new(RootCertStore::empty());
    let error = send(none, &peer, "secure.example").await.unwrap_err();
    assert!(error.to_string().contains("ca-certificates"), "{error}");
}
