//! One completion on its way through the models that may answer it.
//!
//! Who is asked, again or instead, and who is left alone for a while, is decided by [`polity_dispatch`]; here is what it
//! is decided with, and what it means for the call at hand. Whoever is asked in another's place has been put before the
//! rules first: they were told of the model that was chosen, and of no other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use polity_dispatch::{
    Ask, AttemptId, Blocked, BreakerEvent, Candidate, Continuation, Dispatch, DispatchPolicy, End,
    ErrorClass, Event, Failure, Gates, Heard, House, Permit, Price, RequestFacts, Settlement, Step,
    Tokens, Trail, Usage,
};
use polity_runtime::failure::CallError;
use polity_runtime::plugin::Completion;
use polity_runtime::{Delta, Problem, Received};
use tokio::time::sleep;
use uuid::Uuid;

use super::price;
use super::race::Lap;
use crate::models::ModelEntry;

/// The longest that a caller waits for a model to be ready again while nobody is being asked. Callers have retries of
/// their own, and know better how long they want to wait.
const MAX_PAUSE_MS: u64 = 2_000;

/// The time for all attempts, where the caller names none.
const DEADLINE: Duration = Duration::from_secs(600);

/// A completion on its way.
pub(super) struct Flight {
    seats: Vec<Arc<ModelEntry>>,
    gates: Gate,
    dispatch: Dispatch,
    attempt: Option<AttemptId>,
    /// The seat that was asked beside another.
    hedge: Option<usize>,
    /// Whether a second model may be asked at the same time.
    may_hedge: bool,
    /// What the attempt was given to write on.
    continuation: Option<Continuation>,
    /// Whether what goes out is no longer what the first attempt sent, so that the seam has to be minded.
    is_continued: bool,
    /// What comes of the calls under way, where nobody reads it piece by piece.
    ears: Vec<(AttemptId, Received)>,
    /// Bytes that the last call had collected when it failed.
    collected_bytes: u64,
    /// Whether the last call failed although its provider had begun to answer.
    is_broken_off: bool,
    /// What was held back of a continuation until its end.
    tail: Option<String>,
    longest: u64,
    began_ms: u64,
    began: Instant,
}

/// What is known of a completion before anybody is asked.
pub(super) struct Plan {
    pub(super) id: Uuid,
    pub(super) house: Arc<House>,
    /// Who may answer, best first.
    pub(super) seats: Vec<Arc<ModelEntry>>,
    pub(super) stream: bool,
    pub(super) prompt_bytes: usize,
    pub(super) max_output_tokens: Option<u32>,
    pub(super) max_cost_micro: Option<u64>,
    /// Whether the answer is text that another model could write on with; a JSON document rarely survives that.
    pub(super) is_prose: bool,
    /// Whether the caller names a deadline, so that a second model may be asked where the first is slow. Then it is said
    /// of each seat within which time nearly all its answers came.
    pub(super) usual_ms: Option<Vec<Option<u64>>>,
    pub(super) now_ms: u64,
    pub(super) left: Option<Duration>,
}

/// What comes next.
pub(super) enum Next {
    /// This model is asked. With others behind it, it has so long to give a sign.
    Call(Arc<ModelEntry>, Option<Duration>),
    /// Nobody is asked any more; why, where nobody was asked at all.
    Nobody(CallError),
}

/// The house's gates, and behind them what the rules and the budget say of each seat.
struct Gate {
    house: Arc<House>,
    /// By seat; none where it has not been looked at.
    verdicts: Vec<Option<Result<(), String>>>,
    keys: Vec<Arc<str>>,
}

impl Gates for Gate {
    fn admit(&self, ask: &Ask<'_>) -> Result<Permit, Blocked> {
        let at = self.keys.iter().position(|key| {
            key.strip_prefix(&*ask.candidate.plugin)
                .and_then(|rest| rest.strip_prefix('/'))
                == Some(&*ask.candidate.model)
        });
        match at.and_then(|at| self.verdicts[at].as_ref()) {
            Some(Ok(())) => match self.house.admit(ask) {
                // Whoever names a model wants its answer or its provider's own word, and not ours for it. What comes of
                // it does not count: the breaker finds out by itself when it is time.
                Err(Blocked::Breaker(_)) if self.keys.len() == 1 => Ok(Permit::default()),
                answer => answer,
            },
            Some(Err(why)) => Err(Blocked::Other(why.clone())),
            None => Err(Blocked::Other("the rules have not been asked".to_owned())),
        }
    }

    fn settle(
        &self,
        candidate: &Candidate,
        permit: Permit,
        settlement: &Settlement,
    ) -> Option<BreakerEvent> {
        self.house.settle(candidate, permit, settlement)
    }

    fn allow_retry(&self) -> bool {
        self.house.allow_retry()
    }

