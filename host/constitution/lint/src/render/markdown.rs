//! A report for a pull request.

use std::fmt::Write as _;

use crate::edit::Edit;
use crate::report::Report;

/// As Markdown, a table row for each finding.
pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    if report.findings.is_empty() {
        out.push_str("Nothing found.\n");
    } else {
        out.push_str("| | code | where | what | for example | cure |\n|---|---|---|---|---|---|\n");
        for finding in &report.findings {
            let witness = finding
                .witness
                .as_ref()
                .map(|witness| code(&witness.to_string()))
                .unwrap_or_default();
            let cure = finding.suggestion.as_ref().map(|suggestion| {
                let rows: Vec<String> = suggestion
                    .edits
                    .iter()
                    .filter_map(|edit| match edit {
                        Edit::Add { value, .. } | Edit::Replace { value, .. }
                            if value.is_object() =>
                        {
                            Some(code(&value.to_string()))
                        }
                        _ => None,
                    })
                    .collect();
                format!("{} {}", escaped(&suggestion.title), rows.join(" "))
            });
            let _ = writeln!(
                out,
                "| {} | `{}` | {} | {} | {witness} | {} |",
                finding.severity,
                finding.code,
                escaped(&finding.place.to_string()),
                escaped(&finding.message),
                cure.unwrap_or_default().trim()
            );
        }
    }
    if !report.density.is_empty() {
        out.push_str("\n| document | rows or steps needed / there | decisions a word | inputs or choices decided | repeated parts | edits that save most |\n|---|---|---|---|---|---|\n");
        for density in &report.density {
            let edits: Vec<String> = density
                .best_edits
                .iter()
                .map(|saving| {
                    format!(
                        "{} (-{} words)",
                        escaped(&saving.suggestion.title),
                        saving.tokens
                    )
                })
                .collect();
            let _ = writeln!(
                out,
                "| {} | {} / {} | {:.2} | {:.1} % | {} | {} |",
                escaped(&density.name),
                density.rows_needed,
                density.rows,
                density.atoms_per_token(),
                density.decided * 100.0,
                density.repeated_parts,
                edits.join("; ")
            );
        }
    }
    out
}

fn code(text: &str) -> String {
    if text.contains('`') {
        return escaped(text);
    }
    format!("`{}`", text.replace('|', "\\|").replace(['\n', '\r'], " "))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '|' | '*' | '_' | '[' | ']' | '\\' | '`' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
