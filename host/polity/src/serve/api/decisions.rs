//! `/api/decisions`: what was decided, and why.

use axum::Json as Answer;
use axum::extract::{Path, State};
use polity_constitution::{KindPattern, OutcomeKind, Permission};
use polity_kernel::{Decision, DecisionFilter, Replay};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::page::{Page, Parameters, Query, cursor, limit};
use super::schema;
use crate::serve::auth::Caller;
use crate::serve::fault::{Fault, Kind, Problem};
use crate::serve::{App, blocking};

/// Which decisions are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DecisionQuery {
    /// Of this kind of action, or below it: `refund.*`.
    #[param(
        required = false,
        nullable = false,
        pattern = r"^(\*|[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)*(\.\*)?)$",
        max_length = 128
    )]
    kind: Option<String>,
    /// Of this actor: `agent:assistant`.
    #[param(required = false, nullable = false)]
    actor: Option<String>,
    /// With this outcome.
    #[param(value_type = schema::Outcome, inline, required = false, nullable = false)]
    outcome: Option<OutcomeKind>,
    /// The `next` of the page before.
    #[param(required = false, nullable = false, pattern = "^[0-9]{1,19}$")]
    after: Option<String>,
    /// Items on the page.
    #[param(value_type = u32, required = false, nullable = false, minimum = 1, maximum = 500, default = 50)]
    limit: Option<u64>,
}

impl Parameters for DecisionQuery {
    const NAMES: &'static [&'static str] = &["kind", "actor", "outcome", "after", "limit"];
}

/// A decision's story.
#[derive(Serialize, ToSchema)]
pub(crate) struct StoryView {
    /// Everything, in words.
    text: String,
    /// What the words are made of: `decision`, `actor_name`, `currency`, `policies`, `events`.
    #[schema(value_type = Object)]
    story: serde_json::Value,
}

/// List decisions
///
/// The newest first, completions among them.
#[utoipa::path(
    get,
    path = "/api/decisions",
    tag = "decisions",
    params(DecisionQuery),
    responses(
        (status = 200, description = "A page of decisions.", body = Page<schema::Decision>),
        (status = 400, description = "The query is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_decisions(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<DecisionQuery>,
) -> Result<Answer<Page<Decision>>, Fault> {
    caller.allowed(Permission::DecisionsRead)?;
    let kind = query
        .kind
        .map(|kind| kind.parse::<KindPattern>())
        .transpose();
    let limit = limit(query.limit)?;
    let filter = DecisionFilter {
        kind: kind.map_err(|error| Fault::new(Kind::Invalid, format!("`kind`: {error}")))?,
        actor: query.actor,
        outcome: query.outcome,
        before_seq: cursor(query.after)?,
        limit: limit + 1,
    };
    let items = blocking(move || app.kernel.decisions(&filter))
        .await?
        .map_err(Fault::internal)?;
    Ok(Answer(Page::cut(items, limit, |last| {
        last.ledger.map(|place| place.seq.to_string())
    })))
}

/// Read a decision
#[utoipa::path(
    get,
    path = "/api/decisions/{id}",
    tag = "decisions",
    params(("id" = Uuid, Path, description = "The decision's id.")),
    responses(
        (status = 200, description = "The decision, and how it stands with the people who were asked.", body = schema::Decision),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such decision.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_decision(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Answer<Decision>, Fault> {
    caller.allowed(Permission::DecisionsRead)?;
    let id = parse_id(&id)?;
    let decision = blocking(move || app.kernel.decision(id))
        .await?
        .map_err(Fault::internal)?;
    decision.map(Answer).ok_or_else(|| unknown(&id.to_string()))
}

/// Tell a decision's story
///
/// Inputs, clauses, what each rule said, what a model cost, what people answered: in words and as data.
#[utoipa::path(
    get,
    path = "/api/decisions/{id}/story",
    tag = "decisions",
    params(("id" = Uuid, Path, description = "The decision's id.")),
    responses(
        (status = 200, description = "The story.", body = StoryView),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such decision.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_story(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Answer<StoryView>, Fault> {
    caller.allowed(Permission::DecisionsRead)?;
    let id = parse_id(&id)?;
    let story = blocking(move || app.kernel.story(id))
        .await?
        .map_err(Fault::internal)?;
    let story = story.ok_or_else(|| unknown(&id.to_string()))?;
    let text = story.to_string();
    Ok(Answer(StoryView {
        text,
        story: serde_json::to_value(story).map_err(Fault::internal)?,
    }))
}

/// Judge a decision again
///
/// The same action, at the same time, by the same plugins, under the same constitution. Changes nothing and records
/// nothing.
#[utoipa::path(
    get,
    path = "/api/decisions/{id}/replay",
    tag = "decisions",
    params(("id" = Uuid, Path, description = "The decision's id.")),
    responses(
        (status = 200, description = "What came of it.", body = schema::Replay),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such decision.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn replay_decision(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Answer<Replay>, Fault> {
    caller.allowed(Permission::DecisionsRead)?;
    let id = parse_id(&id)?;
    let replay = app.kernel.replay(id).await.map_err(Fault::internal)?;
    replay.map(Answer).ok_or_else(|| unknown(&id.to_string()))
}

/// What is no id names no decision.
fn parse_id(id: &str) -> Result<Uuid, Fault> {
    id.parse().map_err(|_| unknown(id))
}

fn unknown(id: &str) -> Fault {
    Fault::new(Kind::NotFound, format!("there is no decision {id}"))
}
