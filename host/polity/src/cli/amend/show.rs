//! `polity amend show`.

use clap::Args;

use super::answer::tell;
use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::report::Report;

/// Show one amendment: what it changes, who has voted, what was said.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity amend show raise-the-refund-limit")]
pub(crate) struct ShowArgs {
    /// The amendment, as `polity amend list` shows it.
    name: String,
}

pub(super) async fn run(args: &ShowArgs, context: &Context) -> Result<Exit, Report> {
    let told = context
        .host()?
        .get(&["api", "amendments", &args.name], &[])
        .await?;
    context.out.show(&told, |out| tell(out, &told, true))?;
    Ok(Exit::Ok)
}
