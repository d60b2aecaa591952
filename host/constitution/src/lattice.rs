//! The verdict lattice: how what several rules say of one action becomes one outcome.
//!
//! Deny outranks escalate, escalate outranks amend, amend outranks allow. The laws, each of which a property test holds
//! this module to:
//!
//! - *Monotone*: one more enforced finding never makes the outcome more permissive, and never excuses a role that was
//!   asked.
//! - *Order-independent*: findings are a set.
//! - *Shadow-neutral*: what is found in shadow mode changes nothing but the report of it.
//! - *Failure never allows*: with one failed enforced rule the outcome is deny or escalate.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::amend::{self, Claims, Disagreements};
use crate::asks::Asks;
use crate::resolution::{Conflict, Decider, Hypothetical, Outcome, Resolution};
use crate::sentence::{self, plain};
use crate::{Charter, Finding, OnFailure, RuleFailure, Unmatched, Verdict};

/// Joins what every binding that guards an action found.
///
/// `input` is the action's input, which amendments apply to. The charter says what happens where no enforced rule spoke
/// and where one failed, and which roles can decide: an escalation to a role that nobody can decide for goes to the
/// charter's escalation role instead of waiting for ever.
pub fn resolve(input: &Value, mut findings: Vec<Finding>, charter: &Charter) -> Resolution {
    sort(&mut findings);
    let has_shadow = findings.iter().any(|finding| !finding.is_enforced());
    let hypothetical = has_shadow.then(|| {
        let all = join(input, findings.iter().collect(), charter);
        Hypothetical {
            outcome: all.outcome.kind(),
            sentence: all.sentence,
        }
    });
    let mut joined = join(
        input,
        findings
            .iter()
            .filter(|finding| finding.is_enforced())
            .collect(),
        charter,
    );

    let bad_patches = std::mem::take(&mut joined.bad_patches);
    let mut resolution = Resolution {
        outcome: joined.outcome,
        sentence: joined.sentence,
        decided_by: joined.decided_by,
        findings,
        second_round: Vec::new(),
        changed: joined.changed,
        conflicts: joined.conflicts,
        amended: joined.amended,
        if_shadow_counted: hypothetical,
    };
    let enforced = resolution
        .findings
        .iter_mut()
        .filter(|finding| finding.is_enforced());
    for (index, finding) in enforced.enumerate() {
        if let Some(detail) = bad_patches.get(&index) {
            finding.result = Err(RuleFailure::BadPatch {
                detail: detail.clone(),
            });
        }
    }
    resolution
}

struct Joined {
    outcome: Outcome,
    sentence: String,
    decided_by: Vec<Decider>,
    changed: Vec<String>,
    conflicts: Vec<Conflict>,
    amended: Option<Value>,
    /// By index among the findings that were joined.
    bad_patches: BTreeMap<usize, String>,
}

