//! A world of models that fail, in virtual time: requests arrive, attempts send pieces, hang, break off and lie.
//!
//! Everything that a dispatch promises is checked here while it happens, so whoever runs a world has checked it.

#![allow(
    dead_code,
    reason = "the tests and the example use different parts of it"
)]

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

use polity_dispatch::budget::{AccountId, Period, Scope};
use polity_dispatch::{
    Ask, AttemptId, Blocked, BreakerEvent, BreakerState, Candidate, Cause, Dispatch,
    DispatchPolicy, End, ErrorClass, Event, Failure, Gates, Heard, House, Payer, Permit, Price,
    Reason, RequestFacts, Rng, Settlement, Start, Step, Tokens, Usage, WhyNot,
};
use uuid::Uuid;

/// How often things go wrong, of a thousand attempts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    /// Each class of failure, for itself.
    pub(crate) each_class: u64,
    /// Nothing is ever heard.
    pub(crate) hang: u64,
    /// Twenty times as slow as usual.
    pub(crate) slow: u64,
    /// The answer breaks off halfway, with an error.
    pub(crate) broken: u64,
    /// The answer breaks off halfway and looks as if it had ended.
    pub(crate) cut: u64,
    /// Nothing but white space, or junk.
    pub(crate) garbage: u64,
    /// The usage is wrong.
    pub(crate) lie: u64,
    /// Everything comes twice.
    pub(crate) twice: u64,
}

impl Faults {
    pub(crate) const NONE: Self = Self::all(0);

    pub(crate) const fn all(permille: u64) -> Self {
        Self {
            each_class: permille / 15,
            hang: permille / 4,
            slow: permille / 4,
            broken: permille / 2,
            cut: permille / 2,
            garbage: permille / 2,
            lie: permille,
            twice: permille,
        }
    }
}

/// One model.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) candidate: Candidate,
    pub(crate) faults: Faults,
    /// Failures of one class on top of the faults.
    pub(crate) extra: Option<(ErrorClass, u64)>,
    pub(crate) piece_ms: u64,
}

/// What a run was like.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) requests: u64,
    pub(crate) finished: u64,
    pub(crate) broken: u64,
    pub(crate) gave_up: HashMap<String, u64>,
    pub(crate) attempts: u64,
    pub(crate) hedges: u64,
    pub(crate) continued: u64,
    pub(crate) overruled: u64,
    pub(crate) latencies: Vec<u64>,
    pub(crate) cost_micro: u64,
    pub(crate) opened: u64,
    pub(crate) half_opened: u64,
    pub(crate) closed: u64,
}

impl Tally {
    pub(crate) fn gave_up(&self) -> u64 {
        self.gave_up.values().sum()
    }

    pub(crate) fn percentile(&self, permille: usize) -> u64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * permille / 1000).min(sorted.len().saturating_sub(1));
        sorted.get(at).copied().unwrap_or(0)
    }
}

/// Counts what goes in and out of a house.
struct Watched<'h> {
    house: &'h House,
    out: RefCell<HashMap<(Uuid, u32), u64>>,
    settled: RefCell<HashSet<(Uuid, u32)>>,
    /// What attempts cost beyond what was reserved for them: the only way to overspend.
    beyond: RefCell<u64>,
}

impl Gates for Watched<'_> {
    fn admit(&self, ask: &Ask<'_>) -> Result<Permit, Blocked> {
        let permit = self.house.admit(ask)?;
        let key = (ask.facts.id, ask.attempt);
        let before = self
            .out
            .borrow_mut()
            .insert(key, ask.candidate.estimate_micro);
        assert!(before.is_none() && !self.settled.borrow().contains(&key));
        Ok(permit)
    }

    fn settle(
        &self,
        candidate: &Candidate,
        permit: Permit,
        settlement: &Settlement,
    ) -> Option<BreakerEvent> {
        let id = permit.reservation.expect("every attempt is reserved");
        let key = (id.request, id.attempt);
        let reserved = self.out.borrow_mut().remove(&key);
        let reserved = reserved.expect("what is settled was begun, and was not settled before");
        assert!(self.settled.borrow_mut().insert(key));
        *self.beyond.borrow_mut() += settlement.cost_micro.saturating_sub(reserved);
        self.house.settle(candidate, permit, settlement)
    }

    fn allow_retry(&self) -> bool {
        self.house.allow_retry()
    }

    fn allow_hedge(&self) -> bool {
        self.house.allow_hedge()
    }
}

