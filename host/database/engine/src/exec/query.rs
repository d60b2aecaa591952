//! A SELECT from its scans to its output.

use std::ops::ControlFlow;

use rustc_hash::FxHashMap;

use super::Meter;
use super::aggregate::{Accumulator, finish_sum};
use super::output::Output;
use super::scan::{Next, Reader, Step, damaged};
use crate::catalogue::{AggregateKind, Type};
use crate::change::rollup::GroupRow;
use crate::codec::row::{FieldId, RowRef};
use crate::error::EngineError;
use crate::front::Snapshot;
use crate::path::is_path;
use crate::plan::{JoinMethod, RollupPlan, SelectPlan};
use crate::sql::eval::{eval, passes};
use crate::sql::expr::Expr;
use crate::value::Value;

/// Gets the rows of the answer.
pub(crate) type Sink<'s> = &'s mut dyn FnMut(&[Value]) -> ControlFlow<()>;

/// Runs a query.
pub(crate) fn run(
    plan: &SelectPlan,
    snapshot: &Snapshot,
    parameters: &[Value],
    meter: &mut Meter<'_>,
    sink: Sink<'_>,
) -> Result<(), EngineError> {
    let mut output = Output::new(plan, parameters, sink)?;
    if output.left == 0 {
        return Ok(());
    }
    if let Some(rollup) = &plan.rollup
        && read_rollup(plan, rollup, snapshot, parameters, meter, &mut output)?
    {
        return output.finish(meter);
    }
    if plan.group.is_some() {
        grouped(plan, snapshot, parameters, meter, &mut output)?;
    } else {
        rows(
            plan,
            snapshot,
            parameters,
            meter,
            &[],
            &mut |row, _, meter| output.take(row, meter),
        )?;
    }
    output.finish(meter)
}

/// The rows of the scan themselves, all slots, for statements that change them.
pub(crate) fn run_rows(
    plan: &SelectPlan,
    snapshot: &Snapshot,
    parameters: &[Value],
    meter: &mut Meter<'_>,
    each: &mut dyn FnMut(&[Value], &mut Meter<'_>) -> Step,
) -> Result<(), EngineError> {
    rows(
        plan,
        snapshot,
        parameters,
        meter,
        &[],
        &mut |row, _, meter| each(row, meter),
    )
}

/// All joined and filtered rows.
fn rows(
    plan: &SelectPlan,
    snapshot: &Snapshot,
    parameters: &[Value],
    meter: &mut Meter<'_>,
    skip: &[usize],
    next: Next<'_>,
) -> Result<(), EngineError> {
    let mut row = vec![Value::Null; plan.slots.len()];
    let mut readers = Vec::with_capacity(plan.tables.len());
    for (table, scan) in plan.tables.iter().zip(&plan.scans) {
        readers.push(Reader::new(table, scan, snapshot, parameters, skip)?);
    }
    let mut filtered = |row: &mut Vec<Value>, raw: Option<RowRef<'_>>, meter: &mut Meter<'_>| {
        for condition in &plan.filter {
            if !passes(condition, row, parameters)? {
                return Ok(ControlFlow::Continue(()));
            }
        }
        next(row, raw, meter)
    };
    let Some(first) = readers.first() else {
        let _ = filtered(&mut row, None, meter)?;
        return Ok(());
    };
    let mut tables = Vec::with_capacity(plan.joins.len());
    for (n, join) in plan.joins.iter().enumerate() {
        tables.push(match &join.method {
            JoinMethod::Lookup => None,
            JoinMethod::Hash { right, .. } => Some(HashTable::build(
                &readers[n + 1],
                plan,
                n + 1,
                right,
                parameters,
                meter,
            )?),
        });
    }
    let pipeline = Pipeline {
        plan,
        readers: &readers,
        tables: &tables,
        parameters,
    };
    if plan.joins.is_empty() {
        let _ = first.each(&mut row, meter, &mut filtered)?;
    } else {
        let _ = first.each(&mut row, meter, &mut |row, _, meter| {
            pipeline.join(0, row, meter, &mut filtered)
        })?;
    }
    Ok(())
}

struct Pipeline<'p> {
    plan: &'p SelectPlan,
    readers: &'p [Reader<'p>],
    tables: &'p [Option<HashTable>],
    parameters: &'p [Value],
}

