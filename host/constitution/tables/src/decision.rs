//! Asking a table. What is missing or of the wrong kind is an error that names it, and never a row that happens to match.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value as Json;

use crate::compile::{Answer, Column, Index, OutputColumn};
use crate::feel::{EvalError, Expr, Scope, Variables, evaluate, passes_any};
use crate::hit;
use crate::table::{HitPolicy, Table};
use crate::value::{Kind, Value};
use crate::{Options, compile};
use polity_document::{Checker, Document, Problem};

/// A table that has been checked and indexed. It does not change.
#[derive(Debug)]
pub struct DecisionTable {
    table: Arc<Table>,
    columns: Vec<Column>,
    outputs: Vec<OutputColumn>,
    index: Index,
    lenient: bool,
    /// The outputs of rows whose outputs are all constant.
    constant: Vec<Option<Value>>,
    document: Option<Arc<Document>>,
}

/// What a table answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decision {
    /// The answer: one value, or a field for each of several outputs; a list where the hit policy lets all rows count.
    pub value: Value,
    /// The rows that matched, from 0, ascending.
    pub matched: Vec<usize>,
    /// The rows that the answer is made of, in the order in which it is.
    pub decided_by: Vec<usize>,
    /// How the answer came about.
    pub status: Status,
}

/// How an answer came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// A row matched.
    Decided,
    /// No row matched, and the outputs have defaults.
    Defaulted,
    /// No row matched, and the value is null.
    Undecided,
}

/// Why a table gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum DecideError {
    /// An input is not there, and the table does not say what then.
    #[error(
        "the input \"{input}\" is missing; send it, or set \"nullable\" and add a row for null"
    )]
    MissingInput {
        /// Its name.
        input: String,
    },
    /// An input is of another kind.
    #[error("the input \"{input}\" is {found}, and a {expected} is needed")]
    WrongType {
        /// Its name.
        input: String,
        /// The kind of the column.
        expected: Kind,
        /// What was sent.
        found: String,
    },
    /// An input is not among the allowed values.
    #[error("the input \"{input}\" may not be {found}")]
    NotAllowed {
        /// Its name.
        input: String,
        /// What was sent.
        found: String,
    },
    /// Several rows match, and the hit policy allows one.
    #[error("rows {} match at once, and the hit policy is UNIQUE", numbers(rows))]
    NotUnique {
        /// The rows, from 0.
        rows: Vec<usize>,
    },
    /// The rows that match answer differently, and the hit policy demands one answer.
    #[error(
        "rows {} match and answer differently, and the hit policy is ANY",
        numbers(rows)
    )]
    Disagree {
        /// The rows, from 0.
        rows: Vec<usize>,
    },
    /// A cell cannot be computed from these inputs.
    #[error("row {}, column \"{column}\": {reason}", row + 1)]
    Cell {
        /// The row, from 0.
        row: usize,
        /// The column.
        column: String,
        /// What is wrong.
        reason: String,
    },
    /// The outputs cannot be aggregated.
    #[error("the outputs of rows {} cannot be aggregated: {reason}", numbers(rows))]
    Aggregate {
        /// The rows, from 0.
        rows: Vec<usize>,
        /// What is wrong.
        reason: String,
    },
}

