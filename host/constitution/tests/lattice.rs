//! The laws of the verdict lattice, on verdicts, failures and patches of every kind.

use polity_constitution::{
    Charter, Constitution, Finding, Mode, Outcome, OutcomeKind, Resolution, RuleFailure, Sources,
    Verdict, resolve,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn charter(unmatched: &str, on_failure: &str) -> Charter {
    let charter = json!({
        "company": {"name": "Example", "currency": "EUR"},
        "people": [
            {"id": "ada", "name": "Ada", "roles": ["owner"]},
            {"id": "bo", "name": "Bo", "roles": ["editor"]},
        ],
        "roles": {"editor": {"permissions": ["inbox:decide"]}},
        "defaults": {"unmatched": unmatched, "on_failure": on_failure},
    });
    let sources = Sources::new().with("charter.json", charter.to_string());
    Constitution::from_sources(&sources)
        .unwrap()
        .charter()
        .clone()
}

fn charters() -> impl Strategy<Value = Charter> {
    let unmatched = prop::sample::select(vec!["allow", "deny", "escalate"]);
    let on_failure = prop::sample::select(vec!["deny", "escalate"]);
    (unmatched, on_failure).prop_map(|(unmatched, on_failure)| charter(unmatched, on_failure))
}

/// Small, so that patches by different rules often meet.
fn input() -> Value {
    json!({"a": 1, "b": {"c": 2, "d": [1, 2, {"e": 3}]}, "f": null})
}

fn pointers() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "", "/a", "/b", "/b/c", "/b/d", "/b/d/0", "/b/d/1", "/b/d/-", "/b/d/2/e", "/b/x", "/f",
        "/g", "/g/h", "/a/z",
    ])
}

fn values() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(1),
        json!(2),
        json!({"c": 2}),
        json!([1]),
        json!({"c": 2, "d": [1, 2, {"e": 3}]}),
    ])
}

fn operations() -> impl Strategy<Value = Value> {
    prop_oneof![
        (pointers(), values())
            .prop_map(|(path, value)| json!({"op": "add", "path": path, "value": value})),
        (pointers(), values())
            .prop_map(|(path, value)| json!({"op": "replace", "path": path, "value": value})),
        pointers().prop_map(|path| json!({"op": "remove", "path": path})),
        (pointers(), pointers())
            .prop_map(|(from, path)| json!({"op": "move", "from": from, "path": path})),
        (pointers(), pointers())
            .prop_map(|(from, path)| json!({"op": "copy", "from": from, "path": path})),
        (pointers(), values())
            .prop_map(|(path, value)| json!({"op": "test", "path": path, "value": value})),
    ]
}

fn failures() -> impl Strategy<Value = RuleFailure> {
    prop::sample::select(vec![
        RuleFailure::Missing,
        RuleFailure::Quarantined,
        RuleFailure::Trap {
            detail: "unreachable".into(),
        },
        RuleFailure::Timeout,
        RuleFailure::OutOfFuel,
        RuleFailure::Limit {
            detail: "memory".into(),
        },
        RuleFailure::Problem {
            code: "invalid".into(),
            detail: "no amount".into(),
        },
    ])
}

fn verdicts() -> impl Strategy<Value = Verdict> {
    let role = prop::sample::select(vec!["owner", "editor", "nobody"]);
    let due = prop::option::of(1_u64..5);
    prop_oneof![
        2 => Just(Verdict::Allow),
        1 => prop::sample::select(vec!["late", "dear"]).prop_map(|reason| Verdict::Deny { reason: reason.into() }),
        1 => (role, due).prop_map(|(role, due_ms)| Verdict::Escalate { reason: "look".into(), role: role.into(), due_ms }),
        4 => prop::collection::vec(operations(), 1..3).prop_map(|patch| Verdict::Amend { patch: json!(patch) }),
        1 => values().prop_map(|patch| Verdict::Amend { patch }),
    ]
}

fn findings(mode: Mode) -> impl Strategy<Value = Finding> {
    let result = prop_oneof![8 => verdicts().prop_map(Ok), 1 => failures().prop_map(Err)];
    (prop::sample::select(vec!["p", "q", "r", "s"]), result).prop_map(move |(binding, result)| {
        Finding {
            binding: binding.into(),
            rule: format!("{binding}-rule"),
            mode,
            result,
        }
    })
}