impl Pipeline<'_> {
    /// Joins table `n + 1` to the row and passes on. The depth is the number of joins.
    fn join(&self, n: usize, row: &mut Vec<Value>, meter: &mut Meter<'_>, next: Next<'_>) -> Step {
        let Some(join) = self.plan.joins.get(n) else {
            return next(row, None, meter);
        };
        let mut matched = false;
        let mut each = |row: &mut Vec<Value>, meter: &mut Meter<'_>, next: Next<'_>| -> Step {
            for condition in &join.residual {
                if !passes(condition, row, self.parameters)? {
                    return Ok(ControlFlow::Continue(()));
                }
            }
            matched = true;
            self.join(n + 1, row, meter, next)
        };
        let flow = match (&join.method, &self.tables[n]) {
            (JoinMethod::Hash { left, .. }, Some(table)) => {
                let mut flow = ControlFlow::Continue(());
                if let Some(identity) = identity(left, row, self.parameters)? {
                    for found in table.rows(&identity) {
                        meter.examine()?;
                        for (slot, value) in table.slots.iter().zip(found) {
                            row[*slot].clone_from(value);
                        }
                        flow = each(row, meter, next)?;
                        if flow.is_break() {
                            break;
                        }
                    }
                }
                flow
            }
            _ => {
                self.readers[n + 1].each(row, meter, &mut |row, _, meter| each(row, meter, next))?
            }
        };
        if flow.is_break() || matched || !join.left_outer {
            return Ok(flow);
        }
        for (_, slot) in &self.plan.tables[n + 1].slots {
            row[*slot] = Value::Null;
        }
        self.join(n + 1, row, meter, next)
    }
}

/// The rows of a joined table by their key.
struct HashTable {
    slots: Vec<usize>,
    keys: FxHashMap<Vec<u8>, Vec<u32>>,
    values: Vec<Value>,
}

