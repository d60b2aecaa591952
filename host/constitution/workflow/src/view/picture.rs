//! The tree as a picture: a flowchart for Mermaid, and an SVG that needs no program to look at.

use std::fmt::Write as _;

use super::tree::{Branch, Step, Tree};

impl Tree {
    /// As a Mermaid flowchart.
    pub fn mermaid(&self) -> String {
        let mut chart = Chart {
            out: format!(
                "flowchart TD\n  start([\"{}\"])\n",
                quoted(&format!("{}: {}", self.title, self.starts))
            ),
            count: 0,
        };
        let ends = chart.list(&self.steps, vec![("start".to_owned(), String::new())]);
        chart.out.push_str("  finish([\"end\"])\n");
        for (from, label) in ends {
            chart.edge(&from, "finish", &label);
        }
        chart.out
    }

    /// As an SVG: one box a step, indented as deep as it is nested.
    pub fn svg(&self) -> String {
        let mut rows = Vec::new();
        rows.push(Row {
            depth: 0,
            class: "title",
            text: format!("{} ({} {})", self.title, self.workflow, self.version),
        });
        rows.push(Row {
            depth: 0,
            class: "note",
            text: format!("starts {}", self.starts),
        });
        collect(&self.steps, 0, &mut rows);
        draw(&rows, &self.title)
    }
}

struct Chart {
    out: String,
    count: usize,
}

/// Nodes that lead on, with the label of the way.
type Ends = Vec<(String, String)>;

impl Chart {
    /// Draws a list of steps and returns what leads on from it.
    fn list(&mut self, steps: &[Step], mut from: Ends) -> Ends {
        let ids: Vec<String> = steps
            .iter()
            .map(|_| {
                self.count += 1;
                format!("n{}", self.count)
            })
            .collect();
        let target = |goes: &str| -> Option<String> {
            let name = goes.strip_prefix("go to ")?;
            let index = steps.iter().position(|step| step.name == name)?;
            ids.get(index).cloned()
        };
        let mut leave: Ends = Vec::new();
        for (step, id) in steps.iter().zip(&ids) {
            for (before, label) in from.drain(..) {
                self.edge(&before, id, &label);
            }
            let mut next = self.step(step, id);
            for branch in step
                .branches
                .iter()
                .filter(|branch| step.kind == "switch" && branch.goes.is_some())
            {
                let goes = branch.goes.as_deref().unwrap_or_default();
                match (target(goes), goes) {
                    (Some(to), _) => self.edge(id, &to, &branch.label),
                    (None, "end") => self.edge(id, "finish", &branch.label),
                    (None, "leave this block") => leave.push((id.clone(), branch.label.clone())),
                    (None, _) => next.push((id.clone(), branch.label.clone())),
                }
            }
            match step.then.as_deref() {
                None => {}
                Some("end") => {
                    for (end, label) in next.drain(..) {
                        self.edge(&end, "finish", &label);
                    }
                }
                Some("leave this block") => leave.append(&mut next),
                Some(goes) => {
                    if let Some(to) = target(goes) {
                        for (end, label) in next.drain(..) {
                            self.edge(&end, &to, &label);
                        }
                    }
                }
            }
            if step.condition.is_some() && step.then.is_some() {
                next.push((id.clone(), "if not".to_owned()));
            }
            from = next;
        }
        from.append(&mut leave);
        from
    }

    /// Draws one step and what is inside it.
    fn step(&mut self, step: &Step, id: &str) -> Ends {
        let mut label = format!("{}: {}", step.name, step.says);
        let condition = step
            .condition
            .as_ref()
            .map(|condition| format!("only if {condition}"));
        for note in [step.gate.as_ref(), condition.as_ref()]
            .into_iter()
            .flatten()
        {
            let _ = write!(label, " ({note})");
        }
        let (open, close) = match step.kind.as_str() {
            "switch" => ("{\"", "\"}"),
            "wait" | "listen" => ("[/\"", "\"/]"),
            _ if step.gate.is_some() => ("[[\"", "\"]]"),
            _ => ("[\"", "\"]"),
        };
        let _ = writeln!(self.out, "  {id}{open}{}{close}", quoted(&label));
        match step.kind.as_str() {
            "raise" => Vec::new(),
            // A switch leads on by its cases; without a default it can also fall through.
            "switch"
                if step
                    .branches
                    .iter()
                    .any(|branch| branch.label.ends_with(": otherwise")) =>
            {
                Vec::new()
            }
            "switch" => vec![(id.to_owned(), "no case".to_owned())],
            _ if step.branches.iter().all(|branch| branch.steps.is_empty()) => {
                vec![(id.to_owned(), String::new())]
            }
            _ => {
                let inside: Vec<&Branch> = step.branches.iter().collect();
                inside
                    .into_iter()
                    .flat_map(|branch| {
                        self.list(&branch.steps, vec![(id.to_owned(), branch.label.clone())])
                    })
                    .collect()
            }
        }
    }

