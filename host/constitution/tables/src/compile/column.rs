//! One input column: where its value is found, what kind it is of, and its cells.

use std::sync::Arc;

use super::axis::Axis;
use super::cell::{self, Cell};
use super::ranks::Ranks;
use super::{Fault, short};
use polity_document::suggest;

use crate::feel::{Expr, Test, parse_expression, parse_tests};
use crate::table::{AllowedValues, Table};
use crate::value::{Kind, Value};

/// An input column, ready to be asked.
#[derive(Clone, Debug)]
pub struct Column {
    /// What it is headed with.
    pub label: String,
    /// Where its value is found.
    pub expr: Expr,
    /// The same as names, where it is a plain path.
    pub path: Option<Vec<Arc<str>>>,
    /// The kind of its values.
    pub kind: Kind,
    /// Whether the value may be missing.
    pub nullable: bool,
    /// Its values in classes.
    pub axis: Axis,
    /// Its cells, a row each.
    pub cells: Vec<Cell>,
}

/// A text column with a closed list of values may be written without quotation marks.
pub(super) struct Words(Vec<Arc<str>>);

impl Words {
    pub(super) fn of(values: &[Value]) -> Self {
        Self(
            values
                .iter()
                .filter_map(|value| match value {
                    Value::String(text) => Some(text.clone()),
                    _ => None,
                })
                .collect(),
        )
    }

    pub(super) fn names(&self, others: &[Arc<str>]) -> Vec<Arc<str>> {
        self.0
            .iter()
            .filter(|word| !crate::feel::is_plain_name(word))
            .chain(others)
            .cloned()
            .collect()
    }

    pub(super) fn literal(&self, expr: Expr) -> Expr {
        match expr {
            Expr::Name(name) if self.0.contains(&name) => Expr::Literal(Value::String(name)),
            other => other,
        }
    }

    fn test(&self, test: Test) -> Test {
        match test {
            Test::Equal(expr) => Test::Equal(self.literal(expr)),
            Test::Compare(comparison, expr) => Test::Compare(comparison, self.literal(expr)),
            Test::Not(tests) => Test::Not(tests.into_iter().map(|test| self.test(test)).collect()),
            other => other,
        }
    }
}

impl Column {
    pub(super) fn compile(
        table: &Table,
        at: usize,
        names: &[Arc<str>],
        lenient: bool,
    ) -> Result<Self, Vec<Fault>> {
        let input = &table.inputs[at];
        let expr = parse_expression(input.source(), names).map_err(|error| {
            vec![Fault::syntax(
                format!("/inputs/{at}"),
                input.source(),
                &error,
            )]
        })?;
        let path = expr.as_path();
        if path.is_none() && !lenient {
            return Err(vec![Fault::new(
                "bad-input",
                format!("/inputs/{at}"),
                format!("`{}` is not a path to a value", short(input.source())),
                "write where the value is found, such as `order.amount`, and compute it before the table is asked",
            )]);
        }
        let pointer = format!("/inputs/{at}/allowedValues");
        let allowed = input
            .allowed_values
            .as_ref()
            .map(|allowed| allowed_tests(allowed, input.type_ref, &pointer, names))
            .transpose()?;
        let listed = allowed
            .as_ref()
            .map(|tests| listed_values(tests))
            .unwrap_or_default();
        let words = Words::of(&listed);
        let known = words.names(names);

        let mut faults = Vec::new();
        let mut rows = Vec::with_capacity(table.rules.len());
        for (row, rule) in table.rules.iter().enumerate() {
            let text = &rule.input_entries[at].0;
            match parse_tests(text, &known) {
                Ok(tests) => rows.push(
                    tests
                        .into_iter()
                        .map(|test| words.test(test))
                        .collect::<Vec<_>>(),
                ),
                Err(error) => {
                    faults.push(Fault::syntax(
                        format!("/rules/{row}/inputEntries/{at}"),
                        text,
                        &error,
                    ));
                    rows.push(vec![Test::Any]);
                }
            }
        }
        let kind = match input.type_ref {
            Kind::Any => inferred(allowed.iter().flatten().chain(rows.iter().flatten())),
            kind => kind,
        };

        let mut points = Vec::new();
        let mut ordering = !matches!(
            kind,
            Kind::String | Kind::Boolean | Kind::Any | Kind::List | Kind::Context
        );
        let mut null_allowed = false;
        let mut collect = |tests: &[Test], pointer: &str, faults: &mut Vec<Fault>| {
            for test in tests {
                cell::each_constant(test, &mut |value, by_order| {
                    if value == Value::Null {
                        null_allowed |= !by_order;
                    } else if !kind.takes(value.kind())
                        || (by_order && value.order(&value).is_none())
                    {
                        if !lenient && kind != Kind::List {
                            faults.push(ill_typed(pointer, &value, kind));
                        }
                    } else {
                        ordering |= by_order;
                        points.push(value);
                    }
                });
            }
        };
        collect(
            allowed.as_deref().unwrap_or_default(),
            &pointer,
            &mut faults,
        );
        for (row, tests) in rows.iter().enumerate() {
            collect(
                tests,
                &format!("/rules/{row}/inputEntries/{at}"),
                &mut faults,
            );
        }
        if let Some(fixed) = points
            .iter()
            .find(|point| point.order(&points[0]).is_none() && ordering)
        {
            faults.push(Fault::new(
                "ill-typed-cell",
                format!("/inputs/{at}"),
                format!("{fixed} and {} cannot be compared", points[0]),
                "write all of them with an offset from UTC, or none",
            ));
        }
        if !faults.is_empty() {
            return Err(faults);
        }

        let nullable = input.nullable || lenient || null_allowed;
        let closed = kind == Kind::Boolean || (!listed.is_empty() && !ordering);
        if kind == Kind::Boolean {
            points = vec![Value::Boolean(true), Value::Boolean(false)];
        }
        let mut axis = Axis::new(points, kind, ordering, !closed, nullable);
        if let Some(tests) = &allowed {
            let ranks = if kind == Kind::Boolean {
                Ranks::all(2)
            } else {
                cell::static_ranks(tests, &axis)
            };
            if ranks.is_empty() {
                return Err(vec![Fault::new(
                    "no-values",
                    pointer,
                    "no value is allowed here",
                    "name at least one value",
                )]);
            }
            axis.restrict(&ranks);
        }
        let in_list = kind == Kind::List;
        let cells: Vec<Cell> = rows
            .into_iter()
            .enumerate()
            .map(|(row, tests)| {
                Cell::new(&table.rules[row].input_entries[at].0, tests, &axis, in_list)
            })
            .collect();
        if !lenient && !listed.is_empty() && kind == Kind::String {
            faults.extend(unlisted(&cells, at, &words));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            label: input.label().to_owned(),
            expr,
            path,
            kind,
            nullable,
            axis,
            cells,
        })
    }
}

