//! `POST /v1/responses`.

use axum::extract::{Request, State};
use axum::response::Response;
use polity_kernel::Answer;

use super::events::ResponseEvents;
use super::object;
use super::request::{self, Asked};
use super::schema::{ResponseBody, ResponseObject};
use crate::serve::App;
use crate::serve::asker::Asker;
use crate::serve::fault::{Fault, OpenAiError};
use crate::serve::{answer, failure, stream, wishes};

/// Ask a model for a response
///
/// OpenAI's responses, streamed (`"stream": true`) or whole, without a memory: `previous_response_id`, `conversation` and
/// `background` are refused, and nothing is stored. The request is judged by the rules as the action `model.complete`,
/// and paid out of the actor's budget.
#[utoipa::path(
    post,
    path = "/v1/responses",
    tag = "openai",
    request_body = ResponseBody,
    params(
        ("x-polity-timeout-ms" = Option<u32>, Header, nullable = false, minimum = 1, description = "The longest that the caller will wait."),
        ("x-polity-max-cost" = Option<u64>, Header, nullable = false, description = "The most that the answer may cost, in micro-units."),
        ("x-polity-region" = Option<String>, Header, nullable = false, description = "Where the data must stay."),
    ),
    responses(
        (status = 200, description = "The response; with `stream`, server-sent events from `response.created` to `response.completed` or `response.incomplete`. A stream that breaks ends with `response.failed` instead.", headers(
            ("x-polity-decision-id" = String, description = "The decision that let it happen; `polity explain` tells its story."),
            ("x-polity-model" = String, description = "The model that answers."),
            ("x-polity-why" = String, description = "Why that model."),
            ("x-polity-cost" = String, description = "What it cost, in units of the charter's currency; absent from streams."),
        ), content((ResponseObject = "application/json"), (String = "text/event-stream"))),
        (status = 400, description = "The request is not valid, or no model may answer it.", body = OpenAiError),
        (status = 401, description = "Who asks is not known.", body = OpenAiError),
        (status = 403, description = "The permission is missing, a rule denied it, or a person has to decide first.", body = OpenAiError),
        (status = 404, description = "There is no such model.", body = OpenAiError),
        (status = 413, description = "The body is too long.", body = OpenAiError),
        (status = 429, description = "The provider asks to wait, or the budget is spent.", body = OpenAiError),
        (status = 502, description = "The provider or its plugin failed.", body = OpenAiError),
        (status = 503, description = "Too much is in progress, or the host is about to end.", body = OpenAiError),
        (status = 504, description = "There was no answer in time.", body = OpenAiError),
    ),
)]
pub(crate) async fn create_response(State(app): State<App>, request: Request) -> Response {
    create(&app, request)
        .await
        .unwrap_or_else(Fault::into_openai)
}

async fn create(app: &App, request: Request) -> Result<Response, Fault> {
    let Asker {
        actor,
        headers,
        body,
    } = Asker::admit(app, request).await?;
    let Asked {
        mut completion,
        stream,
        echo,
    } = request::parse(&body)?;
    completion.deadline = wishes::take(&headers, &mut completion.wants)?;
    completion.trace = wishes::trace(&headers);
    let created = app.now_ms() / 1000;
    let answered = app.kernel.complete(&actor, completion, stream).await;
    match answered.map_err(failure::fault)? {
        Answer::Whole(completed) => {
            let body = object::whole(&completed, created, &echo);
            Ok(answer::respond(body, &completed))
        }
        Answer::Stream(pieces) => {
            let format =
                |decision, model: &str| ResponseEvents::new(decision, model, created, echo);
            stream::respond(pieces, format).await
        }
    }
}