enum Happening {
    Arrive,
    Wake(usize),
    Tell(usize, AttemptId, Told),
}

#[derive(Clone)]
enum Told {
    Text(String),
    End(Option<&'static str>, Usage),
    Failed(Failure),
}

struct Running {
    dispatch: Dispatch,
    truth: Arc<str>,
    began: u64,
    deadline: u64,
    stream: bool,
    heard: String,
    /// Pieces of whole answers, by attempt.
    collected: HashMap<AttemptId, String>,
    is_over: bool,
}

/// How requests are.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) requests: u64,
    pub(crate) every_ms: u64,
    pub(crate) deadline_ms: u64,
    pub(crate) stream_permille: u64,
    pub(crate) critical_permille: u64,
    pub(crate) words: u64,
}

pub(crate) struct World<'h> {
    pub(crate) house: &'h House,
    pub(crate) models: Vec<Model>,
    pub(crate) policy: Arc<DispatchPolicy>,
    pub(crate) load: Load,
    pub(crate) company_limit: Option<u64>,
    pub(crate) seed: u64,
}

impl World<'_> {
    /// Runs all requests to their end, and checks the promises on the way.
    pub(crate) fn run(&self) -> Tally {
        let gates = Watched {
            house: self.house,
            out: RefCell::default(),
            settled: RefCell::default(),
            beyond: RefCell::default(),
        };
        let mut rng = Rng::new(self.seed);
        let mut tally = Tally::default();
        let mut running: Vec<Running> = Vec::new();
        let mut arrived = 0;
        let mut pending: Vec<(u64, Happening)> = Vec::new();
        let mut order = BinaryHeap::from([Reverse((1_795_000_000_000, 0))]);
        let mut store = vec![Some(Happening::Arrive)];
        while let Some(Reverse((now, index))) = order.pop() {
            let Some(happening) = store[index].take() else {
                continue;
            };
            let who = match happening {
                Happening::Arrive => {
                    running.push(self.arrive(now, arrived, &mut rng));
                    arrived += 1;
                    if arrived < self.load.requests {
                        pending.push((now + self.load.every_ms, Happening::Arrive));
                    }
                    running.len() - 1
                }
                Happening::Wake(who) => who,
                Happening::Tell(who, attempt, told) => {
                    running[who].tell(attempt, &told, now, &gates);
                    who
                }
            };
            self.drive(
                who,
                &mut running[who],
                now,
                &gates,
                &mut rng,
                &mut pending,
                &mut tally,
            );
            if let Some(limit) = self.company_limit {
                let company = AccountId {
                    scope: Scope::Company,
                    period: Period::Month,
                    id: "".into(),
                };
                let row = self.house.budgets.account(&company, now);
                let taken = row.spent_micro + row.reserved_micro;
                assert!(taken <= limit + *gates.beyond.borrow(), "overspent");
            }
            for (time, happening) in pending.drain(..) {
                store.push(Some(happening));
                order.push(Reverse((time, store.len() - 1)));
            }
        }
        assert!(running.iter().all(|it| it.is_over), "a request hangs");
        assert!(gates.out.borrow().is_empty(), "an attempt was not settled");
        tally
    }

    fn arrive(&self, now: u64, number: u64, rng: &mut Rng) -> Running {
        let words = 1 + rng.below(self.load.words);
        let truth: String = (0..words).map(|word| format!("{number}w{word} ")).collect();
        let stream = rng.chance(self.load.stream_permille);
        let facts = RequestFacts {
            payer: Payer {
                actor: format!("agent:{}", number % 7).into(),
                teams: vec!["team".into()],
                protocol: None,
            },
            stream,
            prompt_tokens: 100,
            max_output_tokens: 500,
            latency_critical: rng.chance(self.load.critical_permille),
            ..RequestFacts::new(Uuid::from_u128(u128::from(number) + 1))
        };
        let candidates: Vec<_> = self.models.iter().map(|it| it.candidate.clone()).collect();
        let deadline = now + self.load.deadline_ms;
        Running {
            dispatch: Dispatch::new(
                facts,
                candidates,
                deadline,
                self.policy.clone(),
                rng.next_u64(),
            ),
            truth: truth.trim_end().into(),
            began: now,
            deadline,
            stream,
            heard: String::new(),
            collected: HashMap::new(),
            is_over: false,
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "all of the world, borrowed in parts"
    )]
    fn drive(
        &self,
        who: usize,
        it: &mut Running,
        now: u64,
        gates: &Watched<'_>,
        rng: &mut Rng,
        pending: &mut Vec<(u64, Happening)>,
        tally: &mut Tally,
    ) {
        if it.is_over {
            return;
        }
        for _ in 0..1000 {
            assert!(now <= it.deadline, "something happens after the deadline");
            let step = it.dispatch.next(now, gates);
            for event in it.dispatch.take_breaker_events() {
                match event.to {
                    BreakerState::Open => tally.opened += 1,
                    BreakerState::HalfOpen => tally.half_opened += 1,
                    BreakerState::Closed => tally.closed += 1,
                }
            }
            match step {
                Step::Start(start) => {
                    tally.attempts += 1;
                    self.attempt(who, it, &start, now, rng, pending);
                }
                Step::Hedge(start) => {
                    tally.attempts += 1;
                    tally.hedges += 1;
                    self.attempt(who, it, &start, now, rng, pending);
                }
                Step::Stop { .. } => {}
                Step::WaitUntil(until) => {
                    assert!(until > now, "a wait that is over");
                    assert!(until <= it.deadline, "a wait beyond the deadline");
                    pending.push((until, Happening::Wake(who)));
                    return;
                }
                Step::Finished(finished) => {
                    let heard = match it.stream {
                        true => it.heard.as_str(),
                        false => it.collected[&finished.attempt].as_str(),
                    };
                    assert_eq!(heard.trim(), &*it.truth, "silently cut short, or garbled");
                    tally.finished += 1;
                    tally.latencies.push(now - it.began);
                    tally.continued += u64::from(finished.continuations > 0);
                    tally.overruled += u64::from(!finished.trail.breakers_overruled.is_empty());
                    tally.cost_micro += finished.trail.cost_micro;
                    return Self::over(it, tally);
                }
                Step::Broken(broken) => {
                    assert!(it.stream && !it.heard.trim().is_empty());
                    assert!(
                        it.truth.starts_with(it.heard.trim()),
                        "garbled: {:?}",
                        it.heard
                    );
                    tally.broken += 1;
                    tally.cost_micro += broken.why.trail.cost_micro;
                    return Self::over(it, tally);
                }
                Step::GiveUp(why) => {
                    assert!(
                        it.heard.trim().is_empty(),
                        "an answer that nobody speaks of"
                    );
                    assert_eq!(why.reasons.len(), self.models.len());
                    // No model is left out without a word, its breaker least of all.
                    if matches!(
                        why.cause,
                        Cause::AllFailed | Cause::AllBlocked | Cause::OverBudget
                    ) {
                        let silent = |it: &Reason| it.why == WhyNot::NotReached;
                        assert!(!why.reasons.iter().any(silent), "{why}");
                    }
                    *tally.gave_up.entry(format!("{:?}", why.cause)).or_default() += 1;
                    tally.cost_micro += why.trail.cost_micro;
                    return Self::over(it, tally);
                }
            }
        }
        panic!("it goes round in circles");
    }

    fn over(it: &mut Running, tally: &mut Tally) {
        it.is_over = true;
        assert_eq!(it.dispatch.in_progress(), 0);
        tally.requests += 1;
    }

    /// Writes down all that will come of an attempt.
    fn attempt(
        &self,
        who: usize,
        it: &Running,
        start: &Start,
        now: u64,
        rng: &mut Rng,
        pending: &mut Vec<(u64, Happening)>,
    ) {
        assert!(start.timeout_at_ms > now && start.timeout_at_ms <= it.deadline);
        let model = &self.models[start.candidate];
        let faults = model.faults;
        let mut tell = |time: u64, told: Told| {
            pending.push((time, Happening::Tell(who, start.attempt, told)));
        };
        let slowness = if rng.chance(faults.slow) { 20 } else { 1 };
        let first = now + (model.candidate.expected_ms / 2 + rng.below(100)) * slowness;
        if rng.chance(faults.hang) {
            return;
        }
        for class in ErrorClass::ALL {
            if rng.chance(faults.each_class) {
                let mut failure = Failure::new(class, "injected");
                if class == ErrorClass::RateLimitedUntil {
                    failure.retry_after_ms = Some(rng.below(3000));
                }
                return tell(now + rng.below(300), Told::Failed(failure));
            }
        }
        if let Some((class, permille)) = model.extra
            && rng.chance(permille)
        {
            let failure = Failure::new(class, "injected");
            return tell(now + rng.below(300), Told::Failed(failure));
        }
        // A model that writes on: rightly, with its last words repeated, or all over again.
        let sent = start.continuation.as_ref().map_or("", |it| &it.sent);
        let answer = &it.truth[sent.trim_end().len().min(it.truth.len())..];
        let lead = match rng.below(3) {
            // Of less than this nobody can tell whether it is a repetition.
            _ if sent.len() < 12 => "",
            0 => sent,
            1 => {
                let from = sent.len().saturating_sub(40);
                &sent[sent.ceil_char_boundary(from)..]
            }
            _ => "",
        };
        // What was sent may end in the space that the answer begins with.
        let answer = if sent.ends_with(' ') {
            answer.trim_start()
        } else {
            answer
        };
        let text = format!("{lead}{answer}");
        let mut usage = Usage {
            tokens: Tokens {
                input: 100,
                output: text.len() as u64 / 4 + 1,
            },
            cost_micro: None,
        };
        if rng.chance(faults.lie) {
            usage.tokens.output = [0, u64::MAX, 1 << 40][rng.below(3) as usize];
        }
        if rng.chance(faults.garbage) {
            let junk = [
                "",
                "   \n",
                "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}",
            ];
            tell(first, Told::Text(junk[rng.below(3) as usize].to_owned()));
            return tell(first + 1, Told::End(Some("stop"), usage));
        }
        let is_broken = rng.chance(faults.broken);
        let is_cut = rng.chance(faults.cut);
        let times = 1 + u64::from(rng.chance(faults.twice));
        let until = if is_broken || is_cut {
            text.floor_char_boundary(rng.below(text.len() as u64 + 1) as usize)
        } else {
            text.len()
        };
        let mut time = first;
        for piece in text.as_bytes()[..until].chunks(7) {
            tell(time, Told::Text(String::from_utf8(piece.to_vec()).unwrap()));
            time += model.piece_ms * slowness;
        }
        if is_broken {
            let failure = Failure::new(ErrorClass::BrokenStream, "injected");
            return tell(time, Told::Failed(failure));
        }
        let finish = if is_cut { None } else { Some("stop") };
        for again in 0..times {
            tell(time + again, Told::End(finish, usage));
        }
    }
}

