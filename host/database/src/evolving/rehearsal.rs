//! A round that changes nothing: what strategies would propose now, and what would become of it at the gate.

use polity_evolve::{Admitted, Proposal};
use serde::Serialize;
use serde_json::Value;

use super::evolver::{Evolver, Stalled};
use super::round::{Quotes, observations, stats};
use super::what_if::Asked;

/// What a round would come to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rehearsal {
    /// When.
    pub at_ms: u64,
    /// What would be proposed, strategy by strategy.
    pub proposals: Vec<Rehearsed>,
    /// Strategies that failed, and why.
    pub failed: Vec<(String, String)>,
    /// What strategies asked before they proposed, and what they were told.
    pub asked: Vec<Conversation>,
}

/// What one strategy asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Conversation {
    /// Which.
    pub strategy: String,
    /// Its questions, in their order.
    pub questions: Vec<Asked>,
}

/// One proposal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rehearsed {
    /// Whose.
    pub strategy: String,
    /// What would change, in a line.
    pub summary: String,
    /// Its argument.
    pub argument: String,
    /// The observations that support it.
    pub evidence: Value,
    /// Expected gain in microseconds of query time a day.
    pub benefit_us_per_day: i64,
    /// Expected cost in microseconds of write time a day.
    pub write_cost_us_per_day: i64,
    /// What building would take, in microseconds.
    pub build_us: u64,
    /// What waiting has cost so far, in microseconds: it is built when that is as much as building.
    pub waited_us: u64,
    /// What would become of it.
    #[serde(flatten)]
    pub admitted: Admitted,
    /// `auto`, `suggest` or `observe`: what may become of its class.
    pub mode: polity_evolve::Mode,
}

impl Evolver {
    /// Asks the strategies without consequences: nothing is stored, judged, asked or built.
    ///
    /// # Errors
    /// The journal does not read.
    pub fn rehearse(&self) -> Result<Rehearsal, Stalled> {
        let site = &self.inner.site;
        let (at_ms, policy) = (site.now_ms(), site.overseer.settings().policy);
        let stats = stats(&site.engine, &site.watching);
        let mut evolution = self.inner.read(|evolution, _| evolution.clone())?;
        evolution.set_policy(policy);
        let seen = observations(&site.engine, &stats, &evolution, at_ms).map_err(Stalled)?;
        let catalogue = site.engine.catalogue();
        let quotes = Quotes::new(&stats, &catalogue, at_ms);
        let (mut proposals, mut failed, mut asked) = (Vec::new(), Vec::new(), Vec::new());
        for strategy in site.overseer.strategies() {
            let said = site.overseer.propose(&strategy, &seen);
            let questions = seen.what_if.take_asked();
            if !questions.is_empty() {
                asked.push(Conversation {
                    strategy: strategy.clone(),
                    questions,
                });
            }
            let said = match said {
                Ok(said) => quotes.doable(said),
                Err(why) => {
                    failed.push((strategy, why));
                    continue;
                }
            };
            let (answers, _) = evolution.proposed(
                &strategy,
                said.clone(),
                |mutation| quotes.of(mutation),
                || site.overseer.new_id(),
                at_ms,
            );
            for (proposal, admitted) in said.into_iter().zip(answers) {
                let Proposal { mutation, .. } = &proposal;
                let account = evolution.accounts().get(&mutation.subject());
                proposals.push(Rehearsed {
                    strategy: strategy.clone(),
                    summary: mutation.to_string(),
                    build_us: quotes.of(mutation).unwrap_or_default().build_us,
                    waited_us: account.map_or(0, |account| account.waited_us as u64),
                    mode: evolution.policy().mode(mutation.class()),
                    admitted,
                    argument: proposal.reason,
                    evidence: proposal.evidence,
                    benefit_us_per_day: proposal.benefit_us_per_day,
                    write_cost_us_per_day: proposal.write_cost_us_per_day,
                });
            }
        }
        Ok(Rehearsal {
            at_ms,
            proposals,
            failed,
            asked,
        })
    }
}
