//! The machine at its place: effects are carried out on the engine, before the rules and the people, into the journal.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use polity_engine::{Engine, Mutation as Act};
use polity_evolve::{
    Batch, Catalogue, DriveError, Effect, Evolution, Index, Journal, Judge, Life, Mutation, Rollup,
    Verdict, drive,
};

use super::builds::{self, Build, State};
use super::listener::Bell;
use super::surgeon::Surgeon;
use super::{Links, Overseer, Trials, links, translate};
use crate::Now;
use crate::watching::Watching;

/// Everything around the machine.
pub(crate) struct Site {
    pub(crate) engine: Arc<Engine>,
    pub(crate) watching: Arc<Watching>,
    pub(crate) trials: Arc<Trials>,
    pub(crate) links: Arc<Links>,
    pub(crate) bell: Arc<Bell>,
    pub(crate) overseer: Arc<dyn Overseer>,
    pub(crate) now: Now,
}

/// The machine, and what is being built for it.
pub(super) struct Machine {
    pub(super) evolution: Evolution,
    pub(super) builds: VecDeque<Build>,
}

struct Desk<'a>(&'a dyn Overseer);

impl Judge for Desk<'_> {
    fn judge(&mut self, life: &Life) -> Option<Verdict> {
        self.0.judge(life)
    }

    fn ask(&mut self, life: &Life) {
        self.0.ask(life);
    }
}

struct Diary<'a>(&'a dyn Overseer);

impl Journal for Diary<'_> {
    fn store(&mut self, batch: &Batch) -> Result<(), String> {
        let is_empty = *batch == Batch::default();
        if is_empty {
            Ok(())
        } else {
            self.0.store(batch)
        }
    }
}

impl Site {
    pub(super) fn now_ms(&self) -> u64 {
        (self.now)()
    }

    /// Carries effects out, and all that follow.
    pub(super) fn carry_out(
        &self,
        machine: &mut Machine,
        effects: Vec<Effect>,
    ) -> Result<(), DriveError> {
        let mut surgeon = Surgeon {
            engine: &self.engine,
            trials: &self.trials,
            links: &self.links,
            builds: &mut machine.builds,
        };
        drive(
            &mut machine.evolution,
            effects,
            &mut surgeon,
            &mut Desk(&*self.overseer),
            &mut Diary(&*self.overseer),
            self.now_ms(),
        )
    }

    /// Goes on from what is stored, and makes the engine what the history says.
    pub(super) fn resume(&self) -> Result<Machine, String> {
        let saved = self.overseer.load()?;
        self.trials.clear();
        let policy = self.overseer.settings().policy;
        let (evolution, effects) =
            Evolution::resume(policy, saved, self.now_ms()).map_err(|broken| broken.to_string())?;
        let mut machine = Machine {
            evolution,
            builds: VecDeque::new(),
        };
        self.carry_out(&mut machine, effects)
            .map_err(|error| error.to_string())?;
        self.adopt(&mut machine)?;
        self.repair(&mut machine);
        Ok(machine)
    }

