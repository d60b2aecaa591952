//! Loops that nothing ends.

use super::paths::{Net, witness};
use super::process::ProcessGraph;
use crate::code::Code;
use crate::edit::Suggestion;
use crate::finding::Finding;

/// Loops in which no task waits, asks or counts. A loop through a wait is slow enough to be stopped; these are not.
pub(super) fn unbounded(graph: &ProcessGraph, net: &Net) -> Vec<Finding> {
    let holds = |at: usize| {
        let task = &graph.tasks[at];
        task.wait.is_some() || task.gate.is_some() || task.bounds_loop
    };
    let mut findings = Vec::new();
    for group in components(net, &holds) {
        let path = a_cycle(net, &group, &holds);
        // Of a long loop its beginning is enough to find it.
        let names: Vec<String> = path
            .iter()
            .take(8)
            .map(|at| format!("\"{}\"", graph.tasks[*at].name))
            .collect();
        let task = &graph.tasks[path[0]];
        let mut finding = Finding::new(
            Code::UnboundedLoop,
            task.place.clone(),
            format!(
                "{} run in a loop that has neither a bound nor a wait",
                names.join(" → ") + if path.len() > 8 { " → …" } else { "" }
            ),
        )
        .witness(witness(graph, &path))
        .suggest(Suggestion::words(
            "count the rounds and leave after the last, or wait in the loop",
        ));
        for at in path.iter().take(8).skip(1) {
            finding = finding.related(
                graph.tasks[*at].place.clone(),
                format!("\"{}\" belongs to the loop", graph.tasks[*at].name),
            );
        }
        findings.push(finding);
    }
    findings
}

/// Strongly connected components with a cycle, without the tasks that hold; R. Tarjan's algorithm with a stack of its own.
fn components(net: &Net, holds: &dyn Fn(usize) -> bool) -> Vec<Vec<usize>> {
    let count = net.next.len();
    let (mut index, mut low) = (vec![usize::MAX; count], vec![0; count]);
    let (mut stack, mut on_stack) = (Vec::new(), vec![false; count]);
    let mut found = Vec::new();
    let mut next_index = 0;
    for root in (0..count).filter(|at| !holds(*at)) {
        if index[root] != usize::MAX {
            continue;
        }
        let mut work = vec![(root, 0)];
        while let Some((at, edge)) = work.pop() {
            if edge == 0 {
                index[at] = next_index;
                low[at] = next_index;
                next_index += 1;
                stack.push(at);
                on_stack[at] = true;
            }
            if let Some((to, _)) = net.next[at].get(edge) {
                work.push((at, edge + 1));
                if holds(*to) {
                    continue;
                }
                if index[*to] == usize::MAX {
                    work.push((*to, 0));
                } else if on_stack[*to] {
                    low[at] = low[at].min(index[*to]);
                }
                continue;
            }
            if let Some((parent, _)) = work.last() {
                low[*parent] = low[*parent].min(low[at]);
            }
            if low[at] == index[at] {
                let mut group = Vec::new();
                while let Some(member) = stack.pop() {
                    on_stack[member] = false;
                    group.push(member);
                    if member == at {
                        break;
                    }
                }
                let to_itself = net.next[at].iter().any(|(to, _)| *to == at);
                if group.len() > 1 || to_itself {
                    group.sort_unstable();
                    found.push(group);
                }
            }
        }
    }
    found.sort();
    found
}

/// A shortest cycle through the first task of a component.
fn a_cycle(net: &Net, group: &[usize], holds: &dyn Fn(usize) -> bool) -> Vec<usize> {
    let start = group[0];
    let mut before = vec![None; net.next.len()];
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for (to, _) in &net.next[at] {
            if *to == start {
                let mut path = vec![at];
                let mut back = at;
                while back != start
                    && let Some(previous) = before[back]
                {
                    path.push(previous);
                    back = previous;
                }
                path.reverse();
                return path;
            }
            if before[*to].is_none() && !holds(*to) && group.binary_search(to).is_ok() {
                before[*to] = Some(at);
                queue.push_back(*to);
            }
        }
    }
    group.to_vec()
}
