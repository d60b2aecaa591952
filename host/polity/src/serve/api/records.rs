//! `/api/query` and `/api/collections`: the company's records.

mod body;
pub(super) mod fault;
mod stream;
mod view;

use axum::Json as Answer;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::ACCEPT;
use polity_constitution::Permission;
use polity_database::{Format, Limits, StatementKind, Stats};
use polity_kernel::RecordQuery;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::serve::App;
use crate::serve::auth::{Caller, require};
use crate::serve::fault::{Fault, Kind, Problem};
use crate::serve::headers;
use crate::serve::json::Json;
use fault::{of_document, of_statement};
use view::{CollectionView, PlanView};

/// Rows of an answer that is one document, where nothing is said.
const ROWS: u64 = 1_000;
/// And at most; who wants more has them streamed.
const MAX_ROWS: u64 = 100_000;
/// Bytes of rows in an answer that is one document.
const DOCUMENT_BYTES: u64 = 32 << 20;
/// Bytes of rows in a stream.
const STREAM_BYTES: u64 = 1 << 30;
/// Bytes that a sort, a group or a join may hold.
const MEMORY: u64 = 128 << 20;
/// How long a statement may run.
const MICROS: u64 = 30_000_000;

/// A statement with its parameters.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueryBody {
    /// One statement: SELECT, INSERT, UPDATE, DELETE or EXPLAIN, in PostgreSQL's dialect, with `$1`, `$2` for parameters.
    #[schema(
        example = "SELECT customer, sum(total) FROM orders WHERE placed >= $1 GROUP BY customer"
    )]
    sql: String,
    /// The values of the parameters. They never become part of the statement's text.
    #[serde(default)]
    #[schema(value_type = Vec<Value>, required = false, example = json!(["2026-01-01"]))]
    params: Vec<Box<RawValue>>,
    /// Rows that are wanted: 1000 if absent, at most 100000; in a stream without a limit if absent.
    #[serde(default)]
    #[schema(required = false, minimum = 1)]
    limit: Option<u64>,
}

/// The answer to a statement.
#[derive(Serialize, ToSchema)]
pub(crate) struct QueryAnswer {
    /// The names of the columns; none for a change.
    columns: Vec<String>,
    /// The rows, each with a value for each column.
    #[schema(value_type = Vec<Vec<Value>>)]
    rows: Vec<Vec<polity_database::Value>>,
    /// Whether there are more rows than were wanted.
    more: bool,
    /// Documents that were inserted, changed or removed; absent for a query.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    changed: Option<u64>,
    /// Documents and index entries that were looked at.
    examined: u64,
    /// Microseconds.
    took_us: u64,
    /// The decision that let it happen.
    decision_id: Uuid,
}

/// Documents that were inserted.
#[derive(Serialize, ToSchema)]
pub(crate) struct InsertAnswer {
    /// How many.
    inserted: usize,
    /// Their ids, in their order.
    #[schema(value_type = Vec<Value>)]
    ids: Vec<polity_database::Value>,
    /// The decision that let it happen.
    decision_id: Uuid,
}

/// In which form a collection is exported.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// `ndjson`, `json` or `csv`.
    #[param(value_type = Option<String>, example = "ndjson")]
    format: Option<Format>,
}

/// A statement to be explained.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainBody {
    /// A SELECT, UPDATE or DELETE.
    sql: String,
}

