//! The steps of the conformance kit, and those that the durable kit adds.

use std::collections::{BTreeMap, VecDeque};

use polity_workflow::{
    Dialect, EffectRequest, Entry, EntryKind, Event, Fault, Outcome, Workflow, milliseconds,
};
use serde_json::Value;

use super::clockwork::Clockwork;
use super::gherkin::{Scenario, Step};
use super::host::{Crash, Host, echo};
use super::stub;

type Answer = Option<Result<Value, Fault>>;

/// What tasks are answered, by their names; the last answer stays.
#[derive(Clone, Default)]
struct Script {
    answers: BTreeMap<String, VecDeque<Answer>>,
    recorded: bool,
}

impl Script {
    fn perform(&mut self, request: &EffectRequest) -> Answer {
        let name = request.task.rsplit('/').next().unwrap_or_default();
        match self.answers.get_mut(name) {
            Some(answers) if answers.len() > 1 => {
                answers.pop_front().expect("it has more than one")
            }
            Some(answers) => answers.front().cloned().expect("it has one"),
            None if self.recorded => Some(stub::perform(&request.call)),
            None => echo(request),
        }
    }
}

/// What a run of a scenario left behind.
#[derive(Default)]
pub(crate) struct Run {
    pub(crate) outcome: Option<Outcome>,
    pub(crate) performed: Vec<(String, &'static str)>,
    pub(crate) commits: usize,
    pub(crate) effects: usize,
    pub(crate) journal: Vec<Entry>,
}

pub(crate) fn yaml(text: &str) -> Value {
    // The crate's own reader is behind `Workflow`; a document whose only task sets the value brings it out.
    let indented: String = text.lines().map(|line| format!("      {line}\n")).collect();
    let document = format!(
        "document: {{dsl: 1.0.3, namespace: t, name: t, version: 1.0.0}}\ndo:\n  - t:\n      wait: PT0S\n      metadata:\n        value:\n    {}",
        indented.replace('\n', "\n    ")
    );
    let workflow = Workflow::load("value.yaml", &document, Dialect::Spec)
        .unwrap_or_else(|error| panic!("{error}\n{document}"));
    workflow.source()["do"][0]["t"]["metadata"]["value"].clone()
}

/// Runs a scenario, and again with a crash at every point where it says so.
pub(crate) fn check(scenario: &Scenario, dialect: Dialect, recorded: bool) -> Result<(), String> {
    let whole = run(scenario, dialect, recorded, Crash::Never)?;
    if !scenario
        .steps
        .iter()
        .any(|step| step.text == "it survives a crash at every point")
    {
        return Ok(());
    }
    let crashes = (1..=whole.commits)
        .map(Crash::AfterCommit)
        .chain((1..=whole.effects).map(Crash::AfterEffect));
    for crash in crashes {
        let again =
            run(scenario, dialect, recorded, crash).map_err(|why| format!("{crash:?}: {why}"))?;
        if again.outcome != whole.outcome {
            return Err(format!(
                "{crash:?}: {:?} instead of {:?}",
                again.outcome, whole.outcome
            ));
        }
        if again.performed != whole.performed {
            return Err(format!(
                "{crash:?}: effects {:?} instead of {:?}",
                again.performed, whole.performed
            ));
        }
    }
    Ok(())
}

pub(crate) fn run(
    scenario: &Scenario,
    dialect: Dialect,
    recorded: bool,
    crash: Crash,
) -> Result<Run, String> {
    let definition = scenario.steps[0]
        .doc
        .as_deref()
        .ok_or("the first step defines the workflow")?;
    let workflow =
        Workflow::load("scenario.yaml", definition, dialect).map_err(|error| error.to_string())?;
    let mut script = Script {
        recorded,
        ..Script::default()
    };
    let mut input = Value::Null;
    let mut host: Option<Host<'_>> = None;
    let mut clockwork = Clockwork::new(&workflow);
    for step in &scenario.steps[1..] {
        let text = step.text.as_str();
        let failed = |why: String| format!("`{text}`: {why}");
        if let Some(result) = clockwork.act(step) {
            result.map_err(failed)?;
        } else if text == "given the workflow input is:" || text == "the workflow input is:" {
            input = yaml(step.doc.as_deref().unwrap_or_default());
        } else if let Some((task, rest)) = quoted(text, "the task ") {
            script
                .answers
                .entry(task.to_owned())
                .or_default()
                .extend(answers(rest, step));
        } else if text == "the workflow is executed" {
            let mut perform = |request: &EffectRequest| script.perform(request);
            host = Some(Host::start(&workflow, input.clone(), crash, &mut perform));
        } else if text == "it survives a crash at every point" {
        } else {
            let host = host
                .as_mut()
                .ok_or_else(|| failed("the workflow was not executed".into()))?;
            let mut perform = |request: &EffectRequest| script.perform(request);
            if !act(host, step, &mut perform) {
                assert_that(host, step).map_err(failed)?;
            }
        }
    }
    let Some(host) = host else {
        return Ok(Run::default());
    };
    Ok(Run {
        outcome: host.instance().outcome().cloned(),
        performed: host
            .performed
            .iter()
            .map(|(id, kind)| (id.key.clone(), *kind))
            .collect(),
        commits: host.commits,
        effects: host.performed.len(),
        journal: host.journal,
    })
}

/// `'name' rest`, after a prefix.
fn quoted<'t>(text: &'t str, prefix: &str) -> Option<(&'t str, &'t str)> {
    let (name, rest) = text
        .strip_prefix(prefix)?
        .strip_prefix('\'')?
        .split_once('\'')?;
    Some((name, rest.trim()))
}

