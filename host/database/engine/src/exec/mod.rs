//! Running a plan: rows are pushed from the scans through joins and groups to the caller, one at a time.

mod aggregate;
mod output;
mod query;
mod scan;

use serde::{Deserialize, Serialize};

use crate::error::EngineError;

pub(crate) use query::{run, run_rows};
pub(crate) use scan::{damaged, successor};

/// What one query may take. The defaults suit a person at a terminal and an API alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Rows given out.
    pub rows: u64,
    /// Bytes given out.
    pub bytes: u64,
    /// Bytes held at one time by joins, groups and sorts.
    pub memory: u64,
    /// Time.
    pub micros: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows: 1_000_000,
            bytes: 256 << 20,
            memory: 256 << 20,
            micros: 30_000_000,
        }
    }
}

/// Counts what a query takes.
pub(crate) struct Meter<'a> {
    limits: Limits,
    now: &'a dyn Fn() -> u64,
    started: u64,
    pub(crate) examined: u64,
    pub(crate) returned: u64,
    bytes: u64,
    memory: u64,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(limits: Limits, now: &'a dyn Fn() -> u64) -> Self {
        Self {
            limits,
            now,
            started: now(),
            examined: 0,
            returned: 0,
            bytes: 0,
            memory: 0,
        }
    }

    pub(crate) fn micros(&self) -> u64 {
        (self.now)().saturating_sub(self.started)
    }

    /// A row or an entry was visited.
    #[inline]
    pub(crate) fn examine(&mut self) -> Result<(), EngineError> {
        self.examined += 1;
        // The clock costs as much as a row; and a row can be made to cost a tenth of a second.
        if self.examined.is_multiple_of(64) {
            self.check_time()
        } else {
            Ok(())
        }
    }

    pub(crate) fn check_time(&self) -> Result<(), EngineError> {
        if self.micros() > self.limits.micros {
            return Err(EngineError::Limit {
                what: "its time in microseconds",
                limit: self.limits.micros,
                hint: "add a condition that an index serves, or ask for fewer rows",
            });
        }
        Ok(())
    }

    /// So many bytes are held until the end.
    #[inline]
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<(), EngineError> {
        self.memory += bytes as u64;
        if self.memory > self.limits.memory {
            return Err(EngineError::Limit {
                what: "its memory in bytes",
                limit: self.limits.memory,
                hint: "a sort, a group or a join has to hold too much: add a condition or a LIMIT",
            });
        }
        Ok(())
    }

    pub(crate) fn release(&mut self, bytes: usize) {
        self.memory = self.memory.saturating_sub(bytes as u64);
    }

    /// A row is given out.
    pub(crate) fn give(&mut self, bytes: usize) -> Result<(), EngineError> {
        self.returned += 1;
        self.bytes += bytes as u64;
        let over = |what, limit| {
            Err(EngineError::Limit {
                what,
                limit,
                hint: "add a LIMIT, or page by id",
            })
        };
        if self.returned > self.limits.rows {
            return over("its rows", self.limits.rows);
        }
        if self.bytes > self.limits.bytes {
            return over("its result in bytes", self.limits.bytes);
        }
        Ok(())
    }
}
