use proptest::prelude::*;

use super::*;
use crate::{Candidate, Compare};

fn members(count: usize) -> Vec<Candidate> {
    (0..count)
        .map(|it| Candidate {
            estimate_micro: 10,
            ..Candidate::new("p", format!("m{it}"))
        })
        .collect()
}

fn plan(count: usize) -> CouncilPlan {
    CouncilPlan {
        round_timeout_ms: 1_000,
        ..CouncilPlan::new(members(count), 10_000)
    }
}

/// Runs a council whose members answer at once as `answer` says; `None` is never heard of again.
fn hold(
    plan: CouncilPlan,
    seed: u64,
    mut answer: impl FnMut(usize, &str) -> Option<String>,
) -> (CouncilResult, Vec<(usize, String)>) {
    let mut council = Council::new(plan, "What is it?", seed).unwrap();
    let (mut now, mut asked) = (0, Vec::new());
    for _ in 0..10_000 {
        match council.next(now) {
            CouncilStep::Ask {
                call,
                member,
                prompt,
                ..
            } => {
                let text = prompt[1].content.clone();
                if let Some(answer) = answer(member, &text) {
                    council.on_answer(call, Some(&answer), 10, now);
                }
                asked.push((member, text));
            }
            CouncilStep::Stop(_) => {}
            CouncilStep::WaitUntil(until) => {
                assert!(until > now);
                now = until;
            }
            CouncilStep::Done(result) => return (*result, asked),
        }
    }
    panic!("it never ends");
}

fn is_vote(prompt: &str) -> bool {
    prompt.contains("Which answer is best?")
}

/// The label that an answer has on a ballot.
fn label_of(prompt: &str, answer: &str) -> String {
    let at = prompt.find(&format!("\">\n{answer}\n")).unwrap();
    let from = prompt[..at].rfind("label=\"").unwrap() + "label=\"".len();
    prompt[from..at].to_owned()
}

#[test]
fn a_council_that_agrees_ends_after_one_round() {
    let plan = CouncilPlan {
        rounds: 3,
        ..plan(5)
    };
    let (result, asked) = hold(plan, 1, |_, _| Some("Paris.".to_owned()));
    assert_eq!(result.agreement, Agreement::Unanimous);
    assert_eq!(result.ended_by, EndedBy::Agreement);
    assert_eq!((asked.len(), result.rounds, result.cost_micro), (5, 1, 50));
    assert_eq!(&*result.consensus.unwrap().answer, "Paris.");
}

#[test]
fn the_minority_is_part_of_the_result() {
    let (result, _) = hold(plan(5), 1, |member, _| {
        Some(if member < 3 { "Paris" } else { "Lyon" }.to_owned())
    });
    assert_eq!(result.agreement, Agreement::Majority);
    assert_eq!(result.consensus.unwrap().members, [0, 1, 2]);
    assert_eq!(result.dissent.len(), 1);
    assert_eq!(result.dissent[0].members, [3, 4]);
}

#[test]
fn members_see_each_other_blind_and_each_in_another_order() {
    let plan = CouncilPlan {
        rounds: 2,
        ..plan(15)
    };
    let (_, asked) = hold(plan, 7, |member, _| Some(format!("answer {member}")));
    let second: Vec<_> = asked.iter().skip(15).collect();
    assert_eq!(second.len(), 15);
    let mut orders = std::collections::HashSet::new();
    for (member, prompt) in second {
        assert!(!prompt.contains("m1") && !prompt.contains("m14"), "a name");
        let shown = prompt.split("Your own answer").next().unwrap();
        assert!(!shown.contains(&format!("answer {member}\n")));
        orders.insert(shown.replace(&format!("answer {member}"), ""));
    }
    assert_eq!(orders.len(), 15);
}

#[test]
fn a_vote_for_ones_own_answer_does_not_count() {
    let plan = CouncilPlan {
        decide: Decide::Vote,
        ..plan(3)
    };
    // Everybody votes for himself but the last, who votes for the first.
    let (result, _) = hold(plan, 3, |member, prompt| {
        let own = format!("answer {member}");
        Some(match is_vote(prompt) {
            false => own,
            true if member == 2 => format!("Vote: {}", label_of(prompt, "answer 0")),
            true => format!("Vote: {}", label_of(prompt, &own)),
        })
    });
    let consensus = result.consensus.unwrap();
    assert_eq!((&*consensus.answer, consensus.votes), ("answer 0", 1));
    assert!(result.members[0].voted_for_own && result.members[1].voted_for_own);
    assert_eq!(result.members[2].voted_for, Some(0));
    assert_eq!(result.dissent.iter().map(|it| it.votes).sum::<u32>(), 0);
}

