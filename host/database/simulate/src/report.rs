//! What a simulation comes to.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The outcome.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Days that went by.
    pub days: u32,
    /// Queries that ran.
    pub queries: u64,
    /// Documents that were written.
    pub writes: u64,
    /// All queries, builds and upkeep.
    pub cost_us: f64,
    /// All queries, had nothing ever changed.
    pub never_us: f64,
    /// Indexes and rollups that were built.
    pub builds: u32,
    /// Microseconds of building.
    pub build_us: f64,
    /// Microseconds of upkeep.
    pub upkeep_us: f64,
    /// What became of mutations.
    pub happened: Vec<Happened>,
    /// What waits for a person.
    pub asked: Vec<String>,
    /// Why a strategy could not be asked, if one could not.
    pub broken: Option<String>,
}

/// A mutation that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Happened {
    /// When.
    pub day: f64,
    /// What.
    pub mutation: String,
    /// How it ended.
    pub outcome: String,
}

impl Report {
    /// Cost beside doing nothing.
    pub fn ratio(&self) -> f64 {
        self.cost_us / self.never_us.max(1.0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for happened in &self.happened {
            writeln!(
                f,
                "day {:>6.1}  {:<9} {}",
                happened.day, happened.outcome, happened.mutation
            )?;
        }
        for asked in &self.asked {
            writeln!(f, "            asked     {asked}")?;
        }
        write!(
            f,
            "{} days, {} queries, {} writes: {:.1} s of work, {:.1} s without any change ({:.0} %); {} builds took {:.1} s, upkeep {:.1} s",
            self.days,
            self.queries,
            self.writes,
            self.cost_us / 1e6,
            self.never_us / 1e6,
            100.0 * self.ratio(),
            self.builds,
            self.build_us / 1e6,
            self.upkeep_us / 1e6,
        )
    }
}
