//! The page of one protocol.

use maud::{Markup, PreEscaped, html};
use polity_constitution::{Clause, Mode, Protocol, ProtocolKind};
use polity_tables::{AllowedValues, DecisionTable};

use super::history::history;
use super::{Handbook, words};

impl Handbook<'_> {
    pub(super) fn page(&self, protocol: &Protocol) -> Markup {
        let near = &protocol.near;
        let rule = match near.kind {
            ProtocolKind::Rule => self.constitution.binding(&near.name),
            _ => None,
        };
        let title = if rule.is_some() {
            &near.name
        } else {
            &near.title
        };
        let changes = history(self.company, &near.file);
        let body = html! {
            header {
                p.kind { (words::kind(near.kind)) }
                h1 { (title) }
                @if let Some(summary) = protocol.tree.as_ref().and_then(|tree| tree.summary.as_ref()) {
                    p.lead { (summary) }
                }
                dl.facts {
                    @if let Some(owner) = &protocol.owner { dt { "Owner" } dd { (owner) } }
                    @if let Some(tree) = &protocol.tree {
                        dt { "Version" } dd { (tree.version) }
                        dt { "Starts" } dd { (tree.starts) }
                        @if let Some(limit) = &tree.limit { dt { "Ends" } dd { "after " (limit) " at the latest" } }
                    }
                    dt { "File" } dd { code { (near.file) } }
                }
            }
            @let questions = self.questions(protocol);
            @if !questions.is_empty() {
                section {
                    h2 { "It answers" }
                    ul { @for question in &questions { li { (question) } } }
                }
            }
            @if !protocol.clauses.is_empty() {
                section {
                    h2 { "Clauses" }
                    ul.clauses { @for clause in distinct(&protocol.clauses) { li { (clause.text) " " small { (clause.file) } } } }
                }
            }
            @if let Some(tree) = &protocol.tree {
                section {
                    h2 { "What happens" }
                    // Every text in it was made harmless where it was drawn.
                    figure.tree tabindex="0" { (PreEscaped(tree.svg())) }
                }
            }
            @for name in &protocol.tables {
                @if let Some(table) = self.constitution.table(name) {
                    section {
                        h2 {
                            @if near.kind == ProtocolKind::Table { "The table" } @else {
                                "Decided by "
                                a href=(self.page_of(ProtocolKind::Table, name)) { (name) }
                            }
                        }
                        (grid(table))
                    }
                }
            }
            @if let Some(binding) = rule {
                section {
                    h2 { "What it guards" }
                    dl.facts {
                        dt { "Actions" } dd { @for guard in &binding.guards { code { (guard) } " " } }
                        dt { "Rule" } dd { code { (binding.rule) } }
                        dt { "Mode" } dd {
                            @match binding.mode {
                                Mode::Enforce => "enforced",
                                Mode::Shadow => "watched only: it is recorded and decides nothing",
                            }
                        }
                    }
                    details {
                        summary { "Its settings" }
                        pre { (serde_json::to_string_pretty(&binding.config).unwrap_or_default()) }
                    }
                }
            }
            (self.relations(protocol))
            @if !protocol.run.is_empty() {
                section { h2 { "Try it" } @for command in &protocol.run { pre { (command) } } }
            }
            @if !changes.is_empty() {
                section {
                    h2 { "History" }
                    div.wide {
                        table {
                            thead { tr { th { "Day" } th { "Commit" } th { "By" } th { "What" } } }
                            tbody {
                                @for change in &changes {
                                    tr { td { (change.day) } td { code { (change.commit) } } td { (change.by) } td { (change.what) } }
                                }
                            }
                        }
                    }
                }
            }
        };
        self.frame(&words::file(near), title, &body)
    }

    /// What a page speaks of and what speaks of it.
    fn relations(&self, protocol: &Protocol) -> Markup {
        let name = &protocol.near.name;
        let others = |speaks: &dyn Fn(&Protocol) -> bool| -> Vec<&Protocol> {
            self.protocols
                .iter()
                .filter(|other| other.near.kind == ProtocolKind::Workflow && speaks(other))
                .collect()
        };
        let (heading, found) = match protocol.near.kind {
            ProtocolKind::Table => ("Asked by", others(&|other| other.tables.contains(name))),
            ProtocolKind::Rule => (
                "Guards steps of",
                others(&|other| other.rules.contains(name)),
            ),
            ProtocolKind::Workflow => (
                "Guarded by",
                self.protocols
                    .iter()
                    .filter(|other| {
                        other.near.kind == ProtocolKind::Rule
                            && protocol.rules.contains(&other.near.name)
                    })
                    .collect(),
            ),
        };
        html! {
            @if !found.is_empty() {
                section {
                    h2 { (heading) }
                    ul {
                        @for other in found {
                            li {
                                a href=(words::file(&other.near)) { (other.near.name) }
                                ": " (other.near.title)
                            }
                        }
                    }
                }
            }
        }
    }

    fn page_of(&self, kind: ProtocolKind, name: &str) -> String {
        let of = |protocol: &&Protocol| protocol.near.kind == kind && protocol.near.name == name;
        let found = self.protocols.iter().find(of);
        found.map_or_else(
            || "index.html".to_owned(),
            |protocol| words::file(&protocol.near),
        )
    }
}

/// A sentence that stands in two files is read once.
fn distinct(clauses: &[Clause]) -> Vec<&Clause> {
    let mut seen: Vec<&Clause> = Vec::new();
    for clause in clauses {
        if !seen.iter().any(|known| known.text == clause.text) {
            seen.push(clause);
        }
    }
    seen
}

/// A decision table with its rows numbered as messages number them.
fn grid(table: &DecisionTable) -> Markup {
    let table = table.table();
    let annotated = table.rules.iter().any(|rule| rule.annotation.is_some());
    html! {
        p { "Hit policy " strong { (table.hit_policy.name()) } "." }
        div.wide {
            table.decision {
                thead {
                    tr {
                        th { "#" }
                        @for input in &table.inputs {
                            th {
                                (input.label())
                                @if let Some(unit) = &input.unit { " " small { "(" (unit) ")" } }
                                @if let Some(values) = &input.allowed_values { br; small { (allowed(values)) } }
                            }
                        }
                        @for output in &table.outputs { th.answer { (output.name) } }
                        @if annotated { th { "Why" } }
                    }
                }
                tbody {
                    @for (number, rule) in (1..).zip(&table.rules) {
                        tr {
                            td { (number) }
                            @for entry in &rule.input_entries {
                                td { @if entry.0.trim() == "-" { span.any title="any" { "–" } } @else { code { (entry.0) } } }
                            }
                            @for entry in &rule.output_entries { td.answer { code { (entry.0) } } }
                            @if annotated { td { (rule.annotation.as_deref().unwrap_or_default()) } }
                        }
                    }
                }
            }
        }
    }
}

fn allowed(values: &AllowedValues) -> String {
    match values {
        AllowedValues::Tests(tests) => tests.clone(),
        AllowedValues::List(values) => values
            .iter()
            .map(|value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            })
            .collect::<Vec<_>>()
            .join(", "),
    }
}
