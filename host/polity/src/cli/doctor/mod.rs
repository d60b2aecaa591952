//! `polity doctor`: tries what `polity up` needs, one thing after the other, and says what to do about what is missing.

mod checks;

use clap::Args;
use serde::Serialize;

use super::Context;
use super::exit::Exit;
use super::out::say;
use super::report::Report;
use super::text::{clean, count};
use super::up::Listen;

/// Check what `polity up` needs: folders, port, memory, charter, plugins, secrets.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity doctor
  polity doctor --company my-company --listen 127.0.0.1:8000")]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    listen: Listen,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Ok,
    /// It will run, but not all of it.
    Warn,
    /// It will not run.
    Fail,
}

/// One check and what to do about it.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self {
            check,
            state: State::Ok,
            detail: detail.into(),
            fix: None,
        }
    }

    fn warn(check: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check,
            state: State::Warn,
            detail: detail.into(),
            fix: Some(fix.into()),
        }
    }

    fn fail(check: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check,
            state: State::Fail,
            detail: detail.into(),
            fix: Some(fix.into()),
        }
    }
}

pub(crate) async fn run(args: &DoctorArgs, context: &Context) -> Result<Exit, Report> {
    let place = context.common.place.resolve()?;
    let (charter, constitution) = checks::constitution(&place.company);
    let mut findings = vec![
        checks::data_folder(&place.data),
        checks::plugin_folder(&place.plugins()),
        checks::port(&args.listen, &place.data),
        checks::memory(),
        charter,
    ];
    findings.extend(checks::plugins(&place, constitution.as_ref()));
    let failed = findings
        .iter()
        .filter(|finding| finding.state == State::Fail)
        .count();
    let warned = findings
        .iter()
        .filter(|finding| finding.state == State::Warn)
        .count();
    context.out.show(&findings, |out| {
        for Finding {
            check,
            state,
            detail,
            fix,
        } in &findings
        {
            let state = match state {
                State::Ok => "ok  ",
                State::Warn => "warn",
                State::Fail => "FAIL",
            };
            writeln!(
                out,
                "{state}  {check:<16}{}",
                clean(detail).replace('\n', "\n                      ")
            )?;
            for line in fix.iter().flat_map(|fix| fix.trim_end().lines()) {
                writeln!(out, "                        {}", clean(line))?;
            }
        }
        Ok(())
    })?;
    if failed > 0 {
        say(format_args!(
            "\n{} to correct before `polity up`",
            count(failed as u64, "thing")
        ));
        return Ok(Exit::Failure);
    }
    match warned {
        0 => say("\n`polity up` will run"),
        _ => say(format_args!(
            "\n`polity up` will run, with {}",
            count(warned as u64, "warning")
        )),
    }
    Ok(Exit::Ok)
}
