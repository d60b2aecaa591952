//! `polity inbox list`.

use clap::{Args, ValueEnum};
use polity_inbox::{Item, State};
use polity_ledger::{Clock as _, SystemClock};

use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::{read_list, rows};
use crate::cli::out::{say, write_table};
use crate::cli::report::Report;
use crate::cli::table::Table;
use crate::cli::text::relative;

/// List what waits for a person, the most urgent first.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity inbox list
  polity inbox list --mine
  polity inbox list --state all --json")]
pub(crate) struct ListArgs {
    /// Which items.
    #[arg(long, value_enum, default_value_t = Which::Open)]
    state: Which,

    /// Only those that you may decide.
    #[arg(long)]
    mine: bool,

    /// Only those that this role decides.
    #[arg(long)]
    role: Option<String>,

    /// Only of this kind.
    #[arg(long)]
    kind: Option<String>,

    /// How many at most.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    /// What waits.
    Open,
    /// What was decided or has expired.
    Closed,
    /// Both.
    All,
}

pub(super) async fn run(args: &ListArgs, context: &Context) -> Result<Exit, Report> {
    let which = match args.state {
        Which::Open => "open",
        Which::Closed => "closed",
        Which::All => "all",
    };
    let mut query = vec![
        ("state", which.to_owned()),
        ("limit", args.limit.to_string()),
    ];
    query.extend(args.mine.then(|| ("mine", "true".to_owned())));
    query.extend(args.role.clone().map(|role| ("role", role)));
    query.extend(args.kind.clone().map(|kind| ("kind", kind)));
    let answer = context.host()?.get(&["api", "inbox"], &query).await?;
    let items: Vec<Item> = read_list(&answer)?;
    let now_ms = SystemClock.now_ms();
    let mut table = Table::new(["item", "title", "state", "role", "from", "due"]);
    for item in items {
        table.row([
            item.id.to_string(),
            item.title,
            state(&item.state).to_owned(),
            item.role,
            item.requested_by,
            item.due_at_ms
                .map(|due| relative(due, now_ms))
                .unwrap_or_default(),
        ]);
    }
    if rows(&answer).is_empty() && !context.out.json {
        say("Nothing waits for a person.");
        return Ok(Exit::Ok);
    }
    context.out.show(&answer, |out| write_table(out, &table))?;
    Ok(Exit::Ok)
}

fn state(state: &State) -> &'static str {
    match state {
        State::Open => "open",
        State::Decided(decision) => match decision.answer.kind() {
            polity_inbox::AnswerKind::Accept => "accepted",
            polity_inbox::AnswerKind::Edit => "edited",
            polity_inbox::AnswerKind::Respond => "answered",
            polity_inbox::AnswerKind::Reject => "rejected",
        },
        State::Expired { .. } => "expired",
        State::Withdrawn { .. } => "withdrawn",
    }
}