/// Ask or change records in SQL
///
/// The rules judge it as `records.query`, `records.insert`, `records.update` or `records.delete`, with the collections
/// and fields it touches, before it runs. With `accept: application/x-ndjson` the answer is a stream: a line with the
/// columns, a line for each row, and a last line with `rows`, or with `error` where it was stopped.
#[utoipa::path(
    post,
    path = "/api/query",
    tag = "records",
    request_body = QueryBody,
    responses(
        (status = 200, description = "The rows.", content(
            (QueryAnswer = "application/json"), (String = "application/x-ndjson"),
        )),
        (status = 400, description = "The statement or a parameter is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing, a rule denied it, or a person has to decide.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long.", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "It took too long.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn query_records(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<QueryBody>,
) -> Result<Response, Fault> {
    require(&caller.0, Permission::RecordsRead)?;
    let streams = headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("application/x-ndjson"));
    if body.limit == Some(0) {
        return Err(Fault::at("/limit", "no rows are wanted; ask for 1 or more"));
    }
    if !streams && body.limit.is_some_and(|limit| limit > MAX_ROWS) {
        return Err(Fault::at(
            "/limit",
            format!(
                "at most {MAX_ROWS} rows come in one document; send `accept: application/x-ndjson` to have them streamed"
            ),
        ));
    }
    let rows = body.limit.unwrap_or(if streams { u64::MAX } else { ROWS });
    let query = RecordQuery {
        sql: body.sql,
        params: body.params,
        rows,
        limits: Limits {
            // What is beyond is told of as more.
            rows: u64::MAX,
            bytes: if streams {
                STREAM_BYTES
            } else {
                DOCUMENT_BYTES
            },
            memory: MEMORY,
            micros: MICROS,
        },
    };
    let answer = app
        .kernel
        .query_records(&caller.0, query)
        .await
        .map_err(of_statement)?;
    let decision_id = answer.decision_id;
    let mut response = if streams {
        stream::respond(answer)
    } else {
        let (kind, columns) = (answer.kind, answer.columns.clone());
        let collected = answer.collect().await.map_err(of_statement)?;
        Answer(QueryAnswer {
            columns,
            rows: collected.rows,
            more: collected.more,
            changed: (kind != StatementKind::Query).then_some(collected.summary.rows),
            examined: collected.summary.examined,
            took_us: collected.summary.micros,
            decision_id,
        })
        .into_response()
    };
    headers::set_decision(response.headers_mut(), decision_id);
    Ok(response)
}

