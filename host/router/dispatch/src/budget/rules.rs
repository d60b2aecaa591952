//! Whose money, for how long, and how much of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Period;

/// What kind of budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Everyone's together.
    Company,
    /// One team's.
    Team,
    /// One actor's.
    Actor,
    /// One protocol's.
    Protocol,
    /// One model's.
    Model,
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetLimit {
    /// What kind of budget.
    pub scope: Scope,
    /// Whose it is. Absent: each one's who has no limit of his own for this period. Means nothing for the company.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<Arc<str>>,
    /// For how long.
    pub period: Period,
    /// How much.
    pub limit_micro: u64,
}

/// All limits, and the calendar that they go by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BudgetRules {
    /// What the amounts are millionths of.
    pub currency: Arc<str>,
    /// How many minutes the company's clock is ahead of UTC.
    pub utc_offset_minutes: i32,
    /// The limits.
    pub limits: Vec<BudgetLimit>,
}

/// Who pays for a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Payer {
    /// The actor, `person:ada`.
    pub actor: Arc<str>,
    /// The actor's teams.
    pub teams: Vec<Arc<str>>,
    /// The protocol that asks.
    pub protocol: Option<Arc<str>>,
}

/// The limits by kind and period, as a reservation looks them up.
#[derive(Debug, Default)]
pub(super) struct Index {
    own: BTreeMap<(Scope, Period, Arc<str>), u64>,
    each: BTreeMap<(Scope, Period), u64>,
    /// Periods in which any budget of a kind is counted.
    counted: BTreeMap<Scope, Vec<Period>>,
}

impl Index {
    pub(super) fn new(rules: &BudgetRules) -> Self {
        let mut index = Self::default();
        for limit in &rules.limits {
            let BudgetLimit {
                scope,
                id,
                period,
                limit_micro,
            } = limit;
            // Of two limits for the same thing the smaller holds.
            let held = match id {
                Some(id) if *scope != Scope::Company => index
                    .own
                    .entry((*scope, *period, id.clone()))
                    .or_insert(*limit_micro),
                _ => index.each.entry((*scope, *period)).or_insert(*limit_micro),
            };
            *held = (*held).min(*limit_micro);
            let counted = index.counted.entry(*scope).or_default();
            if !counted.contains(period) {
                counted.push(*period);
            }
        }
        // What a day has cost is shown whether or not it is limited.
        for scope in [Scope::Company, Scope::Actor] {
            let counted = index.counted.entry(scope).or_default();
            if !counted.contains(&Period::Day) {
                counted.push(Period::Day);
            }
        }
        index
    }

    pub(super) fn counted(&self, scope: Scope) -> &[Period] {
        self.counted.get(&scope).map_or(&[], Vec::as_slice)
    }

    pub(super) fn limit(&self, scope: Scope, period: Period, id: &Arc<str>) -> Option<u64> {
        if !self.own.is_empty()
            && let Some(limit) = self.own.get(&(scope, period, id.clone()))
        {
            return Some(*limit);
        }
        self.each.get(&(scope, period)).copied()
    }
}

impl Scope {
    /// The name that records use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Company => "company",
            Self::Team => "team",
            Self::Actor => "actor",
            Self::Protocol => "protocol",
            Self::Model => "model",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_limit_takes_the_place_of_everyones() {
        let limit = |id: Option<&str>, limit_micro| BudgetLimit {
            scope: Scope::Actor,
            id: id.map(Into::into),
            period: Period::Day,
            limit_micro,
        };
        let index = Index::new(&BudgetRules {
            limits: vec![limit(None, 10), limit(Some("ada"), 50), limit(None, 7)],
            ..BudgetRules::default()
        });
        let of = |id: &str| index.limit(Scope::Actor, Period::Day, &id.into());
        assert_eq!((of("ada"), of("bob")), (Some(50), Some(7)));
        assert_eq!(
            index.limit(Scope::Actor, Period::Month, &"ada".into()),
            None
        );
        assert_eq!(index.counted(Scope::Team), []);
        assert_eq!(index.counted(Scope::Company), [Period::Day]);
    }
}
