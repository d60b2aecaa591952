//! The graph with its names resolved.

use std::collections::{HashMap, VecDeque};

use super::process::{ProcessGraph, Target};

/// Edges as numbers of tasks.
pub(super) struct Net {
    /// For each task: where its edges lead, and which edge it is.
    pub(super) next: Vec<Vec<(usize, usize)>>,
    pub(super) start: Option<usize>,
}

impl Net {
    pub(super) fn new(graph: &ProcessGraph) -> Self {
        let by_id: HashMap<&str, usize> = graph
            .tasks
            .iter()
            .enumerate()
            .rev()
            .map(|(at, task)| (task.id.as_str(), at))
            .collect();
        let by_name: HashMap<(&str, &str), usize> = graph
            .tasks
            .iter()
            .enumerate()
            .rev()
            .map(|(at, task)| ((task.scope.as_str(), task.name.as_str()), at))
            .collect();
        let next = graph
            .tasks
            .iter()
            .map(|task| {
                let edges = task.edges.iter().enumerate();
                edges
                    .filter_map(|(edge, found)| {
                        let to = match &found.to {
                            Target::Name(name) => {
                                by_name.get(&(task.scope.as_str(), name.as_str()))
                            }
                            Target::Id(id) => by_id.get(id.as_str()),
                            Target::End => None,
                        };
                        to.map(|to| (*to, edge))
                    })
                    .collect()
            })
            .collect();
        let start = graph
            .start
            .as_deref()
            .and_then(|start| by_id.get(start))
            .copied();
        Self { next, start }
    }

    /// A shortest path from the start to each task that can be reached by edges that may be taken: its predecessor.
    pub(super) fn reach(&self, may: impl Fn(usize, usize) -> bool) -> Vec<Option<usize>> {
        let mut before = vec![None; self.next.len()];
        let Some(start) = self.start else {
            return before;
        };
        before[start] = Some(start);
        let mut queue = VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            for (to, edge) in &self.next[at] {
                if before[*to].is_none() && may(at, *edge) {
                    before[*to] = Some(at);
                    queue.push_back(*to);
                }
            }
        }
        before
    }

    /// The tasks of a path, from the start.
    pub(super) fn path(&self, before: &[Option<usize>], to: usize) -> Vec<usize> {
        let mut path = vec![to];
        let mut at = to;
        while let Some(previous) = before[at]
            && previous != at
        {
            path.push(previous);
            at = previous;
        }
        path.reverse();
        path
    }
}

/// A path as a witness.
pub(super) fn witness(graph: &ProcessGraph, path: &[usize]) -> serde_json::Value {
    let names: Vec<&str> = path
        .iter()
        .map(|at| graph.tasks[*at].name.as_str())
        .collect();
    serde_json::json!({ "path": names })
}
