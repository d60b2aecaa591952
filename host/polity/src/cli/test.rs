//! `polity test`: asks the tables the cases that were recorded for them. Needs no host.

use clap::Args;
use serde_json::json;

use super::Context;
use super::decide::load;
use super::exit::Exit;
use super::out::say;
use super::report::Report;
use super::text::{count, one_line};

/// Run the recorded cases of all decision tables; needs no running host.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity test                            all cases of the company of this folder
  polity test refund-dispute --json")]
#[command(
    after_help = "Cases lie beside their table: decisions/NAME.cases.json. Ends with 1 if one fails."
)]
pub(crate) struct TestArgs {
    /// Only the cases of this table.
    table: Option<String>,
}

pub(crate) fn run(args: &TestArgs, context: &Context) -> Result<Exit, Report> {
    let constitution = load(context)?;
    let place = context.common.place.resolve()?;
    let mut tried = constitution.try_cases(&place.company).map_err(|problems| {
        Report::new("the recorded cases cannot be used").because(
            problems
                .list
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n"),
        )
    })?;
    if let Some(table) = &args.table {
        if constitution.table(table).is_none() {
            return Err(Report::new(format!("there is no table {table}")));
        }
        tried.retain(|case| case.table == *table);
    }
    let failed = tried.iter().filter(|case| !case.passed).count();
    let told = json!({ "version": constitution.version(), "failed": failed, "cases": tried });
    context.out.show(&told, |out| {
        for case in &tried {
            let word = if case.passed { "ok    " } else { "FAILED" };
            writeln!(out, "{word} {}: {}", case.table, one_line(&case.name))?;
            if !case.passed {
                writeln!(out, "       at       {}:{}", case.file, case.line)?;
                writeln!(out, "       expected {}", one_line(&case.expected))?;
                writeln!(out, "       found    {}", one_line(&case.found))?;
            }
        }
        Ok(())
    })?;
    say(format_args!(
        "{}, {failed} failed",
        count(tried.len() as u64, "case")
    ));
    Ok(if failed == 0 { Exit::Ok } else { Exit::Failure })
}
