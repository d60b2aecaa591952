//! Models by name, for one generation of plugins.

use std::collections::HashMap;
use std::sync::Arc;

use polity_runtime::plugin::{Info, Plugin};
use polity_runtime::registry::Generation;

use super::ModelEntry;

/// All models of one moment.
#[derive(Default)]
pub(super) struct Index {
    generation: Option<u64>,
    /// In the order of the adapters' names.
    entries: Vec<Arc<ModelEntry>>,
    /// Ids, and ids behind their adapter's name. An id that is there twice belongs to the first.
    by_name: HashMap<String, Arc<ModelEntry>>,
}

impl Index {
    pub(super) fn of(
        plugins: &Generation,
        mut list: impl FnMut(&Arc<Plugin>) -> Vec<Info>,
    ) -> Self {
        let mut adapters = plugins.adapters().to_vec();
        adapters.sort_by(|a, b| a.name().cmp(b.name()));
        let entries: Vec<_> = adapters
            .iter()
            .flat_map(|adapter| {
                let list = list(adapter);
                list.into_iter()
                    .map(|info| Arc::new(ModelEntry::new(info, adapter)))
                    .collect::<Vec<_>>()
            })
            .collect();
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
        Self {
            generation: Some(plugins.number()),
            entries,
            by_name,
        }
    }

    pub(super) fn generation(&self) -> Option<u64> {
        self.generation
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
