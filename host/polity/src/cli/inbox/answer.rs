//! The four answers to an item: accept, edit, respond, reject.
//!
//! Each one is given to the proposal as it is now; the host refuses it where the proposal has changed in between.

use clap::Args;
use polity_inbox::{Answer, Item};
use serde_json::json;

use crate::cli::Context;
use crate::cli::argument;
use crate::cli::exit::Exit;
use crate::cli::host::read;
use crate::cli::report::Report;
use crate::cli::text::one_line;

/// Say yes to the proposal as it is.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity inbox accept ID --note 'checked with the customer'")]
pub(crate) struct AcceptArgs {
    #[command(flatten)]
    given: Given,
}

/// Say yes to the proposal in another form.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity inbox edit ID --proposal '{\"amount\": 50}' --note 'half of it'
  polity inbox edit ID --proposal @proposal.json --note 'as agreed'")]
pub(crate) struct EditArgs {
    #[command(flatten)]
    given: Given,

    /// The proposal as it should be, JSON; @FILE reads a file, - standard input.
    #[arg(short, long, value_name = "JSON")]
    proposal: String,
}

/// Answer with words, neither yes nor no; whoever asked may ask again.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity inbox respond ID 'Ask the customer for the invoice first'")]
pub(crate) struct RespondArgs {
    /// The item's id, as `polity inbox list` shows it.
    id: String,

    /// The words; @FILE reads a file, - standard input.
    text: String,

    /// Why, where the words do not say it themselves.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// Say no.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity inbox reject ID --note 'out of warranty'")]
pub(crate) struct RejectArgs {
    #[command(flatten)]
    given: Given,
}

#[derive(Args, Debug)]
struct Given {
    /// The item's id, as `polity inbox list` shows it.
    id: String,

    /// Why, in a sentence: whoever asked reads it, and the ledger keeps it.
    #[arg(long, value_name = "TEXT")]
    note: String,
}

impl AcceptArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Report> {
        send(context, &self.given, Answer::Accept).await
    }
}

impl EditArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Report> {
        let proposal = argument::json("--proposal", &self.proposal)?;
        send(context, &self.given, Answer::Edit(proposal)).await
    }
}

impl RespondArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Report> {
        let text = argument::text("the response", &self.text)?;
        let note = self.note.clone().unwrap_or_else(|| text.clone());
        send(
            context,
            &Given {
                id: self.id.clone(),
                note,
            },
            Answer::Respond(text),
        )
        .await
    }
}

impl RejectArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Report> {
        send(context, &self.given, Answer::Reject).await
    }
}

async fn send(
    context: &Context,
    Given { id, note }: &Given,
    answer: Answer,
) -> Result<Exit, Report> {
    let host = context.host()?;
    let seen: Item = read(&host.get(&["api", "inbox", id], &[]).await?)?;
    let mut body = json!(answer);
    body["note"] = json!(note);
    body["seen_digest"] = json!(seen.proposal_digest);
    let decided = host.post(&["api", "inbox", id, "decision"], &body).await?;
    let item: Item = read(&decided)?;
    context.out.show(&decided, |out| {
        writeln!(
            out,
            "{}: {}",
            one_line(&item.title),
            one_line(&item.closing())
        )
    })?;
    Ok(Exit::Ok)
}
