//! A table as Markdown, for handbooks and pull requests.

use std::fmt::Write as _;

use crate::decision::DecisionTable;

impl DecisionTable {
    /// The table as Markdown: its policy, then a row for each row, numbered as messages number them.
    pub fn to_markdown(&self) -> String {
        let table = self.table();
        let mut out = String::new();
        let _ = writeln!(
            out,
            "### {}\n",
            escaped(table.title.as_deref().unwrap_or(&table.name))
        );
        if let Some(policy) = &table.policy {
            let _ = writeln!(out, "> {}\n", escaped(policy));
        }
        let annotated = table.rules.iter().any(|rule| rule.annotation.is_some());
        let mut heads = vec![table.hit_policy.letter(table.aggregation).to_owned()];
        heads.extend(
            self.columns()
                .iter()
                .zip(&table.inputs)
                .map(|(column, input)| match &input.unit {
                    Some(unit) => escaped(&format!("{} ({unit})", column.label)),
                    None => escaped(&column.label),
                }),
        );
        heads.extend(
            table
                .outputs
                .iter()
                .map(|output| format!("**{}**", escaped(&output.name))),
        );
        if annotated {
            heads.push("why".to_owned());
        }
        let _ = writeln!(out, "| {} |", heads.join(" | "));
        let _ = writeln!(out, "|{}", "---|".repeat(heads.len()));
        for (row, rule) in table.rules.iter().enumerate() {
            let mut cells = vec![(row + 1).to_string()];
            cells.extend(rule.input_entries.iter().map(|entry| code(&entry.0)));
            cells.extend(rule.output_entries.iter().map(|entry| code(&entry.0)));
            if annotated {
                cells.push(escaped(rule.annotation.as_deref().unwrap_or_default()));
            }
            let _ = writeln!(out, "| {} |", cells.join(" | "));
        }
        let defaults: Vec<_> = table
            .outputs
            .iter()
            .filter_map(|output| {
                output
                    .default_output_entry
                    .as_ref()
                    .map(|entry| (&output.name, entry))
            })
            .map(|(name, entry)| format!("{} = {}", escaped(name), code(&entry.0)))
            .collect();
        if !defaults.is_empty() {
            let _ = writeln!(out, "\nIf no row matches: {}.", defaults.join(", "));
        }
        out
    }
}

fn code(text: &str) -> String {
    let text = text.trim().replace(['\n', '\r'], " ").replace('|', "\\|");
    match text.as_str() {
        "" | "-" => text,
        _ if text.contains('`') => escaped(&text),
        _ => format!("`{text}`"),
    }
}

/// Nothing that somebody wrote into a table becomes markup of the page it is shown on.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
