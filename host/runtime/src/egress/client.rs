//! The HTTP client of one plugin.
//!
//! Each plugin has its own: connections, TLS sessions and what servers remember of them
//! are not shared, so no plugin learns from or rides on another's. What is shared is the
//! list of certificate authorities, which takes milliseconds to read.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use reqwest::Client;
use rustls::{ClientConfig, RootCertStore};

use super::EgressError;
use super::resolve::{Guarded, Resolver};

/// Time for a connection, TLS included. A handshake round the world takes one second.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Idle connections are dropped before the 60 seconds after which common balancers drop
/// them, since a request on a dropped connection fails.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// Idle connections to one host. With fewer than there are calls at one time, most calls
/// would open a connection of their own.
const IDLE_CONNECTIONS: usize = 64;

/// The authorities that this machine trusts. `SSL_CERT_FILE` and `SSL_CERT_DIR` name
/// others. Read once: a change of them needs a restart.
static SYSTEM_ROOTS: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    for error in found.errors {
        tracing::warn!(%error, "a certificate authority could not be read");
    }
    Arc::new(roots)
});

/// The authorities that this machine trusts.
pub(super) fn system_roots() -> Arc<RootCertStore> {
    SYSTEM_ROOTS.clone()
}

/// A client that goes where it is sent, and nowhere else.
pub(super) fn build(
    roots: Arc<RootCertStore>,
    resolver: Arc<dyn Resolver>,
    private: bool,
) -> Result<Client, EgressError> {
    let failed = |error: &dyn std::error::Error| {
        EgressError::Connection(format!("no HTTP client could be made: {error}"))
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        // A redirect leads to a URL that nobody has judged: the guest sees it and asks.
        .redirect(reqwest::redirect::Policy::none())
        // A proxy would connect where we have not looked.
        .no_proxy()
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .tcp_nodelay(true)
        .dns_resolver(Guarded::new(resolver, private))
        .build()
        .map_err(|error| failed(&error))
}
