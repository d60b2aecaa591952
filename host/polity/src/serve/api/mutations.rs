//! `/api/mutations` and `/api/strategies`: how the schema of the records changes by itself, and why.

use axum::Json as Answer;
use axum::extract::{Path, State};
use polity_constitution::Permission;
use polity_database::evolve::RevertError;
use polity_database::{MutationView, Rehearsal, StrategyView};
use polity_kernel::SchemaError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::page::{Parameters, Query};
use super::records::fault::{no_collection, of_document};
use crate::serve::App;
use crate::serve::auth::Caller;
use crate::serve::fault::{Fault, Kind, Problem};

/// Which mutations are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MutationsQuery {
    /// Of this collection.
    collection: Option<String>,
    /// In this state: `proposed`, `asked`, `queued`, `building`, `canary`, `activating`, `undoing`, `kept`, `reverted` or
    /// `refused`.
    state: Option<String>,
}

impl Parameters for MutationsQuery {
    const NAMES: &'static [&'static str] = &["collection", "state"];
}

/// Changes of the schema.
#[derive(Serialize, ToSchema)]
pub(crate) struct Mutations {
    /// Those on their way, then history, the newest first.
    #[schema(value_type = Vec<MutationSchema>)]
    items: Vec<MutationView>,
}

/// What argues for changes.
#[derive(Serialize, ToSchema)]
pub(crate) struct Strategies {
    /// By name.
    #[schema(value_type = Vec<StrategySchema>)]
    items: Vec<StrategyView>,
}

/// One change of the schema.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct MutationSchema {
    /// Its identity.
    id: Uuid,
    /// `create-index`, `archive-field` and so on: what rules see as `schema.create-index`.
    kind: String,
    /// What it does, in a line.
    summary: String,
    /// The collection.
    collection: String,
    /// As rules and history have it.
    mutation: Value,
    /// Where it is in its life; when it is over `kept`, `reverted` or `refused`.
    state: String,
    /// The same in words.
    words: String,
    /// Name and version of the strategy, or the person, behind it.
    strategy: String,
    /// Its argument.
    reason: String,
    /// The observations that support it.
    evidence: Value,
    /// Expected gain in microseconds of query time a day.
    benefit_us_per_day: i64,
    /// Expected cost in microseconds of write time a day.
    write_cost_us_per_day: i64,
    /// What the rules said.
    verdict: Option<Value>,
    /// Who approved it.
    approved_by: Option<String>,
    /// When it was admitted.
    proposed_ms: u64,
    /// When it came to this state.
    since_ms: u64,
    /// What building made.
    built: Option<Value>,
    /// What the trial measured.
    measured: Option<Value>,
    /// What takes it back.
    inverse: Value,
    /// The mutation that this one took back.
    takes_back: Option<Uuid>,
    /// The mutation that took this one back.
    taken_back_by: Option<Uuid>,
    /// Its place in history, when it is over.
    seq: Option<u64>,
    /// The hash of the entry before it.
    parent: Option<String>,
    /// The hash of its entry.
    hash: Option<String>,
    /// The whole story, for people.
    story: String,
}

/// One strategy.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct StrategySchema {
    /// Name and version.
    strategy: String,
    /// Whether it is loaded now.
    loaded: bool,
    /// Mutations of it that were kept.
    kept: u32,
    /// Mutations of it that were taken back.
    reverted: u32,
    /// Rounds in a row that asked for what cannot be.
    vain_rounds: u32,
    /// How often it was muted.
    mutes: u32,
    /// Until when it is not listened to.
    muted_until_ms: u64,
    /// What it asked for in vain the last time.
    complaint: Option<String>,
    /// Whether a person decides on what it proposes.
    doubtful: bool,
}

/// What a round of the strategies would come to.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct RehearsalSchema {
    /// When.
    at_ms: u64,
    /// What would be proposed, and what would become of it: `begun`, `waiting`, `observed`, `under_way`, `too_young`,
    /// `in_vain` or `unheard`.
    proposals: Vec<Value>,
    /// Strategies that failed, and why.
    failed: Vec<Value>,
    /// What strategies asked before they proposed, and what they were told: strategy by strategy, each question with its
    /// changes and their estimate.
    asked: Vec<Value>,
}