    /// What the engine has and history does not: a part that was never shown is dropped, and what answers queries came
    /// with somebody's backup, so it is that person's.
    fn adopt(&self, machine: &mut Machine) -> Result<(), String> {
        let under_way = under_way(&machine.evolution);
        for (mutation, state) in present(&self.engine) {
            let (subject, catalogue) = (mutation.subject(), machine.evolution.catalogue());
            if under_way.contains(&subject) || is_known(catalogue, &subject) {
                continue;
            }
            if state == State::Active {
                let id = self.overseer.new_id();
                let effects = machine
                    .evolution
                    .declared(id, mutation, "backup", self.now_ms());
                if let Ok(effects) = effects {
                    self.carry_out(machine, effects)
                        .map_err(|error| error.to_string())?;
                }
                continue;
            }
            tracing::warn!(subject, "a part of the schema that is nobody's is dropped");
            let dropped = match &mutation {
                Mutation::CreateIndex(index) => {
                    builds::give_up(&self.engine, &translate::drop_index(index))
                }
                Mutation::CreateRollup(rollup) => {
                    builds::give_up(&self.engine, &translate::drop_rollup(rollup))
                }
                _ => Ok(()),
            };
            dropped.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// What history has and the engine does not is built again, where its collection is there.
    fn repair(&self, machine: &mut Machine) {
        let under_way = under_way(&machine.evolution);
        let catalogue = machine.evolution.catalogue();
        let indexes = catalogue.indexes.values().map(|made| {
            let index = made.what.clone();
            (index.name(), translate::create_index(&index))
        });
        let rollups = catalogue.rollups.values().map(|made| {
            let rollup = made.what.clone();
            (rollup.name(), translate::create_rollup(&rollup))
        });
        let mut missing = VecDeque::new();
        for (subject, act) in indexes.chain(rollups) {
            let (false, Ok(act @ (Act::CreateIndex { .. } | Act::CreateRollup { .. }))) =
                (under_way.contains(&subject), act)
            else {
                continue;
            };
            let (Act::CreateIndex { collection, .. } | Act::CreateRollup { collection, .. }) = &act
            else {
                continue;
            };
            if builds::state(&self.engine, collection, &subject) == Some(State::Active) {
                continue;
            }
            // Without its collection or its fields there is nothing to build it of.
            if let Ok((collection, name)) = builds::begin(&self.engine, &act) {
                missing.push_back(Build {
                    life: None,
                    collection,
                    name,
                    busy: Duration::ZERO,
                });
            }
        }
        for made in catalogue.links.values() {
            // Writes that a crash has kept from being carried over are found again.
            let filled = match self
                .engine
                .catalogue()
                .collections
                .get(&made.what.collection)
            {
                Some(_) => links::repair(&self.engine, &made.what).map(drop),
                None => Ok(()),
            };
            let kept = filled.and_then(|()| self.links.keep(&made.what));
            if let Err(error) = kept {
                tracing::warn!(
                    error,
                    target = made.what.target,
                    "a linked collection is not kept up"
                );
            }
        }
        machine.builds.append(&mut missing);
    }
}

fn under_way(evolution: &Evolution) -> BTreeSet<String> {
    evolution
        .lives()
        .map(|life| life.mutation().subject())
        .collect()
}

fn is_known(catalogue: &Catalogue, subject: &str) -> bool {
    catalogue.indexes.contains_key(subject) || catalogue.rollups.contains_key(subject)
}

/// The indexes and rollups that the engine has under the names that history would give them.
fn present(engine: &Engine) -> Vec<(Mutation, State)> {
    let mut found = Vec::new();
    for collection in engine.catalogue().collections.values() {
        for index in &collection.indexes {
            let columns = collection.columns_of(index);
            let what = Index {
                collection: collection.name.clone(),
                fields: columns
                    .iter()
                    .map(|column| crate::shapes::path(column))
                    .collect(),
            };
            if what.name() == index.name {
                found.push((Mutation::CreateIndex(what), State::of(&index.state)));
            }
        }
        for rollup in &collection.rollups {
            if let Some(what) = named(&collection.name, &rollup.name) {
                found.push((Mutation::CreateRollup(what), State::of(&rollup.state)));
            }
        }
    }
    found
}

/// A rollup by the name that history gives it.
fn named(collection: &str, name: &str) -> Option<Rollup> {
    let rest = name.strip_prefix(collection)?.strip_prefix(" by ")?;
    let (group_by, aggregates) = rest.split_once(": ")?;
    let list = |text: &str| text.split(", ").map(str::to_owned).collect();
    let what = Rollup {
        collection: collection.to_owned(),
        group_by: list(group_by),
        aggregates: list(aggregates),
    };
    (what.name() == name).then_some(what)
}
