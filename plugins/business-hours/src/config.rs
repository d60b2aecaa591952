//! The settings of one binding, as the schema in `polity.json` describes them.

use serde::Deserialize;

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// An IANA name or a POSIX rule.
    pub zone: Option<String>,
    /// Opening hours by day of the week.
    #[serde(default)]
    pub hours: Hours,
    /// Days on which nothing opens.
    #[serde(default)]
    pub holidays: Vec<String>,
    /// What becomes of an action outside.
    #[serde(default)]
    pub outside: Outside,
    /// The role that decides.
    #[serde(default = "owner")]
    pub escalate_to: String,
    /// Milliseconds to decide.
    pub due_ms: Option<u64>,
}

/// Spans such as `09:00-12:30`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hours {
    mon: Vec<String>,
    tue: Vec<String>,
    wed: Vec<String>,
    thu: Vec<String>,
    fri: Vec<String>,
    sat: Vec<String>,
    sun: Vec<String>,
}

/// What becomes of an action outside of business hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outside {
    /// A person decides.
    #[default]
    Escalate,
    /// It does not happen.
    Deny,
}

impl Hours {
    /// From Monday to Sunday.
    pub fn week(&self) -> [&[String]; 7] {
        [
            &self.mon, &self.tue, &self.wed, &self.thu, &self.fri, &self.sat, &self.sun,
        ]
    }
}

fn owner() -> String {
    "owner".to_owned()
}
