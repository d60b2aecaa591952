//! `polity act`: puts an action before the rules and says what became of it.

use std::io::{self, Write};

use clap::Args;
use polity_constitution::OutcomeKind;
use polity_kernel::Decision;
use serde_json::json;

use super::Context;
use super::argument::json_object;
use super::exit::Exit;
use super::host::read;
use super::out::say;
use super::report::Report;
use super::text::one_line;

/// Submit an action: the rules judge it, the ledger records it.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity act refund.approve --input '{\"amount\": 120, \"currency\": \"EUR\"}'
  polity act post.publish --input @post.json --context '{\"site\": \"blog\"}'
  polity act refund.approve --json < refund.json --input -")]
pub(crate) struct ActArgs {
    /// What kind of action, for example `refund.approve`.
    kind: String,

    /// The action's own data, a JSON object; @FILE reads a file, - standard input.
    #[arg(short, long, value_name = "JSON", default_value = "{}")]
    input: String,

    /// What the rules should know of the situation, a JSON object; @FILE or - as well.
    #[arg(short, long, value_name = "JSON", default_value = "{}")]
    context: String,
}

pub(crate) async fn run(args: &ActArgs, context: &Context) -> Result<Exit, Report> {
    let request = json!({
        "kind": args.kind,
        "input": json_object("--input", &args.input)?,
        "context": json_object("--context", &args.context)?,
    });
    let answer = context.host()?.post(&["api", "actions"], &request).await?;
    let decision: Decision = read(&answer)?;
    context.out.show(&answer, |out| tell(out, &decision))?;
    if !context.out.json {
        suggest(&decision);
    }
    Ok(exit(decision.outcome))
}

/// How a command ends whose action was judged like this.
pub(super) fn exit(outcome: OutcomeKind) -> Exit {
    match outcome {
        OutcomeKind::Allow | OutcomeKind::Amend => Exit::Ok,
        OutcomeKind::Deny => Exit::Denied,
        OutcomeKind::Escalate => Exit::Waiting,
    }
}

/// An outcome as people read it.
pub(super) fn word(outcome: OutcomeKind) -> &'static str {
    match outcome {
        OutcomeKind::Allow => "allowed",
        OutcomeKind::Amend => "amended",
        OutcomeKind::Escalate => "escalated",
        OutcomeKind::Deny => "denied",
    }
}

fn tell(out: &mut dyn Write, decision: &Decision) -> io::Result<()> {
    writeln!(
        out,
        "{}: {}",
        word(decision.outcome),
        one_line(&decision.reason)
    )?;
    if let Some(amended) = &decision.amended_input {
        writeln!(out, "  input     {}", one_line(&amended.to_string()))?;
    }
    for item in &decision.inbox_items {
        writeln!(out, "  inbox     {item}")?;
    }
    writeln!(out, "  decision  {}", decision.id)
}

fn suggest(decision: &Decision) {
    match decision.inbox_items.first() {
        Some(item) => say(format_args!(
            "It waits for a person: polity inbox show {item}"
        )),
        None => say(format_args!(
            "The whole story: polity explain {}",
            decision.id
        )),
    }
}
