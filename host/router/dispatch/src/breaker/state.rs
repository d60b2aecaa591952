//! One model's breaker.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::window::Window;
use super::{BreakerPolicy, OpenWhy};

/// Where a breaker stands. `Closed => Open => HalfOpen => Closed | Open`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerState {
    /// Calls go through and are counted.
    Closed,
    /// No call goes through.
    Open,
    /// A few calls go through, to see whether the model is back.
    HalfOpen,
}

/// What a call that has ended means to the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The model answered to the end.
    Success,
    /// The model failed.
    Failure,
    /// It says nothing about the model: the caller went away, another answer was faster, the request was at fault.
    Nothing,
    /// The provider wants to be left alone until then.
    OpenUntil(u64, OpenWhy),
    /// The model is of no use, for as long as the policy says.
    Open(OpenWhy),
}

/// A call that the breaker has let through. It is given back with what became of it.
#[derive(Debug)]
#[must_use = "a probe that is not given back holds the breaker half open until it is overdue"]
pub struct BreakerPermit {
    pub(super) generation: u64,
    pub(super) is_probe: bool,
    /// The breaker was open and was overruled.
    pub(super) is_forced: bool,
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) from: BreakerState,
    pub(super) to: BreakerState,
    pub(super) why: Option<OpenWhy>,
    pub(super) until_ms: Option<u64>,
    pub(super) calls: u32,
    pub(super) failures: u32,
}

/// A model's breaker. Healthy models cost one atomic load on the way in.
#[derive(Debug)]
pub(super) struct Breaker {
    is_closed: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: BreakerState,
    window: Window,
    /// Counts changes of state, so that a call that began before one is not taken for a probe after it.
    generation: u64,
    /// How often it has opened without having closed in between: each time is longer.
    openings: u32,
    until_ms: u64,
    why: OpenWhy,
    /// Since when the probes of the half-open state are out.
    probes: Vec<u64>,
    successes: u32,
    /// Calls that overruled it and failed, in a row, and when the next one may try.
    forced_failures: u32,
    forced_from_ms: u64,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self {
            is_closed: AtomicBool::new(true),
            inner: Mutex::new(Inner {
                state: BreakerState::Closed,
                window: Window::default(),
                generation: 0,
                openings: 0,
                until_ms: 0,
                why: OpenWhy::FailureRate,
                probes: Vec::new(),
                successes: 0,
                forced_failures: 0,
                forced_from_ms: 0,
            }),
        }
    }

    /// Lets a call through, or says until when none is.
    pub(super) fn admit(
        &self,
        policy: &BreakerPolicy,
        now_ms: u64,
        force: bool,
    ) -> (Result<BreakerPermit, (u64, OpenWhy)>, Option<Change>) {
        if self.is_closed.load(Ordering::Acquire) {
            // The generation is read without the lock only to be compared later: a closed breaker's calls count in the
            // window whichever they are.
            let permit = BreakerPermit {
                generation: 0,
                is_probe: false,
                is_forced: false,
            };
            return (Ok(permit), None);
        }
        let mut inner = self.inner.lock();
        let mut change = None;
        if inner.state == BreakerState::Open && now_ms >= inner.until_ms {
            change = Some(inner.begin_probing());
        }
        let generation = inner.generation;
        let permit = |is_probe, is_forced| BreakerPermit {
            generation,
            is_probe,
            is_forced,
        };
        let may_force = force && now_ms >= inner.forced_from_ms;
        let answer = match inner.state {
            BreakerState::Closed => Ok(permit(false, false)),
            BreakerState::Open if may_force => Ok(permit(false, true)),
            BreakerState::Open if force => {
                Err((inner.until_ms.min(inner.forced_from_ms), inner.why))
            }
            BreakerState::Open => Err((inner.until_ms, inner.why)),
            BreakerState::HalfOpen => {
                // A probe that never came back must not hold the breaker half open for ever.
                let overdue = policy.probe_overdue_ms;
                inner
                    .probes
                    .retain(|since| now_ms < since.saturating_add(overdue));
                if inner.probes.len() < policy.probes.max(1) as usize {
                    inner.probes.push(now_ms);
                    Ok(permit(true, false))
                } else if may_force {
                    Ok(permit(false, true))
                } else {
                    let next = now_ms.saturating_add(policy.probe_interval_ms.max(1));
                    Err((next, inner.why))
                }
            }
        };
        (answer, change)
    }

    /// Until when no call is let through, if that is so. Takes nothing.
    pub(super) fn open_until(&self, now_ms: u64) -> Option<(u64, OpenWhy)> {
        if self.is_closed.load(Ordering::Acquire) {
            return None;
        }
        let inner = self.inner.lock();
        let is_open = inner.state == BreakerState::Open && now_ms < inner.until_ms;
        is_open.then_some((inner.until_ms, inner.why))
    }

    /// Stands as it stood before the process was restarted. Everything else has to show itself anew.
    pub(super) fn reopen(&self, until_ms: u64, why: OpenWhy) {
        let mut inner = self.inner.lock();
        inner.enter(BreakerState::Open);
        (inner.until_ms, inner.why, inner.openings) = (until_ms, why, 1);
        self.is_closed.store(false, Ordering::Release);
    }

    /// Takes a call back with what became of it.
    pub(super) fn record(
        &self,
        policy: &BreakerPolicy,
        permit: &BreakerPermit,
        verdict: Verdict,
        now_ms: u64,
    ) -> Option<Change> {
        let mut inner = self.inner.lock();
        let change = inner.record(policy, permit, verdict, now_ms);
        self.is_closed
            .store(inner.state == BreakerState::Closed, Ordering::Release);
        change
    }

    pub(super) fn read(
        &self,
        policy: &BreakerPolicy,
        now_ms: u64,
    ) -> (BreakerState, Option<(u64, OpenWhy)>, u32, u32) {
        let inner = self.inner.lock();
        let (calls, failures) = inner.window.totals(policy.window_ms, now_ms);
        let open = (inner.state != BreakerState::Closed).then_some((inner.until_ms, inner.why));
        (inner.state, open, calls, failures)
    }
}

