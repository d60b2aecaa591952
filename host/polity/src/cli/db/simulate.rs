//! `polity db simulate`: months of a load in seconds, and what the schema would do meanwhile.

use std::path::PathBuf;

use clap::Args;
use polity_simulate::Workload;

use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::report::Report;

/// Run a load described in a file for months, in seconds, and tell how the schema would change.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity db simulate load.json

A load of ten days:
  {\"days\": 10,
   \"collections\": [{
     \"name\": \"orders\", \"rows\": 20000, \"writes_per_day\": 200,
     \"fields\": [{\"path\": \"customer\", \"distinct\": 2000}]}],
   \"queries\": [{
     \"shape\": {\"collection\": \"orders\",
       \"predicates\": [{\"path\": \"customer\", \"op\": \"equal\"}]},
     \"phases\": [{\"calls_per_day\": 1000}]}]}")]
pub(crate) struct SimulateArgs {
    /// The load, JSON.
    file: PathBuf,
}

/// Hours of a load that are simulated at most: a hundred years of them say no more.
const MAX_DAYS: u32 = 36_500;
/// Queries and writes together.
const MAX_WORK: f64 = 200e6;

pub(super) async fn run(args: &SimulateArgs, context: &Context) -> Result<Exit, Report> {
    let named = |what: &str| format!("{} {what}", args.file.display());
    let text = std::fs::read_to_string(&args.file)
        .map_err(|error| Report::usage(named("cannot be read")).because(error))?;
    let mut json = serde_json::Deserializer::from_str(&text);
    let load: Workload = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| Report::usage(named("is no load")).because(error))?;
    if load.days > MAX_DAYS || work(&load) > MAX_WORK {
        return Err(Report::usage(named("is too much work"))
            .because(format!(
                "{:.0} queries and writes over {} days",
                work(&load),
                load.days
            ))
            .hint("simulate fewer days, or a load with fewer calls"));
    }
    let simulated = tokio::task::spawn_blocking(move || polity_simulate::run(&load));
    let report = simulated
        .await
        .map_err(|error| Report::new("the simulation broke off: this is a bug").because(error))?;
    context.out.show(&report, |out| {
        writeln!(out, "{}", report.to_string().trim_end())
    })?;
    Ok(match report.broken {
        None => Exit::Ok,
        Some(_) => Exit::Failure,
    })
}

/// Queries and writes of a whole load.
fn work(load: &Workload) -> f64 {
    let calls = load.queries.iter().flat_map(|query| &query.phases);
    let calls: f64 = calls.map(|phase| phase.calls_per_day.max(0.0)).sum();
    let writes = load.collections.iter();
    let writes: f64 = writes.map(|found| found.writes_per_day.max(0.0)).sum();
    (calls + writes) * f64::from(load.days)
}