/// Say how a statement would run
///
/// It is judged as `records.query` and does not run.
#[utoipa::path(
    post,
    path = "/api/query/explain",
    tag = "records",
    request_body = ExplainBody,
    responses(
        (status = 200, description = "The plan, the last step first.", body = PlanView),
        (status = 400, description = "The statement is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing, a rule denied it, or a person has to decide.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn explain_records(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<ExplainBody>,
) -> Result<Answer<PlanView>, Fault> {
    let actor = caller.allowed(Permission::RecordsRead)?;
    let plan = app.kernel.explain_records(&actor, &body.sql).await;
    Ok(Answer(PlanView::of(plan.map_err(of_statement)?)))
}

/// List the collections
#[utoipa::path(
    get,
    path = "/api/collections",
    tag = "records",
    responses(
        (status = 200, description = "Every collection, by name.", body = view::Collections),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_collections(
    State(app): State<App>,
    caller: Caller,
) -> Result<Answer<view::Collections>, Fault> {
    let actor = caller.allowed(Permission::RecordsRead)?;
    let found = app.kernel.collections(&actor).await.map_err(of_document)?;
    let items = found
        .iter()
        .map(|(found, rows)| CollectionView::of(found, *rows));
    Ok(Answer(view::Collections {
        items: items.collect(),
    }))
}

/// Describe a collection
#[utoipa::path(
    get,
    path = "/api/collections/{name}",
    tag = "records",
    params(("name" = String, Path, description = "The collection's name.")),
    responses(
        (status = 200, description = "Its fields, indexes and rollups.", body = CollectionView),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such collection.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_collection(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Answer<CollectionView>, Fault> {
    let actor = caller.allowed(Permission::RecordsRead)?;
    let collections = app.kernel.collections(&actor).await.map_err(of_document)?;
    let found = collections.iter().find(|(found, _)| found.name == name);
    let (found, rows) = found.ok_or_else(|| {
        fault::no_collection(
            &name,
            collections.iter().map(|(found, _)| found.name.as_str()),
        )
    })?;
    Ok(Answer(CollectionView::of(found, *rows)))
}

/// Insert documents
///
/// The body is one JSON object, an array of them, or one a line as `application/x-ndjson`. All are inserted or none, and
/// they are on the disk when this answers. The collection springs up with its first document. The rules judge it as
/// `records.insert`.
#[utoipa::path(
    post,
    path = "/api/collections/{name}",
    tag = "records",
    params(("name" = String, Path, description = "The collection's name.")),
    request_body(content((Value = "application/json"), (String = "application/x-ndjson"))),
    responses(
        (status = 200, description = "They are on the disk.", body = InsertAnswer),
        (status = 400, description = "A document is not valid; `errors` says which.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing, a rule denied it, or a person has to decide.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There is a document with such an id already.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn insert_records(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    request: Request<Body>,
) -> Result<Response, Fault> {
    let actor = caller.allowed(Permission::RecordsWrite)?;
    let documents = body::documents(request).await?;
    if documents.is_empty() {
        return Err(Fault::new(Kind::Invalid, "there is no document to insert"));
    }
    let inserted = app.kernel.insert_records(&actor, &name, &documents).await;
    let inserted = inserted.map_err(of_document)?;
    let mut response = Answer(InsertAnswer {
        inserted: inserted.ids.len(),
        ids: inserted.ids,
        decision_id: inserted.decision_id,
    })
    .into_response();
    headers::set_decision(response.headers_mut(), inserted.decision_id);
    Ok(response)
}

/// Export a collection
///
/// Every document as it is at one time, while writing goes on. The rules judge it as `records.query`. An export that
/// fails half-way breaks the connection.
#[utoipa::path(
    get,
    path = "/api/collections/{name}/export",
    tag = "records",
    params(("name" = String, Path, description = "The collection's name."), ExportQuery),
    responses(
        (status = 200, description = "The documents.", content(
            (String = "application/x-ndjson"), (Vec<Value> = "application/json"), (String = "text/csv"),
        )),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing, a rule denied it, or a person has to decide.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such collection.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn export_collection(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Fault> {
    let actor = caller.allowed(Permission::RecordsRead)?;
    let format = query.format.unwrap_or(Format::Ndjson);
    let export = app.kernel.export_records(&actor, &name, format).await;
    Ok(stream::export(export.map_err(of_document)?, format))
}

/// Read how the records are used
///
/// Query shapes without their literals, fields, indexes: no row and no value. Collections of which the caller may touch
/// some rows alone are left out, and so is what speaks of fields that the caller may not touch.
#[utoipa::path(
    get,
    path = "/api/records/stats",
    tag = "records",
    responses(
        (status = 200, description = "What is known of their use.", body = view::StatsView),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_record_stats(
    State(app): State<App>,
    caller: Caller,
) -> Result<Answer<Stats>, Fault> {
    let actor = caller.allowed(Permission::RecordsRead)?;
    let stats = app.kernel.record_stats(&actor).await;
    Ok(Answer(stats.map_err(of_document)?))
}

/// Back all records up
///
/// Every collection with its schema, as it is at one time, while writing goes on; `polity db restore` reads it. The rules
/// judge it as a `records.query` of every collection. A backup that fails half-way breaks the connection.
#[utoipa::path(
    get,
    path = "/api/records/backup",
    tag = "records",
    responses(
        (status = 200, description = "The backup.", body = String, content_type = "application/x-ndjson"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing, a rule denied it, or a person has to decide.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn back_records_up(
    State(app): State<App>,
    caller: Caller,
) -> Result<Response, Fault> {
    let actor = caller.allowed(Permission::RecordsRead)?;
    let backup = app.kernel.back_records_up(&actor).await;
    Ok(stream::backup(backup.map_err(of_document)?))
}
