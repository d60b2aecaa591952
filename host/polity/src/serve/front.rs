//! What every request goes through, whatever its route.
//!
//! It is one function in front of the router and not a stack of layers: each layer would box a future for a request
//! whose whole HTTP handling is to cost some microseconds.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{Method, Request, Uri};
use hyper::body::Incoming;
use polity_ledger::new_id;
use tower::Service;

use super::App;
use super::fault::{Fault, Kind};
use super::headers;

/// Paths that are answered to the last.
const TO_THE_LAST: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// Answers one request.
pub(super) async fn answer(
    app: App,
    mut router: Router,
    request: Request<Incoming>,
) -> Response<Body> {
    let id =
        headers::request_id(request.headers()).unwrap_or_else(|| headers::id(new_id(app.now_ms())));
    let started = Instant::now();
    let shape = Shape::of(request.uri());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = match admit(&app, &request) {
        Err(fault) => shape.tell(fault),
        Ok(()) => match AssertUnwindSafe(router.call(request.map(Body::new)))
            .catch_unwind()
            .await
        {
            Ok(Ok(response)) => response,
            // The message went to the log from where it happened; a caller has no use for it.
            Err(_) => shape.tell(Fault::new(
                Kind::Internal,
                "the request ran into a bug; the log has the details",
            )),
        },
    };
    let status = response.status();
    if status.is_server_error() {
        tracing::warn!(request = ?id, status = status.as_u16(), "a request was not answered");
    }
    // The path alone: a query may hold a link's secret.
    tracing::debug!(request = ?id, %method, path, status = status.as_u16(), took = ?started.elapsed(), "answered");
    app.traffic.count(status);
    response.headers_mut().insert(headers::REQUEST_ID, id);
    response
}

fn admit(app: &App, request: &Request<Incoming>) -> Result<(), Fault> {
    app.hosts.check(request.uri(), request.headers())?;
    if !is_text(request.uri().path()) {
        return Err(Fault::new(Kind::Malformed, "the path is not UTF-8"));
    }
    if app.ending.is_cancelled() && !TO_THE_LAST.contains(&request.uri().path()) {
        return Err(Fault::new(
            Kind::Draining,
            "the host is about to end and takes no new work",
        )
        .retry_after(Duration::from_secs(5)));
    }
    Ok(())
}

/// Whether a path is text once its escapes are read. An escape that is none stands for itself.
fn is_text(path: &str) -> bool {
    if !path.contains('%') {
        return true;
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    std::str::from_utf8(&bytes).is_ok()
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// For paths that lead nowhere.
pub(super) async fn not_found(method: Method, uri: Uri) -> Response {
    let detail = format!(
        "there is no {method} {}; /api/openapi.json lists what there is",
        uri.path()
    );
    Shape::of(&uri).tell(Fault::new(Kind::NotFound, detail))
}

/// For paths that lead somewhere by another method.
pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    let detail = format!(
        "{} does not take {method}; /api/openapi.json says what it takes",
        uri.path()
    );
    Shape::of(&uri).tell(Fault::new(Kind::MethodNotAllowed, detail))
}

/// How faults are told where a path belongs.
#[derive(Clone, Copy)]
enum Shape {
    OpenAi,
    Anthropic,
    Problem,
}

impl Shape {
    fn of(uri: &Uri) -> Self {
        if uri.path().starts_with("/v1/messages") {
            Self::Anthropic
        } else if uri.path().starts_with("/v1/") {
            Self::OpenAi
        } else {
            Self::Problem
        }
    }

    fn tell(self, fault: Fault) -> Response {
        match self {
            Self::OpenAi => fault.into_openai(),
            Self::Anthropic => fault.into_anthropic(),
            Self::Problem => fault.into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_text_once_its_escapes_are_read() {
        for path in ["/", "/a%20b", "/%C3%BC", "/%", "/%zz", "/%4"] {
            assert!(is_text(path), "{path}");
        }
        for path in ["/%FF", "/%C3", "/a%C3%28"] {
            assert!(!is_text(path), "{path}");
        }
    }
}
