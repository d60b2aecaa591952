//! What is told of a workflow that was changed: who is asked no more, what happens now, which value goes another way.

use polity_amend::{Part, StepChange, WorkflowHow, compare};
use polity_constitution::{Constitution, Sources};
use polity_lint::Direction;
use serde_json::json;

const CHARTER: &str = r#"{
    "company": {"name": "Example", "currency": "EUR"},
    "people": [{"id": "ada", "name": "Ada", "roles": ["owner", "bookkeeper"]}],
    "roles": {"bookkeeper": {"permissions": ["inbox:decide"]}},
    "defaults": {"unmatched": "deny"}
}"#;

const WORKFLOW: &str = r#"
document: {dsl: 1.0.3, namespace: shop, name: refund, version: 1.0.0}
schedule: {on: {one: {with: {type: shop.refund.asked}}}}
timeout: {after: P21D}
do:
  - route:
      switch:
        - pay: {when: .outcome == "pay", then: pay}
        - otherwise: {then: ask}
  - ask:
      call: human.approve
      with: {title: Pay it back?, role: owner, proposal: {}, deadline: P2D}
  - pay:
      call: http
      with: {method: post, endpoint: 'https://bank.example/refunds', body: {}}
      timeout: {after: PT30S}
      metadata: {action: refund.pay, effect: idempotent}
"#;

fn constitution(workflow: &str) -> Constitution {
    let sources = Sources::new()
        .with("charter.json", CHARTER)
        .with("workflows/refund.yaml", workflow);
    Constitution::from_sources(&sources).unwrap_or_else(|problems| panic!("{problems}"))
}

/// What is told of the workflow after one replacement, and whether more is permitted on the whole.
fn changed(edits: &[(&str, &str)]) -> (Vec<StepChange>, Direction) {
    let mut text = WORKFLOW.to_owned();
    for (old, new) in edits {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    let comparison = compare(&constitution(WORKFLOW), &constitution(&text));
    let [change] = comparison.workflows.as_slice() else {
        panic!("{:?}", comparison.workflows);
    };
    (change.steps().to_vec(), change.direction)
}

#[test]
fn a_question_that_is_taken_out_is_more_permissive_and_told_first() {
    let ask = "  - ask:\n      call: human.approve\n      with: {title: Pay it back?, role: owner, proposal: {}, deadline: P2D}\n";
    let (steps, direction) = changed(&[(ask, ""), ("then: ask", "then: pay")]);
    assert_eq!(
        (steps[0].step.as_str(), steps[0].part, steps[0].direction),
        ("ask", Part::Gate, Direction::More)
    );
    assert_eq!(steps[0].words, "the role owner is not asked any more");
    let branch = steps.iter().find(|step| step.part == Part::Branch).unwrap();
    assert!(
        branch.words.contains("go to pay") && branch.words.contains("go to ask"),
        "{}",
        branch.words
    );
    assert_ne!(direction, Direction::Less);
}

#[test]
fn a_condition_that_changed_is_shown_by_a_value_that_goes_another_way() {
    let (steps, _) = changed(&[(r#".outcome == "pay""#, r#".outcome == "approve""#)]);
    assert_eq!(steps.len(), 1, "{steps:?}");
    assert_eq!(steps[0].part, Part::Branch);
    let witness = steps[0].witness.as_ref().unwrap();
    assert!(
        [json!({"outcome": "pay"}), json!({"outcome": "approve"})].contains(witness),
        "{witness}"
    );
}

#[test]
fn what_differs_only_in_its_words_does_the_same() {
    let (steps, direction) = changed(&[("version: 1.0.0}", "version: 1.0.1, title: Refunds}")]);
    assert_eq!((steps.len(), direction), (0, Direction::Same));
}

#[test]
fn effects_gates_limits_and_ways_are_told_apart() {
    for (old, new, part, direction, words) in [
        (
            "role: owner",
            "role: bookkeeper",
            Part::Gate,
            Direction::Other,
            "the role bookkeeper is asked now",
        ),
        (
            "deadline: P2D",
            "deadline: P5D",
            Part::Gate,
            Direction::Other,
            "the deadline is P5D now and was P2D",
        ),
        (
            "effect: idempotent",
            "effect: at-least-once",
            Part::Effect,
            Direction::Other,
            "more than once",
        ),
        (
            "bank.example",
            "other.example",
            Part::Effect,
            Direction::Other,
            "endpoint",
        ),
        (
            "after: PT30S",
            "after: PT60S",
            Part::Limit,
            Direction::Same,
            "1 minutes",
        ),
        (
            "after: P21D",
            "after: P30D",
            Part::Limit,
            Direction::Same,
            "30 days",
        ),
        (
            "shop.refund.asked",
            "shop.refund.claimed",
            Part::Trigger,
            Direction::More,
            "shop.refund.claimed",
        ),
    ] {
        let (steps, _) = changed(&[(old, new)]);
        assert!(
            steps.iter().any(|step| step.part == part
                && step.direction == direction
                && step.words.contains(words)),
            "{new}: {steps:#?}"
        );
    }
    let guarded = ("  - pay:\n", "  - pay:\n      if: .outcome == \"pay\"\n");
    let (steps, direction) = changed(&[guarded]);
    assert_eq!(
        (steps[0].part, direction),
        (Part::Branch, Direction::Less),
        "{steps:?}"
    );
}

#[test]
fn a_new_effect_is_more_a_new_question_less_and_a_moved_step_nothing() {
    let more = "  - note:\n      call: http\n      with: {method: post, endpoint: 'https://log.example/x', body: {}}\n      timeout: {after: PT30S}\n      metadata: {action: log.write, effect: idempotent}\n  - pay:\n";
    let (steps, direction) = changed(&[("  - pay:\n", more)]);
    assert_eq!(
        (steps[0].step.as_str(), steps[0].words.as_str(), direction),
        ("note", "http happens now", Direction::More)
    );
    let asked = "  - second:\n      call: human.approve\n      with: {title: Really?, role: bookkeeper, proposal: {}, deadline: P2D}\n  - pay:\n";
    let (steps, direction) = changed(&[("  - pay:\n", asked)]);
    assert_eq!(
        (steps[0].step.as_str(), direction),
        ("second", Direction::Less),
        "{steps:?}"
    );
}

#[test]
fn a_workflow_that_comes_or_goes_is_told_as_such_and_in_words() {
    let without =
        Constitution::from_sources(&Sources::new().with("charter.json", CHARTER)).unwrap();
    let come = compare(&without, &constitution(WORKFLOW));
    assert_eq!(come.workflows[0].what, WorkflowHow::Added);
    assert!(come.permits_more());
    assert!(come.to_string().contains("refund: new (easier)"), "{come}");
    let gone = compare(&constitution(WORKFLOW), &without);
    assert_eq!(
        (&gone.workflows[0].what, gone.workflows[0].direction),
        (&WorkflowHow::Removed, Direction::Less)
    );
}
