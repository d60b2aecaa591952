//! Promises of the interpreter that a scenario cannot say.

mod support;

use std::collections::HashSet;

use polity_workflow::{
    Correlator, Dialect, EffectRequest, Entry, EntryKind, Event, Fault, Ignored, Instance, Outcome,
    Phase, Recovery, StepError, Triggered, Workflow,
};
use serde_json::{Value, json};
use support::host::{Crash, Host, echo};

fn load(body: &str) -> Workflow {
    let text = format!("document: {{dsl: 1.0.3, namespace: t, name: t, version: 1.0.0}}\n{body}");
    Workflow::load("t.yaml", &text, Dialect::Strict).unwrap_or_else(|error| panic!("{error}"))
}

fn output(instance: &Instance) -> Value {
    match instance.outcome() {
        Some(Outcome::Completed { output }) => output.clone(),
        other => panic!("{:?} {other:?}", instance.phase()),
    }
}

#[test]
fn all_18_lifecycle_events_occur_and_are_cloud_events_of_the_specification() {
    let workflow = load(
        "do:
  - risky:
      try:
        - pay: {call: connector, with: {plugin: a, operation: b}, metadata: {effect: idempotent}}
      catch: {retry: {delay: PT1S, limit: {attempt: {count: 1}}}}
  - race:
      fork:
        compete: true
        branches:
          - paid: {listen: {to: {one: {with: {type: paid}, correlate: {order: {from: .data.order}}}}}}
          - late: {wait: P1D}
",
    );
    let mut fails = 1;
    let mut perform = |request: &EffectRequest| {
        if fails > 0 {
            fails -= 1;
            return Some(Err(Fault::communication(503, "down")));
        }
        echo(request)
    };
    let mut host = Host::start(&workflow, json!({}), Crash::Never, &mut perform);
    host.pass(1_000, &mut perform);
    host.send(Event::Suspend, &mut perform);
    host.send(Event::Resume, &mut perform);
    let event = json!({"id": "1", "source": "/s", "type": "paid", "data": {"order": 7}});
    host.send(Event::Received { cloud_event: event }, &mut perform);
    assert_eq!(host.instance().phase(), Phase::Completed);

    let mut entries = host.journal.clone();
    let mut cancelled = Host::start(&workflow, json!({}), Crash::Never, &mut echo);
    cancelled.send(
        Event::Cancel {
            reason: "no".into(),
        },
        &mut echo,
    );
    entries.extend(cancelled.journal.clone());
    let failing = load("do: [{a: {raise: {error: {type: 'https://x.example', status: 400}}}}]");
    let failed = Instance::start(&failing, Value::Null, "run-2", 5, 1);
    entries.extend(failed.entries);

    let kinds: HashSet<EntryKind> = entries.iter().map(|entry| entry.kind).collect();
    let missing: Vec<_> = EntryKind::ALL
        .iter()
        .filter(|kind| !kinds.contains(kind))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");

    let numbers: Vec<u64> = host.journal.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let events: Vec<Value> = host
        .journal
        .iter()
        .map(|entry| entry.cloud_event(&host.instance(), &workflow))
        .collect();
    let find = |kind: &str| {
        events
            .iter()
            .find(|event| event["type"] == kind)
            .unwrap()
            .clone()
    };
    insta::assert_json_snapshot!([
        find("io.serverlessworkflow.workflow.started.v1"),
        find("io.serverlessworkflow.task.faulted.v1"),
        find("io.serverlessworkflow.workflow.correlation-completed.v1"),
        find("io.serverlessworkflow.workflow.completed.v1"),
    ]);
}

#[test]
fn an_effect_that_may_happen_at_most_once_is_never_sent_again() {
    let workflow = load(
        "do:
  - mail:
      try:
        - send: {call: connector, with: {plugin: mail, operation: send}, metadata: {effect: at-most-once}}
      catch:
        do: [{ask: {set: {unclear: '${ $error.detail }'}}}]
",
    );
    let host = Host::start(&workflow, json!({}), Crash::AfterEffect(1), &mut echo);
    assert_eq!(host.performed.len(), 1);
    assert_eq!(host.unknown.len(), 1);
    assert_eq!(
        output(&host.instance()),
        json!({"unclear": "nobody knows whether it happened"})
    );
    // Dead before it was sent, it is sent.
    let host = Host::start(&workflow, json!({}), Crash::AfterCommit(1), &mut echo);
    assert_eq!((host.performed.len(), host.unknown.len()), (1, 0));
}

#[test]
fn an_effect_that_may_happen_twice_is_sent_again_under_its_key() {
    let workflow = load("do: [{ask: {call: model, with: {prompt: Hello}}}]");
    let host = Host::start(&workflow, json!({}), Crash::AfterEffect(1), &mut echo);
    assert_eq!(host.performed.len(), 2);
    assert_eq!(host.performed[0].0, host.performed[1].0);
}

