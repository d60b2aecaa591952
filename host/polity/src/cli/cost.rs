//! `polity cost`: what completions have cost, and what was saved.

use clap::{Args, ValueEnum};
use polity_kernel::{CostSum, Costs};

use super::Context;
use super::exit::Exit;
use super::host::read;
use super::out::{say, write_table};
use super::report::Report;
use super::table::Table;
use super::text::{count, money};

/// Show what completions have cost, and what was saved.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity cost
  polity cost --by model --days 7
  polity cost --by actor --json")]
pub(crate) struct CostArgs {
    /// What the sums are over.
    #[arg(long, value_enum, default_value = "day")]
    by: By,

    /// The last so many UTC days, today among them.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3660))]
    days: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    Day,
    Model,
    Actor,
    Task,
}

pub(crate) async fn run(args: &CostArgs, context: &Context) -> Result<Exit, Report> {
    let query = [("days", args.days.to_string())];
    let answer = context.host()?.get(&["api", "costs"], &query).await?;
    let costs: Costs = read(&answer)?;
    if costs.total.requests == 0 && !context.out.json {
        say("No model has been asked. Ask one: polity chat \"Hello\"");
        return Ok(Exit::Ok);
    }
    let (name, sums) = match args.by {
        By::Day => ("day", &costs.by_day),
        By::Model => ("model", &costs.by_model),
        By::Actor => ("actor", &costs.by_actor),
        By::Task => ("task", &costs.by_task),
    };
    let mut table = Table::new([
        name,
        ">requests",
        ">cached",
        ">tokens in",
        ">tokens out",
        ">cost",
        ">saved",
    ]);
    for sum in sums {
        table.row([
            sum.name.clone(),
            sum.requests.to_string(),
            sum.cached.to_string(),
            sum.input_tokens.to_string(),
            sum.output_tokens.to_string(),
            money(sum.cost_micro, &costs.currency),
            saved(sum, &costs.currency),
        ]);
    }
    context.out.show(&answer, |out| {
        write_table(out, &table)?;
        let total = &costs.total;
        writeln!(
            out,
            "\n{} in all for {}; the dearest models would have cost {}.",
            money(total.cost_micro, &costs.currency),
            count(total.requests, "request"),
            money(total.dearest_micro, &costs.currency),
        )?;
        if !costs.is_complete {
            writeln!(
                out,
                "There are older records; `polity ledger export` has all of them."
            )?;
        }
        Ok(())
    })?;
    Ok(Exit::Ok)
}

fn saved(sum: &CostSum, currency: &str) -> String {
    match sum.dearest_micro.saturating_sub(sum.cost_micro) {
        0 => String::new(),
        saved => money(saved, currency),
    }
}
