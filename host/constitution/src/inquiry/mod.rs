//! A question in plain words, answered with the protocol that covers it. No model is asked: what is found stands in the
//! constitution, and what does not stand there is not made up.

mod index;
mod picture;
mod render;

use std::sync::Arc;

use polity_tables::{AllowedValues, DecisionTable, Kind};
use polity_workflow::{Tree, Workflow};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{Binding, Constitution, Version, lint};
use index::Index;

/// A protocol covers a question when it speaks of so much of it, by weight of the words.
const COVERS: f64 = 0.5;
/// How many near protocols are named.
const NEAR: usize = 3;

/// What the constitution says to a question.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// The question.
    pub question: String,
    /// The constitution that was asked.
    pub version: Version,
    /// The protocol that covers the question; none where nothing does.
    pub protocol: Option<Protocol>,
    /// Protocols that speak of something near, nearest first.
    pub nearest: Vec<Near>,
}

/// What a protocol is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProtocolKind {
    /// What happens next.
    Workflow,
    /// What is decided.
    Table,
    /// What may happen.
    Rule,
}

/// A protocol by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Near {
    /// What it is.
    pub kind: ProtocolKind,
    /// Its name.
    pub name: String,
    /// What it is headed with.
    pub title: String,
    /// Its file.
    pub file: String,
}

/// A protocol with all that a reader needs.
#[derive(Clone, Debug, Serialize)]
pub struct Protocol {
    /// Which.
    #[serde(flatten)]
    pub near: Near,
    /// The role that answers for it.
    pub owner: Option<String>,
    /// What happens, for a workflow.
    pub tree: Option<Tree>,
    /// The tables that decide in it.
    pub tables: Vec<String>,
    /// The bindings that guard what it does; for a binding, none.
    pub rules: Vec<String>,
    /// The sentences that it carries out.
    pub clauses: Vec<Clause>,
    /// How to try it.
    pub run: Vec<String>,
    #[serde(skip)]
    drawn: Vec<Arc<DecisionTable>>,
}

/// A sentence of the handbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Clause {
    /// The sentence.
    pub text: String,
    /// The file that carries it out.
    pub file: String,
}

