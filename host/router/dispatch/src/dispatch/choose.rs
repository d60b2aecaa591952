//! Who is asked next, and for how long.

use super::step::{Role, Start};
use super::{Cause, Dispatch, WhyNot};
use crate::gates::{Blocked, Gates};
use crate::{LastResort, OpenWhy};

/// What comes next while nobody is being asked.
pub(super) enum Choice {
    Start(Start),
    Wait(u64),
    Nothing(Cause),
}

/// Models after this one whose time is kept free.
const KEPT_FREE: usize = 2;

impl Dispatch {
    pub(super) fn choose(&mut self, now_ms: u64, gates: &impl Gates) -> Choice {
        if let Some(cause) = self.closed {
            return Choice::Nothing(cause);
        }
        if self.candidates.is_empty() {
            return Choice::Nothing(Cause::NoCandidates);
        }
        if self.started >= self.policy.max_attempts {
            return Choice::Nothing(Cause::TooManyAttempts);
        }
        let left = self.deadline_ms.saturating_sub(now_ms);
        if left < self.policy.min_attempt_ms.max(1) {
            return Choice::Nothing(Cause::Deadline);
        }
        if let Some((index, at)) = self.here {
            if now_ms < at && at <= self.latest_start(index) {
                return Choice::Wait(at);
            }
            self.here = None;
            if now_ms >= at
                && let Some(start) = self.start(index, false, now_ms, gates)
            {
                return Choice::Start(start);
            }
        }
        // Those that have not been asked, in their order; then those that may be asked again.
        for again in [false, true] {
            for index in 0..self.candidates.len() {
                let state = &self.states[index];
                let is_ready = !state.is_out && state.not_before_ms <= now_ms;
                if is_ready
                    && (state.attempts > 0) == again
                    && let Some(start) = self.start(index, false, now_ms, gates)
                {
                    return Choice::Start(start);
                }
            }
        }
        let soonest = self.soonest(now_ms);
        let is_soon = |at: &u64| *at <= now_ms.saturating_add(self.policy.breaker_wait_ms);
        if let Some(at) = soonest.filter(is_soon) {
            return Choice::Wait(at);
        }
        if self.policy.last_resort == LastResort::Try {
            for index in 0..self.candidates.len() {
                if self.is_last_resort(index, now_ms)
                    && let Some(start) = self.start(index, true, now_ms, gates)
                {
                    return Choice::Start(start);
                }
            }
        }
        if let Some(at) = self.soonest(now_ms) {
            return Choice::Wait(at);
        }
        Choice::Nothing(self.why_nothing())
    }

    fn start(
        &mut self,
        index: usize,
        force: bool,
        now_ms: u64,
        gates: &impl Gates,
    ) -> Option<Start> {
        let role = match () {
            () if self.sent.is_visible => Role::Continuation,
            () if self.states[index].attempts > 0 => Role::Retry,
            () if self.started > 0 => Role::Fallback,
            () => Role::First,
        };
        // A model is asked again by everybody at once when it recovers, unless somebody counts.
        let state = &mut self.states[index];
        if state.attempts > 0 && !state.retry_granted {
            if !gates.allow_retry() {
                state.is_out = true;
                return None;
            }
            state.retry_granted = true;
        }
        match self.try_start(index, role, force, now_ms, gates) {
            Ok(start) => Some(start),
            Err(blocked) => {
                let state = &mut self.states[index];
                // A failure of its own says more than that it is now being left alone for it.
                let is_own = matches!(state.why, Some(WhyNot::Failed { .. }));
                match blocked.until_ms(now_ms) {
                    Some(at) => state.not_before_ms = at.max(now_ms.saturating_add(1)),
                    None => state.is_out = true,
                }
                state.breaker = match &blocked {
                    Blocked::Breaker(open) => Some(*open),
                    _ => None,
                };
                if !is_own {
                    state.why = Some(WhyNot::Blocked(blocked));
                }
                None
            }
        }
    }

    /// When a candidate that cannot be asked now can, if that leaves it time to answer.
    fn ready_at(&self, index: usize, now_ms: u64) -> Option<u64> {
        let (state, at) = (&self.states[index], self.states[index].not_before_ms);
        (!state.is_out && at > now_ms && at <= self.latest_start(index)).then_some(at)
    }

    /// The latest time at which asking a candidate makes sense. Where nobody knows how long it takes, it is given a
    /// quarter of the whole time.
    fn latest_start(&self, index: usize) -> u64 {
        let whole = self
            .deadline_ms
            .saturating_sub(self.begun_ms.unwrap_or(self.deadline_ms));
        let needed = match self.candidates[index].expected_ms {
            0 => whole / 4,
            usual => usual.saturating_mul(5) / 4,
        };
        let shortest = self.policy.min_attempt_ms.max(1);
        self.deadline_ms.saturating_sub(needed.max(shortest))
    }

    /// The earliest time at which a candidate can be asked that cannot be asked now.
    fn soonest(&self, now_ms: u64) -> Option<u64> {
        (0..self.candidates.len())
            .filter_map(|index| self.ready_at(index, now_ms))
            .min()
    }

    /// Whether nothing but its breaker keeps a candidate from being asked.
    fn is_last_resort(&self, index: usize, now_ms: u64) -> bool {
        let state = &self.states[index];
        match state.breaker {
            _ if state.is_out => false,
            None => false,
            Some(open) => open.why != OpenWhy::Asked || self.ready_at(index, now_ms).is_none(),
        }
    }

    fn why_nothing(&self) -> Cause {
        if self.started > 0 {
            return Cause::AllFailed;
        }
        let is_money = |why: &Option<WhyNot>| {
            matches!(
                why,
                Some(WhyNot::Blocked(
                    Blocked::OverBudget(_) | Blocked::CostCap { .. }
                ))
            )
        };
        if self.states.iter().any(|state| is_money(&state.why)) {
            Cause::OverBudget
        } else {
            Cause::AllBlocked
        }
    }

    /// How long an attempt may take. While others could be asked after it, their usual time is kept free, though never
    /// more than half of what is left; and nobody waits much longer than a model usually takes.
    pub(super) fn allot(&self, index: usize, now_ms: u64) -> u64 {
        let left = self.deadline_ms.saturating_sub(now_ms);
        let others = || {
            self.states
                .iter()
                .zip(&*self.candidates)
                .enumerate()
                .filter(|(other, (state, _))| {
                    *other != index && !state.is_out && state.attempts == 0
                })
                .map(|(_, (_, candidate))| candidate)
        };
        if others().next().is_none() {
            return left;
        }
        let kept: u64 = others().take(KEPT_FREE).fold(0, |sum, candidate| {
            sum.saturating_add(candidate.expected_ms.saturating_mul(5) / 4)
        });
        let share = left.saturating_sub(kept).max(left / 2);
        let candidate = &self.candidates[index];
        let usual = candidate
            .p95_ms
            .unwrap_or(0)
            .saturating_mul(4)
            .max(candidate.expected_ms.saturating_mul(6));
        let patience = match usual {
            0 => self.policy.patience_ms,
            usual => usual.min(self.policy.patience_ms),
        };
        share
            .min(patience.max(self.policy.min_attempt_ms))
            .clamp(1, left.max(1))
    }
}
