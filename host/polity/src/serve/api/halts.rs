//! `/api/halts`: the emergency stop.

use axum::Json as Answer;
use axum::extract::{Path, State};
use http::StatusCode;
use polity_constitution::{KindPattern, Permission};
use polity_kernel::{Halt, HaltError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::serve::App;
use crate::serve::auth::Caller;
use crate::serve::fault::{Fault, Kind, Problem};
use crate::serve::json::Json;

/// What is to be stopped.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HaltBody {
    /// Kinds of action: `*`, `refund.*` or `refund.approve`.
    #[schema(example = "refund.*", max_length = 128)]
    pattern: String,
    /// Why, in a sentence.
    #[schema(example = "refunds are paid twice", min_length = 1, max_length = 1000)]
    reason: String,
}

/// Kinds of action that were stopped.
#[derive(Serialize, ToSchema)]
pub(crate) struct HaltView {
    /// Which kinds.
    pattern: String,
    /// Who stopped them.
    by: String,
    /// Why.
    reason: String,
    /// When.
    at_ms: u64,
}

/// Stop kinds of action
///
/// Nothing of these kinds begins any more when this answers: what workflows want to do waits, what anybody else asks for is
/// denied. For people with the role `owner` or `operator`.
#[utoipa::path(
    post,
    path = "/api/halts",
    tag = "workflows",
    request_body = HaltBody,
    responses(
        (status = 201, description = "They are stopped.", body = HaltView),
        (status = 400, description = "The pattern or the reason is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Who asks may not.", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "They are stopped until the host ends, but it could not be recorded.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn halt(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<HaltBody>,
) -> Result<(StatusCode, Answer<HaltView>), Fault> {
    let actor = &caller.0;
    let pattern = pattern(&body.pattern)?;
    let halt = app.kernel.halt(actor, pattern, &body.reason).await;
    let halt = halt.map_err(refused)?;
    Ok((StatusCode::CREATED, Answer(view(&halt))))
}

/// List what is stopped
#[utoipa::path(
    get,
    path = "/api/halts",
    tag = "workflows",
    responses(
        (status = 200, description = "Everything that is stopped.", body = Vec<HaltView>),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_halts(
    State(app): State<App>,
    caller: Caller,
) -> Result<Answer<Vec<HaltView>>, Fault> {
    caller.allowed(Permission::DecisionsRead)?;
    Ok(Answer(app.kernel.halts().iter().map(view).collect()))
}

/// Let kinds of action happen again
///
/// What waited for it goes on. For people with the role `owner` or `operator`.
#[utoipa::path(
    delete,
    path = "/api/halts/{pattern}",
    tag = "workflows",
    params(("pattern" = String, Path, description = "The pattern, as it was stopped.")),
    responses(
        (status = 200, description = "They may happen again.", body = HaltView),
        (status = 400, description = "The pattern is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Who asks may not.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "This is not stopped.", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "It could not be recorded, and they stay stopped.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn lift_halt(
    State(app): State<App>,
    caller: Caller,
    Path(asked): Path<String>,
) -> Result<Answer<HaltView>, Fault> {
    let pattern = pattern(&asked)?;
    let halt = app.kernel.resume_halted(&caller.0, &pattern).await;
    Ok(Answer(view(&halt.map_err(refused)?)))
}

/// Kinds of action as somebody wrote them.
pub(crate) fn pattern(text: &str) -> Result<KindPattern, Fault> {
    text.parse()
        .map_err(|error: polity_constitution::KindError| Fault::at("/pattern", error.to_string()))
}

/// Why nothing was stopped or let go on.
pub(crate) fn refused(error: HaltError) -> Fault {
    let detail = error.to_string();
    match error {
        HaltError::Forbidden { .. } => Fault::new(Kind::Forbidden, detail),
        HaltError::NotHalted(_) => Fault::new(Kind::NotFound, detail),
        HaltError::Invalid(_) => Fault::at("/reason", detail),
        HaltError::Record(error) => Fault::internal(error),
    }
}

fn view(halt: &Halt) -> HaltView {
    HaltView {
        pattern: halt.pattern.to_string(),
        by: halt.by.clone(),
        reason: halt.reason.clone(),
        at_ms: halt.at_ms,
    }
}