fn enforced(count: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<Finding>> {
    prop::collection::vec(findings(Mode::Enforce), count)
}

fn roles_asked(resolution: &Resolution) -> Vec<&str> {
    match &resolution.outcome {
        Outcome::Escalate { asks } => asks.iter().map(|ask| ask.role.as_str()).collect(),
        _ => Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_more_finding_never_permits_more(charter in charters(), all in enforced(2..6)) {
        let fewer = resolve(&input(), all[1..].to_vec(), &charter);
        let more = resolve(&input(), all, &charter);
        prop_assert!(more.kind() >= fewer.kind(), "{} then {}", fewer.sentence, more.sentence);
        if more.kind() == OutcomeKind::Escalate {
            let asked = roles_asked(&more);
            prop_assert!(roles_asked(&fewer).iter().all(|role| asked.contains(role)));
        }
    }

    #[test]
    fn the_order_of_findings_does_not_matter(
        charter in charters(),
        (all, shuffled) in (enforced(0..6), prop::collection::vec(findings(Mode::Shadow), 0..3))
            .prop_map(|(mut all, shadow)| { all.extend(shadow); all })
            .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        prop_assert_eq!(resolve(&input(), all, &charter), resolve(&input(), shuffled, &charter));
    }

    #[test]
    fn shadow_findings_have_no_influence(
        charter in charters(),
        counted in enforced(0..5),
        watched in prop::collection::vec(findings(Mode::Shadow), 1..4),
    ) {
        let without = resolve(&input(), counted.clone(), &charter);
        let mut all = counted;
        let expected = watched.len();
        all.extend(watched);
        let mut with = resolve(&input(), all, &charter);
        prop_assert_eq!(with.shadow().count(), expected);
        prop_assert!(with.if_shadow_counted.is_some());
        with.if_shadow_counted = None;
        with.findings.retain(Finding::is_enforced);
        prop_assert_eq!(with, without);
    }

    #[test]
    fn a_failed_rule_never_allows(charter in charters(), others in enforced(0..5), failure in failures(), at in 0_usize..6) {
        let mut all = others;
        let failed = Finding { binding: "z".into(), rule: "z-rule".into(), mode: Mode::Enforce, result: Err(failure) };
        all.insert(at.min(all.len()), failed);
        let resolution = resolve(&input(), all, &charter);
        prop_assert!(resolution.kind() >= OutcomeKind::Escalate);
        prop_assert!(!resolution.permits());
    }

    #[test]
    fn a_patch_that_does_not_apply_never_allows(charter in charters(), others in enforced(0..5)) {
        let mut all = others;
        let patch = json!([{"op": "test", "path": "/a", "value": "something else"}]);
        all.push(Finding { binding: "z".into(), rule: "z-rule".into(), mode: Mode::Enforce, result: Ok(Verdict::Amend { patch }) });
        prop_assert!(!resolve(&input(), all, &charter).permits());
    }

    #[test]
    fn one_amendment_does_exactly_what_its_patch_says(patch in prop::collection::vec(operations(), 1..6)) {
        let charter = charter("allow", "deny");
        let finding = Finding {
            binding: "p".into(),
            rule: "p-rule".into(),
            mode: Mode::Enforce,
            result: Ok(Verdict::Amend { patch: json!(patch) }),
        };
        let original = input();
        let resolution = resolve(&original, vec![finding], &charter);
        let mut patched = original.clone();
        let operations: json_patch::Patch = serde_json::from_value(json!(patch)).unwrap();
        match json_patch::patch_unsafe(&mut patched, &operations) {
            Ok(()) if patched.is_object() => prop_assert_eq!(resolution.input(&original), &patched),
            _ => prop_assert!(!resolution.permits()),
        }
        if let Some(amended) = &resolution.amended {
            prop_assert!(amended != &original, "an amendment that changes nothing is not reported");
        }
    }

    #[test]
    fn what_no_rule_touched_stays_as_it_was(all in enforced(1..5)) {
        let original = input();
        let resolution = resolve(&original, all, &charter("allow", "deny"));
        let amended = resolution.input(&original);
        for pointer in ["/a", "/b/c", "/b/d/0", "/b/d/1", "/b/d/2/e", "/f"] {
            let reported = resolution.changed.iter().any(|changed| {
                pointer == changed || pointer.strip_prefix(changed.as_str()).is_some_and(|rest| rest.starts_with('/'))
            });
            if !reported {
                prop_assert_eq!(amended.pointer(pointer), original.pointer(pointer), "{}", pointer);
            }
        }
    }

    #[test]
    fn the_second_round_never_relaxes_the_first(charter in charters(), first in enforced(1..4), second in enforced(1..4)) {
        let original = input();
        let first = resolve(&original, first, &charter);
        let amended = first.input(&original).clone();
        let second = resolve(&amended, second, &charter);
        let strictest = first.kind().max(if second.kind() == OutcomeKind::Amend { OutcomeKind::Escalate } else { second.kind() });
        let settled = first.settle(second, &charter);
        prop_assert_eq!(settled.kind(), strictest);
    }

    #[test]
    fn a_resolution_survives_the_ledger(charter in charters(), all in enforced(0..5)) {
        let resolution = resolve(&input(), all, &charter);
        let written = serde_json::to_string(&resolution).unwrap();
        prop_assert_eq!(serde_json::from_str::<Resolution>(&written).unwrap(), resolution);
    }
}
