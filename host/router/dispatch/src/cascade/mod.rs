//! The cheap model first; checks of its answer; a stronger one where it fails them.
//!
//! Most requests are easy, and a check costs less than a strong model (Chen, Zaharia and Zou, "FrugalGPT", 2023). A
//! check is a schema, a rule of the constitution, a judge, or the agreement of several samples (Wang et al.,
//! "Self-consistency improves chain of thought reasoning", 2022). An answer that a schema or a rule rejects may first be
//! corrected by the model that gave it, which is told why.
//!
//! [`Cascade`] says what to ask and what to check next, within one deadline and one amount of money. An answer that has
//! not passed is never returned as one that has.

mod plan;
mod result;

use std::collections::VecDeque;
use std::sync::Arc;

pub use plan::{CascadePlan, Check, Rung, Unchecked};
pub use result::{CascadeEnd, CascadeResult, Checked, Trust, Try, Verdict};

/// A call of a model or of a check, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u32);

/// An answer that is to be corrected, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// The answer that was rejected.
    pub answer: Arc<str>,
    /// What is wrong with it.
    pub why: Arc<str>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum CascadeStep {
    /// Ask a model.
    Ask {
        /// Which task it is.
        task: TaskId,
        /// Position of the model in the plan.
        rung: usize,
        /// Which of several samples, from 0. Samples are asked with a temperature above 0.
        sample: u32,
        /// The answer to correct, where it is not the first.
        correction: Option<Correction>,
        /// When its answer is no longer waited for.
        timeout_at_ms: u64,
    },
    /// Check an answer.
    Verify {
        /// Which task it is.
        task: TaskId,
        /// What to check.
        check: Check,
        /// The answer.
        answer: Arc<str>,
        /// When the verdict is no longer waited for.
        timeout_at_ms: u64,
    },
    /// End a call.
    Stop(TaskId),
    /// Nothing, until then or until an answer or a verdict.
    WaitUntil(u64),
    /// It is over. Nothing comes after this.
    Done(Box<CascadeResult>),
}

/// A cascade under way.
#[derive(Debug)]
pub struct Cascade {
    plan: CascadePlan,
    phase: Phase,
    steps: VecDeque<CascadeStep>,
    tasks: u32,
    tries: Vec<Try>,
    left_out: Vec<usize>,
    cost_micro: u64,
    corrections_left: u8,
    result: Option<Box<CascadeResult>>,
}

/// `Next => Asking => Checking … => Next | over`.
#[derive(Debug)]
enum Phase {
    /// The rung with this number is to be asked.
    Next(usize),
    Asking {
        open: Vec<TaskId>,
        answers: Vec<Arc<str>>,
        ends_ms: u64,
    },
    Checking {
        open: Option<(TaskId, Check)>,
        left: VecDeque<Check>,
        ends_ms: u64,
    },
}

impl Cascade {
    /// A cascade that has not begun.
    pub fn new(plan: CascadePlan) -> Self {
        Self {
            plan,
            phase: Phase::Next(0),
            steps: VecDeque::new(),
            tasks: 0,
            tries: Vec::new(),
            left_out: Vec::new(),
            cost_micro: 0,
            corrections_left: 0,
            result: None,
        }
    }

    /// What to do now. To be called again at once, except after [`CascadeStep::WaitUntil`] and [`CascadeStep::Done`].
    pub fn next(&mut self, now_ms: u64) -> CascadeStep {
        loop {
            if let Some(step) = self.steps.pop_front() {
                return step;
            }
            if let Some(result) = &self.result {
                return CascadeStep::Done(result.clone());
            }
            match &mut self.phase {
                Phase::Next(rung) => {
                    let rung = *rung;
                    self.climb(rung, now_ms);
                }
                Phase::Asking { open, ends_ms, .. } => {
                    if !open.is_empty() && now_ms < *ends_ms {
                        return CascadeStep::WaitUntil(*ends_ms);
                    }
                    self.steps.extend(open.drain(..).map(CascadeStep::Stop));
                    self.answered(now_ms);
                }
                Phase::Checking { open, ends_ms, .. } => {
                    if let Some((task, _)) = open {
                        if now_ms < *ends_ms {
                            return CascadeStep::WaitUntil(*ends_ms);
                        }
                        let task = *task;
                        self.steps.push_back(CascadeStep::Stop(task));
                        let late = Verdict::Unavailable("it took too long".to_owned());
                        self.on_verdict(task, late, 0);
                    } else {
                        self.check_next(now_ms);
                    }
                }
            }
        }
    }

