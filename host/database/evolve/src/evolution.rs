//! The machine: facts in, effects out.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::account::Account;
use crate::canary::{Canary, Decision, Sample};
use crate::catalogue::{Catalogue, Inverse, Origin};
use crate::digest::Digest;
use crate::history::{Entry, History, Outcome, Why};
use crate::life::{Batch, Built, Life, State};
use crate::mutation::{Mutation, Trial};
use crate::policy::{Mode, Policy};
use crate::proposal::Verdict;
use crate::strategy::Standing;

const DAY_MS: u64 = 86_400_000;
/// Every index is worth this much space, however small the collection.
const SMALL_BYTES: u64 = 1 << 20;
/// How many times the usual time a trial may wait for queries.
const LONGEST_TRIAL: u64 = 4;
/// An undoing that failed is tried again after this.
const RETRY_MS: u64 = 60_000;

/// What to do next, in this order. Each may be told twice; doing it again must come to the same.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Store this, all or nothing. If that fails, nothing that follows may be done: throw the machine away and
    /// [`Evolution::resume`] from what is stored.
    Persist(Box<Batch>),
    /// Ask the rules, on the action `schema.<kind>`; answer with [`Evolution::judged`].
    Judge(Box<Life>),
    /// Ask a person; answer with [`Evolution::answered`].
    Ask(Box<Life>),
    /// Build it hidden and throttled, from the start whatever there is of it; answer with [`Evolution::built`] or
    /// [`Evolution::failed`].
    Build(Uuid, Mutation),
    /// Run affected queries with and without it as [`Evolution::deal`] says; answer with [`Evolution::sampled`].
    Interleave(Uuid, Mutation),
    /// Check that documents say the same with and without it, and that taking it back gives what was; answer with
    /// [`Evolution::verified`] or [`Evolution::failed`].
    Verify(Uuid, Mutation),
    /// Make it visible; answer with [`Evolution::activated`] or [`Evolution::failed`].
    Activate(Uuid, Mutation),
    /// Take back whatever there is of it; answer with [`Evolution::undone`].
    Undo(Uuid, Mutation, Inverse),
}

/// A fact that does not fit where the mutation is: it came late, or twice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("mutation {id} is not {expected}; nothing was changed")]
pub struct OutOfTurn {
    /// The mutation.
    pub id: Uuid,
    /// What it would have to be.
    pub expected: &'static str,
}

/// All mutations that are on their way, and what is remembered of those that are over.
#[derive(Clone, Debug)]
pub struct Evolution {
    pub(crate) policy: Policy,
    pub(crate) catalogue: Catalogue,
    pub(crate) history: History,
    pub(crate) lives: BTreeMap<Uuid, Life>,
    pub(crate) trials: BTreeMap<Uuid, Canary>,
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) standings: BTreeMap<String, Standing>,
}

