//! Protocols: how much they say for their length, and what stands in several places of them.

use std::collections::{BTreeMap, BTreeSet};

use polity_tables::Place;
use serde_json::{Value as Json, json};

use super::{Density, DocumentKind, Saving, repeated, tokens_of};
use crate::code::Code;
use crate::edit::{Edit, Suggestion};
use crate::finding::Finding;
use crate::graph::{ProcessGraph, Target, Task};
use crate::report::ProcessDocument;

/// A step of fewer words is short enough to be written twice.
const WORTH_SHARING: usize = 30;

/// Members of a step that say how it stands among the others, and nothing of what it does.
const OF_THE_PLACE: [&str; 2] = ["then", "if"];

/// What a step says of itself to people.
const FOR_PEOPLE: [&str; 3] = ["title", "policy", "questions"];

/// How dense a protocol is.
pub(crate) fn process_density(document: &ProcessDocument<'_>) -> Density {
    let ProcessDocument { graph, json } = *document;
    let lost = unreached(graph);
    let again: usize = twins(json, &graph.tasks)
        .values()
        .map(|places| places.len() - 1)
        .sum();
    let steps = graph.tasks.len();
    Density {
        kind: DocumentKind::Protocol,
        file: graph.place.file.clone(),
        name: graph.name.clone(),
        rows: steps,
        rows_needed: steps.saturating_sub(lost.len() + again),
        atoms: atoms(graph, json),
        tokens: tokens_of(json),
        decided: decided(graph),
        repeated_parts: repeated(json),
        best_edits: best(graph, json, &lost),
    }
}

/// Effects, questions, waits, ways that are chosen, and conditions.
fn atoms(graph: &ProcessGraph, json: &Json) -> usize {
    let of = |task: &Task| {
        let is_conditional = at(json, task).is_some_and(|body| body.get("if").is_some());
        let ways = task.switch.as_ref().map_or(0, |_| task.edges.len());
        usize::from(task.effect.is_some())
            + usize::from(task.gate.is_some())
            + usize::from(task.wait.is_some())
            + usize::from(is_conditional)
            + ways
    };
    graph.tasks.iter().map(of).sum()
}

/// Of the choices, questions and waits: those that say what happens in every case.
fn decided(graph: &ProcessGraph) -> f64 {
    let (mut all, mut closed) = (0_usize, 0_usize);
    let mut count = |is_closed: bool| {
        all += 1;
        closed += usize::from(is_closed);
    };
    for task in &graph.tasks {
        if let Some(switch) = &task.switch {
            count(switch.default || switch.exhaustive);
        }
        if let Some(gate) = &task.gate {
            count(gate.deadline && gate.escalation);
        }
        if let Some(wait) = &task.wait {
            count(wait.limited);
        }
    }
    match all {
        0 => 1.0,
        all => closed as f64 / all as f64,
    }
}

/// Tasks that no path leads to.
fn unreached(graph: &ProcessGraph) -> BTreeSet<&str> {
    let by_id: BTreeMap<&str, &Task> = graph
        .tasks
        .iter()
        .map(|task| (task.id.as_str(), task))
        .collect();
    let by_name: BTreeMap<(&str, &str), &Task> = graph
        .tasks
        .iter()
        .map(|task| ((task.scope.as_str(), task.name.as_str()), task))
        .collect();
    let mut seen = BTreeSet::new();
    let mut next: Vec<&str> = graph.start.as_deref().into_iter().collect();
    while let Some(id) = next.pop() {
        let Some(task) = by_id.get(id) else { continue };
        if !seen.insert(id) {
            continue;
        }
        for edge in &task.edges {
            match &edge.to {
                Target::Id(id) => next.extend(by_id.get_key_value(id.as_str()).map(|(id, _)| *id)),
                Target::Name(name) => next.extend(
                    by_name
                        .get(&(task.scope.as_str(), name.as_str()))
                        .map(|task| task.id.as_str()),
                ),
                Target::End => {}
            }
        }
    }
    let is_lost = |task: &&Task| !seen.contains(task.id.as_str());
    // Where nothing is known of the beginning, nothing is known of what is left out.
    match graph.start {
        Some(_) => graph
            .tasks
            .iter()
            .filter(is_lost)
            .map(|task| task.id.as_str())
            .collect(),
        None => BTreeSet::new(),
    }
}

