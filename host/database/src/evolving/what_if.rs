//! What a strategy may ask while it thinks: what changes would do to the queries that it was told of.
//!
//! The queries are those of the statistics it was given, written as SQL again; the answers are the planner's. All of one
//! round is about one state of the database, so a round can be judged by what it was told.

use std::sync::Arc;

use parking_lot::Mutex;
use polity_engine::{Engine, Forecaster};
use polity_evolve::Mutation;
use polity_watch::{Op, QueryStats, Stats, segments};
use serde::{Deserialize, Serialize};

use super::translate::{self, Cannot};

/// Queries of one answer.
const MOST_QUERIES: usize = 100;
/// Changes of one question.
const MOST_CHANGES: usize = 16;
/// Questions of one round that are remembered.
const MOST_ASKED: usize = 256;

/// Answers the questions of one round.
pub struct WhatIf {
    forecaster: Forecaster,
    engine: Arc<Engine>,
    queries: Vec<Known>,
    asked: Mutex<Vec<Asked>>,
}

/// A question with its answer. With these and what it has seen, a strategy can be run again and says the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Asked {
    /// What was asked about.
    pub changes: Vec<Mutation>,
    /// What was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<Estimate>,
    /// Why nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

struct Known {
    id: String,
    collection: String,
    sql: String,
}

/// What would become of one query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Its identity in the statistics.
    pub query: String,
    /// Microseconds of a call as things are, by the planner's model.
    pub now_us: f64,
    /// Microseconds with all the changes made.
    pub then_us: f64,
    /// Which of the changes it would use, by their places in the list.
    pub uses: Vec<u32>,
}

/// What changes would do, all of them made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// One for each query of the collections concerned, the heaviest first.
    pub effects: Vec<Effect>,
    /// Bytes of storage.
    pub storage_bytes: i64,
    /// Microseconds to build what would be made.
    pub build_us: u64,
    /// Microseconds by which a write would become dearer.
    pub write_us: f64,
}

/// How much work an answer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Queries that are planned.
    pub plans: u64,
    /// Changes whose fields are counted in a sample of the rows.
    pub samples: u64,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotTell {
    /// It is about what is not there or cannot be made.
    #[error("{0}")]
    Unknown(String),
    /// It is about too much at once.
    #[error("{0} changes are asked about at once: at most {MOST_CHANGES} are")]
    TooMany(usize),
}

impl WhatIf {
    /// About an engine and how it is used, as they are now.
    pub fn new(engine: &Arc<Engine>, stats: &Stats) -> Self {
        let known = |query: &QueryStats| {
            Some(Known {
                id: query.id.to_string(),
                collection: query.shape.collection.clone(),
                sql: sql(query)?,
            })
        };
        Self {
            forecaster: Forecaster::new(engine.clone()),
            engine: engine.clone(),
            queries: stats.queries.iter().filter_map(known).collect(),
            asked: Mutex::default(),
        }
    }

    /// What answering takes, before it is done; nothing for what is refused.
    pub fn work(&self, changes: &[Mutation]) -> Work {
        if changes.len() > MOST_CHANGES {
            return Work::default();
        }
        let plans = self.concerned(changes).count() as u64 * 2;
        let made = changes.iter().filter(|change| !change.is_drop()).count();
        Work {
            plans,
            samples: made as u64,
        }
    }

    /// What changes would do, all of them made.
    ///
    /// # Errors
    /// They cannot be made of what there is, or are too many.
    pub fn estimate(&self, changes: &[Mutation]) -> Result<Estimate, CannotTell> {
        let told = self.answer(changes);
        let mut asked = self.asked.lock();
        // A list that is too long is no question, and not worth its room.
        if asked.len() < MOST_ASKED && changes.len() <= MOST_CHANGES {
            asked.push(Asked {
                changes: changes.to_vec(),
                told: told.as_ref().ok().cloned(),
                refused: told.as_ref().err().map(ToString::to_string),
            });
        }
        told
    }

