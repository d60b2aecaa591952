//! `polity plugin check`: would a host let this file serve? Needs no host.

use clap::Args;

use super::facts::{Facts, Verdict};
use super::file::{FileArgs, Neighbour, PluginFile, trust};
use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::progress;
use crate::cli::report::Report;

/// Check a plugin's file as an installation would, without changing anything; needs no running host.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity plugin check refunds.wasm
  polity plugin check openai.wasm --grant openai.grant.toml
  polity plugin check refunds.wasm --require-signed --json")]
#[command(
    after_help = "Ends with 0 if it would serve, 4 if it would wait for a grant, 1 if it would be refused."
)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    file: FileArgs,

    /// Refuse a file that nobody vouches for, whatever the charter says.
    #[arg(long)]
    require_signed: bool,
}

pub(super) fn run(args: &CheckArgs, context: &Context) -> Result<Exit, Report> {
    let file = PluginFile::read(&args.file, Neighbour::Taken)?;
    let trust = trust(context, args.require_signed)?;
    let spinner = progress::spinner("Compiling");
    let inspection = file.inspect(trust);
    spinner.finish_and_clear();
    let facts = Facts::of(&file.name, &file.wasm, &file.artifact).tried(&inspection?);
    context.out.show(&facts, |out| facts.tell(out))?;
    Ok(match facts.verdict() {
        Some(Verdict::Live) => Exit::Ok,
        Some(Verdict::Pending) => Exit::Waiting,
        Some(Verdict::Refused) | None => Exit::Failure,
    })
}
