//! A workflow as people and linters see it.

use polity_workflow::{Dialect, EdgeKind, Tree, Workflow};

fn refund() -> Workflow {
    Workflow::load(
        "refund-dispute.yaml",
        include_str!("data/refund-dispute.yaml"),
        Dialect::Strict,
    )
    .unwrap()
}

#[test]
fn the_tree_is_drawn_for_a_terminal() {
    insta::assert_snapshot!(refund().tree().terminal());
}

#[test]
fn the_tree_is_written_in_markdown() {
    insta::assert_snapshot!(refund().tree().markdown());
}

#[test]
fn the_tree_is_a_mermaid_flowchart() {
    insta::assert_snapshot!(refund().tree().mermaid());
}

#[test]
fn the_tree_is_an_svg() {
    insta::assert_snapshot!(refund().tree().svg());
}

#[test]
fn the_tree_reads_back_as_it_was_written() {
    let tree = refund().tree();
    let written = serde_json::to_string(&tree).unwrap();
    assert_eq!(serde_json::from_str::<Tree>(&written).unwrap(), tree);
}

#[test]
fn the_graph_tells_a_linter_what_it_must_know() {
    insta::assert_json_snapshot!(refund().graph());
}

#[test]
fn every_edge_joins_nodes_that_exist_and_every_task_can_be_reached() {
    let graph = refund().graph();
    let mut reached = vec![false; graph.nodes.len()];
    reached[0] = true;
    loop {
        let before = reached.iter().filter(|reached| **reached).count();
        for edge in &graph.edges {
            assert!(
                edge.from < graph.nodes.len() && edge.to.is_none_or(|to| to < graph.nodes.len())
            );
            if let Some(to) = edge.to
                && reached[edge.from]
            {
                reached[to] = true;
            }
        }
        if reached.iter().filter(|reached| **reached).count() == before {
            break;
        }
    }
    assert_eq!(reached.iter().position(|reached| !reached), None);
}

#[test]
fn a_task_that_nothing_leads_to_has_no_edge_to_it() {
    let text = "document: {dsl: 1.0.3, namespace: t, name: t, version: 1.0.0}
do:
  - a: {set: {x: 1}, then: c}
  - b: {set: {x: 2}}
  - c: {raise: {error: {type: 'https://x.example', status: 400}}}
  - d: {set: {x: 3}}
";
    let graph = Workflow::load("t.yaml", text, Dialect::Strict)
        .unwrap()
        .graph();
    let name = |index: usize| graph.nodes[index].name.as_str();
    let edges: Vec<_> = graph
        .edges
        .iter()
        .map(|edge| (name(edge.from), edge.to.map(name), edge.kind))
        .collect();
    assert_eq!(
        edges,
        [
            ("", Some("a"), EdgeKind::Into),
            ("a", Some("c"), EdgeKind::Then),
            ("b", Some("c"), EdgeKind::Next),
            ("d", None, EdgeKind::Next),
        ]
    );
}

#[test]
fn nothing_in_a_document_reaches_the_terminal_or_the_markup_as_more_than_text() {
    let text =
        "document: {dsl: 1.0.3, namespace: t, name: t, version: 1.0.0, title: \"<b>\\e[31m\\\"x\"}
do:
  - '<script>alert(1)</script>': {set: {x: 1}, metadata: {policy: \"a\\e]0;x\\a<i>\"}}
";
    let tree = Workflow::load("t.yaml", text, Dialect::Strict)
        .unwrap()
        .tree();
    for text in [tree.terminal(), tree.markdown(), tree.mermaid(), tree.svg()] {
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
    for text in [tree.svg(), tree.mermaid()] {
        assert!(!text.contains("<script>"), "{text}");
    }
    assert!(!tree.markdown().replace("\\<", "").contains("<script"));
}
