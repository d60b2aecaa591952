//! What becomes of a row that is found: HAVING, DISTINCT, ORDER BY, OFFSET and LIMIT.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use rustc_hash::FxHashSet;

use super::Meter;
use super::query::Sink;
use super::scan::Step;
use crate::error::EngineError;
use crate::plan::{Order, SelectPlan};
use crate::sql::eval::{eval, passes};
use crate::sql::expr::Expr;
use crate::value::Value;

/// HAVING, ORDER BY, DISTINCT, OFFSET and LIMIT.
pub(super) struct Output<'s> {
    plan: &'s SelectPlan,
    parameters: &'s [Value],
    sink: Sink<'s>,
    seen: FxHashSet<Vec<u8>>,
    skip: u64,
    pub(super) left: u64,
    /// Sort keys and output of the rows that wait for the sort.
    waiting: Vec<(Vec<Value>, Vec<Value>)>,
    line: Vec<Value>,
    /// The keys of the last row that is still wanted, once more rows came than are.
    worst: Option<Vec<Value>>,
}

impl<'s> Output<'s> {
    pub(super) fn new(
        plan: &'s SelectPlan,
        parameters: &'s [Value],
        sink: Sink<'s>,
    ) -> Result<Self, EngineError> {
        let number = |e: &Option<Expr>, name: &str| -> Result<Option<u64>, EngineError> {
            match e.as_ref().map(|e| eval(e, &[], parameters)).transpose()? {
                None | Some(Value::Null) => Ok(None),
                Some(Value::Int(n)) if n >= 0 => Ok(Some(n as u64)),
                Some(other) => Err(EngineError::invalid(format!(
                    "{name} must be a whole number that is not negative, not {other}"
                ))),
            }
        };
        Ok(Self {
            plan,
            parameters,
            sink,
            seen: FxHashSet::default(),
            skip: number(&plan.offset, "OFFSET")?.unwrap_or(0),
            left: number(&plan.limit, "LIMIT")?.unwrap_or(u64::MAX),
            waiting: Vec::new(),
            line: Vec::new(),
            worst: None,
        })
    }

    pub(super) fn take_group(&mut self, row: &[Value], meter: &mut Meter<'_>) -> Step {
        if let Some(having) = &self.plan.having
            && !passes(having, row, self.parameters)?
        {
            return Ok(ControlFlow::Continue(()));
        }
        self.take(row, meter)
    }

    pub(super) fn take(&mut self, row: &[Value], meter: &mut Meter<'_>) -> Step {
        // Behind the worst row that is kept when only the first are wanted: no need to make it.
        if let Some(worst) = &self.worst
            && !self.plan.distinct
        {
            let mut order = Ordering::Equal;
            for (key, bound) in self.plan.order.iter().zip(worst) {
                order = compare(key, &eval(&key.expr, row, self.parameters)?, bound);
                if order.is_ne() {
                    break;
                }
            }
            if order.is_ge() {
                return Ok(ControlFlow::Continue(()));
            }
        }
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        for (_, expr) in &self.plan.output {
            line.push(match expr {
                Expr::Slot(slot) => row[*slot].clone(),
                expr => eval(expr, row, self.parameters)?,
            });
        }
        if self.plan.distinct {
            let mut identity = Vec::new();
            line.iter().for_each(|v| v.write_identity(&mut identity));
            let size = identity.len() + 48;
            if !self.seen.insert(identity) {
                self.line = line;
                return Ok(ControlFlow::Continue(()));
            }
            meter.hold(size)?;
        }
        if self.plan.order.is_empty() || self.plan.sorted {
            let step = self.give(&line, meter);
            self.line = line;
            return step;
        }
        let keys: Vec<Value> = self
            .plan
            .order
            .iter()
            .map(|o| eval(&o.expr, row, self.parameters))
            .collect::<Result<_, _>>()?;
        meter.hold(weight(&keys, &line))?;
        self.waiting.push((keys, line));
        // Only the first rows are wanted: forget the others now and then.
        let wanted = self.skip.saturating_add(self.left).min(1 << 40) as usize;
        if self.waiting.len() >= wanted.saturating_mul(2).saturating_add(64) {
            self.sort();
            self.worst = self.waiting[..wanted].last().map(|(keys, _)| keys.clone());
            for (keys, line) in self.waiting.drain(wanted..) {
                meter.release(weight(&keys, &line));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn sort(&mut self) {
        let order = &self.plan.order;
        self.waiting.sort_by(|(a, _), (b, _)| {
            order
                .iter()
                .zip(a.iter().zip(b))
                .map(|(key, (a, b))| compare(key, a, b))
                .find(|o| o.is_ne())
                .unwrap_or(Ordering::Equal)
        });
    }

    fn give(&mut self, line: &[Value], meter: &mut Meter<'_>) -> Step {
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(ControlFlow::Continue(()));
        }
        if self.left == 0 {
            return Ok(ControlFlow::Break(()));
        }
        meter.give(line.iter().map(Value::weight).sum())?;
        self.left -= 1;
        if (self.sink)(line).is_break() || self.left == 0 {
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    }

    pub(super) fn finish(mut self, meter: &mut Meter<'_>) -> Result<(), EngineError> {
        self.sort();
        for (_, line) in std::mem::take(&mut self.waiting) {
            if self.give(&line, meter)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn weight(keys: &[Value], line: &[Value]) -> usize {
    48 + keys.iter().chain(line).map(Value::weight).sum::<usize>()
}

fn compare(key: &Order, a: &Value, b: &Value) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) if key.nulls_first => Ordering::Less,
        (true, false) => Ordering::Greater,
        (false, true) if key.nulls_first => Ordering::Greater,
        (false, true) => Ordering::Less,
        _ if key.descending => b.order(a),
        _ => a.order(b),
    }
}
