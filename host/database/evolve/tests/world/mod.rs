//! What the tests of whole lives share: a simulated engine, rules, a disk, and a world that holds them.

#![allow(dead_code, reason = "each test binary takes what it needs")]

use std::collections::BTreeMap;

use polity_evolve::{
    Batch, Built, Catalogue, Effect, Evolution, Field, History, Index, Inverse, Journal, Judge,
    Life, Mutation, Origin, Outcome, Policy, Proposal, Quote, Sample, Saved, Surgery, SurgeryError,
    Verdict, drive,
};
use serde_json::json;
use uuid::Uuid;

pub(crate) const HOUR: u64 = 3_600_000;
pub(crate) const DAY: u64 = 24 * HOUR;

/// An engine that does what it is told and remembers what there is.
#[derive(Clone, Default)]
pub(crate) struct Engine {
    pub(crate) hidden: BTreeMap<String, Mutation>,
    pub(crate) visible: Catalogue,
    pub(crate) fails: Option<&'static str>,
    pub(crate) bytes: u64,
}

impl Engine {
    pub(crate) fn step(&mut self, name: &str) -> Result<(), SurgeryError> {
        match self.fails {
            Some(fails) if fails == name => Err(SurgeryError(format!("cannot {name}"))),
            _ => Ok(()),
        }
    }
}

impl Surgery for Engine {
    fn build(&mut self, _: Uuid, mutation: &Mutation) -> Result<Option<Built>, SurgeryError> {
        self.hidden.insert(mutation.subject(), mutation.clone());
        self.step("build")?;
        Ok(Some(Built {
            bytes: self.bytes,
            build_us: 5,
        }))
    }

    fn interleave(&mut self, _: Uuid, mutation: &Mutation) -> Result<(), SurgeryError> {
        assert!(
            self.hidden.contains_key(&mutation.subject()),
            "only what is built is tried"
        );
        self.step("interleave")
    }

    fn verify(&mut self, _: Uuid, _: &Mutation) -> Result<(), SurgeryError> {
        self.step("verify")
    }

    fn activate(&mut self, _: Uuid, mutation: &Mutation) -> Result<(), SurgeryError> {
        self.step("activate")?;
        self.hidden.remove(&mutation.subject());
        // Told twice, it is there already.
        let _ = self.visible.apply(mutation, Origin::Evolved);
        Ok(())
    }

    fn undo(
        &mut self,
        _: Uuid,
        mutation: &Mutation,
        inverse: &Inverse,
    ) -> Result<(), SurgeryError> {
        self.step("undo")?;
        if self.hidden.remove(&mutation.subject()).is_none() {
            let _ = self.visible.undo(inverse);
        }
        Ok(())
    }
}

pub(crate) struct Rules(pub(crate) Verdict, pub(crate) Vec<Uuid>);

impl Judge for Rules {
    fn judge(&mut self, _: &Life) -> Option<Verdict> {
        Some(self.0.clone())
    }

    fn ask(&mut self, life: &Life) {
        self.1.push(life.id);
    }
}

#[derive(Clone, Default)]
pub(crate) struct Disk(pub(crate) Saved);

impl Journal for Disk {
    fn store(&mut self, batch: &Batch) -> Result<(), String> {
        self.0.store(batch);
        Ok(())
    }
}

pub(crate) struct World {
    pub(crate) evolution: Evolution,
    pub(crate) engine: Engine,
    pub(crate) rules: Rules,
    pub(crate) disk: Disk,
    pub(crate) now: u64,
    pub(crate) ids: u128,
}

impl World {
    pub(crate) fn new(policy: Policy) -> Self {
        World {
            evolution: Evolution::new(policy),
            engine: Engine::default(),
            rules: Rules(Verdict::Allow, Vec::new()),
            disk: Disk::default(),
            now: 10 * DAY,
            ids: 1,
        }
    }

    pub(crate) fn carry_out(&mut self, effects: Vec<Effect>) {
        let World {
            evolution,
            engine,
            rules,
            disk,
            now,
            ..
        } = self;
        drive(evolution, effects, engine, rules, disk, *now).unwrap();
    }

    /// A round of the strategy, an hour after the one before.
    pub(crate) fn round(&mut self, proposals: &[Proposal]) -> Vec<polity_evolve::Admitted> {
        self.now += HOUR;
        let quote = Quote {
            build_us: 1_000,
            collection_age_ms: 30 * DAY,
            collection_bytes: 1 << 30,
        };
        let mut ids = self.ids;
        let (answers, effects) = self.evolution.proposed(
            "hot-query@1",
            proposals.to_vec(),
            |_| Ok(quote),
            || {
                ids += 1;
                Uuid::from_u128(ids)
            },
            self.now,
        );
        self.ids = ids;
        self.carry_out(effects);
        self.tick();
        answers
    }

    pub(crate) fn tick(&mut self) {
        let effects = self.evolution.tick(self.now, 10);
        self.carry_out(effects);
    }

    pub(crate) fn only(&self) -> Life {
        let lives: Vec<_> = self.evolution.lives().cloned().collect();
        assert_eq!(lives.len(), 1, "{lives:?}");
        lives[0].clone()
    }

    /// Runs queries until the trial is over.
    pub(crate) fn try_out(&mut self, with: u64, without: u64) {
        let id = self.only().id;
        for _ in 0..400 {
            let dealt = self.evolution.deal(id, 9);
            let cost = if dealt { with } else { without };
            let effects = self.evolution.sampled(
                id,
                Sample {
                    template: 9,
                    with: dealt,
                    cost,
                },
                self.now,
            );
            self.carry_out(effects);
        }
    }

    pub(crate) fn crash(&mut self) {
        let (evolution, effects) = Evolution::resume(
            self.evolution.policy().clone(),
            self.disk.0.clone(),
            self.now,
        )
        .unwrap();
        self.evolution = evolution;
        self.carry_out(effects);
    }

    pub(crate) fn last(&self) -> Outcome {
        self.evolution
            .history()
            .entries()
            .last()
            .unwrap()
            .outcome
            .clone()
    }

    /// What the machine, the engine, the disk and the history say of the schema is the same.
    #[track_caller]
    pub(crate) fn is_sound(&self) {
        let (_, replayed) = History::verify(self.disk.0.entries.clone()).unwrap();
        assert_eq!(replayed.digest(), self.evolution.catalogue().digest());
        assert_eq!(replayed.digest(), self.engine.visible.digest());
        assert_eq!(
            self.engine.hidden.is_empty(),
            self.evolution.lives().count() == 0
        );
    }
}

pub(crate) fn index(field: &str) -> Mutation {
    Mutation::CreateIndex(Index {
        collection: "orders".to_owned(),
        fields: vec![field.to_owned()],
    })
}

pub(crate) fn drop_index(field: &str) -> Mutation {
    Mutation::DropIndex(Index {
        collection: "orders".to_owned(),
        fields: vec![field.to_owned()],
    })
}

pub(crate) fn promote(path: &str) -> Mutation {
    Mutation::PromoteField(Field {
        collection: "orders".to_owned(),
        path: path.to_owned(),
        schema: json!({"type": "string"}),
    })
}

/// Gains a millisecond an hour.
pub(crate) fn proposal(mutation: Mutation) -> Proposal {
    Proposal {
        mutation,
        reason: "it is asked for a thousand times a day".to_owned(),
        evidence: json!({"calls_per_day": 1_000}),
        benefit_us_per_day: 24_000,
        write_cost_us_per_day: 0,
        storage_bytes: 100,
    }
}