    /// Takes a model's answer, or `None` where it failed, and what it cost. What comes late or twice costs and does not
    /// count.
    pub fn on_answer(&mut self, task: TaskId, answer: Option<&str>, cost_micro: u64) {
        self.charge(cost_micro);
        let Phase::Asking { open, answers, .. } = &mut self.phase else {
            return;
        };
        let Some(index) = open.iter().position(|it| *it == task) else {
            return;
        };
        open.swap_remove(index);
        if let Some(answer) = answer.map(str::trim).filter(|it| !it.is_empty()) {
            answers.push(answer.into());
        }
    }

    /// Takes what a check said, and what it cost. What comes late or twice costs and does not count.
    pub fn on_verdict(&mut self, task: TaskId, verdict: Verdict, cost_micro: u64) {
        self.charge(cost_micro);
        let Phase::Checking { open, left, .. } = &mut self.phase else {
            return;
        };
        let Some((_, check)) = open.take_if(|(it, _)| *it == task) else {
            return;
        };
        let is_passed = match (&check, &verdict) {
            (_, Verdict::Pass) => true,
            (
                Check::Judge {
                    at_least_permille, ..
                },
                Verdict::Score(score),
            ) => score >= at_least_permille,
            // A score says nothing where none was asked for.
            (_, Verdict::Score(_) | Verdict::Fail(_)) => false,
            (_, Verdict::Unavailable(_)) => self.plan.unchecked == Unchecked::Accepts,
        };
        if !is_passed {
            // The rest would cost and change nothing.
            left.clear();
        }
        let checked = Checked {
            check,
            verdict,
            is_passed,
        };
        if let Some(last) = self.tries.last_mut() {
            last.checks.push(checked);
        }
    }

    fn charge(&mut self, cost_micro: u64) {
        self.cost_micro = self.cost_micro.saturating_add(cost_micro);
        if let Some(last) = self.tries.last_mut() {
            last.cost_micro = last.cost_micro.saturating_add(cost_micro);
        }
        if let Some(result) = &mut self.result {
            result.cost_micro = self.cost_micro;
        }
    }

    fn money_left(&self) -> u64 {
        let cap = self.plan.max_cost_micro.unwrap_or(u64::MAX);
        cap.saturating_sub(self.cost_micro)
    }

    /// Asks the first model from here on that money and time suffice for.
    fn climb(&mut self, from: usize, now_ms: u64) {
        let time_left = self.plan.deadline_ms.saturating_sub(now_ms);
        let mut ended_by = CascadeEnd::LastRung;
        for index in from..self.plan.rungs.len() {
            let rung = &self.plan.rungs[index];
            let is_dear = rung.estimate_micro() > self.money_left();
            if !is_dear && time_left > rung.candidate.expected_ms {
                self.corrections_left = rung.corrections;
                return self.ask(index, None, now_ms);
            }
            ended_by = match is_dear {
                true => CascadeEnd::CostCap,
                false => CascadeEnd::Deadline,
            };
            self.left_out.push(index);
        }
        self.finish(ended_by);
    }

    fn ask(&mut self, index: usize, correction: Option<Correction>, now_ms: u64) {
        let (samples, _) = match correction {
            // What is corrected is corrected once.
            Some(_) => (1, 0),
            None => self.plan.rungs[index].samples(),
        };
        let timeout_at_ms = self.time_for(index, now_ms);
        let mut open = Vec::with_capacity(samples as usize);
        for sample in 0..samples {
            let task = self.task();
            open.push(task);
            self.steps.push_back(CascadeStep::Ask {
                task,
                rung: index,
                sample,
                correction: correction.clone(),
                timeout_at_ms,
            });
        }
        self.tries.push(Try {
            rung: index,
            answer: None,
            agreement_permille: None,
            is_correction: correction.is_some(),
            checks: Vec::new(),
            trust: Trust::Rejected,
            cost_micro: 0,
        });
        self.phase = Phase::Asking {
            open,
            answers: Vec::new(),
            ends_ms: timeout_at_ms,
        };
    }

    /// Until when a model may take: the next one's usual time is kept free, though never more than half of what is left.
    fn time_for(&self, index: usize, now_ms: u64) -> u64 {
        let left = self.plan.deadline_ms.saturating_sub(now_ms);
        let next = self.plan.rungs.get(index + 1);
        let kept = next.map_or(0, |rung| rung.candidate.expected_ms.saturating_mul(5) / 4);
        let share = left.saturating_sub(kept).max(left.div_ceil(2));
        now_ms.saturating_add(share)
    }