fn answers(rest: &str, step: &Step) -> Vec<Answer> {
    let value = || step.doc.as_deref().map(yaml).unwrap_or_default();
    match rest.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["answers:"] => vec![Some(Ok(value()))],
        ["is", "not", "answered"] => vec![None],
        ["fails", count, "times", "with", "status", status] => {
            let error = Fault::communication(status.parse().unwrap(), "it is down");
            vec![Some(Err(error)); count.parse().unwrap()]
        }
        other => panic!("no such answer: {other:?}"),
    }
}

/// Steps that make something happen.
fn act(host: &mut Host<'_>, step: &Step, perform: &mut super::host::Perform<'_>) -> bool {
    let text = step.text.as_str();
    let doc = || step.doc.as_deref().map(yaml).unwrap_or_default();
    if text == "an event arrives:" {
        host.send(Event::Received { cloud_event: doc() }, perform);
    } else if let Some(duration) = text.strip_suffix(" passes") {
        host.pass(milliseconds(&duration.into()).unwrap(), perform);
    } else if text == "the workflow is suspended" {
        host.send(Event::Suspend, perform);
    } else if text == "the workflow is resumed" {
        host.send(Event::Resume, perform);
    } else if let Some((reason, _)) = quoted(text, "the workflow is cancelled for ") {
        host.send(
            Event::Cancel {
                reason: reason.to_owned(),
            },
            perform,
        );
    } else if let Some((task, what)) = quoted(text, "the effect of ")
        && matches!(what, "is held back" | "may happen")
    {
        let id = host
            .instance()
            .pending()
            .into_iter()
            .find(|id| id.key.contains(&format!("/{task}")))
            .unwrap_or_else(|| panic!("{task} asks for nothing"));
        host.send(
            match what {
                "may happen" => Event::EffectReleased { id },
                _ => Event::EffectHeld { id },
            },
            perform,
        );
    } else if let Some((task, _)) = quoted(text, "a person answers ") {
        let id = host
            .instance()
            .pending()
            .into_iter()
            .find(|id| id.key.contains(&format!("/{task}")))
            .unwrap_or_else(|| panic!("nobody is asked by {task}"));
        host.send(Event::EffectCompleted { id, output: doc() }, perform);
    } else if let Some((task, _)) = quoted(text, "a person answers too late ") {
        let id = host
            .withdrawn
            .iter()
            .find(|id| id.key.contains(&format!("/{task}")))
            .cloned();
        let id = id.unwrap_or_else(|| panic!("{task} was not withdrawn"));
        host.send(Event::EffectCompleted { id, output: doc() }, perform);
    } else {
        return false;
    }
    true
}

