//! Statements that change records: found, changed, and told of.

use std::ops::ControlFlow;

use crate::catalogue::Collection;
use crate::change::txn::{Fields, Txn, key_of};
use crate::codec::row::{FieldId, RowRef};
use crate::engine::{Engine, MAX_CHANGES, QueryOptions};
use crate::error::EngineError;
use crate::exec::{self, Meter, damaged};
use crate::observe::{WriteKind, WriteObservation};
use crate::plan::{self, Plan, PlanKind};
use crate::sql::eval::eval;
use crate::value::{Document, Value};

/// Changes the row with this key and these slots, with these parameters; says what it did and the fields it was about.
type Change<'c> = &'c mut dyn FnMut(
    &mut Txn<'_>,
    &[u8],
    &[Value],
    &[Value],
) -> Result<Option<(WriteKind, Fields)>, EngineError>;

impl Engine {
    /// Returns how many rows were changed, or nothing when the plan is of a catalogue that is not the one now.
    pub(crate) fn change(
        &self,
        plan: &Plan,
        parameters: &[Value],
        options: &QueryOptions,
        meter: &mut Meter<'_>,
    ) -> Result<Option<u64>, EngineError> {
        match &plan.kind {
            PlanKind::Insert {
                collection,
                columns,
                rows,
            } => {
                let mut documents = Vec::with_capacity(rows.len());
                for row in rows {
                    let mut document = Document::default();
                    for (name, expr) in columns.iter().zip(row) {
                        document
                            .fields
                            .push((name.as_str().into(), eval(expr, &[], parameters)?));
                    }
                    documents.push(document);
                }
                self.insert_within(&options.rights, collection, &documents, options.durability)?;
                Ok(Some(rows.len() as u64))
            }
            PlanKind::Update {
                scan,
                collection,
                assignments,
            } => self.each_changed(
                plan,
                scan,
                collection,
                parameters,
                options,
                meter,
                &mut |txn, at, row, parameters| {
                    let mut changes = Document::default();
                    for (name, expr) in assignments {
                        changes
                            .fields
                            .push((name.as_str().into(), eval(expr, row, parameters)?));
                    }
                    let Some(fields) = txn.update(collection, at, &changes)? else {
                        return Ok(None);
                    };
                    let found = txn.catalogue.collection(collection)?;
                    let value = |field: FieldId| {
                        fields
                            .binary_search_by_key(&field, |(id, _)| *id)
                            .map_or(Value::Null, |at| fields[at].1.clone())
                    };
                    if !options.rights.allows(found, &value) {
                        return Err(EngineError::beyond_rights(collection));
                    }
                    Ok(Some((WriteKind::Update, fields)))
                },
            ),
            PlanKind::Delete { scan, collection } => self.each_changed(
                plan,
                scan,
                collection,
                parameters,
                options,
                meter,
                &mut |txn, at, _, _| {
                    let old = txn.delete(collection, at)?;
                    let fields = old.map(|old| {
                        RowRef::new(&old)
                            .map(|row| row.fields().collect())
                            .ok_or_else(damaged)
                    });
                    Ok(fields
                        .transpose()?
                        .map(|fields| (WriteKind::Delete, fields)))
                },
            ),
            _ => Ok(Some(0)),
        }
    }

    /// Finds the rows, then changes each; nobody else writes in between.
    #[expect(
        clippy::too_many_arguments,
        reason = "one private step shared by two statements"
    )]
    fn each_changed(
        &self,
        plan: &Plan,
        scan: &plan::SelectPlan,
        collection: &str,
        parameters: &[Value],
        options: &QueryOptions,
        meter: &mut Meter<'_>,
        change: Change<'_>,
    ) -> Result<Option<u64>, EngineError> {
        let writer = self.write_lock();
        if self.front.catalogue().version != plan.version {
            return Ok(None);
        }
        let mut rows: Vec<Vec<Value>> = Vec::new();
        {
            // The plan puts the whole row of slots out, so that assignments can be evaluated over it.
            let snapshot = self.front.snapshot(&plan.trees)?;
            exec::run_rows(scan, &snapshot, parameters, meter, &mut |row, meter| {
                meter.hold(row.iter().map(Value::weight).sum())?;
                rows.push(row.to_vec());
                Ok(ControlFlow::Continue(()))
            })?;
        }
        let id_slot = scan.tables[0]
            .slots
            .iter()
            .find(|(f, _)| *f == Collection::ID)
            .map_or(0, |(_, slot)| *slot);
        let mut txn = Txn::new(&self.front);
        let mut written = Vec::new();
        for row in &rows {
            let at = key_of(&row[id_slot]);
            written.extend(change(&mut txn, &at, row, parameters)?);
            if txn.len() > MAX_CHANGES {
                return Err(EngineError::invalid(
                    "too many rows at once: change them in parts",
                ));
            }
        }
        let found = txn.catalogue.collection(collection)?.clone();
        let count = written.len() as u64;
        let place = if count > 0 { Some(txn.commit()?) } else { None };
        drop(writer);
        for (kind, fields) in &written {
            let named: Vec<(&str, &Value)> = fields
                .iter()
                .map(|(f, v)| (found.field(*f).name.as_str(), v))
                .collect();
            self.observer.write(&WriteObservation {
                collection,
                kind: *kind,
                fields: &named,
                bytes: named.iter().map(|(_, v)| v.weight()).sum(),
            });
        }
        if let Some(place) = place {
            self.settle(place, options.durability)?;
        }
        Ok(Some(count))
    }
}
