//! `polity db revert`: a change of the schema is taken back.

use clap::Args;
use serde_json::Value;

use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::report::Report;
use crate::cli::text::one_line;

/// Take a change of the schema back; no record is lost either way.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity db history
  polity db revert ID")]
pub(crate) struct RevertArgs {
    /// The change's id, as `polity db history` shows it.
    id: String,
}

pub(super) async fn run(args: &RevertArgs, context: &Context) -> Result<Exit, Report> {
    let path = ["api", "mutations", &args.id, "revert"];
    let answer = context.host()?.post(&path, &Value::Null).await?;
    let said = |name: &str| one_line(answer[name].as_str().unwrap_or_default());
    context.out.show(&answer, |out| {
        if answer["taken_back_by"].is_string() {
            writeln!(out, "{} was undone.", said("summary"))
        } else {
            writeln!(out, "{} {}.", said("summary"), said("words"))
        }
    })?;
    Ok(Exit::Ok)
}
