//! A workflow in the linter's words.
//!
//! The graph of a workflow leads out of a block by leading back to it. For a linter that would be a loop, and a block that
//! holds an approval would also be a way around it. So a way out of a block leads to where the block leads, and the block
//! itself leads only into its tasks, and past them where it may be skipped.

use std::collections::BTreeMap;

use polity_lint::graph::{
    Edge, EdgeKind, Effect, EffectClass, Gate, ProcessGraph, Switch, Target, Task, Trigger, Wait,
};
use polity_tables::Place;
use polity_workflow::{
    EdgeKind as Way, EffectClass as Class, Graph, Node, Place as Spot, Workflow,
};
use serde_json::Value;

/// The label of a way past a task whose condition does not hold.
const SKIPPED: &str = "skipped";

/// The protocol that a workflow is.
pub(super) fn of(workflow: &Workflow) -> ProcessGraph {
    let graph = workflow.graph();
    let map = Map {
        graph: &graph,
        source: workflow.source(),
    };
    let start = graph
        .edges
        .iter()
        .find(|edge| edge.from == 0 && edge.kind == Way::Into)
        .and_then(|edge| graph.nodes.get(edge.to?));
    ProcessGraph {
        name: workflow.name().to_owned(),
        place: Place {
            line: 1,
            column: 1,
            ..Place::of_file(&graph.file)
        },
        start: start.map(|node| node.place.pointer.clone()),
        // The first node is the workflow itself.
        tasks: (1..graph.nodes.len()).map(|at| map.task(at)).collect(),
        triggers: graph
            .triggers
            .iter()
            .map(|trigger| Trigger {
                on: trigger.words.clone(),
                place: map.place(&trigger.place),
                events: events(&workflow.source()["schedule"]["on"]),
            })
            .collect(),
    }
}

/// The events of a trigger, by what each must have. Where several must come together, no single one starts anything.
fn events(on: &Value) -> Vec<BTreeMap<String, Value>> {
    let of = |filter: &Value| -> BTreeMap<String, Value> {
        let attributes = filter["with"].as_object().into_iter().flatten();
        attributes
            .filter(|(_, value)| !value.as_str().is_some_and(|text| text.contains("${")))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    match on {
        Value::Object(on) => on
            .iter()
            .flat_map(|(mode, filters)| match (mode.as_str(), filters) {
                ("one", filter) => vec![of(filter)],
                ("any", Value::Array(filters)) => filters.iter().map(of).collect(),
                ("all", Value::Array(filters)) if filters.len() == 1 => vec![of(&filters[0])],
                _ => Vec::new(),
            })
            .collect(),
        _ => Vec::new(),
    }
}

struct Map<'g> {
    graph: &'g Graph,
    source: &'g Value,
}

