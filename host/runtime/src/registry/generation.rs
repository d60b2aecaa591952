//! The plugins at one moment: immutable, replaced as a whole.
//!
//! A call takes the generation it finds and keeps what it needs of it; a swap publishes the next one. Nothing that is in
//! progress notices.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::digest::Digest;
use crate::failure::CallError;
use crate::plugin::{Action, Evaluation, Plugin};
use crate::refusal::Refusal;
use crate::world::World;

/// All plugins of one moment.
#[derive(Clone, Default)]
pub struct Generation {
    number: u64,
    entries: BTreeMap<Arc<str>, Arc<Entry>>,
    rules: Vec<Rule>,
    adapters: Vec<Arc<Plugin>>,
    connectors: Vec<Arc<Plugin>>,
}

/// One name in the plugin folder.
#[derive(Clone)]
pub struct Entry {
    /// The plugin's name.
    pub name: Arc<str>,
    /// The version that serves calls, which may be older than the file in the folder.
    pub serving: Option<Arc<Plugin>>,
    /// How it stands with the file in the folder.
    pub state: State,
    /// Where nothing serves because of a quarantine: the kinds of action the rule spoke to. They are still guarded, by a
    /// rule that always fails.
    pub guards: Vec<String>,
}

/// How it stands with a plugin's file.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// It serves.
    Live,
    /// It wants what it was not granted.
    Pending {
        /// Its digest.
        digest: Digest,
        /// Each of them.
        unmet: Arc<[Unmet]>,
    },
    /// It has every grant that it wants, and a credential that one of them names is not to be had. It loads by itself
    /// once the credential is there.
    NeedsCredential {
        /// Its digest.
        digest: Digest,
        /// Each of them, and where to put it.
        unmet: Arc<[Unmet]>,
    },
    /// It cannot be loaded.
    Refused {
        /// Its digest, if it could be read.
        digest: Option<Digest>,
        /// Why.
        reason: Arc<Refusal>,
    },
    /// It failed too often.
    Quarantined {
        /// Its digest.
        digest: Digest,
        /// How it failed the last time.
        reason: String,
    },
}

/// Something that a plugin needs before it can be loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unmet {
    /// What it needs, and why.
    pub want: String,
    /// What the operator does about it: lines for the grant file, or a sentence.
    pub fix: String,
}

impl State {
    /// The state's name.
    pub fn name(&self) -> &'static str {
        match self {
            State::Live => "live",
            State::Pending { .. } => "pending",
            State::NeedsCredential { .. } => "needs-credential",
            State::Refused { .. } => "refused",
            State::Quarantined { .. } => "quarantined",
        }
    }
}

/// A rule that takes part in decisions, or stands in for one that should.
#[derive(Clone)]
pub struct Rule {
    /// The plugin's name.
    pub name: Arc<str>,
    /// The kinds of action it speaks to.
    pub applies_to: Arc<[String]>,
    plugin: Result<Arc<Plugin>, String>,
}

impl Rule {
    /// The version that judges, unless it is in quarantine.
    pub fn plugin(&self) -> Option<&Arc<Plugin>> {
        self.plugin.as_ref().ok()
    }

    /// Whether the rule speaks to a kind of action.
    pub fn speaks_to(&self, kind: &str) -> bool {
        self.applies_to.iter().any(|pattern| matches(pattern, kind))
    }

    /// Judges an action; see [`Plugin::evaluate`]. A rule in quarantine fails.
    pub fn evaluate(
        &self,
        action: &Action,
        config: Option<&Arc<str>>,
    ) -> Result<Evaluation, CallError> {
        match &self.plugin {
            Ok(plugin) => plugin.evaluate(action, config),
            Err(reason) => Err(CallError::NotRunning(reason.clone())),
        }
    }
}

/// Whether a pattern covers a kind of action: `refund.approve` itself, `refund.*` for `refund` and all below it, `*` for
/// all.
pub fn matches(pattern: &str, kind: &str) -> bool {
    if pattern == "*" || pattern == kind {
        return true;
    }
    pattern
        .strip_suffix(".*")
        .and_then(|family| kind.strip_prefix(family))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl Generation {
    /// Counts up from 0, by one for each change.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Every name in the folder, in order.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.values()
    }

    /// One name.
    pub fn entry(&self, name: &str) -> Option<&Arc<Entry>> {
        self.entries.get(name)
    }

    /// The serving version of a plugin.
    pub fn plugin(&self, name: &str) -> Option<&Arc<Plugin>> {
        self.entries.get(name)?.serving.as_ref()
    }

    /// Rules, those in quarantine included.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Model adapters that serve.
    pub fn adapters(&self) -> &[Arc<Plugin>] {
        &self.adapters
    }

    /// Connectors that serve.
    pub fn connectors(&self) -> &[Arc<Plugin>] {
        &self.connectors
    }

    /// The generation after this one, with one entry put in or taken out.
    pub(crate) fn with(&self, name: &Arc<str>, entry: Option<Entry>) -> Self {
        let mut entries = self.entries.clone();
        match entry {
            Some(entry) => drop(entries.insert(name.clone(), Arc::new(entry))),
            None => drop(entries.remove(name)),
        }
        let serving = |world: World| {
            entries
                .values()
                .filter_map(|entry| entry.serving.clone())
                .filter(|plugin| plugin.identity().world == world)
                .collect()
        };
        Self {
            number: self.number + 1,
            rules: entries.values().filter_map(|entry| rule(entry)).collect(),
            adapters: serving(World::ModelAdapter),
            connectors: serving(World::Connector),
            entries,
        }
    }
}

fn rule(entry: &Entry) -> Option<Rule> {
    let name = entry.name.clone();
    match (&entry.serving, &entry.state) {
        (Some(plugin), _) if plugin.identity().world == World::ConstitutionRule => Some(Rule {
            name,
            applies_to: plugin.description().applies_to.clone().into(),
            plugin: Ok(plugin.clone()),
        }),
        (None, State::Quarantined { reason, .. }) if !entry.guards.is_empty() => Some(Rule {
            name,
            applies_to: entry.guards.clone().into(),
            plugin: Err(format!("it is in quarantine: {reason}")),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_itself_and_what_is_below_it() {
        assert!(matches("refund.approve", "refund.approve"));
        assert!(matches("refund.*", "refund.approve.large"));
        assert!(matches("refund.*", "refund"));
        assert!(matches("*", "anything"));
        for (pattern, kind) in [
            ("refund.*", "refunds.x"),
            ("refund", "refund.x"),
            ("re*", "refund"),
        ] {
            assert!(!matches(pattern, kind), "{pattern} {kind}");
        }
    }

    #[test]
    fn a_rule_in_quarantine_still_guards_what_it_guarded() {
        let name: Arc<str> = "four-eyes".into();
        let generation = Generation::default().with(
            &name,
            Some(Entry {
                name: name.clone(),
                serving: None,
                state: State::Quarantined {
                    digest: Digest::of(b"x"),
                    reason: "it trapped".into(),
                },
                guards: vec!["payment.*".into()],
            }),
        );
        let rule = &generation.rules()[0];
        assert!(rule.speaks_to("payment.send"));
        let action = Action {
            kind: "payment.send".into(),
            actor: "person:ada".into(),
            at_ms: 0,
            input: "{}".into(),
            context: "{}".into(),
        };
        assert!(matches!(
            rule.evaluate(&action, None),
            Err(CallError::NotRunning(_))
        ));
    }
}
