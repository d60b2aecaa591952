//! What happened to the plugins: for the ledger, the log and whoever looks on.

use std::sync::Arc;

use serde::Serialize;

use super::generation::Unmet;
use crate::digest::Digest;
use crate::signature::Provenance;

/// One change, or one that did not come to be.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// The plugin's name.
    pub name: Arc<str>,
    /// The generation that is current now.
    pub generation: u64,
    /// What happened.
    #[serde(flatten)]
    pub change: Change,
}

/// What happened to a plugin.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    /// A version serves from now on.
    Loaded {
        /// Its digest.
        digest: Digest,
        /// The version that served before.
        replaced: Option<Digest>,
        /// Who vouches for it.
        provenance: Provenance,
        /// From the first byte read to the swap, in microseconds.
        took_us: u64,
    },
    /// A version was not loaded. What served before still does.
    Refused {
        /// Its digest, if it could be read.
        digest: Option<Digest>,
        /// A stable code.
        code: &'static str,
        /// One sentence.
        reason: String,
    },
    /// A version waits for a grant. What served before still does.
    Pending {
        /// Its digest.
        digest: Digest,
        /// What it needs first.
        unmet: Vec<Unmet>,
    },
    /// A version waits for a credential that its grant names. What served before still does.
    NeedsCredential {
        /// Its digest.
        digest: Digest,
        /// Each of them, and where to put it.
        unmet: Vec<Unmet>,
    },
    /// A version failed too often and serves no more.
    Quarantined {
        /// Its digest.
        digest: Digest,
        /// How it failed the last time.
        reason: String,
        /// The earlier version that serves instead, if there is one.
        restored: Option<Digest>,
    },
    /// An earlier version was put back by a person.
    RolledBack {
        /// The version that served.
        from: Option<Digest>,
        /// The version that serves now.
        to: Digest,
    },
    /// The file has gone, and the plugin with it.
    Removed,
}

impl Change {
    /// The change's name, for an event's type.
    pub fn name(&self) -> &'static str {
        match self {
            Change::Loaded { .. } => "loaded",
            Change::Refused { .. } => "refused",
            Change::Pending { .. } => "pending",
            Change::NeedsCredential { .. } => "needs-credential",
            Change::Quarantined { .. } => "quarantined",
            Change::RolledBack { .. } => "rolled-back",
            Change::Removed => "removed",
        }
    }
}
