//! What each class of failure means for what happens next, as data.
//!
//! Gateways bury this in code, and their users file bugs: fallback not taken on a 429, an empty account retried for ever,
//! a malformed request sent to five providers. Here it is one table that is shown, documented and overridden line by line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ErrorClass;

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// Ask the same model again, after a back-off.
    RetryHere,
    /// Ask the next model; come back to this one only when the others have been asked.
    GoElsewhere,
    /// Wait for this model as long as it says, before another is asked.
    Wait,
    /// Ask nobody any more.
    GiveUp,
}

/// What the failure says about other models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Nothing.
    Model,
    /// Every model of the same plugin would fail alike, for this request.
    Plugin,
}

/// What the failure means for the model's breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// The model is not at fault.
    Nothing,
    /// One failure more in the window.
    Failure,
    /// Opens the breaker: until the time that the provider names, or for the usual time.
    Open,
    /// Opens the breaker until the account is reset; where nobody says when that is, longer and longer.
    OpenUntilReset,
}

/// Whether the provider may charge for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Billing {
    /// It does not.
    NotBilled,
    /// Nobody knows: counted as the prompt and what came of the answer.
    MayBeBilled,
    /// It does, for what came.
    Billed,
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassRule {
    /// What to do next.
    pub then: Then,
    /// How often the same model may be asked again within one request.
    pub retries: u8,
    /// How many other models may be asked because of failures of this class, within one request.
    pub elsewhere: u8,
    /// What it says of the plugin's other models.
    pub reach: Reach,
    /// What it does to the breaker.
    pub breaker: Mark,
    /// Whether it may be charged for.
    pub billing: Billing,
}

/// A line for each class. Written as a map, in which a line that is absent is the built-in one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    from = "BTreeMap<ErrorClass, ClassRule>",
    into = "BTreeMap<ErrorClass, ClassRule>"
)]
pub struct ClassTable([ClassRule; ErrorClass::ALL.len()]);

/// As many models as there are.
const ALL: u8 = u8::MAX;

impl ClassRule {
    /// The built-in line of a class.
    #[rustfmt::skip]
    pub const fn default_of(class: ErrorClass) -> Self {
        use Billing::{Billed, MayBeBilled, NotBilled};
        use ErrorClass as C;
        use Then::{GoElsewhere, RetryHere};
        match class {
            // The provider knows best when it is ready; until then the breaker keeps everybody away.
            C::RateLimitedUntil => Self { then: GoElsewhere, retries: 2, elsewhere: ALL, reach: Reach::Model, breaker: Mark::Open, billing: NotBilled },
            C::RateLimited => Self { then: GoElsewhere, retries: 2, elsewhere: ALL, reach: Reach::Model, breaker: Mark::Failure, billing: NotBilled },
            C::Overloaded => Self { then: GoElsewhere, retries: 2, elsewhere: ALL, reach: Reach::Model, breaker: Mark::Failure, billing: NotBilled },
            // One account pays for all models of a plugin.
            C::SpendCap => Self { then: GoElsewhere, retries: 0, elsewhere: ALL, reach: Reach::Plugin, breaker: Mark::OpenUntilReset, billing: NotBilled },
            C::Auth => Self { then: GoElsewhere, retries: 0, elsewhere: ALL, reach: Reach::Plugin, breaker: Mark::Open, billing: NotBilled },
            // Only models with more room are asked afterwards.
            C::ContextTooLong => Self { then: GoElsewhere, retries: 0, elsewhere: ALL, reach: Reach::Model, breaker: Mark::Nothing, billing: NotBilled },
            // A second opinion, not a search for a model that says yes.
            C::Refused => Self { then: GoElsewhere, retries: 0, elsewhere: 1, reach: Reach::Model, breaker: Mark::Nothing, billing: MayBeBilled },
            // What one provider does not understand another may; the same one never will.
            C::InvalidRequest => Self { then: GoElsewhere, retries: 0, elsewhere: 1, reach: Reach::Plugin, breaker: Mark::Nothing, billing: NotBilled },
            C::NotFound => Self { then: GoElsewhere, retries: 0, elsewhere: ALL, reach: Reach::Model, breaker: Mark::Open, billing: NotBilled },
            C::Timeout => Self { then: GoElsewhere, retries: 1, elsewhere: ALL, reach: Reach::Model, breaker: Mark::Failure, billing: MayBeBilled },
            // Mostly a connection that was kept too long: a new one works.
            C::Connection => Self { then: RetryHere, retries: 1, elsewhere: ALL, reach: Reach::Model, breaker: Mark::Failure, billing: NotBilled },
            // The same input mostly crashes it again.
            C::Trap => Self { then: GoElsewhere, retries: 0, elsewhere: ALL, reach: Reach::Model, breaker: Mark::Failure, billing: MayBeBilled },
            C::Garbage => Self { then: GoElsewhere, retries: 1, elsewhere: ALL, reach: Reach::Model, breaker: Mark::Failure, billing: Billed },
            C::BrokenStream => Self { then: GoElsewhere, retries: 1, elsewhere: ALL, reach: Reach::Model, breaker: Mark::Failure, billing: Billed },
            C::Unavailable => Self { then: GoElsewhere, retries: 2, elsewhere: ALL, reach: Reach::Model, breaker: Mark::Failure, billing: NotBilled },
        }
    }
}

