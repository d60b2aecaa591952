//! `/api/workflows`, `/api/instances` and `/api/events`: protocols that run.

use std::time::Duration;

use axum::Json as Answer;
use axum::extract::{Path, State};
use http::StatusCode;
use polity_constitution::{OutcomeKind, Permission};
use polity_kernel::{ActError, CancelError, InstanceFilter, InstanceView, Received, RunError};
use polity_ledger::StoredEvent;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::page::{Page, Parameters, Query, cursor, limit};
use crate::serve::auth::Caller;
use crate::serve::fault::{Fault, Kind, Problem};
use crate::serve::json::Json;
use crate::serve::{App, blocking};

/// The longest that an answer waits for a run, in seconds.
const MOST_WAIT: u64 = 60;

/// Events of an instance on one page.
const EVENTS: usize = 1_000;

/// What a workflow is run with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunBody {
    /// The input. A workflow that events start gets it as the data of such an event, unless it is an array.
    #[serde(default = "empty")]
    #[schema(value_type = Object, required = false, example = json!({"order": "4711", "amount": 40}))]
    input: Value,
    /// A name for the run. Of one workflow there is one run of this name for all time: sending it again returns the first.
    #[serde(default)]
    #[schema(
        example = "order-4711",
        min_length = 1,
        max_length = 200,
        required = false,
        nullable = false
    )]
    name: Option<String>,
}

/// How long to wait.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RunQuery {
    /// Seconds that the answer may wait for the run to end, or to wait for somebody.
    #[param(value_type = u32, required = false, nullable = false, minimum = 0, maximum = 60, default = 0)]
    wait: Option<u64>,
}

impl Parameters for RunQuery {
    const NAMES: &'static [&'static str] = &["wait"];
}

/// Which instances are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InstanceQuery {
    /// Of this workflow.
    #[param(required = false, nullable = false)]
    workflow: Option<String>,
    /// `true` for those that go on, `false` for those that have ended.
    #[param(required = false, nullable = false)]
    open: Option<bool>,
    /// The `next` of the page before.
    #[param(required = false, nullable = false)]
    after: Option<String>,
    /// Items on the page.
    #[param(value_type = u32, required = false, nullable = false, minimum = 1, maximum = 500, default = 50)]
    limit: Option<u64>,
}

impl Parameters for InstanceQuery {
    const NAMES: &'static [&'static str] = &["workflow", "open", "after", "limit"];
}

/// One run of a workflow.
#[derive(ToSchema)]
#[schema(as = Instance)]
#[expect(dead_code, reason = "it describes what the kernel's own type writes")]
pub(crate) struct InstanceSchema {
    /// Its id.
    id: Uuid,
    /// The name of the workflow.
    workflow: String,
    /// The version that its document says.
    version: String,
    /// The constitution that it began with and ends with.
    #[schema(value_type = Object)]
    constitution: Value,
    /// `pending`, `running`, `waiting`, `suspended`, `cancelled`, `faulted` or `completed`.
    phase: String,
    /// Who has it run.
    actor: String,
    /// Why it began: `request`, `schedule`, `event` or `parent`.
    cause: String,
    /// The instance that runs it.
    #[schema(required = false, nullable = false)]
    parent: Option<Uuid>,
    /// When it began.
    started_ms: u64,
    /// When something last happened to it.
    updated_ms: u64,
    /// The tasks that are running, outermost first, as JSON pointers.
    #[schema(required = false)]
    position: Vec<String>,
    /// What it waits for; `for` is `person`, `time`, `event`, `workflow`, `effect` or `halt`.
    #[schema(value_type = Vec<Object>, required = false)]
    waits: Vec<Value>,
    /// What it came to.
    #[schema(value_type = Object, required = false)]
    output: Value,
    /// The error that ended it, or why it was cancelled.
    #[schema(value_type = Object, required = false)]
    error: Value,
}

/// What became of an event.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReceivedView {
    /// Its id.
    id: String,
    /// False where it came before: then it was shown to nobody again.
    new: bool,
    /// The instances that it started.
    started: Vec<Uuid>,
    /// How many instances that listen for events of its type were shown it.
    shown: usize,
}

/// Why an instance is to end.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelBody {
    /// In words, for the ledger.
    #[serde(default)]
    #[schema(
        example = "the order was placed twice",
        max_length = 1000,
        required = false
    )]
    reason: String,
}

/// An instance's story.
#[derive(Serialize, ToSchema)]
pub(crate) struct InstanceStoryView {
    /// Everything, in words.
    text: String,
    /// What the words are made of: `instance`, `lines`.
    #[schema(value_type = Object)]
    story: Value,
}

