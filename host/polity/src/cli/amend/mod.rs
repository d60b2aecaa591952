//! `polity amend`: how the constitution is changed by vote.
//!
//! An amendment is written in a folder of its own, a branch checked out beside the one that is in force, so that an edit
//! changes nothing until people have agreed and it is merged. Writing and comparing need no host; voting and merging are
//! the host's.

mod answer;
mod diff;
mod draft;
mod list;
mod new;
mod show;
mod simulate;
mod steps;
mod submit;

use clap::{Args, Subcommand};

use super::Context;
use super::exit::Exit;
use super::report::Report;

/// Change the rules by vote: propose, compare, simulate, vote, merge.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity amend new 'Raise the refund limit'
  polity amend diff raise-the-refund-limit
  polity amend submit raise-the-refund-limit --why 'most are granted anyway'
  polity amend approve raise-the-refund-limit --note 'agreed'
  polity amend merge raise-the-refund-limit")]
pub(crate) struct AmendArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(new::NewArgs),
    Diff(diff::DiffArgs),
    Simulate(simulate::SimulateArgs),
    Submit(submit::SubmitArgs),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Comment(steps::CommentArgs),
    Approve(steps::ApproveArgs),
    Reject(steps::RejectArgs),
    Merge(steps::MergeArgs),
    Revert(steps::RevertArgs),
    Withdraw(steps::WithdrawArgs),
}

pub(crate) async fn run(args: &AmendArgs, context: &Context) -> Result<Exit, Report> {
    match &args.command {
        Command::New(args) => new::run(args, context),
        Command::Diff(args) => diff::run(args, context).await,
        Command::Simulate(args) => simulate::run(args, context).await,
        Command::Submit(args) => submit::run(args, context).await,
        Command::List(args) => list::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
        Command::Comment(args) => args.run(context).await,
        Command::Approve(args) => args.run(context).await,
        Command::Reject(args) => args.run(context).await,
        Command::Merge(args) => args.run(context).await,
        Command::Revert(args) => args.run(context).await,
        Command::Withdraw(args) => args.run(context).await,
    }
}