/// Edits after which the protocol does the same in fewer words, the one that saves most first.
fn best(graph: &ProcessGraph, json: &Json, lost: &BTreeSet<&str>) -> Vec<Saving> {
    let mut cures: Vec<Suggestion> = Vec::new();
    for id in lost {
        if let Some(task) = graph.tasks.iter().find(|task| task.id == *id) {
            cures.push(Suggestion::edits(
                format!("remove \"{}\", which no path leads to", task.name),
                vec![Edit::Remove {
                    path: item_of(id).to_owned(),
                }],
            ));
        }
    }
    cures.extend(
        twins(json, &graph.tasks)
            .values()
            .filter_map(|places| share(json, places)),
    );
    for task in &graph.tasks {
        if let Some(body) = at(json, task) {
            cures.extend(idle_members(task, body));
            cures.extend(idle_case(task, body));
        }
    }
    let before = tokens_of(json);
    let mut savings: Vec<Saving> = cures
        .into_iter()
        .take(60)
        .filter_map(|suggestion| {
            let mut edited = json.clone();
            suggestion.apply(&mut edited).ok()?;
            let tokens = before
                .checked_sub(tokens_of(&edited))
                .filter(|saved| *saved > 0)?;
            Some(Saving { tokens, suggestion })
        })
        .collect();
    savings.sort_by(|a, b| {
        b.tokens
            .cmp(&a.tokens)
            .then_with(|| a.suggestion.title.cmp(&b.suggestion.title))
    });
    savings.truncate(3);
    savings
}

/// Steps that do the same, by what they do: call one thing with one set of arguments, or hold the same steps.
fn twins<'t>(json: &Json, tasks: &'t [Task]) -> BTreeMap<String, Vec<&'t Task>> {
    let mut found: BTreeMap<String, Vec<&Task>> = BTreeMap::new();
    for task in tasks {
        let Some(body) = at(json, task) else { continue };
        if let Some(does) = what_it_does(body) {
            found.entry(does).or_default().push(task);
        }
    }
    found.retain(|_, places| places.len() > 1);
    found
}

/// A step without what it says of its place; none for a switch, whose ways lead to its own neighbours, and for what is short
/// enough to be written twice.
fn what_it_does(body: &Json) -> Option<String> {
    let mut does = body.as_object()?.clone();
    for member in OF_THE_PLACE {
        does.remove(member);
    }
    if let Some(Json::Object(metadata)) = does.get_mut("metadata") {
        for member in FOR_PEOPLE {
            metadata.remove(member);
        }
    }
    let does = Json::Object(does);
    let is_shared = does.get("switch").is_none() && tokens_of(&does) >= WORTH_SHARING;
    is_shared.then(|| does.to_string())
}

/// Writes a call that stands in several places once, as a function that all of them call.
fn share(json: &Json, places: &[&Task]) -> Option<Suggestion> {
    let first = places.first()?;
    let body = at(json, first)?.as_object()?;
    let function = json!({"call": body.get("call")?, "with": body.get("with")?});
    if json
        .pointer("/use/functions")
        .is_some_and(|known| known.get(&first.name).is_some())
    {
        return None;
    }
    let mut edits = Vec::new();
    if json.get("use").is_none() {
        edits.push(Edit::Add {
            path: "/use".to_owned(),
            value: json!({}),
        });
    }
    if json.pointer("/use/functions").is_none() {
        edits.push(Edit::Add {
            path: "/use/functions".to_owned(),
            value: json!({}),
        });
    }
    edits.push(Edit::Add {
        path: format!("/use/functions/{}", escaped(&first.name)),
        value: function,
    });
    for task in places {
        edits.push(Edit::Replace {
            path: format!("{}/call", task.id),
            value: first.name.clone().into(),
        });
        edits.push(Edit::Remove {
            path: format!("{}/with", task.id),
        });
    }
    Some(Suggestion::edits(
        format!(
            "write what {} do once, as a function that all of them call",
            names(places)
        ),
        edits,
    ))
}

