//! What recorded decisions would become: each judged by the rules in force and by the proposed ones, counted, and added
//! up in money.

use std::collections::BTreeMap;

use polity_constitution::{Constitution, OutcomeKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Changed decisions that are told one by one.
const MAX_TOLD: usize = 100;

/// One decision under both constitutions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Simulated {
    /// The decision's id, or the place of the answer of a table in the ledger.
    pub id: String,
    /// The kind of action, or the table.
    pub kind: String,
    /// Who asked.
    pub actor: String,
    /// When.
    pub at_ms: u64,
    /// The input.
    pub input: Value,
    /// What the constitution in force makes of it.
    pub before: String,
    /// What the proposed one would.
    pub after: String,
    /// What it is about, in micro-units, where that is known.
    pub micro: Option<u64>,
}

/// From one outcome to another, how often.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shift {
    /// The kind of action, or the table.
    pub kind: String,
    /// What became of it.
    pub before: String,
    /// What would become of it.
    pub after: String,
    /// How often.
    pub count: u64,
    /// How much money, in micro-units, where that is known.
    pub micro: u64,
}

/// Money that goes out without a question, in micro-units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// Under the constitution in force.
    pub before: u64,
    /// Under the proposed one.
    pub after: u64,
    /// The difference; negative where less goes out.
    pub delta: i64,
}

/// How often each outcome came out.
pub type Outcomes = BTreeMap<String, u64>;

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Simulation {
    /// Decisions that were judged.
    pub judged: u64,
    /// Decisions that could not be: too long to have been kept whole.
    pub left_out: u64,
    /// Those that come out otherwise.
    pub changed: u64,
    /// Those that the constitution in force would decide otherwise than is on record, because constitution or plugins
    /// were others then.
    pub differs_from_record: u64,
    /// Outcomes under the constitution in force.
    pub before: Outcomes,
    /// Outcomes under the proposed one.
    pub after: Outcomes,
    /// What changes into what.
    pub shifts: Vec<Shift>,
    /// Money that goes out without a question.
    pub money: Money,
    /// The newest of those that come out otherwise.
    pub told: Vec<Simulated>,
}

impl Simulation {
    /// Counts a judged action.
    pub fn judged(&mut self, simulated: Simulated, then: &str) {
        self.judged += 1;
        self.differs_from_record += u64::from(simulated.before != then);
        *self.before.entry(simulated.before.clone()).or_default() += 1;
        *self.after.entry(simulated.after.clone()).or_default() += 1;
        let micro = simulated.micro.unwrap_or(0);
        let passes = |outcome: &str| matches!(outcome, "allow" | "amend");
        if passes(&simulated.before) {
            self.money.before = self.money.before.saturating_add(micro);
        }
        if passes(&simulated.after) {
            self.money.after = self.money.after.saturating_add(micro);
        }
        let delta = i128::from(self.money.after) - i128::from(self.money.before);
        self.money.delta =
            i64::try_from(delta).unwrap_or(if delta < 0 { i64::MIN } else { i64::MAX });
        if simulated.before == simulated.after {
            return;
        }
        self.changed += 1;
        let shift = self.shifts.iter_mut().find(|shift| {
            (&shift.kind, &shift.before, &shift.after)
                == (&simulated.kind, &simulated.before, &simulated.after)
        });
        match shift {
            Some(shift) => {
                shift.count += 1;
                shift.micro = shift.micro.saturating_add(micro);
            }
            None => self.shifts.push(Shift {
                kind: simulated.kind.clone(),
                before: simulated.before.clone(),
                after: simulated.after.clone(),
                count: 1,
                micro,
            }),
        }
        if self.told.len() < MAX_TOLD {
            self.told.push(simulated);
        }
    }
}

/// What an action is about in micro-units: where a rule that guards it says in its settings where the amount stands
/// (`amount.pointer`, `amount.unit`), there; otherwise the estimated cost that the rules were told.
pub fn amount_of(
    constitution: &Constitution,
    kind: &str,
    input: &Value,
    context: &Value,
) -> Option<u64> {
    let parsed = kind.parse().ok()?;
    let stated = constitution.bindings_for(&parsed).find_map(|binding| {
        let amount = binding.config.get("amount")?;
        let value = input.pointer(amount.get("pointer")?.as_str()?)?;
        let value = match value {
            Value::Number(number) => number.as_f64()?,
            Value::String(text) => text.parse().ok()?,
            _ => return None,
        };
        let micro = match amount.get("unit").and_then(Value::as_str) {
            Some("micro") => value,
            Some("cent") => value * 1e4,
            _ => value * 1e6,
        };
        (micro.is_finite() && (0.0..9e18).contains(&micro)).then(|| micro.round() as u64)
    });
    stated.or_else(|| context.get("estimated_cost_micro").and_then(Value::as_u64))
}

/// The word for an outcome that records use.
impl Simulated {
    /// `allow`, `amend`, `escalate` or `deny`.
    pub fn word(outcome: OutcomeKind) -> &'static str {
        match outcome {
            OutcomeKind::Allow => "allow",
            OutcomeKind::Amend => "amend",
            OutcomeKind::Escalate => "escalate",
            OutcomeKind::Deny => "deny",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refund(before: &str, after: &str, units: u64) -> Simulated {
        Simulated {
            id: "1".into(),
            kind: "refund.approve".into(),
            actor: "person:ada".into(),
            at_ms: 0,
            input: json!({"amount": units}),
            before: before.into(),
            after: after.into(),
            micro: Some(units * 1_000_000),
        }
    }

    #[test]
    fn what_changes_is_counted_and_added_up() {
        let mut all = Simulation::default();
        all.judged(refund("allow", "allow", 40), "allow");
        all.judged(refund("escalate", "allow", 70), "escalate");
        all.judged(refund("escalate", "allow", 80), "deny");
        all.judged(refund("allow", "deny", 10), "allow");
        assert_eq!(
            (all.judged, all.changed, all.differs_from_record),
            (4, 3, 1)
        );
        assert_eq!(
            all.money,
            Money {
                before: 50_000_000,
                after: 190_000_000,
                delta: 140_000_000
            }
        );
        let shift = all
            .shifts
            .iter()
            .find(|shift| shift.after == "allow")
            .unwrap();
        assert_eq!((shift.count, shift.micro), (2, 150_000_000));
        assert_eq!(all.told.len(), 3);
    }
}
