//! Which case of a switch a value takes, asked without running anything: what a change of a condition means is shown best
//! by a value that goes another way.

use serde_json::{Value, json};

use crate::Workflow;
use crate::task::Kind;

impl Workflow {
    /// The number of the case that a value takes at the switch with this pointer; none where no case holds, a condition
    /// cannot be answered, or there is no such switch. The value stands for all that a condition can read: what is handed
    /// on, the context and the workflow's input.
    pub fn case_taken(&self, pointer: &str, value: &Value) -> Option<usize> {
        let task = self.tasks.iter().find(|task| task.pointer == pointer)?;
        let Kind::Switch(cases) = &task.kind else {
            return None;
        };
        let argument = |name: &str| match name {
            "workflow" => json!({ "input": value }),
            _ => value.clone(),
        };
        for (number, case) in cases.iter().enumerate() {
            match &case.when {
                None => return Some(number),
                Some(when) if when.test(value, &argument).ok()? => return Some(number),
                Some(_) => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dialect;

    #[test]
    fn the_first_case_that_holds_is_taken_as_when_it_runs() {
        let text = "
document: {dsl: 1.0.3, namespace: d, name: w, version: 1.0.0}
do:
  - route:
      switch:
        - pay: {when: .outcome == \"pay\", then: end}
        - large: {when: $workflow.input.amount > 50, then: end}
        - rest: {then: end}
";
        let workflow = Workflow::load("workflows/w.yaml", text, Dialect::Strict).unwrap();
        let taken = |value: Value| workflow.case_taken("/do/0/route", &value);
        assert_eq!(taken(json!({"outcome": "pay"})), Some(0));
        assert_eq!(taken(json!({"outcome": "x", "amount": 51})), Some(1));
        assert_eq!(taken(json!({"outcome": "x", "amount": 1})), Some(2));
        assert_eq!(
            taken(json!({"outcome": "x"})),
            None,
            "nothing orders a missing amount"
        );
        assert_eq!(workflow.case_taken("/do/0", &json!({})), None);
    }
}
