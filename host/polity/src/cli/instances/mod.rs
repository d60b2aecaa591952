//! `polity instances`: runs of workflows.

mod cancel;
mod list;
mod show;

use clap::{Args, Subcommand};

use super::Context;
use super::exit::Exit;
use super::report::Report;

/// See and cancel runs of workflows.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity instances list
  polity instances show ID
  polity instances cancel ID --reason 'ordered twice'")]
pub(crate) struct InstancesArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Cancel(cancel::CancelArgs),
}

pub(crate) async fn run(args: &InstancesArgs, context: &Context) -> Result<Exit, Report> {
    match &args.command {
        Command::List(args) => list::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
        Command::Cancel(args) => cancel::run(args, context).await,
    }
}
