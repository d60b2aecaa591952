//! `polity db dry-run`: what would change now, and what holds it back.

use clap::Args;
use serde_json::Value;

use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::out::{say, write_table};
use crate::cli::report::Report;
use crate::cli::table::Table;
use crate::cli::text::one_line;

/// Ask the strategies what they would change now, without any consequence.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity db dry-run
  polity db dry-run --json     with the evidence")]
pub(crate) struct DryRunArgs {}

pub(super) async fn run(_: &DryRunArgs, context: &Context) -> Result<Exit, Report> {
    let path = ["api", "mutations", "rehearse"];
    let answer = context.host()?.post(&path, &Value::Null).await?;
    let list = |name: &str| answer[name].as_array().cloned().unwrap_or_default();
    for failed in list("failed") {
        say(format_args!(
            "{} failed: {}",
            text(&failed[0]),
            text(&failed[1])
        ));
    }
    let proposals = list("proposals");
    if proposals.is_empty() && !context.out.json {
        say("Nothing would change now: what is asked is answered well enough, or nobody asks.");
        return Ok(Exit::Ok);
    }
    let mut table = Table::new([">gain a day", ">build", "change", "what would become of it"]);
    for proposal in &proposals {
        let us = |name: &str| proposal[name].as_i64().unwrap_or_default();
        table.row([
            span(us("benefit_us_per_day").saturating_sub(us("write_cost_us_per_day"))),
            span(us("build_us")),
            text(&proposal["summary"]),
            outcome(proposal),
        ]);
    }
    context.out.show(&answer, |out| write_table(out, &table))?;
    Ok(Exit::Ok)
}

fn outcome(proposal: &Value) -> String {
    let mode = proposal["mode"].as_str().unwrap_or_default();
    match proposal["admission"].as_str().unwrap_or_default() {
        "begun" if mode == "auto" => "it is built and tried, where the rules allow it".to_owned(),
        "begun" => "it is put before a person".to_owned(),
        "waiting" => {
            let us = |name: &str| proposal[name].as_i64().unwrap_or_default();
            let (waited, build) = (span(us("waited_us")), span(us("build_us")));
            format!("it waits until waiting has cost as much as building: {waited} of {build}")
        }
        "observed" => "it is counted: the charter says observe".to_owned(),
        "under_way" => "it is on its way: polity db history".to_owned(),
        "too_young" => "its collection is too young".to_owned(),
        "in_vain" => text(&proposal["reason"]),
        _ => "nobody listens to its strategy for now: polity db strategies".to_owned(),
    }
}

fn span(us: i64) -> String {
    match us.unsigned_abs() {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{:.1} ms", us as f64 / 1e3),
        _ => format!("{:.1} s", us as f64 / 1e6),
    }
}

fn text(value: &Value) -> String {
    one_line(value.as_str().unwrap_or_default())
}
