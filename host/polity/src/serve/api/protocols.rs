//! `/api/decide` and `/api/ask`: what the tables answer, and which protocol covers a question.

use axum::Json as Answer;
use axum::extract::{Path, State};
use polity_constitution::{OutcomeKind, Permission};
use polity_kernel::{ActError, EvaluateError, Evaluation};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::page::{Parameters, Query};
use crate::serve::App;
use crate::serve::auth::Caller;
use crate::serve::fault::{Fault, Kind, Problem};
use crate::serve::json::Json;

/// The longest question.
const MAX_QUESTION: usize = 2_000;

/// What a table is asked about.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecideBody {
    /// The facts, by the names of the table's columns.
    #[schema(value_type = Object, example = json!({"amount": 40}))]
    input: Value,
}

/// What a table answered.
#[derive(Serialize, ToSchema)]
pub(crate) struct EvaluationView {
    /// The table.
    table: String,
    /// One value, or an object with a member for each output.
    value: Value,
    /// The rows that matched, and for each of their cells the value that passed it.
    #[schema(value_type = Object)]
    trace: Value,
    /// SHA-256 of the constitution that the table belongs to.
    version: String,
    /// The rules' decision on the question, where rules guard `decision.evaluate`.
    decision: Option<String>,
}

/// A question.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AskQuery {
    /// In plain words.
    #[param(example = "What happens when a customer disputes a refund?")]
    q: Option<String>,
}

impl Parameters for AskQuery {
    const NAMES: &'static [&'static str] = &["q"];
}

/// What the protocols say to a question.
#[derive(Serialize, ToSchema)]
pub(crate) struct AnswerView {
    /// The question.
    question: String,
    /// SHA-256 of the constitution that was asked.
    version: String,
    /// The protocol that covers it with its tree, tables, clauses and commands; null where nothing does.
    #[schema(value_type = Option<Object>)]
    protocol: Value,
    /// Protocols that speak of something near, nearest first.
    #[schema(value_type = Vec<Object>)]
    nearest: Value,
    /// The whole answer as Markdown.
    markdown: String,
    /// The decision tree as a Mermaid flowchart, where there is one.
    mermaid: Option<String>,
    /// The decision tree as an SVG, where there is one.
    svg: Option<String>,
}

/// A question that no protocol covers.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskBody {
    /// In plain words.
    #[schema(example = "May we sell a site?", min_length = 1, max_length = 2000)]
    question: String,
}

/// Where the question waits.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenedView {
    /// The inbox item.
    item: String,
    /// The role that it waits for.
    role: String,
    /// False where the same question was waiting already.
    new: bool,
}

/// Ask a decision table
///
/// The answer is on record when this answers. Where rules guard `decision.evaluate`, they judge the question first.
#[utoipa::path(
    post,
    path = "/api/decide/{name}",
    tag = "protocols",
    params(("name" = String, Path, description = "The table, as its file in `decisions/` is called.")),
    request_body = DecideBody,
    responses(
        (status = 200, description = "The answer, with the rows that gave it.", body = EvaluationView),
        (status = 400, description = "The table does not answer this input.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing, or a rule forbids the question or puts it before a person.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such table.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long.", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "The answer could not be recorded.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The host is about to end.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn evaluate_table(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Json(body): Json<DecideBody>,
) -> Result<Answer<EvaluationView>, Fault> {
    let actor = caller.allowed(Permission::ActionsSubmit)?;
    let evaluation = app
        .kernel
        .evaluate(&actor, &name, body.input)
        .await
        .map_err(refused)?;
    let Evaluation {
        table,
        value,
        trace,
        version,
        decision,
    } = evaluation;
    Ok(Answer(EvaluationView {
        table,
        value,
        trace: serde_json::to_value(trace).map_err(Fault::internal)?,
        version: version.digest,
        decision: decision.map(|id| id.to_string()),
    }))
}

fn refused(error: EvaluateError) -> Fault {
    let detail = error.to_string();
    match error {
        EvaluateError::UnknownTable { .. } => Fault::new(Kind::NotFound, detail),
        EvaluateError::Table(_) | EvaluateError::Act(ActError::Invalid(_)) => {
            Fault::new(Kind::Invalid, detail)
        }
        EvaluateError::Judged(decision) if decision.outcome == OutcomeKind::Escalate => {
            Fault::new(Kind::Escalated, detail)
        }
        EvaluateError::Judged(_) => Fault::new(Kind::Denied, detail),
        EvaluateError::Draining(_) | EvaluateError::Act(ActError::Draining(_)) => {
            Fault::new(Kind::Draining, detail)
        }
        error => Fault::internal(error),
    }
}

/// Ask which protocol covers a question
///
/// No model is asked: what is found stands in the constitution in force. Where nothing covers the question, `protocol` is
/// null and `nearest` names what comes near.
#[utoipa::path(
    get,
    path = "/api/ask",
    tag = "protocols",
    params(AskQuery),
    responses(
        (status = 200, description = "The protocol, or the nearest ones.", body = AnswerView),
        (status = 400, description = "The question is missing or too long.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn ask_protocols(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AskQuery>,
) -> Result<Answer<AnswerView>, Fault> {
    caller.allowed(Permission::DecisionsRead)?;
    let question = query.q.unwrap_or_default();
    bounded("q", &question)?;
    let answer = app.kernel.constitution().ask(&question);
    let json = |value: Result<Value, serde_json::Error>| value.map_err(Fault::internal);
    Ok(Answer(AnswerView {
        protocol: json(serde_json::to_value(&answer.protocol))?,
        nearest: json(serde_json::to_value(&answer.nearest))?,
        markdown: answer.markdown(),
        mermaid: answer.mermaid(),
        svg: answer.svg(),
        version: answer.version.digest,
        question,
    }))
}

/// Put a question that no protocol covers before a person
///
/// It becomes an item of the inbox, for the role that the charter names. The same question is one item for as long as it
/// is open. A question that a protocol covers is answered by `GET /api/ask` and opens nothing.
#[utoipa::path(
    post,
    path = "/api/ask",
    tag = "protocols",
    request_body = AskBody,
    responses(
        (status = 200, description = "The item.", body = OpenedView),
        (status = 400, description = "The question is missing or too long.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "A protocol covers the question.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long.", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "The item could not be recorded.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn open_question(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<AskBody>,
) -> Result<Answer<OpenedView>, Fault> {
    let actor = caller.allowed(Permission::ActionsSubmit)?;
    bounded("question", &body.question)?;
    let answer = app.kernel.constitution().ask(&body.question);
    if let Some(protocol) = &answer.protocol {
        let detail = format!("{} covers it; GET /api/ask tells how", protocol.near.file);
        return Err(Fault::new(Kind::Conflict, detail));
    }
    let raised = app
        .kernel
        .ask_for_protocol(&actor, &answer)
        .await
        .map_err(Fault::internal)?;
    Ok(Answer(OpenedView {
        item: raised.item.id.to_string(),
        role: raised.item.role,
        new: raised.new,
    }))
}

fn bounded(name: &str, question: &str) -> Result<(), Fault> {
    if question.trim().is_empty() || question.len() > MAX_QUESTION {
        let detail = format!("`{name}` is a question of 1 to {MAX_QUESTION} bytes");
        return Err(Fault::new(Kind::Invalid, detail));
    }
    Ok(())
}
