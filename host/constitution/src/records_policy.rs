//! The charter's word on records: who may touch which of them, and how far their schema may change by itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// Collections of which not everybody may touch every row, by name.
    pub rows: BTreeMap<String, RowRule>,
}

/// Which rows of a collection an actor may read, change, remove and write.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RowRule {
    /// Alternatives, of which one has to hold: fields, each with what it has to be. The text `$actor` stands for the
    /// actor's id, `$roles` for any of the actor's roles; everything else for itself.
    #[serde(rename = "where")]
    pub alternatives: Vec<BTreeMap<String, Value>>,
    /// Roles whose holders may touch all rows.
    pub all_for: BTreeSet<String>,
}

/// What a field of a [`RowRule`] has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowMatch<'r> {
    /// The actor's id.
    Actor,
    /// One of the actor's roles.
    Roles,
    /// This value.
    Value(&'r Value),
}

impl<'r> RowMatch<'r> {
    /// What a value of a rule means.
    pub fn of(value: &'r Value) -> Self {
        match value.as_str() {
            Some("$actor") => Self::Actor,
            Some("$roles") => Self::Roles,
            _ => Self::Value(value),
        }
    }
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

    #[test]
    fn a_row_rule_speaks_of_the_actor_and_of_values() {
        let policy: RecordsPolicy = serde_json::from_value(json!({
            "rows": {"orders": {"where": [{"owner": "$actor"}, {"team": "$roles", "draft": false}]}},
        }))
        .unwrap();
        let rule = &policy.rows["orders"];
        assert_eq!(
            RowMatch::of(&rule.alternatives[0]["owner"]),
            RowMatch::Actor
        );
        assert_eq!(RowMatch::of(&rule.alternatives[1]["team"]), RowMatch::Roles);
        let draft = &rule.alternatives[1]["draft"];
        assert_eq!(RowMatch::of(draft), RowMatch::Value(&json!(false)));
        assert!(rule.all_for.is_empty());
    }
}
