use super::*;

struct One {
    breakers: Breakers,
    name: Arc<str>,
    events: Vec<(BreakerState, BreakerState)>,
}

impl One {
    fn new() -> Self {
        Self {
            breakers: Breakers::new(BreakerPolicy {
                min_calls: 4,
                ..BreakerPolicy::default()
            }),
            name: "m".into(),
            events: Vec::new(),
        }
    }

    fn admit(&mut self, now: u64, force: bool) -> Result<BreakerPermit, BreakerOpen> {
        let (answer, event) = self.breakers.admit(&self.name, &self.name, now, force);
        self.events
            .extend(event.map(|event| (event.from, event.to)));
        answer
    }

    fn record(&mut self, permit: BreakerPermit, verdict: Verdict, now: u64) {
        let event = self
            .breakers
            .record(&self.name, &self.name, permit, verdict, now);
        self.events
            .extend(event.map(|event| (event.from, event.to)));
    }

    fn call(&mut self, verdict: Verdict, now: u64) {
        let permit = self.admit(now, false).unwrap();
        self.record(permit, verdict, now);
    }

    fn opened() -> Self {
        let mut one = Self::new();
        for _ in 0..4 {
            one.call(Verdict::Failure, 0);
        }
        one
    }
}

use BreakerState::{Closed, HalfOpen, Open};

#[test]
fn half_of_enough_calls_open_it_and_two_probes_close_it() {
    let mut one = One::new();
    one.call(Verdict::Failure, 0);
    one.call(Verdict::Success, 0);
    one.call(Verdict::Success, 0);
    assert_eq!(one.events, []);
    one.call(Verdict::Failure, 0);
    assert_eq!(
        one.admit(4_999, false).unwrap_err(),
        BreakerOpen {
            until_ms: 5_000,
            why: OpenWhy::FailureRate
        }
    );
    let (first, second) = (one.admit(5_000, false).unwrap(), one.admit(5_000, false));
    let second = second.unwrap();
    assert!(one.admit(5_000, false).is_err(), "a third probe");
    one.record(first, Verdict::Success, 5_100);
    one.record(second, Verdict::Success, 5_100);
    one.call(Verdict::Failure, 5_200);
    assert_eq!(
        one.events,
        [(Closed, Open), (Open, HalfOpen), (HalfOpen, Closed)]
    );
}

#[test]
fn a_failed_probe_opens_it_for_twice_as_long() {
    let mut one = One::opened();
    one.call(Verdict::Failure, 5_000);
    assert_eq!(one.admit(14_999, false).unwrap_err().until_ms, 15_000);
    assert!(one.admit(15_000, false).is_ok());
}

#[test]
fn calls_from_before_it_opened_do_not_decide_about_it() {
    let mut one = One::new();
    let old: Vec<_> = (0..3).map(|_| one.admit(0, false).unwrap()).collect();
    for _ in 0..4 {
        one.call(Verdict::Failure, 1);
    }
    let probe = one.admit(5_001, false).unwrap();
    for permit in old {
        one.record(permit, Verdict::Success, 5_002);
    }
    assert_eq!(one.events.last(), Some(&(Open, HalfOpen)));
    one.record(probe, Verdict::Failure, 5_003);
    assert_eq!(one.events.last(), Some(&(HalfOpen, Open)));
}

#[test]
fn a_lost_probe_does_not_hold_it_half_open() {
    let mut one = One::opened();
    let lost: Vec<_> = (0..2).map(|_| one.admit(5_000, false).unwrap()).collect();
    assert_eq!(one.admit(5_001, false).unwrap_err().until_ms, 5_251);
    let probe = one.admit(125_000, false).unwrap();
    one.record(probe, Verdict::Success, 125_001);
    drop(lost);
}

#[test]
fn a_call_that_says_nothing_frees_its_probe() {
    let mut one = One::opened();
    for _ in 0..5 {
        one.call(Verdict::Nothing, 5_000);
    }
    assert_eq!(one.events.last(), Some(&(Open, HalfOpen)));
}

#[test]
fn an_empty_account_is_left_alone_until_its_reset_and_no_failure_shortens_that() {
    let mut one = One::new();
    let (a, b) = (one.admit(0, false).unwrap(), one.admit(0, false).unwrap());
    one.record(a, Verdict::OpenUntil(900_000, OpenWhy::SpendCap), 10);
    one.record(b, Verdict::OpenUntil(1_000, OpenWhy::Asked), 20);
    let open = one.admit(899_999, false).unwrap_err();
    assert_eq!((open.until_ms, open.why), (900_000, OpenWhy::SpendCap));
}

#[test]
fn a_provider_cannot_close_itself_down_for_ever() {
    let mut one = One::new();
    one.call(Verdict::OpenUntil(u64::MAX, OpenWhy::Asked), 0);
    assert_eq!(
        one.admit(1, false).unwrap_err().until_ms,
        24 * 60 * 60 * 1000
    );
}

#[test]
fn a_forced_call_that_succeeds_brings_the_model_back() {
    let mut one = One::opened();
    let permit = one.admit(1, true).unwrap();
    one.record(permit, Verdict::Success, 2);
    assert_eq!(one.events.last(), Some(&(Open, HalfOpen)));
}

#[test]
fn a_restart_does_not_forget_who_asked_to_be_left_alone() {
    let mut one = One::new();
    one.call(Verdict::OpenUntil(900_000, OpenWhy::SpendCap), 10);
    let text = serde_json::to_string(&one.breakers.read(20)).unwrap();
    let mut again = One::new();
    let readings: Vec<BreakerReading> = serde_json::from_str(&text).unwrap();
    again.breakers.restore(&readings, 30);
    let open = again.admit(899_999, false).unwrap_err();
    assert_eq!((open.until_ms, open.why), (900_000, OpenWhy::SpendCap));
    again.call(Verdict::Success, 900_000);
    again.call(Verdict::Success, 900_000);
    assert_eq!(again.events, [(Open, HalfOpen), (HalfOpen, Closed)]);
}

#[test]
fn models_that_are_gone_are_forgotten() {
    let one = One::opened();
    assert_eq!(one.breakers.read(0).len(), 1);
    one.breakers.retain(|_, _| false);
    assert_eq!(one.breakers.read(0), []);
}
