//! A company's folder, checked: what keeps it from loading, and what its tables, workflows and rules contradict, leave
//! open or say twice. What cannot be read does not keep the rest from being checked.

mod limits;
mod outcomes;
mod process;
mod roles;

use std::path::Path;

use polity_lint::graph::ProcessGraph;
use polity_lint::graph::{Company, RuleBinding, lint_company};
use polity_lint::{Code, Finding, Limits, ProcessDocument, Report, Suggestion};
use polity_tables::Place;
use polity_workflow::Workflow;

use crate::binding::Mode;
use crate::parts::Parts;
use crate::problem::Problem;
use crate::sources::Sources;

/// Actions that the host itself takes, whatever the workflows do.
const OF_THE_HOST: [&str; 7] = [
    "model.complete",
    "model.answer",
    "decision.evaluate",
    "records.query",
    "records.insert",
    "records.update",
    "records.delete",
];

/// What a check found, with the texts that it speaks of.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The findings, and how dense each table is.
    pub report: Report,
    /// The documents, for excerpts.
    pub sources: polity_lint::Sources,
    /// How many documents were checked.
    pub documents: usize,
}

/// Checks a company's folder. Nothing is written, no program is run and no host is needed.
pub fn lint(folder: impl AsRef<Path>) -> Checked {
    lint_with(folder, Vec::new())
}

/// Checks a company's folder, and tells beside what is found what somebody else has found: of policies, what the rules
/// say that read them.
pub fn lint_with(folder: impl AsRef<Path>, found: Vec<Problem>) -> Checked {
    let (sources, mut problems) = Sources::read(folder.as_ref());
    problems.extend(found);
    lint_sources(&sources, problems)
}

/// Checks the documents of a constitution that is in no folder.
pub fn lint_documents(sources: &Sources) -> Checked {
    lint_sources(sources, Vec::new())
}

fn lint_sources(sources: &Sources, mut problems: Vec<Problem>) -> Checked {
    let parts = Parts::read(sources, &mut problems);
    let tables: Vec<_> = parts.tables.iter().map(AsRef::as_ref).collect();
    let protocols: Vec<ProcessGraph> = parts
        .workflows
        .iter()
        .map(|workflow| process::of(workflow))
        .collect();
    // What people say yes to is an action that somebody asks for, though no workflow takes it.
    let approved = protocols
        .iter()
        .flat_map(|protocol| &protocol.tasks)
        .filter_map(|task| task.gate.as_ref())
        .flat_map(|gate| gate.approves.iter().cloned());
    let company = Company {
        other_actions: approved.chain(OF_THE_HOST.map(str::to_owned)).collect(),
        protocols,
        rules: parts
            .bindings
            .iter()
            .map(|binding| RuleBinding {
                name: binding.name.clone(),
                guards: binding.guards.iter().map(ToString::to_string).collect(),
                place: rule_place(sources, &binding.name, "/guards"),
                rule: binding.rule.clone(),
                enforced: binding.mode == Mode::Enforce,
                config: binding.config.clone(),
            })
            .collect(),
        started_by_name: Vec::new(),
    };
    let mut findings: Vec<Finding> = problems.into_iter().map(Finding::from).collect();
    findings.extend(lint_company(&company));
    findings.extend(limits::compared(&parts, sources));
    findings.extend(unused_policies(sources, &parts));
    for workflow in &parts.workflows {
        findings.extend(outcomes::never_given(workflow, &parts.tables));
    }
    if let Some(charter) = &parts.charter {
        let workflows = parts.workflows.iter();
        findings.extend(workflows.flat_map(|workflow| roles::asked(workflow, charter)));
    }
    for finding in &mut findings {
        mark(&mut finding.place, sources);
        for (place, _) in &mut finding.related {
            mark(place, sources);
        }
    }
    let documents: Vec<ProcessDocument<'_>> = company
        .protocols
        .iter()
        .zip(&parts.workflows)
        .map(|(graph, workflow)| ProcessDocument {
            graph,
            json: workflow.source(),
        })
        .collect();
    let report = Report::of_tables(&tables, &Limits::default())
        .and(Report::of_processes(&documents))
        .and(Report::new(findings));
    Checked {
        report,
        sources: polity_lint::Sources::of(
            sources
                .iter()
                .map(|(file, text)| (file.to_owned(), text.to_owned())),
        ),
        documents: sources.iter().count(),
    }
}

/// A part of a binding's file, as exactly as the file tells it.
fn rule_place(sources: &Sources, name: &str, pointer: &str) -> Place {
    let file = format!("rules/{name}.json");
    let read = |text: &str| polity_document::Document::parse(&file, text).ok();
    let document = sources.get(&file).and_then(read);
    document.map_or_else(
        || Place {
            pointer: pointer.to_owned(),
            ..Place::of_file(&file)
        },
        |document| document.place(pointer),
    )
}

/// A text that no rule judges by, though its author may believe that one does.
fn unused_policies(sources: &Sources, parts: &Parts) -> Vec<Finding> {
    let unused = sources.policies().filter(|(path, _)| {
        let mut named = parts.bindings.iter().flat_map(|binding| &binding.policies);
        !named.any(|named| named == path)
    });
    unused
        .map(|(path, _)| {
            Finding::new(
                Code::RuleNeverApplies,
                Place::of_file(path),
                format!("no binding names {path}, so that nothing is judged by it"),
            )
            .suggest(Suggestion::words(format!(
                "name it in a file of rules/: \"policies\": [\"{path}\"]"
            )))
        })
        .collect()
}

/// The protocol that a workflow is, in the linter's words.
pub(crate) fn process_of(workflow: &Workflow) -> ProcessGraph {
    process::of(workflow)
}

/// Gives a place that knows its line alone the bytes of that line, so that an excerpt can be shown.
fn mark(place: &mut Place, sources: &Sources) {
    let Some(text) = sources.get(&place.file) else {
        return;
    };
    if place.line == 0 || place.end > place.start {
        return;
    }
    let mut start = 0;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if number == place.line {
            let indent = line.len() - line.trim_start().len();
            place.start = start + indent;
            place.end = start + line.trim_end().len().max(indent);
            place.column = place
                .column
                .max(u32::try_from(indent).unwrap_or(0).saturating_add(1));
            return;
        }
        start += line.len();
    }
}

/// What keeps a document from being used is a finding too.
impl From<Problem> for Finding {
    fn from(problem: Problem) -> Self {
        let code = match problem.code.as_str() {
            "ill-typed-cell" | "unlisted-value" => Code::IllTypedCell,
            "unknown-task" => Code::UnknownTarget,
            "effect-undeclared" => Code::EffectClassUndeclared,
            "unbounded-retry" => Code::UnboundedLoop,
            _ => Code::Unreadable,
        };
        let place = Place {
            file: problem.file,
            line: problem.line,
            column: problem.column,
            pointer: problem.pointer,
            ..Place::default()
        };
        Self::new(code, place, problem.message).suggest(Suggestion::words(problem.fix))
    }
}
