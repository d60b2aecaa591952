//! The house around the database: its port, implemented with plugins, rules, inbox and ledger.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use polity_constitution::{ActionKind, EvolutionPolicy, Freedom, OutcomeKind, SchemaClass};
use polity_database::evolve::{Batch, Class, Life, Mode, Policy, Proposal, Saved, Verdict};
use polity_database::{Answered, Observations, Overseer, Settings};
use polity_ledger::{CommitError, Ledger, new_id};
use polity_runtime::World;
use polity_runtime::plugin::Plugin;
use serde_json::json;
use uuid::Uuid;

use super::what_if::Answers;
use super::{journal, people, proposals};
use crate::act::Wait;
use crate::kernel::Inner;
use crate::{ActionRequest, Actor, Kernel};

/// A rate of late is spread over an hour at least, so this much of waiting has been paid when it is first told.
const PAID_MS: u64 = 60 * 60 * 1000;
/// Digits of a digest that tell two versions of a plugin apart.
const DIGITS: usize = 8;

/// See the module. It does not keep the kernel alive.
pub(crate) struct House {
    kernel: Weak<Inner>,
    ledger: Ledger,
    /// The evolver's thread waits here for the disk and the rules. None once it is being dropped.
    waiting: Option<tokio::runtime::Runtime>,
}

impl House {
    pub(crate) fn new(kernel: Weak<Inner>, ledger: Ledger) -> io::Result<Self> {
        let waiting = tokio::runtime::Builder::new_current_thread().build()?;
        Ok(Self {
            kernel,
            ledger,
            waiting: Some(waiting),
        })
    }

    fn kernel(&self) -> Option<Kernel> {
        let inner = self.kernel.upgrade()?;
        Some(Kernel { inner })
    }

    /// Waits for what ends soon.
    fn wait<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        Some(self.waiting.as_ref()?.block_on(work))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // The last handle may be let go inside another runtime, where waiting is a panic.
        if let Some(waiting) = self.waiting.take() {
            waiting.shutdown_background();
        }
    }
}

impl Overseer for House {
    fn settings(&self) -> Settings {
        let policy = self.kernel().map(|kernel| {
            let constitution = kernel.constitution();
            constitution.charter().records().evolution.clone()
        });
        let policy = policy.unwrap_or_default();
        Settings {
            round: Duration::from_millis(policy.round_ms),
            policy: policy_of(policy),
        }
    }

    fn load_percent(&self) -> u8 {
        self.kernel()
            .map_or(100, |kernel| kernel.inner.records.load_percent())
    }

    fn strategies(&self) -> Vec<String> {
        let Some(kernel) = self.kernel() else {
            return Vec::new();
        };
        strategies(&kernel).map(|(name, _)| name).collect()
    }

    fn propose(&self, strategy: &str, seen: &Observations) -> Result<Vec<Proposal>, String> {
        let kernel = self.kernel().ok_or("the host is going")?;
        let found = strategies(&kernel).find(|(name, _)| name == strategy);
        let (_, plugin) = found.ok_or("it is not loaded any more")?;
        let answers = Arc::new(Answers(seen.what_if.clone()));
        let said = plugin.propose(&proposals::seen(seen), Some(answers));
        let said = said.map_err(|error| error.to_string())?;
        Ok(said.into_iter().map(proposals::proposal).collect())
    }

    fn judge(&self, life: &Life) -> Option<Verdict> {
        let kernel = self.kernel()?;
        let kind: ActionKind = format!("schema.{}", life.mutation().kind()).parse().ok()?;
        // What no rule speaks to is for the charter's modes to decide, not for what becomes of actions in general.
        if !kernel.guards(&kind) {
            return Some(Verdict::Allow);
        }
        let (actor, request) = (strategist(&life.strategy), question(kind, life));
        let judged = self.wait(kernel.judge_action(&actor, request, Wait::Always))?;
        let decision = judged
            .inspect_err(|error| tracing::error!(%error, "a change of the schema cannot be judged"))
            .ok()?;
        let reason = decision.reason.clone();
        Some(match decision.outcome {
            OutcomeKind::Allow => Verdict::Allow,
            OutcomeKind::Deny => Verdict::Deny { reason },
            // A mutation is made as it was proposed or not at all.
            OutcomeKind::Amend => Verdict::Deny {
                reason: format!(
                    "a rule amended it, and a change of the schema has no other form: {reason}"
                ),
            },
            OutcomeKind::Escalate => {
                let asked = people::Asked::Decision { id: decision.id };
                let noted = self.wait(people::note(&self.ledger, life.id, &asked))?;
                noted
                    .inspect_err(|error| tracing::error!(%error, "who was asked cannot be noted"))
                    .ok()?;
                Verdict::Escalate { reason }
            }
        })
    }

