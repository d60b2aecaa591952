//! The only way out of the sandbox to the network.
//!
//! A request passes, in this order: the count of the call's requests; the [policy]
//! of the grant; the headers that are the host's; a search for credentials that a guest
//! should not have; the addition of those that the host adds; the client, which follows
//! no redirect, uses no proxy and connects only to [judged addresses](address). What
//! comes back is bounded, and credentials in it are blanked out.
//!
//! Both `polity:plugin/http` and `wasi:http` go through [`Session::send`]. There is no
//! other way: `wasmtime-wasi-http` is built without its own.
//!
//! [policy]: crate::grant::HttpGrant

pub mod address;
mod body;
mod client;
mod error;
mod forms;
pub(crate) mod headers;
mod incoming;
mod outgoing;
mod policy;
mod resolve;
mod scrub;
#[cfg(test)]
mod tests;
mod wasi_http;

use std::borrow::Cow;
use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderValue};
use reqwest::{Body, Client};
use rustls::RootCertStore;
use tokio::time::{Instant, timeout_at};
use url::Url;

pub use error::EgressError;
pub use incoming::Incoming;
pub use outgoing::{BodyError, BodyStream, Outgoing, OutgoingBody};
pub use resolve::{Resolution, Resolver, SystemResolver};
pub use wasi_http::EgressHooks;

use crate::grant::{Grant, Limits, paste};
use crate::manifest::World;
use crate::secret::{SecretState, Secrets};
use body::{BodyRefused, GuardedBody};
use outgoing::{LastUrl, Request};
use policy::{Policy, Route};
use resolve::AddressRefused;
use scrub::{Redactor, Scrubber};

/// The way out of one plugin. Cheap to clone.
#[derive(Clone)]
pub struct Egress(Arc<Inner>);

/// The way out of one instance, with what its call may still do. Clones share it.
#[derive(Clone)]
pub struct Session {
    egress: Arc<Inner>,
    calls: Arc<AtomicU64>,
}

pub(crate) struct Inner {
    plugin: Arc<str>,
    policy: Policy,
    last_url: LastUrl,
    secrets: Secrets,
    redactor: Option<Arc<Redactor>>,
    limits: Limits,
    /// To public addresses; None where nothing of the kind is granted.
    public: Option<Client>,
    /// To addresses of this machine and of private networks as well.
    private: Option<Client>,
    has_roots: bool,
}