impl Inner {
    fn record(
        &mut self,
        policy: &BreakerPolicy,
        permit: &BreakerPermit,
        verdict: Verdict,
        now_ms: u64,
    ) -> Option<Change> {
        let is_current_probe = permit.is_probe && permit.generation == self.generation;
        if is_current_probe {
            self.probes.pop();
        }
        let failed = match verdict {
            Verdict::Nothing => return None,
            Verdict::Success => false,
            Verdict::Failure => true,
            Verdict::Open(_) | Verdict::OpenUntil(..) => true,
        };
        self.window.count(policy.window_ms, now_ms, failed);
        if permit.is_forced && failed {
            // Whoever overrules it learns from those who did before.
            let pause = policy
                .forced_pause_ms
                .saturating_mul(1 << self.forced_failures.min(5));
            self.forced_from_ms = now_ms.saturating_add(pause);
            self.forced_failures = self.forced_failures.saturating_add(1);
        } else if !failed {
            (self.forced_failures, self.forced_from_ms) = (0, 0);
        }
        match verdict {
            Verdict::OpenUntil(until, why) => return self.open_until(policy, until, why, now_ms),
            Verdict::Open(why) => {
                let first_ms = match why {
                    OpenWhy::SpendCap => policy.spend_cap_ms,
                    _ => policy.open_ms,
                };
                let until = self.usual_end(policy, first_ms, now_ms);
                return self.open_until(policy, until, why, now_ms);
            }
            _ => {}
        }
        match self.state {
            BreakerState::Closed => {
                let (calls, failures) = self.window.totals(policy.window_ms, now_ms);
                let is_too_many = u64::from(failures) * 1000
                    >= u64::from(calls) * u64::from(policy.failure_permille);
                if failed && calls >= policy.min_calls && is_too_many {
                    let until = self.usual_end(policy, policy.open_ms, now_ms);
                    return self.open_until(policy, until, OpenWhy::FailureRate, now_ms);
                }
                None
            }
            BreakerState::HalfOpen if is_current_probe || permit.is_forced => {
                if failed {
                    let until = self.usual_end(policy, policy.open_ms, now_ms);
                    let why = self.why;
                    return self.open_until(policy, until, why, now_ms);
                }
                self.successes += 1;
                (self.successes >= policy.successes_to_close).then(|| self.close())
            }
            // Overruled, and it worked: the model is back before its time.
            BreakerState::Open if permit.is_forced && !failed => Some(self.begin_probing()),
            // Calls from before it opened say nothing new.
            BreakerState::Open | BreakerState::HalfOpen => None,
        }
    }

    /// When it would let probes through: twice as long each time it has opened in a row.
    fn usual_end(&self, policy: &BreakerPolicy, first_ms: u64, now_ms: u64) -> u64 {
        let factor = 1u64.checked_shl(self.openings).unwrap_or(u64::MAX);
        let open_ms = first_ms.saturating_mul(factor).min(policy.max_open_ms);
        now_ms.saturating_add(open_ms.max(1))
    }

    fn open_until(
        &mut self,
        policy: &BreakerPolicy,
        until_ms: u64,
        why: OpenWhy,
        now_ms: u64,
    ) -> Option<Change> {
        let until_ms = until_ms.min(now_ms.saturating_add(policy.max_hint_ms));
        let from = self.state;
        if from == BreakerState::Open {
            // Open already: it can only become longer.
            if until_ms > self.until_ms {
                (self.until_ms, self.why) = (until_ms, why);
            }
            return None;
        }
        let (calls, failures) = self.window.totals(policy.window_ms, now_ms);
        if why != OpenWhy::Asked {
            self.openings = self.openings.saturating_add(1);
        }
        (self.until_ms, self.why) = (until_ms, why);
        self.enter(BreakerState::Open);
        Some(Change {
            from,
            to: BreakerState::Open,
            why: Some(why),
            until_ms: Some(until_ms),
            calls,
            failures,
        })
    }

    fn begin_probing(&mut self) -> Change {
        self.enter(BreakerState::HalfOpen);
        self.change(BreakerState::Open)
    }

    fn close(&mut self) -> Change {
        self.enter(BreakerState::Closed);
        self.openings = 0;
        // What it did before it opened is held against it no longer.
        self.window = Window::default();
        self.change(BreakerState::HalfOpen)
    }

    fn enter(&mut self, state: BreakerState) {
        self.state = state;
        self.generation += 1;
        self.probes.clear();
        self.successes = 0;
    }

    fn change(&self, from: BreakerState) -> Change {
        Change {
            from,
            to: self.state,
            why: None,
            until_ms: None,
            calls: 0,
            failures: 0,
        }
    }
}
