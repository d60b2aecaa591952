//! Answers that go out in pieces, and break.

use super::*;

#[test]
fn a_stream_that_breaks_is_continued_by_another_model() {
    let mut desk = Desk::new(streamed(), three());
    let first = desk.start(0);
    desk.tell(first.attempt, Event::Text("The capital of France"), 1);
    desk.tell(
        first.attempt,
        Event::Failed(&failure(ErrorClass::BrokenStream)),
        2,
    );
    let second = desk.start(2);
    assert_eq!((&*second.model, second.role), ("b", Role::Continuation));
    let continuation = second.continuation.unwrap();
    assert_eq!(&*continuation.sent, "The capital of France");
    // It repeats the last words, which the reader has seen.
    let heard = desk.tell(second.attempt, Event::Text("capital of France is"), 3);
    assert_eq!(heard, Heard::Text(" is".to_owned()));
    assert_eq!(
        desk.tell(second.attempt, Event::Text(" Paris."), 4),
        Heard::Pass
    );
    desk.end(second.attempt, 5);
    let finished = desk.finished(5);
    assert_eq!(finished.continuations, 1);
    // What the first had sent is paid for as well.
    assert!(finished.trail.attempts[0].cost_micro > 100);
    assert_eq!(finished.trail.wasted_micro(), 0);
}

#[test]
fn a_stream_that_nobody_can_continue_ends_as_broken_and_says_why() {
    let not_allowed = RequestFacts {
        may_continue: false,
        ..streamed()
    };
    for (facts, has_tool_call) in [(streamed(), true), (not_allowed, false)] {
        let mut desk = Desk::new(facts, three());
        let start = desk.start(0);
        desk.tell(start.attempt, Event::Text("Let me look."), 1);
        if has_tool_call {
            desk.tell(start.attempt, Event::ToolCall(20), 1);
        }
        desk.tell(
            start.attempt,
            Event::Failed(&failure(ErrorClass::Connection)),
            2,
        );
        let Step::Broken(broken) = desk.step(2) else {
            panic!()
        };
        assert_eq!(
            (broken.sent_bytes, broken.why.cause),
            (12, Cause::NotContinuable)
        );
    }
}

#[test]
fn a_stream_that_falls_silent_is_taken_from_its_model() {
    let policy = DispatchPolicy {
        stall_ms: 500,
        ..DispatchPolicy::default()
    };
    let mut desk = desk(streamed(), three(), policy);
    let start = desk.start(0);
    desk.tell(start.attempt, Event::Text("one"), 100);
    assert_eq!(desk.step(100), Step::WaitUntil(NOW + 600));
    desk.tell(start.attempt, Event::Text(" two"), 400);
    assert!(matches!(desk.step(899), Step::WaitUntil(_)));
    assert!(matches!(desk.step(900), Step::Stop { .. }));
    assert_eq!(desk.start(900).role, Role::Continuation);
}

#[test]
fn white_space_and_junk_do_not_reach_the_reader() {
    let mut desk = Desk::new(streamed(), three());
    let first = desk.start(0);
    let heard = desk.tell(first.attempt, Event::Text("\n\n"), 1);
    assert_eq!(heard, Heard::Text(String::new()));
    let junk = "\u{fffd}".repeat(30);
    assert_eq!(desk.tell(first.attempt, Event::Text(&junk), 2), Heard::Drop);
    assert!(matches!(
        desk.step(2),
        Step::Stop {
            why: StopWhy::Garbage,
            ..
        }
    ));
    let second = desk.start(2);
    assert_eq!((second.role, second.continuation), (Role::Fallback, None));
    desk.tell(second.attempt, Event::Text(" "), 3);
    let heard = desk.tell(second.attempt, Event::Text("Yes."), 3);
    assert_eq!(heard, Heard::Text(" Yes.".to_owned()));
}
