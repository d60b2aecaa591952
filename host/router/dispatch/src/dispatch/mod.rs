//! One request on its way through the models: who is asked, for how long, and who is asked after that.
//!
//! A [`Dispatch`] does nothing by itself. It is asked what to do ([`Dispatch::next`]), and told what happened
//! ([`Dispatch::on_event`]). All times are given to it, and all chance comes from its seed, so a request replays exactly.
//!
//! # Promises
//!
//! - One deadline holds for all attempts together; nothing is begun after it and nothing is waited for beyond it.
//! - Each attempt that is begun is settled exactly once, whatever comes of it and whenever.
//! - An answer is [`Step::Finished`] only if a model said that it had ended. One that broke off is continued by another
//!   model or is [`Step::Broken`]; it never looks complete.
//! - The breaker of the last model that is left is overruled, or named in the outcome; it never makes a request fail
//!   without a word.

mod choose;
mod content;
mod events;
mod live;
mod outcome;
mod seam;
mod step;

use std::collections::VecDeque;
use std::sync::Arc;

use choose::Choice;
use content::Content;
use live::Live;
pub use outcome::{
    AttemptEnd, AttemptRecord, Broken, Cause, Finished, GiveUp, Reason, Trail, WhyNot,
};
use seam::Seam;
pub use step::{AttemptId, Continuation, End, Event, Heard, Role, Start, Step, StopWhy};

use crate::gates::{Ask, Blocked, Gates};
use crate::{
    BreakerEvent, BreakerOpen, Candidate, DispatchPolicy, ErrorClass, Failure, RequestFacts, Rng,
};

/// What a model is asked that has to write on.
const INSTRUCTION: &str = "Your answer was cut off. Continue it exactly where it stops. Do not repeat anything, do not \
                           begin again, and do not comment on this.";

/// One request on its way. Whoever drops it before it has ended calls [`Dispatch::cancel`] first, or what its attempts
/// hold stays taken.
#[derive(Debug)]
pub struct Dispatch {
    facts: RequestFacts,
    candidates: Arc<[Candidate]>,
    states: Vec<State>,
    /// When it was first asked what to do.
    begun_ms: Option<u64>,
    deadline_ms: u64,
    policy: Arc<DispatchPolicy>,
    rng: Rng,
    live: Vec<Live>,
    trail: Trail,
    stops: VecDeque<(AttemptId, StopWhy)>,
    events: Vec<BreakerEvent>,
    started: u32,
    hedges: u32,
    /// The attempt whose pieces go out.
    winner: Option<AttemptId>,
    sent: Sent,
    continuations: u32,
    /// Nothing new is begun.
    closed: Option<Cause>,
    /// The same model again, not before then.
    here: Option<(usize, u64)>,
    done: Option<Step>,
}

/// Where a candidate stands in this request.
#[derive(Clone, Debug, Default)]
struct State {
    attempts: u32,
    /// How often it may be asked again.
    retries_left: u32,
    retries_set: bool,
    /// The house has allowed the next retry.
    retry_granted: bool,
    not_before_ms: u64,
    is_out: bool,
    why: Option<WhyNot>,
    /// The breaker that last kept it from being asked.
    breaker: Option<BreakerOpen>,
}

/// What has gone out.
#[derive(Debug, Default)]
struct Sent {
    text: String,
    bytes: u64,
    is_visible: bool,
    /// Something that is no text, and that nobody can write on after.
    has_other: bool,
    is_too_long: bool,
}

impl Dispatch {
    /// A request that has to have ended at `deadline_ms`, and who may be asked, the best first.
    pub fn new(
        facts: RequestFacts,
        candidates: impl Into<Arc<[Candidate]>>,
        deadline_ms: u64,
        policy: Arc<DispatchPolicy>,
        seed: u64,
    ) -> Self {
        let candidates = candidates.into();
        Self {
            facts,
            states: vec![State::default(); candidates.len()],
            candidates,
            begun_ms: None,
            deadline_ms,
            policy,
            rng: Rng::new(seed),
            live: Vec::with_capacity(1),
            trail: Trail::default(),
            stops: VecDeque::new(),
            events: Vec::new(),
            started: 0,
            hedges: 0,
            winner: None,
            sent: Sent::default(),
            continuations: 0,
            closed: None,
            here: None,
            done: None,
        }
    }

