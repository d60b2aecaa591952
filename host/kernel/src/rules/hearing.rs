//! Asks every judge of a docket what it says of one action.
//!
//! A rule takes microseconds, and a hop to another thread costs as much again: quick rules are asked right here. A rule
//! that has shown itself to be slow is asked where waiting harms nobody, beside the others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use polity_constitution::{Finding, RuleFailure, Verdict};
use polity_runtime::failure::CallError;
use polity_runtime::plugin::{self, Action, Evaluation, Plugin};

use super::ruling::Measure;
use super::{Judge, Seat};
use crate::kept::cut;

/// The longest amendment that is looked at. Masking one word of a long prompt repeats the prompt.
const MAX_PATCH_BYTES: usize = 4 << 20;

/// The longest reason that is kept; a reason is one sentence.
const MAX_REASON_BYTES: usize = 4 << 10;

/// What one round of judging brought: a finding and a measure for each judge, in the docket's order.
pub(crate) struct Hearing {
    pub(crate) findings: Vec<Finding>,
    pub(crate) measures: Vec<Measure>,
}

type Answer = Result<Evaluation, CallError>;

/// One round.
pub(crate) async fn hear(judges: &[Arc<Judge>], action: &Arc<Action>, round: u8) -> Hearing {
    let mut hearing = Hearing {
        findings: Vec::with_capacity(judges.len()),
        measures: Vec::with_capacity(judges.len()),
    };
    // The slow ones first, so that they are at work while the others are asked.
    let elsewhere: Vec<Option<Elsewhere>> = judges
        .iter()
        .map(|judge| ask_elsewhere(judge, action))
        .collect();
    for (judge, asked) in judges.iter().zip(&elsewhere) {
        match &judge.seat {
            Seat::Taken(..) if asked.is_some() => {}
            Seat::Taken(plugin, version) => {
                let (plugin, primed) = judge.asks(plugin);
                let started = Instant::now();
                let answer = plugin.evaluate(action, judge.config.as_ref());
                let took = (primed, started.elapsed());
                hearing.take(judge, (plugin, version), round, answer, took);
            }
            Seat::Empty(failure) => hearing.miss(judge, round, failure),
        }
    }
    for (judge, asked) in judges.iter().zip(elsewhere) {
        let (Seat::Taken(plugin, version), Some(asked)) = (&judge.seat, asked) else {
            continue;
        };
        let (answer, took) = match asked.await {
            Ok(answered) => answered,
            Err(error) => {
                let answer = Err(CallError::Host(error.to_string()));
                (answer, (false, Duration::ZERO))
            }
        };
        hearing.take(judge, (plugin, version), round, answer, took);
    }
    hearing
}

type Elsewhere = tokio::task::JoinHandle<(Answer, Took)>;

/// Whether the settings had been read before, and how long the rest took.
type Took = (bool, Duration);

fn ask_elsewhere(judge: &Judge, action: &Arc<Action>) -> Option<Elsewhere> {
    let Seat::Taken(plugin, _) = &judge.seat else {
        return None;
    };
    let (plugin, primed) = judge.asks(plugin);
    if plugin.is_quick(action.input.len()) {
        return None;
    }
    let (plugin, action, config) = (plugin.clone(), action.clone(), judge.config.clone());
    Some(tokio::task::spawn_blocking(move || {
        let started = Instant::now();
        let answer = plugin.evaluate(&action, config.as_ref());
        (answer, (primed, started.elapsed()))
    }))
}

impl Hearing {
    fn take(
        &mut self,
        judge: &Judge,
        (plugin, version): (&Plugin, &Option<Arc<str>>),
        round: u8,
        answer: Answer,
        (primed, took): Took,
    ) {
        let (fuel, result) = match answer {
            Ok(Evaluation { verdict, fuel }) => (fuel, verdict_of(verdict)),
            Err(error) => (0, Err(failure_of(error))),
        };
        self.measures.push(Measure {
            binding: judge.binding.clone(),
            rule: judge.rule.clone(),
            round,
            version: version.clone(),
            digest: Some(plugin.identity().digest),
            fuel,
            primed,
            took_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        });
        self.findings.push(judge.finding(result));
    }

    fn miss(&mut self, judge: &Judge, round: u8, failure: &RuleFailure) {
        self.measures.push(Measure {
            binding: judge.binding.clone(),
            rule: judge.rule.clone(),
            round,
            version: None,
            digest: None,
            fuel: 0,
            primed: false,
            took_us: 0,
        });
        self.findings.push(judge.finding(Err(failure.clone())));
    }
}

impl Judge {
    fn finding(&self, result: Result<Verdict, RuleFailure>) -> Finding {
        Finding {
            binding: self.binding.to_string(),
            rule: self.rule.to_string(),
            mode: self.mode,
            result,
        }
    }
}

/// A guest's verdict in the constitution's terms, bounded.
pub(crate) fn verdict_of(verdict: plugin::Verdict) -> Result<Verdict, RuleFailure> {
    let short = |text: String| match text.len() {
        0..=MAX_REASON_BYTES => text,
        _ => cut(&text, MAX_REASON_BYTES).to_owned(),
    };
    match verdict {
        plugin::Verdict::Allow => Ok(Verdict::Allow),
        plugin::Verdict::Deny(reason) => Ok(Verdict::Deny {
            reason: short(reason),
        }),
        plugin::Verdict::Escalate(plugin::Escalation {
            reason,
            role,
            due_ms,
        }) => Ok(Verdict::Escalate {
            reason: short(reason),
            role: short(role),
            due_ms,
        }),
        plugin::Verdict::Amend(patch) if patch.len() > MAX_PATCH_BYTES => {
            Err(RuleFailure::BadPatch {
                detail: format!("it has {} bytes, more than {MAX_PATCH_BYTES}", patch.len()),
            })
        }
        plugin::Verdict::Amend(patch) => Verdict::amend(&patch),
    }
}

/// Why a rule has no verdict, in the constitution's terms.
pub(crate) fn failure_of(error: CallError) -> RuleFailure {
    match error {
        CallError::Trap(detail) => RuleFailure::Trap { detail },
        CallError::OutOfFuel(_) => RuleFailure::OutOfFuel,
        CallError::Timeout(_) => RuleFailure::Timeout,
        CallError::OutOfMemory(_) | CallError::Busy(_) => RuleFailure::Limit {
            detail: error.to_string(),
        },
        CallError::Problem(problem) => RuleFailure::Problem {
            code: problem.code,
            detail: problem.detail,
        },
        CallError::NotRunning(_) => RuleFailure::Quarantined,
        CallError::Cancelled | CallError::Host(_) => RuleFailure::Problem {
            code: error.code().to_owned(),
            detail: error.to_string(),
        },
    }
}
