//! `polity test`: tries the cases that were recorded for tables and workflows. Needs no host.

use clap::Args;
use polity_constitution::ProtocolKind;
use serde_json::json;

use super::Context;
use super::decide::load;
use super::exit::Exit;
use super::out::say;
use super::report::Report;
use super::text::{count, one_line};

/// Try the recorded cases of all tables and workflows; needs no running host.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity test                            all cases of the company of this folder
  polity test refund-dispute --json")]
#[command(
    after_help = "Cases lie beside their protocol: decisions/NAME.cases.json, workflows/NAME.cases.json. Ends with 1 if one fails."
)]
pub(crate) struct TestArgs {
    /// Only the cases of this table or workflow.
    protocol: Option<String>,
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
    if let Some(name) = &args.protocol {
        if constitution.table(name).is_none() && constitution.workflow(name).is_none() {
            return Err(Report::new(format!(
                "there is no table and no workflow {name}"
            )));
        }
        tried.retain(|case| case.protocol == *name);
    }
    let failed = tried.iter().filter(|case| !case.passed).count();
    let told = json!({ "version": constitution.version(), "failed": failed, "cases": tried });
    context.out.show(&told, |out| {
        for case in &tried {
            let word = if case.passed { "ok    " } else { "FAILED" };
            let kind = match case.kind {
                ProtocolKind::Workflow => "workflow ",
                _ => "",
            };
            let (protocol, name) = (&case.protocol, one_line(&case.name));
            writeln!(out, "{word} {kind}{protocol}: {name}")?;
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