#[test]
fn members_who_never_answer_do_not_hold_up_the_others() {
    let plan = CouncilPlan {
        decide: Decide::Vote,
        rounds: 2,
        ..plan(7)
    };
    let (result, _) = hold(plan, 5, |member, prompt| match member {
        0 | 1 => None,
        2 => Some("\u{fffd} garbage".to_owned()),
        _ if is_vote(prompt) => Some(format!("Vote: {}", label_of(prompt, "Paris"))),
        _ => Some(if member == 3 { "Lyon" } else { "Paris" }.to_owned()),
    });
    let consensus = result.consensus.unwrap();
    assert_eq!((&*consensus.answer, consensus.members.len()), ("Paris", 3));
    assert_eq!(consensus.votes, 1);
    assert_eq!(result.answered, 5);
    assert!(result.members[2].vote_unreadable);
    assert!(result.members[0].failures > 0);
}

#[test]
fn without_a_quorum_nothing_is_decided() {
    let (result, _) = hold(plan(5), 5, |member, _| (member < 2).then(|| "x".to_owned()));
    assert_eq!(result.agreement, Agreement::NoQuorum);
    assert_eq!(result.consensus, None);
    assert_eq!(result.dissent.len(), 1);
    assert_eq!(result.ended_by, EndedBy::Quorum);
}

#[test]
fn a_round_that_would_cost_too_much_is_not_held() {
    let plan = CouncilPlan {
        rounds: 4,
        max_cost_micro: Some(95),
        decide: Decide::Vote,
        ..plan(3)
    };
    let (result, asked) = hold(plan, 1, |member, prompt| {
        Some(if is_vote(prompt) {
            "A".to_owned()
        } else {
            format!("a{member}")
        })
    });
    assert_eq!(asked.len(), 9);
    assert_eq!((result.rounds, result.cost_micro), (3, 90));
    assert_eq!(result.ended_by, EndedBy::CostCap);
    assert_eq!(result.agreement, Agreement::Tie);
}

#[test]
fn late_and_double_answers_cost_and_do_not_count() {
    let mut council = Council::new(plan(2), "?", 1).unwrap();
    let mut calls = Vec::new();
    while let CouncilStep::Ask { call, .. } = council.next(0) {
        calls.push(call);
    }
    council.on_answer(calls[0], Some("one"), 1, 10);
    council.on_answer(calls[0], Some("two"), 1, 11);
    assert_eq!(council.next(1_000), CouncilStep::Stop(calls[1]));
    council.on_answer(calls[1], Some("late"), 1, 1_001);
    let CouncilStep::Done(result) = council.next(1_001) else {
        panic!()
    };
    assert_eq!(result.members[0].answer.as_deref(), Some("one"));
    assert_eq!((result.answered, result.cost_micro), (1, 3));
}

#[test]
fn a_plan_that_could_never_decide_is_refused() {
    let quorum = CouncilPlan {
        quorum: 4,
        ..plan(3)
    };
    let error = Council::new(quorum, "?", 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the quorum is 4 and the council has 3 members; set it between 1 and 3"
    );
    assert!(Council::new(plan(0), "?", 0).is_err());
}

proptest! {
    #[test]
    fn no_council_counts_a_vote_for_oneself_or_outlasts_its_deadline(
        seed: u64,
        count in 1usize..18,
        rounds in 1u32..4,
        cap in prop::option::of(0u64..600),
        is_json: bool,
        behaviour in prop::collection::vec(0u8..6, 300),
    ) {
        let plan = CouncilPlan {
            rounds,
            max_cost_micro: cap,
            decide: Decide::Vote,
            quorum: count.div_ceil(3),
            compare: if is_json { Compare::Json } else { Compare::Text },
            ..plan(count)
        };
        let mut turn = 0;
        let (result, asked) = hold(plan, seed, |member, prompt| {
            turn += 1;
            let how = behaviour[turn % behaviour.len()];
            match how {
                0 => None,
                1 => Some("Vote: A".to_owned()),
                2 => Some(String::new()),
                3 if is_vote(prompt) => Some("{\"vote\": \"B\"}".to_owned()),
                3 => Some("{\"a\": 1}".to_owned()),
                4 => Some(format!("Vote: {member}")),
                _ => Some("C".to_owned()),
            }
        });
        if let Some(cap) = cap {
            prop_assert!(result.cost_micro <= cap);
        }
        prop_assert!(asked.len() <= count * (rounds as usize + 1));
        let views: Vec<_> = result.consensus.iter().chain(&result.dissent).collect();
        for (member, part) in result.members.iter().enumerate() {
            if let Some(view) = part.voted_for {
                prop_assert!(!views[view].members.contains(&member));
            }
        }
        for (index, view) in views.iter().enumerate() {
            let votes = result.members.iter().filter(|it| it.voted_for == Some(index)).count();
            prop_assert_eq!(votes as u32, view.votes);
            prop_assert_eq!(view.score, view.votes + view.members.len() as u32 - 1);
        }
        prop_assert_eq!(result.consensus.is_some(), result.agreement != Agreement::NoQuorum);
    }
}
