//! Models by name, for one generation of plugins.

use std::collections::HashMap;
use std::sync::Arc;

use polity_router::{Catalogue, Overlay, Reported};
use polity_runtime::plugin::{Info, Plugin};
use polity_runtime::registry::Generation;

use super::ModelEntry;
use super::refresh::Lists;

/// All models of one moment.
#[derive(Default)]
pub(super) struct Index {
    generation: Option<u64>,
    overlay: Arc<Overlay>,
    /// Whether every adapter has been asked for its models.
    pub(super) is_complete: bool,
    /// In the order of the adapters' names.
    entries: Vec<Arc<ModelEntry>>,
    /// Ids, and ids behind their adapter's name. An id that is there twice belongs to the first.
    by_name: HashMap<String, Arc<ModelEntry>>,
    by_key: HashMap<Arc<str>, Arc<ModelEntry>>,
}

impl Index {
    /// With what there is to choose from.
    pub(super) fn of(
        plugins: &Generation,
        overlay: Arc<Overlay>,
        lists: &Lists,
    ) -> (Self, Catalogue) {
        let mut adapters = plugins.adapters().to_vec();
        adapters.sort_by(|a, b| a.name().cmp(b.name()));
        let listed: Vec<(&Arc<Plugin>, Info)> = adapters
            .iter()
            .flat_map(|adapter| {
                lists
                    .of(adapter)
                    .into_iter()
                    .map(move |info| (adapter, info))
            })
            .collect();
        let reported = listed
            .iter()
            .map(|(adapter, info)| reported(adapter, info))
            .collect();
        let catalogue = Catalogue::new(reported, &overlay);
        let models: HashMap<&str, _> = catalogue
            .models()
            .iter()
            .map(|model| (&*model.key, model))
            .collect();
        let entries: Vec<_> = listed
            .into_iter()
            .filter_map(|(adapter, info)| {
                let key = format!("{}/{}", adapter.name(), info.id);
                let said = overlay.models.get(&key);
                let said = said.or_else(|| overlay.models.get(&info.id));
                let model = models.get(&*key)?;
                Some(Arc::new(ModelEntry::new(info, adapter, model, said)))
            })
            .collect();
        let mut by_key = HashMap::with_capacity(entries.len());
        for entry in &entries {
            by_key
                .entry(entry.key.clone())
                .or_insert_with(|| entry.clone());
        }
        let mut by_name = HashMap::with_capacity(2 * entries.len());
        // Ids first: a model may be called `mistral/small`, whatever the plugin `mistral` has.
        for entry in &entries {
            by_name
                .entry(entry.info.id.clone())
                .or_insert_with(|| entry.clone());
        }
        for entry in &entries {
            by_name
                .entry(format!("{}/{}", entry.plugin, entry.info.id))
                .or_insert_with(|| entry.clone());
        }
        let index = Self {
            generation: Some(plugins.number()),
            is_complete: adapters.iter().all(|adapter| lists.knows(adapter)),
            overlay,
            entries,
            by_name,
            by_key,
        };
        (index, catalogue)
    }

    /// Whether it is of these plugins, and under what the company says now.
    pub(super) fn is_of(&self, plugins: &Generation, overlay: &Arc<Overlay>) -> bool {
        self.generation == Some(plugins.number()) && Arc::ptr_eq(&self.overlay, overlay)
    }

    /// Whether a name stands for one of several models, whatever else it could stand for.
    pub(super) fn is_alias(&self, name: &str) -> bool {
        self.overlay.aliases.contains_key(name)
    }

    pub(super) fn aliases(&self) -> impl Iterator<Item = &str> {
        self.overlay.aliases.keys().map(String::as_str)
    }

    /// The model of a key of the catalogue.
    pub(super) fn of_key(&self, key: &str) -> Option<Arc<ModelEntry>> {
        self.by_key.get(key).cloned()
    }

    pub(super) fn find(&self, name: &str) -> Option<Arc<ModelEntry>> {
        self.by_name.get(name).cloned()
    }

    /// By id, and by the adapter's name where an id is there twice.
    pub(super) fn all(&self) -> Vec<Arc<ModelEntry>> {
        let mut all = self.entries.clone();
        all.sort_by(|a, b| (&a.info.id, &a.plugin).cmp(&(&b.info.id, &b.plugin)));
        all
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.info.id.as_str())
    }
}

fn reported(adapter: &Plugin, info: &Info) -> Reported {
    Reported {
        plugin: adapter.name().to_string(),
        id: info.id.clone(),
        context_tokens: info.context_tokens,
        max_output_tokens: info.max_output_tokens,
        abilities: info.abilities.clone(),
        input_price: info.input_price,
        output_price: info.output_price,
        region: info.region.clone(),
        local: info.local,
    }
}