/// List the changes of the schema
#[utoipa::path(
    get,
    path = "/api/mutations",
    tag = "records",
    params(MutationsQuery),
    responses(
        (status = 200, description = "Those on their way, then history, the newest first.", body = Mutations),
        (status = 400, description = "The query is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_mutations(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<MutationsQuery>,
) -> Result<Answer<Mutations>, Fault> {
    caller.allowed(Permission::RecordsRead)?;
    let mutations = app.kernel.mutations(query.collection.as_deref()).await;
    let mut items = mutations.map_err(of_schema)?;
    if let Some(state) = &query.state {
        items.retain(|item| item.state == *state);
    }
    Ok(Answer(Mutations { items }))
}

/// Read a change of the schema
#[utoipa::path(
    get,
    path = "/api/mutations/{id}",
    tag = "records",
    params(("id" = Uuid, Path, description = "The mutation's id.")),
    responses(
        (status = 200, description = "The mutation with its evidence, prediction, measurement and way back.", body = MutationSchema),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such mutation.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_mutation(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Answer<MutationView>, Fault> {
    caller.allowed(Permission::RecordsRead)?;
    let found = app.kernel.mutation(parse_id(&id)?).await;
    Ok(Answer(found.map_err(of_schema)?))
}

/// Take a change of the schema back
///
/// One on its way, or one that was kept. Where a rule speaks to it, it is judged as `schema.revert`.
#[utoipa::path(
    post,
    path = "/api/mutations/{id}/revert",
    tag = "records",
    params(("id" = Uuid, Path, description = "The mutation's id.")),
    responses(
        (status = 200, description = "The mutation as it is now.", body = MutationSchema),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing, a rule denied it, or a person has to decide.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such mutation.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It was taken back already, or something rests on it.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn revert_mutation(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Answer<MutationView>, Fault> {
    let actor = caller.allowed(Permission::RecordsWrite)?;
    let reverted = app.kernel.revert_mutation(&actor, parse_id(&id)?).await;
    Ok(Answer(reverted.map_err(of_schema)?))
}

/// Rehearse a round of the strategies
///
/// Says what they would propose now and what would become of it. Nothing is stored, judged, asked or built.
#[utoipa::path(
    post,
    path = "/api/mutations/rehearse",
    tag = "records",
    responses(
        (status = 200, description = "What would be proposed.", body = RehearsalSchema),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn rehearse_mutations(
    State(app): State<App>,
    caller: Caller,
) -> Result<Answer<Rehearsal>, Fault> {
    caller.allowed(Permission::RecordsRead)?;
    let rehearsed = app.kernel.rehearse_mutations().await;
    Ok(Answer(rehearsed.map_err(of_schema)?))
}

/// List the strategies
#[utoipa::path(
    get,
    path = "/api/strategies",
    tag = "records",
    responses(
        (status = 200, description = "What argues for changes of the schema, and how it has done.", body = Strategies),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_strategies(
    State(app): State<App>,
    caller: Caller,
) -> Result<Answer<Strategies>, Fault> {
    caller.allowed(Permission::RecordsRead)?;
    let items = app.kernel.strategies().await.map_err(of_schema)?;
    Ok(Answer(Strategies { items }))
}

/// Read a collection's history
#[utoipa::path(
    get,
    path = "/api/collections/{name}/history",
    tag = "records",
    params(("name" = String, Path, description = "The collection's name.")),
    responses(
        (status = 200, description = "Changes of its schema, the newest first.", body = Mutations),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such collection, and never was one that changed.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_collection_history(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Answer<Mutations>, Fault> {
    let actor = caller.allowed(Permission::RecordsRead)?;
    let items = app.kernel.mutations(Some(&name)).await.map_err(of_schema)?;
    if items.is_empty() {
        let known = app.kernel.collections(&actor).await.map_err(of_document)?;
        let mut names = known.iter().map(|(found, _)| found.name.as_str());
        if !names.any(|known| known == name) {
            let names = known.iter().map(|(found, _)| found.name.as_str());
            return Err(no_collection(&name, names));
        }
    }
    Ok(Answer(Mutations { items }))
}

/// Why something was not done with the schema.
pub(crate) fn of_schema(error: SchemaError) -> Fault {
    let said = error.to_string();
    match error {
        SchemaError::Unknown(_) | SchemaError::Revert(RevertError::Unknown(_)) => {
            Fault::new(Kind::NotFound, said)
        }
        SchemaError::Revert(_) | SchemaError::Still => Fault::new(Kind::Conflict, said),
        SchemaError::Forbidden { .. } => {
            Fault::new(Kind::Forbidden, said).with("permission", Permission::RecordsWrite)
        }
        SchemaError::Judged(decision) => {
            let kind = if decision.inbox_items.is_empty() {
                Kind::Denied
            } else {
                Kind::Escalated
            };
            Fault::new(kind, said)
                .decided_by(decision.id)
                .with("inbox_items", &decision.inbox_items)
        }
        SchemaError::Draining(error) => of_document(error.into()),
        SchemaError::Records(error) => of_document(error),
        SchemaError::Act(error) => of_document(error.into()),
        SchemaError::Stalled(_) | SchemaError::Kind(_) => Fault::internal(said),
    }
}

/// What is no id names no mutation.
fn parse_id(id: &str) -> Result<Uuid, Fault> {
    id.parse()
        .map_err(|_| Fault::new(Kind::NotFound, format!("there is no mutation {id}")))
}
