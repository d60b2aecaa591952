//! One model of one adapter.

use std::sync::Arc;

use polity_runtime::digest::Digest;
use polity_runtime::plugin::{Info, Plugin};
use serde::Serialize;
use serde_json::json;

/// One model, and the adapter that answers for it.
#[derive(Clone, Serialize)]
pub struct ModelEntry {
    /// What the adapter says of it.
    #[serde(flatten)]
    pub info: Info,
    /// The adapter's name.
    pub plugin: Arc<str>,
    #[serde(skip)]
    id: Arc<str>,
    #[serde(skip)]
    version: Option<Arc<str>>,
    /// What rules are told of the model: the members of a JSON object.
    #[serde(skip)]
    pub(crate) facts: Box<str>,
    #[serde(skip)]
    pub(crate) adapter: Arc<Plugin>,
}

impl ModelEntry {
    pub(super) fn new(info: Info, adapter: &Arc<Plugin>) -> Self {
        let told = json!({
            "id": info.id,
            "plugin": &**adapter.name(),
            "local": info.local,
            "region": info.region,
            "input_price": info.input_price,
            "output_price": info.output_price,
        });
        let manifest = adapter.identity().manifest.as_ref();
        Self {
            plugin: adapter.name().clone(),
            id: info.id.as_str().into(),
            version: manifest.map(|manifest| manifest.version.as_str().into()),
            facts: format!("\"model\":{told}").into(),
            adapter: adapter.clone(),
            info,
        }
    }

    pub(crate) fn id(&self) -> &Arc<str> {
        &self.id
    }

    pub(crate) fn version(&self) -> Option<&Arc<str>> {
        self.version.as_ref()
    }

    pub(crate) fn digest(&self) -> Digest {
        self.adapter.identity().digest
    }
}

impl std::fmt::Debug for ModelEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelEntry")
            .field("plugin", &self.plugin)
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}