#[test]
fn answers_that_come_twice_or_to_another_attempt_count_once() {
    let workflow =
        load("do: [{a: {call: decide, with: {table: t}}}, {b: {call: decide, with: {table: u}}}]");
    let started = Instance::start(&workflow, json!({}), "run-1", 1, 1);
    let id = started.requests[0].id.clone();
    let answer = Event::EffectCompleted {
        id: id.clone(),
        output: json!(1),
    };
    let first = started
        .instance
        .clone()
        .step(&workflow, answer.clone(), 2, 1)
        .unwrap();
    let second = first
        .instance
        .clone()
        .step(&workflow, answer, 3, 1)
        .unwrap();
    assert_eq!(second.ignored, Some(Ignored::UnknownEffect));
    assert_eq!(second.instance, first.instance);
    let mut other = id;
    other.attempt = 2;
    let late = Event::EffectCompleted {
        id: other,
        output: json!(9),
    };
    let third = started.instance.step(&workflow, late, 2, 1).unwrap();
    assert_eq!(third.ignored, Some(Ignored::UnknownEffect));
}

#[test]
fn a_loop_without_a_wait_cannot_hold_the_host() {
    let workflow = load("do: [{a: {set: {x: 1}}}, {b: {set: {x: 2}, then: a}}]");
    let mut transition = Instance::start(&workflow, json!({}), "run-1", 1, 1);
    let mut largest = 0;
    for _ in 0..200 {
        assert!(
            transition.entries.len() < 200,
            "{}",
            transition.entries.len()
        );
        assert_eq!(transition.wake, Some(0));
        largest = largest.max(serde_json::to_vec(&transition.instance).unwrap().len());
        transition = transition
            .instance
            .step(&workflow, Event::TimerFired, 1, 1)
            .unwrap();
    }
    assert!(largest < 2_000, "the state grew to {largest} bytes");
    let cancelled = transition
        .instance
        .step(
            &workflow,
            Event::Cancel {
                reason: "enough".into(),
            },
            2,
            1,
        )
        .unwrap();
    assert_eq!(cancelled.instance.phase(), Phase::Cancelled);
}

#[test]
fn an_instance_stays_on_its_version() {
    let old = load("do: [{a: {wait: PT1S}}]");
    let new = load("do: [{a: {wait: PT2S}}]");
    let started = Instance::start(&old, json!({}), "run-1", 1, 1);
    let error = started
        .instance
        .clone()
        .step(&new, Event::TimerFired, 2_000, 1)
        .unwrap_err();
    assert!(matches!(error, StepError::OtherWorkflow { .. }));
    assert!(
        started
            .instance
            .step(&old, Event::TimerFired, 2_000, 1)
            .unwrap()
            .instance
            .outcome()
            .is_some()
    );
}

#[test]
fn the_same_facts_lead_to_the_same_state_bit_for_bit() {
    let workflow = load(
        "do:
  - a:
      try: [{b: {call: connector, with: {plugin: p, operation: o}, metadata: {effect: idempotent}}}]
      catch: {retry: {delay: PT1S, jitter: {from: PT0S, to: PT30S}, limit: {attempt: {count: 5}}}}
",
    );
    let run = |seed| {
        let started = Instance::start(&workflow, json!({}), "run-1", 1, seed);
        let failed = Event::EffectFailed {
            id: started.requests[0].id.clone(),
            error: Fault::communication(503, "x"),
        };
        started.instance.step(&workflow, failed, 2, seed).unwrap()
    };
    assert_eq!(run(1), run(1));
    let delays: HashSet<_> = (0..20).map(|seed| run(seed).wake.unwrap()).collect();
    assert!(delays.len() > 10, "{delays:?}");
    assert!(
        delays.iter().all(|wake| (1_002..=31_002).contains(wake)),
        "{delays:?}"
    );
}

#[test]
fn recovery_names_what_is_pending_and_nothing_that_was_answered() {
    let workflow = load(
        "do:
  - both:
      fork:
        branches:
          - a: {call: decide, with: {table: t}}
          - b: {call: human.task, with: {title: Look, role: editor}}
",
    );
    let started = Instance::start(&workflow, json!({}), "run-1", 1, 1);
    assert_eq!(started.requests.len(), 2);
    let answer = Event::EffectCompleted {
        id: started.requests[0].id.clone(),
        output: json!(1),
    };
    let next = started
        .instance
        .step(&workflow, answer, 2, 1)
        .unwrap()
        .instance;
    let stored: Instance = serde_json::from_slice(&serde_json::to_vec(&next).unwrap()).unwrap();
    assert_eq!(stored, next);
    let recovered = stored.recover(&workflow);
    assert_eq!(
        recovered,
        [Recovery::Send {
            request: started.requests[1].clone()
        }]
    );
}

