//! The gate: which proposals begin a life.

use serde::Serialize;
use uuid::Uuid;

use crate::account::Account;
use crate::catalogue::Origin;
use crate::evolution::{Effect, Evolution, persist};
use crate::life::{Batch, Life, State};
use crate::mutation::{Mutation, Trial};
use crate::policy::Mode;
use crate::proposal::{Proposal, Quote};

/// Accounts that are kept; those that were idle longest give way.
const ACCOUNTS: usize = 4_096;
const LONGEST_COMPLAINT: usize = 500;

/// What became of a proposal at the gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "admission", rename_all = "snake_case")]
pub enum Admitted {
    /// It goes its way.
    Begun {
        /// Under this id.
        id: Uuid,
    },
    /// It waits until waiting has cost as much as building.
    Waiting,
    /// It is worth it, and the mode is to observe.
    Observed,
    /// It is on its way already.
    UnderWay,
    /// Its collection is too young.
    TooYoung,
    /// It cannot be, and the strategy could have known.
    InVain {
        /// Why.
        reason: String,
    },
    /// The strategy is not listened to, or said too much.
    Unheard,
}

impl Evolution {
    /// A strategy's round: everything it proposes now, best first. `strategy` is its name and version; `quote` is the
    /// engine's own estimate of a mutation, or why there is nothing to make it of; `new_id` makes ids.
    ///
    /// The answers are in the order of the proposals.
    pub fn proposed(
        &mut self,
        strategy: &str,
        proposals: Vec<Proposal>,
        quote: impl Fn(&Mutation) -> Result<Quote, String>,
        mut new_id: impl FnMut() -> Uuid,
        now_ms: u64,
    ) -> (Vec<Admitted>, Vec<Effect>) {
        let muted_until = self
            .standings
            .get(strategy)
            .map_or(0, |standing| standing.muted_until_ms);
        if now_ms < muted_until {
            return (vec![Admitted::Unheard; proposals.len()], Vec::new());
        }
        let most = self.policy.proposals;
        let mut complaint = (proposals.len() > most).then(|| {
            format!(
                "{} proposals in one round; {most} are read",
                proposals.len()
            )
        });
        let mut batch = Batch::default();
        let mut answers = Vec::with_capacity(proposals.len());
        let mut heard = std::collections::BTreeSet::new();
        let mut judge = Vec::new();
        for (at, proposal) in proposals.into_iter().enumerate() {
            if at >= most {
                answers.push(Admitted::Unheard);
                continue;
            }
            let answer = self.admit(strategy, proposal, &quote, &mut new_id, now_ms, &mut heard);
            match &answer {
                Admitted::InVain { reason } => complaint = complaint.or(Some(reason.clone())),
                Admitted::Begun { id } => judge.extend(self.lives.get(id).cloned()),
                _ => {}
            }
            answers.push(answer);
        }
        for (subject, account) in &mut self.accounts {
            if account.strategy == strategy && account.last_ms.is_some() && !heard.contains(subject)
            {
                account.skip();
                heard.insert(subject.clone());
            }
        }
        let policy = self.policy.clone();
        let standing = self.standings.entry(strategy.to_owned()).or_default();
        standing.round(complaint, now_ms, &policy);
        batch
            .standings
            .push((strategy.to_owned(), standing.clone()));
        batch.accounts = heard
            .into_iter()
            .map(|subject| (subject.clone(), self.accounts.get(&subject).cloned()))
            .filter(|(_, account)| account.is_some())
            .collect();
        batch.accounts.extend(self.forget_accounts());
        batch.lives.clone_from(&judge);
        let mut effects = vec![persist(batch)];
        effects.extend(judge.into_iter().map(|life| Effect::Judge(Box::new(life))));
        (answers, effects)
    }

    /// A strategy's round that came to nothing: it failed, or what it said was no proposal. That is asking in vain.
    pub fn complained(&mut self, strategy: &str, complaint: &str, now_ms: u64) -> Vec<Effect> {
        let policy = self.policy.clone();
        let standing = self.standings.entry(strategy.to_owned()).or_default();
        standing.round(Some(shortened(complaint)), now_ms, &policy);
        let standing = standing.clone();
        vec![persist(Batch {
            standings: vec![(strategy.to_owned(), standing)],
            ..Batch::default()
        })]
    }

    fn admit(
        &mut self,
        strategy: &str,
        proposal: Proposal,
        quote: &impl Fn(&Mutation) -> Result<Quote, String>,
        new_id: &mut impl FnMut() -> Uuid,
        now_ms: u64,
        heard: &mut std::collections::BTreeSet<String>,
    ) -> Admitted {
        let proposal = proposal.bounded();
        let subject = proposal.mutation.subject();
        let in_vain = |reason: String| Admitted::InVain { reason };
        if let Err(malformed) = proposal.mutation.check() {
            return in_vain(malformed.to_string());
        }
        if !heard.insert(subject.clone()) {
            return in_vain(format!("{subject} is proposed twice in one round"));
        }
        if self
            .lives
            .values()
            .any(|life| life.mutation().subject() == subject)
        {
            return Admitted::UnderWay;
        }
        if self.policy.protected.contains(&subject) {
            return in_vain(format!("{subject} is protected"));
        }
        let inverse = match self.catalogue.inverse(&proposal.mutation, Origin::Evolved) {
            Ok(inverse) => inverse,
            Err(conflict) => return in_vain(conflict.to_string()),
        };
        let rests_until = self
            .accounts
            .get(&subject)
            .map_or(0, |account| account.quarantined_until_ms);
        if now_ms < rests_until {
            return in_vain(format!(
                "{subject} was taken back or refused and rests until {rests_until}"
            ));
        }
        let quote = match quote(&proposal.mutation) {
            Ok(quote) => quote,
            Err(reason) => return in_vain(reason),
        };
        if quote.collection_age_ms < self.policy.youngest_ms {
            return Admitted::TooYoung;
        }
        let policy = self.policy.clone();
        let account = self.accounts.entry(subject).or_default();
        let worth_it = account.accrue(&proposal, &quote, strategy, now_ms, &policy);
        if proposal.mutation.trial() != Trial::Invariants && !worth_it {
            return Admitted::Waiting;
        }
        if self.policy.mode(proposal.mutation.class()) == Mode::Observe {
            return Admitted::Observed;
        }
        let id = new_id();
        let life = Life {
            id,
            strategy: strategy.to_owned(),
            proposal,
            quote,
            inverse,
            state: State::Proposed,
            proposed_ms: now_ms,
            since_ms: now_ms,
            verdict: None,
            approved_by: None,
            build_ms: None,
            built: None,
            takes_back: None,
        };
        self.lives.insert(id, life);
        Admitted::Begun { id }
    }

    /// Forgets the accounts that were idle longest and hold nothing against their subject.
    fn forget_accounts(&mut self) -> Vec<(String, Option<Account>)> {
        let excess = self.accounts.len().saturating_sub(ACCOUNTS);
        if excess == 0 {
            return Vec::new();
        }
        let mut idle: Vec<(bool, u64, String)> = self
            .accounts
            .iter()
            .map(|(subject, account)| {
                let matters = account.strikes > 0 || account.creations > 0;
                (matters, account.touched_ms, subject.clone())
            })
            .collect();
        idle.sort_unstable();
        idle.truncate(excess);
        idle.into_iter()
            .map(|(_, _, subject)| {
                self.accounts.remove(&subject);
                (subject, None)
            })
            .collect()
    }
}

/// What is remembered of a complaint.
fn shortened(text: &str) -> String {
    text[..text.floor_char_boundary(LONGEST_COMPLAINT)].to_owned()
}
