//! `polity event`: sends an event that starts or wakes workflows.

use clap::Args;
use serde_json::json;

use super::Context;
use super::argument::json as json_argument;
use super::exit::Exit;
use super::report::Report;

/// Send an event: it starts the workflows that it triggers, and wakes those that wait for it.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity event com.example.order.paid --input '{\"order\": \"4711\"}'
  polity event com.example.order.paid --input @order.json --id order-4711")]
pub(crate) struct EventArgs {
    /// The type of the event.
    r#type: String,

    /// Its data, JSON; @FILE reads a file, - standard input.
    #[arg(short, long, value_name = "JSON", default_value = "{}")]
    input: String,

    /// Who sends it, a URI [default: your own actor].
    #[arg(long, value_name = "URI")]
    source: Option<String>,

    /// Its id: what has the source and id of an earlier event is taken for its repetition.
    #[arg(long)]
    id: Option<String>,
}

pub(crate) async fn run(args: &EventArgs, context: &Context) -> Result<Exit, Report> {
    let mut event = json!({
        "specversion": "1.0",
        "type": args.r#type,
        "data": json_argument("--input", &args.input)?,
    });
    for (name, value) in [("source", &args.source), ("id", &args.id)] {
        if let Some(value) = value {
            event[name] = value.as_str().into();
        }
    }
    let answer = context.host()?.post(&["api", "events"], &event).await?;
    let started = answer["started"].as_array().map(Vec::as_slice);
    let started = started.unwrap_or_default();
    context.out.show(&answer, |out| {
        if answer["new"] == false {
            return writeln!(out, "known: it came before, and is shown to nobody again");
        }
        for run in started {
            writeln!(out, "started {}", run.as_str().unwrap_or_default())?;
        }
        writeln!(out, "shown to {} that listen", answer["shown"])
    })?;
    Ok(Exit::Ok)
}
