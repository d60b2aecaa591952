//! `polity reload`: the constitution's folder, read now.

use clap::Args;
use serde_json::Value;

use super::Context;
use super::exit::Exit;
use super::report::Report;
use super::text::clean;

/// Read the constitution again, and say what is wrong with it.
///
/// A running host watches the folder, so this is for knowing what came of a change.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity reload
  polity reload --json")]
pub(crate) struct ReloadArgs {}

pub(crate) async fn run(_args: &ReloadArgs, context: &Context) -> Result<Exit, Report> {
    let host = context.host()?;
    let answer = host
        .post(&["api", "constitution", "reload"], &Value::Null)
        .await?;
    context.out.show(&answer, |out| {
        let digest = answer["constitution"]["digest"]
            .as_str()
            .unwrap_or_default();
        let version: String = digest.chars().take(12).collect();
        let rules = answer["constitution"]["bindings"]
            .as_array()
            .map_or(0, Vec::len);
        let news = if answer["changed"] == true {
            "Another constitution is in force"
        } else {
            "The constitution in force is what the folder holds"
        };
        writeln!(out, "{news}: {}, {rules} rules.", clean(&version))?;
        for later in answer["at_next_start"].as_array().into_iter().flatten() {
            let later = later.as_str().unwrap_or_default();
            writeln!(out, "Only after a restart: {}.", clean(later))?;
        }
        Ok(())
    })?;
    Ok(Exit::Ok)
}
