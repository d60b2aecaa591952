//! The second round: amended input is judged again, once, because what one rule changed is news to the others.

use crate::asks::Asks;
use crate::resolution::Outcome;
use crate::{Charter, Resolution, sentence};

impl Resolution {
    /// Joins this resolution with the one of the second round, in which the same bindings judged the amended input.
    ///
    /// The stricter outcome holds. There is no third round: where the rules amend what they have amended, they do not
    /// agree on a form, and a person decides.
    #[must_use]
    pub fn settle(self, second: Self, charter: &Charter) -> Self {
        let unsettled = second.amended.is_some();
        let mut settled = Self {
            second_round: second.findings,
            if_shadow_counted: second.if_shadow_counted,
            ..self
        };
        settled.conflicts.extend(second.conflicts);
        match (&settled.outcome, second.outcome) {
            (Outcome::Deny { .. }, _) => return settled,
            (_, Outcome::Deny { reason }) => {
                settled.outcome = Outcome::Deny { reason };
                settled.decided_by = second.decided_by;
            }
            (first, second_outcome) => {
                let mut asks = Asks::default();
                for outcome in [first.clone(), second_outcome] {
                    if let Outcome::Escalate { asks: more } = outcome {
                        asks.extend(more);
                    }
                }
                if unsettled {
                    let reason = "the rules amend what they have amended, so there is no form that all agree on";
                    asks.ask(charter, None, None, None, reason);
                }
                if !asks.is_empty() {
                    settled.outcome = asks.into_outcome();
                    settled.decided_by.extend(second.decided_by);
                    settled.decided_by.sort();
                    settled.decided_by.dedup();
                }
            }
        }
        settled.sentence = sentence::of(
            &settled.outcome,
            &settled.decided_by,
            &settled.changed,
            &settled.conflicts,
        );
        settled
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::OutcomeKind;
    use crate::Verdict;
    use crate::lattice::resolve;
    use crate::lattice::tests::{asks, careful, deny, escalate, finding, resolved, set};

    #[test]
    fn amendments_that_the_second_round_accepts_are_settled() {
        let charter = careful();
        let input = json!({"a": 1});
        let first = resolve(&input, vec![finding("x", set("/a", json!(5)))], &charter);
        let amended = first.input(&input).clone();
        let same = resolve(&amended, vec![finding("x", set("/a", json!(5)))], &charter);
        let settled = first.settle(same, &charter);
        assert_eq!(settled.kind(), OutcomeKind::Amend);
        assert_eq!(settled.amended, Some(json!({"a": 5})));
        assert_eq!((settled.findings.len(), settled.second_round.len()), (1, 1));
    }

    #[test]
    fn the_stricter_of_two_rounds_holds() {
        let charter = careful();
        let first = || resolved(vec![finding("x", set("/a", json!(5)))]);
        let second = |result| {
            resolve(
                &json!({"a": 5, "b": 2}),
                vec![finding("y", result)],
                &charter,
            )
        };
        let denied = first().settle(second(deny("no")), &charter);
        assert_eq!(denied.sentence, "Denied by y (y-rule): no.");
        let waiting = first().settle(second(escalate("editor", None)), &charter);
        assert_eq!(asks(&waiting)[0].role, "editor");
        assert_eq!(waiting.amended, Some(json!({"a": 5, "b": 2})));
        let refused = resolved(vec![finding("x", deny("no"))]);
        assert_eq!(
            refused.settle(second(Ok(Verdict::Allow)), &charter).kind(),
            OutcomeKind::Deny
        );
    }

    #[test]
    fn rules_that_keep_amending_each_other_go_before_a_person() {
        let charter = careful();
        let first = resolved(vec![finding("x", set("/a", json!(5)))]);
        let second = resolve(
            &json!({"a": 5, "b": 2}),
            vec![finding("x", set("/a", json!(6)))],
            &charter,
        );
        let settled = first.settle(second, &charter);
        assert_eq!(asks(&settled)[0].role, "owner");
        assert_eq!(
            settled.amended,
            Some(json!({"a": 5, "b": 2})),
            "a third round never happened"
        );
    }
}
