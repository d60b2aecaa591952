//! SQL: understood, judged, run.

use std::ops::ControlFlow;
use std::sync::Arc;

use polity_constitution::Permission;
use polity_database::{
    Collection, Database, EngineError, Limits, PlanNode, QueryOptions, RowRights, Sight, Statement,
    StatementKind, Stats, Value as Datum, discreet,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::answer::{PATIENCE, PIECE_ROWS, PIECES, Piece};
use super::{RecordAnswer, RecordError};
use crate::{Actor, Kernel};

/// A statement with its parameters.
#[derive(Clone, Debug)]
pub struct RecordQuery {
    /// One statement, with `$1`, `$2` for its parameters.
    pub sql: String,
    /// JSON values; they are values of the statement and never part of its text.
    pub params: Vec<Box<RawValue>>,
    /// Rows that are wanted; there may be more.
    pub rows: u64,
    /// What it may take.
    pub limits: Limits,
}

impl Kernel {
    /// Runs a statement, if the rules let it happen.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub async fn query_records(
        &self,
        actor: &Actor,
        query: RecordQuery,
    ) -> Result<RecordAnswer, RecordError> {
        let visit = self.enter()?;
        let RecordQuery {
            mut sql,
            params,
            rows,
            limits,
        } = query;
        let texts: Vec<&str> = params.iter().map(|param| param.get()).collect();
        let mut values = data(&texts)?;
        let database = self.database().await?;
        let about = understand(&database, &sql, values.len()).await?;
        if about.kind != StatementKind::Query && !actor.may(Permission::RecordsWrite) {
            return Err(RecordError::Forbidden {
                actor: actor.id.clone(),
            });
        }
        self.may(actor, &about)?;
        let told: Vec<Value> = texts
            .iter()
            .map(|text| serde_json::from_str(text).unwrap_or_default())
            .collect();
        let input = json!({
            "sql": sql,
            "params": told,
            "collections": about.collections,
            "fields": about.fields,
        });
        let decision = self.judge_access(actor, about.kind, input).await?;
        if let Some(amended) = &decision.amended_input {
            let refused = |detail: String| RecordError::Amendment {
                detail,
                decision_id: decision.id,
            };
            let (text, params) = statement_of(amended).map_err(&refused)?;
            let texts: Vec<String> = params.iter().map(Value::to_string).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            values = data(&texts).map_err(|error| refused(error.to_string()))?;
            if text != sql {
                let then = understand(&database, &text, values.len())
                    .await
                    .map_err(|error| refused(error.to_string()))?;
                let is_within = then.kind == about.kind
                    && then
                        .collections
                        .iter()
                        .all(|c| about.collections.contains(c))
                    && then.columns == about.columns;
                if !is_within {
                    return Err(refused(
                        "the amended statement does something else, or gives other columns"
                            .to_owned(),
                    ));
                }
                self.may(actor, &then)?;
                sql = text;
            }
        }

        let rights = self.row_rights(actor);
        // How many rows were looked at tells of those that may not be seen.
        let is_whole = about.collections.iter().all(|name| rights.is_open(name));
        let place = self.inner.records.places.clone();
        let place = place
            .acquire_owned()
            .await
            .map_err(|_| RecordError::Broken)?;
        let (pieces, received) = mpsc::channel(PIECES);
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            let _held = (visit, place);
            let options = QueryOptions {
                limits,
                rights,
                ..QueryOptions::default()
            };
            let send = |piece: Piece| {
                let sent = runtime.block_on(timeout(PATIENCE, pieces.send(piece)));
                matches!(sent, Ok(Ok(())))
            };
            run(&database, &sql, &values, &options, rows, &|piece| {
                send(if is_whole { piece } else { piece.discreet() })
            });
        });
        Ok(RecordAnswer {
            decision_id: decision.id,
            kind: about.kind,
            columns: about.columns,
            pieces: received,
        })
    }

    /// How a statement would run.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub async fn explain_records(&self, actor: &Actor, sql: &str) -> Result<PlanNode, RecordError> {
        let _visit = self.enter()?;
        let database = self.database().await?;
        let about = understand(&database, sql, 0).await?;
        self.may(actor, &about)?;
        let input = json!({
            "sql": sql,
            "explain": true,
            "collections": about.collections,
            "fields": about.fields,
        });
        self.judge_access(actor, StatementKind::Query, input)
            .await?;
        let options = QueryOptions {
            rights: self.row_rights(actor),
            ..QueryOptions::default()
        };
        let sql = sql.to_owned();
        Ok(self
            .at_work(move |database| database.engine().explain(&sql, &options))
            .await??)
    }

    /// The collections with the number of their documents that an actor may touch, by name.
    ///
    /// # Errors
    /// The database does not open or read.
    pub async fn collections(
        &self,
        actor: &Actor,
    ) -> Result<Vec<(Arc<Collection>, u64)>, RecordError> {
        let _visit = self.enter()?;
        let rights = self.row_rights(actor);
        let counted = self.at_work(move |database| {
            let catalogue = database.engine().catalogue();
            let collections = catalogue.collections.values();
            collections
                .map(|found| Ok((found.clone(), count(database, &found.name, &rights)?)))
                .collect::<Result<Vec<_>, EngineError>>()
        });
        Ok(counted.await??)
    }

    /// How the records are used, as far as an actor may touch them.
    ///
    /// # Errors
    /// The database does not open.
    pub async fn record_stats(&self, actor: &Actor) -> Result<Stats, RecordError> {
        let _visit = self.enter()?;
        let read = self.at_work(|database| (database.stats(), database.engine().catalogue()));
        let (stats, catalogue) = read.await?;
        let rights = self.row_rights(actor);
        let sight = Sight {
            whole: &|name| rights.is_open(name) && self.may_touch(actor, [name], []).is_ok(),
            field: &|collection, name| {
                let field = format!("{collection}.{name}");
                self.may_touch(actor, [], [field.as_str()]).is_ok()
            },
        };
        Ok(discreet(stats, &catalogue, &sight))
    }

    pub(super) async fn database(&self) -> Result<Arc<Database>, RecordError> {
        let inner = self.inner.clone();
        let opened = tokio::task::spawn_blocking(move || inner.records.database());
        Ok(opened.await.map_err(|_| RecordError::Broken)??)
    }

    /// Does work that blocks.
    pub(crate) async fn at_work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> T + Send + 'static,
    ) -> Result<T, RecordError> {
        let inner = self.inner.clone();
        let done = tokio::task::spawn_blocking(move || Ok(work(&*inner.records.database()?)));
        done.await.map_err(|_| RecordError::Broken)?
    }
}

