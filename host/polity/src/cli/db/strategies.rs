//! `polity db strategies`: what argues for changes of the schema, and how it has done.

use clap::Args;
use serde_json::Value;

use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::rows;
use crate::cli::out::{say, write_table};
use crate::cli::report::Report;
use crate::cli::table::Table;
use crate::cli::text::one_line;

/// List the plugins that argue for changes of the schema, and how they have done.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity db strategies
  polity db strategies --json")]
pub(crate) struct StrategiesArgs {}

pub(super) async fn run(_: &StrategiesArgs, context: &Context) -> Result<Exit, Report> {
    let answer = context.host()?.get(&["api", "strategies"], &[]).await?;
    let strategies = rows(&answer);
    if strategies.is_empty() && !context.out.json {
        say("No strategy is loaded, so the schema stays as it is: polity plugin list");
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(["strategy", "state", ">kept", ">reverted", "complaint"]);
    for strategy in strategies {
        table.row([
            text(&strategy["strategy"]),
            state(strategy).to_owned(),
            strategy["kept"].to_string(),
            strategy["reverted"].to_string(),
            text(&strategy["complaint"]),
        ]);
    }
    context.out.show(&answer, |out| write_table(out, &table))?;
    Ok(Exit::Ok)
}

fn state(strategy: &Value) -> &'static str {
    let now_ms = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |since| since.as_millis());
    let muted = strategy["muted_until_ms"].as_u64().unwrap_or_default();
    if strategy["loaded"] == false {
        "not loaded"
    } else if u128::from(muted) > now_ms {
        "muted"
    } else if strategy["doubtful"] == true {
        "doubtful"
    } else {
        "heard"
    }
}

fn text(value: &Value) -> String {
    one_line(value.as_str().unwrap_or_default())
}
