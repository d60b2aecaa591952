//! `POST /v1/chat/completions`.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderMap;
use polity_constitution::Permission;
use polity_kernel::{Answer, Wants};

use super::request::{self, ChatRequest};
use super::schema::{ChatBody, ChatCompletion};
use super::{failure, stream, whole};
use crate::serve::App;
use crate::serve::auth::{authenticate, require};
use crate::serve::body;
use crate::serve::fault::{Fault, OpenAiError};
use crate::serve::headers;

/// Ask a model
///
/// OpenAI's chat completions, streamed (`"stream": true`) or whole. The request is judged by the rules as the action
/// `model.complete` before it reaches the model, and paid out of the actor's budget.
#[utoipa::path(
    post,
    path = "/v1/chat/completions",
    tag = "openai",
    request_body = ChatBody,
    params(
        ("x-polity-timeout-ms" = Option<u32>, Header, nullable = false, minimum = 1, description = "The longest that the caller will wait."),
        ("x-polity-max-cost" = Option<u64>, Header, nullable = false, description = "The most that the answer may cost, in micro-units."),
        ("x-polity-deadline-ms" = Option<u32>, Header, nullable = false, minimum = 1, description = "As `x-polity-timeout-ms`, and models that take longer are left out."),
        ("x-polity-min-quality" = Option<f64>, Header, nullable = false, minimum = 0, maximum = 1, description = "The least score that must be expected of the model."),
        ("x-polity-compliance" = Option<String>, Header, nullable = false, description = "Tags that the model must satisfy, with commas between."),
        ("x-polity-task" = Option<String>, Header, nullable = false, description = "What kind of request it is."),
        ("x-polity-region" = Option<String>, Header, nullable = false, description = "Where the data must stay."),
        ("x-polity-local-only" = Option<bool>, Header, nullable = false, description = "Whether nothing may leave the company's own machines."),
    ),
    responses(
        (status = 200, description = "The answer; with `stream`, server-sent events of `chat.completion.chunk` objects that end with `data: [DONE]`. A stream that breaks ends with `data: {\"error\": …}` instead.", headers(
            ("x-polity-decision-id" = String, description = "The decision that let it happen; `polity explain` tells its story."),
            ("x-polity-model" = String, description = "The model that answers."),
            ("x-polity-why" = String, description = "Why that model."),
            ("x-polity-cost" = String, description = "What it cost, in units of the charter's currency; absent from streams."),
        ), content((ChatCompletion = "application/json"), (String = "text/event-stream"))),
        (status = 400, description = "The request is not valid, or no model may answer it (`no_eligible_model`).", body = OpenAiError),
        (status = 401, description = "Who asks is not known.", body = OpenAiError),
        (status = 403, description = "The permission is missing, a rule denied it (`denied_by_rule`), or a person has to decide first (`escalated`).", body = OpenAiError),
        (status = 404, description = "There is no such model.", body = OpenAiError),
        (status = 413, description = "The body is too long.", body = OpenAiError),
        (status = 429, description = "The provider asks to wait (`rate_limit_exceeded`), or the budget is spent (`insufficient_quota`).", body = OpenAiError),
        (status = 502, description = "The provider or its plugin failed.", body = OpenAiError),
        (status = 503, description = "Too much is in progress, or the host is about to end.", body = OpenAiError),
        (status = 504, description = "There was no answer in time.", body = OpenAiError),
    ),
)]
pub(crate) async fn create_chat_completion(State(app): State<App>, request: Request) -> Response {
    complete(&app, request)
        .await
        .unwrap_or_else(Fault::into_openai)
}

async fn complete(app: &App, request: Request) -> Result<Response, Fault> {
    let (head, body) = request.into_parts();
    let actor = authenticate(&app.kernel, &head.headers)?;
    require(&actor, Permission::CompletionsCreate)?;
    let deadline = deadline(&head.headers)?;
    let ChatRequest {
        mut completion,
        stream,
        include_usage,
    } = {
        let body = body::read(&head.headers, body, body::CONVERSATION).await?;
        request::parse(&body)?
    };
    wants(&head.headers, &mut completion.wants)?;
    let wanted = completion
        .wants
        .as_ref()
        .and_then(|wants| wants.deadline_ms);
    let wanted = wanted.map(Duration::from_millis);
    completion.deadline = deadline.into_iter().chain(wanted).min();
    let created = app.now_ms() / 1000;
    match app
        .kernel
        .complete(&actor, completion, stream)
        .await
        .map_err(failure::fault)?
    {
        Answer::Whole(completed) => Ok(whole::respond(&completed, created)),
        Answer::Stream(pieces) => {
            let opening = stream::Opening {
                created,
                include_usage,
            };
            stream::respond(pieces, opening).await
        }
    }
}

/// Adds what the headers want of the answer to what the body wants of it.
fn wants(headers: &HeaderMap, wants: &mut Option<Wants>) -> Result<(), Fault> {
    for (name, value) in headers {
        let is_ours = name.as_str().starts_with("x-polity-");
        if !is_ours || *name == headers::TIMEOUT {
            continue;
        }
        let value = value.to_str().map_err(|_| {
            Fault::at(
                "",
                format!("the header {name} holds more than printable ASCII"),
            )
        })?;
        wants
            .get_or_insert_default()
            .header(name.as_str(), value)
            .map_err(|error| Fault::at("", error.to_string()))?;
    }
    if let Some(wants) = wants {
        wants
            .check()
            .map_err(|error| Fault::at("/polity", error.to_string()))?;
    }
    Ok(())
}

fn deadline(headers: &HeaderMap) -> Result<Option<Duration>, Fault> {
    let Some(value) = headers.get(headers::TIMEOUT) else {
        return Ok(None);
    };
    let ms = value
        .to_str()
        .ok()
        .and_then(|text| text.parse::<u32>().ok())
        .filter(|ms| *ms > 0);
    ms.map(|ms| Some(Duration::from_millis(ms.into())))
        .ok_or_else(|| {
            Fault::at(
                "",
                format!(
                    "the header {} is a number of milliseconds from 1 up",
                    headers::TIMEOUT
                ),
            )
        })
}
