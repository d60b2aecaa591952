//! A trial by interleaving: each run of an affected query is made with or without the mutation, and the two are
//! compared pair by pair.
//!
//! Comparing before with after keeps useless indexes in a quarter of all cases, because load drifts meanwhile. Runs
//! are dealt in pairs, one with and one without in an order that a seed decides; what drifts slower than a pair cancels.
//!
//! # Error rates, by construction
//!
//! Let the effect be the ratio of a run's cost with the mutation to its cost without.
//!
//! - *A harmful mutation is taken back within 60 runs with at least 97 %.* The burden of proof is the mutation's: after
//!   30 pairs it stays in the trial only if an effect of [`HARM`] or worse is refuted at the level
//!   [`NOT_HARMLESS`] = 3 %. The test is exact for any noise that is symmetric within pairs, so an effect of 1.1 passes
//!   with 3 % at most, a worse one more rarely.
//! - *A good mutation is taken back with at most 2 %*, where good means that the trial has the power to see it: its
//!   effect on the logarithm is at least 4.1 standard errors of 30 pairs past [`HARM`] (1.88 for the level, 2.05 for
//!   the 2 %, the rest for rank loss). With noise of σ = 0.3 a run, a standard error is 0.3·√(2/30) = 0.077 and good is
//!   an effect of 0.8; pauses in one run of fifty move that to 0.7 (measured: 0.3 %). With σ = 0.6 and the same pauses
//!   an effect of 0.5 is taken back in 1 % of all trials.
//! - *A useless one is not kept*: keeping takes an effect of [`USEFUL`] or below and a refuted zero at 0.2 %, at looks
//!   that are ten pairs apart. What is neither is looked at again until 200 pairs or the deadline, and then taken back.
//! - *Obvious harm ends at once*: from 10 pairs on, an effect above [`HARM`] that refutes zero at 0.1 %.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::mutation::Trial;
use crate::signed_rank::{above, below, median, middle};

/// An effect from here on is harm: a tenth slower.
pub const HARM: f64 = 1.1;
/// An effect up to here is worth an index: a fifth faster.
pub const USEFUL: f64 = 0.8;
/// How rarely harm may look harmless.
pub const NOT_HARMLESS: f64 = 0.03;

const PROVEN: f64 = 0.002;
const SUFFERS: f64 = 0.005;
const OBVIOUS: f64 = 0.001;
const FIRST_LOOK: usize = 10;
const VERDICT: usize = 30;
const LAST_LOOK: usize = 200;
/// Runs that wait for their partner; more are in flight only if some never end.
const WAITING: usize = 64;
const TEMPLATES: usize = 64;

/// One measured run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The fingerprint of the query.
    pub template: u64,
    /// Whether it was made with the mutation.
    pub with: bool,
    /// What it cost: microseconds, or a count of work; less is better, and both sides have to mean the same.
    pub cost: u64,
}

/// What a trial has come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Pairs of runs.
    pub pairs: usize,
    /// Cost with, divided by cost without; the typical pair's.
    pub effect: f64,
    /// How likely such pairs are if there was no gain.
    pub p_gain: f64,
    /// How likely such pairs are if there was no harm.
    pub p_harm: f64,
    /// What all runs so far would have saved.
    pub saved_us: f64,
    /// What writes have cost meanwhile.
    pub upkeep_us: f64,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Go on measuring.
    Continue,
    /// Keep it.
    Keep,
    /// Take it back: queries are slower.
    Harmful,
    /// Take it back: it was not shown to be harmless in time.
    NotHarmless,
    /// Take it back: writes cost more than queries save.
    NotWorthIt,
    /// Take it back: it makes no difference.
    Useless,
    /// Take it back: hardly any query ran.
    Unused,
}

/// A trial under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Canary {
    seed: u64,
    trial: Trial,
    templates: BTreeMap<u64, Template>,
    /// Logarithms of the ratios, in the order that pairs were completed.
    differences: Vec<f64>,
    without: Vec<f64>,
    upkeep_us: f64,
    /// What writes have cost more between one pair and the next.
    upkeeps: Vec<f64>,
    /// The upkeep that the last pair had seen.
    seen_upkeep_us: f64,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Template {
    dealt: u64,
    with: VecDeque<u64>,
    without: VecDeque<u64>,
    differences: Vec<f64>,
}

impl Canary {
    /// Begins a trial. The seed decides who goes first in each pair.
    pub fn new(trial: Trial, seed: u64) -> Self {
        Self {
            seed,
            trial,
            templates: BTreeMap::new(),
            differences: Vec::new(),
            without: Vec::new(),
            upkeep_us: 0.0,
            upkeeps: Vec::new(),
            seen_upkeep_us: 0.0,
        }
    }

