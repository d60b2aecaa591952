//! Reading one table by its access, into its slots of the row.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use super::Meter;
use crate::catalogue::{Collection, Type};
use crate::codec::key;
use crate::codec::row::{self, FieldId, RowRef};
use crate::error::EngineError;
use crate::front::{Snapshot, View};
use crate::path::{Column, is_path};
use crate::plan::{Access, Scan};
use crate::sql::bind::Table;
use crate::sql::eval::{eval, passes};
use crate::sql::expr::{Compare, Expr};
use crate::value::Value;

/// The first key of a stretch and the first behind it.
type Stretch = (Vec<u8>, Option<Vec<u8>>);

/// Go on or stop, or fail.
pub(super) type Step = Result<ControlFlow<()>, EngineError>;

/// Gets each row: its slots are filled, and where the row lies when it was read whole.
pub(super) type Next<'n> =
    &'n mut dyn FnMut(&mut Vec<Value>, Option<RowRef<'_>>, &mut Meter<'_>) -> Step;

/// A table that is ready to be read any number of times.
pub(super) struct Reader<'p> {
    scan: &'p Scan,
    rows: View,
    entries: Option<View>,
    /// What has to be decoded.
    fill: Vec<Fill>,
    quick: Vec<Quick>,
    slow: Vec<&'p Expr>,
    parameters: &'p [Value],
}

/// A column with its slot and its type.
struct Fill {
    field: FieldId,
    column: Column,
    slot: usize,
    ty: Type,
}

/// A condition that is checked on the stored bytes.
struct Quick {
    field: FieldId,
    op: Compare,
    value: Value,
}

impl<'p> Reader<'p> {
    /// `skip` are slots nobody reads from the row.
    pub(super) fn new(
        table: &'p Table,
        scan: &'p Scan,
        snapshot: &Snapshot,
        parameters: &'p [Value],
        skip: &[usize],
    ) -> Result<Self, EngineError> {
        let (mut quick, mut slow) = (Vec::new(), Vec::new());
        for condition in &scan.filter {
            let simple = crate::plan::access::sargable(condition, table, &|e| e.is_constant());
            match simple {
                // What lies inside a field has no bytes of its own.
                Some(found) if !is_path(found.field) => quick.push(Quick {
                    field: found.field,
                    op: found.op,
                    value: plain(eval(&found.value, &[], parameters)?),
                }),
                _ => slow.push(condition),
            }
        }
        // A slot that only quick conditions use need not be decoded for them, but others may read it: keep it unless told.
        let fill = table
            .slots
            .iter()
            .filter(|(_, slot)| !skip.contains(slot))
            .map(|(field, slot)| Fill {
                field: *field,
                column: Column::of(&table.collection, *field),
                slot: *slot,
                ty: table.collection.type_of(*field),
            })
            .collect();
        let entries = match &scan.access {
            Access::Index {
                name: Some(_),
                tree,
                ..
            } => Some(snapshot.tree(*tree)),
            _ => None,
        };
        Ok(Self {
            scan,
            rows: snapshot.tree(table.collection.tree),
            entries,
            fill,
            quick,
            slow,
            parameters,
        })
    }

    /// Reads the rows; `row` holds the tables before this one.
    pub(super) fn each(&self, row: &mut Vec<Value>, meter: &mut Meter<'_>, next: Next<'_>) -> Step {
        let mut outcome: Step = Ok(ControlFlow::Continue(()));
        match &self.scan.access {
            Access::Full { reverse } => {
                self.rows.each(&[], None, *reverse, &mut |_, bytes| {
                    settle(&mut outcome, self.take(bytes, row, meter, next))
                })?;
            }
            Access::Index {
                name,
                fields,
                eq,
                range,
                reverse,
                covering,
                ..
            } => {
                let Some((from, to)) = self.stretch(eq, range, row)? else {
                    return outcome;
                };
                match (&self.entries, name) {
                    (None, _) if eq.len() == 1 => {
                        let step = self.rows.with(&from, |bytes| match bytes {
                            Some(bytes) => self.take(bytes, row, meter, next),
                            None => Ok(ControlFlow::Continue(())),
                        })?;
                        return step;
                    }
                    (None, _) => {
                        self.rows
                            .each(&from, to.as_deref(), *reverse, &mut |_, bytes| {
                                settle(&mut outcome, self.take(bytes, row, meter, next))
                            })?
                    }
                    (Some(entries), _) if *covering => {
                        entries.each(&from, to.as_deref(), *reverse, &mut |entry, hints| {
                            settle(
                                &mut outcome,
                                self.take_entry(entry, hints, fields, row, meter, next),
                            )
                        })?
                    }
                    (Some(entries), _) => {
                        entries.each(&from, to.as_deref(), *reverse, &mut |entry, _| {
                            let step = self.fetch(entry, fields.len(), row, meter, next);
                            settle(&mut outcome, step)
                        })?
                    }
                }
            }
        }
        outcome
    }

