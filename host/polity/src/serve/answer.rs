//! A whole answer, whatever the surface: its pieces put together, and the headers that go with it.

use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use polity_kernel::Completed;
use polity_runtime::Delta;

use super::headers;

/// What a model said, put together from its pieces.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) content: String,
    pub(super) thoughts: String,
    /// In the order of their index.
    pub(super) calls: Vec<Call>,
}

/// A tool call.
#[derive(Debug, Default)]
pub(super) struct Call {
    index: u32,
    pub(super) id: String,
    pub(super) name: String,
    /// JSON, unless the model made a mistake.
    pub(super) arguments: String,
}

impl Said {
    pub(super) fn of(pieces: &[Delta]) -> Self {
        let mut said = Self::default();
        for delta in pieces {
            match delta {
                Delta::Text(text) => said.content.push_str(text),
                Delta::Thinking(text) => said.thoughts.push_str(text),
                Delta::ToolCall(piece) => {
                    let call = said.call(piece.index);
                    call.id.push_str(&piece.id);
                    call.name.push_str(&piece.name);
                    call.arguments.push_str(&piece.arguments);
                }
            }
        }
        said.calls.sort_by_key(|call| call.index);
        said
    }

    fn call(&mut self, index: u32) -> &mut Call {
        let known = self.calls.iter().position(|call| call.index == index);
        let at = known.unwrap_or_else(|| {
            self.calls.push(Call {
                index,
                ..Call::default()
            });
            self.calls.len() - 1
        });
        &mut self.calls[at]
    }
}

/// The response to a caller that did not ask for a stream.
pub(super) fn respond(body: Vec<u8>, completed: &Completed) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers::set_decision(headers, completed.decision_id);
    if let Ok(model) = HeaderValue::from_str(&completed.model) {
        headers.insert(headers::MODEL, model);
    }
    headers::set_why(headers, completed.why.as_deref());
    headers.insert(headers::COST, headers::cost(completed.cost_micro));
    response
}
