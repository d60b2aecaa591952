//! Records that workflows ask for and change.
//!
//! The records are another store than the ledger, so a change is not in the transaction of the state. It is made so that
//! making it again changes nothing: a new record gets its id from the effect's key, and setting a field twice is setting
//! it once.
//!
//! A workflow touches what the one who began it may touch, fields and rows alike.

use polity_database::{
    Database, Document, Durability, EngineError, QueryOptions, RowRights, Value as Datum,
};
use polity_workflow::{Call, Fault, FaultKind};
use serde_json::{Map, Value, json};

use super::{Performance, Unperformed};
use crate::digest::sha256;
use crate::records::{RecordError, quoted};
use crate::{Actor, Kernel};

/// Records of one answer where the workflow names no limit.
const USUAL_ROWS: u64 = 1_000;

impl Kernel {
    pub(super) async fn touch_records(
        &self,
        performance: Performance,
    ) -> Result<Value, Unperformed> {
        let Performance {
            call, key, actor, ..
        } = performance;
        let kernel = self.clone();
        let done = self
            .at_work(move |database| {
                let hand = Hand {
                    rights: kernel.row_rights(&actor),
                    kernel: &kernel,
                    actor: &actor,
                    database,
                };
                touch(&hand, &call, &key)
            })
            .await;
        match done {
            Ok(done) => Ok(done?),
            Err(RecordError::Draining(_)) => Err(Unperformed::Later),
            Err(error) => Err(Fault::new(FaultKind::Runtime, error.to_string()).into()),
        }
    }
}

/// What reaches into the records for an actor.
struct Hand<'h> {
    database: &'h Database,
    kernel: &'h Kernel,
    actor: &'h Actor,
    rights: RowRights,
}

impl Hand<'_> {
    fn options(&self) -> QueryOptions {
        QueryOptions {
            durability: Durability::Durable,
            rights: self.rights.clone(),
            ..QueryOptions::default()
        }
    }

    /// Whether the actor may touch these fields.
    fn may_touch<'n>(
        &self,
        collection: &str,
        fields: impl Iterator<Item = &'n String>,
    ) -> Result<(), Fault> {
        let fields: Vec<String> = fields.map(|name| format!("{collection}.{name}")).collect();
        let touched = fields.iter().map(String::as_str);
        let may = self.kernel.may_touch(self.actor, [collection], touched);
        may.map_err(forbidden)
    }

    /// What the actor may see of a record.
    fn read(&self, collection: &str, id: &Datum) -> Result<Option<Document>, Fault> {
        let engine = self.database.engine();
        let catalogue = engine.catalogue();
        let found = catalogue.collection(collection).map_err(failed)?;
        let names = self.kernel.fields_for(self.actor, found);
        let read = engine.get_within(&self.rights, collection, id);
        Ok(read.map_err(failed)?.map(|mut document| {
            let is_open = |name: &str| names.iter().any(|open| open == name);
            document.fields.retain(|(name, _)| is_open(name));
            document
        }))
    }
}

fn touch(hand: &Hand<'_>, call: &Call, key: &str) -> Result<Value, Fault> {
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
            asked.rows(hand)
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
            let read = std::slice::from_ref(&read);
            let may = hand
                .kernel
                .may_write(hand.actor, hand.database, collection, read);
            may.map_err(forbidden)?;
            let engine = hand.database.engine();
            let inserted =
                engine.insert_within(&hand.rights, collection, read, Durability::Durable);
            match inserted {
                Ok(_) => Ok(json!({ "id": id, "record": document })),
                Err(EngineError::Exists { .. }) if is_same(hand, collection, &read[0])? => {
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
        } => update(hand, (collection, id), set, expect),
        _ => Err(Fault::new(FaultKind::Runtime, "this touches no records")),
    }
}

/// Whether the record is there with these values.
fn is_same(hand: &Hand<'_>, collection: &str, read: &Document) -> Result<bool, Fault> {
    let Some(id) = read.get("id") else {
        return Ok(false);
    };
    let found = hand.read(collection, id)?;
    Ok(found.is_some_and(|found| {
        let fields = read.fields.iter();
        fields
            .filter(|(_, value)| !value.is_null())
            .all(|(name, value)| found.get(name) == Some(value))
    }))
}

fn update(
    hand: &Hand<'_>,
    (collection, id): (&str, &str),
    set: &Map<String, Value>,
    expect: &Map<String, Value>,
) -> Result<Value, Fault> {
    let id = datum(&Value::from(id))?;
    hand.may_touch(collection, set.keys().chain(expect.keys()))?;
    let read = || hand.read(collection, &id);
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
        if asked.run(hand)? == 0 {
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

    fn rows(&self, hand: &Hand<'_>) -> Result<Value, Fault> {
        let engine = hand.database.engine();
        let answer = engine.statement(&self.sql, self.parameters.len());
        let answer = match answer {
            Ok(about) => {
                hand.kernel.may(hand.actor, &about).map_err(forbidden)?;
                engine.query_with(&self.sql, &self.parameters, &hand.options())
            }
            Err(error) => Err(error),
        };
        let answer = match answer {
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

    fn run(&self, hand: &Hand<'_>) -> Result<u64, Fault> {
        let engine = hand.database.engine();
        let about = engine.statement(&self.sql, self.parameters.len());
        let about = about.map_err(failed)?;
        hand.kernel.may(hand.actor, &about).map_err(forbidden)?;
        let done = engine
            .stream(&self.sql, &self.parameters, &hand.options(), &mut |_| {
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

fn forbidden(error: RecordError) -> Fault {
    Fault::new(FaultKind::Authorization, error.to_string())
}

fn failed(error: EngineError) -> Fault {
    match error {
        EngineError::Exists { .. } => Fault::communication(409, error.to_string()),
        EngineError::Beyond { .. } => Fault::new(FaultKind::Authorization, error.to_string()),
        EngineError::Store(_) | EngineError::Stopped { .. } => {
            Fault::new(FaultKind::Runtime, error.to_string())
        }
        error => Fault::new(FaultKind::Validation, error.to_string()),
    }
}
