//! Records that workflows ask for and change.
//!
//! The records are another store than the ledger, so a change is not in the transaction of the state. It is made so that
//! making it again changes nothing: a new record gets its id from the effect's key, and setting a field twice is setting
//! it once.

use polity_database::{Database, Document, Durability, EngineError, QueryOptions, Value as Datum};
use polity_workflow::{Call, Fault, FaultKind};
use serde_json::{Map, Value, json};

use super::{Performance, Unperformed};
use crate::Kernel;
use crate::digest::sha256;
use crate::records::RecordError;

/// Records of one answer where the workflow names no limit.
const USUAL_ROWS: u64 = 1_000;

impl Kernel {
    pub(super) async fn touch_records(
        &self,
        performance: Performance,
    ) -> Result<Value, Unperformed> {
        let Performance { call, key, .. } = performance;
        let done = self
            .at_work(move |database| touch(database, &call, &key))
            .await;
        match done {
            Ok(done) => Ok(done?),
            Err(RecordError::Draining(_)) => Err(Unperformed::Later),
            Err(error) => Err(Fault::new(FaultKind::Runtime, error.to_string()).into()),
        }
    }
}

fn touch(database: &Database, call: &Call, key: &str) -> Result<Value, Fault> {
    match call {
        Call::RecordsQuery {
            collection,
            filter,
            order,
            limit,
            fields,
        } => {
            let mut asked = Asked::default();
            let columns = if fields.is_empty() {
                "*".to_owned()
            } else {
                let names: Vec<String> = fields.iter().map(|name| quoted(name)).collect();
                names.join(", ")
            };
            asked.sql = format!("SELECT {columns} FROM {}", quoted(collection));
            asked.where_(filter)?;
            asked.order(order)?;
            let limit = limit.unwrap_or(USUAL_ROWS);
            asked.sql.push_str(&format!(" LIMIT {limit}"));
            asked.rows(database)
        }
        Call::RecordsInsert {
            collection,
            record,
            id,
        } => {
            let mut record = record.clone();
            let given = id.clone().map(Value::from).or_else(|| record.remove("id"));
            let id = given.unwrap_or_else(|| sha256(key)[..32].into());
            let mut document = Map::new();
            document.insert("id".to_owned(), id.clone());
            document.extend(record);
            let text = Value::Object(document.clone()).to_string();
            let read = Document::parse(text.as_bytes())
                .map_err(|error| Fault::new(FaultKind::Validation, error.to_string()))?;
            let engine = database.engine();
            let inserted =
                engine.insert(collection, std::slice::from_ref(&read), Durability::Durable);
            match inserted {
                Ok(_) => Ok(json!({ "id": id, "record": document })),
                Err(EngineError::Exists { .. }) if is_same(database, collection, &read)? => {
                    // It was made before the host ended.
                    Ok(json!({ "id": id, "record": document }))
                }
                Err(error) => Err(failed(error)),
            }
        }
        Call::RecordsUpdate {
            collection,
            id,
            set,
            expect,
        } => update(database, (collection, id), set, expect),
        _ => Err(Fault::new(FaultKind::Runtime, "this touches no records")),
    }
}

/// Whether the record is there with these values.
fn is_same(database: &Database, collection: &str, read: &Document) -> Result<bool, Fault> {
    let Some(id) = read.get("id") else {
        return Ok(false);
    };
    let found = database.engine().get(collection, id).map_err(failed)?;
    Ok(found.is_some_and(|found| {
        let fields = read.fields.iter();
        fields
            .filter(|(_, value)| !value.is_null())
            .all(|(name, value)| found.get(name) == Some(value))
    }))
}

fn update(
    database: &Database,
    (collection, id): (&str, &str),
    set: &Map<String, Value>,
    expect: &Map<String, Value>,
) -> Result<Value, Fault> {
    let id = datum(&Value::from(id))?;
    let read = || database.engine().get(collection, &id).map_err(failed);
    let Some(before) = read()? else {
        let why = format!("there is no record {} in {collection}", id.to_json());
        return Err(Fault::communication(404, why));
    };
    let has = |fields: &Map<String, Value>| -> Result<bool, Fault> {
        for (name, value) in fields {
            let wanted = datum(value)?;
            let found = before.get(name).cloned().unwrap_or(Datum::Null);
            if found != wanted {
                return Ok(false);
            }
        }
        Ok(true)
    };
    if !set.is_empty() && !has(set)? {
        let mut asked = Asked::default();
        let mut parts = Vec::new();
        for (name, value) in set {
            let place = asked.parameter(value)?;
            parts.push(format!("{} = {place}", quoted(name)));
        }
        asked.sql = format!("UPDATE {} SET {}", quoted(collection), parts.join(", "));
        asked.parameters.push(id.clone());
        asked
            .sql
            .push_str(&format!(" WHERE id = ${}", asked.parameters.len()));
        for (name, value) in expect {
            let condition = if value.is_null() {
                format!("{} IS NULL", quoted(name))
            } else {
                format!("{} = {}", quoted(name), asked.parameter(value)?)
            };
            asked.sql.push_str(&format!(" AND {condition}"));
        }
        if asked.run(database)? == 0 {
            let why = format!(
                "the record {} in {collection} is not as the workflow expects it",
                id.to_json()
            );
            return Err(Fault::communication(409, why));
        }
    }
    let after = read()?.unwrap_or_default();
    Ok(serde_json::from_str(&after.to_json()).unwrap_or_default())
}