impl ClassTable {
    /// The line of a class.
    pub fn of(&self, class: ErrorClass) -> &ClassRule {
        &self.0[class as usize]
    }

    /// The table with another line for a class.
    pub fn with(mut self, class: ErrorClass, rule: ClassRule) -> Self {
        self.0[class as usize] = rule;
        self
    }

    /// Every class with its line.
    pub fn rows(&self) -> impl Iterator<Item = (ErrorClass, &ClassRule)> {
        ErrorClass::ALL.into_iter().zip(&self.0)
    }
}

impl Default for ClassTable {
    fn default() -> Self {
        Self(ErrorClass::ALL.map(ClassRule::default_of))
    }
}

impl From<BTreeMap<ErrorClass, ClassRule>> for ClassTable {
    fn from(lines: BTreeMap<ErrorClass, ClassRule>) -> Self {
        lines
            .into_iter()
            .fold(Self::default(), |table, (class, rule)| {
                table.with(class, rule)
            })
    }
}

impl From<ClassTable> for BTreeMap<ErrorClass, ClassRule> {
    fn from(table: ClassTable) -> Self {
        ErrorClass::ALL.into_iter().zip(table.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_reads_as_documented() {
        let lines: Vec<String> = ClassTable::default()
            .rows()
            .map(|(class, rule)| {
                let word = |value: serde_json::Value| value.as_str().unwrap().to_owned();
                format!(
                    "{:<20}{:<14}{:<3}{:<5}{:<8}{:<18}{}",
                    class.name(),
                    word(serde_json::to_value(rule.then).unwrap()),
                    rule.retries,
                    rule.elsewhere,
                    word(serde_json::to_value(rule.reach).unwrap()),
                    word(serde_json::to_value(rule.breaker).unwrap()),
                    word(serde_json::to_value(rule.billing).unwrap()),
                )
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_line_is_overridden_and_the_others_stay() {
        let table: ClassTable = serde_json::from_value(serde_json::json!({
            "refused": {"then": "give-up", "retries": 0, "elsewhere": 0, "reach": "model",
                        "breaker": "nothing", "billing": "not-billed"}
        }))
        .unwrap();
        assert_eq!(table.of(ErrorClass::Refused).then, Then::GiveUp);
        assert_eq!(
            table.of(ErrorClass::Auth),
            ClassTable::default().of(ErrorClass::Auth)
        );
        let again: ClassTable =
            serde_json::from_value(serde_json::to_value(&table).unwrap()).unwrap();
        assert_eq!(again, table);
    }

    #[test]
    fn an_unknown_field_is_an_error() {
        let read = serde_json::from_value::<ClassTable>(serde_json::json!({
            "refused": {"then": "give-up", "retries": 0, "elsewhere": 0, "reach": "model",
                        "breaker": "nothing", "billing": "not-billed", "retires": 1}
        }));
        assert!(read.unwrap_err().to_string().contains("retires"));
    }
}