    fn allow_hedge(&self) -> bool {
        self.house.allow_hedge()
    }
}

impl Flight {
    pub(super) fn new(plan: Plan) -> Self {
        let candidates: Vec<Candidate> = plan
            .seats
            .iter()
            .enumerate()
            .map(|(at, seat)| Candidate {
                p95_ms: plan.usual_ms.as_ref().and_then(|usual| *usual.get(at)?),
                local: seat.info.local,
                estimate_micro: price::estimate(
                    &seat.info,
                    plan.prompt_bytes,
                    plan.max_output_tokens,
                ),
                price: Price {
                    input: seat.info.input_price,
                    // Of vectors nobody pays for anything but the texts.
                    output: match plan.max_output_tokens {
                        Some(0) => 0,
                        _ => seat.info.output_price,
                    },
                },
                context_tokens: seat.info.context_tokens.into(),
                ..Candidate::new(seat.plugin.clone(), seat.id().clone())
            })
            .collect();
        let facts = RequestFacts {
            stream: plan.stream,
            prompt_tokens: price::guess_tokens(plan.prompt_bytes as u64),
            max_output_tokens: plan.max_output_tokens.unwrap_or_default().into(),
            max_cost_micro: plan.max_cost_micro,
            latency_critical: plan.usual_ms.is_some(),
            // Whoever names a model wants its words and no other's: what breaks off there is told as broken.
            may_continue: plan.stream && plan.is_prose && plan.seats.len() > 1,
            ..RequestFacts::new(plan.id)
        };
        let time = plan.left.unwrap_or(DEADLINE);
        let time_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let policy = DispatchPolicy {
            min_attempt_ms: 1,
            // A reader who pauses is not a model that does.
            stall_ms: u64::MAX,
            ..DispatchPolicy::default()
        };
        let may_hedge = plan.usual_ms.is_some() && plan.seats.len() > 1;
        let mut verdicts = vec![None; plan.seats.len()];
        // The first is the one that the rules were told of.
        if let Some(first) = verdicts.first_mut() {
            *first = Some(Ok(()));
        }
        Self {
            gates: Gate {
                house: plan.house,
                verdicts,
                keys: plan.seats.iter().map(|seat| seat.key.clone()).collect(),
            },
            dispatch: Dispatch::new(
                facts,
                candidates,
                plan.now_ms.saturating_add(time_ms),
                Arc::new(policy),
                plan.id.as_u64_pair().1,
            ),
            seats: plan.seats,
            attempt: None,
            hedge: None,
            may_hedge,
            continuation: None,
            is_continued: false,
            ears: Vec::new(),
            collected_bytes: 0,
            is_broken_off: false,
            tail: None,
            longest: plan.max_output_tokens.unwrap_or_default().into(),
            began_ms: plan.now_ms,
            began: Instant::now(),
        }
    }

    /// Seats that the rules have to be asked about before anything is decided about them: none as long as the first one
    /// does its work.
    pub(super) fn unjudged(&self) -> Vec<(usize, Arc<ModelEntry>)> {
        let first = &self.seats[0];
        let is_open = || {
            let breakers = &self.gates.house.breakers;
            breakers
                .open_until(&first.plugin, first.id(), self.now_ms())
                .is_some()
        };
        if self.seats.len() == 1 || (self.dispatch.trail().attempts.is_empty() && !is_open()) {
            return Vec::new();
        }
        let unjudged = self.seats.iter().enumerate();
        unjudged
            .filter(|(at, _)| self.gates.verdicts[*at].is_none())
            .map(|(at, seat)| (at, seat.clone()))
            .collect()
    }

    /// Seats that the rules have not been asked about.
    pub(super) fn all_unjudged(&self) -> Vec<(usize, Arc<ModelEntry>)> {
        let unjudged = self.seats.iter().enumerate();
        unjudged
            .filter(|(at, _)| self.gates.verdicts[*at].is_none())
            .map(|(at, seat)| (at, seat.clone()))
            .collect()
    }

    /// Seats that the rules and the budget let answer so far.
    pub(super) fn admitted(&self) -> Vec<usize> {
        let verdicts = self.gates.verdicts.iter().enumerate();
        verdicts
            .filter(|(_, verdict)| matches!(verdict, Some(Ok(()))))
            .map(|(at, _)| at)
            .collect()
    }

    /// Whether a second model may be asked at the same time.
    pub(super) fn may_hedge(&self) -> bool {
        self.may_hedge
    }

    /// The call that is under way.
    pub(super) fn attempt(&self) -> Option<AttemptId> {
        self.attempt
    }

    /// Whether there is an answer, or a failure that nobody can do better than.
    pub(super) fn is_over(&self) -> bool {
        self.dispatch.ending().is_some()
    }

