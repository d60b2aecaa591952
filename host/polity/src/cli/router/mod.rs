//! `polity router`: what the router has learned, and training it.

mod stats;
mod train;

use clap::{Args, Subcommand};

use super::Context;
use super::exit::Exit;
use super::report::Report;

/// See what the router has learned, and train it.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity router stats
  polity router train
  polity router train scores.jsonl")]
pub(crate) struct RouterArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Stats(stats::StatsArgs),
    Train(train::TrainArgs),
}

pub(crate) async fn run(args: &RouterArgs, context: &Context) -> Result<Exit, Report> {
    match &args.command {
        Command::Stats(args) => stats::run(args, context).await,
        Command::Train(args) => train::run(args, context).await,
    }
}
