//! The hands: mutations on the engine. Every step may be told twice, before and after a crash.

use std::collections::VecDeque;
use std::time::Instant;

use polity_engine::{Engine, FieldState, Mutation as Act};
use polity_evolve::{Built, Inverse, Mutation, Surgery, SurgeryError};
use uuid::Uuid;

use super::builds::{self, Build, STEP};
use super::{Links, Trials, links, translate, verify};

/// An engine under change.
pub(super) struct Surgeon<'a> {
    pub(super) engine: &'a Engine,
    pub(super) trials: &'a Trials,
    pub(super) links: &'a Links,
    /// What is built goes on after this returns, with rests, while others work.
    pub(super) builds: &'a mut VecDeque<Build>,
}

fn failed(error: impl std::fmt::Display) -> SurgeryError {
    SurgeryError(error.to_string())
}

impl Surgeon<'_> {
    fn begin(&mut self, id: Uuid, act: &Act) -> Result<Option<Built>, SurgeryError> {
        let (collection, name) = builds::begin(self.engine, act).map_err(failed)?;
        self.builds.retain(|build| build.life != Some(id));
        self.builds.push_back(Build {
            life: Some(id),
            collection,
            name,
            busy: std::time::Duration::ZERO,
        });
        Ok(None)
    }

    fn apply(&self, act: &Act) -> Result<(), SurgeryError> {
        self.engine.apply(act).map(drop).map_err(failed)
    }

    /// Makes it again where it was given up, and shows it.
    fn bring_back(&self, act: &Act) -> Result<(), SurgeryError> {
        let (collection, name) = builds::begin(self.engine, act).map_err(failed)?;
        loop {
            let step = self.engine.build_step(&collection, &name, STEP);
            if step.map_err(failed)?.complete {
                break;
            }
            std::thread::sleep(builds::REST);
        }
        let shown = self.engine.publish(&collection, &name, true);
        shown.map_err(failed)
    }
}

impl Surgery for Surgeon<'_> {
    fn build(&mut self, id: Uuid, mutation: &Mutation) -> Result<Option<Built>, SurgeryError> {
        match mutation {
            Mutation::CreateIndex(index) => {
                let act = translate::create_index(index).map_err(failed)?;
                self.begin(id, &act)
            }
            Mutation::CreateRollup(rollup) => {
                let act = translate::create_rollup(rollup).map_err(failed)?;
                self.begin(id, &act)
            }
            Mutation::LinkCollection(link) => {
                let begun = Instant::now();
                links::build(self.engine, link).map_err(failed)?;
                Ok(Some(Built {
                    bytes: 0,
                    build_us: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
                }))
            }
            // The catalogue alone changes.
            _ => Ok(Some(Built::default())),
        }
    }

    fn interleave(&mut self, id: Uuid, mutation: &Mutation) -> Result<(), SurgeryError> {
        let (collection, name) = (mutation.collection(), mutation.subject());
        if builds::state(self.engine, collection, &name).is_none() {
            return Err(SurgeryError(format!("{name} is not there")));
        }
        self.trials.begin(id, mutation);
        Ok(())
    }

    fn verify(&mut self, _: Uuid, mutation: &Mutation) -> Result<(), SurgeryError> {
        match mutation {
            // What is written meanwhile has to be there as well.
            Mutation::LinkCollection(link) => {
                self.links.keep(link).map_err(SurgeryError)?;
                links::build(self.engine, link)
                    .and_then(|_| links::verify(self.engine, link))
                    .inspect_err(|_| self.links.give_up(link))
                    .map_err(SurgeryError)
            }
            other => verify::verify(self.engine, other).map_err(SurgeryError),
        }
    }

    fn activate(&mut self, id: Uuid, mutation: &Mutation) -> Result<(), SurgeryError> {
        self.trials.end(id);
        match mutation {
            Mutation::CreateIndex(_) | Mutation::CreateRollup(_) => {
                let (collection, name) = (mutation.collection(), mutation.subject());
                let shown = self.engine.publish(collection, &name, true);
                shown.map_err(failed)
            }
            Mutation::DropIndex(index) => {
                builds::give_up(self.engine, &translate::drop_index(index)).map_err(failed)
            }
            Mutation::DropRollup(rollup) => {
                builds::give_up(self.engine, &translate::drop_rollup(rollup)).map_err(failed)
            }
            Mutation::LinkCollection(link) => self.links.keep(link).map_err(failed),
            other => match verify::act(self.engine, other).map_err(failed)? {
                Some(act) => self.apply(&act),
                None => Ok(()),
            },
        }
    }

    fn undo(&mut self, id: Uuid, _: &Mutation, inverse: &Inverse) -> Result<(), SurgeryError> {
        self.trials.end(id);
        self.builds.retain(|build| build.life != Some(id));
        let catalogue = self.engine.catalogue();
        let is_known = |collection: &str| catalogue.collections.contains_key(collection);
        match inverse {
            Inverse::Apply { mutation } if !is_known(mutation.collection()) => Ok(()),
            Inverse::Apply { mutation } => match &**mutation {
                Mutation::CreateIndex(index) => {
                    self.bring_back(&translate::create_index(index).map_err(failed)?)
                }
                Mutation::CreateRollup(rollup) => {
                    self.bring_back(&translate::create_rollup(rollup).map_err(failed)?)
                }
                other => self.activate(id, other),
            },
            Inverse::DemoteField { field, .. } if is_known(&field.collection) => {
                let act = translate::set_state(field, FieldState::Emergent);
                self.apply(&act.map_err(failed)?)
            }
            Inverse::DropAlias { alias } if is_known(&alias.collection) => {
                match verify::drop_alias(self.engine, alias).map_err(failed)? {
                    Some(act) => self.apply(&act),
                    None => Ok(()),
                }
            }
            Inverse::MergeCollection { link } => {
                self.links.give_up(link);
                links::undo(self.engine, link).map_err(failed)
            }
            // Its type is what its values have in common, and these have not changed.
            Inverse::NarrowField { .. }
            | Inverse::DemoteField { .. }
            | Inverse::DropAlias { .. } => Ok(()),
        }
    }
}
