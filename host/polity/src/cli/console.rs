//! `polity console`: the way from the command line into the browser.

use clap::Args;
use serde_json::{Value, json};

use super::Context;
use super::exit::Exit;
use super::out::say;
use super::report::Report;
use super::text::{clean, duration};

/// Print a link that opens the console once.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity console
  xdg-open \"$(polity console)\"")]
pub(crate) struct ConsoleArgs {}

pub(crate) async fn run(_args: &ConsoleArgs, context: &Context) -> Result<Exit, Report> {
    let host = context.host()?;
    let answer = host.post(&["api", "console-links"], &Value::Null).await?;
    let url = format!(
        "{}{}",
        host.url(),
        answer["path"].as_str().unwrap_or_default()
    );
    context.out.show(
        &json!({"url": url, "expires_in_ms": answer["expires_in_ms"]}),
        |out| writeln!(out, "{}", clean(&url)),
    )?;
    if let Some(ms) = answer["expires_in_ms"].as_u64() {
        say(format_args!("It opens once, within {}.", duration(ms)));
    }
    Ok(Exit::Ok)
}
