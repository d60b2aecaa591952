//! Canonical JSON as the ledger uses it: how deep, and its digest.

use serde_json::Value;

pub use polity_canonical::{is_within_depth, to_string};

use crate::Hash;

/// Values nested deeper are refused in events: a JSON parser gives up at 128 levels, and what was written must be
/// readable inside its envelope.
pub const MAX_DEPTH: usize = 100;

/// The SHA-256 of the canonical text.
pub fn digest(value: &Value) -> Hash {
    Hash::of(to_string(value).as_bytes())
}