/// Members that say what would hold without them.
fn idle_members(task: &Task, body: &Json) -> Vec<Suggestion> {
    let mut cures = Vec::new();
    let mut remove = |path: &str, why: &str| {
        cures.push(Suggestion::edits(
            format!("leave out {why} of \"{}\"", task.name),
            vec![Edit::Remove {
                path: format!("{}{path}", task.id),
            }],
        ));
    };
    if body["then"] == "continue" {
        remove("/then", "`then: continue`, which holds anyway,");
    }
    for (member, path) in [("input", "from"), ("output", "as"), ("export", "as")] {
        let says_itself = |text: &str| matches!(text.trim(), "." | "${.}" | "${ . }");
        // An export of everything changes the context; the other two hand on what there is.
        if member != "export" && body[member][path].as_str().is_some_and(says_itself) {
            let is_all = body[member].as_object().is_some_and(|all| all.len() == 1);
            let place = match is_all {
                true => format!("/{member}"),
                false => format!("/{member}/{path}"),
            };
            remove(
                &place,
                &format!("`{member}.{path}: .`, which changes nothing,"),
            );
        }
    }
    cures
}

/// The last case before the default that leads where the default leads.
fn idle_case(task: &Task, body: &Json) -> Option<Suggestion> {
    let cases = body["switch"].as_array()?;
    let case =
        |at: usize| -> Option<(&String, &Json)> { cases.get(at)?.as_object()?.iter().next() };
    let last = cases.len().checked_sub(1)?;
    let (_, default) = case(last)?;
    let (name, before) = case(last.checked_sub(1)?)?;
    let same = default.get("when").is_none() && default["then"] == before["then"];
    same.then(|| {
        Suggestion::edits(
            format!(
                "remove the case \"{name}\" of \"{}\": what is left over goes there too",
                task.name
            ),
            vec![Edit::Remove {
                path: format!("{}/switch/{}", task.id, last - 1),
            }],
        )
    })
}

/// Lists of steps, and steps, that stand in two protocols or twice in one.
pub(crate) fn repeated_between(documents: &[ProcessDocument<'_>]) -> Vec<Finding> {
    let mut found: BTreeMap<String, Vec<(&ProcessGraph, &Task)>> = BTreeMap::new();
    for ProcessDocument { graph, json } in documents {
        for task in &graph.tasks {
            let Some(body) = at(json, task) else { continue };
            if let Some(does) = what_it_does(body) {
                found.entry(does).or_default().push((graph, task));
            }
        }
    }
    found.retain(|_, places| places.len() > 1);
    // Of a block that stands in two places, the block is said; what stands in it follows.
    let blocks: Vec<(String, String)> = found
        .values()
        .flatten()
        .map(|(graph, task)| (graph.place.file.clone(), task.id.clone()))
        .collect();
    let is_inside = |(graph, task): &(&ProcessGraph, &Task)| {
        blocks.iter().any(|(file, id)| {
            *file == graph.place.file
                && task.id != *id
                && task
                    .id
                    .strip_prefix(id.as_str())
                    .is_some_and(|rest| rest.starts_with('/'))
        })
    };
    found
        .values()
        .filter(|places| !places.iter().all(is_inside))
        .map(|places| say(places))
        .collect()
}

fn say(places: &[(&ProcessGraph, &Task)]) -> Finding {
    let (last, before) = match places {
        [before @ .., last] => (last, before),
        [] => return Finding::new(Code::DuplicateSteps, Place::default(), "nothing"),
    };
    let of =
        |(graph, task): &(&ProcessGraph, &Task)| format!("\"{}\" of {}", task.name, graph.name);
    let others: Vec<String> = before.iter().take(4).map(of).collect();
    let is_one = places
        .iter()
        .all(|(graph, _)| graph.place.file == last.0.place.file);
    let cure = if is_one {
        "write it once under use.functions, and call it by its name from both places"
    } else {
        "make it a workflow of its own, and let both run it"
    };
    let mut finding = Finding::new(
        Code::DuplicateSteps,
        last.1.place.clone(),
        format!("{} does step for step what {} does", of(last), others.join(" and ")),
    )
    .witness(json!({
        "steps": places.iter().map(|(graph, task)| json!({"protocol": graph.name, "at": task.id})).collect::<Vec<_>>(),
    }))
    .suggest(Suggestion::words(cure));
    for place in before.iter().take(4) {
        finding = finding.related(place.1.place.clone(), format!("{} is the same", of(place)));
    }
    finding
}

fn names(places: &[&Task]) -> String {
    let names: Vec<String> = places
        .iter()
        .map(|task| format!("\"{}\"", task.name))
        .collect();
    names.join(" and ")
}

fn at<'j>(json: &'j Json, task: &Task) -> Option<&'j Json> {
    json.pointer(&task.id)
}

/// The item of the list that a step is: its pointer without its name.
fn item_of(pointer: &str) -> &str {
    pointer.rsplit_once('/').map_or(pointer, |(item, _)| item)
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
