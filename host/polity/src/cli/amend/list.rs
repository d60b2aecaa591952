//! `polity amend list`.

use clap::Args;

use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::rows;
use crate::cli::out::{say, write_table};
use crate::cli::report::Report;
use crate::cli::table::Table;

/// List amendments, the newest first.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity amend list
  polity amend list --json")]
pub(crate) struct ListArgs {}

pub(super) async fn run(_args: &ListArgs, context: &Context) -> Result<Exit, Report> {
    let told = context.host()?.get(&["api", "amendments"], &[]).await?;
    if rows(&told).is_empty() && !context.out.json {
        say("There are no amendments. Begin one: polity amend new 'Raise the refund limit'");
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(["amendment", "title", "state", "votes", "by"]);
    for row in rows(&told) {
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let authors: Vec<&str> = row["authors"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(serde_json::Value::as_str)
            .collect();
        table.row([
            text("name"),
            text("title"),
            text("state"),
            format!("{} of {}", row["tally"]["yes"], row["tally"]["quorum"]),
            authors.join(", "),
        ]);
    }
    context.out.show(&told, |out| write_table(out, &table))?;
    Ok(Exit::Ok)
}
