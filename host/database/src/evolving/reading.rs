//! What people and programs get to see of mutations and strategies.

use polity_evolve::{
    Built, Entry, Inverse, Life, Measured, Mutation, Outcome, Standing, State, Verdict,
};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::evolver::{Evolver, Stalled};
use super::story;

/// One mutation: on its way, or over.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MutationView {
    /// Its identity.
    pub id: Uuid,
    /// `create-index`, `archive-field` and so on.
    pub kind: String,
    /// What it does, in a line.
    pub summary: String,
    /// The collection.
    pub collection: String,
    /// As rules and history have it.
    pub mutation: Mutation,
    /// `proposed`, `asked`, `queued`, `building`, `canary`, `activating`, `undoing`; when it is over `kept`, `reverted` or
    /// `refused`.
    pub state: String,
    /// The same in words.
    pub words: String,
    /// Name and version of the strategy, or the person, behind it.
    pub strategy: String,
    /// Its argument.
    pub reason: String,
    /// The observations that support it.
    pub evidence: Value,
    /// Expected gain in microseconds of query time a day.
    pub benefit_us_per_day: i64,
    /// Expected cost in microseconds of write time a day.
    pub write_cost_us_per_day: i64,
    /// What the rules said.
    pub verdict: Option<Verdict>,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// When it was admitted.
    pub proposed_ms: u64,
    /// When it came to this state.
    pub since_ms: u64,
    /// What building made.
    pub built: Option<Built>,
    /// What the trial measured.
    pub measured: Option<Measured>,
    /// What takes it back.
    pub inverse: Inverse,
    /// The mutation that this one took back.
    pub takes_back: Option<Uuid>,
    /// The mutation that took this one back.
    pub taken_back_by: Option<Uuid>,
    /// Its place in history, when it is over.
    pub seq: Option<u64>,
    /// The hash of the entry before it in history.
    pub parent: Option<String>,
    /// The hash of its entry.
    pub hash: Option<String>,
    /// The whole story, for people.
    pub story: String,
}

/// One strategy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StrategyView {
    /// Name and version.
    pub strategy: String,
    /// Whether it is loaded now.
    pub loaded: bool,
    /// How it has done.
    #[serde(flatten)]
    pub standing: Standing,
    /// Whether a person decides on what it proposes, because more of it was taken back than kept.
    pub doubtful: bool,
}

impl Evolver {
    /// All mutations: those on their way, then history, the newest first.
    ///
    /// # Errors
    /// The journal does not read.
    pub fn mutations(&self) -> Result<Vec<MutationView>, Stalled> {
        self.inner.read(|evolution, _| {
            let entries = evolution.history().entries();
            let mut views: Vec<_> = evolution.lives().map(of_life).collect();
            views.sort_by_key(|view| std::cmp::Reverse(view.since_ms));
            views.extend(entries.iter().rev().map(|entry| of_entry(entry, entries)));
            views
        })
    }

    /// One mutation; none where there is none of this id.
    ///
    /// # Errors
    /// The journal does not read.
    pub fn mutation(&self, id: Uuid) -> Result<Option<MutationView>, Stalled> {
        self.inner.read(|evolution, _| {
            let life = evolution.lives().find(|life| life.id == id).map(of_life);
            let entries = evolution.history().entries();
            life.or_else(|| {
                let entry = evolution.history().find(id)?;
                Some(of_entry(entry, entries))
            })
        })
    }

    /// The strategies that are loaded, and those that have been.
    ///
    /// # Errors
    /// The journal does not read.
    pub fn strategies(&self) -> Result<Vec<StrategyView>, Stalled> {
        let loaded = self.inner.site.overseer.strategies();
        self.inner.read(|evolution, _| {
            let standings = evolution.standings();
            let mut names: Vec<&String> = loaded.iter().chain(standings.keys()).collect();
            names.sort_unstable();
            names.dedup();
            let view = |name: &String| {
                let standing = standings.get(name).cloned().unwrap_or_default();
                StrategyView {
                    strategy: name.clone(),
                    loaded: loaded.contains(name),
                    doubtful: standing.is_doubtful(),
                    standing,
                }
            };
            names.into_iter().map(view).collect()
        })
    }
}

fn of_life(life: &Life) -> MutationView {
    let state = match &life.state {
        State::Proposed => "proposed",
        State::Asked { .. } => "asked",
        State::Queued => "queued",
        State::Building { .. } => "building",
        State::Canary => "canary",
        State::Activating => "activating",
        State::Undoing { .. } => "undoing",
    };
    let proposal = &life.proposal;
    MutationView {
        id: life.id,
        kind: life.mutation().kind().to_owned(),
        summary: life.mutation().to_string(),
        collection: life.mutation().collection().to_owned(),
        mutation: life.mutation().clone(),
        state: state.to_owned(),
        words: story::of_state(&life.state),
        strategy: life.strategy.clone(),
        reason: proposal.reason.clone(),
        evidence: proposal.evidence.clone(),
        benefit_us_per_day: proposal.benefit_us_per_day,
        write_cost_us_per_day: proposal.write_cost_us_per_day,
        verdict: life.verdict.clone(),
        approved_by: life.approved_by.clone(),
        proposed_ms: life.proposed_ms,
        since_ms: life.since_ms,
        built: life.built,
        measured: None,
        inverse: life.inverse.clone(),
        takes_back: life.takes_back,
        taken_back_by: None,
        seq: None,
        parent: None,
        hash: None,
        story: String::new(),
    }
    .told()
}

fn of_entry(entry: &Entry, all: &[Entry]) -> MutationView {
    let state = match &entry.outcome {
        Outcome::Kept => "kept",
        Outcome::Reverted { .. } => "reverted",
        Outcome::Refused { .. } => "refused",
    };
    let mutation = &entry.proposal.mutation;
    let took_back = |other: &&Entry| other.takes_back == Some(entry.id);
    let taken_back_by = all.iter().find(took_back).map(|other| other.id);
    MutationView {
        id: entry.id,
        kind: mutation.kind().to_owned(),
        summary: mutation.to_string(),
        collection: mutation.collection().to_owned(),
        mutation: mutation.clone(),
        state: state.to_owned(),
        words: story::of_outcome(&entry.outcome),
        strategy: entry.strategy.clone(),
        reason: entry.proposal.reason.clone(),
        evidence: entry.proposal.evidence.clone(),
        benefit_us_per_day: entry.proposal.benefit_us_per_day,
        write_cost_us_per_day: entry.proposal.write_cost_us_per_day,
        verdict: entry.verdict.clone(),
        approved_by: entry.approved_by.clone(),
        proposed_ms: entry.proposed_ms,
        since_ms: entry.at_ms,
        built: entry.built,
        measured: entry.measured.clone(),
        inverse: entry.inverse.clone().unwrap_or_else(|| Inverse::Apply {
            mutation: Box::new(mutation.clone()),
        }),
        takes_back: entry.takes_back,
        taken_back_by,
        seq: Some(entry.seq),
        parent: Some(entry.parent.to_string()),
        hash: Some(entry.hash.to_string()),
        story: String::new(),
    }
    .told()
}

impl MutationView {
    fn told(mut self) -> Self {
        self.story = story::tell(&self);
        self
    }
}
