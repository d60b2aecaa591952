//! The settings, and where their defaults come from.

use serde::Deserialize;

/// The settings of the grant file.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Documents that have the field filled.
    pub docs: u64,
    /// Days on which it was.
    pub days: u32,
    /// Their share of the documents since its first.
    pub share: f64,
    /// Share of the values that are of one kind.
    pub one_kind: f64,
    /// Share of recent values that do not fit the declared type before it is widened.
    pub misfits: f64,
    /// Queries that compare the field, from which nothing else matters.
    pub filters: u64,
    /// Steps from the document down.
    pub depth: usize,
    /// Declared fields of a collection.
    pub fields: usize,
    /// Proposals of one round.
    pub proposals: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // The rule of three: what did not happen in 30 documents happens in a tenth of all at most, at 95 %.
            docs: 30,
            // A bug, a test or an import is over within two days, midnight included.
            days: 3,
            // Rows keep undeclared fields, and queries find them; a column for one row in a hundred is worth naming,
            // one for fewer only makes the list longer.
            share: 0.01,
            one_kind: 0.95,
            misfits: 0.02,
            filters: 10,
            depth: 8,
            // ClickHouse stops at 1024 dynamic paths too.
            fields: 1_024,
            proposals: 40,
        }
    }
}
