//! One cell: its tests, and the ranks that pass them for certain and perhaps.

use super::axis::Axis;
use super::ranks::Ranks;
use crate::feel::{Comparison, Ends, Expr, NoNames, Test, evaluate, passes_any};
use crate::value::Value;

/// What a cell lets through.
#[derive(Clone, Debug)]
pub struct Cell {
    /// As it was written.
    pub text: String,
    /// Its tests, of which one must pass.
    pub tests: Vec<Test>,
    /// The ranks that may pass. Where the cell depends on other inputs, that is every rank which those could let through.
    pub may: Ranks,
    /// The ranks that pass whatever the other inputs are.
    pub must: Ranks,
    /// Whether the cell depends on other inputs, or on more than the order of values.
    pub dynamic: bool,
    /// Whether it names null.
    pub names_null: bool,
}

/// The value of a constant end or item.
pub(super) fn constant(expr: &Expr) -> Option<Value> {
    expr.is_constant()
        .then(|| evaluate(expr, &NoNames).ok())
        .flatten()
}

/// Whether ranks alone say what a test lets through.
pub(super) fn is_static(test: &Test) -> bool {
    match test {
        Test::Any => true,
        Test::Compare(_, expr) => constant(expr).is_some(),
        Test::Equal(expr) => constant(expr).is_some_and(|value| match value {
            Value::List(items) => items
                .iter()
                .all(|item| !matches!(item, Value::List(_) | Value::Context(_))),
            Value::Context(_) => false,
            _ => true,
        }),
        Test::Within(ends) => constant(&ends.low).is_some() && constant(&ends.high).is_some(),
        Test::Not(tests) => tests.iter().all(is_static),
        Test::Condition(_) => false,
    }
}

/// Calls with every constant that a test compares with, and whether the comparison is one of order.
pub(super) fn each_constant(test: &Test, seen: &mut dyn FnMut(Value, bool)) {
    let mut at = |expr: &Expr, ordering: bool| match constant(expr) {
        Some(Value::List(items)) => items.iter().for_each(|item| seen(item.clone(), ordering)),
        Some(Value::Range(range)) => {
            seen(range.low.clone(), true);
            seen(range.high.clone(), true);
        }
        Some(value) => seen(value, ordering),
        None => {}
    };
    match test {
        Test::Any | Test::Condition(_) => {}
        Test::Compare(comparison, expr) => {
            at(
                expr,
                !matches!(comparison, Comparison::Equal | Comparison::NotEqual),
            );
        }
        Test::Equal(expr) => at(expr, false),
        Test::Within(ends) => {
            at(&ends.low, true);
            at(&ends.high, true);
        }
        Test::Not(tests) => tests.iter().for_each(|test| each_constant(test, seen)),
    }
}

impl Cell {
    pub(super) fn new(text: &str, tests: Vec<Test>, axis: &Axis, in_list: bool) -> Self {
        let all = Ranks::all(axis.count());
        let only_any = matches!(tests.as_slice(), [Test::Any]);
        let dynamic = !only_any && (in_list || !tests.iter().all(is_static));
        let certain: Vec<Test> = tests
            .iter()
            .filter(|test| is_static(test) && !in_list)
            .cloned()
            .collect();
        let must = if only_any {
            all.clone()
        } else {
            static_ranks(&certain, axis)
        };
        let mut names_null = false;
        for test in &tests {
            each_constant(test, &mut |value, _| names_null |= value == Value::Null);
        }
        Self {
            text: text.trim().to_owned(),
            may: if dynamic { all } else { must.clone() },
            tests,
            must,
            dynamic,
            names_null,
        }
    }

    /// Whether the cell asks nothing.
    pub fn is_any(&self) -> bool {
        matches!(self.tests.as_slice(), [Test::Any])
    }
}

/// The ranks that pass one of several static tests.
pub(super) fn static_ranks(tests: &[Test], axis: &Axis) -> Ranks {
    let mut ranges = Vec::new();
    for test in tests {
        ranges.extend_from_slice(values(test, axis).ranges());
    }
    if let Some(null) = axis.null()
        && passes_any(tests, &Value::Null, &NoNames) == Ok(Some(true))
    {
        ranges.push((null, null));
    }
    Ranks::of(ranges)
}

/// The ranks of values other than null that pass a static test.
fn values(test: &Test, axis: &Axis) -> Ranks {
    let all = axis.all_values();
    match test {
        Test::Any => all,
        Test::Compare(comparison, expr) => {
            constant(expr).map_or_else(Ranks::none, |value| compared(*comparison, &value, axis))
        }
        Test::Within(ends) => within(ends, axis),
        Test::Equal(expr) => match constant(expr) {
            Some(Value::List(items)) => items
                .iter()
                .fold(Ranks::none(), |ranks, item| ranks.union(&equal(item, axis))),
            Some(Value::Range(range)) => axis
                .within(
                    Some((&range.low, range.low_closed)),
                    Some((&range.high, range.high_closed)),
                )
                .unwrap_or_default(),
            Some(value) => equal(&value, axis),
            None => Ranks::none(),
        },
        Test::Not(tests) => {
            let inside = tests.iter().fold(Ranks::none(), |ranks, test| {
                ranks.union(&values(test, axis))
            });
            inside.complement(all.len())
        }
        Test::Condition(_) => Ranks::none(),
    }
}

fn equal(value: &Value, axis: &Axis) -> Ranks {
    if *value == Value::Null {
        Ranks::none()
    } else {
        axis.equal(value)
    }
}

fn compared(comparison: Comparison, value: &Value, axis: &Axis) -> Ranks {
    let ranks = match comparison {
        Comparison::Equal => return equal(value, axis),
        Comparison::NotEqual => return equal(value, axis).complement(axis.all_values().len()),
        Comparison::Less => axis.within(None, Some((value, false))),
        Comparison::LessOrEqual => axis.within(None, Some((value, true))),
        Comparison::Greater => axis.within(Some((value, false)), None),
        Comparison::GreaterOrEqual => axis.within(Some((value, true)), None),
    };
    ranks.unwrap_or_default()
}

fn within(ends: &Ends, axis: &Axis) -> Ranks {
    match (constant(&ends.low), constant(&ends.high)) {
        (Some(low), Some(high)) => axis
            .within(
                Some((&low, ends.low_closed)),
                Some((&high, ends.high_closed)),
            )
            .unwrap_or_default(),
        _ => Ranks::none(),
    }
}
