//! A decision as a table, for a terminal.

use std::fmt;

use unicode_width::UnicodeWidthStr;

use super::{BaseFrom, Candidate, Decision, Outcome};
use crate::money::Amount;
use crate::requirements::{PersonalData, TaskFrom};

const HEADING: [&str; 9] = [
    "", "MODEL", "SCORE", "BASE", "LEARNED", "COST", "TIME", "WORTH", "CHANCE",
];

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request(f)?;
        let rows: Vec<[String; 9]> = self
            .eligible()
            .map(|candidate| self.cells(candidate))
            .collect();
        if !rows.is_empty() {
            writeln!(f)?;
            table(f, &rows)?;
        }
        let mut excluded = self
            .candidates
            .iter()
            .filter(|candidate| !candidate.reasons.is_empty())
            .peekable();
        if excluded.peek().is_some() {
            writeln!(f, "\nMay not answer")?;
        }
        for candidate in excluded {
            writeln!(f, "  {}", harmless(&candidate.model))?;
            for reason in &candidate.reasons {
                writeln!(f, "    {}", harmless(&reason.to_string()))?;
            }
        }
        if let Some(gate) = &self.gate {
            writeln!(
                f,
                "\nStrangeness {:.2}, known up to {:.2}; {:.1} % of known requests are as strange. Nearest task: {}",
                gate.strangeness,
                gate.threshold,
                gate.share * 100.0,
                harmless(&gate.nearest_task)
            )?;
            if let Some(nearest) = &gate.nearest {
                writeln!(
                    f,
                    "Nearest settled request: {} ({}, likeness {:.2})",
                    harmless(&nearest.label),
                    harmless(&nearest.task),
                    nearest.likeness
                )?;
            }
        }
        if let Some(shadow) = &self.shadow {
            writeln!(f, "\nWith what was learned: {}", harmless(shadow))?;
        }
        writeln!(f, "\n{}", self.why())
    }
}

impl Decision {
    fn request(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needs = &self.requirements;
        let from = match needs.task_from {
            TaskFrom::Caller => "as the caller says".to_owned(),
            TaskFrom::Predictor(share) => format!("predicted, {:.0} % sure", share * 100.0),
            TaskFrom::Words => "by its words".to_owned(),
        };
        write!(
            f,
            "Task {} ({from}), {} tokens",
            harmless(&needs.task),
            needs.input_tokens
        )?;
        if let Some(language) = &needs.language {
            write!(f, ", language {}", harmless(language))?;
        }
        write!(f, "; needs {}", needs.abilities)?;
        match &needs.personal {
            PersonalData::Found(found) => {
                let names: Vec<&str> = found.iter().map(|found| found.name()).collect();
                write!(f, "; holds {}", names.join(" and "))?;
            }
            PersonalData::TooLong => f.write_str("; too long to be searched for personal data")?,
            PersonalData::None | PersonalData::NotLooked => {}
        }
        writeln!(f)
    }

    fn cells(&self, candidate: &Candidate) -> [String; 9] {
        let is_chosen = match &self.outcome {
            Outcome::Council { members, .. } => members.contains(&candidate.model),
            _ => self.model() == Some(&candidate.model),
        };
        let from = match candidate.quality.from {
            BaseFrom::Text => "text",
            BaseFrom::Prior => "prior",
            BaseFrom::Default => "default",
        };
        [
            if is_chosen { ">" } else { "" }.to_owned(),
            harmless(&candidate.model),
            format!("{:.3}", candidate.quality.expected),
            format!("{:.3} {from}", candidate.quality.base),
            format!(
                "{:+.3} ±{:.3} of {:.0}",
                candidate.quality.learned, candidate.quality.deviation, candidate.quality.feedback
            ),
            format!(
                "{}{} -{:.3}",
                Amount(candidate.cost),
                if candidate.price_known { "" } else { "?" },
                candidate.cost_term
            ),
            candidate.latency_ms.map_or_else(
                || "-".to_owned(),
                |ms| format!("{ms} ms -{:.3}", candidate.latency_term),
            ),
            format!("{:.3}", candidate.utility),
            format!("{:.1} %", candidate.probability * 100.0),
        ]
    }
}

fn table(f: &mut fmt::Formatter<'_>, rows: &[[String; 9]]) -> fmt::Result {
    let mut widths = HEADING.map(UnicodeWidthStr::width);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let heading = HEADING.map(str::to_owned);
    for row in std::iter::once(&heading).chain(rows) {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
            let space = " ".repeat(width.saturating_sub(cell.width()));
            // Names to the left, numbers to the right.
            if at < 2 {
                line.push_str(cell);
                line.push_str(&space);
            } else {
                line.push_str(&space);
                line.push_str(cell);
            }
            line.push_str("  ");
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Names come from plugins and callers, and must not steer a terminal.
fn harmless(text: &str) -> String {
    text.chars()
        .take(200)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}
