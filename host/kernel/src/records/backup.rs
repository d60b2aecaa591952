//! All records on their way out, as they are at one time.

use std::io::Write;
use std::sync::Arc;

use polity_database::{Database, EngineError, StatementKind};
use serde_json::json;

use super::RecordError;
use crate::drain::Visit;
use crate::{Actor, Kernel};

/// Every collection with its schema.
#[derive(Debug)]
pub struct RecordBackup {
    database: Arc<Database>,
    _visit: Visit,
}

impl Kernel {
    /// Has a backup of all records judged, as a query of every collection.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub async fn back_records_up(&self, actor: &Actor) -> Result<RecordBackup, RecordError> {
        let visit = self.enter()?;
        let database = self.database().await?;
        let catalogue = database.engine().catalogue();
        let names: Vec<&String> = catalogue.collections.keys().collect();
        self.may_touch_whole(actor, &database, names.iter().map(|name| name.as_str()))?;
        let input = json!({ "collections": names, "backup": true });
        self.judge_access(actor, StatementKind::Query, input)
            .await?;
        Ok(RecordBackup {
            database,
            _visit: visit,
        })
    }
}

impl RecordBackup {
    /// Writes everything as it is at one time, while writing goes on, and returns how many documents. Blocks.
    ///
    /// # Errors
    /// The store or the output failed.
    pub fn write(self, out: &mut dyn Write) -> Result<u64, EngineError> {
        self.database.engine().backup(out, &mut |_, _| {})
    }
}
