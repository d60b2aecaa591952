//! One run of a query, as the engine saw it.

use crate::shape::{Fingerprint, Shape};

/// What happened when a query ran once.
#[derive(Clone, Debug)]
pub struct Execution<'a> {
    /// The query without its literals.
    pub shape: &'a Shape,
    /// Its identity.
    pub fingerprint: Fingerprint,
    /// Documents and index entries that were looked at.
    pub rows_examined: u64,
    /// Documents that were returned.
    pub rows_returned: u64,
    /// How long it took.
    pub us: u64,
    /// The names of the indexes and rollups that answered it.
    pub used: &'a [String],
}

impl<'a> Execution<'a> {
    /// A run of a shape, with nothing examined yet. An engine that keeps the fingerprint with its plan fills the fields
    /// itself.
    pub fn of(shape: &'a Shape) -> Self {
        Self {
            shape,
            fingerprint: shape.fingerprint(),
            rows_examined: 0,
            rows_returned: 0,
            us: 0,
            used: &[],
        }
    }

    /// Sets how many rows were examined.
    #[must_use]
    pub fn examined(mut self, rows: u64) -> Self {
        self.rows_examined = rows;
        self
    }

    /// Sets how many rows were returned.
    #[must_use]
    pub fn returned(mut self, rows: u64) -> Self {
        self.rows_returned = rows;
        self
    }

    /// Sets how long it took.
    #[must_use]
    pub fn took_us(mut self, us: u64) -> Self {
        self.us = us;
        self
    }

    /// Sets what answered it.
    #[must_use]
    pub fn using(mut self, used: &'a [String]) -> Self {
        self.used = used;
        self
    }
}