    /// What to do now. To be called again after everything but [`Step::WaitUntil`] at once, and after that when its time
    /// has come or an event has been told. After an ending it repeats the ending.
    pub fn next(&mut self, now_ms: u64, gates: &impl Gates) -> Step {
        self.begun_ms.get_or_insert(now_ms);
        self.expire(now_ms, gates);
        if let Some((attempt, why)) = self.stops.pop_front() {
            return Step::Stop { attempt, why };
        }
        if let Some(done) = &self.done {
            return done.clone();
        }
        if self.live.is_empty() {
            return match self.choose(now_ms, gates) {
                Choice::Start(start) => Step::Start(start),
                Choice::Wait(until) => Step::WaitUntil(until),
                Choice::Nothing(cause) => self.conclude(cause, now_ms),
            };
        }
        if let Some(start) = self.hedge(now_ms, gates) {
            return Step::Hedge(start);
        }
        Step::WaitUntil(self.wakes_at(now_ms))
    }

    /// Ends everything, because the caller has gone. To be followed by [`Dispatch::next`] until it has ended.
    pub fn cancel(&mut self, now_ms: u64, gates: &impl Gates) {
        if self.done.is_some() {
            return;
        }
        self.stop_all(StopWhy::Cancelled, now_ms, gates);
        let _ = self.conclude(Cause::Cancelled, now_ms);
    }

    /// Attempts under way.
    pub fn in_progress(&self) -> usize {
        self.live.len()
    }

    /// What attempts that have ended cost, and what those under way may cost at most.
    pub fn taken_micro(&self) -> u64 {
        let in_progress = self.live.iter().map(|live| live.reserved_micro);
        in_progress.fold(self.trail.cost_micro, u64::saturating_add)
    }

    /// The ending, once there is one.
    pub fn ending(&self) -> Option<&Step> {
        self.done.as_ref()
    }

    /// Attempts that have ended so far.
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// Who may be asked, the best first.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// What breakers did since this was last called, for the ledger.
    pub fn take_breaker_events(&mut self) -> Vec<BreakerEvent> {
        std::mem::take(&mut self.events)
    }

    /// Ends what has run out of time.
    fn expire(&mut self, now_ms: u64, gates: &impl Gates) {
        if self.done.is_some() {
            return;
        }
        while let Some(index) = self.live.iter().position(|live| {
            let at = live.gives_up_at(self.facts.stream, self.policy.stall_ms, self.deadline_ms);
            at <= now_ms
        }) {
            let live = &self.live[index];
            let is_deadline = now_ms >= self.deadline_ms;
            let why = if is_deadline {
                StopWhy::Deadline
            } else {
                StopWhy::Timeout
            };
            self.stops.push_back((live.id, why));
            let failure = Failure::new(ErrorClass::Timeout, self.slowness(live, now_ms));
            self.fail(index, &failure, now_ms, gates);
        }
        if now_ms >= self.deadline_ms && self.done.is_none() {
            let _ = self.conclude(Cause::Deadline, now_ms);
        }
    }

    fn slowness(&self, live: &Live, now_ms: u64) -> String {
        match live.first_piece_ms {
            Some(_) if self.facts.stream => format!(
                "the stream was silent for {} ms",
                now_ms.saturating_sub(live.last_piece_ms)
            ),
            _ => format!(
                "there was no answer within {} ms",
                now_ms.saturating_sub(live.started_ms)
            ),
        }
    }

    /// The next time at which something happens by itself.
    fn wakes_at(&self, now_ms: u64) -> u64 {
        let ends = self.live.iter().map(|live| {
            live.gives_up_at(self.facts.stream, self.policy.stall_ms, self.deadline_ms)
        });
        let hedge = self.hedge_at().filter(|at| *at > now_ms);
        let soonest = ends.chain(hedge).min().unwrap_or(self.deadline_ms);
        soonest.max(now_ms.saturating_add(1))
    }

    /// When a second model should be asked: when the one that is asked takes longer than it nearly always does.
    fn hedge_at(&self) -> Option<u64> {
        let may = self.facts.latency_critical
            && self.winner.is_none()
            && self.closed.is_none()
            && self.hedges < self.policy.max_hedges;
        let last = self.live.last().filter(|_| may)?;
        if last.first_piece_ms.is_some() {
            return None;
        }
        let usual = self.candidates[last.candidate].p95_ms?;
        let wait = usual.max(self.policy.min_hedge_ms);
        Some(last.started_ms.saturating_add(wait))
    }