impl Evolution {
    /// A database to which nothing has happened yet.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            catalogue: Catalogue::default(),
            history: History::default(),
            lives: BTreeMap::new(),
            trials: BTreeMap::new(),
            accounts: BTreeMap::new(),
            standings: BTreeMap::new(),
        }
    }

    /// The schema as it is.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// What has been.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Mutations on their way, in the order of their ids.
    pub fn lives(&self) -> impl Iterator<Item = &Life> {
        self.lives.values()
    }

    /// What waiting has cost, by subject: in mode `observe` this is what would be made.
    pub fn accounts(&self) -> &BTreeMap<String, Account> {
        &self.accounts
    }

    /// How strategies have done.
    pub fn standings(&self) -> &BTreeMap<String, Standing> {
        &self.standings
    }

    /// The rules in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Puts other rules in force, for steps from now on.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// The rules have spoken.
    ///
    /// # Errors
    /// The mutation does not wait for them.
    pub fn judged(
        &mut self,
        id: Uuid,
        verdict: Verdict,
        now_ms: u64,
    ) -> Result<Vec<Effect>, OutOfTurn> {
        let mut life = self.take(id, "waiting for the rules", |s| *s == State::Proposed)?;
        life.verdict = Some(verdict.clone());
        let doubtful = self
            .standings
            .get(&life.strategy)
            .is_some_and(Standing::is_doubtful);
        let strikes = self
            .accounts
            .get(&life.mutation().subject())
            .map_or(0, |account| account.strikes);
        let mode = self.policy.mode(life.mutation().class());
        let ask = match verdict {
            Verdict::Deny { reason } => {
                return Ok(self.refuse(life, "rules", &reason, now_ms));
            }
            Verdict::Escalate { reason } => Some(reason),
            Verdict::Allow if mode != Mode::Auto => {
                Some("mutations of this class are decided by a person".to_owned())
            }
            Verdict::Allow if doubtful => Some(format!(
                "more of what {} proposed was taken back than kept",
                life.strategy
            )),
            Verdict::Allow if strikes >= self.policy.strikes => {
                Some(format!("it was taken back or refused {strikes} times"))
            }
            Verdict::Allow => None,
        };
        match ask {
            Some(reason) => {
                let life = self.enter(life, State::Asked { reason }, now_ms);
                Ok(vec![persist_life(&life), Effect::Ask(Box::new(life))])
            }
            None => Ok(vec![persist_life(&self.enter(life, State::Queued, now_ms))]),
        }
    }

    /// A person has decided, or the time to decide is over.
    ///
    /// # Errors
    /// The mutation does not wait for a person.
    pub fn answered(
        &mut self,
        id: Uuid,
        approved: bool,
        by: &str,
        note: &str,
        now_ms: u64,
    ) -> Result<Vec<Effect>, OutOfTurn> {
        let mut life = self.take(id, "waiting for a person", |state| {
            matches!(state, State::Asked { .. })
        })?;
        if !approved {
            return Ok(self.refuse(life, by, note, now_ms));
        }
        life.approved_by = Some(by.to_owned());
        Ok(vec![persist_life(&self.enter(life, State::Queued, now_ms))])
    }

    /// Time has passed: begins what may begin, ends trials that are over. `load_percent` is how busy the machine is.
    pub fn tick(&mut self, now_ms: u64, load_percent: u8) -> Vec<Effect> {
        let mut effects = Vec::new();
        for id in self.trials.keys().copied().collect::<Vec<_>>() {
            let (Some(life), Some(trial)) = (self.lives.get(&id), self.trials.get(&id)) else {
                continue;
            };
            if life.state == State::Canary && self.is_over(life, trial, now_ms) {
                let decision = trial.conclude();
                effects.extend(self.decided(id, decision, now_ms));
            }
        }
        let stuck: Vec<Life> = self
            .lives
            .values()
            .filter(|life| {
                matches!(life.state, State::Undoing { .. })
                    && now_ms.saturating_sub(life.since_ms) >= RETRY_MS
            })
            .cloned()
            .collect();
        for life in stuck {
            let state = life.state.clone();
            let life = self.enter(life, state, now_ms);
            effects.push(undo(&life));
        }
        effects.extend(self.drop_moot(now_ms));
        if load_percent <= self.policy.busiest_percent {
            effects.extend(self.begin(now_ms));
        }
        effects
    }

    /// It is built.
    ///
    /// # Errors
    /// The mutation is not being built.
    pub fn built(&mut self, id: Uuid, built: Built, now_ms: u64) -> Result<Vec<Effect>, OutOfTurn> {
        let mut life = self.take(id, "being built", |state| {
            matches!(state, State::Building { .. })
        })?;
        life.built = Some(built);
        let share = life.quote.collection_bytes / 100 * self.policy.largest_percent;
        let allowed = share.max(SMALL_BYTES);
        if life.mutation().trial() == Trial::Gain && built.bytes > allowed {
            let bytes = built.bytes;
            return Ok(self.undo(life, Why::TooLarge { bytes, allowed }, now_ms));
        }
        let life = self.enter(life, State::Canary, now_ms);
        let mut effects = vec![persist_life(&life)];
        effects.push(self.start_trial(&life));
        Ok(effects)
    }

    /// Whether the next run of a query that the mutation affects is to be made with it. After the trial it is not.
    pub fn deal(&mut self, id: Uuid, template: u64) -> bool {
        self.trials
            .get_mut(&id)
            .is_some_and(|trial| trial.deal(template))
    }

    /// A run ended. Samples that come after the trial are of no interest, and no error.
    pub fn sampled(&mut self, id: Uuid, sample: Sample, now_ms: u64) -> Vec<Effect> {
        let Some(trial) = self.trials.get_mut(&id) else {
            return Vec::new();
        };
        match trial.add(sample) {
            Decision::Continue => Vec::new(),
            decision => self.decided(id, decision, now_ms),
        }
    }

    /// Writes took this much longer because of it.
    pub fn upkeep(&mut self, id: Uuid, us: u64) {
        if let Some(trial) = self.trials.get_mut(&id) {
            trial.add_upkeep(us);
        }
    }

    /// Documents say the same with and without it.
    ///
    /// # Errors
    /// The mutation is not on trial.
    pub fn verified(&mut self, id: Uuid, now_ms: u64) -> Result<Vec<Effect>, OutOfTurn> {
        let life = self.take(id, "on trial", |state| *state == State::Canary)?;
        Ok(self.activate(life, now_ms))
    }

    /// The engine could not do it.
    ///
    /// # Errors
    /// The engine was not at it.
    pub fn failed(
        &mut self,
        id: Uuid,
        reason: &str,
        now_ms: u64,
    ) -> Result<Vec<Effect>, OutOfTurn> {
        let life = self.take(id, "in the engine's hands", |state| {
            matches!(
                state,
                State::Building { .. } | State::Canary | State::Activating
            )
        })?;
        let reason = reason.to_owned();
        Ok(self.undo(life, Why::Failed { reason }, now_ms))
    }

    /// It is visible.
    ///
    /// # Errors
    /// The mutation was not becoming visible.
    pub fn activated(&mut self, id: Uuid, now_ms: u64) -> Result<Vec<Effect>, OutOfTurn> {
        let life = self.take(id, "becoming visible", |state| *state == State::Activating)?;
        let measured = self.trials.remove(&id).map(|trial| trial.measured());
        match self.catalogue.apply(life.mutation(), Origin::Evolved) {
            Ok(inverse) => {
                let life = Life { inverse, ..life };
                let created = life.mutation().trial() == Trial::Gain;
                let account = self.account(&life);
                account.settle(created, now_ms);
                let standing = self.standings.entry(life.strategy.clone()).or_default();
                standing.kept = standing.kept.saturating_add(1);
                Ok(self.over(&life, Outcome::Kept, measured, now_ms))
            }
            Err(conflict) => {
                let reason = conflict.to_string();
                Ok(self.undo(life, Why::Conflict { reason }, now_ms))
            }
        }
    }

    /// Nothing of it is left.
    ///
    /// # Errors
    /// The mutation was not being taken back.
    pub fn undone(&mut self, id: Uuid, now_ms: u64) -> Result<Vec<Effect>, OutOfTurn> {
        let life = self.take(id, "being taken back", |state| {
            matches!(state, State::Undoing { .. })
        })?;
        let State::Undoing { why } = life.state.clone() else {
            return Ok(Vec::new());
        };
        let measured = self.trials.remove(&id).map(|trial| trial.measured());
        if life.takes_back.is_some() {
            // What was kept is part of the schema until here. The way back was open when the person asked; if it has
            // closed since, the catalogue stays and so does the engine: undoing is repeated until it opens.
            if self.catalogue.undo(&life.inverse).is_err() {
                self.lives.insert(id, life);
                return Ok(Vec::new());
            }
        }
        let policy = self.policy.clone();
        if life.mutation().is_drop() {
            self.account(&life).spare(now_ms, &policy);
        } else {
            self.account(&life).strike(now_ms, &policy);
        }
        let by_person = matches!(why, Why::Person { .. });
        let standing = self.standings.entry(life.strategy.clone()).or_default();
        standing.reverted = standing.reverted.saturating_add(u32::from(!by_person));
        Ok(self.over(&life, Outcome::Reverted { why }, measured, now_ms))
    }

    /// A trial that nothing has come to use is given more time, while keeping what is built has cost less than building
    /// it again would: the load that asked for it may come back tomorrow.
    fn is_over(&self, life: &Life, trial: &Canary, now_ms: u64) -> bool {
        let passed = now_ms.saturating_sub(life.since_ms);
        let build_us = life.built.map_or(0, |built| built.build_us);
        let may_wait = trial.is_untried()
            && life.mutation().trial() == Trial::Gain
            && trial.measured().upkeep_us < build_us as f64
            && passed < self.policy.trial_ms.saturating_mul(LONGEST_TRIAL);
        passed >= self.policy.trial_ms && !may_wait
    }

    pub(crate) fn start_trial(&mut self, life: &Life) -> Effect {
        let mutation = life.mutation().clone();
        match mutation.trial() {
            Trial::Invariants => Effect::Verify(life.id, mutation),
            trial => {
                let (high, low) = life.id.as_u64_pair();
                self.trials.insert(life.id, Canary::new(trial, high ^ low));
                Effect::Interleave(life.id, mutation)
            }
        }
    }

    /// Begins to build what is worth most, as far as there is room.
    fn begin(&mut self, now_ms: u64) -> Vec<Effect> {
        let mut effects = Vec::new();
        loop {
            let busy = self
                .lives
                .values()
                .filter(|life| life.is_in_surgery() && !life.mutation().is_light())
                .count();
            let full = busy >= self.policy.concurrent_builds
                || self.built_since(now_ms) >= self.policy.builds_per_day;
            let next = self
                .lives
                .values()
                .filter(|life| life.state == State::Queued)
                .filter(|life| !full || life.mutation().is_light())
                .max_by_key(|life| (life.proposal.net_us_per_day(), std::cmp::Reverse(life.id)));
            let Some(id) = next.map(|life| life.id) else {
                return effects;
            };
            let Some(mut life) = self.lives.remove(&id) else {
                return effects;
            };
            // The schema may have changed since it was proposed.
            match self.catalogue.inverse(life.mutation(), Origin::Evolved) {
                Ok(inverse) => life.inverse = inverse,
                Err(conflict) => {
                    effects.extend(self.refuse(life, "catalogue", &conflict.to_string(), now_ms));
                    continue;
                }
            }
            life.build_ms = Some(now_ms);
            let life = self.enter(life, State::Building { attempt: 1 }, now_ms);
            effects.push(persist_life(&life));
            effects.push(Effect::Build(id, life.mutation().clone()));
        }
    }

    /// Ends what a person is still asked about although the schema has changed, so that it cannot be made any more.
    fn drop_moot(&mut self, now_ms: u64) -> Vec<Effect> {
        let moot = |life: &&Life| {
            matches!(life.state, State::Asked { .. })
                && self
                    .catalogue
                    .inverse(life.mutation(), Origin::Evolved)
                    .is_err()
        };
        let moot: Vec<Uuid> = self.lives.values().filter(moot).map(|l| l.id).collect();
        let mut effects = Vec::new();
        for life in moot {
            let Some(life) = self.lives.remove(&life) else {
                continue;
            };
            if let Err(conflict) = self.catalogue.inverse(life.mutation(), Origin::Evolved) {
                effects.extend(self.refuse(life, "catalogue", &conflict.to_string(), now_ms));
            }
        }
        effects
    }

    /// Builds of indexes and rollups in the last day; what only changes the catalogue costs nothing.
    fn built_since(&self, now_ms: u64) -> usize {
        let recent = |mutation: &Mutation, at: Option<u64>| {
            mutation.trial() == Trial::Gain
                && at.is_some_and(|at| now_ms.saturating_sub(at) < DAY_MS)
        };
        let over = self
            .history
            .entries()
            .iter()
            .rev()
            .take(1_000)
            .filter(|entry| recent(&entry.proposal.mutation, entry.build_ms));
        let under_way = self
            .lives
            .values()
            .filter(|life| recent(life.mutation(), life.build_ms));
        over.count() + under_way.count()
    }

    fn decided(&mut self, id: Uuid, decision: Decision, now_ms: u64) -> Vec<Effect> {
        let Ok(life) = self.take(id, "on trial", |state| *state == State::Canary) else {
            return Vec::new();
        };
        match decision {
            Decision::Keep => self.activate(life, now_ms),
            decision => self.undo(life, Why::Trial { decision }, now_ms),
        }
    }

    fn activate(&mut self, life: Life, now_ms: u64) -> Vec<Effect> {
        let life = self.enter(life, State::Activating, now_ms);
        let mutation = life.mutation().clone();
        vec![persist_life(&life), Effect::Activate(life.id, mutation)]
    }

    pub(crate) fn undo(&mut self, life: Life, why: Why, now_ms: u64) -> Vec<Effect> {
        let life = self.enter(life, State::Undoing { why }, now_ms);
        vec![persist_life(&life), undo(&life)]
    }

    pub(crate) fn refuse(
        &mut self,
        life: Life,
        by: &str,
        reason: &str,
        now_ms: u64,
    ) -> Vec<Effect> {
        let policy = self.policy.clone();
        self.account(&life).strike(now_ms, &policy);
        let outcome = Outcome::Refused {
            by: by.to_owned(),
            reason: reason.to_owned(),
        };
        self.over(&life, outcome, None, now_ms)
    }

    fn over(
        &mut self,
        life: &Life,
        outcome: Outcome,
        measured: Option<crate::Measured>,
        now_ms: u64,
    ) -> Vec<Effect> {
        self.lives.remove(&life.id);
        let mut entry = self.unchained(life, outcome, Origin::Evolved, now_ms);
        entry.measured = measured;
        let entry = self.history.append(entry);
        let subject = life.mutation().subject();
        let account = self.accounts.get(&subject).cloned();
        let standing = self.standings.get(&life.strategy).cloned();
        vec![persist(Batch {
            over: vec![life.id],
            entries: vec![entry],
            accounts: vec![(subject, account)],
            standings: standing
                .into_iter()
                .map(|standing| (life.strategy.clone(), standing))
                .collect(),
            ..Batch::default()
        })]
    }

    pub(crate) fn entry(
        &mut self,
        life: &Life,
        outcome: Outcome,
        origin: Origin,
        now_ms: u64,
    ) -> Entry {
        let entry = self.unchained(life, outcome, origin, now_ms);
        self.history.append(entry)
    }

    fn unchained(&self, life: &Life, outcome: Outcome, origin: Origin, now_ms: u64) -> Entry {
        Entry {
            seq: 0,
            parent: Digest::default(),
            hash: Digest::default(),
            id: life.id,
            at_ms: now_ms,
            proposed_ms: life.proposed_ms,
            build_ms: life.build_ms,
            strategy: life.strategy.clone(),
            origin,
            proposal: life.proposal.clone(),
            verdict: life.verdict.clone(),
            approved_by: life.approved_by.clone(),
            built: life.built,
            measured: None,
            inverse: Some(life.inverse.clone()),
            takes_back: life.takes_back,
            outcome,
        }
    }

    fn account(&mut self, life: &Life) -> &mut Account {
        self.accounts.entry(life.mutation().subject()).or_default()
    }

    fn take(
        &mut self,
        id: Uuid,
        expected: &'static str,
        is: impl Fn(&State) -> bool,
    ) -> Result<Life, OutOfTurn> {
        match self.lives.get(&id) {
            Some(life) if is(&life.state) => self.lives.remove(&id),
            _ => None,
        }
        .ok_or(OutOfTurn { id, expected })
    }

    pub(crate) fn enter(&mut self, mut life: Life, state: State, now_ms: u64) -> Life {
        life.state = state;
        life.since_ms = now_ms;
        self.lives.insert(life.id, life.clone());
        life
    }
}

pub(crate) fn undo(life: &Life) -> Effect {
    Effect::Undo(life.id, life.mutation().clone(), life.inverse.clone())
}

pub(crate) fn persist(batch: Batch) -> Effect {
    Effect::Persist(Box::new(batch))
}

pub(crate) fn persist_life(life: &Life) -> Effect {
    persist(Batch {
        lives: vec![life.clone()],
        ..Batch::default()
    })
}
