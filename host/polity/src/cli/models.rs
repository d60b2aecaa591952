//! `polity models`: which models can be asked now.

use clap::Args;
use serde_json::Value;

use super::Context;
use super::exit::Exit;
use super::host::rows;
use super::out::{say, write_table};
use super::report::Report;
use super::table::Table;

/// List the models that can be asked now.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity models
  polity models --json")]
pub(crate) struct ModelsArgs {}

pub(crate) async fn run(_args: &ModelsArgs, context: &Context) -> Result<Exit, Report> {
    let answer = context.host()?.get(&["v1", "models"], &[]).await?;
    let models = rows(&answer);
    let mut table = Table::new(["model", "plugin", ">context", "can"]);
    for model in models {
        let more = &model["polity"];
        let abilities = more["abilities"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        table.row([
            text(&model["id"]),
            text(&model["owned_by"]),
            more["context_tokens"]
                .as_u64()
                .filter(|tokens| *tokens > 0)
                .map(|tokens| tokens.to_string())
                .unwrap_or_default(),
            abilities
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(", "),
        ]);
    }
    if models.is_empty() && !context.out.json {
        say("No adapter has a model to offer. See what the adapters wait for: polity plugin list");
        return Ok(Exit::Ok);
    }
    context.out.show(&answer, |out| write_table(out, &table))?;
    Ok(Exit::Ok)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
