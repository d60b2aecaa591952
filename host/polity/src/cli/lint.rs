//! `polity lint`: what the company's documents contradict, leave open or say twice. Needs no host.

use std::io::{self, IsTerminal};

use clap::Args;
use polity_constitution::{Checked, lint_with};
use polity_lint::{Report as Findings, Severity, render};

use super::Context;
use super::exit::Exit;
use super::out::say;
use super::policies;
use super::report::Report;
use super::text::count;

/// Check tables, workflows and rules for contradictions, gaps and redundancies; needs no running host.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity lint                            check the company of this folder
  polity lint --company my-company --json
  polity lint --sarif > lint.sarif       for a code host to show in place")]
#[command(after_help = "Ends with 1 if anything found is an error, else with 0.")]
pub(crate) struct LintArgs {
    /// Print the findings as SARIF.
    #[arg(long, conflicts_with = "markdown")]
    sarif: bool,

    /// Print the findings as Markdown.
    #[arg(long)]
    markdown: bool,
}

pub(crate) fn run(args: &LintArgs, context: &Context) -> Result<Exit, Report> {
    let place = context.common.place.resolve()?;
    let Checked {
        report,
        sources,
        documents,
    } = lint_with(&place.company, policies::problems(&place)?);
    let text = if args.sarif {
        format!("{:#}\n", render::sarif(&report))
    } else if args.markdown {
        render::markdown(&report)
    } else if io::stdout().is_terminal() {
        render::colored(&report, &sources)
    } else {
        render::text(&report, &sources)
    };
    if context.out.json {
        context.out.show(&report, |_| Ok(()))?;
    } else {
        context.out.text(&text)?;
    }
    say(format_args!(
        "{} checked: {}",
        count(documents as u64, "document"),
        summary(&report)
    ));
    Ok(match report.worst() {
        Some(Severity::Error) => Exit::Failure,
        _ => Exit::Ok,
    })
}

fn summary(report: &Findings) -> String {
    if report.findings.is_empty() {
        return "nothing found".to_owned();
    }
    [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .map(|severity| (report.count(severity), severity))
        .filter(|(found, _)| *found > 0)
        .map(|(found, severity)| count(found as u64, &severity.to_string()))
        .collect::<Vec<_>>()
        .join(", ")
}
