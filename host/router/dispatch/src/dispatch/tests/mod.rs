use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::budget::{BudgetLimit, Period, Scope};
use crate::{
    Billing, BreakerPolicy, BudgetRules, ClassRule, ClassTable, House, LastResort, Mark, Price,
    Reach, Then, Tokens, Usage,
};

mod streams;

const NOW: u64 = 1_795_000_000_000;
const DEADLINE: u64 = NOW + 10_000;

/// One request and everything round it.
struct Desk {
    dispatch: Dispatch,
    house: House,
}

fn candidate(plugin: &str, model: &str) -> Candidate {
    Candidate {
        estimate_micro: 1_000,
        expected_ms: 1_000,
        p95_ms: Some(1_500),
        price: Price {
            input: 1_000_000,
            output: 2_000_000,
        },
        ..Candidate::new(plugin, model)
    }
}

fn three() -> Vec<Candidate> {
    vec![
        candidate("p1", "a"),
        candidate("p2", "b"),
        candidate("p3", "c"),
    ]
}

fn facts() -> RequestFacts {
    RequestFacts {
        prompt_tokens: 100,
        ..RequestFacts::new(Uuid::from_u128(1))
    }
}

fn streamed() -> RequestFacts {
    RequestFacts {
        stream: true,
        ..facts()
    }
}

fn house() -> House {
    House::new(BreakerPolicy::default(), BudgetRules::default())
}

fn desk(facts: RequestFacts, candidates: Vec<Candidate>, policy: DispatchPolicy) -> Desk {
    Desk {
        dispatch: Dispatch::new(facts, candidates, DEADLINE, Arc::new(policy), 1),
        house: house(),
    }
}

impl Desk {
    fn new(facts: RequestFacts, candidates: Vec<Candidate>) -> Self {
        desk(facts, candidates, DispatchPolicy::default())
    }

    fn step(&mut self, at: u64) -> Step {
        self.dispatch.next(NOW + at, &self.house)
    }

    fn start(&mut self, at: u64) -> Start {
        match self.step(at) {
            Step::Start(start) => start,
            other => panic!("{other:?}"),
        }
    }

    /// Begins the next attempt, wherever it goes, and lets it fail.
    fn start_and_fail(&mut self, at: u64, failure: Failure) -> Arc<str> {
        let start = self.start(at);
        self.tell(start.attempt, Event::Failed(&failure), at);
        start.model
    }

    fn tell(&mut self, attempt: AttemptId, event: Event<'_>, at: u64) -> Heard {
        self.dispatch
            .on_event(attempt, event, NOW + at, &self.house)
    }

    fn end(&mut self, attempt: AttemptId, at: u64) -> Heard {
        let usage = Usage {
            tokens: Tokens {
                input: 100,
                output: 10,
            },
            cost_micro: None,
        };
        let end = End {
            finish: Some("stop"),
            usage: Some(usage),
        };
        self.tell(attempt, Event::End(end), at)
    }

    fn gives_up(&mut self, at: u64) -> GiveUp {
        match self.step(at) {
            Step::GiveUp(why) => *why,
            other => panic!("{other:?}"),
        }
    }

    fn finished(&mut self, at: u64) -> Finished {
        match self.step(at) {
            Step::Finished(finished) => *finished,
            other => panic!("{other:?}"),
        }
    }
}

fn failure(class: ErrorClass) -> Failure {
    Failure::new(class, "it says so")
}

#[test]
fn the_first_model_answers_and_pays_what_it_used() {
    let mut desk = Desk::new(facts(), three());
    let start = desk.start(0);
    assert_eq!((&*start.model, start.role), ("a", Role::First));
    assert_eq!(desk.tell(start.attempt, Event::Text("hi"), 5), Heard::Pass);
    desk.end(start.attempt, 6);
    let finished = desk.finished(6);
    assert_eq!((finished.candidate, finished.trail.cost_micro), (0, 120));
    assert_eq!(desk.step(999_999), Step::Finished(Box::new(finished)));
}

