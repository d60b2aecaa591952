//! The decision under test as a Polity rule: refunds of up to 500 EUR are allowed.

use polity_sdk::rule::{Action, Problem, Rule, Verdict};
use serde::Deserialize;

#[derive(Deserialize)]
struct Refund<'a> {
    amount: u64,
    currency: &'a str,
}

struct Refunds;

impl Rule for Refunds {
    fn applies_to() -> Vec<String> {
        vec!["refund.*".into()]
    }

    fn evaluate(action: Action) -> Result<Verdict, Problem> {
        let refund: Refund = polity_sdk::parse(&action.input)?;
        Ok(if refund.currency == "EUR" && refund.amount <= 500 {
            Verdict::Allow
        } else {
            Verdict::Deny("refunds of up to 500 EUR are allowed".into())
        })
    }
}

polity_sdk::export_rule!(Refunds);
