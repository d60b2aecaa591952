//! `polity plugin`: what runs, what may run, and what it is allowed.

mod check;
mod facts;
mod file;
mod grant;
mod inspect;
mod install;
mod keygen;
mod list;
mod pack;
mod remove;
mod rollback;
mod sign;
mod view;

use clap::{Args, Subcommand};

use super::Context;
use super::exit::Exit;
use super::report::Report;

/// Install, inspect, grant, roll back and remove plugins.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity plugin list
  polity plugin check refunds.wasm
  polity plugin install refunds.wasm --grant refunds.grant.toml
  polity plugin grant openai
  polity plugin rollback refunds")]
pub(crate) struct PluginArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::ListArgs),
    Inspect(inspect::InspectArgs),
    Check(check::CheckArgs),
    Install(install::InstallArgs),
    Grant(grant::GrantArgs),
    Rollback(rollback::RollbackArgs),
    Remove(remove::RemoveArgs),
    Pack(pack::PackArgs),
    Keygen(keygen::KeygenArgs),
    Sign(sign::SignArgs),
}

pub(crate) async fn run(args: &PluginArgs, context: &Context) -> Result<Exit, Report> {
    match &args.command {
        Command::List(args) => list::run(args, context).await,
        Command::Inspect(args) => inspect::run(args, context).await,
        Command::Check(args) => check::run(args, context),
        Command::Install(args) => install::run(args, context).await,
        Command::Grant(args) => grant::run(args, context).await,
        Command::Rollback(args) => rollback::run(args, context).await,
        Command::Remove(args) => remove::run(args, context).await,
        Command::Pack(args) => pack::run(args, context.out),
        Command::Keygen(args) => keygen::run(args, context.out),
        Command::Sign(args) => sign::run(args, context.out),
    }
}
