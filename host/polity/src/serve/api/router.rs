//! `/api/router`: what the router has learned, and training it; `/api/costs`: what completions have cost.

use axum::Json as Answer;
use axum::extract::{Request, State};
use polity_constitution::Permission;
use polity_kernel::{Costs, Row, Trained, TrainingError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::page::{Parameters, Query};
use crate::serve::auth::{Caller, authenticate, require};
use crate::serve::fault::{Fault, Kind, Problem};
use crate::serve::{App, blocking, body, json};

/// Days that are looked back at most.
const MAX_DAYS: u64 = 3660;

/// Which costs are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CostQuery {
    /// The last so many UTC days, today among them.
    #[param(value_type = u32, required = false, nullable = false, minimum = 1, maximum = 3660, default = 30)]
    days: Option<u64>,
}

impl Parameters for CostQuery {
    const NAMES: &'static [&'static str] = &["days"];
}

/// What completions have cost.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "it only describes what the kernel's `Costs` writes"
)]
pub(crate) struct CostView {
    /// What the amounts are millionths of.
    currency: String,
    /// The first day that is counted, in milliseconds since the epoch.
    since_ms: u64,
    /// False where there are more records than were looked at.
    is_complete: bool,
    /// Everything together.
    total: CostRow,
    /// By UTC day, the newest first.
    by_day: Vec<CostRow>,
    /// By model, the dearest first.
    by_model: Vec<CostRow>,
    /// By actor, the dearest first.
    by_actor: Vec<CostRow>,
    /// By task, the dearest first.
    by_task: Vec<CostRow>,
}

/// Sums over some completions.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "it only describes what the kernel's `CostSum` writes"
)]
pub(crate) struct CostRow {
    /// What they have in common.
    name: String,
    /// Completions.
    requests: u64,
    /// Those that were answered.
    answered: u64,
    /// Those that the cache answered.
    cached: u64,
    /// Tokens of prompts.
    input_tokens: u64,
    /// Tokens of answers.
    output_tokens: u64,
    /// What they cost, in micro-units.
    cost_micro: u64,
    /// What they would have cost had the dearest model that might have answered always been asked.
    dearest_micro: u64,
}

/// What the router has learned.
#[derive(Serialize, ToSchema)]
pub(crate) struct RouterView {
    /// The predictor in force: digest, models, tasks, and what training chose; null where there is none.
    #[schema(value_type = Option<Object>)]
    predictor: Option<Value>,
    /// Answers on which there is feedback to train from.
    rows: usize,
    /// What feedback taught, by model, task and region.
    #[schema(value_type = Object)]
    learned: Value,
    /// What the cache has done since the host began: `entries`, `bytes`, `hits`, `misses`, `avoided_micro`.
    #[schema(value_type = Object)]
    cache: Value,
}

/// What the router is trained with beside the feedback that it has.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrainBody {
    /// Rows: `prompt`, `score` by model from 0 to 1, and `task` if somebody knows.
    #[serde(default)]
    #[schema(value_type = Vec<Object>, required = false)]
    rows: Vec<Row>,
}

/// A predictor that was trained.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "it only describes what the kernel's `Trained` writes"
)]
pub(crate) struct TrainedView {
    /// Its digest.
    digest: String,
    /// Rows that came from feedback.
    from_feedback: u64,
    /// Rows that were sent along.
    sent: u64,
    /// What training chose.
    #[schema(value_type = Object)]
    report: Value,
    /// The models that it predicts for.
    models: Vec<String>,
    /// The tasks that it tells apart.
    tasks: Vec<String>,
}

/// Read what completions have cost
///
/// By day, model, actor and task, from their records.
#[utoipa::path(
    get,
    path = "/api/costs",
    tag = "router",
    params(CostQuery),
    responses(
        (status = 200, description = "The sums.", body = CostView),
        (status = 400, description = "The query is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn read_costs(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<CostQuery>,
) -> Result<Answer<Costs>, Fault> {
    caller.allowed(Permission::DecisionsRead)?;
    let days = query.days.unwrap_or(30);
    if !(1..=MAX_DAYS).contains(&days) {
        let detail = format!("`days` is {days}; it is a number from 1 to {MAX_DAYS}");
        return Err(Fault::new(Kind::Invalid, detail));
    }
    let costs = blocking(move || app.kernel.costs(days)).await?;
    Ok(Answer(costs.map_err(Fault::internal)?))
}

/// Read what the router has learned
#[utoipa::path(
    get,
    path = "/api/router",
    tag = "router",
    responses(
        (status = 200, description = "What it has learned.", body = RouterView),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn read_router(
    State(app): State<App>,
    caller: Caller,
) -> Result<Answer<RouterView>, Fault> {
    caller.allowed(Permission::DecisionsRead)?;
    let view = blocking(move || {
        let value = |value: Result<Value, serde_json::Error>| value.map_err(Fault::internal);
        Ok::<_, Fault>(RouterView {
            predictor: match app.kernel.predictor() {
                Some(predictor) => Some(value(serde_json::to_value(predictor))?),
                None => None,
            },
            rows: app.kernel.training_rows().map_err(Fault::internal)?.len(),
            learned: value(serde_json::to_value(app.kernel.learned()))?,
            cache: value(serde_json::to_value(app.kernel.cache_stats()))?,
        })
    });
    Ok(Answer(view.await??))
}

/// Train the router
///
/// From the feedback on this company's answers, and from rows that are sent along. The new predictor is in force at once
/// and outlives the host.
#[utoipa::path(
    post,
    path = "/api/router/train",
    tag = "router",
    request_body = TrainBody,
    responses(
        (status = 200, description = "The predictor that is in force now.", body = TrainedView),
        (status = 400, description = "The rows are not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There is too little to learn from.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn train_router(
    State(app): State<App>,
    request: Request,
) -> Result<Answer<Trained>, Fault> {
    let (head, body) = request.into_parts();
    let actor = authenticate(&app.kernel, &head.headers)?;
    // It changes which model answers everybody.
    require(&actor, Permission::PluginsManage)?;
    let body = body::read(&head.headers, body, body::PLUGIN).await?;
    let TrainBody { rows } = match body.is_empty() {
        true => TrainBody { rows: Vec::new() },
        false => json::parse(&body)?,
    };
    for (index, row) in rows.iter().enumerate() {
        if let Some((model, score)) = row
            .score
            .iter()
            .find(|(_, score)| !(0.0..=1.0).contains(*score))
        {
            return Err(Fault::at(
                format!("/rows/{index}/score"),
                format!(
                    "the score of \"{model}\" is {score}; divide scores so that they lie between 0 and 1"
                ),
            ));
        }
    }
    let trained = app.kernel.train_router(&actor, rows).await;
    trained.map(Answer).map_err(|error| match error {
        TrainingError::Untrainable(_) => Fault::new(Kind::Conflict, error.to_string()),
        TrainingError::TooMany(_) => Fault::new(Kind::TooLarge, error.to_string()),
        error => Fault::internal(error),
    })
}
