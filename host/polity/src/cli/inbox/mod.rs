//! `polity inbox`: what waits for a person, and the person's answer.

mod answer;
mod list;
mod show;

use clap::{Args, Subcommand};

use super::Context;
use super::exit::Exit;
use super::report::Report;

/// See and decide what waits for a person.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity inbox list
  polity inbox show ID
  polity inbox accept ID --note 'checked with the customer'")]
pub(crate) struct InboxArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Accept(answer::AcceptArgs),
    Edit(answer::EditArgs),
    Respond(answer::RespondArgs),
    Reject(answer::RejectArgs),
}

pub(crate) async fn run(args: &InboxArgs, context: &Context) -> Result<Exit, Report> {
    match &args.command {
        Command::List(args) => list::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
        Command::Accept(args) => args.run(context).await,
        Command::Edit(args) => args.run(context).await,
        Command::Respond(args) => args.run(context).await,
        Command::Reject(args) => args.run(context).await,
    }
}