/// Run a workflow
///
/// The run has begun, and is on the disk, when this answers. With `wait`, the answer comes when it has ended or waits for
/// somebody, or when the time is over.
#[utoipa::path(
    post,
    path = "/api/workflows/{name}/runs",
    tag = "workflows",
    params(("name" = String, Path, description = "The workflow, as its file in `workflows/` is called."), RunQuery),
    request_body = RunBody,
    responses(
        (status = 201, description = "The run.", body = InstanceSchema),
        (status = 400, description = "The input is not what the workflow takes.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing, or a rule forbids the run or puts it before a person.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such workflow.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The running of workflows was stopped.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long.", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "The run could not be recorded, and has not begun.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The host is about to end.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn run_workflow(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<RunQuery>,
    Json(body): Json<RunBody>,
) -> Result<(StatusCode, Answer<InstanceView>), Fault> {
    let actor = caller.allowed(Permission::ActionsSubmit)?;
    let wait = wait(query.wait)?;
    let run = app
        .kernel
        .run_workflow(&actor, &name, body.input, body.name.as_deref())
        .await
        .map_err(not_run)?;
    let waited = waited(&app, run.id, wait).await?;
    Ok((StatusCode::CREATED, Answer(waited.unwrap_or(run))))
}

/// List runs
///
/// The newest first.
#[utoipa::path(
    get,
    path = "/api/instances",
    tag = "workflows",
    params(InstanceQuery),
    responses(
        (status = 200, description = "A page of runs.", body = Page<InstanceSchema>),
        (status = 400, description = "The query is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_instances(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<InstanceQuery>,
) -> Result<Answer<Page<InstanceView>>, Fault> {
    caller.allowed(Permission::DecisionsRead)?;
    let limit = limit(query.limit)?;
    let before: Option<Uuid> = cursor(query.after)?;
    let filter = InstanceFilter {
        workflow: query.workflow,
        open: query.open,
        phase: None,
    };
    let found = blocking(move || app.kernel.instances(&filter, before, limit + 1))
        .await?
        .map_err(Fault::internal)?;
    Ok(Answer(Page::cut(found, limit, |last| {
        Some(last.id.to_string())
    })))
}

/// Read a run
///
/// Where it is, what it waits for, and what it came to.
#[utoipa::path(
    get,
    path = "/api/instances/{id}",
    tag = "workflows",
    params(("id" = Uuid, Path, description = "The run's id."), RunQuery),
    responses(
        (status = 200, description = "The run.", body = InstanceSchema),
        (status = 400, description = "The query is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such run.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_instance(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<RunQuery>,
) -> Result<Answer<InstanceView>, Fault> {
    caller.allowed(Permission::DecisionsRead)?;
    let id = parse_id(&id)?;
    let found = match wait(query.wait)? {
        0 => blocking(move || app.kernel.instance(id))
            .await?
            .map_err(Fault::internal)?,
        seconds => waited(&app, id, seconds).await?,
    };
    found.map(Answer).ok_or_else(|| unknown(&id.to_string()))
}

/// Tell a run's story
///
/// What happened, in order: tasks, tables, rules, people, errors.
#[utoipa::path(
    get,
    path = "/api/instances/{id}/story",
    tag = "workflows",
    params(("id" = Uuid, Path, description = "The run's id.")),
    responses(
        (status = 200, description = "The story.", body = InstanceStoryView),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such run.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_instance_story(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Answer<InstanceStoryView>, Fault> {
    caller.allowed(Permission::DecisionsRead)?;
    let id = parse_id(&id)?;
    let story = blocking(move || app.kernel.instance_story(id))
        .await?
        .map_err(Fault::internal)?
        .ok_or_else(|| unknown(&id.to_string()))?;
    Ok(Answer(InstanceStoryView {
        text: story.to_string(),
        story: serde_json::to_value(story).map_err(Fault::internal)?,
    }))
}

/// Read a run's journal
///
/// The lifecycle events of the specification, and what the host did in between, as CloudEvents; the first thousand.
#[utoipa::path(
    get,
    path = "/api/instances/{id}/events",
    tag = "workflows",
    params(("id" = Uuid, Path, description = "The run's id.")),
    responses(
        (status = 200, description = "The events, oldest first.", body = Vec<Object>),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such run.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_instance_events(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Answer<Vec<Value>>, Fault> {
    caller.allowed(Permission::DecisionsRead)?;
    let id = parse_id(&id)?;
    let events = blocking(move || app.kernel.instance_events(id, EVENTS))
        .await?
        .map_err(Fault::internal)?;
    if events.is_empty() {
        return Err(unknown(&id.to_string()));
    }
    let cloud_event = |event: &StoredEvent| {
        let mut cloud_event = event.to_cloud_event();
        // The interpreter's own events have the types that the specification gives them.
        if event.source.starts_with("/workflows/") {
            cloud_event["type"] = format!("io.serverlessworkflow.{}.v1", event.kind).into();
        }
        cloud_event
    };
    Ok(Answer(events.iter().map(cloud_event).collect()))
}

/// Cancel a run
///
/// For good. What it has done stays done; questions that it put to people are closed.
#[utoipa::path(
    post,
    path = "/api/instances/{id}/cancel",
    tag = "workflows",
    params(("id" = Uuid, Path, description = "The run's id.")),
    request_body = CancelBody,
    responses(
        (status = 200, description = "The run, cancelled.", body = InstanceSchema),
        (status = 400, description = "The body is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "It is another's run.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such run.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It has ended already.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn cancel_instance(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<CancelBody>,
) -> Result<Answer<InstanceView>, Fault> {
    let actor = caller.allowed(Permission::ActionsSubmit)?;
    let id = parse_id(&id)?;
    if body.reason.len() > 1_000 {
        return Err(Fault::at("/reason", "a reason has at most 1000 bytes"));
    }
    let reason = match body.reason.trim() {
        "" => "no reason was given",
        reason => reason,
    };
    app.kernel
        .cancel_instance(&actor, id, reason)
        .await
        .map(Answer)
        .map_err(not_cancelled)
}

/// Why a run was not cancelled.
pub(crate) fn not_cancelled(error: CancelError) -> Fault {
    let detail = error.to_string();
    match error {
        CancelError::Unknown(_) => Fault::new(Kind::NotFound, detail),
        CancelError::Ended(_) => Fault::new(Kind::Conflict, detail),
        CancelError::Forbidden { .. } => Fault::new(Kind::Forbidden, detail),
        CancelError::Read(error) => Fault::internal(error),
    }
}

/// Send an event
///
/// A CloudEvent starts the workflows that it triggers, and is shown to the runs that listen for its type. It is on the disk
/// when this answers. `id`, `source` and `time` may be left out; what has the source and id of an earlier event is taken
/// for its repetition.
#[utoipa::path(
    post,
    path = "/api/events",
    tag = "workflows",
    request_body(content = Object, description = "A CloudEvent 1.0 in its JSON form.", example = json!({"type": "com.example.order.paid", "data": {"order": "4711"}})),
    responses(
        (status = 200, description = "What became of it.", body = ReceivedView),
        (status = 400, description = "It is no CloudEvent.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long.", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "The event could not be recorded.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The host is about to end.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn send_event(
    State(app): State<App>,
    caller: Caller,
    Json(event): Json<Value>,
) -> Result<Answer<ReceivedView>, Fault> {
    let actor = caller.allowed(Permission::ActionsSubmit)?;
    let received = app
        .kernel
        .receive_event(&actor, event)
        .await
        .map_err(not_run)?;
    let Received {
        id,
        new,
        started,
        shown,
    } = received;
    Ok(Answer(ReceivedView {
        id,
        new,
        started,
        shown,
    }))
}

/// Why a workflow was not run.
pub(crate) fn not_run(error: RunError) -> Fault {
    let detail = error.to_string();
    match error {
        RunError::UnknownWorkflow { .. } => Fault::new(Kind::NotFound, detail),
        RunError::Invalid(_) | RunError::Act(ActError::Invalid(_)) => {
            Fault::new(Kind::Invalid, detail)
        }
        RunError::Halted(_) => Fault::new(Kind::Conflict, detail),
        RunError::Judged(decision) if decision.outcome == OutcomeKind::Escalate => {
            Fault::new(Kind::Escalated, detail)
        }
        RunError::Judged(_) => Fault::new(Kind::Denied, detail),
        RunError::Draining(_) | RunError::Act(ActError::Draining(_)) => {
            Fault::new(Kind::Draining, detail)
        }
        error => Fault::internal(error),
    }
}

fn wait(seconds: Option<u64>) -> Result<u64, Fault> {
    match seconds.unwrap_or(0) {
        seconds @ 0..=MOST_WAIT => Ok(seconds),
        seconds => Err(Fault::new(
            Kind::Invalid,
            format!("`wait` is {seconds}; an answer waits for at most {MOST_WAIT} seconds"),
        )),
    }
}

/// The run when it has ended or waits for somebody, or as it is when the time is over or the host is going.
async fn waited(app: &App, id: Uuid, seconds: u64) -> Result<Option<InstanceView>, Fault> {
    let limit = Duration::from_secs(seconds);
    let until = app
        .now_ms()
        .saturating_add(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    tokio::select! {
        found = app.kernel.wait_for_instance(id, until) => found.map_err(Fault::internal),
        () = app.ending.cancelled() => app.kernel.instance(id).map_err(Fault::internal),
    }
}

/// What is no id names no run.
fn parse_id(id: &str) -> Result<Uuid, Fault> {
    id.parse().map_err(|_| unknown(id))
}

fn unknown(id: &str) -> Fault {
    Fault::new(Kind::NotFound, format!("there is no run {id}"))
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}