    fn hedge(&mut self, now_ms: u64, gates: &impl Gates) -> Option<Start> {
        if self.hedge_at()? > now_ms || self.started >= self.policy.max_attempts {
            return None;
        }
        let left = self.deadline_ms.saturating_sub(now_ms);
        let dearest = self.policy.max_hedge_micro.unwrap_or(u64::MAX);
        let fits = |index: &usize| {
            let (state, candidate) = (&self.states[*index], &self.candidates[*index]);
            state.attempts == 0
                && !state.is_out
                && candidate.estimate_micro <= dearest
                && candidate.expected_ms <= left
        };
        let others: Vec<_> = (0..self.candidates.len()).filter(fits).collect();
        // One try: who asks too often does not hedge, he doubles the load.
        self.hedges += 1;
        if left < self.policy.min_attempt_ms || others.is_empty() || !gates.allow_hedge() {
            return None;
        }
        others.into_iter().find_map(|index| {
            self.try_start(index, Role::Hedge, false, now_ms, gates)
                .ok()
        })
    }

    /// Begins an attempt, if the gates let it.
    fn try_start(
        &mut self,
        index: usize,
        role: Role,
        force: bool,
        now_ms: u64,
        gates: &impl Gates,
    ) -> Result<Start, Blocked> {
        let candidate = &self.candidates[index];
        if let Some(cap_micro) = self.facts.max_cost_micro {
            let taken_micro = self.taken_micro();
            let needed_micro = candidate.estimate_micro;
            if needed_micro > 0 && taken_micro.saturating_add(needed_micro) > cap_micro {
                return Err(Blocked::CostCap {
                    cap_micro,
                    taken_micro,
                    needed_micro,
                });
            }
        }
        let mut permit = gates.admit(&Ask {
            facts: &self.facts,
            attempt: self.started,
            candidate,
            force,
            now_ms,
        })?;
        self.events.extend(permit.event.take());
        let id = AttemptId(self.started);
        let timeout_at_ms = now_ms.saturating_add(self.allot(index, now_ms));
        let continued = self.sent.is_visible && self.facts.stream;
        let continuation = continued.then(|| Continuation {
            sent: self.sent.text.as_str().into(),
            instruction: INSTRUCTION.into(),
        });
        let start = Start {
            attempt: id,
            candidate: index,
            plugin: candidate.plugin.clone(),
            model: candidate.model.clone(),
            role,
            timeout_at_ms,
            deadline_ms: self.deadline_ms,
            continuation,
        };
        if force {
            self.trail.breakers_overruled.push(candidate.model.clone());
        }
        self.live.push(Live {
            id,
            candidate: index,
            permit,
            role,
            forced: force,
            started_ms: now_ms,
            timeout_at_ms,
            first_piece_ms: None,
            last_piece_ms: now_ms,
            content: Content::default(),
            collected_bytes: 0,
            lead: String::new(),
            seam: continued.then(|| Seam::new(&self.sent.text)),
            continued_bytes: if continued { self.sent.bytes } else { 0 },
            reserved_micro: candidate.estimate_micro,
        });
        self.started += 1;
        self.states[index].attempts += 1;
        self.states[index].breaker = None;
        Ok(start)
    }

    /// The end: what has been sent decides which.
    fn conclude(&mut self, cause: Cause, now_ms: u64) -> Step {
        let reasons = self
            .candidates
            .iter()
            .zip(&self.states)
            .map(|(candidate, state)| Reason {
                plugin: candidate.plugin.clone(),
                model: candidate.model.clone(),
                attempts: state.attempts,
                why: state.why.clone().unwrap_or(WhyNot::NotReached),
            })
            .collect();
        let retry_at_ms = self
            .states
            .iter()
            .filter_map(|state| match &state.why {
                Some(WhyNot::Blocked(blocked)) => blocked.until_ms(now_ms),
                _ if state.is_out || state.not_before_ms <= now_ms => None,
                _ => Some(state.not_before_ms),
            })
            .filter(|at| *at != u64::MAX)
            .min();
        let why = GiveUp {
            cause,
            reasons,
            retry_at_ms,
            trail: self.trail.clone(),
        };
        let end = if self.sent.is_visible || self.sent.has_other {
            Step::Broken(Box::new(Broken {
                sent_bytes: self.sent.bytes,
                why,
            }))
        } else {
            Step::GiveUp(Box::new(why))
        };
        self.done = Some(end.clone());
        end
    }
}

#[cfg(test)]
mod tests;
