//! Protocols as neutral graphs: each fault is found where it is, and a sound protocol is silent.

use polity_lint::graph::{
    Company, Edge, EdgeKind, Effect, EffectClass, Gate, Outcome, ProcessGraph, RuleBinding, Switch,
    Target, Task, Trigger, Wait, lint_company, lint_graph,
};
use polity_lint::{Code, Finding};
use polity_tables::Place;
use serde_json::json;

fn place(pointer: &str) -> Place {
    Place {
        file: "workflows/refund.json".into(),
        line: 1,
        column: 1,
        pointer: pointer.into(),
        ..Place::default()
    }
}

fn task(name: &str, then: &[&str]) -> Task {
    Task {
        id: format!("/do/{name}"),
        name: name.into(),
        place: place(&format!("/do/{name}")),
        edges: then.iter().map(|to| edge(to)).collect(),
        ..Task::default()
    }
}

fn edge(to: &str) -> Edge {
    Edge {
        to: if to == "end" {
            Target::End
        } else {
            Target::Name(to.into())
        },
        kind: EdgeKind::Next,
        place: place(&format!("/then/{to}")),
        on: None,
    }
}

fn pays(mut task: Task) -> Task {
    task.effect = Some(Effect {
        action: "refund.pay".into(),
        class: Some(EffectClass::IdempotentByKey),
        needs_approval: false,
    });
    task
}

fn asks(mut task: Task) -> Task {
    task.gate = Some(Gate {
        approves: vec!["refund.*".into()],
        deadline: true,
        escalation: true,
    });
    task
}

fn on(mut task: Task, outcomes: &[Outcome]) -> Task {
    for (edge, outcome) in task.edges.iter_mut().zip(outcomes) {
        edge.on = Some(*outcome);
    }
    task
}

fn graph(tasks: Vec<Task>) -> ProcessGraph {
    ProcessGraph {
        name: "refund".into(),
        place: place(""),
        start: tasks.first().map(|task| task.id.clone()),
        tasks,
        triggers: vec![Trigger {
            on: "refund.disputed".into(),
            place: place("/schedule"),
            events: Vec::new(),
        }],
    }
}

fn sound() -> ProcessGraph {
    graph(vec![
        task("read", &["ask"]),
        on(
            asks(task("ask", &["pay", "refuse"])),
            &[Outcome::Approved, Outcome::Rejected],
        ),
        pays(task("pay", &["end"])),
        task("refuse", &["end"]),
    ])
}

fn codes(findings: &[Finding]) -> Vec<(&'static str, String)> {
    findings
        .iter()
        .map(|finding| (finding.code.name(), finding.place.pointer.clone()))
        .collect()
}

#[test]
fn a_sound_protocol_is_silent() {
    assert_eq!(lint_graph(&sound()), []);
    let company = Company {
        protocols: vec![sound()],
        rules: vec![RuleBinding {
            name: "refunds".into(),
            guards: vec!["refund.*".into()],
            place: place(""),
            ..RuleBinding::default()
        }],
        ..Company::default()
    };
    assert_eq!(lint_company(&company), []);
}

#[test]
fn an_effect_past_its_approval_is_found_with_the_way_to_it() {
    let mut early = sound();
    early.tasks[0].edges.push(edge("pay"));
    let findings = lint_graph(&early);
    assert_eq!(
        codes(&findings),
        [("effect-before-approval", "/do/pay".into())]
    );
    assert_eq!(findings[0].witness, Some(json!({"path": ["read", "pay"]})));

    let mut refused = sound();
    refused.tasks[3].edges = vec![edge("pay")];
    let findings = lint_graph(&refused);
    assert_eq!(
        findings[0].message,
        "\"pay\" carries out refund.pay although the approval was not given"
    );
    assert_eq!(
        findings[0].witness,
        Some(json!({"path": ["read", "ask", "refuse", "pay"]}))
    );

    let mut unasked = graph(vec![pays(task("pay", &["end"]))]);
    assert_eq!(lint_graph(&unasked), []);
    unasked.tasks[0].effect.as_mut().unwrap().needs_approval = true;
    assert_eq!(lint_graph(&unasked)[0].code, Code::EffectBeforeApproval);
}

#[test]
fn an_approval_without_labelled_ways_out_approves_what_follows() {
    let plain = graph(vec![
        asks(task("ask", &["pay"])),
        pays(task("pay", &["end"])),
    ]);
    assert_eq!(lint_graph(&plain), []);
}