    /// Whether the next run of a query is to be made with the mutation.
    pub fn deal(&mut self, template: u64) -> bool {
        let Some(known) = self.template(template) else {
            return false;
        };
        let dealt = known.dealt;
        known.dealt += 1;
        let coin = mix(self.seed ^ mix(template) ^ (dealt / 2)) & 1;
        (coin ^ (dealt & 1)) == 1
    }

    /// A run ended.
    pub fn add(&mut self, sample: Sample) -> Decision {
        if self.differences.len() >= LAST_LOOK {
            return self.conclude();
        }
        let Some(known) = self.template(sample.template) else {
            return Decision::Continue;
        };
        let side = match sample.with {
            true => &mut known.with,
            false => &mut known.without,
        };
        side.push_back(sample.cost);
        if side.len() > WAITING {
            side.pop_front();
        }
        if known.with.is_empty() || known.without.is_empty() {
            return Decision::Continue;
        }
        let (Some(with), Some(without)) = (known.with.pop_front(), known.without.pop_front())
        else {
            return Decision::Continue;
        };
        // One is added to both: a cost of nothing has no logarithm.
        let difference = ((with as f64 + 1.0) / (without as f64 + 1.0)).ln();
        known.differences.push(difference);
        self.differences.push(difference);
        self.without.push(without as f64);
        self.upkeeps.push(self.upkeep_us - self.seen_upkeep_us);
        self.seen_upkeep_us = self.upkeep_us;
        self.look(sample.template)
    }

    /// Writes took this much longer.
    pub fn add_upkeep(&mut self, us: u64) {
        self.upkeep_us += us as f64;
    }

    /// The time for the trial is over.
    pub fn conclude(&self) -> Decision {
        let measured = self.measured();
        match self.trial {
            Trial::Invariants => Decision::Continue,
            // Nobody asks for what it would slow down.
            Trial::Harm if measured.pairs < FIRST_LOOK => Decision::Keep,
            Trial::Harm if below(&self.differences, HARM.ln()) <= NOT_HARMLESS => Decision::Keep,
            Trial::Harm => Decision::NotHarmless,
            Trial::Gain if measured.pairs < FIRST_LOOK => Decision::Unused,
            Trial::Gain if measured.p_gain > PROVEN => Decision::Useless,
            Trial::Gain if measured.saved_us <= self.usual_upkeep() => Decision::NotWorthIt,
            // Few pairs have to say it loud.
            Trial::Gain if measured.pairs < VERDICT && measured.effect > USEFUL => {
                Decision::Useless
            }
            Trial::Gain => Decision::Keep,
        }
    }

    /// Whether there have been too few runs to say anything.
    pub fn is_untried(&self) -> bool {
        self.differences.len() < FIRST_LOOK
    }

    /// What has been measured so far.
    pub fn measured(&self) -> Measured {
        let effect = middle(&self.differences).exp();
        Measured {
            pairs: self.differences.len(),
            effect,
            p_gain: below(&self.differences, 0.0),
            p_harm: above(&self.differences, 0.0),
            saved_us: 2.0 * self.without.len() as f64 * typical(&self.without) * (1.0 - effect),
            upkeep_us: self.upkeep_us,
        }
    }

    fn look(&mut self, template: u64) -> Decision {
        if let Some(harm) = self.harm_to(template) {
            return harm;
        }
        let pairs = self.differences.len();
        let step = if pairs <= VERDICT { 5 } else { 10 };
        if pairs < FIRST_LOOK || !pairs.is_multiple_of(step) {
            return Decision::Continue;
        }
        let measured = self.measured();
        if measured.p_harm < OBVIOUS && measured.effect > HARM {
            return Decision::Harmful;
        }
        if pairs < VERDICT {
            return Decision::Continue;
        }
        let harmless = below(&self.differences, HARM.ln()) <= NOT_HARMLESS;
        match self.trial {
            Trial::Harm if harmless => Decision::Keep,
            Trial::Gain if !harmless => Decision::NotHarmless,
            Trial::Gain if measured.p_gain < PROVEN && measured.effect <= USEFUL => {
                match measured.saved_us > self.usual_upkeep() {
                    true => Decision::Keep,
                    false => Decision::NotWorthIt,
                }
            }
            _ if pairs >= LAST_LOOK => self.conclude(),
            _ => Decision::Continue,
        }
    }

    /// The upkeep that belongs to the pairs. A night without queries in the middle of a trial is not what writes cost
    /// beside queries; if there are many such nights, the account of what waiting costs will say so.
    fn usual_upkeep(&self) -> f64 {
        typical(&self.upkeeps) * self.upkeeps.len() as f64
    }