impl Map<'_> {
    fn task(&self, at: usize) -> Task {
        let node = &self.graph.nodes[at];
        let metadata = self.metadata(node);
        let gate = node.effect.as_ref().and_then(|effect| effect.gate.as_ref());
        let wait = node.wait.as_ref().filter(|_| gate.is_none());
        Task {
            id: node.place.pointer.clone(),
            name: node.name.clone(),
            scope: scope(&node.place.pointer).to_owned(),
            place: self.place(&node.place),
            edges: self.edges(at),
            effect: effect(node, metadata),
            gate: gate.map(|gate| Gate {
                approves: words(&metadata["approves"]),
                deadline: gate.has_deadline,
                escalation: gate.has_escalation,
            }),
            wait: wait.map(|wait| Wait {
                for_what: wait.words.clone(),
                limited: wait.bounded,
            }),
            switch: (node.kind == "switch").then_some(Switch {
                default: node.has_default,
                exhaustive: false,
            }),
            bounds_loop: node.repeat.as_ref().is_some_and(|repeat| repeat.bounded),
            runs: node
                .effect
                .as_ref()
                .filter(|effect| effect.call == "run.workflow")
                .and_then(|effect| effect.arguments["name"].as_str())
                .map(str::to_owned),
        }
    }

    fn edges(&self, at: usize) -> Vec<Edge> {
        let node = &self.graph.nodes[at];
        let own = || self.graph.edges.iter().filter(move |edge| edge.from == at);
        let enters = own().any(|edge| matches!(edge.kind, Way::Into | Way::Branch));
        let repeats = matches!(node.kind, "for" | "listen");
        let catches = own().any(|edge| is_catch_list(self.graph, at, edge));
        let goes_on = own().any(|edge| is_caught(self.graph, at, edge));
        let says_skipped = own().any(|edge| edge.label.as_deref() == Some(SKIPPED));
        let mut edges = Vec::new();
        for edge in own() {
            let is_skip = edge.label.as_deref() == Some(SKIPPED);
            let (keep, kind) = match edge.kind {
                Way::Into | Way::Branch => (true, EdgeKind::Enter),
                Way::Catch => (
                    is_catch_list(self.graph, at, edge) || !catches,
                    EdgeKind::Catch,
                ),
                _ if !enters || repeats => (true, plain(edge.kind)),
                // A block is left by its tasks; past them leads only a condition, or an error that is caught and forgotten.
                _ if node.kind == "try" && !catches && !goes_on => (true, EdgeKind::Catch),
                _ => (
                    is_skip || (node.condition.is_some() && !says_skipped),
                    plain(edge.kind),
                ),
            };
            if keep {
                self.lead(at, edge, kind, &mut edges);
            }
        }
        edges
    }

    /// Adds where an edge leads; out of a block it leads to where the block leads.
    fn lead(&self, at: usize, edge: &polity_workflow::Edge, kind: EdgeKind, edges: &mut Vec<Edge>) {
        let node = &self.graph.nodes[at];
        let place = self.place(&node.place);
        let leaves = edge.to.is_some() && edge.to == node.parent;
        let Some(to) = edge.to else {
            edges.push(way(Target::End, kind, place));
            return;
        };
        let target = &self.graph.nodes[to];
        if !leaves || matches!(target.kind, "for" | "listen") {
            let same_list = scope(&target.place.pointer) == scope(&node.place.pointer);
            let is_written = matches!(edge.kind, Way::Then | Way::Case);
            let target = if same_list && is_written {
                Target::Name(target.name.clone())
            } else {
                Target::Id(target.place.pointer.clone())
            };
            edges.push(way(target, kind, place));
            return;
        }
        let in_catch = node
            .place
            .pointer
            .strip_prefix(&target.place.pointer)
            .is_some_and(|inner| inner.starts_with("/catch/"));
        let after = |edge: &&polity_workflow::Edge| {
            edge.from == to && !is_entry(edge.kind) && edge.label.as_deref() != Some(SKIPPED)
        };
        let caught =
            |edge: &&polity_workflow::Edge| edge.from == to && is_caught(self.graph, to, edge);
        let has_caught = in_catch && self.graph.edges.iter().any(|edge| caught(&edge));
        for next in &self.graph.edges {
            if (has_caught && caught(&next)) || (!has_caught && after(&next)) {
                let mut found = Vec::new();
                self.lead(to, next, EdgeKind::Leave, &mut found);
                // Where the block leads by name is by that name in the block's list, and not in this one.
                edges.extend(found.into_iter().map(|edge| Edge {
                    to: self.by_id(to, edge.to),
                    place: place.clone(),
                    ..edge
                }));
            }
        }
    }

    fn by_id(&self, block: usize, target: Target) -> Target {
        let Target::Name(name) = target else {
            return target;
        };
        let list = scope(&self.graph.nodes[block].place.pointer);
        let found = self
            .graph
            .nodes
            .iter()
            .find(|node| node.name == name && scope(&node.place.pointer) == list);
        match found {
            Some(node) => Target::Id(node.place.pointer.clone()),
            None => Target::Name(name),
        }
    }

    fn metadata(&self, node: &Node) -> &Value {
        self.source
            .pointer(&node.place.pointer)
            .map_or(&Value::Null, |task| &task["metadata"])
    }

    fn place(&self, spot: &Spot) -> Place {
        Place {
            line: spot.line,
            column: 1,
            pointer: spot.pointer.clone(),
            ..Place::of_file(&self.graph.file)
        }
    }
}

fn way(to: Target, kind: EdgeKind, place: Place) -> Edge {
    Edge {
        to,
        kind,
        place,
        on: None,
    }
}

fn is_entry(way: Way) -> bool {
    matches!(way, Way::Into | Way::Branch | Way::Catch)
}

/// Whether an edge enters the tasks that handle an error, and is not the way on after them.
fn is_catch_list(graph: &Graph, from: usize, edge: &polity_workflow::Edge) -> bool {
    edge.kind == Way::Catch
        && edge.to.is_some_and(|to| {
            graph
                .nodes
                .get(to)
                .is_some_and(|node| node.parent == Some(from))
        })
}

/// Whether an edge says where it goes after an error was handled.
fn is_caught(graph: &Graph, from: usize, edge: &polity_workflow::Edge) -> bool {
    edge.kind == Way::Catch && !is_catch_list(graph, from, edge)
}

fn plain(way: Way) -> EdgeKind {
    match way {
        Way::Case | Way::NoCase => EdgeKind::Branch,
        Way::OutOf => EdgeKind::Leave,
        _ => EdgeKind::Next,
    }
}

/// The list that a task stands in: its pointer without its number and its name.
fn scope(pointer: &str) -> &str {
    pointer
        .rsplit_once('/')
        .and_then(|(item, _)| item.rsplit_once('/'))
        .map_or("", |(list, _)| list)
}

/// What a task does to the world. Questions to people are gates; what the company notes of itself is no effect on others.
fn effect(node: &Node, metadata: &Value) -> Option<Effect> {
    let effect = node.effect.as_ref()?;
    if effect.reads_only
        || effect.gate.is_some()
        || matches!(effect.call.as_str(), "emit" | "run.workflow")
    {
        return None;
    }
    let argument = |name: &str| effect.arguments[name].as_str().unwrap_or_default();
    let action = match (metadata["action"].as_str(), effect.call.as_str()) {
        (Some(action), _) => action.to_owned(),
        (None, "model" | "council") => "model.complete".to_owned(),
        (None, "connector") => format!("{}.{}", argument("plugin"), argument("operation")),
        (None, call) => call.to_owned(),
    };
    Some(Effect {
        action,
        class: effect.declared.then_some(match effect.class {
            Class::Own => EffectClass::OwnRecords,
            Class::Idempotent => EffectClass::IdempotentByKey,
            Class::AtMostOnce => EffectClass::AtMostOnce,
            Class::AtLeastOnce => EffectClass::AtLeastOnce,
        }),
        needs_approval: false,
    })
}

/// One word, or a list of them.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(word) => vec![word.clone()],
        Value::Array(words) => words
            .iter()
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}
