//! `wasi:http`, for guests whose libraries speak it, through the same egress.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderName};
use http_body::Frame;
use http_body_util::{BodyExt, BodyStream as Frames, StreamBody};
use tokio::time::timeout;
use url::Url;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody,
    WasiHttpHooks,
};

use super::outgoing::Request;
use super::{BodyError, EgressError, Incoming, OutgoingBody, Session, headers};

/// The largest piece of a response that is handed on at once.
const PIECE_BYTES: usize = 64 * 1024;

/// What is read of a request's body before it is refused for want of any grant.
const DRAINED_BYTES: u64 = 1024 * 1024;

/// How long for.
const DRAINED_FOR: Duration = Duration::from_secs(5);

/// What `wasi:http` calls to send a request.
#[derive(Clone, Debug)]
pub struct EgressHooks {
    plugin: Arc<str>,
    session: Option<Session>,
}

type Completion = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(http::Response<WasiBody>, Completion), Error>;

impl EgressHooks {
    /// Sends through a session; without one, every request is denied.
    pub fn new(plugin: &Arc<str>, session: Option<Session>) -> Self {
        Self {
            plugin: plugin.clone(),
            session,
        }
    }
}

impl WasiHttpHooks for EgressHooks {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        is_forbidden(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(is_forbidden)
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _response_processed: Completion,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let Self { plugin, session } = self.clone();
        Box::new(async move {
            let Some(session) = session else {
                drain(request.into_body(), DRAINED_BYTES, DRAINED_FOR).await;
                let refusal = EgressError::nothing_granted(&plugin);
                tracing::warn!(plugin = &*plugin, "{refusal}");
                return Err(translate(refusal));
            };
            let response = send(session, request, options.unwrap_or_default()).await?;
            Ok((response, Box::new(async { Ok(()) }) as Completion))
        })
    }
}

/// A guest may promise the length of its body; `wasi:http` holds it to that. A header
/// that takes a credential is refused when the request is sent, since it depends on the
/// host.
fn is_forbidden(name: &HeaderName) -> bool {
    *name != CONTENT_LENGTH
        && (headers::is_forbidden(name) || DEFAULT_FORBIDDEN_HEADERS.contains(name))
}

async fn send(
    session: Session,
    request: http::Request<WasiBody>,
    options: RequestOptions,
) -> Result<http::Response<WasiBody>, Error> {
    let (head, body) = request.into_parts();
    let mut outgoing = Request {
        method: head.method,
        url: Url::parse(&head.uri.to_string()).map_err(|_| Error::HttpRequestUriInvalid)?,
        headers: head.headers,
        body: OutgoingBody::Empty,
        // The two waits that WASI tells apart are one to this client.
        timeout: match (options.connect_timeout, options.first_byte_timeout) {
            (Some(connect), Some(first)) => Some(connect.saturating_add(first)),
            // Either alone leaves the other unbounded but for the session's deadline.
            _ => None,
        },
        idle_timeout: options.between_bytes_timeout,
    };
    let length = take_framing(&mut outgoing.headers);
    let route = match session.admit(&mut outgoing) {
        Ok(route) => route,
        Err(error) => {
            // A guest that is still writing its body would see the writing fail, and not
            // why.
            let limits = &session.egress.limits;
            drain(
                body,
                limits.request_bytes,
                Duration::from_millis(limits.wall_ms),
            )
            .await;
            return Err(translate(error));
        }
    };
    if length != Some(0) && !http_body::Body::is_end_stream(&body) {
        let pieces = Frames::new(body).filter_map(|frame| {
            std::future::ready(match frame {
                // Trailers are of no use to anyone here.
                Ok(frame) => frame.into_data().ok().map(Ok),
                Err(error) => Some(Err(BodyError(error.to_string()))),
            })
        });
        outgoing.body = OutgoingBody::Stream {
            pieces: Box::pin(pieces),
            length,
        };
    }
    let incoming = session.transmit(outgoing, route).await.map_err(translate)?;
    Ok(response(incoming))
}

/// Takes off what frames the message: the host frames it anew.
fn take_framing(headers: &mut HeaderMap) -> Option<u64> {
    headers.remove(HOST);
    headers.remove(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads what a guest still writes, within bounds.
async fn drain(mut body: WasiBody, bytes: u64, time: Duration) {
    let all = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, |data| data.len() as u64);
            if read > bytes {
                break;
            }
        }
    };
    let _ = timeout(time, all).await;
}

fn response(incoming: Incoming) -> http::Response<WasiBody> {
    let mut response = http::Response::new(());
    let (status, headers) = incoming.head();
    *response.status_mut() = status;
    response.headers_mut().clone_from(headers);
    let pieces = stream::unfold(incoming, |mut incoming| async move {
        match incoming.next(PIECE_BYTES).await {
            Ok(Some(piece)) => Some((Ok(Frame::data(piece)), incoming)),
            Ok(None) => None,
            Err(error) => Some((Err(translate(error)), incoming)),
        }
    });
    response.map(|()| StreamBody::new(pieces).boxed_unsync())
}

/// WASI's errors have codes without texts; the text goes to the log when it is a denial.
fn translate(error: EgressError) -> Error {
    match error {
        EgressError::Denied(_) => Error::HttpRequestDenied,
        EgressError::Invalid(_) => Error::HttpProtocolError,
        EgressError::Connection(_) => Error::ConnectionTerminated,
        EgressError::Timeout(_) => Error::ConnectionReadTimeout,
        EgressError::TooLarge(_) => Error::HttpResponseBodySize(None),
    }
}