/// A statement in the making. Values are parameters and never part of its text.
#[derive(Default)]
struct Asked {
    sql: String,
    parameters: Vec<Datum>,
}

impl Asked {
    fn parameter(&mut self, value: &Value) -> Result<String, Fault> {
        self.parameters.push(datum(value)?);
        Ok(format!("${}", self.parameters.len()))
    }

    /// `{field: value}`, or `{field: {">=": value, "<": value}}`; all of them must hold.
    fn where_(&mut self, filter: &Value) -> Result<(), Fault> {
        let fields = match filter {
            Value::Null => return Ok(()),
            Value::Object(fields) => fields,
            _ => {
                return Err(Fault::new(
                    FaultKind::Validation,
                    "`where` is an object: {field: value} or {field: {\">=\": value}}",
                ));
            }
        };
        let mut conditions = Vec::new();
        for (name, wanted) in fields {
            let field = quoted(name);
            match wanted {
                Value::Null => conditions.push(format!("{field} IS NULL")),
                Value::Object(tests) => {
                    for (sign, value) in tests {
                        let sign = match sign.as_str() {
                            "=" | "<" | "<=" | ">" | ">=" | "<>" => sign.as_str(),
                            "!=" => "<>",
                            other => {
                                let why = format!(
                                    "`{other}` is no comparison; write one of =, !=, <, <=, >, >="
                                );
                                return Err(Fault::new(FaultKind::Validation, why));
                            }
                        };
                        let place = self.parameter(value)?;
                        conditions.push(format!("{field} {sign} {place}"));
                    }
                }
                value => {
                    let place = self.parameter(value)?;
                    conditions.push(format!("{field} = {place}"));
                }
            }
        }
        if !conditions.is_empty() {
            self.sql
                .push_str(&format!(" WHERE {}", conditions.join(" AND ")));
        }
        Ok(())
    }

    /// A field, `-field` for the other direction, or a list of these.
    fn order(&mut self, order: &Value) -> Result<(), Fault> {
        let fields: Vec<&str> = match order {
            Value::Null => return Ok(()),
            Value::String(field) => vec![field],
            Value::Array(fields) => fields.iter().filter_map(Value::as_str).collect(),
            _ => {
                let why = "`order` is a field, `-field`, or a list of them";
                return Err(Fault::new(FaultKind::Validation, why));
            }
        };
        let parts: Vec<String> = fields
            .into_iter()
            .map(|field| match field.strip_prefix('-') {
                Some(field) => format!("{} DESC", quoted(field)),
                None => quoted(field),
            })
            .collect();
        if !parts.is_empty() {
            self.sql
                .push_str(&format!(" ORDER BY {}", parts.join(", ")));
        }
        Ok(())
    }

    fn rows(&self, database: &Database) -> Result<Value, Fault> {
        let answer = match database.engine().query(&self.sql, &self.parameters) {
            Ok(answer) => answer,
            // What was never written holds nothing.
            Err(EngineError::Unknown {
                what: "collection", ..
            }) => return Ok(json!([])),
            Err(error) => return Err(failed(error)),
        };
        let row = |row: &Vec<Datum>| {
            let fields = answer.summary.columns.iter().zip(row);
            let fields = fields
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| {
                    let value = serde_json::from_str(&value.to_json()).unwrap_or_default();
                    (name.clone(), value)
                });
            Value::Object(fields.collect())
        };
        Ok(answer.rows.iter().map(row).collect())
    }

    fn run(&self, database: &Database) -> Result<u64, Fault> {
        let options = QueryOptions {
            durability: Durability::Durable,
            ..QueryOptions::default()
        };
        let done = database
            .engine()
            .stream(&self.sql, &self.parameters, &options, &mut |_| {
                std::ops::ControlFlow::Continue(())
            })
            .map_err(failed)?;
        Ok(done.rows)
    }
}

fn datum(value: &Value) -> Result<Datum, Fault> {
    Datum::from_json(&value.to_string())
        .map_err(|error| Fault::new(FaultKind::Validation, error.to_string()))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn failed(error: EngineError) -> Fault {
    match error {
        EngineError::Exists { .. } => Fault::communication(409, error.to_string()),
        EngineError::Store(_) | EngineError::Stopped { .. } => {
            Fault::new(FaultKind::Runtime, error.to_string())
        }
        error => Fault::new(FaultKind::Validation, error.to_string()),
    }
}
