//! `polity amend diff`: what an amendment changes, by meaning.

use clap::Args;
use polity_amend::compare;
use serde_json::{Value, json};

use super::draft;
use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::out::say;
use crate::cli::report::Report;
use crate::cli::text::clean;

/// Show what an amendment changes: which inputs get another answer, who may do more.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity amend diff
  polity amend diff raise-the-refund-limit --json
  polity amend diff --branch my-branch")]
#[command(
    after_help = "Needs no running host; where one runs, it asks the rules as well and shows actions whose outcome changes."
)]
pub(crate) struct DiffArgs {
    /// The amendment [default: the only one that is being written here]
    name: Option<String>,

    /// A branch instead, of any name.
    #[arg(long, conflicts_with = "name")]
    branch: Option<String>,
}

pub(super) async fn run(args: &DiffArgs, context: &Context) -> Result<Exit, Report> {
    let (_, pair) = draft::pair(context, args.name.as_deref(), args.branch.as_deref())?;
    let asked = ask_host(context, &pair, 0).await;
    let (comparison, text) = match &asked {
        Ok(preview) => (
            preview["comparison"].clone(),
            crate::cli::host::read::<polity_amend::Comparison>(&preview["comparison"])?.to_string(),
        ),
        Err(_) => {
            let comparison = compare(&pair.before, &pair.after);
            (json!(comparison), comparison.to_string())
        }
    };
    context
        .out
        .show(&comparison, |out| write!(out, "{}", clean(&text)))?;
    if let Err(why) = asked {
        say(format_args!(
            "The rules were not asked, only compared: {why}."
        ));
    }
    Ok(Exit::Ok)
}

/// What a running host makes of the proposal.
pub(super) async fn ask_host(
    context: &Context,
    pair: &draft::Pair,
    decisions: u64,
) -> Result<Value, Report> {
    let host = context.host()?;
    let documents: serde_json::Map<String, Value> = pair
        .after
        .sources()
        .iter()
        .map(|(path, text)| (path.to_owned(), text.into()))
        .collect();
    let body = json!({ "documents": documents, "decisions": decisions });
    host.post(&["api", "amendments", "preview"], &body).await
}