/// What can be asked for.
enum Entry<'c> {
    Workflow(&'c Arc<Workflow>),
    Table(&'c Arc<DecisionTable>),
    Rule(&'c Binding),
}

impl Constitution {
    /// Every protocol with all that a reader needs: workflows, tables, rules, each by name.
    pub fn protocols(&self) -> Vec<Protocol> {
        let entries = self.entries();
        entries.iter().map(|entry| self.protocol(entry)).collect()
    }

    fn entries(&self) -> Vec<Entry<'_>> {
        self.workflows()
            .iter()
            .map(Entry::Workflow)
            .chain(self.tables().iter().map(Entry::Table))
            .chain(self.bindings().iter().map(Entry::Rule))
            .collect()
    }

    /// What the protocols say to a question.
    pub fn ask(&self, question: &str) -> Answer {
        let entries = self.entries();
        let mut index = Index::default();
        for entry in &entries {
            let texts = entry.texts();
            index.add(texts.iter().map(|(text, weight)| (text.as_str(), *weight)));
        }
        let hits = index.search(question);
        let covering = hits.iter().find(|hit| hit.coverage >= COVERS);
        Answer {
            question: question.to_owned(),
            version: self.version().clone(),
            protocol: covering.map(|hit| self.protocol(&entries[hit.document])),
            nearest: hits
                .iter()
                .filter(|hit| covering.is_none_or(|covering| covering.document != hit.document))
                .take(NEAR)
                .map(|hit| entries[hit.document].near())
                .collect(),
        }
    }

    fn protocol(&self, entry: &Entry<'_>) -> Protocol {
        let near = entry.near();
        match entry {
            Entry::Workflow(workflow) => {
                let process = lint::process_of(workflow);
                let graph = workflow.graph();
                let mut drawn: Vec<Arc<DecisionTable>> = Vec::new();
                let mut clauses = Vec::new();
                for node in &graph.nodes {
                    let table = node
                        .effect
                        .as_ref()
                        .filter(|effect| effect.call == "decide")
                        .and_then(|effect| self.table(effect.arguments["table"].as_str()?));
                    if let Some(table) = table
                        && !drawn.iter().any(|known| Arc::ptr_eq(known, table))
                    {
                        drawn.push(table.clone());
                    }
                    if let Some(Value::String(text)) = &node.policy {
                        clauses.push(Clause {
                            text: text.clone(),
                            file: graph.file.clone(),
                        });
                    }
                }
                clauses.extend(drawn.iter().filter_map(clause_of));
                let guards: Vec<&Binding> = self
                    .bindings()
                    .iter()
                    .filter(|binding| {
                        process.tasks.iter().any(|task| {
                            task.effect.as_ref().is_some_and(|effect| {
                                effect
                                    .action
                                    .parse()
                                    .is_ok_and(|kind| binding.guards(&kind))
                            })
                        })
                    })
                    .collect();
                clauses.extend(guards.iter().copied().filter_map(clause_of_rule));
                let metadata = &workflow.source()["document"]["metadata"];
                Protocol {
                    owner: metadata["owner"].as_str().map(str::to_owned),
                    tree: Some(workflow.tree()),
                    tables: drawn
                        .iter()
                        .map(|table| table.table().name.clone())
                        .collect(),
                    rules: guards.iter().map(|binding| binding.name.clone()).collect(),
                    run: std::iter::once(run(workflow, &drawn))
                        .chain(drawn.iter().map(decide))
                        .collect(),
                    near,
                    clauses,
                    drawn,
                }
            }
            Entry::Table(table) => Protocol {
                near,
                owner: table.table().owner.clone(),
                tree: None,
                tables: vec![table.table().name.clone()],
                rules: Vec::new(),
                clauses: clause_of(table).into_iter().collect(),
                run: vec![decide(table)],
                drawn: vec![Arc::clone(table)],
            },
            Entry::Rule(binding) => Protocol {
                near,
                owner: None,
                tree: None,
                tables: Vec::new(),
                rules: Vec::new(),
                clauses: clause_of_rule(binding).into_iter().collect(),
                run: binding
                    .guards
                    .iter()
                    .map(|guard| {
                        let kind = guard.to_string().replace(".*", ".try").replace('*', "try");
                        format!("polity act {kind} --input '{{}}'")
                    })
                    .collect(),
                drawn: Vec::new(),
            },
        }
    }
}

impl Entry<'_> {
    /// Its texts, each with what a word in it counts.
    fn texts(&self) -> Vec<(String, f64)> {
        let mut texts = Vec::new();
        let mut add = |text: &str, weight: f64| texts.push((text.to_owned(), weight));
        match self {
            Self::Workflow(workflow) => {
                let document = &workflow.source()["document"];
                add(workflow.name(), 3.0);
                add(document["title"].as_str().unwrap_or_default(), 3.0);
                add(document["summary"].as_str().unwrap_or_default(), 2.0);
                for question in document["metadata"]["questions"]
                    .as_array()
                    .into_iter()
                    .flatten()
                {
                    add(question.as_str().unwrap_or_default(), 3.0);
                }
                for node in &workflow.graph().nodes {
                    add(&node.name, 0.5);
                    if let Some(Value::String(policy)) = &node.policy {
                        add(policy, 1.0);
                    }
                }
            }
            Self::Table(table) => {
                let table = table.table();
                add(&table.name, 2.0);
                add(table.title.as_deref().unwrap_or_default(), 3.0);
                add(table.policy.as_deref().unwrap_or_default(), 2.0);
                for question in &table.questions {
                    add(question, 3.0);
                }
                for input in &table.inputs {
                    add(input.label(), 0.5);
                }
                for rule in &table.rules {
                    add(rule.annotation.as_deref().unwrap_or_default(), 1.0);
                    for entry in rule.input_entries.iter().chain(&rule.output_entries) {
                        add(&entry.0, 0.25);
                    }
                }
            }
            Self::Rule(binding) => {
                add(&binding.name, 2.0);
                add(binding.policy.as_deref().unwrap_or_default(), 2.0);
                for guard in &binding.guards {
                    add(&guard.to_string(), 1.0);
                }
            }
        }
        texts
    }

    fn near(&self) -> Near {
        match self {
            Self::Workflow(workflow) => Near {
                kind: ProtocolKind::Workflow,
                name: workflow.name().to_owned(),
                title: workflow.tree().title,
                file: workflow.graph().file,
            },
            Self::Table(table) => Near {
                kind: ProtocolKind::Table,
                name: table.table().name.clone(),
                title: table
                    .table()
                    .title
                    .clone()
                    .unwrap_or_else(|| table.table().name.clone()),
                file: file_of(table),
            },
            Self::Rule(binding) => Near {
                kind: ProtocolKind::Rule,
                name: binding.name.clone(),
                title: binding
                    .policy
                    .clone()
                    .unwrap_or_else(|| binding.name.clone()),
                file: format!("rules/{}.json", binding.name),
            },
        }
    }
}

fn file_of(table: &DecisionTable) -> String {
    table
        .document()
        .map(|document| document.file.clone())
        .unwrap_or_default()
}

fn clause_of(table: &Arc<DecisionTable>) -> Option<Clause> {
    Some(Clause {
        text: table.table().policy.clone()?,
        file: file_of(table),
    })
}

fn clause_of_rule(binding: &Binding) -> Option<Clause> {
    Some(Clause {
        text: binding.policy.clone()?,
        file: format!("rules/{}.json", binding.name),
    })
}

/// A command that runs the workflow; with the facts that its first table asks for, which is what most workflows begin with.
fn run(workflow: &Workflow, drawn: &[Arc<DecisionTable>]) -> String {
    let input = drawn.first().map(sample).unwrap_or_default();
    format!(
        "polity run {} --input '{}'",
        workflow.name(),
        Value::Object(input)
    )
}

/// A command that asks the table something.
fn decide(table: &Arc<DecisionTable>) -> String {
    format!(
        "polity decide {} --input '{}'",
        table.table().name,
        Value::Object(sample(table))
    )
}

/// Facts that the table can be asked about.
fn sample(table: &Arc<DecisionTable>) -> Map<String, Value> {
    let mut input = Map::new();
    for column in &table.table().inputs {
        let value = match (&column.allowed_values, column.type_ref) {
            (Some(AllowedValues::List(values)), _) => values.first().cloned().unwrap_or_default(),
            (_, Kind::Boolean) => json!(true),
            (_, Kind::Number | Kind::Integer) => json!(1),
            _ => json!("…"),
        };
        let mut names = column.source().split('.').rev();
        let last = names.next().unwrap_or_default();
        let nested = names.fold((last, value), |(inner, value), outer| {
            (outer, json!({ inner: value }))
        });
        input.insert(nested.0.to_owned(), nested.1);
    }
    input
}