fn assert_that(host: &Host<'_>, step: &Step) -> Result<(), String> {
    let text = step.text.as_str();
    let instance = host.instance();
    let doc = || step.doc.as_deref().map(yaml).unwrap_or_default();
    let equal = |found: &Value, wanted: &Value| {
        if found == wanted {
            Ok(())
        } else {
            Err(format!("found {found}, wanted {wanted}"))
        }
    };
    let output = || match instance.outcome() {
        Some(Outcome::Completed { output }) => Ok(output.clone()),
        other => Err(format!(
            "the workflow has not completed: {:?}, {other:?}",
            instance.phase()
        )),
    };
    if text == "the workflow should complete" {
        return output().map(|_| ());
    }
    if text == "the workflow should complete with output:" {
        return equal(&output()?, &doc());
    }
    if text == "the workflow should fault" || text == "the workflow should fault with error:" {
        let Some(Outcome::Faulted { error }) = instance.outcome() else {
            return Err(format!(
                "it has not faulted: {:?}, {:?}",
                instance.phase(),
                instance.outcome()
            ));
        };
        let found = error.to_value();
        for (name, wanted) in doc().as_object().into_iter().flatten() {
            equal(&found[name], wanted)?;
        }
        return Ok(());
    }
    if text == "the workflow should cancel" {
        return matches!(instance.outcome(), Some(Outcome::Cancelled { .. }))
            .then_some(())
            .ok_or_else(|| format!("{:?}", instance.outcome()));
    }
    if let Some(phase) = text.strip_prefix("the workflow should be ") {
        let found = serde_json::to_value(instance.phase()).unwrap();
        return equal(&found, &phase.into());
    }
    if let Some(rest) = text.strip_prefix("the workflow output should have properties ") {
        let output = output()?;
        for path in rest.split(',').map(|path| path.trim().trim_matches('\'')) {
            if output
                .pointer(&format!("/{}", path.replace('.', "/")))
                .is_none()
            {
                return Err(format!("{output} has no {path}"));
            }
        }
        return Ok(());
    }
    if let Some((path, rest)) = quoted(text, "the workflow output should have a ") {
        let output = output()?;
        let found = output
            .pointer(&format!("/{}", path.replace('.', "/")))
            .cloned()
            .unwrap_or_default();
        if rest == "property with value:" {
            return equal(&found, &doc());
        }
        let count: usize = rest
            .split_whitespace()
            .nth(2)
            .and_then(|count| count.parse().ok())
            .ok_or(rest)?;
        return equal(&found.as_array().map_or(0, Vec::len).into(), &count.into());
    }
    if let Some((task, rest)) = quoted(text, "the effect of ") {
        let wanted: usize = rest
            .strip_prefix("should have happened ")
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|count| count.parse().ok())
            .ok_or(rest)?;
        let found = host
            .performed
            .iter()
            .filter(|(id, _)| id.key.contains(&format!("/{task}")))
            .count();
        return equal(&found.into(), &wanted.into());
    }
    if let Some((task, _)) = quoted(text, "nobody should be asked by ") {
        let pending = instance.pending();
        return match pending
            .iter()
            .find(|id| id.key.contains(&format!("/{task}")))
        {
            None => Ok(()),
            Some(id) => Err(format!("{id:?} is pending")),
        };
    }
    about_tasks(host, step)
}

/// `NAME should ...`
fn about_tasks(host: &Host<'_>, step: &Step) -> Result<(), String> {
    let (task, rest) = step
        .text
        .split_once(" should ")
        .ok_or("there is no such step")?;
    let task = task.trim_matches('\'');
    let named = |entry: &&Entry| {
        entry
            .task
            .as_deref()
            .is_some_and(|pointer| pointer.ends_with(&format!("/{task}")))
    };
    let started: Vec<&str> = host
        .journal
        .iter()
        .filter(|entry| entry.kind == EntryKind::TaskStarted)
        .filter_map(|entry| entry.task.as_deref()?.rsplit('/').next())
        .collect();
    let at = |name: &str| {
        started
            .iter()
            .position(|started| *started == name)
            .ok_or(format!("{name} did not run"))
    };
    let truth = |holds: bool| {
        if holds {
            Ok(())
        } else {
            Err(format!("tasks ran in the order {started:?}"))
        }
    };
    match rest {
        "run first" => truth(started.first() == Some(&task)),
        "run last" => truth(started.last() == Some(&task)),
        "not run" => truth(!started.contains(&task)),
        "complete" | "fault" | "cancel" | "be retried" => {
            let kind = match rest {
                "complete" => EntryKind::TaskCompleted,
                "fault" => EntryKind::TaskFaulted,
                "cancel" => EntryKind::TaskCancelled,
                _ => EntryKind::TaskRetried,
            };
            let found = host
                .journal
                .iter()
                .filter(named)
                .any(|entry| entry.kind == kind);
            if found {
                Ok(())
            } else {
                Err(format!("{task} has no {kind:?}"))
            }
        }
        other => {
            if let Some(before) = other.strip_prefix("run before ") {
                return truth(at(task)? < at(before)?);
            }
            if let Some(after) = other.strip_prefix("run after ") {
                return truth(at(task)? > at(after)?);
            }
            Err("there is no such step".to_owned())
        }
    }
}
