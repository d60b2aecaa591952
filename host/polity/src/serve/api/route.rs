//! `/api/route`: who would answer, and why; and what became of an answer.

use axum::Json as Answer;
use axum::extract::{Path, State};
use polity_constitution::Permission;
use polity_kernel::{CompleteError, CompletionRequest, Feedback, FeedbackError, Message, Wants};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::serve::App;
use crate::serve::auth::Caller;
use crate::serve::fault::{Fault, Kind, Problem};
use crate::serve::json::Json;

/// A request that is to be routed, and not answered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteBody {
    /// What would be asked.
    #[schema(min_length = 1, example = "Write a limerick")]
    text: String,
    /// `auto`, an alias or a model.
    #[serde(default = "auto")]
    #[schema(required = false, min_length = 1, max_length = 256, example = "auto")]
    model: String,
    /// What else the answer must be like; see `polity` of a chat completion.
    #[serde(default)]
    #[schema(value_type = Option<Object>, required = false)]
    polity: Option<Wants>,
    /// The longest answer wanted.
    #[serde(default)]
    #[schema(required = false, nullable = false, minimum = 1)]
    max_tokens: Option<u32>,
}

/// Who would answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct RouteView {
    /// The model, behind its plugin's name; absent where nobody may answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    model: Option<String>,
    /// Why, in one sentence.
    why: String,
    /// Everything that was weighed, as a table.
    text: String,
    /// The same as data: `requirements`, `outcome`, `candidates` with each term and each reason why not.
    #[schema(value_type = Object)]
    decision: Value,
}

/// What became of an answer. Everything may be absent, and more may come later.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedbackBody {
    /// How good it was.
    #[serde(default)]
    #[schema(required = false, nullable = false, minimum = 0, maximum = 1)]
    score: Option<f64>,
    /// Whether it was used.
    #[serde(default)]
    #[schema(required = false, nullable = false)]
    accepted: Option<bool>,
    /// The share of it that was changed before it was used.
    #[serde(default)]
    #[schema(required = false, nullable = false, minimum = 0, maximum = 1)]
    edited: Option<f64>,
    /// Whether what it was for came out well.
    #[serde(default)]
    #[schema(required = false, nullable = false)]
    outcome: Option<bool>,
}

/// What was learned.
#[derive(Serialize, ToSchema)]
pub(crate) struct LessonView {
    /// The model that it is about.
    model: String,
    /// The task.
    task: String,
    /// The score less what was expected; absent where the feedback does not say how good the answer was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    residual: Option<f64>,
    /// How much it counts.
    weight: f64,
}

fn auto() -> String {
    "auto".to_owned()
}

/// Ask who would answer
///
/// Nobody is asked, no rule judges and nothing is recorded.
#[utoipa::path(
    post,
    path = "/api/route",
    tag = "router",
    request_body = RouteBody,
    responses(
        (status = 200, description = "Who would answer, or why nobody may.", body = RouteView),
        (status = 400, description = "The request is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such model.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn route_request(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<RouteBody>,
) -> Result<Answer<RouteView>, Fault> {
    caller.allowed(Permission::CompletionsCreate)?;
    if body.max_tokens == Some(0) {
        return Err(Fault::at(
            "/max_tokens",
            "`max_tokens` is 0; leave it out or ask for at least one token",
        ));
    }
    let request = CompletionRequest {
        wants: body.polity,
        max_output_tokens: body.max_tokens,
        ..CompletionRequest::new(body.model, vec![Message::text("user", &body.text)])
    };
    let decision = app.kernel.route(&request, false).await;
    let decision = decision.map_err(|error| match error {
        CompleteError::UnknownModel { .. } => {
            Fault::new(Kind::ModelNotFound, error.to_string()).pointing("/model")
        }
        CompleteError::Invalid(detail) => Fault::new(Kind::Invalid, detail),
        error => Fault::internal(error),
    })?;
    Ok(Answer(RouteView {
        model: decision.model().map(|model| model.to_string()),
        why: decision.why(),
        text: decision.to_string(),
        decision: serde_json::to_value(decision).map_err(Fault::internal)?,
    }))
}

/// Say what became of an answer
///
/// The router learns from it, once it is told to (`policy.mode` of `models.json`).
#[utoipa::path(
    post,
    path = "/api/decisions/{id}/feedback",
    tag = "router",
    params(("id" = Uuid, Path, description = "The decision of the completion.")),
    request_body = FeedbackBody,
    responses(
        (status = 200, description = "It is on record.", body = LessonView),
        (status = 400, description = "The feedback is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such decision.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The request named its model, so there is nothing to learn.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn give_feedback(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<FeedbackBody>,
) -> Result<Answer<LessonView>, Fault> {
    let actor = caller.allowed(Permission::CompletionsCreate)?;
    let unknown = || Fault::new(Kind::NotFound, format!("there is no decision {id}"));
    let decision: Uuid = id.parse().map_err(|_| unknown())?;
    let feedback = Feedback {
        score: body.score,
        accepted: body.accepted,
        edited: body.edited,
        outcome: body.outcome,
        ..Feedback::default()
    };
    let lesson = app.kernel.feedback(&actor, decision, feedback).await;
    let lesson = lesson.map_err(|error| match error {
        FeedbackError::Unknown(_) => unknown(),
        FeedbackError::NoChoice => Fault::new(Kind::Conflict, error.to_string()),
        FeedbackError::Invalid(detail) => Fault::new(Kind::Invalid, detail),
        FeedbackError::Read(_) | FeedbackError::Record(_) => Fault::internal(error),
    })?;
    Ok(Answer(LessonView {
        model: lesson.model.to_string(),
        task: lesson.task.to_string(),
        residual: lesson.residual,
        weight: lesson.weight,
    }))
}
