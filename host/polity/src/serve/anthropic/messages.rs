//! `POST /v1/messages`.

use axum::extract::{Request, State};
use axum::response::Response;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use polity_kernel::Answer;

use super::events::MessageEvents;
use super::request::{self, MessageRequest};
use super::schema::{MessageBody, MessageObject};
use super::whole;
use crate::serve::App;
use crate::serve::asker::Asker;
use crate::serve::fault::{AnthropicError, Fault};
use crate::serve::{answer, failure, stream, wishes};

/// Ask a model, as Anthropic's clients do
///
/// Anthropic's messages, streamed (`"stream": true`) or whole, with whichever model the request names. The request is
/// judged by the rules as the action `model.complete`, and paid out of the actor's budget. The token is taken from
/// `x-api-key` or `authorization`.
#[utoipa::path(
    post,
    path = "/v1/messages",
    tag = "anthropic",
    request_body = MessageBody,
    params(
        ("x-polity-timeout-ms" = Option<u32>, Header, nullable = false, minimum = 1, description = "The longest that the caller will wait."),
        ("x-polity-max-cost" = Option<u64>, Header, nullable = false, description = "The most that the answer may cost, in micro-units."),
        ("x-polity-region" = Option<String>, Header, nullable = false, description = "Where the data must stay."),
    ),
    responses(
        (status = 200, description = "The answer; with `stream`, server-sent events from `message_start` to `message_stop`. A stream that breaks ends with an `error` event instead.", headers(
            ("x-polity-decision-id" = String, description = "The decision that let it happen; `polity explain` tells its story."),
            ("x-polity-model" = String, description = "The model that answers."),
            ("x-polity-why" = String, description = "Why that model."),
            ("x-polity-cost" = String, description = "What it cost, in units of the charter's currency; absent from streams."),
        ), content((MessageObject = "application/json"), (String = "text/event-stream"))),
        (status = 400, description = "The request is not valid, or no model may answer it.", body = AnthropicError),
        (status = 401, description = "Who asks is not known.", body = AnthropicError),
        (status = 403, description = "The permission is missing, a rule denied it, or a person has to decide first.", body = AnthropicError),
        (status = 404, description = "There is no such model.", body = AnthropicError),
        (status = 413, description = "The body is too long.", body = AnthropicError),
        (status = 429, description = "The provider asks to wait, or the budget is spent.", body = AnthropicError),
        (status = 502, description = "The provider or its plugin failed.", body = AnthropicError),
        (status = 503, description = "Too much is in progress, or the host is about to end.", body = AnthropicError),
        (status = 504, description = "There was no answer in time.", body = AnthropicError),
    ),
)]
pub(crate) async fn create_message(State(app): State<App>, request: Request) -> Response {
    message(&app, request)
        .await
        .unwrap_or_else(Fault::into_anthropic)
}

async fn message(app: &App, mut request: Request) -> Result<Response, Fault> {
    take_key(request.headers_mut());
    let Asker {
        actor,
        headers,
        body,
    } = Asker::admit(app, request).await?;
    let MessageRequest {
        mut completion,
        stream,
    } = request::parse(&body)?;
    completion.deadline = wishes::take(&headers, &mut completion.wants)?;
    completion.trace = wishes::trace(&headers);
    let answered = app.kernel.complete(&actor, completion, stream).await;
    match answered.map_err(failure::fault)? {
        Answer::Whole(completed) => Ok(answer::respond(whole::body(&completed), &completed)),
        Answer::Stream(pieces) => {
            let format = |decision, model: &str| MessageEvents::new(decision, model);
            stream::respond(pieces, format).await
        }
    }
}

/// The vendor's clients send their key in a header of its own.
pub(super) fn take_key(headers: &mut HeaderMap) {
    if headers.contains_key(AUTHORIZATION) {
        return;
    }
    let key = headers
        .get("x-api-key")
        .and_then(|key| key.to_str().ok())
        .map(|key| format!("Bearer {key}"));
    if let Some(Ok(mut bearer)) = key.map(|key| HeaderValue::from_str(&key)) {
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_token_unless_there_is_one() {
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", HeaderValue::from_static("abc"));
        take_key(&mut headers);
        assert_eq!(headers[AUTHORIZATION], "Bearer abc");
        headers.insert("x-api-key", HeaderValue::from_static("other"));
        take_key(&mut headers);
        assert_eq!(headers[AUTHORIZATION], "Bearer abc");
    }
}