/// A text that is not among the listed values is a slip: the row would never match.
fn unlisted(cells: &[Cell], at: usize, words: &Words) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (row, cell) in cells.iter().enumerate() {
        for test in &cell.tests {
            cell::each_constant(test, &mut |value, by_order| {
                if let (Value::String(text), false) = (&value, by_order)
                    && !words.0.contains(text)
                {
                    faults.push(Fault::new(
                        "unlisted-value",
                        format!("/rules/{row}/inputEntries/{at}"),
                        format!("{value} is not among the allowed values of this input"),
                        suggest::fix(text, "value", words.0.iter().map(|word| &**word)),
                    ));
                }
            });
        }
    }
    faults
}

fn ill_typed(pointer: &str, value: &Value, kind: Kind) -> Fault {
    let fix = match (value, kind) {
        (
            Value::String(text),
            Kind::Date | Kind::Time | Kind::DateTime | Kind::Days | Kind::Months,
        ) => {
            format!("write @\"{text}\" if that is a {kind}")
        }
        (Value::String(text), Kind::Number | Kind::Integer) => {
            format!("write {text} without quotation marks, if that is a number")
        }
        (_, Kind::String) => format!("put quotation marks round {value}"),
        _ => format!("write a value of the type {kind}, or change the column's \"typeRef\""),
    };
    Fault::new(
        "ill-typed-cell",
        pointer.to_owned(),
        format!("{value} does not fit a column of the type {kind}"),
        fix,
    )
}

/// The kind that all constants agree on.
fn inferred<'t>(tests: impl Iterator<Item = &'t Test>) -> Kind {
    let mut found = Kind::Any;
    let mut agree = true;
    for test in tests {
        cell::each_constant(test, &mut |value, _| {
            let kind = value.kind();
            if kind != Kind::Any {
                agree &= found == Kind::Any || found == kind;
                found = kind;
            }
        });
    }
    if agree { found } else { Kind::Any }
}

/// Allowed values as tests.
pub(super) fn allowed_tests(
    allowed: &AllowedValues,
    kind: Kind,
    pointer: &str,
    names: &[Arc<str>],
) -> Result<Vec<Test>, Vec<Fault>> {
    match allowed {
        AllowedValues::Tests(text) => {
            let tests = parse_tests(text, names)
                .map_err(|error| vec![Fault::syntax(pointer.to_owned(), text, &error)])?;
            if tests.iter().all(cell::is_static) {
                return Ok(tests);
            }
            Err(vec![Fault::new(
                "bad-expression",
                pointer.to_owned(),
                format!("`{}` depends on more than the value", short(text)),
                "list values in quotation marks or an interval of numbers",
            )])
        }
        AllowedValues::List(items) => {
            let mut tests = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                match Value::from_json(item, kind) {
                    Some(value) => tests.push(Test::Equal(Expr::Literal(value))),
                    None => {
                        return Err(vec![Fault::new(
                            "ill-typed-cell",
                            format!("{pointer}/{index}"),
                            format!("{item} is no {kind}"),
                            "write a value of the column's \"typeRef\"",
                        )]);
                    }
                }
            }
            Ok(tests)
        }
    }
}

/// The values, where the tests are a plain list of them.
pub(super) fn listed_values(tests: &[Test]) -> Vec<Value> {
    let mut values = Vec::new();
    for test in tests {
        match test {
            Test::Equal(expr) => match cell::constant(expr) {
                Some(Value::Null) => {}
                Some(value) if !matches!(value, Value::List(_) | Value::Range(_)) => {
                    values.push(value)
                }
                _ => return Vec::new(),
            },
            _ => return Vec::new(),
        }
    }
    values
}