    /// The whole may gain while one query suffers; a query has its own ten pairs to say so.
    fn harm_to(&self, template: u64) -> Option<Decision> {
        let differences = &self.templates.get(&template)?.differences;
        let looked = self.templates.len() > 1
            && differences.len() >= FIRST_LOOK
            && differences.len().is_multiple_of(5);
        let level = SUFFERS / self.templates.len() as f64;
        (looked && above(differences, HARM.ln()) < level).then_some(Decision::Harmful)
    }

    fn template(&mut self, template: u64) -> Option<&mut Template> {
        if self.templates.len() >= TEMPLATES && !self.templates.contains_key(&template) {
            return None;
        }
        Some(self.templates.entry(template).or_default())
    }
}

/// A mean that leaves the largest twentieth out.
fn typical(costs: &[f64]) -> f64 {
    let mut costs = costs.to_vec();
    if costs.len() < 3 {
        return median(&mut costs);
    }
    costs.sort_unstable_by(f64::total_cmp);
    let kept = costs.len() - costs.len().div_ceil(20);
    costs[..kept].iter().sum::<f64>() / kept as f64
}

/// The finaliser of MurmurHash3.
pub(crate) fn mix(mut state: u64) -> u64 {
    state ^= state >> 33;
    state = state.wrapping_mul(0xff51_afd7_ed55_8ccd);
    state ^= state >> 33;
    state = state.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    state ^ (state >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a trial on costs without noise until it decides or 400 runs are over.
    fn run(trial: Trial, mut cost: impl FnMut(u64, bool) -> (u64, u64)) -> (Decision, u64) {
        let mut canary = Canary::new(trial, 7);
        for n in 0..400 {
            let template = n % 2;
            let with = canary.deal(template);
            let (cost, upkeep) = cost(template, with);
            canary.add_upkeep(upkeep);
            match canary.add(Sample {
                template,
                with,
                cost,
            }) {
                Decision::Continue => {}
                decision => return (decision, n + 1),
            }
        }
        (canary.conclude(), 400)
    }

    #[test]
    fn a_clear_gain_is_kept_after_sixty_runs_and_clear_harm_ends_after_twenty() {
        let gain = run(Trial::Gain, |_, with| (if with { 10 } else { 500 }, 0));
        assert_eq!(gain, (Decision::Keep, 60));
        let harm = run(Trial::Gain, |_, with| (if with { 500 } else { 100 }, 0));
        assert_eq!(harm, (Decision::Harmful, 20));
    }

    #[test]
    fn no_difference_is_useless() {
        assert_eq!(run(Trial::Gain, |_, _| (100, 0)), (Decision::Useless, 400));
    }

    #[test]
    fn one_query_may_not_pay_for_another() {
        let (decision, _) = run(Trial::Gain, |template, with| match (template, with) {
            (0, true) => (1, 0),
            (1, true) => (150, 0),
            _ => (100, 0),
        });
        assert_eq!(decision, Decision::Harmful);
    }

    #[test]
    fn writes_that_cost_more_than_reads_save_end_the_trial() {
        let (decision, runs) = run(Trial::Gain, |_, with| (if with { 50 } else { 100 }, 60));
        assert_eq!((decision, runs), (Decision::NotWorthIt, 60));
    }

    #[test]
    fn giving_up_what_nobody_uses_is_right_and_what_somebody_uses_is_not() {
        assert_eq!(Canary::new(Trial::Harm, 1).conclude(), Decision::Keep);
        assert_eq!(run(Trial::Harm, |_, _| (100, 0)).0, Decision::Keep);
        let used = run(Trial::Harm, |_, with| (if with { 900 } else { 10 }, 0));
        assert_eq!(used, (Decision::Harmful, 20));
    }

    #[test]
    fn runs_are_dealt_in_pairs_and_neither_side_always_goes_first() {
        let mut canary = Canary::new(Trial::Gain, 3);
        let dealt: Vec<bool> = (0..200).map(|_| canary.deal(1)).collect();
        assert!(dealt.chunks(2).all(|pair| pair[0] != pair[1]));
        let first = dealt.iter().step_by(2).filter(|with| **with).count();
        assert!((30..70).contains(&first), "{first}");
    }

    #[test]
    fn runs_that_never_end_and_queries_without_end_take_bounded_room() {
        let mut canary = Canary::new(Trial::Gain, 3);
        for template in 0..100_000 {
            canary.deal(template);
            canary.add(Sample {
                template: template % 3,
                with: true,
                cost: u64::MAX,
            });
        }
        assert!(canary.templates.len() <= TEMPLATES);
        assert!(
            canary
                .templates
                .values()
                .all(|known| known.with.len() <= WAITING)
        );
    }
}