fn join(input: &Value, findings: Vec<&Finding>, charter: &Charter) -> Joined {
    let mut denials: Vec<(Decider, String)> = Vec::new();
    let mut failures: Vec<(Decider, String)> = Vec::new();
    let mut asks = Asks::default();
    let mut askers = Vec::new();
    let mut claims: Vec<Claims> = Vec::new();
    let mut amenders: Vec<Decider> = Vec::new();
    let mut bad_patches = BTreeMap::new();
    for (index, finding) in findings.iter().enumerate() {
        match &finding.result {
            Ok(Verdict::Allow) => {}
            Ok(Verdict::Deny { reason }) => denials.push((decider(finding), plain(reason))),
            Ok(Verdict::Escalate {
                reason,
                role,
                due_ms,
            }) => {
                asks.ask(charter, Some(decider(finding)), Some(role), *due_ms, reason);
                askers.push(decider(finding));
            }
            Ok(Verdict::Amend { patch }) => match amend::claims(input, patch) {
                Ok(claimed) => {
                    claims.push(claimed);
                    amenders.push(decider(finding));
                }
                Err(detail) => {
                    let failure = RuleFailure::BadPatch {
                        detail: detail.clone(),
                    };
                    failures.push((decider(finding), plain(&failure.to_string())));
                    bad_patches.insert(index, detail);
                }
            },
            Err(failure) => failures.push((decider(finding), plain(&failure.to_string()))),
        }
    }

    match charter.defaults().on_failure {
        OnFailure::Deny => {
            denials.extend(failures.into_iter().map(|(decider, what)| {
                (
                    decider,
                    format!("the rule {what}, and a rule that fails never allows"),
                )
            }));
        }
        OnFailure::Escalate => {
            for (decider, what) in failures {
                let reason = format!("the rule {what}, so somebody has to judge in its place");
                asks.ask(charter, Some(decider.clone()), None, None, &reason);
                askers.push(decider);
            }
        }
    }

    let mut changed = Vec::new();
    let mut conflicts = Vec::new();
    let mut amended = None;
    match amend::merge(input, &claims) {
        Ok(merged) if merged.changed.is_empty() => {}
        Ok(merged) => {
            changed = merged.changed;
            amended = Some(merged.input);
        }
        Err(disagreements) => {
            conflicts = named(&disagreements, &amenders);
            for conflict in &conflicts {
                let what = format!(
                    "{} amend {} in different ways",
                    sentence::names(&conflict.between),
                    if conflict.pointer.is_empty() {
                        "the whole input"
                    } else {
                        &conflict.pointer
                    }
                );
                asks.ask(charter, None, None, None, &what);
                askers.extend(conflict.between.iter().cloned());
            }
        }
    }

    let (outcome, mut decided_by) = if findings.is_empty() {
        (unmatched(charter), Vec::new())
    } else if !denials.is_empty() {
        let reasons: Vec<_> = denials.iter().map(|(_, reason)| reason.as_str()).collect();
        let reason = reasons.join("; ");
        (
            Outcome::Deny { reason },
            denials.into_iter().map(|(decider, _)| decider).collect(),
        )
    } else if !asks.is_empty() {
        (asks.into_outcome(), askers)
    } else if amended.is_some() {
        (Outcome::Amend, amenders)
    } else {
        (
            Outcome::Allow,
            findings.iter().map(|finding| decider(finding)).collect(),
        )
    };
    decided_by.sort();
    decided_by.dedup();
    Joined {
        sentence: sentence::of(&outcome, &decided_by, &changed, &conflicts),
        outcome,
        decided_by,
        changed,
        conflicts,
        amended,
        bad_patches,
    }
}

/// What becomes of an action that no enforced rule guards.
fn unmatched(charter: &Charter) -> Outcome {
    match charter.defaults().unmatched {
        Unmatched::Allow => Outcome::Allow,
        Unmatched::Deny => Outcome::Deny {
            reason: "no enforced rule guards this kind of action, and it denies what is unmatched"
                .to_owned(),
        },
        Unmatched::Escalate => {
            let mut asks = Asks::default();
            asks.ask(
                charter,
                None,
                None,
                None,
                "no enforced rule guards this kind of action, and the charter has a person decide what is unmatched",
            );
            asks.into_outcome()
        }
    }
}

/// Sorts by binding, so that the record does not depend on which rule answered first. The result decides only between
/// findings of one binding, which do not occur in practice.
fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        (&a.binding, &a.rule, a.mode)
            .cmp(&(&b.binding, &b.rule, b.mode))
            .then_with(|| {
                let text = |finding: &Finding| serde_json::to_string(finding).unwrap_or_default();
                text(a).cmp(&text(b))
            })
    });
}

fn named(disagreements: &Disagreements, amenders: &[Decider]) -> Vec<Conflict> {
    disagreements
        .iter()
        .map(|(pointer, parties)| {
            let mut between: Vec<_> = parties
                .iter()
                .filter_map(|index| amenders.get(*index))
                .cloned()
                .collect();
            between.sort();
            between.dedup();
            Conflict {
                pointer: pointer.clone(),
                between,
            }
        })
        .collect()
}