#[test]
fn a_rate_limit_goes_elsewhere_and_comes_back_when_it_said() {
    let mut desk = Desk::new(facts(), three()[..2].to_vec());
    let limited = failure(ErrorClass::RateLimited).retry_after(2_000);
    assert_eq!(&*desk.start_and_fail(0, limited), "a");
    assert_eq!(&*desk.start_and_fail(10, failure(ErrorClass::Auth)), "b");
    assert_eq!(desk.step(20), Step::WaitUntil(NOW + 2_000));
    let again = desk.start(2_000);
    assert_eq!((&*again.model, again.role), ("a", Role::Retry));
}

#[test]
fn an_empty_account_speaks_for_all_models_of_its_plugin() {
    let models = vec![
        candidate("p1", "a"),
        candidate("p1", "a-mini"),
        candidate("p2", "b"),
    ];
    let mut desk = Desk::new(facts(), models);
    desk.start_and_fail(0, failure(ErrorClass::SpendCap));
    assert_eq!(&*desk.start_and_fail(1, failure(ErrorClass::Trap)), "b");
    let why = desk.gives_up(2);
    assert_eq!(why.cause, Cause::AllFailed);
    assert!(matches!(&why.reasons[1].why, WhyNot::SameAs { model, .. } if &**model == "a"));
}

#[test]
fn a_prompt_that_is_too_long_goes_only_where_there_is_more_room() {
    let room = |name, context_tokens| Candidate {
        context_tokens,
        ..candidate(name, name)
    };
    let models = vec![
        room("a", 8_000),
        room("b", 4_000),
        room("c", 32_000),
        room("d", 0),
    ];
    let mut desk = Desk::new(facts(), models);
    desk.start_and_fail(0, failure(ErrorClass::ContextTooLong));
    assert_eq!(&*desk.start_and_fail(1, failure(ErrorClass::Trap)), "c");
    assert_eq!(&*desk.start(2).model, "d");
}

#[test]
fn what_two_providers_do_not_understand_is_not_taken_to_a_third() {
    let mut desk = Desk::new(facts(), three());
    desk.start_and_fail(0, failure(ErrorClass::InvalidRequest));
    desk.start_and_fail(1, failure(ErrorClass::InvalidRequest));
    let why = desk.gives_up(2);
    assert_eq!((why.cause, why.trail.attempts.len()), (Cause::Fatal, 2));
    assert_eq!(
        why.last_failure(),
        Some((ErrorClass::InvalidRequest, "it says so"))
    );
}

#[test]
fn the_companys_own_line_of_the_table_is_followed() {
    let never = ClassRule {
        then: Then::GiveUp,
        retries: 0,
        elsewhere: 0,
        reach: Reach::Model,
        breaker: Mark::Nothing,
        billing: Billing::NotBilled,
    };
    let policy = DispatchPolicy {
        classes: ClassTable::default().with(ErrorClass::Refused, never),
        ..DispatchPolicy::default()
    };
    let mut desk = desk(facts(), three(), policy);
    desk.start_and_fail(0, failure(ErrorClass::Refused));
    assert_eq!(desk.gives_up(1).cause, Cause::Fatal);
}

#[test]
fn a_lost_connection_is_tried_again_at_the_same_model_first() {
    let mut desk = Desk::new(facts(), three());
    desk.start_and_fail(0, failure(ErrorClass::Connection));
    let Step::WaitUntil(at) = desk.step(0) else {
        panic!()
    };
    assert!((NOW + 100..=NOW + 200).contains(&at), "half of it is drawn");
    assert_eq!(
        &*desk.start_and_fail(at - NOW, failure(ErrorClass::Connection)),
        "a"
    );
    assert_eq!(&*desk.start(at - NOW).model, "b");
}

#[test]
fn time_is_kept_for_the_models_that_come_after() {
    let mut desk = Desk::new(facts(), three());
    let first = desk.start(0);
    // Six times its usual second; the others' seconds are free.
    assert_eq!(first.timeout_at_ms, NOW + 6_000);
    assert_eq!(desk.step(10), Step::WaitUntil(NOW + 6_000));
    let Step::Stop { attempt, why } = desk.step(6_000) else {
        panic!()
    };
    assert_eq!((attempt, why), (first.attempt, StopWhy::Timeout));
    assert_eq!(desk.start(6_000).timeout_at_ms, NOW + 8_750);
    assert!(matches!(desk.step(8_750), Step::Stop { .. }));
    // The last one has all that is left.
    assert_eq!(desk.start(8_750).timeout_at_ms, DEADLINE);
    assert!(matches!(
        desk.step(10_000),
        Step::Stop {
            why: StopWhy::Deadline,
            ..
        }
    ));
    assert_eq!(desk.gives_up(10_000).cause, Cause::Deadline);
}

