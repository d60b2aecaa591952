//! What requests have cost, what they would have cost without routing, and what did not have to be asked at all.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::money::Money;
use crate::{Candidate, Tokens};

/// What is recorded of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CostRow {
    /// When it ended.
    pub at_ms: u64,
    /// Who asked.
    pub actor: Arc<str>,
    /// For which team.
    pub team: Option<Arc<str>>,
    /// For which protocol.
    pub protocol: Option<Arc<str>>,
    /// What kind of task it was.
    pub task: Arc<str>,
    /// The model that answered, or was asked last.
    pub model: Arc<str>,
    /// Whether it was answered.
    pub is_answered: bool,
    /// Whether the answer came from the cache, so that nobody was asked.
    pub is_cached: bool,
    /// Models asked.
    pub attempts: u32,
    /// What all attempts cost.
    pub cost_micro: u64,
    /// The part of it for attempts whose answer was not used.
    pub wasted_micro: u64,
    /// What the answer would have cost at the dearest model that might have been asked: see [`dearest_micro`].
    pub dearest_micro: u64,
}

/// Sums over some requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostSum {
    /// Requests.
    pub requests: u64,
    /// Those that were answered.
    pub answered: u64,
    /// Calls of models.
    pub calls: u64,
    /// Requests for which nobody had to be asked.
    pub calls_avoided: u64,
    /// What it cost.
    pub spend_micro: u64,
    /// The part of it for answers that were not used.
    pub wasted_micro: u64,
    /// What it would have cost at the dearest models.
    pub dearest_micro: u64,
}

/// What requests have cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostReport {
    /// What the amounts are millionths of.
    pub currency: Arc<str>,
    /// Everything together.
    pub total: CostSum,
    /// By kind of task.
    pub by_task: BTreeMap<Arc<str>, CostSum>,
    /// By model.
    pub by_model: BTreeMap<Arc<str>, CostSum>,
    /// By actor.
    pub by_actor: BTreeMap<Arc<str>, CostSum>,
    /// By team.
    pub by_team: BTreeMap<Arc<str>, CostSum>,
    /// By protocol.
    pub by_protocol: BTreeMap<Arc<str>, CostSum>,
}

/// What an answer of so many tokens would have cost at the dearest of the models that might have been asked.
pub fn dearest_micro(candidates: &[Candidate], tokens: Tokens) -> u64 {
    let costs = candidates.iter().map(|it| it.price.cost(tokens));
    costs.max().unwrap_or(0)
}

