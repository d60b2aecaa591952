//! `polity instances cancel`.

use clap::Args;
use polity_kernel::InstanceView;
use serde_json::json;

use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::read;
use crate::cli::report::Report;
use crate::cli::run::tell;

/// Cancel a run for good: what it has done stays done.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity instances cancel ID --reason 'ordered twice'")]
pub(crate) struct CancelArgs {
    /// The run's id.
    id: String,

    /// Why, for the ledger.
    #[arg(short, long)]
    reason: String,
}

pub(super) async fn run(args: &CancelArgs, context: &Context) -> Result<Exit, Report> {
    let path = ["api", "instances", args.id.as_str(), "cancel"];
    let body = json!({ "reason": args.reason });
    let answer = context.host()?.post(&path, &body).await?;
    let instance: InstanceView = read(&answer)?;
    context.out.show(&answer, |out| tell(out, &instance))?;
    Ok(Exit::Ok)
}