    fn ask(&self, life: &Life) {
        let Some(kernel) = self.kernel() else { return };
        if let Some(Err(error)) = self.wait(people::ask(&kernel, &self.ledger, life)) {
            tracing::error!(%error, mutation = %life.id, "a change of the schema cannot be put before a person");
        }
    }

    fn answers(&self, asked: &[Life]) -> Vec<Answered> {
        let Some(kernel) = self.kernel() else {
            return Vec::new();
        };
        let answer = |life: &Life| {
            people::answer(&kernel, &self.ledger, life)
                .inspect_err(|error| tracing::error!(%error, mutation = %life.id, "an answer cannot be read"))
                .ok()
                .flatten()
        };
        asked.iter().filter_map(answer).collect()
    }

    fn load(&self) -> Result<Saved, String> {
        journal::load(&self.ledger)
    }

    fn store(&self, batch: &Batch) -> Result<(), String> {
        let kernel = self.kernel();
        loop {
            let mut commit = journal::commit(batch)?;
            let mut withdrawn = Vec::new();
            if let Some(kernel) = &kernel {
                let with = people::withdraw(kernel, &self.ledger, batch, commit);
                (commit, withdrawn) = with.map_err(|error| error.to_string())?;
            }
            let stored = self.wait(self.ledger.commit(commit));
            match (stored.ok_or("the host is going")?, &kernel) {
                (Ok(_), Some(kernel)) => {
                    for entry in &batch.entries {
                        let kind = entry.proposal.mutation.kind();
                        let counting = &kernel.inner.counting;
                        counting.schema_change(kind, journal::outcome(entry));
                    }
                    let inbox = kernel.inbox();
                    withdrawn
                        .iter()
                        .for_each(|item| inbox.announce_withdrawal(item));
                    return Ok(());
                }
                (Ok(_), None) => return Ok(()),
                // Somebody answered at this moment: that question is closed, and there is one less to take back.
                (Err(CommitError::Conflict { .. }), _) if !withdrawn.is_empty() => {}
                (Err(error), _) => return Err(error.to_string()),
            }
        }
    }

    fn new_id(&self) -> Uuid {
        new_id(self.ledger.now_ms())
    }
}

/// The strategies that serve, by name and version.
fn strategies(kernel: &Kernel) -> impl Iterator<Item = (String, Arc<Plugin>)> {
    let generation = kernel.runtime().current();
    let serving: Vec<Arc<Plugin>> = generation
        .entries()
        .filter_map(|entry| entry.serving.clone())
        .filter(|plugin| plugin.identity().world == World::SchemaStrategy)
        .collect();
    serving.into_iter().map(|plugin| {
        let identity = plugin.identity();
        let digest = identity.digest.to_hex();
        let version = identity.manifest.as_ref();
        let version = version.map_or("", |manifest| manifest.version.as_str());
        let between = if version.is_empty() { "" } else { "+" };
        let name = format!("{}@{version}{between}{digest:.DIGITS$}", identity.name);
        (name, plugin)
    })
}

/// A strategy as rules see it: a plugin that holds no role.
pub(super) fn strategist(strategy: &str) -> Actor {
    let (name, _) = strategy.split_once('@').unwrap_or((strategy, ""));
    let id = format!("plugin:{name}");
    let told = json!({ "id": id, "kind": "plugin", "name": name });
    Actor {
        name: name.to_owned(),
        roles: Vec::new(),
        permissions: std::collections::BTreeSet::new(),
        facts: format!("\"actor\":{told},\"actor_roles\":[]").into(),
        id,
    }
}

fn question(kind: ActionKind, life: &Life) -> ActionRequest {
    ActionRequest {
        kind,
        input: people::proposal(life),
        context: json!({}),
    }
}

fn policy_of(charter: EvolutionPolicy) -> Policy {
    let mut policy = Policy {
        youngest_ms: charter.settle_ms,
        trial_ms: charter.trial_ms,
        paid_ms: PAID_MS,
        ..Policy::default()
    };
    for (class, of) in [
        (Class::Index, SchemaClass::Index),
        (Class::Rollup, SchemaClass::Rollup),
        (Class::Field, SchemaClass::Field),
        (Class::Alias, SchemaClass::Alias),
        (Class::Archive, SchemaClass::Archive),
        (Class::Link, SchemaClass::Link),
    ] {
        let mode = charter.of(of).map(|freedom| match freedom {
            Freedom::Observe => Mode::Observe,
            Freedom::Suggest => Mode::Suggest,
            Freedom::Auto => Mode::Auto,
        });
        if let Some(mode) = mode {
            policy.modes.insert(class, mode);
        }
    }
    policy.protected = charter.protected;
    policy
}