impl CostSum {
    /// What was saved against the dearest models; negative where more was spent.
    pub fn saved_micro(&self) -> i64 {
        let saved = i128::from(self.dearest_micro) - i128::from(self.spend_micro);
        saved.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    /// The same as a share of what it would have cost, in thousandths. 0 where it would have cost nothing.
    pub fn saved_permille(&self) -> i64 {
        let whole = i128::from(self.dearest_micro.max(1));
        let permille = i128::from(self.saved_micro()) * 1000 / whole;
        permille.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    /// What one answered request cost, on average.
    pub fn micro_per_answer(&self) -> Option<u64> {
        self.spend_micro.checked_div(self.answered)
    }

    fn add(&mut self, row: &CostRow) {
        let add = |sum: &mut u64, part: u64| *sum = sum.saturating_add(part);
        add(&mut self.requests, 1);
        add(&mut self.answered, row.is_answered.into());
        add(&mut self.calls, row.attempts.into());
        add(&mut self.calls_avoided, row.is_cached.into());
        add(&mut self.spend_micro, row.cost_micro);
        add(&mut self.wasted_micro, row.wasted_micro);
        add(&mut self.dearest_micro, row.dearest_micro);
    }
}

impl CostReport {
    /// Adds up what was recorded.
    pub fn of<'r>(
        currency: impl Into<Arc<str>>,
        rows: impl IntoIterator<Item = &'r CostRow>,
    ) -> Self {
        let mut report = Self {
            currency: currency.into(),
            ..Self::default()
        };
        for row in rows {
            report.add(row);
        }
        report
    }

    /// Adds one request.
    pub fn add(&mut self, row: &CostRow) {
        self.total.add(row);
        self.by_task.entry(row.task.clone()).or_default().add(row);
        self.by_model.entry(row.model.clone()).or_default().add(row);
        self.by_actor.entry(row.actor.clone()).or_default().add(row);
        let named = [
            (&mut self.by_team, &row.team),
            (&mut self.by_protocol, &row.protocol),
        ];
        for (sums, name) in named {
            if let Some(name) = name {
                sums.entry(name.clone()).or_default().add(row);
            }
        }
    }
}

impl fmt::Display for CostReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let money = |micro| Money {
            micro,
            currency: &self.currency,
        };
        let total = &self.total;
        let saved = total.saved_micro();
        writeln!(f, "spent     {}", money(total.spend_micro))?;
        writeln!(
            f,
            "{}     {} ({}.{} %) against the dearest model for everything",
            if saved < 0 { "lost " } else { "saved" },
            money(saved.unsigned_abs()),
            total.saved_permille().unsigned_abs() / 10,
            total.saved_permille().unsigned_abs() % 10,
        )?;
        writeln!(
            f,
            "wasted    {} on answers that were not used",
            money(total.wasted_micro)
        )?;
        writeln!(
            f,
            "requests  {}, {} answered, {} calls, {} calls avoided",
            total.requests, total.answered, total.calls, total.calls_avoided
        )?;
        for (title, sums) in [("task", &self.by_task), ("model", &self.by_model)] {
            writeln!(
                f,
                "\n{title:<24}{:>9}{:>16}{:>16}{:>9}",
                "requests", "spent", "per answer", "saved"
            )?;
            for (name, sum) in sums {
                let each = sum.micro_per_answer().map(|micro| money(micro).to_string());
                writeln!(
                    f,
                    "{:<24}{:>9}{:>16}{:>16}{:>7} %",
                    name,
                    sum.requests,
                    money(sum.spend_micro).to_string(),
                    each.as_deref().unwrap_or("-"),
                    sum.saved_permille() / 10,
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Price;

    fn row(task: &str, model: &str, cost_micro: u64, dearest_micro: u64) -> CostRow {
        CostRow {
            actor: "person:ada".into(),
            task: task.into(),
            model: model.into(),
            is_answered: true,
            attempts: 1,
            cost_micro,
            dearest_micro,
            ..CostRow::default()
        }
    }

    #[test]
    fn a_report_reads_like_this() {
        let cached = CostRow {
            is_cached: true,
            attempts: 0,
            ..row("triage", "small", 0, 40_000)
        };
        let failed = CostRow {
            is_answered: false,
            attempts: 3,
            wasted_micro: 30_000,
            ..row("contract", "large", 30_000, 0)
        };
        let rows = [
            row("triage", "small", 1_200, 40_000),
            row("contract", "large", 90_000, 90_000),
            cached,
            failed,
        ];
        insta::assert_snapshot!(CostReport::of("EUR", &rows));
    }

    #[test]
    fn more_spent_than_the_dearest_is_a_loss_and_nothing_overflows() {
        let rows = vec![row("t", "m", u64::MAX, 0); 3];
        let report = CostReport::of("EUR", &rows);
        assert_eq!(report.total.saved_micro(), i64::MIN);
        assert!(report.total.saved_permille() < 0);
        assert!(report.to_string().contains("lost"));
    }

    #[test]
    fn the_dearest_is_by_what_the_answer_used() {
        let candidate = |input, output| Candidate {
            price: Price { input, output },
            ..Candidate::new("p", "m")
        };
        let (reads, writes) = (candidate(9_000_000, 1), candidate(1, 5_000_000));
        let tokens = Tokens {
            input: 1,
            output: 10,
        };
        assert_eq!(dearest_micro(&[reads, writes], tokens), 51);
        assert_eq!(dearest_micro(&[], tokens), 0);
    }
}