    /// The keys to visit; `None` when a bound is null, which nothing equals.
    fn stretch(
        &self,
        eq: &[Expr],
        range: &[(Compare, Expr)],
        row: &[Value],
    ) -> Result<Option<Stretch>, EngineError> {
        let mut prefix = Vec::with_capacity(32);
        for expr in eq {
            let value = eval(expr, row, self.parameters)?;
            if value.is_null() {
                return Ok(None);
            }
            key::write(&value, &mut prefix);
        }
        let (mut from, mut to) = (prefix.clone(), None);
        for (op, expr) in range {
            let value = eval(expr, row, self.parameters)?;
            if value.is_null() {
                return Ok(None);
            }
            let (class, after) = key::class_bounds(&value);
            let mut bound = prefix.clone();
            key::write(&value, &mut bound);
            let mut end_of_class = prefix.clone();
            end_of_class.push(after);
            match op {
                Compare::Gt | Compare::GtEq => {
                    // Behind the value is behind all keys that begin with it.
                    from = if *op == Compare::Gt {
                        successor(bound)
                    } else {
                        bound
                    };
                    to.get_or_insert(end_of_class);
                }
                _ => {
                    to = Some(if *op == Compare::LtEq {
                        successor(bound)
                    } else {
                        bound
                    });
                    let mut start = prefix.clone();
                    start.push(class);
                    from = from.max(start);
                }
            }
        }
        if range.is_empty() && !prefix.is_empty() {
            to = Some(successor(prefix));
        }
        Ok(Some((from, to)))
    }

    fn take(
        &self,
        bytes: &[u8],
        row: &mut Vec<Value>,
        meter: &mut Meter<'_>,
        next: Next<'_>,
    ) -> Step {
        meter.examine()?;
        let Some(stored) = RowRef::new(bytes) else {
            return Err(damaged());
        };
        for condition in &self.quick {
            if !condition.holds(stored.raw(condition.field)) {
                return Ok(ControlFlow::Continue(()));
            }
        }
        for fill in &self.fill {
            row[fill.slot] = fill.ty.adapt(fill.column.read(&stored));
        }
        for condition in &self.slow {
            if !passes(condition, row, self.parameters)? {
                return Ok(ControlFlow::Continue(()));
            }
        }
        next(row, Some(stored), meter)
    }

    fn fetch(
        &self,
        entry: &[u8],
        columns: usize,
        row: &mut Vec<Value>,
        meter: &mut Meter<'_>,
        next: Next<'_>,
    ) -> Step {
        let mut rest = entry;
        for _ in 0..columns {
            key::skip(&mut rest).ok_or_else(damaged)?;
        }
        self.rows.with(rest, |bytes| match bytes {
            Some(bytes) => self.take(bytes, row, meter, next),
            // In a tree too big for memory the row can be gone since the entry was read.
            None => Ok(ControlFlow::Continue(())),
        })?
    }

    fn take_entry(
        &self,
        entry: &[u8],
        hints: &[u8],
        fields: &[FieldId],
        row: &mut Vec<Value>,
        meter: &mut Meter<'_>,
        next: Next<'_>,
    ) -> Step {
        meter.examine()?;
        let mut rest = entry;
        let columns = fields
            .iter()
            .copied()
            .chain((!fields.contains(&Collection::ID)).then_some(Collection::ID));
        for (n, field) in columns.enumerate() {
            let slot = self.fill.iter().find(|fill| fill.field == field);
            let checks = self.quick.iter().any(|q| q.field == field);
            if slot.is_none() && !checks {
                key::skip(&mut rest).ok_or_else(damaged)?;
                continue;
            }
            let value =
                key::read(&mut rest, hints.get(n).copied().unwrap_or(0)).ok_or_else(damaged)?;
            for condition in self.quick.iter().filter(|q| q.field == field) {
                if !value
                    .compare(&condition.value)
                    .is_some_and(|o| condition.op.holds(o))
                {
                    return Ok(ControlFlow::Continue(()));
                }
            }
            if let Some(fill) = slot {
                row[fill.slot] = fill.ty.adapt(value);
            }
        }
        for condition in &self.slow {
            if !passes(condition, row, self.parameters)? {
                return Ok(ControlFlow::Continue(()));
            }
        }
        next(row, None, meter)
    }
}

impl Quick {
    #[inline]
    fn holds(&self, payload: Option<&[u8]>) -> bool {
        let Some(payload) = payload else { return false };
        let order = match &self.value {
            Value::Int(wanted) => match row::as_int(payload) {
                Some(value) => Some(value.cmp(wanted)),
                None => row::read_payload(payload).compare(&self.value),
            },
            Value::Text(wanted) => row::as_text(payload).map(|text| text.cmp(wanted.as_bytes())),
            other => row::read_payload(payload).compare(other),
        };
        order.is_some_and(|order: Ordering| self.op.holds(order))
    }
}

/// An integer where a cast has made a decimal of one: the comparison is the same and faster.
fn plain(value: Value) -> Value {
    match value {
        Value::Dec(d) => d.to_i64_exact().map_or(Value::Dec(d), Value::Int),
        other => other,
    }
}

/// The first bytes behind all that begin with these.
pub(crate) fn successor(mut bytes: Vec<u8>) -> Vec<u8> {
    while let Some(last) = bytes.last_mut() {
        if *last < u8::MAX {
            *last += 1;
            return bytes;
        }
        bytes.pop();
    }
    vec![u8::MAX; 8]
}

fn settle(outcome: &mut Step, step: Step) -> ControlFlow<()> {
    match step {
        Ok(flow) => {
            *outcome = Ok(flow);
            flow
        }
        Err(error) => {
            *outcome = Err(error);
            ControlFlow::Break(())
        }
    }
}

pub(crate) fn damaged() -> EngineError {
    crate::kv::KvError::Damaged {
        reason: "a row does not decode".to_owned(),
    }
    .into()
}
