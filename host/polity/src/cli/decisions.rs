//! `polity decisions`: what was decided lately.

use clap::{Args, ValueEnum};
use polity_kernel::Decision;

use super::Context;
use super::act::word;
use super::exit::Exit;
use super::host::{read_list, rows};
use super::out::{say, write_table};
use super::report::Report;
use super::table::Table;
use super::text::time;

/// List decisions, newest first.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity decisions
  polity decisions --outcome deny --kind 'refund.*' -n 50
  polity decisions --actor agent:assistant --json")]
pub(crate) struct DecisionsArgs {
    /// Of these kinds of action: `refund.approve`, `refund.*`.
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,

    /// Of this actor.
    #[arg(long, value_name = "ACTOR")]
    actor: Option<String>,

    /// With this outcome.
    #[arg(long, value_enum)]
    outcome: Option<Outcome>,

    /// How many at most.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Outcome {
    Allow,
    Amend,
    Escalate,
    Deny,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Amend => "amend",
            Self::Escalate => "escalate",
            Self::Deny => "deny",
        }
    }
}

pub(crate) async fn run(args: &DecisionsArgs, context: &Context) -> Result<Exit, Report> {
    let mut query = vec![("limit", args.limit.to_string())];
    query.extend(args.kind.clone().map(|kind| ("kind", kind)));
    query.extend(args.actor.clone().map(|actor| ("actor", actor)));
    query.extend(
        args.outcome
            .map(|outcome| ("outcome", outcome.name().to_owned())),
    );
    let answer = context.host()?.get(&["api", "decisions"], &query).await?;
    let decisions: Vec<Decision> = read_list(&answer)?;
    let mut table = Table::new(["when", "outcome", "action", "actor", "reason", "decision"]);
    for decision in &decisions {
        table.row([
            time(decision.at_ms),
            word(decision.outcome).to_owned(),
            decision.kind.clone(),
            decision.actor.clone(),
            decision.reason.clone(),
            decision.id.to_string(),
        ]);
    }
    if rows(&answer).is_empty() && !context.out.json {
        say("No decisions yet. Make one: polity act refund.approve --input '{\"amount\": 5}'");
        return Ok(Exit::Ok);
    }
    context.out.show(&answer, |out| write_table(out, &table))?;
    Ok(Exit::Ok)
}
