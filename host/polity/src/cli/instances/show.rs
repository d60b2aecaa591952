//! `polity instances show`.

use clap::Args;
use polity_kernel::InstanceView;

use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::read;
use crate::cli::report::Report;
use crate::cli::run::{suggest, tell};

/// Show a run: where it is, what it waits for, what it came to.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity instances show ID
  polity instances show ID --json")]
pub(crate) struct ShowArgs {
    /// The run's id.
    id: String,
}

pub(super) async fn run(args: &ShowArgs, context: &Context) -> Result<Exit, Report> {
    let path = ["api", "instances", args.id.as_str()];
    let answer = context.host()?.get(&path, &[]).await?;
    let instance: InstanceView = read(&answer)?;
    context.out.show(&answer, |out| tell(out, &instance))?;
    if !context.out.json {
        suggest(&instance);
    }
    Ok(Exit::Ok)
}
