//! The steps from the vote to the end: comment, approve, reject, merge, revert, withdraw.

use clap::Args;
use polity_repository::Repository;
use serde_json::{Value, json};

use super::{answer, draft};
use crate::cli::Context;
use crate::cli::argument;
use crate::cli::exit::Exit;
use crate::cli::out::say;
use crate::cli::report::Report;

/// Say something about an amendment.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity amend comment raise-the-refund-limit 'Why not 80?'")]
pub(crate) struct CommentArgs {
    /// The amendment, as `polity amend list` shows it.
    name: String,

    /// The words; @FILE reads a file, - standard input.
    text: String,
}

/// Vote for an amendment.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity amend approve raise-the-refund-limit --note 'agreed in the meeting'")]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    vote: Vote,
}

/// Vote against an amendment.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity amend reject raise-the-refund-limit --note 'too much for an agent'")]
pub(crate) struct RejectArgs {
    #[command(flatten)]
    vote: Vote,
}

#[derive(Args, Debug)]
struct Vote {
    /// The amendment, as `polity amend list` shows it.
    name: String,

    /// Why, in a sentence: everybody reads it, and the ledger keeps it.
    #[arg(long, value_name = "TEXT")]
    note: String,
}

/// Put an amendment that enough people have agreed on in force.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity amend merge raise-the-refund-limit")]
#[command(after_help = "Ends with 4 where votes are missing.")]
pub(crate) struct MergeArgs {
    /// The amendment, as `polity amend list` shows it.
    name: String,
}

/// Propose to take a merged amendment back; that is voted on too.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity amend revert raise-the-refund-limit --why 'it was too much'")]
pub(crate) struct RevertArgs {
    /// The amendment, as `polity amend list` shows it.
    name: String,

    /// Why.
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
}

/// Withdraw an amendment of your own.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity amend withdraw raise-the-refund-limit --why 'not needed any more'")]
pub(crate) struct WithdrawArgs {
    /// The amendment, as `polity amend list` shows it.
    name: String,

    /// Why.
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
}

impl CommentArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Report> {
        let text = argument::text("the comment", &self.text)?;
        step(context, &self.name, "comments", &json!({ "text": text }))
            .await
            .map(|_| Exit::Ok)
    }
}

impl ApproveArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Report> {
        self.vote.give(context, "accept").await
    }
}

impl RejectArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Report> {
        self.vote.give(context, "reject").await
    }
}

impl Vote {
    /// To the proposal as it is now; the host refuses it where that has changed in between.
    async fn give(&self, context: &Context, vote: &str) -> Result<Exit, Report> {
        let seen = context
            .host()?
            .get(&["api", "amendments", &self.name], &[])
            .await?;
        let body =
            json!({ "vote": vote, "note": self.note, "seen_digest": seen["proposal_digest"] });
        step(context, &self.name, "votes", &body)
            .await
            .map(|_| Exit::Ok)
    }
}

impl MergeArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Report> {
        step(context, &self.name, "merge", &Value::Null).await?;
        say("It is in force.");
        tidy(context, &self.name);
        Ok(Exit::Ok)
    }
}

impl RevertArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Report> {
        let told = step(context, &self.name, "revert", &json!({ "why": self.why })).await?;
        let name = told["name"].as_str().unwrap_or_default();
        say(format_args!(
            "It is put to the vote: polity amend approve {name} --note '…'"
        ));
        Ok(Exit::Ok)
    }
}

impl WithdrawArgs {
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Report> {
        step(context, &self.name, "withdraw", &json!({ "why": self.why }))
            .await
            .map(|_| Exit::Ok)
    }
}

async fn step(context: &Context, name: &str, step: &str, body: &Value) -> Result<Value, Report> {
    let told = context
        .host()?
        .post(&["api", "amendments", name, step], body)
        .await?;
    answer::show(context, &told)?;
    Ok(told)
}

/// What was merged needs no folder of its own any more. Where it cannot be taken away it harms nobody.
fn tidy(context: &Context, name: &str) {
    let Ok(place) = context.common.place.resolve() else {
        return;
    };
    if let Ok(Some(draft)) = draft::find(&place, Some(name))
        && let Ok(repository) = Repository::of_folder(&place.company)
        && repository.remove_worktree(&draft.files).is_ok()
    {
        let _ = std::fs::remove_file(draft::title_file(&place, name));
    }
}
