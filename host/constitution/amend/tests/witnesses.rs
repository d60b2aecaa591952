//! A witness really changes the answer, and where nothing is told nothing changes.

use polity_amend::{Comparison, Probe, WhatChanged, Witness, compare, probes};
use polity_constitution::{Constitution, OutcomeKind, Sources};
use polity_lint::Direction;
use proptest::prelude::*;
use serde_json::{Value, json};

const CHARTER: &str = r#"{
    "company": {"name": "Example", "currency": "EUR"},
    "people": [{"id": "ada", "name": "Ada", "roles": ["owner"]}],
    "defaults": {"unmatched": "deny"}
}"#;

/// A row: amount from, amount to, country, answer.
type Row = (u8, u8, Option<bool>, u8);

fn table(rows: &[Row]) -> String {
    let rules: Vec<Value> = rows
        .iter()
        .map(|(from, length, home, answer)| {
            let (from, to) = (u32::from(*from), u32::from(*from) + u32::from(*length));
            let home = match home {
                None => "-",
                Some(true) => "true",
                Some(false) => "false",
            };
            let answer = ["\"pay\"", "\"ask\"", "\"refuse\""][usize::from(*answer)];
            json!({"inputEntries": [format!("[{from}..{to}]"), home], "outputEntries": [answer]})
        })
        .collect();
    json!({
        "name": "refund", "hitPolicy": "FIRST",
        "inputs": [
            {"name": "amount", "typeRef": "number", "allowedValues": ">= 0"},
            {"name": "home", "typeRef": "boolean"},
        ],
        "outputs": [{"name": "outcome", "typeRef": "string"}],
        "rules": rules,
    })
    .to_string()
}

fn constitution(rows: &[Row]) -> Constitution {
    let sources = Sources::new()
        .with("charter.json", CHARTER)
        .with("decisions/refund.json", table(rows));
    Constitution::from_sources(&sources).unwrap()
}

fn said(constitution: &Constitution, input: &Value) -> String {
    match constitution.table("refund").unwrap().decide(input) {
        Ok(decision) => decision.value.to_json().to_string(),
        Err(error) => error.to_string(),
    }
}

fn row() -> impl Strategy<Value = Row> {
    (
        0..40_u8,
        0..20_u8,
        proptest::option::of(any::<bool>()),
        0..3_u8,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_witness_is_answered_otherwise_and_nothing_else_is(
        old in proptest::collection::vec(row(), 1..6),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), row()), 0..3),
    ) {
        let mut new = old.clone();
        for (at, row) in edits {
            let at = at.index(new.len());
            new[at] = row;
        }
        let (before, after) = (constitution(&old), constitution(&new));
        let comparison = compare(&before, &after);
        let changes: Vec<_> = comparison.tables.iter().flat_map(|table| table.changes()).collect();
        for change in &changes {
            let (was, is) = (said(&before, &change.witness), said(&after, &change.witness));
            prop_assert_ne!(&was, &is, "{} is no witness", change.witness);
        }
        // Where some input is answered otherwise, there is a witness.
        let differs = (0..65).any(|amount| {
            [true, false].iter().any(|home| {
                let input = json!({"amount": amount, "home": home});
                said(&before, &input) != said(&after, &input)
            })
        });
        if differs {
            prop_assert!(!changes.is_empty(), "a change was missed: {old:?} {new:?}");
        }
    }

    #[test]
    fn a_constitution_differs_in_nothing_from_itself(rows in proptest::collection::vec(row(), 1..6)) {
        let comparison = compare(&constitution(&rows), &constitution(&rows));
        prop_assert!(comparison.is_empty() && comparison.tables.is_empty() && !comparison.permits_more());
        prop_assert!(comparison.lint.appeared.is_empty() && comparison.lint.gone.is_empty());
    }
}

fn with_rule(mode: &str, soft: u64, roles: &str) -> Constitution {
    let charter = CHARTER.replace("[\"owner\"]}]", &format!("[\"owner\"]}}], \"agents\": [{{\"id\": \"bot\", \"name\": \"Bot\", \"roles\": [\"{roles}\"]}}]"));
    let rule = json!({"rule": "spending-limit", "guards": ["refund.*"], "mode": mode, "config": {"limits": [{"per": "action", "soft_micro": soft}]}});
    let sources = Sources::new()
        .with("charter.json", charter)
        .with("rules/refunds.json", rule.to_string());
    Constitution::from_sources(&sources).unwrap()
}

#[test]
fn a_rule_that_only_watches_and_an_agent_with_more_power_are_told() {
    let comparison = compare(
        &with_rule("enforce", 50, "agent"),
        &with_rule("shadow", 50, "operator"),
    );
    assert!(comparison.permits_more());
    let text = comparison.to_string();
    for words in [
        "refund.* (otherwise)",
        "in shadow now",
        "agent:bot may now",
        "plugins:manage",
    ] {
        assert!(text.contains(words), "{words:?} in {text}");
    }
}

#[test]
fn another_setting_of_a_rule_is_told_with_its_place() {
    let comparison = compare(
        &with_rule("enforce", 50, "agent"),
        &with_rule("enforce", 90, "agent"),
    );
    assert_eq!(
        comparison.documents[0].values[0].pointer,
        "/config/limits/0/soft_micro"
    );
    assert!(comparison.to_string().contains("50 -> 90"), "{comparison}");
}

#[test]
fn a_comparison_reads_back_as_it_was_written() {
    let comparison = compare(
        &constitution(&[(0, 9, None, 0)]),
        &constitution(&[(0, 5, None, 0)]),
    );
    assert!(matches!(comparison.tables[0].what, WhatChanged::Answers(_)));
    let text = serde_json::to_string(&comparison).unwrap();
    assert_eq!(
        serde_json::from_str::<Comparison>(&text).unwrap(),
        comparison
    );
}

#[test]
fn what_the_rules_were_asked_says_whether_an_action_becomes_easier() {
    let (before, after) = (
        with_rule("enforce", 50, "agent"),
        with_rule("enforce", 90, "agent"),
    );
    let witness = |amount: u32, was, is| {
        let probe = probes(&before, &after).remove(0);
        let probe = Probe {
            input: json!({"amount": amount}),
            ..probe
        };
        Witness::of(probe, was, is).unwrap()
    };
    use OutcomeKind::{Allow, Escalate};
    let compared = || compare(&before, &after);
    assert_eq!(compared().actions[0].direction, Direction::Other);
    let easier = compared().with_witnesses(9, vec![witness(70, Escalate, Allow)]);
    assert_eq!(easier.actions[0].direction, Direction::More);
    let both = vec![witness(70, Escalate, Allow), witness(10, Allow, Escalate)];
    assert_eq!(
        compared().with_witnesses(9, both).actions[0].direction,
        Direction::Other
    );
    let none = compared().with_witnesses(9, Vec::new());
    assert!(none.to_string().contains("none of 9 actions"), "{none}");
}