#[test]
fn steps_that_lead_nowhere_or_across_blocks_are_told_apart() {
    let mut inner = task("inner", &["end"]);
    inner.scope = "/do/block".into();
    inner.id = "/do/block/do/inner".into();
    let mut block = task("block", &["inner", "lost"]);
    block.edges.push(Edge {
        to: Target::Id("/do/block/do/inner".into()),
        kind: EdgeKind::Enter,
        ..edge("end")
    });
    assert_eq!(
        codes(&lint_graph(&graph(vec![block, inner]))),
        [
            ("cross-scope-target", "/then/inner".into()),
            ("unknown-target", "/then/lost".into())
        ]
    );
}

#[test]
fn of_an_unreachable_block_the_block_alone_is_said() {
    let mut inner = task("inner", &["end"]);
    inner.scope = "/do/block".into();
    inner.id = "/do/block/do/inner".into();
    let mut block = task("block", &["end"]);
    block.edges.push(Edge {
        to: Target::Id(inner.id.clone()),
        kind: EdgeKind::Enter,
        ..edge("end")
    });
    let findings = lint_graph(&graph(vec![task("start", &["end"]), block, inner]));
    assert_eq!(codes(&findings), [("unreachable-task", "/do/block".into())]);
}

#[test]
fn a_loop_needs_a_bound_or_a_wait() {
    let spin = graph(vec![
        task("a", &["b"]),
        task("b", &["c", "end"]),
        task("c", &["a"]),
    ]);
    let findings = lint_graph(&spin);
    assert_eq!(codes(&findings), [("unbounded-loop", "/do/a".into())]);
    assert_eq!(findings[0].witness, Some(json!({"path": ["a", "b", "c"]})));
    let hold: [fn(&mut Task); 3] = [
        |task| task.bounds_loop = true,
        |task| {
            task.wait = Some(Wait {
                for_what: "a minute".into(),
                limited: true,
            })
        },
        |task| *task = asks(task.clone()),
    ];
    for hold in hold {
        let mut held = spin.clone();
        hold(&mut held.tasks[2]);
        assert_eq!(lint_graph(&held), []);
    }
    let narcissus = graph(vec![task("a", &["a", "end"])]);
    assert_eq!(lint_graph(&narcissus)[0].code, Code::UnboundedLoop);
}

#[test]
fn what_may_last_for_ever_or_be_lost_is_said() {
    let mut listen = task("listen", &["ask"]);
    listen.wait = Some(Wait {
        for_what: "a payment".into(),
        limited: false,
    });
    let mut ask = task("ask", &["pay"]);
    ask.gate = Some(Gate::default());
    let mut pay = pays(task("pay", &["choose"]));
    pay.effect.as_mut().unwrap().class = None;
    let mut choose = task("choose", &["end"]);
    choose.switch = Some(Switch::default());
    assert_eq!(
        codes(&lint_graph(&graph(vec![listen, ask, pay, choose]))),
        [
            ("open-wait", "/do/listen".into()),
            ("gate-without-deadline", "/do/ask".into()),
            ("gate-without-escalation", "/do/ask".into()),
            ("no-default", "/do/choose".into()),
            ("effect-class-undeclared", "/do/pay".into()),
        ]
    );
}

#[test]
fn rules_actions_and_triggers_must_meet() {
    let mut lonely = graph(vec![pays(task("pay", &["end"]))]);
    lonely.triggers.clear();
    let mut caller = graph(vec![task("call", &["end"])]);
    caller.name = "caller".into();
    let company = |caller: &ProcessGraph| Company {
        protocols: vec![lonely.clone(), caller.clone()],
        rules: vec![RuleBinding {
            name: "sites".into(),
            guards: vec!["site.*".into(), "request.received".into(), "*".into()],
            place: place(""),
            ..RuleBinding::default()
        }],
        other_actions: vec!["request.received".into()],
        ..Company::default()
    };
    let mut found = company(&caller);
    assert_eq!(
        codes(&lint_company(&found)),
        [
            ("rule-never-applies", "/guards/0".into()),
            ("nobody-triggers", String::new())
        ]
    );
    found.rules[0].guards.truncate(1);
    assert_eq!(lint_company(&found)[0].code, Code::UnboundAction);
    caller.tasks[0].runs = Some("refund".into());
    assert!(
        lint_company(&company(&caller))
            .iter()
            .all(|finding| finding.code != Code::NobodyTriggers)
    );
}

#[test]
fn a_long_protocol_is_no_deep_recursion() {
    let tasks: Vec<Task> = (0..3000)
        .map(|at| task(&format!("t{at}"), &[&format!("t{}", (at + 1) % 3000)]))
        .collect();
    let findings = lint_graph(&graph(tasks));
    assert_eq!(
        findings
            .iter()
            .map(|finding| finding.code)
            .collect::<Vec<_>>(),
        [Code::UnboundedLoop]
    );
}
