//! `POST /v1/chat/completions`.

use axum::extract::{Request, State};
use axum::response::Response;
use polity_kernel::Answer;

use super::chunk::Chunks;
use super::request::{self, ChatRequest};
use super::schema::{ChatBody, ChatCompletion};
use super::whole;
use crate::serve::App;
use crate::serve::asker::Asker;
use crate::serve::fault::{Fault, OpenAiError};
use crate::serve::{failure, stream, wishes};

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
        ("x-polity-cache" = Option<bool>, Header, nullable = false, description = "Whether an answer that was given before will do, and whether this one is kept."),
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
    let Asker {
        actor,
        headers,
        body,
    } = Asker::admit(app, request).await?;
    let ChatRequest {
        mut completion,
        stream,
        include_usage,
    } = request::parse(&body)?;
    drop(body);
    completion.deadline = wishes::take(&headers, &mut completion.wants)?;
    completion.trace = wishes::trace(&headers);
    let created = app.now_ms() / 1000;
    match app
        .kernel
        .complete(&actor, completion, stream)
        .await
        .map_err(failure::fault)?
    {
        Answer::Whole(completed) => Ok(whole::respond(&completed, created)),
        Answer::Stream(pieces) => {
            let format =
                |decision, model: &str| Chunks::new(decision, created, model, include_usage);
            stream::respond(pieces, format).await
        }
    }
}