#[test]
fn an_answer_that_comes_after_its_time_is_not_heard() {
    let mut desk = Desk::new(facts(), three()[..1].to_vec());
    let start = desk.start(0);
    assert_eq!(desk.end(start.attempt, 10_000), Heard::Drop);
    assert!(matches!(desk.step(10_000), Step::Stop { .. }));
    assert_eq!(desk.gives_up(10_000).trail.attempts.len(), 1);
}

#[test]
fn an_answer_that_comes_twice_is_heard_and_paid_once() {
    let mut desk = Desk::new(facts(), three());
    let start = desk.start(0);
    desk.tell(start.attempt, Event::Text("hi"), 1);
    desk.end(start.attempt, 2);
    assert_eq!(desk.end(start.attempt, 3), Heard::Drop);
    assert_eq!(desk.tell(start.attempt, Event::Text("hi"), 3), Heard::Drop);
    let finished = desk.finished(3);
    assert_eq!(finished.trail.attempts.len(), 1);
    assert_eq!(finished.trail.cost_micro, 120);
}

#[test]
fn an_answer_that_does_not_say_that_it_has_ended_has_not() {
    for finish in [None, Some("stop")] {
        let mut desk = Desk::new(facts(), three());
        let start = desk.start(0);
        if finish.is_none() {
            desk.tell(start.attempt, Event::Text("half of"), 1);
        }
        let end = End {
            finish,
            usage: None,
        };
        assert_eq!(desk.tell(start.attempt, Event::End(end), 2), Heard::Drop);
        assert_eq!(desk.start(2).role, Role::Fallback);
        let class = match finish {
            None => ErrorClass::BrokenStream,
            Some(_) => ErrorClass::Garbage,
        };
        assert_eq!(desk.dispatch.trail().failures(class), 1);
    }
}

#[test]
fn a_critical_request_is_hedged_once_when_its_model_is_slower_than_usual() {
    let critical = RequestFacts {
        latency_critical: true,
        ..streamed()
    };
    let mut desk = Desk::new(critical, three());
    let first = desk.start(0);
    assert_eq!(desk.step(1), Step::WaitUntil(NOW + 1_500));
    let Step::Hedge(hedge) = desk.step(1_500) else {
        panic!()
    };
    assert_eq!((&*hedge.model, hedge.role), ("b", Role::Hedge));
    assert!(matches!(desk.step(3_200), Step::WaitUntil(_)), "no third");
    desk.tell(hedge.attempt, Event::Text("fast"), 3_300);
    let Step::Stop { attempt, why } = desk.step(3_300) else {
        panic!()
    };
    assert_eq!((attempt, why), (first.attempt, StopWhy::Outrun));
    assert_eq!(
        desk.tell(first.attempt, Event::Text("slow"), 3_400),
        Heard::Drop
    );
    desk.end(hedge.attempt, 3_500);
    let finished = desk.finished(3_500);
    assert_eq!(finished.attempt, hedge.attempt);
    // The slow one may send a bill for the prompt.
    assert_eq!(finished.trail.attempts[0].cost_micro, 100);
    assert_eq!(finished.trail.cost_micro, 220);
    assert_eq!(finished.trail.wasted_micro(), 100);
}

#[test]
fn a_request_that_is_not_critical_or_cannot_pay_twice_is_not_hedged() {
    let poor = RequestFacts {
        latency_critical: true,
        max_cost_micro: Some(1_500),
        ..facts()
    };
    for facts in [facts(), poor] {
        let mut desk = Desk::new(facts, three());
        desk.start(0);
        assert!(matches!(desk.step(1_500), Step::WaitUntil(_)));
        assert_eq!(desk.dispatch.in_progress(), 1);
    }
}