impl HashTable {
    fn build(
        reader: &Reader<'_>,
        plan: &SelectPlan,
        table: usize,
        keys: &[Expr],
        parameters: &[Value],
        meter: &mut Meter<'_>,
    ) -> Result<Self, EngineError> {
        let mut built = Self {
            slots: plan.tables[table]
                .slots
                .iter()
                .map(|(_, slot)| *slot)
                .collect(),
            keys: FxHashMap::default(),
            values: Vec::new(),
        };
        let mut row = vec![Value::Null; plan.slots.len()];
        let mut count = 0;
        let _ = reader.each(&mut row, meter, &mut |row, _, meter| {
            if let Some(identity) = identity(keys, row, parameters)? {
                let weight: usize = built.slots.iter().map(|slot| row[*slot].weight()).sum();
                meter.hold(weight + identity.len() + 48)?;
                built.keys.entry(identity).or_default().push(count);
                built
                    .values
                    .extend(built.slots.iter().map(|slot| row[*slot].clone()));
                count += 1;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(built)
    }

    fn rows(&self, identity: &[u8]) -> impl Iterator<Item = &[Value]> {
        let width = self.slots.len();
        let found = self.keys.get(identity).map_or(&[][..], |rows| &rows[..]);
        found
            .iter()
            .map(move |n| &self.values[*n as usize * width..(*n as usize + 1) * width])
    }
}

/// `None` when a part is null: nothing equals it.
fn identity(
    keys: &[Expr],
    row: &[Value],
    parameters: &[Value],
) -> Result<Option<Vec<u8>>, EngineError> {
    let mut out = Vec::with_capacity(24);
    for key in keys {
        let value = eval(key, row, parameters)?;
        if value.is_null() {
            return Ok(None);
        }
        value.write_identity(&mut out);
    }
    Ok(Some(out))
}

/// Groups of a query: identities to positions, keys and accumulators side by side.
struct Groups {
    positions: FxHashMap<Vec<u8>, usize>,
    keys: Vec<Vec<Value>>,
    accumulators: Vec<Accumulator>,
}

fn grouped(
    plan: &SelectPlan,
    snapshot: &Snapshot,
    parameters: &[Value],
    meter: &mut Meter<'_>,
    output: &mut Output<'_>,
) -> Result<(), EngineError> {
    let group = plan.group.as_deref().unwrap_or(&[]);
    let raw = raw_group(plan, group);
    let mut groups = Groups {
        positions: FxHashMap::default(),
        keys: Vec::new(),
        accumulators: Vec::new(),
    };
    let mut buffer = Vec::new();
    // A group that is taken from the stored bytes need not be decoded for each row.
    let skip: Vec<usize> = raw.as_ref().map_or(Vec::new(), |raw| {
        raw.iter()
            .filter(|(_, _, only)| *only)
            .map(|(_, slot, _)| *slot)
            .collect()
    });
    let width = plan.aggregates.len();
    rows(
        plan,
        snapshot,
        parameters,
        meter,
        &skip,
        &mut |row, stored, meter| {
            buffer.clear();
            let from_bytes = match (&raw, stored) {
                (Some(fields), Some(stored)) => {
                    for (field, ..) in fields {
                        let payload = stored.raw(*field).unwrap_or(&[0]);
                        buffer.extend((payload.len() as u32).to_le_bytes());
                        buffer.extend_from_slice(payload);
                    }
                    true
                }
                _ => {
                    for key in group {
                        eval(key, row, parameters)?.write_identity(&mut buffer);
                    }
                    false
                }
            };
            let position = match groups.positions.get(&buffer) {
                Some(position) => *position,
                None => {
                    let key: Vec<Value> = match (&raw, stored) {
                        (Some(fields), Some(stored)) if from_bytes => fields
                            .iter()
                            .map(|(field, slot, _)| plan.slots[*slot].ty.adapt(stored.get(*field)))
                            .collect(),
                        _ => group
                            .iter()
                            .map(|key| eval(key, row, parameters))
                            .collect::<Result<_, _>>()?,
                    };
                    meter.hold(
                        buffer.len() * 2
                            + 96
                            + width * 96
                            + key.iter().map(Value::weight).sum::<usize>(),
                    )?;
                    let position = groups.keys.len();
                    groups.positions.insert(buffer.clone(), position);
                    groups.keys.push(key);
                    groups
                        .accumulators
                        .extend(plan.aggregates.iter().map(Accumulator::new));
                    position
                }
            };
            let accumulators = &mut groups.accumulators[position * width..(position + 1) * width];
            for (call, accumulator) in plan.aggregates.iter().zip(accumulators) {
                if let Some(filter) = &call.filter
                    && !passes(filter, row, parameters)?
                {
                    continue;
                }
                match &call.argument {
                    None => accumulator.add_row(),
                    Some(Expr::Slot(slot)) => accumulator.add(row[*slot].clone(), meter)?,
                    Some(argument) => accumulator.add(eval(argument, row, parameters)?, meter)?,
                }
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;
    if group.is_empty() && groups.keys.is_empty() {
        // Aggregates without groups have one row even over nothing.
        groups.keys.push(Vec::new());
        groups
            .accumulators
            .extend(plan.aggregates.iter().map(Accumulator::new));
    }
    let mut accumulators = groups.accumulators.into_iter();
    for mut row in groups.keys {
        for _ in 0..width {
            if let Some(accumulator) = accumulators.next() {
                row.push(accumulator.finish()?);
            }
        }
        if output.take_group(&row, meter)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// Fields whose stored bytes tell groups apart: one table, plain fields, kinds with one form of each value. With each its
/// slot and whether nothing else reads that slot.
fn raw_group(plan: &SelectPlan, group: &[Expr]) -> Option<Vec<(FieldId, usize, bool)>> {
    // An index entry has no stored row to take bytes from.
    let from_entries = plan
        .scans
        .iter()
        .any(|s| matches!(s.access, crate::plan::Access::Index { covering: true, .. }));
    if plan.tables.len() != 1 || !plan.filter.is_empty() || group.is_empty() || from_entries {
        return None;
    }
    group
        .iter()
        .map(|key| {
            let Expr::Slot(slot) = key else { return None };
            let info = &plan.slots[*slot];
            if is_path(info.field) || !matches!(info.ty, Type::Text | Type::Int | Type::Bool) {
                return None;
            }
            let mut elsewhere = false;
            let mut look = |e: &Expr| elsewhere |= matches!(e, Expr::Slot(s) if s == slot);
            plan.scans[0].filter.iter().for_each(|e| e.visit(&mut look));
            for call in &plan.aggregates {
                call.argument
                    .iter()
                    .chain(&call.filter)
                    .for_each(|e| e.visit(&mut look));
            }
            Some((info.field, *slot, !elsewhere))
        })
        .collect()
}

/// Returns whether the rollup could answer.
fn read_rollup(
    plan: &SelectPlan,
    rollup: &RollupPlan,
    snapshot: &Snapshot,
    parameters: &[Value],
    meter: &mut Meter<'_>,
    output: &mut Output<'_>,
) -> Result<bool, EngineError> {
    let view = snapshot.tree(rollup.tree);
    let group_fields = plan.group.as_deref().unwrap_or(&[]);
    let mut groups = Vec::new();
    let mut outcome: Result<bool, EngineError> = Ok(true);
    view.each(
        &[GroupRow::STATE],
        Some(&[GroupRow::STATE + 1]),
        false,
        &mut |_, bytes| {
            let step = (|| {
                meter.examine()?;
                let state = GroupRow::read(bytes).ok_or_else(damaged)?;
                for condition in &rollup.filter {
                    if !passes(condition, &state.group, parameters)? {
                        return Ok(true);
                    }
                }
                // Float sums depend on the order of addition: only the rows themselves give what a scan gives.
                let mut row = Vec::with_capacity(rollup.group_len + rollup.aggregates.len());
                for (key, position) in group_fields.iter().zip(&rollup.group) {
                    let ty = match key {
                        Expr::Slot(slot) => plan.slots[*slot].ty,
                        _ => Type::Mixed,
                    };
                    row.push(ty.adapt(state.group[*position].clone()));
                }
                for ((kind, position), call) in rollup.aggregates.iter().zip(&plan.aggregates) {
                    let Some(position) = position else {
                        row.push(Value::Int(state.rows));
                        continue;
                    };
                    let part = &state.parts[*position];
                    row.push(match kind {
                        AggregateKind::Count => Value::Int(part.count),
                        AggregateKind::Sum | AggregateKind::Avg if part.inexact > 0 => {
                            return Ok(false);
                        }
                        AggregateKind::Sum | AggregateKind::Avg => {
                            finish_sum(*kind, part.count, Value::Dec(part.sum), call.stays_int)?
                        }
                        _ => state.extreme(&view, *position, *kind == AggregateKind::Min)?,
                    });
                }
                groups.push(row);
                Ok(true)
            })();
            match step {
                Ok(true) => ControlFlow::Continue(()),
                other => {
                    outcome = other;
                    ControlFlow::Break(())
                }
            }
        },
    )?;
    if !outcome? {
        return Ok(false);
    }
    for row in groups {
        if output.take_group(&row, meter)?.is_break() {
            break;
        }
    }
    Ok(true)
}
