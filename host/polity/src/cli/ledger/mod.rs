//! `polity ledger`: what happened, read from the running host or, where none runs, from the folder itself.

mod export;
mod source;
mod tail;
mod verify;

use clap::{Args, Subcommand};

use super::Context;
use super::exit::Exit;
use super::report::Report;

/// Read, verify and export the ledger: everything that happened, in order.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity ledger tail -n 50
  polity ledger verify
  polity ledger export -o ledger.ndjson")]
pub(crate) struct LedgerArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Tail(tail::TailArgs),
    Verify(verify::VerifyArgs),
    Export(export::ExportArgs),
}

pub(crate) async fn run(args: &LedgerArgs, context: &Context) -> Result<Exit, Report> {
    match &args.command {
        Command::Tail(args) => tail::run(args, context).await,
        Command::Verify(args) => verify::run(args, context).await,
        Command::Export(args) => export::run(args, context).await,
    }
}