    /// What was asked since the last time that this was.
    pub fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock())
    }

    fn answer(&self, changes: &[Mutation]) -> Result<Estimate, CannotTell> {
        if changes.len() > MOST_CHANGES {
            return Err(CannotTell::TooMany(changes.len()));
        }
        let catalogue = self.engine.catalogue();
        let mut acts = Vec::with_capacity(changes.len());
        for change in changes {
            translate::can(&catalogue, change).map_err(|cannot| match cannot {
                Cannot::Nonsense(why) | Cannot::Beyond(why) => CannotTell::Unknown(why),
            })?;
            let act = match change {
                Mutation::CreateIndex(index) => translate::create_index(index),
                Mutation::CreateRollup(rollup) => translate::create_rollup(rollup),
                Mutation::DropIndex(index) => Ok(translate::drop_index(index)),
                Mutation::DropRollup(rollup) => Ok(translate::drop_rollup(rollup)),
                other => Err(format!("{other} makes no query faster or slower")),
            };
            acts.push(act.map_err(CannotTell::Unknown)?);
        }
        let concerned: Vec<&Known> = self.concerned(changes).collect();
        let texts: Vec<String> = concerned.iter().map(|known| known.sql.clone()).collect();
        let told = self.forecaster.forecast(&texts, &acts);
        let told = told.map_err(|error| CannotTell::Unknown(error.to_string()))?;
        let place = |name: &String| {
            let place = changes.iter().position(|change| change.subject() == *name);
            place.and_then(|place| u32::try_from(place).ok())
        };
        let effects = concerned
            .iter()
            .zip(told.queries)
            .filter_map(|(known, told)| {
                let told = told?;
                Some(Effect {
                    query: known.id.clone(),
                    now_us: told.now,
                    then_us: told.then,
                    uses: told.uses.iter().filter_map(place).collect(),
                })
            });
        Ok(Estimate {
            effects: effects.collect(),
            storage_bytes: told.bytes,
            build_us: told.build as u64,
            write_us: told.write,
        })
    }

    fn concerned(&self, changes: &[Mutation]) -> impl Iterator<Item = &Known> {
        let is_meant = move |known: &&Known| {
            let mut changes = changes.iter();
            changes.any(|change| change.collection() == known.collection)
        };
        self.queries.iter().filter(is_meant).take(MOST_QUERIES)
    }
}

impl std::fmt::Debug for WhatIf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let queries = self.queries.len();
        f.debug_struct("WhatIf")
            .field("queries", &queries)
            .finish_non_exhaustive()
    }
}

/// A shape as a query again. What it does not say is left out; nothing where it cannot be written.
fn sql(query: &QueryStats) -> Option<String> {
    let shape = &query.shape;
    let mut parameters = 0;
    let mut parameter = || {
        parameters += 1;
        format!("${parameters}")
    };
    let mut conditions = Vec::new();
    for predicate in &shape.predicates {
        let Some(column) = column(&predicate.path) else {
            continue;
        };
        conditions.push(match predicate.op {
            Op::Equal => format!("{column} = {}", parameter()),
            Op::In => format!("{column} IN ({}, {})", parameter(), parameter()),
            Op::Range => format!("{column} >= {} AND {column} < {}", parameter(), parameter()),
            Op::Prefix => format!("{column} LIKE {}", parameter()),
            Op::IsNull => format!("{column} IS NULL"),
            Op::Other => format!("{column} <> {}", parameter()),
        });
    }
    let groups: Vec<String> = columns(&shape.group_by)?;
    let mut output = groups.clone();
    for aggregate in &shape.aggregates {
        let (function, rest) = aggregate.split_once('(')?;
        let argument = rest.strip_suffix(')')?;
        if !function
            .chars()
            .all(|c| c.is_ascii_alphabetic() || c == '_')
        {
            return None;
        }
        output.push(match argument {
            "*" => format!("{function}(*)"),
            path => format!("{function}({})", column(path)?),
        });
    }
    if output.is_empty() {
        output = columns(&shape.returns).unwrap_or_default();
    }
    if output.is_empty() {
        output.push("*".to_owned());
    }
    let mut text = format!(
        "SELECT {} FROM {}",
        output.join(", "),
        quoted(&shape.collection)
    );
    if !conditions.is_empty() {
        text += &format!(" WHERE {}", conditions.join(" AND "));
    }
    if !groups.is_empty() {
        text += &format!(" GROUP BY {}", groups.join(", "));
    }
    if groups.is_empty() && shape.aggregates.is_empty() && !shape.order.is_empty() {
        let order = shape.order.iter().map(|order| {
            let direction = if order.descending { " DESC" } else { "" };
            Some(format!("{}{direction}", column(&order.path)?))
        });
        text += &format!(
            " ORDER BY {}",
            order.collect::<Option<Vec<_>>>()?.join(", ")
        );
        // The limit is in nobody's memory; what came back of late is as good. Behind a condition it may be all there is,
        // and a limit would say that the first rows looked at are enough.
        if shape.predicates.is_empty() {
            let limit = query.returned_per_call.max(1.0).ceil() as u64;
            text += &format!(" LIMIT {limit}");
        }
    }
    Some(text)
}

fn columns(paths: &[String]) -> Option<Vec<String>> {
    paths.iter().map(|path| column(path)).collect()
}