impl Running {
    fn tell(&mut self, attempt: AttemptId, told: &Told, now: u64, gates: &Watched<'_>) {
        if self.is_over {
            // Told late: nothing may come of it.
            let event = Event::End(End {
                finish: Some("stop"),
                usage: None,
            });
            assert_eq!(
                self.dispatch.on_event(attempt, event, now, gates),
                Heard::Drop
            );
            return;
        }
        let (event, text) = match told {
            Told::Text(text) => (Event::Text(text), text.as_str()),
            Told::End(finish, usage) => {
                let usage = Some(*usage);
                (
                    Event::End(End {
                        finish: *finish,
                        usage,
                    }),
                    "",
                )
            }
            Told::Failed(failure) => (Event::Failed(failure), ""),
        };
        match self.dispatch.on_event(attempt, event, now, gates) {
            Heard::Drop => {}
            Heard::Pass if self.stream => self.heard.push_str(text),
            Heard::Pass => self.collected.entry(attempt).or_default().push_str(text),
            Heard::Text(text) => self.heard.push_str(&text),
        }
    }
}

/// A model that costs and takes what its number says.
pub(crate) fn model(number: u64, plugin: u64, faults: Faults) -> Model {
    let price = Price {
        input: 1_000_000 * (number + 1),
        output: 4_000_000 * (number + 1),
    };
    let estimate_micro = price.cost(Tokens {
        input: 100,
        output: 500,
    });
    Model {
        candidate: Candidate {
            estimate_micro,
            expected_ms: 400 + 100 * number,
            p95_ms: Some(600 + 100 * number),
            price,
            ..Candidate::new(format!("plugin-{plugin}"), format!("model-{number}"))
        },
        faults,
        extra: None,
        piece_ms: 10,
    }
}
