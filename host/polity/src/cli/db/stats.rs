//! `polity db stats`: how the records are used.

use std::fmt::Write as _;

use clap::Args;
use polity_database::{QueryStats, Stats};

use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::read;
use crate::cli::out::{say, write_table};
use crate::cli::report::Report;
use crate::cli::table::Table;

/// Show what is asked most, and what it costs.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity db stats
  polity db stats --json")]
pub(crate) struct StatsArgs {
    /// How many query shapes at most.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

pub(super) async fn run(args: &StatsArgs, context: &Context) -> Result<Exit, Report> {
    let answer = context
        .host()?
        .get(&["api", "records", "stats"], &[])
        .await?;
    let stats: Stats = read(&answer)?;
    if stats.queries.is_empty() && !context.out.json {
        say("Nobody has asked for records yet.");
        return Ok(Exit::Ok);
    }
    let mut table = Table::new([
        ">calls",
        ">a day",
        ">p50 µs",
        ">p99 µs",
        ">examined",
        ">returned",
        "query",
    ]);
    for query in stats.queries.iter().take(args.limit) {
        table.row([
            query.calls.to_string(),
            format!("{:.0}", query.calls_per_day),
            query.p50_us.to_string(),
            query.p99_us.to_string(),
            format!("{:.0}", query.examined_per_call),
            format!("{:.0}", query.returned_per_call),
            shape(query),
        ]);
    }
    context.out.show(&answer, |out| write_table(out, &table))?;
    Ok(Exit::Ok)
}

/// `orders where customer = and placed range group by day: sum(total)`.
fn shape(query: &QueryStats) -> String {
    let shape = &query.shape;
    let mut text = shape.collection.clone();
    for (index, predicate) in shape.predicates.iter().enumerate() {
        let word = if index == 0 { " where" } else { " and" };
        let op = serde_json::to_value(predicate.op).unwrap_or_default();
        let op = op.as_str().unwrap_or_default().replace('_', " ");
        let _ = write!(text, "{word} {} {op}", predicate.path);
    }
    if !shape.group_by.is_empty() {
        let _ = write!(text, " group by {}", shape.group_by.join(", "));
    }
    if !shape.aggregates.is_empty() {
        let _ = write!(text, ": {}", shape.aggregates.join(", "));
    }
    if !shape.order.is_empty() {
        let order: Vec<&str> = shape
            .order
            .iter()
            .map(|order| order.path.as_str())
            .collect();
        let _ = write!(text, " order by {}", order.join(", "));
    }
    if shape.inexact {
        text.push_str(" …");
    }
    text
}
