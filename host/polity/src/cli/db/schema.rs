//! `polity db schema`: which collections there are, and what is in one.

use std::io::{self, Write};

use clap::Args;
use serde_json::Value;

use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::rows;
use crate::cli::out::{say, write_table};
use crate::cli::report::Report;
use crate::cli::table::Table;

/// List the collections, or describe one.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity db schema
  polity db schema orders")]
pub(crate) struct SchemaArgs {
    /// The collection to describe.
    collection: Option<String>,
}

pub(super) async fn run(args: &SchemaArgs, context: &Context) -> Result<Exit, Report> {
    let host = context.host()?;
    if let Some(name) = &args.collection {
        let answer = host.get(&["api", "collections", name], &[]).await?;
        context.out.show(&answer, |out| describe(out, &answer))?;
        return Ok(Exit::Ok);
    }
    let answer = host.get(&["api", "collections"], &[]).await?;
    let collections = rows(&answer);
    if collections.is_empty() && !context.out.json {
        say("There are no records yet. Insert some: polity db insert orders '{\"total\": 5}'");
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(["collection", ">rows", ">fields", ">indexes", ">rollups"]);
    for found in collections {
        let many = |name: &str| found[name].as_array().map_or(0, Vec::len).to_string();
        table.row([
            text(&found["name"]),
            found["rows"].to_string(),
            many("fields"),
            many("indexes"),
            many("rollups"),
        ]);
    }
    context.out.show(&answer, |out| write_table(out, &table))?;
    Ok(Exit::Ok)
}

fn describe(out: &mut dyn Write, found: &Value) -> io::Result<()> {
    let list = |name: &str| found[name].as_array().cloned().unwrap_or_default();
    let mut fields = Table::new(["field", "type", "state", "required"]);
    for field in list("fields") {
        let required = if field["required"] == true { "yes" } else { "" };
        fields.row([
            text(&field["name"]),
            text(&field["type"]),
            text(&field["state"]),
            required.to_owned(),
        ]);
    }
    write_table(out, &fields)?;
    if !list("indexes").is_empty() {
        writeln!(out)?;
        let mut indexes = Table::new(["index", "on", "state"]);
        for index in list("indexes") {
            let on: Vec<String> = index["fields"]
                .as_array()
                .into_iter()
                .flatten()
                .map(text)
                .collect();
            indexes.row([text(&index["name"]), on.join(", "), text(&index["state"])]);
        }
        write_table(out, &indexes)?;
    }
    for rollup in list("rollups") {
        writeln!(out, "\nrollup  {}", text(&rollup))?;
    }
    Ok(())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
