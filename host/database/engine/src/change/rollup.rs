//! The rows of a rollup, and how a changed document changes them.
//!
//! A group has one row with its count and, for each aggregate, the count and the exact sum of its values. Least and
//! greatest cannot be taken back when their document goes, so the values are kept too, counted, in order: the first and
//! the last are the answer. This is how incremental view maintenance counts duplicates (Gupta, Mumick, Subrahmanian 1993).

use std::ops::ControlFlow;

use super::txn::Txn;
use crate::catalogue::{AggregateKind, Rollup};
use crate::codec::key;
use crate::codec::row::{self, FieldId, RowRef};
use crate::error::EngineError;
use crate::exec::damaged;
use crate::front::View;
use crate::sql::functions::range;
use crate::value::{Decimal, Value};

/// The state of one group.
pub(crate) struct GroupRow {
    pub(crate) rows: i64,
    pub(crate) group: Vec<Value>,
    pub(crate) parts: Vec<Part>,
}

/// The state of one aggregate of a group.
pub(crate) struct Part {
    /// Values that are not null.
    pub(crate) count: i64,
    /// Their exact sum.
    pub(crate) sum: Decimal,
    /// How many of them are no exact numbers.
    pub(crate) inexact: i64,
}

const ROWS: FieldId = 1;
const GROUP: FieldId = 2;

impl GroupRow {
    /// The first byte of the keys of groups.
    pub(crate) const STATE: u8 = 0;
    /// The first byte of the keys of counted values.
    const VALUES: u8 = 1;

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let row = RowRef::new(bytes)?;
        let Value::Int(rows) = row.get(ROWS) else {
            return None;
        };
        let Value::Int(width) = row.get(GROUP) else {
            return None;
        };
        let width = FieldId::try_from(width).ok()?;
        let first = GROUP + 1 + width;
        let group = (0..width).map(|n| row.get(GROUP + 1 + n)).collect();
        let count = row.len().checked_sub(usize::from(width) + 2)? / 3;
        let mut parts = Vec::with_capacity(count);
        for n in 0..count as FieldId {
            let (Value::Int(count), Value::Dec(sum), Value::Int(inexact)) = (
                row.get(first + 3 * n),
                row.get(first + 3 * n + 1),
                row.get(first + 3 * n + 2),
            ) else {
                return None;
            };
            parts.push(Part {
                count,
                sum,
                inexact,
            });
        }
        Some(Self { rows, group, parts })
    }

    fn write(&self) -> Vec<u8> {
        let mut fields = vec![
            (ROWS, Value::Int(self.rows)),
            (GROUP, Value::Int(self.group.len() as i64)),
        ];
        let mut id = GROUP;
        let mut push = |value| {
            id += 1;
            fields.push((id, value));
        };
        self.group.iter().cloned().for_each(&mut push);
        for part in &self.parts {
            push(Value::Int(part.count));
            push(Value::Dec(part.sum));
            push(Value::Int(part.inexact));
        }
        row::encode(&fields)
    }

    /// The least or the greatest value of an aggregate.
    pub(crate) fn extreme(
        &self,
        view: &View,
        position: usize,
        least: bool,
    ) -> Result<Value, EngineError> {
        let prefix = values_prefix(&self.group, position);
        let mut found = Ok(Value::Null);
        let end = crate::exec::successor(prefix.clone());
        view.each(&prefix, Some(&end), !least, &mut |entry, bytes| {
            let hint = bytes.first().copied().unwrap_or(0);
            found = key::read(&mut &entry[prefix.len()..], hint).ok_or_else(damaged);
            ControlFlow::Break(())
        })?;
        found
    }
}

fn state_key(group: &[Value]) -> Vec<u8> {
    let mut out = vec![GroupRow::STATE];
    group.iter().for_each(|v| key::write(v, &mut out));
    out
}

fn values_prefix(group: &[Value], position: usize) -> Vec<u8> {
    let mut out = vec![GroupRow::VALUES];
    group.iter().for_each(|v| key::write(v, &mut out));
    out.push(position as u8);
    out
}

/// Adds a document to its group, or with `sign` -1 takes it out.
pub(crate) fn change(
    txn: &mut Txn<'_>,
    rollup: &Rollup,
    fields: &dyn Fn(FieldId) -> Value,
    sign: i64,
) -> Result<(), EngineError> {
    let group: Vec<Value> = rollup.group.iter().map(|f| fields(*f)).collect();
    let at = state_key(&group);
    let mut state = match txn.get(rollup.tree, &at)? {
        Some(bytes) => GroupRow::read(&bytes).ok_or_else(damaged)?,
        None => GroupRow {
            rows: 0,
            group,
            parts: rollup
                .aggregates
                .iter()
                .map(|_| Part {
                    count: 0,
                    sum: 0.into(),
                    inexact: 0,
                })
                .collect(),
        },
    };
    state.rows += sign;
    for (n, (kind, field)) in rollup.aggregates.iter().enumerate() {
        let Some(field) = field else { continue };
        let value = fields(*field);
        if value.is_null() {
            continue;
        }
        let part = &mut state.parts[n];
        part.count += sign;
        match kind {
            AggregateKind::Sum | AggregateKind::Avg => {
                let exact = match &value {
                    Value::Int(i) => Some(Decimal::from(*i)),
                    Value::Dec(d) => Some(*d),
                    _ => None,
                };
                match exact {
                    Some(d) => {
                        let d = if sign < 0 { d.negated() } else { d };
                        part.sum = part.sum.checked_add(d).ok_or_else(range)?;
                    }
                    None => part.inexact += sign,
                }
            }
            AggregateKind::Min | AggregateKind::Max => {
                let mut at = values_prefix(&state.group, n);
                key::write(&value, &mut at);
                let before = txn.get(rollup.tree, &at)?;
                let count = before
                    .as_deref()
                    .and_then(|b| b.get(1..9)?.try_into().ok())
                    .map_or(0, i64::from_le_bytes)
                    + sign;
                if count > 0 {
                    let mut bytes = vec![key::hint(&value)];
                    bytes.extend(count.to_le_bytes());
                    txn.put(rollup.tree, at, Some(bytes));
                } else {
                    txn.put(rollup.tree, at, None);
                }
            }
            _ => {}
        }
    }
    let row = (state.rows > 0).then(|| state.write());
    txn.put(rollup.tree, at, row);
    Ok(())
}