/// A path as SQL writes it; none for elements of arrays and keys of maps.
fn column(path: &str) -> Option<String> {
    let column = translate::column(path)?;
    let root = segments(path).into_iter().next()?;
    Some(format!("{}{}", quoted(&root), column.strip_prefix(&root)?))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use polity_engine::{Document, Durability, MemoryKv, Options};
    use polity_evolve::{Index, Rollup};
    use polity_watch::{Execution, Shape, Watch};

    use super::*;

    fn shapes() -> [Shape; 5] {
        [
            Shape::select("orders").filter("customer", Op::Equal),
            Shape::select("orders")
                .filter("state", Op::Equal)
                .filter("total", Op::Range)
                .filter("note", Op::Other),
            Shape::select("orders").group(&["state"], &["sum(total)", "count(*)"]),
            Shape::select("orders").order_by("total"),
            Shape::select("or \"ders").filter("a\\.b", Op::In),
        ]
    }

    fn stats() -> Stats {
        let mut watch = Watch::default();
        for shape in &shapes() {
            let run = Execution {
                shape,
                fingerprint: shape.fingerprint(),
                rows_examined: 1_000,
                rows_returned: 10,
                us: 1_000,
                used: &[],
            };
            watch.executed(&run, 1_000);
        }
        watch.stats(2_000)
    }

    fn asked() -> WhatIf {
        let engine = Engine::open(Arc::new(MemoryKv::default()), Options::default()).unwrap();
        let documents: Vec<Document> = (0..2_000)
            .map(|n| {
                let (customer, state) = (n % 200, n % 4);
                let text = format!(
                    r#"{{"customer": {customer}, "state": {state}, "total": {n}, "note": "secret {n}"}}"#
                );
                Document::parse(text.as_bytes()).unwrap()
            })
            .collect();
        engine
            .insert("orders", &documents, Durability::Durable)
            .unwrap();
        WhatIf::new(&Arc::new(engine), &stats())
    }

    fn index(fields: &[&str]) -> Mutation {
        Mutation::CreateIndex(Index {
            collection: "orders".to_owned(),
            fields: fields.iter().map(ToString::to_string).collect(),
        })
    }

    fn effect<'e>(estimate: &'e Estimate, shape: &Shape) -> &'e Effect {
        let id = shape.fingerprint().to_string();
        let mut effects = estimate.effects.iter();
        effects.find(|effect| effect.query == id).unwrap()
    }

    #[test]
    fn every_shape_is_a_query_that_the_planner_understands() {
        let asked = asked();
        let estimate = asked.estimate(&[index(&["customer"])]).unwrap();
        assert_eq!(estimate.effects.len(), 4, "{estimate:?}");
        assert!(estimate.effects.iter().all(|effect| effect.now_us > 0.0));
        let quoted = sql(stats()
            .queries
            .iter()
            .find(|query| query.shape.collection != "orders")
            .unwrap());
        assert_eq!(
            quoted.unwrap(),
            r#"SELECT * FROM "or ""ders" WHERE "a.b" IN ($1, $2)"#
        );
        assert_eq!(
            column("data.customer.e'mail").unwrap(),
            r#""data"->'customer'->>'e''mail'"#
        );
        assert_eq!(column("lines[].sku"), None);
    }

    #[test]
    fn each_change_helps_the_query_that_it_is_for() {
        let asked = asked();
        let [filter, range, groups, order, _] = shapes();
        let by_state = Mutation::CreateRollup(Rollup {
            collection: "orders".to_owned(),
            group_by: vec!["state".to_owned()],
            aggregates: vec!["count(*)".to_owned(), "sum(total)".to_owned()],
        });
        let changes = [
            index(&["customer"]),
            by_state,
            index(&["state", "total"]),
            index(&["total"]),
        ];
        let all = asked.estimate(&changes).unwrap();
        for (shape, uses) in [(&filter, 0), (&groups, 1), (&range, 2), (&order, 3)] {
            let effect = effect(&all, shape);
            assert_eq!(effect.uses, [uses], "{shape:?}");
            assert!(
                effect.then_us * 2.0 < effect.now_us,
                "{shape:?}: {effect:?}"
            );
        }
        assert_eq!(
            asked.work(&changes),
            Work {
                plans: 8,
                samples: 4
            }
        );
    }

    #[test]
    fn no_value_is_told_and_what_is_not_there_cannot_be_asked_about() {
        let asked = asked();
        let told = serde_json::to_string(&asked.estimate(&[index(&["note"])]).unwrap()).unwrap();
        assert!(!told.contains("secret"), "{told}");
        let refused = |changes: &[Mutation]| asked.estimate(changes).unwrap_err().to_string();
        assert!(refused(&[index(&["nothing"])]).contains("nothing"));
        assert!(refused(&vec![index(&["note"]); 17]).contains("at most 16"));
        let archive = Mutation::ArchiveField(polity_evolve::Field {
            collection: "orders".to_owned(),
            path: "note".to_owned(),
            schema: serde_json::Value::Null,
        });
        assert!(refused(&[archive]).contains("makes no query faster"));
    }
}
