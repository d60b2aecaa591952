//! Cases of a table: an input, and the answer or the error that it must have.

use polity_tables::{DecideError, DecisionTable, Kind, Value};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{Came, Unusable};

/// How cases are written.
pub(super) const FORM: &str = "write {\"cases\": [{\"name\": \"…\", \"input\": {…}, \"expect\": …}]}, or \"error\" in place of \"expect\"";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    name: String,
    input: Json,
    #[serde(default)]
    expect: Option<Json>,
    #[serde(default)]
    error: Option<String>,
}

impl Case {
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// Asks the table.
pub(super) fn ask(table: &DecisionTable, case: &Case) -> Result<Came, Unusable> {
    let answer = table.decide(&case.input);
    let found = match &answer {
        Ok(decision) => decision.value.to_json().to_string(),
        Err(error) => format!("{}: {error}", code(error)),
    };
    match (&case.expect, &case.error) {
        (Some(expected), None) => {
            let passed = answer.is_ok_and(|decision| {
                // 50 and 50.0 are one number.
                Value::from_json(&decision.value.to_json(), Kind::Any)
                    == Value::from_json(expected, Kind::Any)
            });
            Ok(Came {
                passed,
                expected: expected.to_string(),
                found,
            })
        }
        (None, Some(expected)) => Ok(Came {
            passed: answer.is_err_and(|error| code(&error) == *expected),
            expected: expected.clone(),
            found,
        }),
        _ => Err(Unusable {
            pointer: String::new(),
            message: "a case expects an answer or an error, and one of them".to_owned(),
            fix: "write \"expect\" with the answer, or \"error\" with its code".to_owned(),
        }),
    }
}

fn code(error: &DecideError) -> String {
    serde_json::to_value(error)
        .ok()
        .and_then(|value| value["code"].as_str().map(str::to_owned))
        .unwrap_or_default()
}
