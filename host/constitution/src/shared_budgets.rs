//! Budgets that several share: a team's, and a protocol's. They hold beside those of the actors and of everyone.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::policy::whole_or_null;

/// The most that may be spent in an hour, a day and a month, in UTC and in micro-units. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpendLimits {
    /// Within an hour.
    #[serde(deserialize_with = "whole_or_null")]
    pub hourly_micro: Option<u64>,
    /// Within a day.
    #[serde(deserialize_with = "whole_or_null")]
    pub daily_micro: Option<u64>,
    /// Within a month.
    #[serde(deserialize_with = "whole_or_null")]
    pub monthly_micro: Option<u64>,
}

/// What a team may spend. Whoever is in several teams spends from the budget of each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenTeam", into = "WrittenTeam")]
pub struct TeamBudget {
    /// Who is in the team, by full id.
    pub members: BTreeSet<String>,
    /// What they may spend together.
    pub limits: SpendLimits,
}

/// A team's budget as it is written: all in one object.
#[derive(Clone, Serialize, Deserialize)]
struct WrittenTeam {
    members: BTreeSet<String>,
    #[serde(default, deserialize_with = "whole_or_null")]
    hourly_micro: Option<u64>,
    #[serde(default, deserialize_with = "whole_or_null")]
    daily_micro: Option<u64>,
    #[serde(default, deserialize_with = "whole_or_null")]
    monthly_micro: Option<u64>,
}

impl From<WrittenTeam> for TeamBudget {
    fn from(written: WrittenTeam) -> Self {
        Self {
            members: written.members,
            limits: SpendLimits {
                hourly_micro: written.hourly_micro,
                daily_micro: written.daily_micro,
                monthly_micro: written.monthly_micro,
            },
        }
    }
}

impl From<TeamBudget> for WrittenTeam {
    fn from(team: TeamBudget) -> Self {
        let SpendLimits {
            hourly_micro,
            daily_micro,
            monthly_micro,
        } = team.limits;
        Self {
            members: team.members,
            hourly_micro,
            daily_micro,
            monthly_micro,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_teams_budget_is_read_and_written_as_one_object() {
        let written = json!({
            "members": ["agent:assistant", "person:ada"],
            "hourly_micro": null, "daily_micro": 5, "monthly_micro": 100,
        });
        let team: TeamBudget = serde_json::from_value(written.clone()).unwrap();
        assert!(team.members.contains("person:ada"));
        assert_eq!(team.limits.daily_micro, Some(5));
        assert_eq!(serde_json::to_value(&team).unwrap(), written);
    }
}