#[test]
fn events_start_a_workflow_with_the_events_as_its_input() {
    let workflow = load(
        "schedule: {on: {all: [{with: {type: a}, correlate: {k: {from: .data.k}}}, {with: {type: b}, correlate: {k: {from: .data.k}}}]}}
do: [{x: {set: {n: '${ . }'}}}]",
    );
    let event = |id: &str, kind: &str, k: u32| json!({"id": id, "source": "/s", "type": kind, "data": {"k": k}});
    let mut correlator = Correlator::default();
    assert_eq!(
        correlator.offer(&workflow, &event("1", "a", 1)),
        Triggered::Partly
    );
    let mut correlator: Correlator =
        serde_json::from_value(serde_json::to_value(&correlator).unwrap()).unwrap();
    assert_eq!(
        correlator.offer(&workflow, &event("2", "b", 2)),
        Triggered::No
    );
    assert_eq!(
        correlator.offer(&workflow, &event("1", "a", 1)),
        Triggered::No
    );
    assert_eq!(
        correlator.offer(&workflow, &event("3", "b", 1)),
        Triggered::Start(json!([event("1", "a", 1), event("3", "b", 1)]))
    );
    assert_eq!(correlator, Correlator::default());
}

#[test]
fn what_this_host_does_not_do_is_a_fault_that_names_the_reason_in_documents_of_others() {
    let text = "document: {dsl: 1.0.3, namespace: t, name: t, version: 1.0.0}\ndo: [{a: {run: {shell: {command: ls}}}}]";
    let workflow = Workflow::load("t.yaml", text, Dialect::Spec).unwrap();
    let ended = Instance::start(&workflow, json!({}), "run-1", 1, 1);
    match ended.instance.outcome() {
        Some(Outcome::Faulted { error }) => {
            assert!(error.kind.ends_with("/configuration"));
            assert!(error.detail.as_deref().unwrap().contains("sandbox"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_document_that_would_mean_something_else_here_is_not_started() {
    for body in [
        "use: {extensions: [{mock: {extend: all, before: [{m: {set: {x: 1}}}]}}]}",
        "input: {schema: {resource: {endpoint: https://x.example/schema.json}}}",
    ] {
        let text = format!(
            "document: {{dsl: 1.0.3, namespace: t, name: t, version: 1.0.0}}\n{body}\ndo: [{{a: {{call: decide, with: {{table: t}}}}}}]"
        );
        let workflow = Workflow::load("t.yaml", &text, Dialect::Spec).unwrap();
        let started = Instance::start(&workflow, json!({}), "run-1", 1, 1);
        assert!(
            matches!(started.instance.outcome(), Some(Outcome::Faulted { .. })),
            "{body}"
        );
        assert!(started.requests.is_empty());
    }
}

#[test]
fn an_ended_instance_keeps_its_outcome_and_nothing_else() {
    let workflow = load("do: [{a: {call: decide, with: {table: t}}}]");
    let host = Host::start(
        &workflow,
        json!({"big": "x".repeat(10_000)}),
        Crash::Never,
        &mut echo,
    );
    let instance = host.instance();
    assert!(instance.pending().is_empty() && instance.position(&workflow).is_empty());
    assert_eq!(instance.next_wake(), None);
    let again = instance
        .clone()
        .step(&workflow, Event::TimerFired, 9, 1)
        .unwrap();
    assert_eq!(again.ignored, Some(Ignored::Ended));
    assert_eq!(again.instance, instance);
    let _: Vec<Entry> = host.journal;
}

#[test]
fn data_too_deep_to_be_read_back_is_never_kept() {
    let deep = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let readable = |instance: &Instance| {
        let written = serde_json::to_vec(instance).unwrap();
        assert_eq!(
            &serde_json::from_slice::<Instance>(&written).unwrap(),
            instance
        );
    };
    let workflow = load(
        "do: [{a: {call: decide, with: {table: t, input: '${ [[[.]]] }'}}}, {b: {wait: PT1S}}]",
    );
    for levels in [10, 50, 52, 53, 54, 55, 56, 57, 60, 100, 120] {
        let started = Instance::start(&workflow, deep(levels), "run-1", 1, 1);
        readable(&started.instance);
        let started = Instance::start(&workflow, json!({}), "run-1", 1, 1);
        let answer = Event::EffectCompleted {
            id: started.requests[0].id.clone(),
            output: deep(levels),
        };
        readable(
            &started
                .instance
                .step(&workflow, answer, 2, 1)
                .unwrap()
                .instance,
        );
    }
    let grows = load(
        "do: [{a: {set: '${ [.] }'}}, {b: {fork: {branches: [{c: {set: '${ [.] }'}}]}, then: a}}]",
    );
    let mut instance = Instance::start(&grows, json!({}), "run-1", 1, 1).instance;
    for _ in 0..50 {
        readable(&instance);
        instance = instance
            .step(&grows, Event::TimerFired, 1, 1)
            .unwrap()
            .instance;
    }
    assert!(matches!(instance.outcome(), Some(Outcome::Faulted { .. })));
}

#[test]
fn a_named_authentication_reaches_the_request_with_markers_for_secrets() {
    let workflow = load(
        "use:
  secrets: [token]
  authentications: {api: {bearer: {token: '${ $secrets.token }'}}}
do:
  - a:
      call: http
      with: {method: get, endpoint: {uri: 'https://x.example/{id}', authentication: {use: api}}}
",
    );
    let started = Instance::start(&workflow, json!({"id": 7}), "run-1", 1, 1);
    insta::assert_json_snapshot!(started.requests);
}
