//! After a crash: what was under way is done again, or undone.
//!
//! What is stored is always the state that the last step led *to*, before the step was made. So a stored state means
//! that its work may or may not have been done, and each state has one answer to that.

use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::evolution::{Effect, Evolution, persist_life, undo};
use crate::history::{Broken, Entry, History, Why};
use crate::life::{Batch, Life, State};
use crate::policy::Policy;
use crate::strategy::Standing;

/// Everything that batches have stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// Mutations on their way.
    pub lives: Vec<Life>,
    /// History, in order.
    pub entries: Vec<Entry>,
    /// Accounts by subject.
    pub accounts: Vec<(String, Account)>,
    /// Standings by strategy.
    pub standings: Vec<(String, Standing)>,
}

impl Saved {
    /// What is stored after a batch: for journals that keep it in memory, and to say what a batch means.
    pub fn store(&mut self, batch: &Batch) {
        let gone = |life: &Life| {
            batch.over.contains(&life.id) || batch.lives.iter().any(|new| new.id == life.id)
        };
        self.lives.retain(|life| !gone(life));
        self.lives.extend(batch.lives.iter().cloned());
        self.entries.extend(batch.entries.iter().cloned());
        for (subject, account) in &batch.accounts {
            self.accounts.retain(|(known, _)| known != subject);
            self.accounts.extend(
                account
                    .iter()
                    .map(|account| (subject.clone(), account.clone())),
            );
        }
        for (strategy, standing) in &batch.standings {
            self.standings.retain(|(known, _)| known != strategy);
            self.standings.push((strategy.clone(), standing.clone()));
        }
    }
}

impl Evolution {
    /// Goes on from what is stored. The effects bring the engine to where the mutations are.
    ///
    /// # Errors
    /// The history was altered. Nothing may change the schema until a person has looked.
    pub fn resume(
        policy: Policy,
        saved: Saved,
        now_ms: u64,
    ) -> Result<(Self, Vec<Effect>), Broken> {
        let (history, catalogue) = History::verify(saved.entries)?;
        let mut evolution = Self::new(policy);
        evolution.history = history;
        evolution.catalogue = catalogue;
        evolution.accounts = saved.accounts.into_iter().collect();
        evolution.standings = saved.standings.into_iter().collect();
        evolution.lives = saved
            .lives
            .into_iter()
            .map(|life| (life.id, life))
            .collect();
        let ids: Vec<_> = evolution.lives.keys().copied().collect();
        let mut effects = Vec::new();
        for id in ids {
            if let Some(life) = evolution.lives.get(&id).cloned() {
                effects.extend(evolution.again(life, now_ms));
            }
        }
        Ok((evolution, effects))
    }

    fn again(&mut self, life: Life, now_ms: u64) -> Vec<Effect> {
        match life.state {
            State::Proposed => vec![Effect::Judge(Box::new(life))],
            State::Asked { .. } => vec![Effect::Ask(Box::new(life))],
            State::Queued => Vec::new(),
            // Perhaps the build is what ended the process.
            State::Building { attempt } if attempt >= self.policy.attempts => {
                self.undo(life, Why::Crashed, now_ms)
            }
            State::Building { attempt } => {
                let attempt = attempt + 1;
                let life = self.enter(life, State::Building { attempt }, now_ms);
                let mutation = life.mutation().clone();
                vec![persist_life(&life), Effect::Build(life.id, mutation)]
            }
            // Samples are not stored: a trial of thirty pairs is sooner made again than kept on disk. Its deadline
            // stays, so that a process that restarts often does not try for ever.
            State::Canary => vec![self.start_trial(&life)],
            State::Activating => vec![Effect::Activate(life.id, life.mutation().clone())],
            State::Undoing { .. } => vec![undo(&life)],
        }
    }
}
