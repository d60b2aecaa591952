//! Hit policies: which of the rows that match count, and what becomes of their outputs.

use crate::compile::OutputColumn;
use crate::decision::DecideError;
use crate::table::{Aggregation, HitPolicy, Table};
use crate::value::Value;

/// The answer where no row matches and nothing is said for that case.
pub(crate) fn nothing(_table: &Table) -> Value {
    Value::Null
}

/// The answer of the rows that match, of which there is at least one, and the rows that it is made of.
pub(crate) fn choose(
    table: &Table,
    outputs: &[OutputColumn],
    matched: &[usize],
    value_of: impl Fn(usize) -> Result<Value, DecideError>,
) -> Result<(Value, Vec<usize>), DecideError> {
    let all = || {
        matched
            .iter()
            .map(|row| value_of(*row))
            .collect::<Result<Vec<_>, _>>()
    };
    match table.hit_policy {
        HitPolicy::Unique if matched.len() > 1 => Err(DecideError::NotUnique {
            rows: matched.to_vec(),
        }),
        HitPolicy::Unique | HitPolicy::First => Ok((value_of(matched[0])?, vec![matched[0]])),
        HitPolicy::Any => {
            let values = all()?;
            if values.iter().any(|value| *value != values[0]) {
                return Err(DecideError::Disagree {
                    rows: matched.to_vec(),
                });
            }
            Ok((values[0].clone(), matched.to_vec()))
        }
        HitPolicy::Priority => {
            let ranked = ranked(outputs, matched, all()?);
            let (row, value) = ranked
                .into_iter()
                .next()
                .map(|(_, row, value)| (row, value))
                .unwrap_or_default();
            Ok((value, vec![row]))
        }
        HitPolicy::OutputOrder => {
            let ranked = ranked(outputs, matched, all()?);
            let rows = ranked.iter().map(|(_, row, _)| *row).collect();
            let values: Vec<_> = ranked.into_iter().map(|(_, _, value)| value).collect();
            Ok((Value::List(values.into()), rows))
        }
        HitPolicy::RuleOrder => Ok((Value::List(all()?.into()), matched.to_vec())),
        HitPolicy::Collect => {
            let values = all()?;
            let value = match table.aggregation {
                None => Value::List(values.into()),
                Some(aggregation) => {
                    aggregate(aggregation, &values).map_err(|reason| DecideError::Aggregate {
                        rows: matched.to_vec(),
                        reason,
                    })?
                }
            };
            Ok((value, matched.to_vec()))
        }
    }
}

/// By the rank of each output in turn; rows of one rank keep their order.
fn ranked(
    outputs: &[OutputColumn],
    matched: &[usize],
    values: Vec<Value>,
) -> Vec<(Vec<usize>, usize, Value)> {
    let mut ranked: Vec<_> = matched
        .iter()
        .zip(values)
        .map(|(row, value)| (priorities(outputs, &value), *row, value))
        .collect();
    ranked.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    ranked
}

/// The rank of each output of a row's value; the least outranks the others. Outputs that list no values do not rank.
pub(crate) fn priorities(outputs: &[OutputColumn], value: &Value) -> Vec<usize> {
    outputs
        .iter()
        .filter(|output| !output.listed.is_empty())
        .map(|output| {
            let own = if outputs.len() == 1 {
                Some(value)
            } else {
                value.field(&output.name)
            };
            own.map_or(usize::MAX, |own| output.priority(own))
        })
        .collect()
}

fn aggregate(aggregation: Aggregation, values: &[Value]) -> Result<Value, String> {
    if aggregation == Aggregation::Count {
        return Ok(Value::Number(values.len().into()));
    }
    let mut result = values[0].clone();
    if aggregation == Aggregation::Sum && !matches!(result, Value::Number(_)) {
        return Err(format!("{result} is no number"));
    }
    for value in &values[1..] {
        if aggregation == Aggregation::Sum {
            result = match (&result, value) {
                (Value::Number(a), Value::Number(b)) => Value::Number(
                    a.checked_add(*b)
                        .ok_or_else(|| "the sum is too great".to_owned())?,
                ),
                _ => return Err(format!("{value} is no number")),
            };
            continue;
        }
        let order = value
            .order(&result)
            .ok_or_else(|| format!("{value} and {result} have no order"))?;
        if order
            == if aggregation == Aggregation::Max {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Less
            }
        {
            result = value.clone();
        }
    }
    Ok(result)
}
