//! A table for the terminal, drawn with lines.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use crate::decision::DecisionTable;

/// No column is wider; what is cut is marked.
const MAX_WIDTH: usize = 40;

impl DecisionTable {
    /// The table drawn with lines, a double one between what is asked and what is answered.
    pub fn to_terminal(&self) -> String {
        let table = self.table();
        let inputs = table.inputs.len();
        let mut lines = vec![
            std::iter::once(table.hit_policy.letter(table.aggregation).to_owned())
                .chain(self.columns().iter().map(|column| cut(&column.label)))
                .chain(table.outputs.iter().map(|output| cut(&output.name)))
                .collect::<Vec<_>>(),
        ];
        lines.extend(table.rules.iter().enumerate().map(|(row, rule)| {
            std::iter::once((row + 1).to_string())
                .chain(
                    rule.input_entries
                        .iter()
                        .chain(&rule.output_entries)
                        .map(|entry| cut(&entry.0)),
                )
                .collect()
        }));
        let widths: Vec<usize> = (0..=inputs + table.outputs.len())
            .map(|at| {
                lines
                    .iter()
                    .filter_map(|line| line.get(at))
                    .map(|cell| cell.width())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let mut out = format!(
            "{}\n",
            cut_to(table.title.as_deref().unwrap_or(&table.name), 100)
        );
        for (index, line) in lines.iter().enumerate() {
            for (at, cell) in line.iter().enumerate() {
                let joint = match at {
                    0 => " ",
                    at if at == inputs + 1 => " ║ ",
                    _ => " │ ",
                };
                let _ = write!(
                    out,
                    "{joint}{cell}{}",
                    " ".repeat(widths[at].saturating_sub(cell.width()))
                );
            }
            while out.ends_with(' ') {
                out.pop();
            }
            out.push('\n');
            if index == 0 {
                for (at, width) in widths.iter().enumerate() {
                    out.push_str(match at {
                        0 => "─",
                        at if at == inputs + 1 => "─╫─",
                        _ => "─┼─",
                    });
                    out.push_str(&"─".repeat(*width));
                }
                out.push('\n');
            }
        }
        out
    }
}

fn cut(text: &str) -> String {
    cut_to(text.trim(), MAX_WIDTH)
}

/// Control characters could write over what was printed before.
fn cut_to(text: &str, width: usize) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if clean.width() <= width {
        return clean;
    }
    let mut kept = String::new();
    for c in clean.chars() {
        if kept.width() + 2 > width {
            break;
        }
        kept.push(c);
    }
    kept + "…"
}