fn numbers(rows: &[usize]) -> String {
    rows.iter()
        .map(|row| (row + 1).to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

impl DecisionTable {
    /// Reads and compiles a document; YAML where the file's name ends in `.yaml` or `.yml`.
    ///
    /// # Errors
    /// All that is wrong with the document.
    pub fn load(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let document = Document::parse(file, text)?;
        let problems = schema().problems(&document);
        if !problems.is_empty() {
            return Err(problems);
        }
        let table: Table = serde_json::from_value(document.value.clone()).map_err(|error| {
            vec![document.problem(
                "invalid",
                "",
                error.to_string(),
                "compare the document with its schema",
            )]
        })?;
        let mut compiled =
            compile::compile(Arc::new(table), &Options::default()).map_err(|faults| {
                faults
                    .iter()
                    .map(|fault| {
                        document.problem(fault.code, &fault.pointer, &*fault.message, &*fault.fix)
                    })
                    .collect::<Vec<_>>()
            })?;
        compiled.document = Some(Arc::new(document));
        Ok(compiled)
    }

    /// Compiles a table that comes from elsewhere.
    ///
    /// # Errors
    /// All that is wrong with the table.
    pub fn compile(table: Table, options: &Options) -> Result<Self, Vec<compile::Fault>> {
        compile::compile(Arc::new(table), options)
    }

    pub(crate) fn assemble(
        table: Arc<Table>,
        columns: Vec<Column>,
        outputs: Vec<OutputColumn>,
        index: Index,
        lenient: bool,
    ) -> Self {
        let constant = (0..table.rules.len())
            .map(|row| {
                let values = outputs
                    .iter()
                    .map(|output| match &output.answers[row] {
                        Answer::Constant(value) => Some(value.clone()),
                        Answer::Computed(_) => None,
                    })
                    .collect::<Option<Vec<_>>>()?;
                Some(joined(&outputs, values))
            })
            .collect();
        Self {
            table,
            columns,
            outputs,
            index,
            lenient,
            constant,
            document: None,
        }
    }

    /// The document's content.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The document, where the table was loaded from one.
    pub fn document(&self) -> Option<&Document> {
        self.document.as_deref()
    }

    /// The input columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The output columns.
    pub fn outputs(&self) -> &[OutputColumn] {
        &self.outputs
    }

    /// Whether inputs may be null because the table came from elsewhere, and not because it says so.
    pub fn assumes_nulls(&self) -> bool {
        self.lenient
    }

    /// Asks the table.
    ///
    /// # Errors
    /// An input is missing or of the wrong kind, or the rows that match contradict each other.
    pub fn decide(&self, input: &Json) -> Result<Decision, DecideError> {
        let mut ranks = Ranked::default();
        for column in &self.columns {
            let found = column
                .path
                .as_deref()
                .and_then(|path| lookup(input, path))
                .unwrap_or(&Json::Null);
            // The usual case without making a value: a text among listed ones.
            if let (Json::String(text), Kind::String, false) =
                (found, column.kind, column.axis.is_ordered())
                && let Some(rank) = column.axis.rank_of_text(text)
            {
                ranks.push(rank);
                continue;
            }
            let value =
                Value::from_json(found, column.kind).ok_or_else(|| wrong_type(column, found))?;
            ranks.push(self.rank(column, &value)?);
        }
        let typed = || {
            let values = self.columns.iter().map(|column| {
                let found = column
                    .path
                    .as_deref()
                    .and_then(|path| lookup(input, path))
                    .unwrap_or(&Json::Null);
                Value::from_json(found, column.kind).unwrap_or_default()
            });
            values.collect::<Vec<_>>()
        };
        self.answer(ranks.as_slice(), typed, None)
    }

    /// Asks the table where names stand for values already, as the expressions of a model do.
    ///
    /// # Errors
    /// As [`Self::decide`].
    pub fn decide_in(&self, scope: &dyn Scope) -> Result<Decision, DecideError> {
        let mut ranks = Ranked::default();
        let mut values = Vec::with_capacity(self.columns.len());
        for (at, column) in self.columns.iter().enumerate() {
            let value = match evaluate(&column.expr, scope) {
                Ok(value) => value,
                Err(EvalError::Kinds(_) | EvalError::Arithmetic(_)) if self.lenient => Value::Null,
                Err(error) => {
                    return Err(DecideError::Cell {
                        row: 0,
                        column: self.columns[at].label.clone(),
                        reason: error.to_string(),
                    });
                }
            };
            if !crate::feel::is_of(&value, column.kind) && column.kind != Kind::List {
                return Err(wrong_type(column, &value.to_json()));
            }
            ranks.push(self.rank(column, &value)?);
            values.push(value);
        }
        self.answer(ranks.as_slice(), || values.clone(), Some(scope))
    }

    fn rank(&self, column: &Column, value: &Value) -> Result<u32, DecideError> {
        if column.kind == Kind::List || column.kind == Kind::Context {
            // Lists have no classes; every cell is computed.
            return Ok(if *value == Value::Null {
                column.axis.null().unwrap_or(0)
            } else {
                0
            });
        }
        column.axis.rank(value).ok_or_else(|| match value {
            Value::Null => DecideError::MissingInput {
                input: column.label.clone(),
            },
            value => DecideError::NotAllowed {
                input: column.label.clone(),
                found: compile::short(&value.to_string()),
            },
        })
    }

    fn answer(
        &self,
        ranks: &[u32],
        values: impl Fn() -> Vec<Value>,
        outer: Option<&dyn Scope>,
    ) -> Result<Decision, DecideError> {
        let mut inputs: Option<(Vec<Value>, Variables<'_>)> = None;
        let make = || {
            let values = values();
            // A scope of values knows all of what the columns show a part of.
            let names = match outer {
                Some(_) => BTreeMap::new(),
                None => names_of(&self.columns, &values),
            };
            (
                values,
                Variables {
                    values: names,
                    outer,
                },
            )
        };
        let mut matched = Vec::new();
        'rows: for row in self.index.rows(ranks) {
            for (at, column) in self.columns.iter().enumerate() {
                let cell = &column.cells[row];
                if !cell.dynamic {
                    if !self.index.holds(at) && !cell.may.contains(ranks[at]) {
                        continue 'rows;
                    }
                    continue;
                }
                let (values, scope) = inputs.get_or_insert_with(make);
                match passes_any(&cell.tests, &values[at], scope) {
                    Ok(Some(true)) => {}
                    Ok(_) => continue 'rows,
                    Err(EvalError::Kinds(_) | EvalError::Arithmetic(_)) if self.lenient => {
                        continue 'rows;
                    }
                    Err(error) => {
                        return Err(DecideError::Cell {
                            row,
                            column: column.label.clone(),
                            reason: error.to_string(),
                        });
                    }
                }
            }
            matched.push(row);
            if self.table.hit_policy == HitPolicy::First {
                break;
            }
        }
        let row_value = |row: usize| -> Result<Value, DecideError> {
            match &self.constant[row] {
                Some(value) => Ok(value.clone()),
                None => {
                    let (_, scope) = make();
                    self.computed(Some(row), &scope)
                }
            }
        };
        if matched.is_empty() {
            let has_default = self.outputs.iter().any(|output| output.default.is_some());
            let value = if has_default {
                self.computed(None, &make().1)?
            } else {
                hit::nothing(&self.table)
            };
            return Ok(Decision {
                value,
                matched,
                decided_by: Vec::new(),
                status: if has_default {
                    Status::Defaulted
                } else {
                    Status::Undecided
                },
            });
        }
        let (value, decided_by) = hit::choose(&self.table, &self.outputs, &matched, row_value)?;
        Ok(Decision {
            value,
            matched,
            decided_by,
            status: Status::Decided,
        })
    }

    /// The outputs of a row, or of no row.
    fn computed(&self, row: Option<usize>, scope: &dyn Scope) -> Result<Value, DecideError> {
        static NOTHING: Answer = Answer::Constant(Value::Null);
        let mut values = Vec::with_capacity(self.outputs.len());
        for output in &self.outputs {
            let answer = match row {
                Some(row) => &output.answers[row],
                None => output.default.as_ref().unwrap_or(&NOTHING),
            };
            values.push(match answer {
                Answer::Constant(value) => value.clone(),
                Answer::Computed(expr) => self.output(expr, row, output, scope)?,
            });
        }
        Ok(joined(&self.outputs, values))
    }

    fn output(
        &self,
        expr: &Expr,
        row: Option<usize>,
        output: &OutputColumn,
        scope: &dyn Scope,
    ) -> Result<Value, DecideError> {
        let failed = |reason: String| DecideError::Cell {
            row: row.unwrap_or(0),
            column: output.name.to_string(),
            reason,
        };
        match evaluate(expr, scope) {
            Ok(value) if self.lenient || crate::feel::is_of(&value, output.kind) => Ok(value),
            Ok(value) => Err(failed(format!("the result {value} is no {}", output.kind))),
            Err(EvalError::Kinds(_) | EvalError::Arithmetic(_)) if self.lenient => Ok(Value::Null),
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

/// The schema of decision documents.
pub const SCHEMA: &str = include_str!("../schemas/decision.schema.json");

fn schema() -> &'static Checker {
    static CHECKER: std::sync::LazyLock<Checker> =
        std::sync::LazyLock::new(|| Checker::embedded(SCHEMA));
    &CHECKER
}

/// Ranks of up to sixteen columns without an allocation.
#[derive(Default)]
struct Ranked {
    few: [u32; 16],
    count: usize,
    many: Vec<u32>,
}

impl Ranked {
    fn push(&mut self, rank: u32) {
        if self.count < self.few.len() && self.many.is_empty() {
            self.few[self.count] = rank;
            self.count += 1;
        } else {
            if self.many.is_empty() {
                self.many.extend_from_slice(&self.few);
            }
            self.many.push(rank);
        }
    }

    fn as_slice(&self) -> &[u32] {
        if self.many.is_empty() {
            &self.few[..self.count]
        } else {
            &self.many
        }
    }
}

fn joined(outputs: &[OutputColumn], values: Vec<Value>) -> Value {
    match <[Value; 1]>::try_from(values) {
        Ok([only]) => only,
        Err(values) => Value::Context(Arc::new(
            outputs
                .iter()
                .map(|output| output.name.clone())
                .zip(values)
                .collect(),
        )),
    }
}

fn lookup<'j>(input: &'j Json, path: &[Arc<str>]) -> Option<&'j Json> {
    path.iter().try_fold(input, |at, name| at.get(&**name))
}

fn wrong_type(column: &Column, found: &Json) -> DecideError {
    DecideError::WrongType {
        input: column.label.clone(),
        expected: column.kind,
        found: compile::short(&found.to_string()),
    }
}

/// The typed inputs under their names: `order.amount` is the field `amount` of `order`.
fn names_of(columns: &[Column], values: &[Value]) -> BTreeMap<Arc<str>, Value> {
    let mut names = BTreeMap::new();
    for (column, value) in columns.iter().zip(values) {
        if let Some([first, rest @ ..]) = column.path.as_deref() {
            let at = names.remove(first).unwrap_or_default();
            names.insert(first.clone(), set(at, rest, value));
        }
    }
    names
}

fn set(at: Value, path: &[Arc<str>], value: &Value) -> Value {
    let [first, rest @ ..] = path else {
        return value.clone();
    };
    let mut fields = match at {
        Value::Context(fields) => (*fields).clone(),
        _ => BTreeMap::new(),
    };
    let inner = fields.remove(first).unwrap_or_default();
    fields.insert(first.clone(), set(inner, rest, value));
    Value::Context(Arc::new(fields))
}
