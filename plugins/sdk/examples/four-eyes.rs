//! A rule: a payment needs the approval of somebody other than whoever asks for it.

use polity_sdk::rule::{Action, Escalation, Problem, Rule, Verdict};

struct FourEyes;

impl Rule for FourEyes {
    fn applies_to() -> Vec<String> {
        vec!["payment.*".into()]
    }

    fn evaluate(action: Action) -> Result<Verdict, Problem> {
        let input: serde_json::Value = polity_sdk::parse(&action.input)?;
        Ok(match input["approved_by"].as_str() {
            Some(approver) if approver == action.actor => {
                Verdict::Deny("whoever asks for a payment cannot approve it".into())
            }
            Some(_) => Verdict::Allow,
            None => Verdict::Escalate(Escalation {
                reason: "a second person has to approve this payment".into(),
                role: "owner".into(),
                due_ms: None,
            }),
        })
    }
}

polity_sdk::export_rule!(FourEyes);
