//! HTTP with a host: its token on every request, JSON in and out, every failure a report.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, Url};
use serde_json::Value;

use super::problem;
use crate::cli::presence::Server;
use crate::cli::report::Report;

/// How long a host may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// The header by which an answer names the decision behind it.
pub(crate) const DECISION: &str = "x-polity-decision-id";

/// A host, not yet spoken to.
pub(crate) struct Host {
    http: Client,
    base: Url,
    token: Option<String>,
    /// What it wrote into its data folder, where that is how it was found.
    pub(crate) server: Option<Server>,
}

/// What is sent.
pub(crate) enum Body<'a> {
    /// Nothing.
    Empty,
    /// A JSON document.
    Json(&'a Value),
    /// Bytes with their media type and further headers.
    Bytes(&'static str, Vec<u8>, Vec<(&'static str, String)>),
}

impl Host {
    /// A host at an address.
    pub(super) fn new(
        url: &str,
        token: Option<String>,
        server: Option<Server>,
    ) -> Result<Self, Report> {
        let example = "write it like http://127.0.0.1:7654";
        let base = Url::parse(url).map_err(|error| {
            Report::usage(format!("{url:?} is not an address"))
                .because(error)
                .hint(example)
        })?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(
                Report::usage(format!("{url:?} is not the address of a host")).hint(example),
            );
        }
        let http = http_client(base.scheme() == "https")?;
        Ok(Self {
            http,
            base,
            token,
            server,
        })
    }

    /// The address, without a slash at its end.
    pub(crate) fn url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Reads a document.
    pub(crate) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<Value, Report> {
        json(self.send(Method::GET, path, query, Body::Empty).await?).await
    }

    /// Sends a document and reads the answer.
    pub(crate) async fn post(&self, path: &[&str], body: &Value) -> Result<Value, Report> {
        json(self.send(Method::POST, path, &[], Body::Json(body)).await?).await
    }

    /// Puts something in a place.
    pub(crate) async fn put(&self, path: &[&str], body: Body<'_>) -> Result<Value, Report> {
        json(self.send(Method::PUT, path, &[], body).await?).await
    }

    /// Takes something away.
    pub(crate) async fn delete(&self, path: &[&str]) -> Result<Value, Report> {
        json(self.send(Method::DELETE, path, &[], Body::Empty).await?).await
    }

    /// Sends a request; an answer that is no success is a report.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Body<'_>,
    ) -> Result<Response, Report> {
        let request = self.http.request(method, self.address(path, query));
        let request = match body {
            Body::Empty => request,
            Body::Json(value) => request.json(value),
            Body::Bytes(kind, bytes, headers) => {
                let request = request.header("content-type", kind).body(bytes);
                headers.into_iter().fold(request, |request, (name, value)| {
                    request.header(name, value)
                })
            }
        };
        self.dispatch(request).await
    }

    /// Opens a stream of server-sent events.
    pub(crate) async fn events(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<Response, Report> {
        let request = self
            .http
            .get(self.address(path, query))
            .header("accept", "text/event-stream");
        self.dispatch(request).await
    }

    async fn dispatch(&self, mut request: RequestBuilder) -> Result<Response, Report> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let decision = response
            .headers()
            .get(DECISION)
            .and_then(|id| id.to_str().ok())
            .map(str::to_owned);
        let body = response.bytes().await.unwrap_or_default();
        Err(problem::report(
            status,
            &body,
            decision.as_deref(),
            self.token.is_some(),
        ))
    }

    /// Path segments are escaped, so that no id can lead elsewhere.
    fn address(&self, path: &[&str], query: &[(&str, String)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    fn unreachable(&self, error: &reqwest::Error) -> Report {
        let report = Report::new(format!("nobody answers at {}", self.url())).caused_by(error);
        match &self.server {
            Some(server) => report.hint(format!(
                "process {} listened there and seems to have ended; start it again: polity up",
                server.pid
            )),
            None => report.hint("start a host there, or name another one with --url"),
        }
    }
}

async fn json(response: Response) -> Result<Value, Report> {
    let bytes = response.bytes().await.map_err(|error| broken(&error))?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        Report::new("the answer is not JSON")
            .because(error)
            .hint("is it really a Polity host that listens there?")
    })
}

/// The answer ended before its end.
pub(crate) fn broken(error: &reqwest::Error) -> Report {
    Report::new("the host's answer broke off").caused_by(error)
}

/// The system's certificates are read only where they are needed: reading them takes longer than most commands.
/// A client that follows nobody elsewhere. It is given a key of the caller's, which a proxy of the environment would be
/// handed, too.
pub(crate) fn http_client(is_encrypted: bool) -> Result<Client, Report> {
    Client::builder()
        .no_proxy()
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::none())
        .tls_backend_preconfigured(tls(is_encrypted)?)
        .build()
        .map_err(|error| Report::new("the HTTP client cannot start").caused_by(&error))
}

fn tls(roots_needed: bool) -> Result<rustls::ClientConfig, Report> {
    let mut roots = rustls::RootCertStore::empty();
    if roots_needed {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let config = rustls::ClientConfig::builder_with_provider(
        rustls::crypto::ring::default_provider().into(),
    )
    .with_safe_default_protocol_versions()
    .map_err(|error| Report::new("TLS cannot start").because(error))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(url: &str) -> Host {
        Host::new(url, None, None).unwrap()
    }

    #[test]
    fn a_path_is_joined_to_the_address_and_cannot_leave_it() {
        let host = host("http://127.0.0.1:7654/");
        assert_eq!(host.url(), "http://127.0.0.1:7654");
        let address = host.address(&["api", "plugins", "../tokens"], &[("a", "b c".into())]);
        assert_eq!(
            address.as_str(),
            "http://127.0.0.1:7654/api/plugins/..%2Ftokens?a=b+c"
        );
    }

    #[test]
    fn what_is_no_address_is_the_command_lines_fault() {
        for url in ["", "localhost", "localhost:7654", "ftp://host/"] {
            let seen = Host::new(url, None, None).err().unwrap().seen();
            assert!(seen.contains("http://127.0.0.1:7654"), "{seen}");
        }
        insta::assert_snapshot!(Host::new("localhost:7654", None, None).err().unwrap().seen(), @r#"
        error: "localhost:7654" is not the address of a host
          hint: write it like http://127.0.0.1:7654
        "#);
    }

    #[tokio::test]
    async fn a_host_that_does_not_answer_is_named() {
        // Bound and not listened on: nobody else gets the port meanwhile, and nobody answers.
        let port = std::net::UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let server = Server {
            url: format!("http://127.0.0.1:{port}"),
            pid: 4711,
            version: "0.1.0".into(),
            company: "protocols".into(),
            started_ms: 0,
        };
        let found = Host::new(&server.url.clone(), None, Some(server)).unwrap();
        let seen = found.get(&["livez"], &[]).await.unwrap_err().seen();
        assert!(
            seen.contains("nobody answers") && seen.contains("process 4711"),
            "{seen}"
        );
    }
}
