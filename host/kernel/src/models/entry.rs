//! One model of one adapter.

use std::sync::Arc;

use polity_router::{Ability, Model, ModelOverlay};
use polity_runtime::digest::Digest;
use polity_runtime::plugin::{Info, Plugin};
use serde::Serialize;
use serde_json::json;

/// One model, and the adapter that answers for it.
#[derive(Clone, Serialize)]
pub struct ModelEntry {
    /// What the adapter says of it, and where the company says otherwise, that.
    #[serde(flatten)]
    pub info: Info,
    /// The adapter's name.
    pub plugin: Arc<str>,
    #[serde(skip)]
    id: Arc<str>,
    /// Plugin and id with a slash between: unique.
    #[serde(skip)]
    pub(crate) key: Arc<str>,
    /// Whether the company puts no condition on its use: who names it is answered by it, without further looking.
    #[serde(skip)]
    pub(crate) is_free: bool,
    #[serde(skip)]
    version: Option<Arc<str>>,
    /// What rules are told of the model: the members of a JSON object.
    #[serde(skip)]
    pub(crate) facts: Box<str>,
    #[serde(skip)]
    pub(crate) adapter: Arc<Plugin>,
}

impl ModelEntry {
    pub(super) fn new(
        mut info: Info,
        adapter: &Arc<Plugin>,
        model: &Model,
        said: Option<&ModelOverlay>,
    ) -> Self {
        overlay(&mut info, model, said);
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
            key: model.key.clone(),
            is_free: !model.disabled
                && model.never_for.tasks.is_empty()
                && model.never_for.tags.is_empty(),
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

/// Where they differ, the company is right.
fn overlay(info: &mut Info, model: &Model, said: Option<&ModelOverlay>) {
    if let Some(price) = model.price {
        (info.input_price, info.output_price) = (price.input, price.output);
    }
    info.context_tokens = model.context_tokens.unwrap_or(info.context_tokens);
    info.max_output_tokens = model.max_output_tokens.unwrap_or(info.max_output_tokens);
    info.region = model.region.as_deref().map(str::to_owned);
    info.local = model.local;
    if let Some(abilities) = said.and_then(|said| said.abilities) {
        let has = Ability::ALL
            .into_iter()
            .filter(|ability| abilities.has(*ability));
        info.abilities = has.map(|ability| ability.name().to_owned()).collect();
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
