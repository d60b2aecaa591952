//! What an amendment would change: the answers that tables would give, the actions that become easier or harder, who may
//! do more, and what recorded decisions would have become.

use maud::{Markup, html};
use polity_amend::{Comparison, How, Simulation, TableChange, WhatChanged, Witness, WorkflowHow};
use polity_kernel::Preview;
use polity_lint::{Direction, Finding};
use serde_json::Value;

use crate::console::text;

/// Changes told of one table or document.
const ROWS: usize = 12;

/// A preview.
pub(super) fn show(preview: &Preview) -> Markup {
    let Preview {
        comparison,
        simulation,
    } = preview;
    html! {
        section.card data-testid="difference" {
            h2 { "What would change" }
            @if comparison.is_empty() { p.empty { "Nothing that the constitution says would change." } }
            @else if comparison.permits_more() { p.notice.wait data-testid="permits-more" { "Something becomes easier, or nobody can tell." } }
            @else { p.notice.good { "Nothing becomes easier." } }
            (tables(comparison))
            (workflows(comparison))
            (actions(comparison))
            (people(comparison))
            (findings("The linter finds now", &comparison.lint.appeared))
            (findings("The linter finds no more", &comparison.lint.gone))
            (documents(comparison))
        }
        (simulated(simulation))
    }
}

fn tables(comparison: &Comparison) -> Markup {
    html! { @for table in &comparison.tables { (one_table(table)) } }
}

fn one_table(table: &TableChange) -> Markup {
    let changes = table.changes();
    html! {
        h3 { "Table " code { (table.name) } }
        @match &table.what {
            WhatChanged::Added => p { "New." },
            WhatChanged::Removed => p { "Removed." },
            WhatChanged::Incomparable(why) => p { (why) },
            WhatChanged::Answers(_) if changes.is_empty() => p { "Every input is answered as before." },
            WhatChanged::Answers(_) => {
                div.wide {
                    table {
                        thead { tr { th { "Where" } th { "was" } th { "would be" } th {} } }
                        tbody {
                            @for change in changes.iter().take(ROWS) {
                                tr data-testid="change" {
                                    td { (change.inputs) div.small.quiet { "for example " code { (change.witness) } } }
                                    td { code { (change.before) } } td { code { (change.after) } }
                                    td { (direction(change.direction)) }
                                }
                            }
                        }
                    }
                }
                (more(changes.len()))
            }
        }
    }
}

fn workflows(comparison: &Comparison) -> Markup {
    html! {
        @for workflow in &comparison.workflows {
            h3 { "Workflow " code { (workflow.name) } " " (direction(workflow.direction)) }
            @match &workflow.what {
                WorkflowHow::Added => p { "New." },
                WorkflowHow::Removed => p { "Removed." },
                WorkflowHow::Steps(steps) if steps.is_empty() => p { "It does the same as before." },
                WorkflowHow::Steps(steps) => {
                    ul.rows {
                        @for step in steps.iter().take(ROWS) {
                            li data-testid="step" {
                                div.title { @if step.step.is_empty() { "It " } @else { b { (step.step) } " " } (step.words) }
                                div.side { (direction(step.direction)) }
                            }
                        }
                    }
                    (more(steps.len()))
                }
            }
        }
    }
}

fn actions(comparison: &Comparison) -> Markup {
    html! {
        @if !comparison.actions.is_empty() {
            h3 { "Actions" }
            ul.rows {
                @for action in &comparison.actions {
                    li {
                        div.title { code { (action.kinds) } }
                        div.side { (direction(action.direction)) }
                        div.below.small { (action.why.join("; ")) }
                    }
                }
            }
        }
        @if !comparison.witnesses.is_empty() {
            h3 { "For example" }
            ul.rows {
                @for (witness, actors) in alike(&comparison.witnesses).iter().take(ROWS) {
                    li data-testid="witness" {
                        div.title { (witness.probe.kind) " " code { (witness.probe.input) } }
                        div.side { (direction(witness.direction)) }
                        div.below.small {
                            (polity_amend::Simulated::word(witness.before)) " → " (polity_amend::Simulated::word(witness.after))
                            ", by " (actors.join(", "))
                        }
                    }
                }
            }
        }
    }
}