impl Egress {
    /// The way out that a grant leaves open. `secrets` are those of the same grant.
    ///
    /// Blocks for some milliseconds the first time, to read the machine's certificate
    /// authorities.
    pub fn new(
        plugin: &str,
        grant: &Grant,
        world: World,
        secrets: Secrets,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, EgressError> {
        let roots = if grant.http.is_empty() {
            Arc::new(RootCertStore::empty())
        } else {
            client::system_roots()
        };
        Self::with_roots(plugin, grant, world, secrets, resolver, roots)
    }

    fn with_roots(
        plugin: &str,
        grant: &Grant,
        world: World,
        secrets: Secrets,
        resolver: Arc<dyn Resolver>,
        roots: Arc<RootCertStore>,
    ) -> Result<Self, EgressError> {
        let policy = Policy::new(plugin, &grant.http);
        let client = |private| {
            policy
                .has_route(private)
                .then(|| client::build(roots.clone(), resolver.clone(), private))
                .transpose()
        };
        // Without the means to find its credentials again a plugin gets none.
        let redactor = Redactor::new(secrets.texts()).map_err(|error| {
            EgressError::Invalid(format!("its credentials are too many to look for: {error}"))
        })?;
        Ok(Self(Arc::new(Inner {
            plugin: plugin.into(),
            last_url: LastUrl::default(),
            public: client(false)?,
            private: client(true)?,
            redactor: redactor.map(Arc::new),
            secrets,
            limits: grant.limits(world),
            has_roots: !roots.is_empty(),
            policy,
        })))
    }

    /// Opens the way out for one call of the plugin.
    pub fn session(&self) -> Session {
        Session {
            egress: self.0.clone(),
            calls: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Sends one request in a session of its own.
    pub async fn send(&self, request: Outgoing) -> Result<Incoming, EgressError> {
        self.session().send(request).await
    }

    /// A text without credentials: every log message and error of the plugin goes
    /// through here.
    pub fn scrub_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.0.scrub_text(text)
    }
}

impl Session {
    /// Sends a request and waits for the head of its response.
    ///
    /// From here on, the response has as long as a whole call of the plugin may take. Who
    /// drops this future or the response gives the exchange up, and the connection with
    /// it.
    pub async fn send(&self, outgoing: Outgoing) -> Result<Incoming, EgressError> {
        let mut request = Request::parse(outgoing, &self.egress.last_url)?;
        let route = self.admit(&mut request)?;
        self.transmit(request, route).await
    }

    /// All that can be said of a request before its body is looked at.
    fn admit(&self, request: &mut Request) -> Result<Route, EgressError> {
        let admitted = self.count().and_then(|()| self.egress.admit(request));
        if let Err(EgressError::Denied(refusal)) = &admitted {
            tracing::warn!(plugin = &*self.egress.plugin, "{refusal}");
        }
        admitted
    }

    /// Refused requests count too, or asking for what is not granted would be free.
    fn count(&self) -> Result<(), EgressError> {
        let Inner { plugin, limits, .. } = &*self.egress;
        let limit = limits.http_calls;
        if self.calls.fetch_add(1, Ordering::Relaxed) < limit {
            return Ok(());
        }
        Err(EgressError::Denied(format!(
            "{plugin:?} may send {limit} requests in one call. To allow more, add to \
             {plugin}.grant.toml:\n{}",
            paste::limit("http_calls", limit.saturating_mul(2))
        )))
    }

    async fn transmit(&self, request: Request, route: Route) -> Result<Incoming, EgressError> {
        let egress = &self.egress;
        let client = if route.private {
            &egress.private
        } else {
            &egress.public
        };
        let Some(client) = client else {
            // A route comes from a grant, and each kind of grant has made its client.
            return Err(EgressError::Denied("nothing is granted".into()));
        };
        let Request {
            method,
            url,
            headers,
            body,
            timeout,
            idle_timeout,
        } = request;
        let now = Instant::now();
        let deadline = now + Duration::from_millis(egress.limits.wall_ms);
        let until = timeout.map_or(deadline, |timeout| deadline.min(now + timeout));
        let mut sent = reqwest::Request::new(method.clone(), url.clone());
        *sent.headers_mut() = headers;
        egress.attach(&mut sent, body)?;
        match timeout_at(until, client.execute(sent)).await {
            Ok(Ok(response)) => egress.receive(response, host_of(&url), deadline, idle_timeout),
            Ok(Err(error)) => Err(egress.explain(&error, &method, &url)),
            Err(_) => Err(EgressError::Timeout(format!(
                "{} did not answer in time",
                host_of(&url)
            ))),
        }
    }
}

impl Inner {
    fn admit(&self, request: &mut Request) -> Result<Route, EgressError> {
        request.check_size()?;
        let route = self.policy.admit(&request.method, &mut request.url)?;
        if let Some(name) = request
            .headers
            .keys()
            .find(|name| headers::is_forbidden(name))
        {
            return Err(EgressError::Denied(format!(
                "{:?} may not set the header {name}, which is the host's own",
                self.plugin
            )));
        }
        if let Some(redactor) = &self.redactor {
            self.search(redactor, request)?;
            // What is compressed cannot be searched on its way back.
            request
                .headers
                .insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        self.inject(request, route)?;
        Ok(route)
    }

    /// Refuses a request that carries a credential already. A guest that has one got it
    /// by a way that should not exist, and must not pass it on.
    fn search(&self, redactor: &Redactor, request: &Request) -> Result<(), EgressError> {
        let place = if redactor.finds(request.url.as_str().as_bytes()) {
            "URL"
        } else if request
            .headers
            .iter()
            .any(|(_, value)| redactor.finds(value.as_bytes()))
        {
            "headers"
        } else if matches!(&request.body, OutgoingBody::Bytes(bytes) if redactor.finds(bytes)) {
            "body"
        } else {
            return Ok(());
        };
        Err(self.holds_credential(place))
    }

    /// Adds the credentials that are for this host.
    fn inject(&self, request: &mut Request, route: Route) -> Result<(), EgressError> {
        let plain = request.url.scheme() == "http";
        let default_port = if plain { 80 } else { 443 };
        let (Some(host), Some(port)) = (request.url.host(), request.url.port_or_known_default())
        else {
            return Ok(());
        };
        let plugin = &self.plugin;
        for secret in self.secrets.iter() {
            if !secret.host.matches(&host, port, default_port) {
                continue;
            }
            let name = &secret.header;
            if request.headers.contains_key(name) {
                return Err(EgressError::Denied(format!(
                    "{plugin:?} may not set the header {name} for {host}, because the host adds a \
                     credential there"
                )));
            }
            if plain && !route.private {
                return Err(EgressError::Denied(format!(
                    "{plugin:?} may not send to http://{host}, because the credential in the \
                     header {name} would travel unencrypted; use https:"
                )));
            }
            match &secret.state {
                SecretState::Ready(credential) => {
                    request
                        .headers
                        .insert(name.clone(), credential.header().clone());
                }
                SecretState::Missing(error) => {
                    return Err(EgressError::Denied(format!(
                        "{plugin:?} cannot send to {host} without the credential for the header \
                         {name}: {error}, and load the plugin again"
                    )));
                }
            }
        }
        Ok(())
    }

    fn attach(
        self: &Arc<Self>,
        sent: &mut reqwest::Request,
        body: OutgoingBody,
    ) -> Result<(), EgressError> {
        match body {
            OutgoingBody::Empty => {}
            OutgoingBody::Bytes(bytes) => {
                self.check_length(bytes.len() as u64)?;
                *sent.body_mut() = Some(Body::from(bytes));
            }
            OutgoingBody::Stream { pieces, length } => {
                if let Some(length) = length {
                    self.check_length(length)?;
                    sent.headers_mut().insert(CONTENT_LENGTH, length.into());
                }
                *sent.body_mut() = Some(Body::wrap_stream(GuardedBody::new(pieces, self.clone())));
            }
        }
        Ok(())
    }

    fn receive(
        &self,
        mut response: reqwest::Response,
        host: &str,
        deadline: Instant,
        idle_timeout: Option<Duration>,
    ) -> Result<Incoming, EgressError> {
        let limit = incoming::Limit {
            bytes: self.limits.response_bytes,
            plugin: self.plugin.clone(),
        };
        if response
            .content_length()
            .is_some_and(|length| length > limit.bytes)
        {
            return Err(limit.exceeded());
        }
        let mut headers = std::mem::take(response.headers_mut());
        if let Some(redactor) = &self.redactor {
            if headers
                .get_all(CONTENT_ENCODING)
                .iter()
                .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
            {
                return Err(EgressError::Invalid(format!(
                    "{host} compressed its response although it was asked not to, so that it \
                     cannot be searched for credentials"
                )));
            }
            scrub_headers(redactor, &mut headers);
        }
        let body = incoming::Body {
            ready: bytes::Bytes::new(),
            scrubber: self.redactor.clone().map(Scrubber::new),
            received: 0,
            limit,
            deadline,
            idle_timeout,
            host: host.into(),
            response: None,
        };
        let status = response.status();
        let body = incoming::Body {
            response: Some(response),
            ..body
        };
        Ok(Incoming::new(status, headers, body))
    }

    /// What the client's error means.
    fn explain(&self, error: &reqwest::Error, method: &http::Method, url: &Url) -> EgressError {
        let mut source = error.source();
        while let Some(cause) = source {
            if let Some(refused) = cause.downcast_ref::<AddressRefused>() {
                let refusal = self.policy.address_refusal(method, url, refused.class);
                tracing::warn!(plugin = &*self.plugin, "{refusal}");
                return EgressError::Denied(refusal);
            }
            if let Some(BodyRefused(refused)) = cause.downcast_ref() {
                return refused.clone();
            }
            source = cause.source();
        }
        let host = host_of(url);
        let cause = root_cause(error);
        let explained = if error.is_timeout() {
            let seconds = client::CONNECT_TIMEOUT.as_secs();
            EgressError::Timeout(format!("{host} took no connection within {seconds} s"))
        } else if error.is_connect() && url.scheme() == "https" && !self.has_roots {
            EgressError::Connection(format!(
                "no secure connection to {host} can be made, because this machine has no \
                 certificate authorities; install ca-certificates or set SSL_CERT_FILE"
            ))
        } else if error.is_connect() {
            EgressError::Connection(format!("no connection to {host} could be made: {cause}"))
        } else {
            EgressError::Connection(format!("{host} broke off the exchange: {cause}"))
        };
        explained.map(|text| self.scrub_text(&text).into_owned())
    }

    fn check_length(&self, length: u64) -> Result<(), EgressError> {
        let limit = self.limits.request_bytes;
        if length <= limit {
            return Ok(());
        }
        Err(EgressError::TooLarge(format!(
            "the request's body has more than {limit} bytes. To allow it, add to \
             {}.grant.toml:\n{}",
            self.plugin,
            paste::limit("request_bytes", length.max(limit.saturating_mul(2)))
        )))
    }

    #[cold]
    fn holds_credential(&self, place: &str) -> EgressError {
        EgressError::Denied(format!(
            "{:?} may not send a credential itself, and the request's {place} holds one; the host \
             adds it to requests to the hosts of its [[secret]] table",
            self.plugin
        ))
    }

    fn scrub_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match &self.redactor {
            Some(redactor) => redactor.text(text),
            None => Cow::Borrowed(text),
        }
    }
}

fn scrub_headers(redactor: &Redactor, headers: &mut HeaderMap) {
    for value in headers.values_mut() {
        if let Some(clean) = redactor.bytes(value.as_bytes()) {
            // What was a header value is one still: blanks are visible characters.
            *value = HeaderValue::from_maybe_shared(clean)
                .unwrap_or_else(|_| HeaderValue::from_static(""));
        }
    }
}

fn host_of(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

/// The innermost error: the others say only that something went wrong.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Egress({})", self.0.plugin)
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.egress.plugin)
    }
}