    fn edge(&mut self, from: &str, to: &str, label: &str) {
        let _ = if label.is_empty() {
            writeln!(self.out, "  {from} --> {to}")
        } else {
            writeln!(self.out, "  {from} -->|\"{}\"| {to}", quoted(label))
        };
    }
}

/// Text inside the quotation marks of Mermaid.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '\\' => out.push_str("#92;"),
            '`' => out.push_str("#96;"),
            c => out.push(c),
        }
    }
    out
}

struct Row {
    depth: usize,
    class: &'static str,
    text: String,
}

fn collect(steps: &[Step], depth: usize, rows: &mut Vec<Row>) {
    for step in steps {
        let class = match step.kind.as_str() {
            _ if step.gate.is_some() => "gate",
            "switch" => "choice",
            "wait" | "listen" => "wait",
            _ if step.effect.is_some() => "effect",
            _ => "step",
        };
        rows.push(Row {
            depth,
            class,
            text: format!("{}: {}", step.name, step.says),
        });
        let notes = [
            ("only if ", &step.condition),
            ("", &step.gate),
            ("", &step.effect),
            ("limit ", &step.limit),
            ("", &step.policy),
            ("then ", &step.then),
        ];
        for (word, note) in notes {
            if let Some(note) = note {
                rows.push(Row {
                    depth: depth + 1,
                    class: "note",
                    text: format!("{word}{note}"),
                });
            }
        }
        for branch in &step.branches {
            let goes = branch
                .goes
                .as_ref()
                .map_or_else(String::new, |goes| format!(" → {goes}"));
            rows.push(Row {
                depth: depth + 1,
                class: "branch",
                text: format!("{}{goes}", branch.label),
            });
            collect(&branch.steps, depth + 2, rows);
        }
    }
}

const ROW: usize = 26;
const INDENT: usize = 24;
const LETTER: usize = 8;

fn draw(rows: &[Row], title: &str) -> String {
    let width = rows
        .iter()
        .map(|row| row.depth * INDENT + row.text.chars().count() * LETTER + 48)
        .max()
        .unwrap_or(0);
    let height = rows.len() * ROW + 16;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" aria-label=\"{}\" font-family=\"ui-monospace, monospace\" font-size=\"13\">\n\
         <style>rect{{fill:#fff;stroke:#555}}text{{fill:#111}}.title{{font-weight:bold}}.note{{fill:#555}}\
         .branch{{fill:#125}}rect.gate{{fill:#fde9c9}}rect.choice{{fill:#e3ecfb}}rect.wait{{fill:#eee}}\
         rect.effect{{fill:#e4f4e4}}path{{fill:none;stroke:#999}}@media(prefers-color-scheme:dark){{rect{{fill:#222;\
         stroke:#999}}text{{fill:#eee}}.note{{fill:#aaa}}.branch{{fill:#9cf}}rect.gate{{fill:#4a3a12}}\
         rect.choice{{fill:#1f3355}}rect.wait{{fill:#333}}rect.effect{{fill:#1c3a24}}}}</style>\n",
        markup(title)
    );
    for (index, row) in rows.iter().enumerate() {
        let x = 12 + row.depth * INDENT;
        let y = 8 + index * ROW;
        let boxed = !matches!(row.class, "title" | "note" | "branch");
        let parent = rows[..index]
            .iter()
            .rposition(|above| above.depth < row.depth);
        if let Some(parent) = parent {
            let top = 8 + parent * ROW + ROW - 4;
            let from = 12 + rows[parent].depth * INDENT + 8;
            let _ = writeln!(out, "<path d=\"M{from} {top}V{}H{x}\"/>", y + ROW / 2 - 2);
        }
        if boxed {
            let length = row.text.chars().count() * LETTER + 16;
            let _ = writeln!(
                out,
                "<rect class=\"{}\" x=\"{x}\" y=\"{y}\" width=\"{length}\" height=\"{}\" rx=\"4\"/>",
                row.class,
                ROW - 4
            );
        }
        let _ = writeln!(
            out,
            "<text class=\"{}\" x=\"{}\" y=\"{}\">{}</text>",
            row.class,
            x + if boxed { 8 } else { 4 },
            y + 15,
            markup(&row.text)
        );
    }
    out.push_str("</svg>\n");
    out
}

/// Text inside markup.
fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}