/// Witnesses that differ only in who asks, told once.
fn alike(witnesses: &[Witness]) -> Vec<(&Witness, Vec<&str>)> {
    let mut told: Vec<(&Witness, Vec<&str>)> = Vec::new();
    for witness in witnesses {
        let actor = witness.probe.actor.as_str();
        let same = told.iter_mut().find(|(known, _)| {
            known.probe.kind == witness.probe.kind
                && known.probe.input == witness.probe.input
                && (known.before, known.after) == (witness.before, witness.after)
        });
        match same {
            Some((_, actors)) => actors.push(actor),
            None => told.push((witness, vec![actor])),
        }
    }
    told
}

fn people(comparison: &Comparison) -> Markup {
    html! {
        @if !comparison.people.is_empty() {
            h3 { "People" }
            ul.rows {
                @for person in &comparison.people {
                    li {
                        div.title { (person.actor) }
                        div.side {}
                        @if !person.gained.is_empty() { div.below.small { "may now: " (person.gained.join(", ")) } }
                        @if !person.lost.is_empty() { div.below.small { "may no more: " (person.lost.join(", ")) } }
                    }
                }
            }
        }
    }
}

fn findings(title: &str, findings: &[Finding]) -> Markup {
    html! {
        @if !findings.is_empty() {
            h3 { (title) }
            ul.rows {
                @for finding in findings.iter().take(ROWS) {
                    li {
                        div.title { (finding.message) }
                        div.side { (finding.severity) }
                        div.below.small { code { (finding.place.file) ":" (finding.place.line) } }
                    }
                }
            }
            (more(findings.len()))
        }
    }
}

fn documents(comparison: &Comparison) -> Markup {
    html! {
        @for document in &comparison.documents {
            details {
                summary {
                    code { (document.path) } " "
                    @match document.how { How::Added => "new", How::Removed => "removed", How::Changed => "changed" }
                }
                @if !document.values.is_empty() {
                    div.wide {
                        table {
                            thead { tr { th { "Place" } th { "was" } th { "would be" } } }
                            tbody {
                                @for value in document.values.iter().take(3 * ROWS) {
                                    tr {
                                        td { code { (value.pointer) } }
                                        td { (said(value.before.as_ref())) }
                                        td { (said(value.after.as_ref())) }
                                    }
                                }
                            }
                        }
                    }
                    @let rest = document.more + document.values.len().saturating_sub(3 * ROWS);
                    @if rest > 0 { p.quiet.small { "and " (rest) " more" } }
                }
            }
        }
    }
}

fn said(value: Option<&Value>) -> Markup {
    html! {
        @match value {
            None => span.quiet { "–" },
            Some(Value::String(text)) => code { (text) },
            Some(value) => code { (value) },
        }
    }
}

fn simulated(simulation: &Simulation) -> Markup {
    html! {
        section.card data-testid="simulation" {
            h2 { "What recorded decisions would have become" }
            @if simulation.judged == 0 { p.empty { "None are on record yet." } }
            @else {
                p { (text::count(simulation.judged)) " judged again, " b { (text::count(simulation.changed)) } " would come out otherwise." }
                @if !simulation.shifts.is_empty() {
                    div.wide {
                        table {
                            thead { tr { th { "Action" } th { "was" } th { "would be" } th.number { "times" } th.number { "about" } } }
                            tbody {
                                @for shift in &simulation.shifts {
                                    tr {
                                        td { code { (shift.kind) } } td { (shift.before) } td { (shift.after) }
                                        td.number { (text::count(shift.count)) }
                                        td.number { @if shift.micro > 0 { (text::money(shift.micro, "")) } }
                                    }
                                }
                            }
                        }
                    }
                }
                @let money = simulation.money;
                @if money.before != 0 || money.after != 0 {
                    p.more { "Money that goes out without a question: " (text::money(money.before, "")) " → " b { (text::money(money.after, "")) } }
                }
            }
        }
    }
}

fn direction(direction: Direction) -> Markup {
    let (class, word) = match direction {
        Direction::Same => ("", "as before"),
        Direction::More => ("wait", "easier"),
        Direction::Less => ("good", "harder"),
        Direction::Other => ("wait", "otherwise"),
    };
    html! { span class={ "state " (class) } { (word) } }
}

fn more(all: usize) -> Markup {
    html! { @if all > ROWS { p.quiet.small { "and " (all - ROWS) " more" } } }
}
