//! `polity amend simulate`: what recorded cases and recorded decisions would become.

use clap::Args;
use polity_amend::Simulation;
use polity_constitution::Tried;
use serde_json::{Value, json};

use super::diff::ask_host;
use super::draft::{self, Pair};
use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::read;
use crate::cli::out::say;
use crate::cli::report::Report;
use crate::cli::text::{clean, one_line};

/// Replay recorded decisions and test cases under the rules in force and under the amendment.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity amend simulate
  polity amend simulate raise-the-refund-limit --decisions 10000 --json")]
#[command(
    after_help = "Test cases need no running host; recorded decisions are in the ledger of one. Ends with 1 if a case of the amendment fails."
)]
pub(crate) struct SimulateArgs {
    /// The amendment [default: the only one that is being written here]
    name: Option<String>,

    /// A branch instead, of any name.
    #[arg(long, conflicts_with = "name")]
    branch: Option<String>,

    /// How many of the newest decisions are judged again.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=20_000))]
    decisions: u64,
}

pub(super) async fn run(args: &SimulateArgs, context: &Context) -> Result<Exit, Report> {
    let (_, pair) = draft::pair(context, args.name.as_deref(), args.branch.as_deref())?;
    let cases = cases(&pair)?;
    let failed = cases.iter().filter(|case| case["passes"] == false).count();
    let asked = ask_host(context, &pair, args.decisions).await;
    let simulation = asked
        .as_ref()
        .map_or(Value::Null, |preview| preview["simulation"].clone());
    let told = json!({
        "before": pair.before.version(), "after": pair.after.version(),
        "cases": cases, "failed_cases": failed, "simulation": simulation,
    });
    let words = match &simulation {
        Value::Null => None,
        simulation => Some(read::<Simulation>(simulation)?),
    };
    context.out.show(&told, |out| {
        writeln!(
            out,
            "{} recorded cases tried, {failed} fail under the amendment.",
            cases.len()
        )?;
        for case in cases
            .iter()
            .filter(|case| case["before"] != case["after"] || case["passes"] == false)
        {
            let text = |name: &str| one_line(case[name].as_str().unwrap_or_default());
            writeln!(
                out,
                "  {}: {}: {} -> {}, expected {}",
                text("protocol"),
                text("name"),
                text("before"),
                text("after"),
                text("expected")
            )?;
        }
        let Some(simulation) = &words else {
            return Ok(());
        };
        write!(out, "{}", clean(&simulation.to_string()))?;
        for changed in simulation.told.iter().take(10) {
            writeln!(
                out,
                "  {} {} by {} with {}: {} -> {}",
                one_line(&changed.id),
                one_line(&changed.kind),
                one_line(&changed.actor),
                one_line(
                    &changed
                        .input
                        .to_string()
                        .chars()
                        .take(120)
                        .collect::<String>()
                ),
                one_line(&changed.before),
                one_line(&changed.after)
            )?;
        }
        Ok(())
    })?;
    if let Err(why) = asked {
        say(format_args!(
            "Recorded decisions were not judged again: {why}."
        ));
    }
    Ok(if failed == 0 { Exit::Ok } else { Exit::Failure })
}

/// The amendment's cases under both constitutions.
fn cases(pair: &Pair) -> Result<Vec<Value>, Report> {
    let unusable = |problems: polity_constitution::Problems| {
        Report::new("the recorded cases cannot be used").because(problems)
    };
    let after = pair.after.try_cases(&pair.folders.1).map_err(unusable)?;
    // Where the constitution in force has no such table, or other cases of it, only the amendment is told.
    let before: Vec<Tried> = pair.before.try_cases(&pair.folders.1).unwrap_or_default();
    Ok(after
        .into_iter()
        .map(|case| {
            let was = before
                .iter()
                .find(|was| was.file == case.file && was.line == case.line);
            json!({
                "protocol": case.protocol, "name": case.name, "file": case.file, "line": case.line,
                "expected": case.expected, "before": was.map(|was| &was.found), "after": case.found,
                "passes": case.passed, "passed": was.map(|was| was.passed),
            })
        })
        .collect())
}
