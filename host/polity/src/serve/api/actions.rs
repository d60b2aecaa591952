//! `POST /api/actions`: may this happen?

use axum::Json as Answer;
use axum::extract::State;
use axum::response::IntoResponse;
use polity_constitution::Permission;
use polity_kernel::{ActError, ActionRequest, Decision};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::schema;
use crate::serve::App;
use crate::serve::auth::Caller;
use crate::serve::fault::{Fault, Kind, Problem};
use crate::serve::headers;
use crate::serve::json::Json;

/// Something that is about to happen.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActionBody {
    /// Dotted, general to special.
    #[schema(
        example = "refund.approve",
        pattern = r"^[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)*$",
        max_length = 128
    )]
    kind: String,
    /// The action's own data.
    #[serde(default)]
    #[schema(value_type = Option<Object>, required = false, example = json!({"amount": 40_000_000}))]
    input: Value,
    /// What the caller says of the situation. Rules see it as `context.request`, apart from what the host knows.
    #[serde(default)]
    #[schema(value_type = Option<Object>, required = false)]
    context: Value,
}

/// Have an action judged
///
/// The rules judge the action, and the decision is on the disk when this answers. The status says that there is a
/// decision, not what it is: only where `outcome` is `allow`, or `amend` with `amended_input` in place of the input, may
/// the action happen. `escalate` means that people have to decide first: `inbox_items` says where, and `resolution`
/// of the decision, read again later, what they said.
#[utoipa::path(
    post,
    path = "/api/actions",
    tag = "actions",
    request_body = ActionBody,
    responses(
        (status = 200, description = "The decision.", body = schema::Decision, headers(
            ("x-polity-decision-id" = String, description = "The decision's id."),
        )),
        (status = 400, description = "The action is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long.", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "There is no decision on record, so the action must not happen.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The host is about to end.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn judge_action(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<ActionBody>,
) -> Result<impl IntoResponse, Fault> {
    let actor = caller.allowed(Permission::ActionsSubmit)?;
    let ActionBody {
        kind,
        input,
        context,
    } = body;
    let kind = kind
        .parse()
        .map_err(|error: polity_constitution::KindError| Fault::at("/kind", error.to_string()))?;
    let request = ActionRequest {
        kind,
        input,
        context,
    };
    let decision: Decision =
        app.kernel
            .act(&actor, request)
            .await
            .map_err(|error| match error {
                ActError::Invalid(detail) => Fault::new(Kind::Invalid, detail),
                ActError::Draining(_) => Fault::new(Kind::Draining, error.to_string()),
                ActError::Record(_) | ActError::Read(_) | ActError::Inbox(_) => {
                    Fault::internal(error)
                }
            })?;
    Ok((
        [(headers::DECISION_ID, headers::id(decision.id))],
        Answer(decision),
    ))
}
