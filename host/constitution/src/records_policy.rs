//! The charter's word on records: how far their schema may change by itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::policy::whole;

/// What may become of a proposal to change the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Freedom {
    /// It is counted and shown.
    Observe,
    /// A person decides.
    Suggest,
    /// It is made, where the rules allow it, and kept if it proves itself.
    Auto,
}

/// The classes of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SchemaClass {
    /// Indexes.
    Index,
    /// Aggregates that are kept.
    Rollup,
    /// Fields that appear or widen.
    Field,
    /// Second names.
    Alias,
    /// Fields that go out of sight and come back.
    Archive,
    /// Linked collections.
    Link,
}

/// How far the schema may change by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EvolutionPolicy {
    /// For every class that `modes` does not name; each class has a default of its own where this is absent.
    pub mode: Option<Freedom>,
    /// By class.
    pub modes: BTreeMap<SchemaClass, Freedom>,
    /// What only a person changes: `orders.total` is a field, `orders(customer)` an index.
    pub protected: BTreeSet<String>,
    /// Milliseconds that a new collection is left alone; five minutes by default.
    #[serde(deserialize_with = "whole")]
    pub settle_ms: u64,
    /// Milliseconds between two rounds of the strategies at least; fifteen seconds by default. Without use there is none.
    #[serde(deserialize_with = "whole")]
    pub round_ms: u64,
    /// Milliseconds that a change may take to prove itself; three days by default.
    #[serde(deserialize_with = "whole")]
    pub trial_ms: u64,
}

/// How records are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecordsPolicy {
    /// How far their schema may change by itself.
    pub evolution: EvolutionPolicy,
    /// Collections (`payroll`) and fields (`staff.salary`) that only holders of these roles may touch, by name. What is
    /// not named is open to whoever may use records at all.
    pub restricted: BTreeMap<String, BTreeSet<String>>,
}

impl Default for EvolutionPolicy {
    fn default() -> Self {
        Self {
            mode: None,
            modes: BTreeMap::new(),
            protected: BTreeSet::new(),
            settle_ms: 5 * 60 * 1000,
            round_ms: 15 * 1000,
            trial_ms: 3 * 24 * 60 * 60 * 1000,
        }
    }
}

impl EvolutionPolicy {
    /// What the charter says of a class; nothing where it leaves the default.
    pub fn of(&self, class: SchemaClass) -> Option<Freedom> {
        self.modes.get(&class).copied().or(self.mode)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_word_speaks_for_all_classes_and_a_class_for_itself() {
        let policy: RecordsPolicy = serde_json::from_value(json!({
            "evolution": {"mode": "observe", "modes": {"index": "suggest"}, "round_ms": 1000.0},
        }))
        .unwrap();
        let evolution = policy.evolution;
        assert_eq!(evolution.of(SchemaClass::Index), Some(Freedom::Suggest));
        assert_eq!(evolution.of(SchemaClass::Link), Some(Freedom::Observe));
        assert_eq!(evolution.round_ms, 1_000);
        assert_eq!(EvolutionPolicy::default().of(SchemaClass::Index), None);
    }
}
