//! `polity plugin list`.

use clap::Args;

use super::view::{View, short};
use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::read_list;
use crate::cli::out::{say, write_table};
use crate::cli::report::Report;
use crate::cli::table::Table;

/// List the plugins and how each one stands.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity plugin list
  polity plugin list --json")]
pub(crate) struct ListArgs {}

pub(super) async fn run(_args: &ListArgs, context: &Context) -> Result<Exit, Report> {
    let answer = context.host()?.get(&["api", "plugins"], &[]).await?;
    let plugins: Vec<View> = read_list(&answer)?;
    let mut table = Table::new([
        "plugin", "state", "kind", "version", "digest", ">calls", ">failed", "about",
    ]);
    for View {
        name,
        state,
        digest,
        reason,
        unmet,
        serving,
        ..
    } in &plugins
    {
        let serves = serving.as_ref();
        let about = match (reason, unmet.first()) {
            (Some(reason), _) => reason.clone(),
            (None, Some(first)) if state == "needs-credential" => first.fix.clone(),
            (None, Some(first)) => format!("waits for {}", first.reason()),
            (None, None) => serves
                .and_then(|serving| serving.summary.clone())
                .unwrap_or_default(),
        };
        table.row([
            name.clone(),
            state.clone(),
            serves
                .map(|serving| serving.world.clone())
                .unwrap_or_default(),
            serves
                .and_then(|serving| serving.version.clone())
                .unwrap_or_default(),
            digest
                .as_deref()
                .or(serves.map(|serving| serving.digest.as_str()))
                .map(short)
                .unwrap_or_default()
                .to_owned(),
            serves
                .map(|serving| serving.stats.calls.to_string())
                .unwrap_or_default(),
            serves
                .map(|serving| serving.stats.failures.to_string())
                .unwrap_or_default(),
            about,
        ]);
    }
    if plugins.is_empty() && !context.out.json {
        say("There are no plugins. Install one: polity plugin install FILE");
        return Ok(Exit::Ok);
    }
    context.out.show(&answer, |out| write_table(out, &table))?;
    if let Some(waits) = plugins
        .iter()
        .find(|plugin| !plugin.unmet.is_empty() && !context.out.json)
    {
        say(format_args!(
            "\nWhat a plugin waits for: polity plugin grant {}",
            waits.name
        ));
    }
    Ok(Exit::Ok)
}
