//! `polity decide`: asks a decision table, and says which rows answered and why. Needs no host.

use clap::Args;
use polity_constitution::Constitution;
use serde_json::json;

use super::Context;
use super::argument::json_object;
use super::exit::Exit;
use super::report::Report;
use super::text::clean;

/// Ask a decision table, with the rows that answered and why; needs no running host and records nothing.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity decide refund-dispute --input @dispute.json
  polity decide expense-approval --json --input - < expense.json")]
#[command(
    after_help = "For an answer that is judged and on record, ask a host: POST /api/decide/TABLE."
)]
pub(crate) struct DecideArgs {
    /// The table, as its file in decisions/ is called.
    table: String,

    /// What the table is asked about, a JSON object; @FILE reads a file, - standard input.
    #[arg(short, long, value_name = "JSON")]
    input: String,
}

pub(crate) fn run(args: &DecideArgs, context: &Context) -> Result<Exit, Report> {
    let constitution = load(context)?;
    let input = json_object("--input", &args.input)?;
    let table = constitution.table(&args.table).ok_or_else(|| {
        let names: Vec<&str> = constitution
            .tables()
            .iter()
            .map(|table| table.table().name.as_str())
            .collect();
        Report::new(format!("there is no table {}", args.table)).hint(if names.is_empty() {
            "write one: decisions/NAME.json".to_owned()
        } else {
            format!("use one of {}", names.join(", "))
        })
    })?;
    let explanation = table
        .explain(&input)
        .map_err(|error| Report::new(format!("{} gives no answer", args.table)).because(error))?;
    let told = json!({
        "value": explanation.decision.value.to_json(),
        "version": constitution.version(),
        "trace": explanation,
    });
    context.out.show(&told, |out| {
        writeln!(out, "{}", clean(&explanation.to_string()))
    })?;
    Ok(Exit::Ok)
}

/// The company's documents, without a host.
pub(super) fn load(context: &Context) -> Result<Constitution, Report> {
    let place = context.common.place.resolve()?;
    Constitution::load(&place.company).map_err(|problems| {
        Report::new("the company's documents cannot be used")
            .because(problems)
            .hint("see all of it with its lines: polity lint")
    })
}
