//! `POST /v1/messages/count_tokens`.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::messages::take_key;
use super::request;
use super::schema::CountBody;
use crate::serve::App;
use crate::serve::asker::Asker;
use crate::serve::failure;
use crate::serve::fault::{AnthropicError, Fault};

/// How long a prompt is.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenCount {
    /// Tokens, estimated.
    #[schema(example = 12)]
    input_tokens: u64,
}

/// Estimate how many tokens a message has
///
/// The estimate is the one by which the router tells whether a prompt fits a model: a token for four letters of English,
/// for three bytes of other writing, for two signs or digits, and a thousand for a picture. It is made here, and is the
/// same whichever model is named; no provider is asked, no rule judges and nothing is recorded. What a provider counts in
/// the end may be some more or some less.
#[utoipa::path(
    post,
    path = "/v1/messages/count_tokens",
    tag = "anthropic",
    request_body = CountBody,
    responses(
        (status = 200, description = "The estimate.", body = TokenCount),
        (status = 400, description = "The request is not valid.", body = AnthropicError),
        (status = 401, description = "Who asks is not known.", body = AnthropicError),
        (status = 403, description = "The permission is missing.", body = AnthropicError),
        (status = 404, description = "There is no such model.", body = AnthropicError),
        (status = 413, description = "The body is too long.", body = AnthropicError),
    ),
)]
pub(crate) async fn count_message_tokens(State(app): State<App>, request: Request) -> Response {
    count(&app, request)
        .await
        .unwrap_or_else(Fault::into_anthropic)
}

async fn count(app: &App, mut request: Request) -> Result<Response, Fault> {
    take_key(request.headers_mut());
    let asker = Asker::admit(app, request).await?;
    let prompt = request::parse_prompt(&asker.body)?;
    let decision = app.kernel.route(&prompt, false).await;
    let decision = decision.map_err(failure::fault)?;
    let count = TokenCount {
        input_tokens: decision.requirements.input_tokens,
    };
    Ok(axum::Json(count).into_response())
}
