//! `polity halt` and `polity resume`: the emergency stop, and its end.

use clap::Args;
use serde_json::{Value, json};

use super::Context;
use super::exit::Exit;
use super::out::{say, write_table};
use super::report::Report;
use super::table::Table;
use super::text::{one_line, time};

/// Stop kinds of action at once: nothing of these kinds begins until it is resumed.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity halt 'refund.*' --reason 'refunds are paid twice'
  polity halt '*' --reason 'intruder'    everything
  polity halt                            list what is stopped")]
pub(crate) struct HaltArgs {
    /// Kinds of action: '*', 'refund.*' or refund.approve [default: list what is stopped].
    pattern: Option<String>,

    /// Why, for everybody who runs into it.
    #[arg(short, long, requires = "pattern")]
    reason: Option<String>,
}

/// Let kinds of action happen again that were stopped.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity resume 'refund.*'")]
pub(crate) struct ResumeArgs {
    /// The pattern, as it was stopped.
    pattern: String,
}

pub(crate) async fn run(args: &HaltArgs, context: &Context) -> Result<Exit, Report> {
    let host = context.host()?;
    let Some(pattern) = &args.pattern else {
        let answer = host.get(&["api", "halts"], &[]).await?;
        let halts = answer.as_array().map(Vec::as_slice).unwrap_or_default();
        if halts.is_empty() && !context.out.json {
            say("Nothing is stopped.");
            return Ok(Exit::Ok);
        }
        let mut table = Table::new(["stopped", "by", "since", "why"]);
        for halt in halts {
            table.row([
                text(halt, "pattern"),
                text(halt, "by"),
                time(halt["at_ms"].as_u64().unwrap_or_default()),
                text(halt, "reason"),
            ]);
        }
        context.out.show(&answer, |out| write_table(out, &table))?;
        return Ok(Exit::Ok);
    };
    let reason = args.reason.as_deref().unwrap_or_default();
    if reason.trim().is_empty() {
        return Err(Report::usage("a stop needs a reason").hint("add --reason 'why'"));
    }
    let body = json!({ "pattern": pattern, "reason": reason });
    let answer = host.post(&["api", "halts"], &body).await?;
    context.out.show(&answer, |out| {
        writeln!(out, "stopped: {}", text(&answer, "pattern"))
    })?;
    if !context.out.json {
        say(format_args!("To go on: polity resume '{pattern}'"));
    }
    Ok(Exit::Ok)
}

pub(crate) async fn resume(args: &ResumeArgs, context: &Context) -> Result<Exit, Report> {
    let path = ["api", "halts", args.pattern.as_str()];
    let answer = context.host()?.delete(&path).await?;
    context.out.show(&answer, |out| {
        writeln!(out, "resumed: {}", text(&answer, "pattern"))
    })?;
    Ok(Exit::Ok)
}

fn text(halt: &Value, name: &str) -> String {
    one_line(halt[name].as_str().unwrap_or_default())
}
