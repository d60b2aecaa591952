//! An answer for people: in a terminal, as Markdown, as a picture.

use std::fmt::Write as _;

use super::{Answer, Near, ProtocolKind};

impl Answer {
    /// For a terminal. Plain text without colour, so that nothing depends on it.
    pub fn terminal(&self) -> String {
        let mut out = String::new();
        let Some(protocol) = &self.protocol else {
            self.uncovered(&mut out);
            return out;
        };
        match &protocol.tree {
            Some(tree) => out.push_str(&tree.terminal()),
            None if protocol.drawn.is_empty() => {
                let _ = writeln!(out, "{}", protocol.near.title);
            }
            None => {}
        }
        for table in &protocol.drawn {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(&table.to_terminal());
        }
        out.push_str("\nClauses\n");
        for clause in &protocol.clauses {
            let _ = writeln!(out, "  {} ({})", clause.text, clause.file);
        }
        let _ = writeln!(out, "\nFrom {}, {}", protocol.near.file, self.version);
        if let Some(owner) = &protocol.owner {
            let _ = writeln!(out, "Owner: {owner}");
        }
        for command in &protocol.run {
            let _ = writeln!(out, "Try it: {command}");
        }
        if !self.nearest.is_empty() {
            out.push_str("See also\n");
            list(&mut out, &self.nearest);
        }
        out
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        let Some(protocol) = &self.protocol else {
            self.uncovered(&mut out);
            return out;
        };
        match &protocol.tree {
            Some(tree) => out.push_str(&tree.markdown()),
            None if protocol.drawn.is_empty() => {
                let _ = writeln!(out, "# {}", protocol.near.title);
            }
            None => {}
        }
        for table in &protocol.drawn {
            let _ = write!(out, "\n{}", table.to_markdown());
        }
        out.push_str("\n## Clauses\n\n");
        for clause in &protocol.clauses {
            let _ = writeln!(out, "- {} (`{}`)", clause.text, clause.file);
        }
        let _ = writeln!(out, "\nFrom `{}`, {}.", protocol.near.file, self.version);
        for command in &protocol.run {
            let _ = writeln!(out, "\n```sh\n{command}\n```");
        }
        out
    }

    /// As a Mermaid flowchart; none where nothing covers the question, or what covers it is a rule.
    pub fn mermaid(&self) -> Option<String> {
        let protocol = self.protocol.as_ref()?;
        if let Some(tree) = &protocol.tree {
            return Some(tree.mermaid());
        }
        let table = protocol.drawn.first()?.table();
        let mut out = format!(
            "flowchart LR\n  table{{\"{}\"}}\n",
            quoted(&protocol.near.title)
        );
        for (number, rule) in (1..).zip(&table.rules) {
            let conditions: Vec<String> = table
                .inputs
                .iter()
                .zip(&rule.input_entries)
                .filter(|(_, entry)| entry.0.trim() != "-")
                .map(|(input, entry)| format!("{} {}", input.label(), entry.0))
                .collect();
            let condition = if conditions.is_empty() {
                "otherwise".to_owned()
            } else {
                conditions.join(", ")
            };
            let outputs: Vec<&str> = rule
                .output_entries
                .iter()
                .map(|entry| entry.0.as_str())
                .collect();
            let _ = writeln!(
                out,
                "  table -- \"{}\" --> row{number}[\"{}\"]",
                quoted(&condition),
                quoted(&outputs.join(", "))
            );
        }
        Some(out)
    }

    fn uncovered(&self, out: &mut String) {
        out.push_str("No protocol covers this.\n");
        if !self.nearest.is_empty() {
            out.push_str("Nearest\n");
            list(out, &self.nearest);
        }
    }
}

fn list(out: &mut String, protocols: &[Near]) {
    for near in protocols {
        let kind = match near.kind {
            ProtocolKind::Workflow => "workflow",
            ProtocolKind::Table => "table",
            ProtocolKind::Rule => "rule",
        };
        let _ = writeln!(out, "  {kind} {}: {}", near.name, near.title);
    }
}

/// Text inside a label, in which a quotation mark or a tag would mean something.
fn quoted(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