    /// What happens next while calls are under way.
    pub(super) fn lap(&mut self) -> Lap {
        self.heed();
        let now_ms = self.now_ms();
        match self.dispatch.next(now_ms, &self.gates) {
            Step::Start(start) => Lap::Begin(start.attempt, self.seats[start.candidate].clone()),
            Step::Hedge(start) => {
                self.hedge = Some(start.candidate);
                Lap::Begin(start.attempt, self.seats[start.candidate].clone())
            }
            Step::WaitUntil(at)
                if self.dispatch.in_progress() == 0 && at.saturating_sub(now_ms) > MAX_PAUSE_MS =>
            {
                Lap::Over
            }
            Step::WaitUntil(at) => {
                Lap::Wait(Duration::from_millis(at.saturating_sub(now_ms).max(1)))
            }
            Step::Stop { attempt, .. } => {
                self.close(attempt);
                Lap::Stop(attempt)
            }
            Step::Finished(_) | Step::Broken(_) | Step::GiveUp(_) => Lap::Over,
        }
    }

    /// Whether this model was asked because another one was slow.
    pub(super) fn is_hedged(&self, model: &Arc<ModelEntry>) -> bool {
        self.hedge
            .is_some_and(|seat| Arc::ptr_eq(&self.seats[seat], model))
    }

    /// What a call is to count on.
    pub(super) fn listen(&mut self, attempt: AttemptId) -> Received {
        (self.collected_bytes, self.is_broken_off) = (0, false);
        let received = Received::default();
        self.ears.push((attempt, received.clone()));
        received
    }

    /// Bytes that the last call collected before it failed, and whether its provider had begun to answer.
    pub(super) fn broken_off(&self) -> (u64, bool) {
        (self.collected_bytes, self.is_broken_off)
    }

    /// Tells what has been collected so far: whoever is stopped from here on is charged for it.
    fn heed(&mut self) {
        for (attempt, received) in &self.ears {
            self.dispatch.collected(*attempt, received.kept_bytes());
        }
    }

    /// A call has ended. Keeps what it had collected.
    fn close(&mut self, attempt: AttemptId) {
        if let Some(at) = self.ears.iter().position(|(ear, _)| *ear == attempt) {
            let (_, received) = self.ears.swap_remove(at);
            self.collected_bytes = received.kept_bytes();
            self.is_broken_off = received.is_answering();
        }
    }

    /// What comes next is about this call.
    pub(super) fn attend(&mut self, attempt: AttemptId) {
        self.attempt = Some(attempt);
    }

    pub(super) fn judge(&mut self, seat: usize, verdict: Result<(), String>) {
        self.gates.verdicts[seat] = Some(verdict);
    }

    /// What the most dear of a seat's answers may cost.
    pub(super) fn estimate(&self, seat: usize) -> u64 {
        self.dispatch.candidates()[seat].estimate_micro
    }

    /// Who is asked next. Waits where somebody is worth waiting for.
    pub(super) async fn next(&mut self) -> Next {
        loop {
            let now_ms = self.now_ms();
            match self.dispatch.next(now_ms, &self.gates) {
                Step::Start(start) | Step::Hedge(start) => {
                    self.attempt = Some(start.attempt);
                    self.is_continued |= start.continuation.is_some();
                    self.continuation = start.continuation;
                    let patience = start.timeout_at_ms.saturating_sub(now_ms);
                    let patience = (self.seats.len() > 1).then(|| Duration::from_millis(patience));
                    return Next::Call(self.seats[start.candidate].clone(), patience);
                }
                Step::WaitUntil(at) if at.saturating_sub(now_ms) <= MAX_PAUSE_MS => {
                    sleep(Duration::from_millis(at.saturating_sub(now_ms).max(1))).await;
                }
                Step::Stop { .. } => {}
                Step::WaitUntil(at) => {
                    self.dispatch.cancel(now_ms, &self.gates);
                    let detail = "every model that may answer is being left alone for a while";
                    return Next::Nobody(nobody(detail.to_owned(), Some(at), now_ms));
                }
                Step::GiveUp(why) => {
                    return Next::Nobody(nobody(why.to_string(), why.retry_at_ms, now_ms));
                }
                Step::Broken(broken) => {
                    let why = &broken.why;
                    return Next::Nobody(nobody(why.to_string(), why.retry_at_ms, now_ms));
                }
                // It is asked for only after a failure.
                Step::Finished(_) => {
                    return Next::Nobody(nobody("the answer is complete".to_owned(), None, now_ms));
                }
            }
        }
    }

    /// What the attempt that was begun last has to write on; said once.
    pub(super) fn take_continuation(&mut self) -> Option<Continuation> {
        self.continuation.take()
    }

    /// Whether another model than the first is heard, or the same one again.
    pub(super) fn is_continued(&self) -> bool {
        self.is_continued
    }

