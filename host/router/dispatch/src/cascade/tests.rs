use proptest::prelude::*;

use super::*;
use crate::{Candidate, Compare};

fn rung(number: u64, checks: Vec<Check>) -> Rung {
    Rung {
        candidate: Candidate {
            estimate_micro: 10 * (number + 1),
            expected_ms: 100 * (number + 1),
            ..Candidate::new("p", format!("m{number}"))
        },
        checks,
        corrections: 0,
    }
}

fn judge(at_least_permille: u16) -> Check {
    Check::Judge {
        model: "judge".into(),
        at_least_permille,
        estimate_micro: 5,
    }
}

fn plan(rungs: Vec<Rung>) -> CascadePlan {
    CascadePlan {
        rungs,
        deadline_ms: 10_000,
        max_cost_micro: None,
        compare: Compare::Text,
        unchecked: Unchecked::Rejects,
    }
}

/// Runs a cascade in which everything answers at once and costs what was estimated.
fn run(
    plan: CascadePlan,
    mut answer: impl FnMut(usize, u32, Option<&Correction>) -> Option<String>,
    mut verdict: impl FnMut(&Check, &str) -> Option<Verdict>,
) -> (CascadeResult, u64) {
    let rungs = plan.rungs.clone();
    let mut cascade = Cascade::new(plan);
    let mut now = 0;
    for _ in 0..10_000 {
        match cascade.next(now) {
            CascadeStep::Ask {
                task,
                rung,
                sample,
                correction,
                timeout_at_ms,
            } => {
                assert!(timeout_at_ms <= 10_000);
                let micro = rungs[rung].candidate.estimate_micro;
                if let Some(answer) = answer(rung, sample, correction.as_ref()) {
                    cascade.on_answer(task, Some(&answer), micro);
                }
            }
            CascadeStep::Verify {
                task,
                check,
                answer,
                ..
            } => {
                if let Some(verdict) = verdict(&check, &answer) {
                    let micro = if check.rank() == 3 { 5 } else { 0 };
                    cascade.on_verdict(task, verdict, micro);
                }
            }
            CascadeStep::Stop(_) => {}
            CascadeStep::WaitUntil(until) => {
                assert!(until > now && until <= 10_000);
                now = until;
            }
            CascadeStep::Done(result) => return (*result, now),
        }
    }
    panic!("it never ends");
}

#[test]
fn an_answer_that_passes_is_the_last_that_is_asked_for() {
    let plan = plan(vec![rung(0, vec![Check::Schema]), rung(1, vec![])]);
    let (result, _) = run(
        plan,
        |_, _, _| Some("ok".into()),
        |_, _| Some(Verdict::Pass),
    );
    assert_eq!(result.answer().unwrap().1, Trust::Verified);
    assert_eq!((result.tries.len(), result.cost_micro), (1, 10));
    assert_eq!(result.ended_by, CascadeEnd::Accepted);
}

#[test]
fn a_rejected_answer_goes_to_the_stronger_model_and_no_judge_is_paid_for_it() {
    let plan = plan(vec![
        rung(0, vec![judge(700), Check::Schema]),
        rung(1, vec![judge(700), Check::Schema]),
    ]);
    let (result, _) = run(
        plan,
        |rung, _, _| Some(format!("from {rung}")),
        |check, answer| {
            Some(match check {
                Check::Schema if answer == "from 0" => Verdict::Fail("no total".into()),
                Check::Schema => Verdict::Pass,
                _ => Verdict::Score(700),
            })
        },
    );
    let (answer, trust) = result.answer().unwrap();
    assert_eq!((&**answer, trust), ("from 1", Trust::Verified));
    assert_eq!(result.tries[0].checks.len(), 1);
    assert_eq!(result.cost_micro, 10 + 20 + 5);
}

#[test]
fn a_model_may_correct_itself_when_it_is_told_why() {
    let mut rungs = vec![rung(0, vec![Check::Schema]), rung(1, vec![])];
    rungs[0].corrections = 1;
    let (result, _) = run(
        plan(rungs),
        |_, _, correction| {
            Some(match correction {
                None => "{}".to_owned(),
                Some(it) => format!("corrected {}: {}", it.answer, it.why),
            })
        },
        |_, answer| {
            Some(match answer {
                "{}" => Verdict::Fail("total is missing".into()),
                _ => Verdict::Pass,
            })
        },
    );
    let (answer, trust) = result.answer().unwrap();
    assert_eq!(&**answer, "corrected {}: total is missing");
    assert_eq!(trust, Trust::Verified);
    assert!(result.tries[1].is_correction && result.tries[1].rung == 0);
}

