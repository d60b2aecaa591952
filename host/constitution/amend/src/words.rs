//! Comparison and simulation for people: in a terminal, in a question to a voter, in a pull request.

use std::fmt;

use polity_lint::{Direction, Finding};

use crate::documents::How;
use crate::{Comparison, Simulation, WhatChanged, WorkflowHow};

/// Changes told of one table, and findings of each list.
const MAX_TOLD: usize = 12;

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "Nothing that the constitution says would change.");
        }
        writeln!(f, "Documents:")?;
        for document in &self.documents {
            let how = match document.how {
                How::Added => "new",
                How::Removed => "removed",
                How::Changed => "changed",
            };
            writeln!(f, "  {} ({how})", document.path)?;
            for value in document.values.iter().take(MAX_TOLD) {
                let said = |value: &Option<serde_json::Value>| {
                    value
                        .as_ref()
                        .map_or_else(|| "nothing".to_owned(), ToString::to_string)
                };
                writeln!(
                    f,
                    "    {}: {} -> {}",
                    value.pointer,
                    said(&value.before),
                    said(&value.after)
                )?;
            }
            let rest = document.more + document.values.len().saturating_sub(MAX_TOLD);
            if rest > 0 {
                writeln!(f, "    and {rest} more")?;
            }
        }
        self.tell_tables(f)?;
        self.tell_workflows(f)?;
        if !self.actions.is_empty() {
            writeln!(f, "Actions:")?;
            for action in &self.actions {
                writeln!(
                    f,
                    "  {} {}: {}",
                    action.kinds,
                    way(action.direction),
                    action.why.join("; ")
                )?;
            }
        }
        if !self.witnesses.is_empty() {
            writeln!(f, "For example:")?;
            for witness in self.witnesses.iter().take(MAX_TOLD) {
                writeln!(
                    f,
                    "  {} by {} with {}: {} -> {} ({})",
                    witness.probe.kind,
                    witness.probe.actor,
                    witness.probe.input,
                    crate::Simulated::word(witness.before),
                    crate::Simulated::word(witness.after),
                    witness.direction
                )?;
            }
        }
        if !self.people.is_empty() {
            writeln!(f, "People:")?;
            for person in &self.people {
                if !person.gained.is_empty() {
                    writeln!(
                        f,
                        "  {} may now: {}",
                        person.actor,
                        person.gained.join(", ")
                    )?;
                }
                if !person.lost.is_empty() {
                    writeln!(
                        f,
                        "  {} may no more: {}",
                        person.actor,
                        person.lost.join(", ")
                    )?;
                }
            }
        }
        findings(f, "The linter finds now", &self.lint.appeared)?;
        findings(f, "The linter does not find any more", &self.lint.gone)
    }
}

impl Comparison {
    fn tell_tables(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tables.is_empty() {
            return Ok(());
        }
        writeln!(f, "Tables:")?;
        for table in &self.tables {
            match &table.what {
                WhatChanged::Added => writeln!(f, "  {}: new", table.name)?,
                WhatChanged::Removed => writeln!(f, "  {}: removed", table.name)?,
                WhatChanged::Incomparable(why) => writeln!(f, "  {}: {why}", table.name)?,
                WhatChanged::Answers(diff) => {
                    for (at, line) in diff.to_string().lines().enumerate() {
                        if at > MAX_TOLD {
                            writeln!(f, "    and {} more", diff.changes.len() - MAX_TOLD)?;
                            break;
                        }
                        writeln!(f, "  {line}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Comparison {
    fn tell_workflows(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.workflows.is_empty() {
            return Ok(());
        }
        writeln!(f, "Workflows:")?;
        for workflow in &self.workflows {
            match &workflow.what {
                WorkflowHow::Added => {
                    writeln!(f, "  {}: new {}", workflow.name, way(workflow.direction))?
                }
                WorkflowHow::Removed => writeln!(
                    f,
                    "  {}: removed {}",
                    workflow.name,
                    way(workflow.direction)
                )?,
                WorkflowHow::Steps(steps) if steps.is_empty() => {
                    writeln!(f, "  {}: does the same as before", workflow.name)?;
                }
                WorkflowHow::Steps(steps) => {
                    writeln!(f, "  {} {}", workflow.name, way(workflow.direction))?;
                    for step in steps.iter().take(MAX_TOLD) {
                        let name = match step.step.as_str() {
                            "" => "it",
                            name => name,
                        };
                        writeln!(f, "    {name} {} {}", step.words, way(step.direction))?;
                    }
                    if steps.len() > MAX_TOLD {
                        writeln!(f, "    and {} more", steps.len() - MAX_TOLD)?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Same => "(no difference)",
        Direction::More => "(easier)",
        Direction::Less => "(harder)",
        Direction::Other => "(otherwise)",
    }
}

fn findings(f: &mut fmt::Formatter<'_>, title: &str, findings: &[Finding]) -> fmt::Result {
    if findings.is_empty() {
        return Ok(());
    }
    writeln!(f, "{title}:")?;
    for finding in findings.iter().take(MAX_TOLD) {
        writeln!(
            f,
            "  {} {}:{} {}",
            finding.severity, finding.place.file, finding.place.line, finding.message
        )?;
    }
    if findings.len() > MAX_TOLD {
        writeln!(f, "  and {} more", findings.len() - MAX_TOLD)?;
    }
    Ok(())
}

impl fmt::Display for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} recorded decisions judged again, {} would come out otherwise.",
            self.judged, self.changed
        )?;
        if self.left_out > 0 {
            writeln!(
                f,
                "{} were too long to be kept and are left out.",
                self.left_out
            )?;
        }
        if self.differs_from_record > 0 {
            writeln!(
                f,
                "{} come out otherwise than on record already now: rules or plugins were others then.",
                self.differs_from_record
            )?;
        }
        for shift in &self.shifts {
            write!(
                f,
                "  {}: {} -> {}, {} times",
                shift.kind, shift.before, shift.after, shift.count
            )?;
            match shift.micro {
                0 => writeln!(f)?,
                micro => writeln!(f, ", {} in all", units(i128::from(micro)))?,
            }
        }
        if self.money.before != 0 || self.money.after != 0 {
            writeln!(
                f,
                "Money without a question: {} -> {} ({}{}).",
                units(i128::from(self.money.before)),
                units(i128::from(self.money.after)),
                if self.money.delta < 0 { "" } else { "+" },
                units(i128::from(self.money.delta))
            )?;
        }
        Ok(())
    }
}

fn units(micro: i128) -> String {
    let sign = if micro < 0 { "-" } else { "" };
    let micro = micro.unsigned_abs();
    format!(
        "{sign}{}.{:02}",
        micro / 1_000_000,
        micro % 1_000_000 / 10_000
    )
}
