//! `polity ledger tail`: what happened last, and what happens now.

use std::io::{self, Write};

use clap::Args;
use serde_json::Value;

use super::source::{Source, Wanted};
use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::{Host, broken};
use crate::cli::out::{Out, width};
use crate::cli::report::Report;
use crate::cli::sse::Sse;
use crate::cli::table::fit;
use crate::cli::text::one_line;

/// Show the newest events; with -f, go on with what happens.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity ledger tail
  polity ledger tail -f --kind decision.made
  polity ledger tail -n 100 --subject plugin/spending-limit --json")]
pub(crate) struct TailArgs {
    /// How many events at most.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,

    /// Go on with what happens, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,

    /// Only of this kind: `plugin.loaded`.
    #[arg(long)]
    kind: Option<String>,

    /// Only about this: `plugin/spending-limit`, `decision/<id>`.
    #[arg(long)]
    subject: Option<String>,
}

pub(super) async fn run(args: &TailArgs, context: &Context) -> Result<Exit, Report> {
    let wanted = Wanted {
        subject: args.subject.clone(),
        kind: args.kind.clone(),
        limit: args.limit,
    };
    match Source::find(context)? {
        Source::Host(host) if args.follow => follow(&host, &wanted, context.out).await,
        Source::Folder(_) if args.follow => Err(Report::new("nothing happens here")
            .because("no host is running, so no event will follow")
            .hint("leave out -f, or start a host: polity up")),
        source => {
            for event in source.newest(&wanted).await? {
                context.out.stream(&event, |out| tell(out, &event))?;
            }
            Ok(Exit::Ok)
        }
    }
}

async fn follow(host: &Host, wanted: &Wanted, out: Out) -> Result<Exit, Report> {
    let mut response = host.events(&["api", "ledger"], &wanted.query()).await?;
    let mut stream = Sse::default();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
        for data in stream.feed(&chunk) {
            let event: Value = serde_json::from_str(&data).map_err(|error| {
                Report::new("the host's answer is not understood").because(error)
            })?;
            out.stream(&event, |out| tell(out, &event))?;
        }
    }
    Err(Report::new("the host has ended").hint("it will be followed again after: polity up"))
}

/// One event in one line: when, what, what it happened to, and what is short enough of the rest.
fn tell(out: &mut dyn Write, event: &Value) -> io::Result<()> {
    let text = |name: &str| one_line(event[name].as_str().unwrap_or_default());
    let seq = text("sequence");
    let seq = seq.trim_start_matches('0');
    let kind = text("type");
    let kind = kind.strip_prefix("dev.polity.").unwrap_or(&kind);
    let time = text("time").replace('T', " ");
    let line = format!(
        "{seq:>6}  {time}  {kind:<20}  {}{}",
        text("subject"),
        facts(&event["data"])
    );
    writeln!(
        out,
        "{}",
        width().map_or(line.clone(), |width| fit(&line, width))
    )
}

/// What is told of the data: the reason where there is one, with the kind of action that it is about, else the short
/// members that the line does not say already.
fn facts(data: &Value) -> String {
    if let Some(reason) = data["reason"].as_str() {
        let kind = data["kind"].as_str().map(|kind| format!("{kind}: "));
        return format!(
            "  {}",
            one_line(&format!("{}{reason}", kind.unwrap_or_default()))
        );
    }
    let mut facts = String::new();
    for (name, value) in data.as_object().into_iter().flatten() {
        let value = match value {
            _ if SAID_ALREADY.contains(&name.as_str()) || name.ends_with("_ms") => continue,
            Value::String(text) if !text.is_empty() && text.chars().count() <= 40 => one_line(text),
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            _ => continue,
        };
        facts.push_str(&format!("  {name}={value}"));
    }
    facts
}

/// Members that repeat the event's kind or subject.
const SAID_ALREADY: [&str; 6] = ["change", "generation", "id", "item", "kind", "name"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_one_harmless_line() {
        let event = json!({
            "sequence": "00000000000000000042", "time": "2023-11-14T22:13:20.123Z", "type": "dev.polity.plugin.loaded",
            "subject": "plugin/limit\u{1b}[2J", "data": {"took_us": 41, "long": "x".repeat(100), "name": "limit", "provenance": "a\nb"}
        });
        let mut line = Vec::new();
        tell(&mut line, &event).unwrap();
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "    42  2023-11-14 22:13:20.123Z  plugin.loaded         plugin/limit\\u{1b}[2J  provenance=a b  took_us=41\n"
        );
    }

    #[test]
    fn a_decision_is_told_by_its_reason() {
        let data = json!({"kind": "refund.approve", "outcome": "deny", "reason": "Denied:\nno"});
        assert_eq!(facts(&data), "  refund.approve: Denied: no");
    }
}
