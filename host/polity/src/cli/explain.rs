//! `polity explain`: the whole story of a decision in words.

use clap::Args;
use serde_json::{Value, json};

use super::Context;
use super::exit::Exit;
use super::host::rows;
use super::out::say;
use super::report::Report;
use super::text::clean;

/// Tell the whole story of a decision, a run, or a change of the records' schema.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity explain               the newest decision
  polity explain ID
  polity explain --replay      and judge it again: it has to come out the same
  polity explain --json")]
pub(crate) struct ExplainArgs {
    /// The id of a decision, a run or a change of the schema [default: the newest decision].
    id: Option<String>,

    /// Judge it again: the same action, rules and constitution; changes nothing and records nothing.
    #[arg(long)]
    replay: bool,
}

pub(crate) async fn run(args: &ExplainArgs, context: &Context) -> Result<Exit, Report> {
    let host = context.host()?;
    let id = match &args.id {
        Some(id) => id.clone(),
        None => {
            let newest = host
                .get(&["api", "decisions"], &[("limit", "1".to_owned())])
                .await?;
            let id = rows(&newest)
                .first()
                .and_then(|decision| decision["id"].as_str())
                .map(str::to_owned);
            id.ok_or_else(|| {
                Report::new("nothing has been decided yet")
                    .hint("make a decision: polity act refund.approve --input '{\"amount\": 5}'")
            })?
        }
    };
    if args.replay {
        let replay = host.get(&["api", "decisions", &id, "replay"], &[]).await?;
        return replayed(&replay, context);
    }
    let answer = match host.get(&["api", "decisions", &id, "story"], &[]).await {
        Ok(answer) => answer,
        // A run and a change of the records' schema have a story too.
        Err(report) => match host.get(&["api", "instances", &id, "story"], &[]).await {
            Ok(answer) => answer,
            Err(_) => match host.get(&["api", "mutations", &id], &[]).await {
                Ok(mutation) => json!({ "text": mutation["story"], "story": mutation }),
                Err(_) => return Err(report),
            },
        },
    };
    let text = answer["text"].as_str().unwrap_or_default();
    context.out.show(&answer["story"], |out| {
        writeln!(out, "{}", clean(text.trim_end()))
    })?;
    if args.id.is_none() && !context.out.json {
        say(format_args!("\nOlder ones: polity decisions"));
    }
    Ok(Exit::Ok)
}

fn replayed(replay: &Value, context: &Context) -> Result<Exit, Report> {
    let same = replay["same"] == true;
    let word = |field: &str| replay[field].as_str().unwrap_or("unknown").to_owned();
    let sentences = |field: &str| -> Vec<String> {
        replay[field]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(clean)
            .collect()
    };
    context.out.show(replay, |out| {
        if same {
            return writeln!(
                out,
                "same: {} then, {} now, to the last unit of fuel",
                word("then"),
                word("now")
            );
        }
        writeln!(
            out,
            "not the same: {} then, {} now",
            word("then"),
            word("now")
        )?;
        for difference in sentences("differences") {
            writeln!(out, "  differs: {difference}")?;
        }
        for missing in sentences("missing") {
            writeln!(out, "  missing: {missing}")?;
        }
        Ok(())
    })?;
    Ok(if same { Exit::Ok } else { Exit::Failure })
}
