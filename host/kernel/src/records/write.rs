//! Documents in, and whole collections out.

use std::io::Write;
use std::sync::Arc;

use polity_database::{
    Database, Document, Durability, EngineError, Format, StatementKind, Value as Datum,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

use super::RecordError;
use crate::drain::Visit;
use crate::{Actor, Kernel};

/// Documents that were inserted.
#[derive(Debug)]
pub struct Inserted {
    /// The decision that let it happen.
    pub decision_id: Uuid,
    /// Their ids, in their order.
    pub ids: Vec<Datum>,
}

/// A collection on its way out.
#[derive(Debug)]
pub struct RecordExport {
    database: Arc<Database>,
    collection: String,
    format: Format,
    _visit: Visit,
}

impl Kernel {
    /// Inserts documents, all or none, if the rules let it happen. They are on the disk when this returns.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub async fn insert_records(
        &self,
        actor: &Actor,
        collection: &str,
        documents: &[Box<RawValue>],
    ) -> Result<Inserted, RecordError> {
        let _visit = self.enter()?;
        // Read as they came, digit by digit; the rules are told of them as any JSON.
        let mut read = documents_of(documents.iter().map(|document| document.get()))?;
        let database = self.database().await?;
        self.may_write(actor, &database, collection, &read)?;
        let told: Vec<Value> = documents
            .iter()
            .map(|document| serde_json::from_str(document.get()).unwrap_or_default())
            .collect();
        let input = json!({ "collections": [collection], "documents": told });
        let decision = self
            .judge_access(actor, StatementKind::Insert, input)
            .await?;
        if let Some(amended) = &decision.amended_input {
            let refused = |detail: String| RecordError::Amendment {
                detail,
                decision_id: decision.id,
            };
            if amended["collections"] != json!([collection]) {
                return Err(refused("it names another collection".to_owned()));
            }
            let documents = amended["documents"]
                .as_array()
                .ok_or_else(|| refused("`documents` is not an array".to_owned()))?;
            let texts: Vec<String> = documents.iter().map(Value::to_string).collect();
            read = documents_of(texts.iter().map(String::as_str))
                .map_err(|error| refused(error.to_string()))?;
            self.may_write(actor, &database, collection, &read)?;
        }
        let collection = collection.to_owned();
        let rights = self.row_rights(actor);
        let ids = self
            .at_work(move |database| {
                let engine = database.engine();
                engine.insert_within(&rights, &collection, &read, Durability::Durable)
            })
            .await??;
        Ok(Inserted {
            decision_id: decision.id,
            ids,
        })
    }

    /// Has the export of a whole collection judged.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub async fn export_records(
        &self,
        actor: &Actor,
        collection: &str,
        format: Format,
    ) -> Result<RecordExport, RecordError> {
        let visit = self.enter()?;
        let database = self.database().await?;
        database.engine().catalogue().collection(collection)?;
        self.may_touch_whole(actor, &database, [collection])?;
        let input = json!({ "collections": [collection], "export": format });
        self.judge_access(actor, StatementKind::Query, input)
            .await?;
        Ok(RecordExport {
            database,
            collection: collection.to_owned(),
            format,
            _visit: visit,
        })
    }
}

impl RecordExport {
    /// Writes the collection as it is at one time, and returns how many documents. Blocks.
    ///
    /// # Errors
    /// The store or the output failed.
    pub fn write(self, out: &mut dyn Write) -> Result<u64, EngineError> {
        let engine = self.database.engine();
        engine.export(&self.collection, self.format, out, &mut |_, _| {})
    }
}

fn documents_of<'t>(texts: impl Iterator<Item = &'t str>) -> Result<Vec<Document>, RecordError> {
    let document = |(at, text): (usize, &str)| {
        Document::parse(text.as_bytes()).map_err(|error| RecordError::Document {
            at,
            error: error.into(),
        })
    };
    texts.enumerate().map(document).collect()
}
