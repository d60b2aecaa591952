//! `polity instances list`.

use clap::Args;
use polity_kernel::InstanceView;
use polity_ledger::{Clock as _, SystemClock};

use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::{read_list, rows};
use crate::cli::out::{say, write_table};
use crate::cli::report::Report;
use crate::cli::run::phase;
use crate::cli::table::Table;
use crate::cli::text::relative;

/// List runs of workflows, newest first.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity instances list
  polity instances list --open
  polity instances list --workflow refund-dispute --json")]
pub(crate) struct ListArgs {
    /// Only those that go on.
    #[arg(long)]
    open: bool,

    /// Only of this workflow.
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,

    /// How many at most.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
}

pub(super) async fn run(args: &ListArgs, context: &Context) -> Result<Exit, Report> {
    let mut query = vec![("limit", args.limit.to_string())];
    query.extend(args.open.then(|| ("open", "true".to_owned())));
    query.extend(args.workflow.clone().map(|name| ("workflow", name)));
    let answer = context.host()?.get(&["api", "instances"], &query).await?;
    let instances: Vec<InstanceView> = read_list(&answer)?;
    if rows(&answer).is_empty() && !context.out.json {
        say("No runs yet. Run one: polity run NAME --input '{}'");
        return Ok(Exit::Ok);
    }
    let now_ms = SystemClock.now_ms();
    let mut table = Table::new(["run", "workflow", "status", "by", "began", "waits for"]);
    for instance in &instances {
        let waits: Vec<String> = instance.waits.iter().map(ToString::to_string).collect();
        table.row([
            instance.id.to_string(),
            instance.workflow.clone(),
            phase(instance),
            instance.actor.clone(),
            relative(instance.started_ms, now_ms),
            waits.join("; "),
        ]);
    }
    context.out.show(&answer, |out| write_table(out, &table))?;
    Ok(Exit::Ok)
}
