//! `polity inbox show`: all that a person needs to decide an item.

use std::io::{self, Write};

use clap::Args;
use polity_inbox::{AnswerKind, Item};
use polity_ledger::{Clock as _, SystemClock};
use serde_json::Value;

use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::read;
use crate::cli::out::say;
use crate::cli::report::Report;
use crate::cli::text::{clean, money, one_line, relative, time};

/// Show one item: the question, the proposal, the evidence.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity inbox show ID")]
pub(crate) struct ShowArgs {
    /// The item's id, as `polity inbox list` shows it.
    id: String,
}

pub(super) async fn run(args: &ShowArgs, context: &Context) -> Result<Exit, Report> {
    let answer = context
        .host()?
        .get(&["api", "inbox", &args.id], &[])
        .await?;
    let item: Item = read(&answer)?;
    context
        .out
        .show(&answer, |out| tell(out, &item, SystemClock.now_ms()))?;
    if let Some(why_not) = answer["why_not"].as_str().filter(|_| item.is_open()) {
        say(format_args!("\nYou cannot decide it: {why_not}"));
    } else if item.is_open() && !context.out.json {
        let ways: Vec<&str> = item.allowed.iter().map(|answer| way(*answer)).collect();
        say(format_args!("\nDecide it:"));
        for way in ways {
            say(format_args!(
                "  polity inbox {}",
                way.replace("ID", &item.id.to_string())
            ));
        }
    }
    Ok(Exit::Ok)
}

fn way(answer: AnswerKind) -> &'static str {
    match answer {
        AnswerKind::Accept => "accept ID --note '…'",
        AnswerKind::Edit => "edit ID --proposal '{…}' --note '…'",
        AnswerKind::Respond => "respond ID '…'",
        AnswerKind::Reject => "reject ID --note '…'",
    }
}

fn tell(out: &mut dyn Write, item: &Item, now_ms: u64) -> io::Result<()> {
    writeln!(out, "{}\n", one_line(&item.title))?;
    writeln!(out, "{}\n", clean(item.question.trim()))?;
    line(out, "kind", &item.kind)?;
    line(out, "subject", &item.subject)?;
    line(out, "asked by", &item.requested_by)?;
    line(out, "decides", &item.role)?;
    if let Some(clause) = &item.clause {
        line(out, "clause", clause)?;
    }
    if let Some(micro) = item.cost_at_stake {
        line(out, "at stake", &money(micro, ""))?;
    }
    line(
        out,
        "raised",
        &format!(
            "{} ({})",
            time(item.raised_at_ms),
            relative(item.raised_at_ms, now_ms)
        ),
    )?;
    if let Some(due) = item.due_at_ms {
        line(
            out,
            "due",
            &format!("{} ({})", time(due), relative(due, now_ms)),
        )?;
    }
    if !item.is_open() {
        line(out, "closed", &item.closing())?;
    }
    document(out, "Proposal", &item.proposal)?;
    document(out, "Evidence", &item.evidence)
}

fn line(out: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "  {name:<10}{}", one_line(value))
}

fn document(out: &mut dyn Write, name: &str, value: &Value) -> io::Result<()> {
    let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    if is_empty || value.as_object().is_some_and(serde_json::Map::is_empty) {
        return Ok(());
    }
    let text = serde_json::to_string_pretty(value)?;
    writeln!(out, "\n{name}:")?;
    text.lines()
        .try_for_each(|line| writeln!(out, "  {}", clean(line)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use polity_inbox::{OnExpiry, State};
    use polity_ledger::Hash;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_person_sees_the_question_before_the_machinery() {
        let item = Item {
            id: uuid::Uuid::nil(),
            kind: "approval".into(),
            subject: "refund/4711".into(),
            title: "A refund of 120 EUR".into(),
            question: "It is above 50 EUR. Shall it be paid?\u{1b}[2J".into(),
            proposal: json!({"amount": 120}),
            proposal_digest: Hash::ZERO,
            clause: Some("refunds".into()),
            evidence: json!([]),
            role: "owner".into(),
            requested_by: "agent:support".into(),
            cost_at_stake: Some(120_000_000),
            raised_at_ms: 1_700_000_000_000,
            due_at_ms: Some(1_700_086_400_000),
            on_expiry: OnExpiry::Reject,
            allowed: BTreeSet::from([AnswerKind::Accept, AnswerKind::Reject]),
            escalations: Vec::new(),
            state: State::Open,
        };
        let mut text = Vec::new();
        tell(&mut text, &item, 1_700_000_060_000).unwrap();
        insta::assert_snapshot!(String::from_utf8(text).unwrap(), @r#"
        A refund of 120 EUR

        It is above 50 EUR. Shall it be paid?\u{1b}[2J

          kind      approval
          subject   refund/4711
          asked by  agent:support
          decides   owner
          clause    refunds
          at stake  120.00
          raised    2023-11-14 22:13:20Z (60 s ago)
          due       2023-11-15 22:13:20Z (in 23 h)

        Proposal:
          {
            "amount": 120
          }
        "#);
    }
}
