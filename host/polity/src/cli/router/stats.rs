//! `polity router stats`: what the router has learned.

use clap::Args;
use serde_json::Value;

use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::out::write_table;
use crate::cli::report::Report;
use crate::cli::table::Table;
use crate::cli::text::one_line;

/// Show what the router has learned of each model.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity router stats
  polity router stats --json")]
pub(crate) struct StatsArgs {}

pub(super) async fn run(_args: &StatsArgs, context: &Context) -> Result<Exit, Report> {
    let answer = context.host()?.get(&["api", "router"], &[]).await?;
    let mut table = Table::new([
        "model",
        "task",
        "region",
        ">feedback",
        ">better than expected",
    ]);
    let cells = answer["learned"]["cells"].as_array();
    for cell in cells.into_iter().flatten() {
        let text = |name: &str| cell[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| cell[name].as_f64().unwrap_or(0.0);
        let (mass, sum) = (number("mass"), number("sum"));
        table.row([
            text("model"),
            text("task"),
            text("region"),
            format!("{mass:.1}"),
            match mass > 0.0 {
                true => format!("{:+.3}", sum / mass),
                false => String::new(),
            },
        ]);
    }
    context.out.show(&answer, |out| {
        let predictor = &answer["predictor"];
        match predictor["digest"].as_str() {
            None => writeln!(
                out,
                "No predictor is trained; {} to train from.",
                rows(&answer)
            )?,
            Some(digest) => writeln!(
                out,
                "Predictor {}, trained on {} rows; {} to train from now.",
                one_line(digest.get(..19).unwrap_or(digest)),
                predictor["report"]["rows"],
                rows(&answer)
            )?,
        }
        let cache = &answer["cache"];
        writeln!(
            out,
            "Cache: {} of {} requests answered.",
            cache["hits"],
            total(cache)
        )?;
        if cells.is_some_and(|cells| !cells.is_empty()) {
            writeln!(out)?;
            write_table(out, &table)?;
        }
        Ok(())
    })?;
    Ok(Exit::Ok)
}

fn rows(answer: &Value) -> String {
    match answer["rows"].as_u64().unwrap_or(0) {
        1 => "1 answer with feedback".to_owned(),
        rows => format!("{rows} answers with feedback"),
    }
}

fn total(cache: &Value) -> u64 {
    cache["hits"].as_u64().unwrap_or(0) + cache["misses"].as_u64().unwrap_or(0)
}