#[test]
fn samples_that_disagree_escalate() {
    let consistent = Check::SelfConsistency {
        samples: 5,
        at_least_permille: 600,
    };
    let of = |agreeing: u32| {
        let plan = plan(vec![rung(0, vec![consistent.clone()]), rung(1, vec![])]);
        run(
            plan,
            |rung, sample, _| match rung {
                0 if sample < agreeing => Some("42.".into()),
                0 if sample == 4 => None,
                0 => Some(format!("{sample}")),
                _ => Some("strong".into()),
            },
            |_, _| None,
        )
        .0
    };
    let agreed = of(3);
    let (answer, trust) = agreed.answer().unwrap();
    assert_eq!((&**answer, trust), ("42.", Trust::Verified));
    assert_eq!(agreed.tries[0].agreement_permille, Some(600));
    let disagreed = of(2);
    let (answer, trust) = disagreed.answer().unwrap();
    assert_eq!((&**answer, trust), ("strong", Trust::Unchecked));
}

#[test]
fn when_money_runs_out_the_best_answer_so_far_is_returned_as_rejected() {
    let plan = CascadePlan {
        max_cost_micro: Some(25),
        ..plan(vec![rung(0, vec![judge(700)]), rung(5, vec![])])
    };
    let (result, _) = run(
        plan,
        |_, _, _| Some("x".into()),
        |_, _| Some(Verdict::Score(500)),
    );
    assert_eq!(result.answer().unwrap().1, Trust::Rejected);
    assert_eq!(result.ended_by, CascadeEnd::CostCap);
    assert_eq!(
        (result.left_out.as_slice(), result.cost_micro),
        (&[1][..], 15)
    );
}

#[test]
fn a_check_that_cannot_be_made_is_not_passed_unless_the_plan_says_so() {
    let of = |unchecked| {
        let plan = CascadePlan {
            unchecked,
            ..plan(vec![rung(0, vec![judge(1)])])
        };
        let down = |_: &Check, _: &str| Some(Verdict::Unavailable("the judge is down".into()));
        run(plan, |_, _, _| Some("x".into()), down).0
    };
    assert_eq!(of(Unchecked::Rejects).answer().unwrap().1, Trust::Rejected);
    assert_eq!(of(Unchecked::Accepts).answer().unwrap().1, Trust::Unchecked);
}

#[test]
fn models_and_checks_that_never_answer_end_at_the_deadline() {
    let rungs = vec![rung(0, vec![]), rung(1, vec![Check::Schema])];
    let (result, now) = run(
        plan(rungs),
        |rung, _, _| (rung == 1).then(|| "late".into()),
        |_, _| None,
    );
    assert!(now <= 10_000);
    assert_eq!(result.answer().unwrap().1, Trust::Rejected);
}

#[test]
fn a_check_that_hangs_leaves_time_for_the_stronger_model() {
    let rungs = vec![rung(0, vec![judge(1)]), rung(1, vec![])];
    let (result, now) = run(
        plan(rungs),
        |rung, _, _| Some(format!("{rung}")),
        |_, _| None,
    );
    let (answer, trust) = result.answer().unwrap();
    assert_eq!((&**answer, trust), ("1", Trust::Unchecked));
    assert_eq!(now, 9_750);
}

#[test]
fn without_rungs_there_is_no_answer() {
    let (result, _) = run(plan(vec![]), |_, _, _| None, |_, _| None);
    assert_eq!(result.answer(), None);
}

proptest! {
    #[test]
    fn no_cascade_spends_more_than_it_may_or_calls_a_rejected_answer_verified(
        shapes in prop::collection::vec((0u64..5, prop::collection::vec(0u8..4, 0..4), 0u8..3), 0..5),
        cap in prop::option::of(0u64..300),
        accepts: bool,
        chance in prop::collection::vec(0u8..5, 100),
    ) {
        let rungs = shapes.into_iter().map(|(number, checks, corrections)| Rung {
            corrections,
            ..rung(number, checks.into_iter().map(|kind| match kind {
                0 => Check::SelfConsistency { samples: 3, at_least_permille: 600 },
                1 => Check::Schema,
                2 => Check::Rule { name: "r".into() },
                _ => judge(500),
            }).collect())
        }).collect();
        let plan = CascadePlan {
            max_cost_micro: cap,
            unchecked: if accepts { Unchecked::Accepts } else { Unchecked::Rejects },
            ..plan(rungs)
        };
        let turn = std::cell::Cell::new(0);
        let draw = || { turn.set(turn.get() + 1); chance[turn.get() % chance.len()] };
        let (result, now) = run(
            plan,
            |_, _, _| match draw() { 0 => None, other => Some(format!("{}", other / 2)) },
            |_, _| match draw() {
                0 => None,
                1 => Some(Verdict::Fail("no".into())),
                2 => Some(Verdict::Score(u16::from(draw()) * 250)),
                3 => Some(Verdict::Unavailable("down".into())),
                _ => Some(Verdict::Pass),
            },
        );
        prop_assert!(now <= 10_000);
        if let Some(cap) = cap {
            prop_assert!(result.cost_micro <= cap);
        }
        prop_assert_eq!(result.cost_micro, result.tries.iter().map(|it| it.cost_micro).sum::<u64>());
        for it in &result.tries {
            if it.trust == Trust::Verified {
                prop_assert!(it.answer.is_some() && !it.checks.is_empty());
                prop_assert!(it.checks.iter().all(|it| it.is_passed));
            }
        }
    }
}
