//! Steps of two versions, told to be the same by the names on the way to them: a step that is moved up a line is the step
//! that it was.

use std::collections::BTreeMap;

use polity_workflow::{Edge, EdgeKind, Graph, Node};

/// The names on the way to a step.
pub(super) type Key = String;

/// The steps of a graph by their names.
pub(super) fn by_name(graph: &Graph) -> BTreeMap<Key, usize> {
    let nodes = graph.nodes.iter().enumerate().skip(1);
    nodes
        .map(|(at, node)| (key(&node.place.pointer), at))
        .collect()
}

/// A pointer without the numbers that say which item of a list is meant; what stands behind a number is a name, whatever
/// it looks like.
pub(super) fn key(pointer: &str) -> Key {
    let mut key = String::new();
    let mut is_name = false;
    for token in pointer.split('/').skip(1) {
        let is_number = !is_name && token.parse::<usize>().is_ok();
        if !is_number {
            key.push('/');
            key.push_str(token);
        }
        is_name = is_number;
    }
    key
}

/// Where a way leads, in words that are the same in both versions.
pub(super) fn target(graph: &Graph, edge: &Edge) -> String {
    match edge.to.and_then(|to| graph.nodes.get(to)) {
        None => "the end".to_owned(),
        Some(node) => match node.name.as_str() {
            "" => "the end".to_owned(),
            name => format!("\"{name}\""),
        },
    }
}

/// Where a step leads when nothing is chosen: the ways that are no cases, and neither lead in nor past it.
pub(super) fn next_of(graph: &Graph, at: usize) -> Vec<String> {
    let mut next: Vec<String> = graph
        .edges
        .iter()
        .filter(|edge| edge.from == at)
        .filter(|edge| matches!(edge.kind, EdgeKind::Next | EdgeKind::Then))
        .filter(|edge| edge.label.is_none())
        .map(|edge| target(graph, edge))
        .collect();
    next.sort();
    next.dedup();
    next
}

/// Whether a step puts a question to a person.
pub(super) fn asks(node: &Node) -> bool {
    node.effect
        .as_ref()
        .is_some_and(|effect| effect.gate.is_some())
}

/// Whether a step changes anything outside of the workflow.
pub(super) fn acts(node: &Node) -> bool {
    node.effect
        .as_ref()
        .is_some_and(|effect| !effect.reads_only && effect.gate.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_moves_keeps_its_key_and_a_number_may_be_a_name() {
        assert_eq!(key("/do/3/ask"), key("/do/1/ask"));
        assert_eq!(key("/do/0/try/try/2/pay"), "/do/try/try/pay");
        assert_eq!(key("/do/0/0"), "/do/0");
        assert_ne!(key("/do/0/a/do/0/b"), key("/do/0/b"));
    }
}
