//! Groups and what is computed over them.

use rustc_hash::FxHashSet;

use super::Meter;
use crate::catalogue::AggregateKind;
use crate::error::EngineError;
use crate::sql::eval::arithmetic;
use crate::sql::expr::{AggregateCall, Arithmetic};
use crate::sql::functions::range;
use crate::value::{Decimal, Value};

/// One aggregate of one group.
#[derive(Debug, Clone)]
pub(crate) struct Accumulator {
    kind: AggregateKind,
    stays_int: bool,
    count: i64,
    /// The sum of integers, as long as it fits; the usual case without decimals.
    ints: i64,
    value: Value,
    seen: Option<FxHashSet<Vec<u8>>>,
}

impl Accumulator {
    pub(crate) fn new(call: &AggregateCall) -> Self {
        Self {
            kind: call.kind,
            stays_int: call.stays_int,
            count: 0,
            ints: 0,
            value: Value::Null,
            seen: call.distinct.then(FxHashSet::default),
        }
    }

    /// Counts a row.
    pub(crate) fn add_row(&mut self) {
        self.count += 1;
    }

    /// Takes a value in; null is passed over.
    pub(crate) fn add(&mut self, value: Value, meter: &mut Meter<'_>) -> Result<(), EngineError> {
        if value.is_null() {
            return Ok(());
        }
        if let Some(seen) = &mut self.seen {
            let mut identity = Vec::new();
            value.write_identity(&mut identity);
            let size = identity.len() + 48;
            if !seen.insert(identity) {
                return Ok(());
            }
            meter.hold(size)?;
        }
        self.count += 1;
        match self.kind {
            AggregateKind::Count => {}
            AggregateKind::Sum | AggregateKind::Avg => {
                if let Value::Int(i) = value {
                    match self.ints.checked_add(i) {
                        Some(sum) => self.ints = sum,
                        None => self.carry(&Value::Int(i))?,
                    }
                } else {
                    self.carry(&value)?;
                }
            }
            AggregateKind::Min | AggregateKind::Max => {
                let better = match value.order(&self.value) {
                    _ if self.value.is_null() => true,
                    order if self.kind == AggregateKind::Min => order.is_lt(),
                    order => order.is_gt(),
                };
                if better {
                    self.value = value;
                }
            }
            AggregateKind::BoolAnd | AggregateKind::BoolOr => {
                let Value::Bool(b) = value else {
                    return Err(EngineError::Compute(format!(
                        "{value} is neither true nor false"
                    )));
                };
                let before = matches!(self.value, Value::Bool(true));
                self.value = Value::Bool(match self.kind {
                    _ if self.value.is_null() => b,
                    AggregateKind::BoolAnd => before && b,
                    _ => before || b,
                });
            }
        }
        Ok(())
    }

    /// Adds to the sum of what are not integers.
    fn carry(&mut self, value: &Value) -> Result<(), EngineError> {
        let start = match (&self.value, value) {
            (Value::Null, Value::Float(_)) => Value::Float(0.0),
            (Value::Null, _) => Value::Dec(0.into()),
            (sum, _) => sum.clone(),
        };
        self.value = arithmetic(Arithmetic::Add, &start, value)?;
        Ok(())
    }

    /// The result.
    pub(crate) fn finish(self) -> Result<Value, EngineError> {
        match self.kind {
            AggregateKind::Count => Ok(Value::Int(self.count)),
            AggregateKind::Sum | AggregateKind::Avg => {
                let ints = Value::Dec(self.ints.into());
                let sum = match &self.value {
                    Value::Null => ints,
                    rest => arithmetic(Arithmetic::Add, rest, &ints)?,
                };
                finish_sum(self.kind, self.count, sum, self.stays_int)
            }
            _ => Ok(self.value),
        }
    }
}

/// Sum or mean from a sum and a count; null over nothing.
pub(crate) fn finish_sum(
    kind: AggregateKind,
    count: i64,
    sum: Value,
    stays_int: bool,
) -> Result<Value, EngineError> {
    if count == 0 {
        return Ok(Value::Null);
    }
    if kind == AggregateKind::Avg {
        return arithmetic(Arithmetic::Div, &sum, &Value::Dec(Decimal::from(count)));
    }
    match sum {
        Value::Dec(d) if stays_int => d.to_i64_exact().map(Value::Int).ok_or_else(range),
        other => Ok(other),
    }
}
