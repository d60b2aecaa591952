//! `polity plugin remove`.

use clap::Args;
use serde_json::json;

use super::view;
use crate::cli::Context;
use crate::cli::confirm;
use crate::cli::exit::Exit;
use crate::cli::report::Report;

/// Take a plugin out of the running host; its grant file stays.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity plugin remove refunds
  polity plugin remove refunds --yes")]
pub(crate) struct RemoveArgs {
    /// The plugin's name.
    name: String,

    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
}

pub(super) async fn run(args: &RemoveArgs, context: &Context) -> Result<Exit, Report> {
    let name = &args.name;
    let question = format!(
        "{name} will serve no more. Actions that only it guards fall to the charter's defaults."
    );
    confirm::by_name(&question, name, args.yes)?;
    let host = context.host()?;
    view::find(&host, name).await?;
    host.delete(&["api", "plugins", name]).await?;
    context.out.show(&json!({"removed": name}), |out| {
        writeln!(
            out,
            "{name} is removed; polity plugin rollback {name} brings it back"
        )
    })?;
    Ok(Exit::Ok)
}