/// How many documents of a collection may be touched.
fn count(database: &Database, collection: &str, rights: &RowRights) -> Result<u64, EngineError> {
    let engine = database.engine();
    if rights.is_open(collection) {
        return engine.count(collection);
    }
    let options = QueryOptions {
        rights: rights.clone(),
        ..QueryOptions::default()
    };
    let sql = format!("SELECT count(*) FROM {}", quoted(collection));
    let answer = engine.query_with(&sql, &[], &options)?;
    Ok(match answer.rows.first().and_then(|row| row.first()) {
        Some(Datum::Int(count)) => u64::try_from(*count).unwrap_or(0),
        _ => 0,
    })
}

/// A name as SQL has it, whatever is in it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Planning reads sizes, and with them perhaps a collection that nobody has read yet.
async fn understand(
    database: &Arc<Database>,
    sql: &str,
    parameters: usize,
) -> Result<Statement, RecordError> {
    let (database, sql) = (database.clone(), sql.to_owned());
    let about = tokio::task::spawn_blocking(move || database.engine().statement(&sql, parameters));
    Ok(about.await.map_err(|_| RecordError::Broken)??)
}

fn run(
    database: &Database,
    sql: &str,
    values: &[Datum],
    options: &QueryOptions,
    wanted: u64,
    send: &dyn Fn(Piece) -> bool,
) {
    let (mut rows, mut given, mut more, mut heard) = (Vec::new(), 0, false, true);
    let ended = database.stream(sql, values, options, &mut |row| {
        if given == wanted {
            more = true;
            return ControlFlow::Break(());
        }
        given += 1;
        rows.push(row.to_vec());
        if rows.len() == PIECE_ROWS {
            heard = send(Piece::Rows(std::mem::take(&mut rows)));
        }
        if heard {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    if !heard || (!rows.is_empty() && !send(Piece::Rows(rows))) {
        return;
    }
    let last = match ended {
        Ok(mut summary) => {
            summary.rows = summary.rows.min(if more { wanted } else { u64::MAX });
            Piece::End { summary, more }
        }
        Err(error) => Piece::Failed(error),
    };
    send(last);
}

fn data(texts: &[&str]) -> Result<Vec<Datum>, RecordError> {
    let value = |(index, text): (usize, &&str)| {
        Datum::from_json(text).map_err(|error| RecordError::Parameter {
            number: index + 1,
            error: error.into(),
        })
    };
    texts.iter().enumerate().map(value).collect()
}

/// The statement that an amended input is.
fn statement_of(input: &Value) -> Result<(String, &[Value]), String> {
    let sql = input["sql"].as_str().ok_or("`sql` is not a text")?;
    let params = match &input["params"] {
        Value::Array(params) => params.as_slice(),
        Value::Null => &[],
        _ => return Err("`params` is not an array".to_owned()),
    };
    Ok((sql.to_owned(), params))
}