#[test]
fn a_hedge_goes_on_when_the_first_fails() {
    let critical = RequestFacts {
        latency_critical: true,
        ..facts()
    };
    let mut desk = Desk::new(critical, three());
    let first = desk.start(0);
    let Step::Hedge(hedge) = desk.step(1_500) else {
        panic!()
    };
    desk.tell(
        first.attempt,
        Event::Failed(&failure(ErrorClass::Overloaded)),
        1_600,
    );
    assert!(matches!(desk.step(1_600), Step::WaitUntil(_)));
    desk.tell(hedge.attempt, Event::Text("ok"), 1_700);
    desk.end(hedge.attempt, 1_700);
    assert_eq!(desk.finished(1_700).candidate, 1);
}

#[test]
fn a_usage_that_cannot_be_is_charged_as_if_nothing_had_been_said() {
    for output in [u64::MAX, 1 << 50] {
        let mut desk = Desk::new(facts(), three());
        let start = desk.start(0);
        desk.tell(start.attempt, Event::Text("hi"), 1);
        let usage = Usage {
            tokens: Tokens { input: 100, output },
            cost_micro: None,
        };
        let end = End {
            finish: Some("stop"),
            usage: Some(usage),
        };
        desk.tell(start.attempt, Event::End(end), 2);
        let finished = desk.finished(2);
        assert_eq!((finished.trail.cost_micro, finished.usage), (102, None));
        let attempt = &finished.trail.attempts[0];
        assert!(attempt.is_estimate && attempt.cost_micro < attempt.reserved_micro);
    }
}

#[test]
fn a_provider_that_names_no_usage_still_sends_a_bill() {
    let mut desk = Desk::new(facts(), three());
    let start = desk.start(0);
    desk.tell(start.attempt, Event::Text("eight by"), 1);
    let end = End {
        finish: Some("stop"),
        usage: Some(Usage::default()),
    };
    desk.tell(start.attempt, Event::End(end), 2);
    assert_eq!(desk.finished(2).trail.cost_micro, 104);
}

#[test]
fn a_provider_that_names_one_side_only_is_not_believed_about_the_other() {
    for (input, output, cost) in [(0, 1, 102), (100, 0, 104), (100, 1, 102)] {
        let mut desk = Desk::new(facts(), three());
        let start = desk.start(0);
        desk.tell(start.attempt, Event::Text("eight by"), 1);
        let usage = Usage {
            tokens: Tokens { input, output },
            cost_micro: None,
        };
        let end = End {
            finish: Some("stop"),
            usage: Some(usage),
        };
        desk.tell(start.attempt, Event::End(end), 2);
        let trail = desk.finished(2).trail;
        assert_eq!(trail.cost_micro, cost);
        assert_eq!(trail.attempts[0].is_estimate, input == 0 || output == 0);
    }
}

#[test]
fn what_was_collected_of_an_answer_is_on_the_bill_of_the_attempt_that_ran_out_of_time() {
    let mut desk = Desk::new(facts(), three()[..1].to_vec());
    let start = desk.start(0);
    desk.dispatch.collected(start.attempt, 4_000);
    // Nobody tells it that the attempt failed before it sees so itself.
    let _ = desk.step(DEADLINE + 1);
    let attempt = &desk.dispatch.trail().attempts[0];
    assert_eq!(attempt.cost_micro, 100 + 2 * 1_000);
    assert!(attempt.is_estimate);
}

