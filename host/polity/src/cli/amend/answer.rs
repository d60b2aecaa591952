//! An amendment as it is shown: how it stands, who has voted, what was said.

use std::io::{self, Write};

use polity_ledger::{Clock as _, SystemClock};
use serde_json::Value;

use crate::cli::Context;
use crate::cli::report::Report;
use crate::cli::text::{clean, one_line, relative};

/// Shows an amendment as the host has told it.
pub(super) fn show(context: &Context, told: &Value) -> Result<(), Report> {
    context.out.show(told, |out| tell(out, told, false))
}

pub(super) fn tell(out: &mut dyn Write, told: &Value, whole: bool) -> io::Result<()> {
    let text = |value: &Value| one_line(value.as_str().unwrap_or_default());
    let now_ms = SystemClock.now_ms();
    let tally = &told["tally"];
    writeln!(out, "{}: {}", text(&told["name"]), text(&told["title"]))?;
    writeln!(
        out,
        "  state     {} ({} of {} votes, {} may vote)",
        text(&told["state"]),
        tally["yes"],
        tally["quorum"],
        tally["eligible"]
    )?;
    let rounds = told["rounds"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if let Some(round) = rounds.last() {
        let proposal = &round["proposal"];
        let short = |value: &Value| -> String { text(value).chars().take(12).collect() };
        writeln!(
            out,
            "  proposal  {} of {}, would be sha256:{}, round {}",
            short(&proposal["commit"]),
            text(&told["branch"]),
            short(&proposal["digest"]),
            rounds.len()
        )?;
        writeln!(out, "  by        {}", text(&round["by"]))?;
        if matches!(told["state"].as_str(), Some("voting")) {
            let due = round["due_at_ms"].as_u64().unwrap_or_default();
            writeln!(out, "  open      until {}", relative(due, now_ms))?;
        }
    }
    for vote in told["votes"].as_array().into_iter().flatten() {
        let note = match vote["note"].as_str() {
            Some(note) => format!(": {}", one_line(note)),
            None => String::new(),
        };
        writeln!(
            out,
            "  {:<9} {}{note}",
            text(&vote["vote"]),
            text(&vote["voter"])
        )?;
    }
    ending(out, &told["ending"])?;
    if !whole {
        return Ok(());
    }
    let why = told["why"].as_str().unwrap_or_default();
    if !why.trim().is_empty() {
        writeln!(out, "\n{}", clean(why.trim()))?;
    }
    if let Some(round) = rounds.last() {
        writeln!(
            out,
            "\n{}",
            clean(round["summary"].as_str().unwrap_or_default().trim_end())
        )?;
    }
    for comment in told["comments"].as_array().into_iter().flatten() {
        let at = relative(comment["at_ms"].as_u64().unwrap_or_default(), now_ms);
        writeln!(out, "\n{} ({at}):", text(&comment["by"]))?;
        for line in clean(comment["text"].as_str().unwrap_or_default()).lines() {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(())
}

fn ending(out: &mut dyn Write, ending: &Value) -> io::Result<()> {
    let text = |value: &Value| one_line(value.as_str().unwrap_or_default());
    if let Some(merged) = ending.get("merged") {
        let signed = match merged["signed_by"].as_str() {
            Some(key) => format!("signed with {}", one_line(key)),
            None => "not signed: ssh-keygen is not to be had".to_owned(),
        };
        writeln!(
            out,
            "  merged    as {:.12} by {}\n  tag       {}, {signed}",
            text(&merged["commit"]),
            text(&merged["by"]),
            text(&merged["tag"])
        )?;
    }
    if let Some(withdrawn) = ending.get("withdrawn") {
        writeln!(
            out,
            "  withdrawn by {}: {}",
            text(&withdrawn["by"]),
            text(&withdrawn["why"])
        )?;
    }
    Ok(())
}
