//! Whatever happens, in whatever order: the state stays whole, reads back as it was written, and repeats nothing.

use std::collections::BTreeSet;

use polity_workflow::{Dialect, EffectId, Event, Fault, Instance, Phase, Transition, Workflow};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A fact, chosen before it is known what is pending.
#[derive(Clone, Debug)]
enum Move {
    Answer(usize, Value),
    Fail(usize, u16),
    AnswerOld(usize),
    Wake(u64),
    Hold(usize),
    Release(usize),
    Deliver(u8, &'static str, &'static str),
    Suspend,
    Resume,
    Cancel,
}

fn moves() -> impl Strategy<Value = Move> {
    let answer = prop_oneof![
        Just(json!({"decision": "ask", "amount": 700})),
        Just(json!({"decision": "pay"})),
        Just(json!({"decision": "approved"})),
        Just(json!([{"amount": 5}])),
        Just(Value::Null),
        Just(json!("text")),
    ];
    let status = prop_oneof![Just(503_u16), Just(408), Just(400)];
    let question = prop_oneof![Just("fast?"), Just("fair?"), Just("other")];
    let kind = prop_oneof![Just("com.shop.answer"), Just("com.shop.noise")];
    prop_oneof![
        8 => (any::<usize>(), answer).prop_map(|(which, output)| Move::Answer(which, output)),
        2 => (any::<usize>(), status).prop_map(|(which, status)| Move::Fail(which, status)),
        1 => any::<usize>().prop_map(Move::AnswerOld),
        3 => (0_u64..100_000_000).prop_map(Move::Wake),
        3 => (0_u8..6, kind, question).prop_map(|(id, kind, question)| Move::Deliver(id, kind, question)),
        2 => any::<usize>().prop_map(Move::Hold),
        3 => any::<usize>().prop_map(Move::Release),
        1 => Just(Move::Suspend),
        2 => Just(Move::Resume),
        1 => Just(Move::Cancel),
    ]
}

fn check(before: u64, transition: &Transition) -> u64 {
    let instance = &transition.instance;
    let mut number = before;
    for entry in &transition.entries {
        number += 1;
        assert_eq!(entry.number, number, "entries are numbered without a gap");
    }
    let written = serde_json::to_vec(instance).unwrap();
    assert_eq!(
        &serde_json::from_slice::<Instance>(&written).unwrap(),
        instance
    );
    let ended = matches!(
        instance.phase(),
        Phase::Completed | Phase::Faulted | Phase::Cancelled
    );
    assert_eq!(ended, instance.outcome().is_some());
    if ended {
        assert!(instance.pending().is_empty());
        assert_eq!(instance.next_wake(), None);
    } else if instance.phase() != Phase::Suspended {
        let can_move = instance.next_wake().is_some()
            || !instance.pending().is_empty()
            || instance.is_listening();
        assert!(can_move, "nothing could ever move it again: {instance:?}");
    }
    number
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_order_of_facts_breaks_an_instance(moves in proptest::collection::vec(moves(), 0..60)) {
        let text = include_str!("data/refund-dispute.yaml");
        let workflow = Workflow::load("refund-dispute.yaml", text, Dialect::Strict).unwrap();
        let mut now = 1_000;
        let mut transition = Instance::start(&workflow, json!([{"order": "A1"}]), "run-1", now, 3);
        let mut number = check(0, &transition);
        let mut answered: Vec<EffectId> = Vec::new();
        let mut requested: BTreeSet<EffectId> = transition.requests.iter().map(|request| request.id.clone()).collect();
        for step in moves {
            let pending = transition.instance.pending();
            let pick = |which: usize| (!pending.is_empty()).then(|| pending[which % pending.len()].clone());
            let event = match step {
                Move::Answer(which, output) => match pick(which) {
                    Some(id) => {
                        answered.push(id.clone());
                        Event::EffectCompleted { id, output }
                    }
                    None => Event::TimerFired,
                },
                Move::Fail(which, status) => match pick(which) {
                    Some(id) => {
                        answered.push(id.clone());
                        Event::EffectFailed { id, error: Fault::communication(status, "x") }
                    }
                    None => Event::TimerFired,
                },
                Move::AnswerOld(which) if !answered.is_empty() => {
                    let id = answered[which % answered.len()].clone();
                    Event::EffectCompleted { id, output: json!({"decision": "approved"}) }
                }
                Move::AnswerOld(_) => Event::TimerFired,
                Move::Wake(ms) => {
                    now += ms;
                    Event::TimerFired
                }
                Move::Hold(which) => match pick(which) {
                    Some(id) => Event::EffectHeld { id },
                    None => Event::TimerFired,
                },
                Move::Release(which) => match pick(which) {
                    Some(id) => Event::EffectReleased { id },
                    None => Event::TimerFired,
                },
                Move::Deliver(id, kind, question) => Event::Received {
                    cloud_event: json!({"id": id.to_string(), "source": "/s", "type": kind, "data": {"question": question}}),
                },
                Move::Suspend => Event::Suspend,
                Move::Resume => Event::Resume,
                Move::Cancel => Event::Cancel { reason: "x".into() },
            };
            let stored = serde_json::to_vec(&transition.instance).unwrap();
            let again: Instance = serde_json::from_slice(&stored).unwrap();
            let before = transition.instance.clone();
            let next = transition.instance.step(&workflow, event.clone(), now, 3).unwrap();
            // What was stored and read moves exactly as what stayed in memory.
            prop_assert_eq!(&again.step(&workflow, event.clone(), now, 3).unwrap(), &next);
            number = check(number, &next);
            for request in &next.requests {
                if matches!(&event, Event::EffectReleased { id } if *id == request.id) {
                    prop_assert!(before.is_held(&request.id));
                    continue;
                }
                prop_assert!(requested.insert(request.id.clone()), "{:?} was asked for twice", request.id);
            }
            transition = next;
        }
    }
}