#[test]
fn the_last_model_is_tried_although_its_breaker_is_open_and_the_outcome_says_so() {
    for last_resort in [LastResort::Try, LastResort::Refuse] {
        let policy = DispatchPolicy {
            last_resort,
            ..DispatchPolicy::default()
        };
        let mut desk = desk(facts(), three()[..1].to_vec(), policy);
        let names = (Arc::from("p1"), Arc::from("a"));
        // It fails for hours, and has come to be left alone for minutes.
        let mut at = NOW - 4_000_000;
        while desk
            .house
            .breakers
            .open_until("p1", "a", DEADLINE)
            .is_none()
            || at < NOW - 60_000
        {
            let (permit, _) = desk.house.breakers.admit(&names.0, &names.1, at, false);
            match permit {
                Ok(permit) => drop(desk.house.breakers.record(
                    &names.0,
                    &names.1,
                    permit,
                    crate::Verdict::Failure,
                    at,
                )),
                Err(open) => at = open.until_ms - 1,
            }
            at += 1;
        }
        if last_resort == LastResort::Refuse {
            let why = desk.gives_up(0);
            assert_eq!(why.cause, Cause::AllBlocked);
            assert!(why.to_string().contains("its breaker is open until"));
            assert!(why.retry_at_ms.is_some());
            continue;
        }
        let start = desk.start(0);
        desk.tell(start.attempt, Event::Text("back"), 1);
        desk.end(start.attempt, 1);
        assert_eq!(&*desk.finished(1).trail.breakers_overruled[0], "a");
        let events = desk.dispatch.take_breaker_events();
        assert_eq!(events[0].to, crate::BreakerState::HalfOpen);
    }
}

#[test]
fn what_the_budget_does_not_allow_goes_to_a_cheaper_model() {
    let dear = Candidate {
        estimate_micro: 50_000,
        ..candidate("p1", "dear")
    };
    let mut desk = Desk::new(facts(), vec![dear, candidate("p2", "cheap")]);
    desk.house.budgets.set_rules(BudgetRules {
        limits: vec![BudgetLimit {
            scope: Scope::Company,
            id: None,
            period: Period::Day,
            limit_micro: 1_500,
        }],
        ..BudgetRules::default()
    });
    let start = desk.start(0);
    assert_eq!(&*start.model, "cheap");
    desk.tell(start.attempt, Event::Failed(&failure(ErrorClass::Trap)), 1);
    let why = desk.gives_up(1);
    assert!(matches!(
        why.reasons[0].why,
        WhyNot::Blocked(Blocked::OverBudget(_))
    ));
}

#[test]
fn one_request_costs_no_more_than_it_may() {
    let capped = RequestFacts {
        max_cost_micro: Some(1_100),
        ..facts()
    };
    let mut desk = Desk::new(capped, three());
    let start = desk.start(0);
    desk.tell(start.attempt, Event::Text("half"), 1);
    desk.tell(
        start.attempt,
        Event::Failed(&failure(ErrorClass::BrokenStream)),
        2,
    );
    // That cost 102; of 1,100 no other thousand is left, nor for the same model again.
    let Step::WaitUntil(at) = desk.step(2) else {
        panic!()
    };
    let why = desk.gives_up(at - NOW);
    assert!(matches!(
        why.reasons[1].why,
        WhyNot::Blocked(Blocked::CostCap { .. })
    ));
}

#[test]
fn a_caller_who_goes_away_leaves_nothing_behind() {
    let critical = RequestFacts {
        latency_critical: true,
        ..facts()
    };
    let mut desk = Desk::new(critical, three());
    desk.start(0);
    assert!(matches!(desk.step(1_500), Step::Hedge(_)));
    desk.dispatch.cancel(NOW + 1_600, &desk.house);
    assert!(matches!(
        desk.step(1_600),
        Step::Stop {
            why: StopWhy::Cancelled,
            ..
        }
    ));
    assert!(matches!(desk.step(1_600), Step::Stop { .. }));
    assert_eq!(desk.gives_up(1_600).cause, Cause::Cancelled);
    assert_eq!(desk.house.budgets.snapshot().open, vec![]);
}

#[test]
fn with_nobody_to_ask_that_is_what_is_said() {
    assert_eq!(
        Desk::new(facts(), vec![]).gives_up(0).cause,
        Cause::NoCandidates
    );
}

#[test]
fn giving_up_tells_every_reason() {
    let mut models = three();
    models.push(candidate("p1", "a-mini"));
    let mut desk = Desk::new(facts(), models);
    desk.start_and_fail(0, Failure::new(ErrorClass::Auth, "the key was revoked"));
    let limited = failure(ErrorClass::RateLimited).retry_after(60_000);
    desk.start_and_fail(1, limited);
    let start = desk.start(2);
    desk.tell(start.attempt, Event::Failed(&failure(ErrorClass::Trap)), 3);
    insta::assert_snapshot!(desk.gives_up(4));
}
