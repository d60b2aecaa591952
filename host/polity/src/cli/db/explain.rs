//! `polity db explain`: how a statement would run.

use clap::Args;
use serde_json::json;

use crate::cli::Context;
use crate::cli::argument::text;
use crate::cli::exit::Exit;
use crate::cli::report::Report;
use crate::cli::text::clean;

/// Show the plan of a statement without running it.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity db explain 'SELECT * FROM orders WHERE customer = $1'
  polity db explain @report.sql --json")]
pub(crate) struct ExplainArgs {
    /// One statement; @FILE reads a file, - standard input.
    sql: String,
}

pub(super) async fn run(args: &ExplainArgs, context: &Context) -> Result<Exit, Report> {
    let request = json!({ "sql": text("the statement", &args.sql)? });
    let plan = context
        .host()?
        .post(&["api", "query", "explain"], &request)
        .await?;
    context.out.show(&plan, |out| {
        let text = plan["text"].as_str().unwrap_or_default();
        writeln!(out, "{}", clean(text))
    })?;
    Ok(Exit::Ok)
}