    /// All samples are in, or late.
    fn answered(&mut self, now_ms: u64) {
        let Phase::Asking { answers, .. } = &mut self.phase else {
            return;
        };
        let answers = std::mem::take(answers);
        let Some(last) = self.tries.last_mut() else {
            return;
        };
        let rung = &self.plan.rungs[last.rung];
        let groups = self.plan.compare.groups(answers.iter().map(|it| &**it));
        let Some(largest) = groups.first() else {
            self.phase = Phase::Next(last.rung + 1);
            return;
        };
        last.answer = Some(answers[largest[0]].clone());
        let mut left = VecDeque::from(rung.checks_in_order());
        let (samples, at_least_permille) = rung.samples();
        if samples > 1 && !last.is_correction {
            let share = (largest.len() as u64 * 1000 / u64::from(samples)) as u16;
            last.agreement_permille = Some(share);
            let is_passed = share >= at_least_permille;
            last.checks.push(Checked {
                check: Check::SelfConsistency {
                    samples: samples as u8,
                    at_least_permille,
                },
                verdict: Verdict::Score(share),
                is_passed,
            });
            if !is_passed {
                left.clear();
            }
        }
        self.phase = Phase::Checking {
            open: None,
            left,
            ends_ms: now_ms,
        };
    }

    /// Makes the next check, or draws the line under those that were made.
    fn check_next(&mut self, now_ms: u64) {
        let money_left = self.money_left();
        let index = self.tries.last().map_or(0, |it| it.rung);
        // A check that hangs must not take the stronger model's time.
        let timeout_at_ms = self.time_for(index, now_ms);
        let Phase::Checking {
            open,
            left,
            ends_ms,
        } = &mut self.phase
        else {
            return;
        };
        let Some(check) = left.pop_front() else {
            return self.judged(now_ms);
        };
        let answer = self.tries.last().and_then(|it| it.answer.clone());
        let task = TaskId(self.tasks);
        self.tasks += 1;
        *open = Some((task, check.clone()));
        *ends_ms = timeout_at_ms;
        let is_dear =
            matches!(&check, Check::Judge { estimate_micro, .. } if *estimate_micro > money_left);
        if is_dear {
            let dear = Verdict::Unavailable("it would cost more than is left".to_owned());
            return self.on_verdict(task, dear, 0);
        }
        self.steps.push_back(CascadeStep::Verify {
            task,
            check,
            answer: answer.unwrap_or_else(|| "".into()),
            timeout_at_ms,
        });
    }

    /// All checks that had to be made are made.
    fn judged(&mut self, now_ms: u64) {
        let Some(last) = self.tries.last_mut() else {
            return;
        };
        let is_passed = last.checks.iter().all(|it| it.is_passed);
        let is_checked = last
            .checks
            .iter()
            .any(|it| !matches!(it.verdict, Verdict::Unavailable(_)));
        let all_made = last
            .checks
            .iter()
            .all(|it| !matches!(it.verdict, Verdict::Unavailable(_)));
        last.trust = match is_passed {
            false => Trust::Rejected,
            true if is_checked && all_made => Trust::Verified,
            true => Trust::Unchecked,
        };
        if is_passed {
            return self.finish(CascadeEnd::Accepted);
        }
        let index = last.rung;
        let why = last.checks.iter().rev().find_map(|it| match &it.verdict {
            Verdict::Fail(why) if matches!(it.check, Check::Schema | Check::Rule { .. }) => {
                Some(Arc::from(why.as_str()))
            }
            _ => None,
        });
        let correction = why.zip(last.answer.clone());
        let candidate = &self.plan.rungs[index].candidate;
        let fits = candidate.estimate_micro <= self.money_left()
            && self.plan.deadline_ms.saturating_sub(now_ms) > candidate.expected_ms;
        match correction {
            Some((why, answer)) if self.corrections_left > 0 && fits => {
                self.corrections_left -= 1;
                self.ask(index, Some(Correction { answer, why }), now_ms);
            }
            _ => self.phase = Phase::Next(index + 1),
        }
    }

    fn task(&mut self) -> TaskId {
        self.tasks += 1;
        TaskId(self.tasks - 1)
    }

    fn finish(&mut self, ended_by: CascadeEnd) {
        let best = (0..self.tries.len())
            .filter(|index| self.tries[*index].answer.is_some())
            .max_by_key(|index| self.tries[*index].merit());
        self.result = Some(Box::new(CascadeResult {
            best,
            tries: self.tries.clone(),
            left_out: self.left_out.clone(),
            ended_by,
            cost_micro: self.cost_micro,
        }));
    }
}

#[cfg(test)]
mod tests;