fn decider(finding: &Finding) -> Decider {
    Decider {
        binding: finding.binding.clone(),
        rule: finding.rule.clone(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::resolution::Ask;
    use crate::{Constitution, Mode, OutcomeKind, Sources};

    fn charter(defaults: &Value) -> Charter {
        let charter = json!({
            "company": {"name": "Example", "currency": "EUR"},
            "people": [
                {"id": "ada", "name": "Ada", "roles": ["owner"]},
                {"id": "bo", "name": "Bo", "roles": ["editor"]},
                {"id": "cy", "name": "Cy", "roles": ["reader"]},
            ],
            "roles": {"editor": {"permissions": ["inbox:decide"]}, "reader": {"permissions": ["inbox:read"]}},
            "defaults": defaults,
        });
        let sources = Sources::new().with("charter.json", charter.to_string());
        Constitution::from_sources(&sources)
            .unwrap()
            .charter()
            .clone()
    }

    pub(crate) fn careful() -> Charter {
        charter(&json!({"unmatched": "deny"}))
    }

    pub(crate) fn finding(binding: &str, result: Result<Verdict, RuleFailure>) -> Finding {
        Finding {
            binding: binding.into(),
            rule: format!("{binding}-rule"),
            mode: Mode::Enforce,
            result,
        }
    }

    pub(crate) fn deny(reason: &str) -> Result<Verdict, RuleFailure> {
        Ok(Verdict::Deny {
            reason: reason.into(),
        })
    }

    pub(crate) fn escalate(role: &str, due_ms: Option<u64>) -> Result<Verdict, RuleFailure> {
        Ok(Verdict::Escalate {
            reason: "please look".into(),
            role: role.into(),
            due_ms,
        })
    }

    pub(crate) fn set(pointer: &str, value: Value) -> Result<Verdict, RuleFailure> {
        Ok(Verdict::Amend {
            patch: json!([{"op": "replace", "path": pointer, "value": value}]),
        })
    }

    pub(crate) fn resolved(findings: Vec<Finding>) -> Resolution {
        resolve(&json!({"a": 1, "b": 2}), findings, &careful())
    }

    pub(crate) fn asks(resolution: &Resolution) -> &[Ask] {
        match &resolution.outcome {
            Outcome::Escalate { asks } => asks,
            other => panic!("not escalated: {other:?}"),
        }
    }

    #[test]
    fn deny_outranks_escalate_outranks_amend_outranks_allow() {
        let mut findings = vec![finding("a", Ok(Verdict::Allow))];
        assert_eq!(resolved(findings.clone()).kind(), OutcomeKind::Allow);
        findings.push(finding("b", set("/a", json!(5))));
        assert_eq!(resolved(findings.clone()).kind(), OutcomeKind::Amend);
        findings.push(finding("c", escalate("owner", None)));
        assert_eq!(resolved(findings.clone()).kind(), OutcomeKind::Escalate);
        findings.push(finding("d", deny("no")));
        let denied = resolved(findings);
        assert_eq!(denied.kind(), OutcomeKind::Deny);
        assert!(!denied.permits());
    }

    #[test]
    fn each_outcome_has_one_sentence_that_names_who_decided() {
        let sentence = |findings| resolved(findings).sentence;
        assert_eq!(
            sentence(vec![
                finding("x", Ok(Verdict::Allow)),
                finding("y", Ok(Verdict::Allow))
            ]),
            "Allowed: x (x-rule) and y (y-rule) had no objection."
        );
        assert_eq!(
            sentence(vec![
                finding("x", Ok(Verdict::Allow)),
                finding("y", set("/a", json!(5)))
            ]),
            "Allowed after y (y-rule) amended /a."
        );
        assert_eq!(
            sentence(vec![finding("x", escalate("editor", None))]),
            "Waits for editor: x (x-rule) asks: please look."
        );
        assert_eq!(
            sentence(vec![
                finding("x", deny("it is late.")),
                finding("y", deny("it is dear"))
            ]),
            "Denied by x (x-rule) and y (y-rule): it is late; it is dear."
        );
        assert_eq!(
            sentence(vec![finding("x", Err(RuleFailure::Timeout))]),
            "Denied by x (x-rule): the rule did not answer in time, and a rule that fails never allows."
        );
        assert_eq!(
            sentence(vec![
                finding("x", set("/a", json!(5))),
                finding("y", set("/a", json!(6)))
            ]),
            "Waits for owner, who has to edit it: x (x-rule) and y (y-rule) amend /a in different ways."
        );
    }

    #[test]
    fn the_charter_decides_what_no_enforced_rule_guards() {
        for (unmatched, expected) in [
            (
                "allow",
                "Allowed by the charter: no enforced rule guards this kind of action.",
            ),
            (
                "deny",
                "Denied by the charter: no enforced rule guards this kind of action, and it denies what is unmatched.",
            ),
            (
                "escalate",
                "Waits for owner: no enforced rule guards this kind of action, and the charter has a person decide what is unmatched.",
            ),
        ] {
            let charter = charter(&json!({"unmatched": unmatched}));
            let watched = Finding {
                mode: Mode::Shadow,
                ..finding("x", Ok(Verdict::Allow))
            };
            for findings in [vec![], vec![watched]] {
                let resolution = resolve(&json!({}), findings, &charter);
                assert_eq!(resolution.sentence, expected);
                assert!(resolution.decided_by.is_empty());
            }
        }
    }

    #[test]
    fn a_failure_is_denied_or_escalated_as_the_charter_says() {
        let failed = || {
            vec![
                finding("x", Err(RuleFailure::Missing)),
                finding("y", Ok(Verdict::Allow)),
            ]
        };
        assert_eq!(resolved(failed()).kind(), OutcomeKind::Deny);
        let lenient = charter(
            &json!({"unmatched": "allow", "on_failure": "escalate", "escalation_role": "editor"}),
        );
        let resolution = resolve(&json!({}), failed(), &lenient);
        assert_eq!(asks(&resolution)[0].role, "editor");
        assert_eq!(
            resolution.decided_by,
            [Decider {
                binding: "x".into(),
                rule: "x-rule".into()
            }]
        );
    }

    #[test]
    fn a_patch_that_does_not_apply_is_a_failure_and_stands_in_the_record_as_one() {
        let resolution = resolved(vec![
            finding("x", set("/missing", json!(1))),
            finding("y", Ok(Verdict::Allow)),
        ]);
        assert_eq!(resolution.kind(), OutcomeKind::Deny);
        assert!(matches!(
            &resolution.findings[0].result,
            Err(RuleFailure::BadPatch { .. })
        ));
        assert_eq!(resolution.amended, None);
    }

    #[test]
    fn each_role_is_asked_once_with_all_reasons_and_the_shortest_time() {
        let resolution = resolved(vec![
            finding("x", escalate("editor", Some(5_000))),
            finding("y", escalate("owner", None)),
            finding("z", escalate("editor", Some(1_000))),
        ]);
        let asks = asks(&resolution);
        assert_eq!(
            asks.iter()
                .map(|ask| (ask.role.as_str(), ask.due_ms))
                .collect::<Vec<_>>(),
            [("editor", 1_000), ("owner", 86_400_000)]
        );
        assert_eq!(asks[0].reasons.len(), 2);
        assert_eq!(asks[0].reason(), "please look; please look");
    }

    #[test]
    fn an_escalation_to_a_role_that_nobody_can_decide_for_goes_to_the_escalation_role() {
        for role in ["reader", "board"] {
            let resolution = resolved(vec![finding("x", escalate(role, None))]);
            assert_eq!(asks(&resolution)[0].role, "owner");
            assert!(
                resolution.sentence.contains(role),
                "{}",
                resolution.sentence
            );
        }
    }

    #[test]
    fn what_waits_for_a_person_keeps_its_amendments() {
        let input = json!({"a": 1, "b": 2});
        let findings = vec![
            finding("x", escalate("owner", None)),
            finding("y", set("/a", json!(5))),
        ];
        let resolution = resolve(&input, findings, &careful());
        assert_eq!(resolution.kind(), OutcomeKind::Escalate);
        assert_eq!(resolution.input(&input), &json!({"a": 5, "b": 2}));
    }

    #[test]
    fn conflicting_amendments_leave_the_input_as_it_was() {
        let input = json!({"a": 1, "b": 2});
        let findings = vec![
            finding("x", set("/a", json!(5))),
            finding("y", set("/a", json!(6))),
            finding("z", set("/b", json!(7))),
        ];
        let resolution = resolve(&input, findings, &careful());
        assert_eq!(resolution.input(&input), &input);
        assert_eq!(resolution.conflicts.len(), 1);
        assert_eq!(resolution.conflicts[0].between.len(), 2);
    }

    #[test]
    fn a_shadow_finding_is_reported_and_changes_nothing() {
        let watched = Finding {
            mode: Mode::Shadow,
            ..finding("x", deny("too dear"))
        };
        let resolution = resolved(vec![watched, finding("y", Ok(Verdict::Allow))]);
        assert_eq!(resolution.kind(), OutcomeKind::Allow);
        assert_eq!(resolution.shadow().count(), 1);
        let hypothetical = resolution.if_shadow_counted.unwrap();
        assert_eq!(hypothetical.outcome, OutcomeKind::Deny);
        assert_eq!(hypothetical.sentence, "Denied by x (x-rule): too dear.");
    }

    #[test]
    fn a_resolution_reads_back_from_the_ledger_as_it_was() {
        let watched = Finding {
            mode: Mode::Shadow,
            ..finding("w", Err(RuleFailure::OutOfFuel))
        };
        let resolution = resolved(vec![
            watched,
            finding("x", escalate("editor", None)),
            finding("y", set("/a", json!(5))),
            finding("z", set("/a", json!(6))),
        ]);
        let written = serde_json::to_string(&resolution).unwrap();
        assert_eq!(
            serde_json::from_str::<Resolution>(&written).unwrap(),
            resolution
        );
        assert_eq!(
            serde_json::to_value(&resolution).unwrap()["outcome"],
            "escalate"
        );
    }
}