    /// What is still to go out of a continuation that has ended; said once.
    pub(super) fn take_tail(&mut self) -> Option<String> {
        self.tail.take()
    }

    /// Takes note of a piece of a stream, and returns what of it goes out: all of it, unless it is written on where
    /// another model broke off.
    pub(super) fn hear(&mut self, piece: Delta) -> Option<Delta> {
        let heard = self.heard(&piece);
        if !self.is_continued {
            return Some(piece);
        }
        match heard {
            Heard::Pass => Some(piece),
            Heard::Text(text) => Some(Delta::Text(text)).filter(|delta| !is_nothing(delta)),
            Heard::Drop => None,
        }
    }

    /// Takes note of so many bytes of an answer that is no text.
    pub(super) fn data(&mut self, bytes: u64) {
        let _ = self.tell(Event::Data(bytes));
    }

    fn heard(&mut self, piece: &Delta) -> Heard {
        let event = match piece {
            Delta::Text(text) => Event::Text(text),
            Delta::Thinking(text) => Event::Thinking(text.len() as u64),
            Delta::ToolCall(call) => {
                Event::ToolCall((call.name.len() + call.arguments.len()) as u64)
            }
        };
        self.tell(event)
    }

    /// Takes note of how a call ended, and says whether that is the end: an answer, or a failure that nobody can do
    /// better than.
    pub(super) fn ended(&mut self, returned: &Result<Completion, CallError>) -> bool {
        // Before anything is decided: its time may be up.
        self.heed();
        if let Some(attempt) = self.attempt {
            self.close(attempt);
        }
        match returned {
            Ok(Completion { outcome, pieces }) => {
                for piece in pieces {
                    let _ = self.heard(piece);
                }
                let tokens = Tokens {
                    input: outcome.usage.input_tokens,
                    output: outcome.usage.output_tokens,
                };
                let heard = self.tell(Event::End(End {
                    finish: Some(&outcome.finish),
                    usage: Some(Usage {
                        tokens,
                        cost_micro: None,
                    }),
                }));
                if let (Heard::Text(tail), true) = (heard, self.is_continued) {
                    self.tail = Some(tail).filter(|tail| !tail.is_empty());
                }
            }
            Err(error) => {
                let retry_after_ms = error.retry_after_ms();
                let class = ErrorClass::of_code(error.code(), retry_after_ms.is_some());
                // A connection that is lost after the answer has begun was no failure to connect: the prompt has been
                // read, and what was written is charged for.
                let class = match class {
                    ErrorClass::Connection if self.is_broken_off => ErrorClass::BrokenStream,
                    class => class,
                };
                let failure = Failure::new(class, error.to_string());
                let failure = match retry_after_ms {
                    Some(ms) => failure.retry_after(ms.into()),
                    None => failure,
                };
                let _ = self.tell(Event::Failed(&failure));
            }
        }
        self.attempt = None;
        self.dispatch.ending().is_some()
    }

    /// The longest answer that was asked for; 0 where nobody said.
    pub(super) fn longest_answer(&self) -> u64 {
        self.longest
    }

    /// What the calls that have ended cost, and what those under way may cost.
    pub(super) fn taken_micro(&self) -> u64 {
        self.dispatch.taken_micro()
    }

    /// Whether a call is under way.
    pub(super) fn is_calling(&self) -> bool {
        self.attempt.is_some()
    }

    /// The caller has gone.
    pub(super) fn cancel(&mut self) {
        self.heed();
        while let Some(attempt) = self.ears.last().map(|(attempt, _)| *attempt) {
            self.close(attempt);
        }
        let now_ms = self.now_ms();
        self.dispatch.cancel(now_ms, &self.gates);
    }

    /// What was tried.
    pub(super) fn trail(&self) -> &Trail {
        self.dispatch.trail()
    }

    pub(super) fn breaker_events(&mut self) -> Vec<BreakerEvent> {
        self.dispatch.take_breaker_events()
    }

    fn tell(&mut self, event: Event<'_>) -> Heard {
        let now_ms = self.now_ms();
        match self.attempt {
            Some(attempt) => self.dispatch.on_event(attempt, event, now_ms, &self.gates),
            None => Heard::Drop,
        }
    }

    fn now_ms(&self) -> u64 {
        let passed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.began_ms.saturating_add(passed)
    }
}

fn is_nothing(delta: &Delta) -> bool {
    matches!(delta, Delta::Text(text) if text.is_empty())
}

fn nobody(detail: String, retry_at_ms: Option<u64>, now_ms: u64) -> CallError {
    let wait = retry_at_ms.map(|at| at.saturating_sub(now_ms));
    CallError::Problem(Problem {
        code: "overloaded".to_owned(),
        detail,
        retry_after_ms: wait.map(|ms| u32::try_from(ms).unwrap_or(u32::MAX)),
    })
}
