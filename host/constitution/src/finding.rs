//! What one binding said of one action, before all that was said is joined.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Binding, Mode};

/// What a rule says of an action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing speaks against it.
    Allow,
    /// It must not happen.
    Deny {
        /// Why, and what would do, in one sentence.
        reason: String,
    },
    /// A person decides.
    Escalate {
        /// What the person is asked, and why, in one sentence.
        reason: String,
        /// The role that decides.
        role: String,
        /// Milliseconds to decide; the charter's default where absent.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        due_ms: Option<u64>,
    },
    /// It may happen in another form.
    Amend {
        /// A JSON Patch (RFC 6902) on the action's input. It is kept as the rule returned it; one that is malformed or
        /// does not apply counts as a failure of the rule.
        patch: Value,
    },
}

/// Why a rule has no verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "failure", rename_all = "kebab-case")]
pub enum RuleFailure {
    /// The constitution binds a rule that is not loaded.
    #[error("is not loaded")]
    Missing,
    /// The rule has been taken out of service.
    #[error("is quarantined (`polity plugin list` says why)")]
    Quarantined,
    /// The plugin trapped.
    #[error("trapped: {detail}")]
    Trap {
        /// What the runtime reports.
        detail: String,
    },
    /// The plugin did not answer in time.
    #[error("did not answer in time")]
    Timeout,
    /// The plugin used up its instructions.
    #[error("ran out of fuel (`limits.fuel` of its grant)")]
    OutOfFuel,
    /// The plugin ran into another limit.
    #[error("ran into a limit: {detail}")]
    Limit {
        /// Which one.
        detail: String,
    },
    /// The plugin itself reported a problem.
    #[error("reported a problem ({code}): {detail}")]
    Problem {
        /// Its stable code.
        code: String,
        /// Its sentence.
        detail: String,
    },
    /// The plugin's amendment is malformed or does not apply.
    #[error("returned an amendment that does not apply: {detail}")]
    BadPatch {
        /// Which operation, and why.
        detail: String,
    },
}

/// What one binding said of one action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The binding's name.
    pub binding: String,
    /// The rule plugin's name.
    pub rule: String,
    /// Whether it counts.
    pub mode: Mode,
    /// The verdict, or why there is none.
    #[serde(flatten, with = "verdict_or_failure")]
    pub result: Result<Verdict, RuleFailure>,
}

impl Verdict {
    /// An amendment from the JSON text that a plugin returned.
    ///
    /// # Errors
    /// [`RuleFailure::BadPatch`] where the text is not JSON.
    pub fn amend(text: &str) -> Result<Self, RuleFailure> {
        match serde_json::from_str(text) {
            Ok(patch) => Ok(Self::Amend { patch }),
            Err(error) => Err(RuleFailure::BadPatch {
                detail: format!("it is not JSON: {error}"),
            }),
        }
    }
}

impl Finding {
    /// What this binding said.
    pub fn of(binding: &Binding, result: Result<Verdict, RuleFailure>) -> Self {
        Self {
            binding: binding.name.clone(),
            rule: binding.rule.clone(),
            mode: binding.mode,
            result,
        }
    }

    /// True where it counts.
    pub fn is_enforced(&self) -> bool {
        self.mode == Mode::Enforce
    }
}

/// Both sides are tagged objects, `{"verdict": …}` and `{"failure": …}`; serde's own form would nest them under `Ok` and
/// `Err`, which mean nothing to a reader of the ledger.
mod verdict_or_failure {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{RuleFailure, Verdict};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Verdict(Verdict),
        Failure(RuleFailure),
    }

    pub(super) fn serialize<S: Serializer>(
        result: &Result<Verdict, RuleFailure>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match result {
            Ok(verdict) => verdict.serialize(serializer),
            Err(failure) => failure.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Result<Verdict, RuleFailure>, D::Error> {
        Ok(match Either::deserialize(deserializer)? {
            Either::Verdict(verdict) => Ok(verdict),
            Either::Failure(failure) => Err(failure),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn finding(result: Result<Verdict, RuleFailure>) -> Finding {
        Finding {
            binding: "refunds".into(),
            rule: "spending-limit".into(),
            mode: Mode::Enforce,
            result,
        }
    }

    #[test]
    fn a_finding_is_one_flat_object_in_the_ledger() {
        let denied = finding(Ok(Verdict::Deny {
            reason: "too much".into(),
        }));
        assert_eq!(
            serde_json::to_value(&denied).unwrap(),
            json!({"binding": "refunds", "rule": "spending-limit", "mode": "enforce", "verdict": "deny", "reason": "too much"})
        );
        let failed = finding(Err(RuleFailure::OutOfFuel));
        assert_eq!(
            serde_json::to_value(&failed).unwrap()["failure"],
            "out-of-fuel"
        );
    }

    #[test]
    fn every_result_reads_back_as_it_was_written() {
        let results = [
            Ok(Verdict::Allow),
            Ok(Verdict::Deny {
                reason: "no".into(),
            }),
            Ok(Verdict::Escalate {
                reason: "look".into(),
                role: "owner".into(),
                due_ms: Some(5),
            }),
            Ok(Verdict::Escalate {
                reason: "look".into(),
                role: "owner".into(),
                due_ms: None,
            }),
            Ok(Verdict::Amend {
                patch: json!([{"op": "remove", "path": "/a"}]),
            }),
            Err(RuleFailure::Missing),
            Err(RuleFailure::Quarantined),
            Err(RuleFailure::Trap {
                detail: "unreachable".into(),
            }),
            Err(RuleFailure::Timeout),
            Err(RuleFailure::OutOfFuel),
            Err(RuleFailure::Limit {
                detail: "memory".into(),
            }),
            Err(RuleFailure::Problem {
                code: "invalid".into(),
                detail: "no amount".into(),
            }),
            Err(RuleFailure::BadPatch {
                detail: "operation 0".into(),
            }),
        ];
        for result in results {
            let written = serde_json::to_string(&finding(result.clone())).unwrap();
            assert_eq!(
                serde_json::from_str::<Finding>(&written).unwrap().result,
                result,
                "{written}"
            );
        }
    }

    #[test]
    fn an_amendment_that_is_not_json_is_a_failure() {
        assert!(matches!(
            Verdict::amend("[{"),
            Err(RuleFailure::BadPatch { .. })
        ));
        assert_eq!(
            Verdict::amend("[]"),
            Ok(Verdict::Amend { patch: json!([]) })
        );
    }
}
