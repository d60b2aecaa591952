//! `polity db history`: how the schema has changed by itself, and why.

use clap::Args;
use serde_json::Value;

use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::rows;
use crate::cli::out::{say, write_table};
use crate::cli::report::Report;
use crate::cli::table::Table;
use crate::cli::text::{clean, one_line, time};

/// Show how the schema changes by itself, or the whole story of one change.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity db history
  polity db history orders
  polity db history ID         the evidence, the trial, the way back")]
pub(crate) struct HistoryArgs {
    /// A collection, or the id of one change.
    about: Option<String>,
}

pub(super) async fn run(args: &HistoryArgs, context: &Context) -> Result<Exit, Report> {
    let host = context.host()?;
    let about = args.about.as_deref();
    if let Some(id) = about.filter(|about| uuid::Uuid::parse_str(about).is_ok()) {
        let found = host.get(&["api", "mutations", id], &[]).await?;
        let story = found["story"].as_str().unwrap_or_default();
        context
            .out
            .show(&found, |out| writeln!(out, "{}", clean(story.trim_end())))?;
        return Ok(Exit::Ok);
    }
    let answer = match about {
        Some(name) => {
            host.get(&["api", "collections", name, "history"], &[])
                .await?
        }
        None => host.get(&["api", "mutations"], &[]).await?,
    };
    let mutations = rows(&answer);
    if mutations.is_empty() && !context.out.json {
        say("The schema has not changed by itself yet. What would change now: polity db dry-run");
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(["since", "state", "change", "by", "id"]);
    for mutation in mutations {
        table.row([
            time(mutation["since_ms"].as_u64().unwrap_or_default()),
            state(mutation),
            text(&mutation["summary"]),
            text(&mutation["strategy"]),
            text(&mutation["id"]),
        ]);
    }
    context.out.show(&answer, |out| write_table(out, &table))?;
    if !context.out.json {
        say("\nWhy: polity db history ID. Undo one: polity db revert ID");
    }
    Ok(Exit::Ok)
}

/// What was kept and taken back later is not there any more.
fn state(mutation: &Value) -> String {
    if mutation["taken_back_by"].is_string() {
        "undone".to_owned()
    } else {
        text(&mutation["state"])
    }
}

fn text(value: &Value) -> String {
    one_line(value.as_str().unwrap_or_default())
}
