//! The tree as lines: in a terminal with rules, in Markdown as a nested list.

use std::fmt::Write as _;

use super::tree::{Branch, Step, Tree};

impl Tree {
    /// For a terminal. Plain text without colour, so that nothing depends on it.
    pub fn terminal(&self) -> String {
        let mut out = format!("{} ({} {})\n", self.title, self.workflow, self.version);
        if let Some(summary) = &self.summary {
            let _ = writeln!(out, "{summary}");
        }
        let _ = writeln!(out, "starts {}", self.starts);
        if let Some(limit) = &self.limit {
            let _ = writeln!(out, "ends within {limit}");
        }
        steps(&mut out, &self.steps, "");
        out
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut out = format!("# {}\n\n", escaped(&self.title));
        if let Some(summary) = &self.summary {
            let _ = writeln!(out, "{}\n", escaped(summary));
        }
        let _ = writeln!(
            out,
            "`{}` version {}, starts {}.",
            self.workflow,
            self.version,
            escaped(&self.starts)
        );
        if let Some(limit) = &self.limit {
            let _ = writeln!(out, "Ends within {limit}.");
        }
        out.push('\n');
        for (number, step) in (1..).zip(&self.steps) {
            item(&mut out, step, &format!("{number}."), 0);
        }
        out
    }
}

/// The notes on a step, without its branches.
fn notes(step: &Step) -> Vec<String> {
    let mut notes = Vec::new();
    let mut add = |label: &str, note: &Option<String>| {
        if let Some(note) = note {
            notes.push(format!("{label}{note}"));
        }
    };
    add("only if ", &step.condition);
    add("gate: ", &step.gate);
    add("effect: ", &step.effect);
    add("limit: ", &step.limit);
    add("policy: ", &step.policy);
    add("then ", &step.then);
    notes
}

fn steps(out: &mut String, list: &[Step], indent: &str) {
    for (index, step) in list.iter().enumerate() {
        let last = index + 1 == list.len();
        let (corner, rule) = if last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        let _ = writeln!(out, "{indent}{corner}{}: {}", step.name, step.says);
        let inner = format!("{indent}{rule}");
        for note in notes(step) {
            let _ = writeln!(out, "{inner}· {note}");
        }
        branches(out, &step.branches, &inner);
    }
}

fn branches(out: &mut String, list: &[Branch], indent: &str) {
    for (index, branch) in list.iter().enumerate() {
        let last = index + 1 == list.len();
        let (corner, rule) = if last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        let goes = branch
            .goes
            .as_ref()
            .map_or_else(String::new, |goes| format!(" → {goes}"));
        let _ = writeln!(out, "{indent}{corner}[{}]{goes}", branch.label);
        steps(out, &branch.steps, &format!("{indent}{rule}"));
    }
}

fn item(out: &mut String, step: &Step, mark: &str, depth: usize) {
    let indent = "   ".repeat(depth);
    let _ = writeln!(
        out,
        "{indent}{mark} **{}**: {}",
        escaped(&step.name),
        escaped(&step.says)
    );
    for note in notes(step) {
        let _ = writeln!(out, "{indent}   - {}", escaped(&note));
    }
    for branch in &step.branches {
        let goes = branch
            .goes
            .as_ref()
            .map_or_else(String::new, |goes| format!(" → {}", escaped(goes)));
        let _ = writeln!(out, "{indent}   - *{}*{goes}", escaped(&branch.label));
        for (number, step) in (1..).zip(&branch.steps) {
            item(out, step, &format!("{number}."), depth + 2);
        }
    }
}

/// Text that Markdown leaves alone.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(
            c,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#'
        ) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
