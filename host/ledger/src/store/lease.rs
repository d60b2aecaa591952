//! Who may write, and how a writer that has been replaced is kept from writing.
//!
//! A process can stall for longer than its lease. So the lease alone protects nothing: each taking has a greater
//! token, and the store refuses a write that shows an older one.

use serde::{Deserialize, Serialize};

use super::StoreError;

/// A lease that was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Show this with each write.
    pub fence: Fence,
    /// Nobody else gets it before.
    pub until_ms: u64,
}

/// Proof of being the present holder of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The lease's name.
    pub lease: String,
    /// Grows with each taking.
    pub token: u64,
}

/// Somebody else has it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{holder} holds the lease until {until_ms}")]
pub struct Held {
    /// Who.
    pub holder: String,
    /// Until when, in milliseconds since the epoch.
    pub until_ms: u64,
}

/// A lease as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeaseRow {
    holder: String,
    token: u64,
    until_ms: u64,
}

pub(super) fn row_key(name: &str) -> Vec<u8> {
    [b"lease/", name.as_bytes()].concat()
}

impl LeaseRow {
    /// The row after a request, or who stands in its way.
    pub(super) fn grant(
        present: Option<Self>,
        holder: &str,
        now_ms: u64,
        lifetime_ms: u64,
    ) -> Result<Self, Held> {
        let until_ms = now_ms.saturating_add(lifetime_ms);
        let token = match present {
            None => 1,
            // A holder that asks again may have been restarted, with its former self still about somewhere.
            Some(row) if row.until_ms <= now_ms || row.holder == holder => row.token + 1,
            Some(row) => {
                return Err(Held {
                    holder: row.holder,
                    until_ms: row.until_ms,
                });
            }
        };
        Ok(Self {
            holder: holder.to_owned(),
            token,
            until_ms,
        })
    }

    pub(super) fn lease(&self, name: &str) -> Lease {
        Lease {
            fence: Fence {
                lease: name.to_owned(),
                token: self.token,
            },
            until_ms: self.until_ms,
        }
    }

    pub(super) fn decode(bytes: Option<Vec<u8>>) -> Result<Option<Self>, StoreError> {
        let Some(bytes) = bytes else { return Ok(None) };
        match serde_json::from_slice(&bytes) {
            Ok(row) => Ok(Some(row)),
            Err(error) => Err(StoreError::Damaged(format!(
                "a lease row does not read: {error}"
            ))),
        }
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(self).map_err(|error| StoreError::Engine(error.to_string()))
    }
}

impl Fence {
    /// Whether the stored row still has this token.
    pub(super) fn holds(&self, row: Option<&LeaseRow>) -> bool {
        row.is_some_and(|row| row.token == self.token)
    }
}
