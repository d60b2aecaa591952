//! Drivers that tell nonsense: unknown attempts, events in any order, clocks that jump, numbers at the end of the range.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use polity_dispatch::{
    Ask, AttemptId, Backoff, Blocked, BreakerEvent, BreakerPolicy, BudgetRules, Candidate,
    Dispatch, DispatchPolicy, End, ErrorClass, Event, Failure, Gates, House, Permit, Price,
    RequestFacts, Settlement, Step, Tokens, Usage,
};
use proptest::prelude::*;
use uuid::Uuid;

/// Knows what is out, and that nothing comes back that is not.
struct Counted {
    house: House,
    out: RefCell<HashSet<u32>>,
}

impl Gates for Counted {
    fn admit(&self, ask: &Ask<'_>) -> Result<Permit, Blocked> {
        let permit = self.house.admit(ask)?;
        assert!(self.out.borrow_mut().insert(ask.attempt));
        Ok(permit)
    }

    fn settle(&self, it: &Candidate, permit: Permit, with: &Settlement) -> Option<BreakerEvent> {
        let attempt = permit.reservation.as_ref().unwrap().attempt;
        assert!(self.out.borrow_mut().remove(&attempt));
        self.house.settle(it, permit, with)
    }
}

#[derive(Clone, Debug)]
enum Act {
    Next,
    Cancel,
    Text(u32, String),
    Other(u32, u64),
    End(u32, Option<&'static str>, u64),
    Failed(u32, ErrorClass, Option<u64>, u64),
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1),
        0u64..100_000,
        any::<u64>(),
        Just(u64::MAX)
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let class = prop::sample::select(ErrorClass::ALL.to_vec());
    let finish = prop::sample::select(vec![None, Some("stop"), Some("content_filter"), Some("")]);
    prop_oneof![
        8 => Just(Act::Next),
        1 => Just(Act::Cancel),
        4 => (0u32..6, "[ a-z\u{fffd}\u{0}ü]{0,12}").prop_map(|(attempt, text)| Act::Text(attempt, text)),
        1 => (0u32..6, number()).prop_map(|(attempt, bytes)| Act::Other(attempt, bytes)),
        2 => (0u32..6, finish, number()).prop_map(|(attempt, finish, tokens)| Act::End(attempt, finish, tokens)),
        3 => (0u32..6, class, prop::option::of(number()), number())
            .prop_map(|(attempt, class, after, reset)| Act::Failed(attempt, class, after, reset)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn no_driver_makes_it_panic_or_settle_twice_or_never(
        acts in prop::collection::vec((number(), act()), 1..80),
        deadline in number(),
        numbers in prop::collection::vec(number(), 24),
        stream: bool,
    ) {
        let mut numbers = numbers.into_iter().cycle();
        let mut next = || numbers.next().unwrap();
        let candidates: Vec<_> = (0..3).map(|it| Candidate {
            estimate_micro: next(),
            expected_ms: next(),
            p95_ms: Some(next()),
            price: Price { input: next(), output: next() },
            context_tokens: next(),
            ..Candidate::new(format!("p{}", it / 2), format!("m{it}"))
        }).collect();
        let policy = DispatchPolicy {
            backoff: Backoff { base_ms: next(), max_ms: next() },
            min_attempt_ms: next() % 100,
            patience_ms: next(),
            stall_ms: next(),
            breaker_wait_ms: next(),
            ..DispatchPolicy::default()
        };
        let breakers = BreakerPolicy {
            window_ms: next(), open_ms: next(), max_open_ms: next(), max_hint_ms: next(),
            forced_pause_ms: next(), min_calls: 1, probes: 0,
            ..BreakerPolicy::default()
        };
        let gates = Counted {
            house: House::new(breakers, BudgetRules::default()),
            out: RefCell::default(),
        };
        let facts = RequestFacts {
            stream,
            prompt_tokens: next(),
            max_output_tokens: next(),
            latency_critical: true,
            ..RequestFacts::new(Uuid::nil())
        };
        let mut dispatch = Dispatch::new(facts, candidates, deadline, Arc::new(policy), next());
        for (now, act) in acts {
            match act {
                Act::Next => {
                    if let Step::WaitUntil(until) = dispatch.next(now, &gates) {
                        prop_assert!(until > now && until <= deadline);
                    }
                }
                Act::Cancel => dispatch.cancel(now, &gates),
                Act::Text(attempt, text) => drop(dispatch.on_event(AttemptId(attempt), Event::Text(&text), now, &gates)),
                Act::Other(attempt, bytes) => {
                    let event = if bytes % 2 == 0 { Event::ToolCall(bytes) } else { Event::Thinking(bytes) };
                    drop(dispatch.on_event(AttemptId(attempt), event, now, &gates));
                }
                Act::End(attempt, finish, tokens) => {
                    let usage = Some(Usage { tokens: Tokens { input: tokens, output: tokens }, cost_micro: Some(tokens) });
                    drop(dispatch.on_event(AttemptId(attempt), Event::End(End { finish, usage }), now, &gates));
                }
                Act::Failed(attempt, class, retry_after_ms, reset) => {
                    let failure = Failure { retry_after_ms, resets_at_ms: Some(reset), ..Failure::new(class, "x") };
                    drop(dispatch.on_event(AttemptId(attempt), Event::Failed(&failure), now, &gates));
                }
            }
            prop_assert_eq!(gates.out.borrow().len(), dispatch.in_progress());
        }
        dispatch.cancel(deadline, &gates);
        let mut steps = 0;
        while let Step::Stop { .. } = dispatch.next(deadline, &gates) {
            steps += 1;
            prop_assert!(steps < 100);
        }
        prop_assert!(dispatch.ending().is_some());
        prop_assert!(gates.out.borrow().is_empty());
        prop_assert_eq!(gates.house.budgets.snapshot().open, vec![]);
    }
}
