//! What a call would cost. The constants were measured on the embedded engine; on another machine they are all off by
//! the same factor, which the observed scans tell.

use crate::seen::{Query, Seen};

/// Microseconds to read a document in a scan.
const SCANNED: f64 = 0.30;
/// Microseconds to fetch a document through an index.
const FETCHED: f64 = 3.1;
/// Microseconds to read an index entry.
const ENTRY: f64 = 0.5;
/// Microseconds to find the first entry.
const SEEK: f64 = 5.0;
/// Microseconds that a write spends on an index or a rollup.
const WRITE: f64 = 12.0;

/// The cost model of one machine.
pub(crate) struct Cost {
    factor: f64,
}

impl Cost {
    /// Calibrates on queries that mostly scan.
    pub(crate) fn of(seen: &Seen) -> Self {
        let (mut observed, mut modelled) = (0.0, 0.0);
        for query in &seen.queries {
            if query.examined_per_call > 10.0 * query.returned_per_call.max(1.0)
                && query.us_per_call > 0.0
            {
                observed += query.calls_per_day * query.us_per_call;
                modelled += query.calls_per_day * query.examined_per_call * SCANNED;
            }
        }
        let factor = if modelled > 0.0 {
            observed / modelled
        } else {
            1.0
        };
        Self {
            factor: factor.clamp(0.2, 20.0),
        }
    }

    /// A call now.
    pub(crate) fn now(&self, query: &Query) -> f64 {
        match query.us_per_call {
            us if us > 0.0 => us,
            _ => self.scan(query.examined_per_call),
        }
    }

    /// A scan over so many rows.
    pub(crate) fn scan(&self, rows: f64) -> f64 {
        self.factor * SCANNED * rows
    }

    /// A call through an index; `None` if the index does not help.
    pub(crate) fn through(&self, seen: &Seen, query: &Query, fields: &[String]) -> Option<f64> {
        let rows = seen.rows(&query.collection);
        let mut left = rows;
        let mut used = 0;
        for path in fields {
            let Some(predicate) = query.predicates.iter().find(|p| p.path == *path) else {
                break;
            };
            let distinct = seen.distinct(&query.collection, path)?;
            used += 1;
            match predicate.op.as_str() {
                "equal" | "is_null" => left /= distinct,
                "in" => left *= (3.0 / distinct).min(1.0),
                // A range ends what an index narrows. A third and a tenth are the guesses of System R.
                "range" => {
                    left /= 3.0;
                    break;
                }
                "prefix" => {
                    left /= 10.0;
                    break;
                }
                _ => return None,
            }
        }
        let all_used = used == query.predicates.len();
        // When every comparison is in the index, what is left is what was returned, if nothing was cut off by groups.
        if all_used && used > 0 && query.group_by.is_empty() && query.aggregates.is_empty() {
            left = left.min(query.returned_per_call.max(1.0));
        }
        let sorted = !query.order.is_empty() && is_sorted(query, fields, used);
        if used == 0 && !sorted {
            return None;
        }
        // In order, and only as far as is asked.
        if sorted && all_used && query.group_by.is_empty() {
            left = left.min(query.returned_per_call.max(1.0));
        }
        Some(self.factor * (SEEK + left.max(1.0) * (ENTRY + FETCHED)))
    }

    /// A call that reads groups.
    pub(crate) fn groups(&self, groups: f64) -> f64 {
        self.factor * (SEEK + groups * ENTRY)
    }

    /// What a day's writes spend on an index or a rollup.
    pub(crate) fn writes(&self, writes_per_day: f64) -> f64 {
        self.factor * WRITE * writes_per_day
    }
}

/// Whether the fields after those that are fixed give the order asked for, in one direction.
fn is_sorted(query: &Query, fields: &[String], fixed: usize) -> bool {
    let equal_only = fields[..fixed].iter().all(|path| {
        query
            .predicates
            .iter()
            .any(|p| p.path == *path && p.op == "equal")
    });
    let rest = &fields[fixed..];
    equal_only
        && query.order.len() <= rest.len()
        && query
            .order
            .iter()
            .zip(rest)
            .all(|(order, path)| order.path == *path)
        && query
            .order
            .windows(2)
            .all(|pair| pair[0].descending == pair[1].descending)
}
