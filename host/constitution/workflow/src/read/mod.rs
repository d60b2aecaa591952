//! From a document that fits the official schema to the typed view, and everything that the schema cannot see: names that
//! lead nowhere, expressions that do not compile, and what this host does not do.

mod kinds;
mod parts;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;

use crate::jq::Dialect;
use crate::problem::{Problem, Problems};
use crate::task::{Flow, Jq, Kind, ListId, Task, TaskId};
use crate::text::{Text, escaped};
use crate::workflow::Workflow;

/// The arguments that every expression can read.
const ARGUMENTS: [&str; 8] = [
    "$context",
    "$input",
    "$output",
    "$secrets",
    "$authorization",
    "$task",
    "$workflow",
    "$runtime",
];

/// Most tasks in one document, functions included.
const MAX_TASKS: usize = 10_000;

/// Reads one document.
pub(crate) struct Reader<'d> {
    file: &'d str,
    text: Text,
    dialect: Dialect,
    problems: Vec<Problem>,
    tasks: Vec<Task>,
    lists: Vec<Vec<TaskId>>,
    scope: BTreeSet<String>,
    compiled: HashMap<(String, BTreeSet<String>), Jq>,
    /// Names under `use.functions` that are being read, outermost first.
    inside: Vec<String>,
    /// What the document asks for as a whole and this host does not do.
    refused: Option<String>,
}

impl<'d> Reader<'d> {
    pub(crate) fn new(file: &'d str, text: Text, dialect: Dialect) -> Self {
        Self {
            file,
            text,
            dialect,
            problems: Vec::new(),
            tasks: Vec::new(),
            lists: Vec::new(),
            scope: ARGUMENTS.iter().map(|name| (*name).to_owned()).collect(),
            compiled: HashMap::new(),
            inside: Vec::new(),
            refused: None,
        }
    }

    /// Reads all of it, or says everything that is wrong.
    pub(crate) fn workflow(mut self, digest: String) -> Result<Workflow, Problems> {
        let source = Arc::new(self.text.value.clone());
        let document = &source["document"];
        let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
        self.evaluation(&source);
        self.extensions(&source);

        // The root comes first, so that its number is known to an instance.
        self.tasks
            .push(self.task("", "", Kind::Root(0), &Value::Null));
        let root = self.list(&source["do"], "/do");
        if let Some(task) = self.tasks.first_mut() {
            task.kind = Kind::Root(root);
        }
        if self.lists.get(root as usize).is_none_or(Vec::is_empty) {
            self.wrong(
                "empty-do",
                "/do",
                "the workflow has no task",
                "add a task under `do`",
            );
        }
        let input = self.input(&source["input"], "/input");
        let output = self.output(&source["output"], "/output");
        let timeout = self.timeout(&source["timeout"], "/timeout");
        let schedule = self.schedule(&source);
        let secrets = source["use"]["secrets"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect();

        if !self.problems.is_empty() {
            self.problems.sort_by(|a, b| {
                (a.line, a.column, &a.pointer, &a.message)
                    .cmp(&(b.line, b.column, &b.pointer, &b.message))
            });
            self.problems.dedup();
            return Err(Problems(self.problems));
        }
        Ok(Workflow {
            file: self.file.to_owned(),
            namespace: text("namespace"),
            name: text("name"),
            version: text("version"),
            digest,
            dialect: self.dialect,
            source: Arc::clone(&source),
            text: self.text,
            input,
            output,
            timeout,
            schedule,
            secrets,
            refused: self.refused,
            tasks: self.tasks,
            lists: self.lists,
        })
    }

    fn evaluation(&mut self, source: &Value) {
        let evaluate = &source["evaluate"];
        if let Some(language) = evaluate["language"].as_str()
            && language != "jq"
        {
            self.wrong(
                "unknown-language",
                "/evaluate/language",
                format!("expressions in \"{language}\" cannot be evaluated"),
                "write them in jq",
            );
        }
        if evaluate["mode"] == "loose" {
            self.wrong(
                "loose-mode",
                "/evaluate/mode",
                "in loose mode it depends on the reader whether a text is an expression",
                "use strict mode, and write expressions as ${ ... }",
            );
        }
    }

    fn extensions(&mut self, source: &Value) {
        let extended = source["use"]["extensions"]
            .as_array()
            .is_some_and(|list| !list.is_empty());
        if extended {
            self.not_as_a_whole(
                "refused-extension",
                "/use/extensions",
                "a document cannot wrap its own tasks: the rules of the constitution do, and for all documents alike",
                "bind a rule instead, or write the steps where they happen",
            );
        }
    }

    /// Something that cannot be left out without changing what the document means: an error in a strict document, and in
    /// others a fault as soon as it starts.
    fn not_as_a_whole(&mut self, code: &'static str, pointer: &str, why: &str, fix: &str) {
        if self.dialect == Dialect::Strict {
            self.wrong(code, pointer, why, fix);
        } else {
            self.refused
                .get_or_insert_with(|| format!("{why} (at {pointer})"));
        }
    }

    /// Reads a list of tasks and returns its number.
    fn list(&mut self, list: &Value, pointer: &str) -> ListId {
        let items: Vec<(&String, &Value)> = list
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|item| item.as_object()?.iter().next())
            .collect();
        let names: Vec<String> = items.iter().map(|(name, _)| (*name).clone()).collect();
        for (index, name) in names.iter().enumerate() {
            if names[..index].contains(name) && self.dialect == Dialect::Strict {
                self.wrong(
                    "repeated-task",
                    format!("{pointer}/{index}/{}", escaped(name)),
                    format!("two tasks of one list are called \"{name}\", so that `then` cannot tell them apart"),
                    "rename one of them",
                );
            }
        }
        let mut ids = Vec::with_capacity(items.len());
        for (index, (name, task)) in items.iter().enumerate() {
            if self.tasks.len() >= MAX_TASKS {
                self.wrong(
                    "too-large",
                    pointer,
                    format!("there are more than {MAX_TASKS} tasks"),
                    "split the workflow",
                );
                break;
            }
            let here = format!("{pointer}/{index}/{}", escaped(name));
            ids.push(self.add(name, task, &here, &names));
        }
        self.lists.push(ids);
        u32::try_from(self.lists.len() - 1).unwrap_or(u32::MAX)
    }

    /// Reads a task and returns its number.
    fn add(&mut self, name: &str, task: &Value, pointer: &str, siblings: &[String]) -> TaskId {
        let id = self.tasks.len();
        // Its place is taken before its children take theirs: a task's number is smaller than those of its children.
        self.tasks.push(self.task(name, pointer, Kind::Do(0), task));
        let kind = self.kind(task, pointer, siblings);
        let condition = self.expression(&task["if"], &format!("{pointer}/if"));
        let input = self.input(&task["input"], &format!("{pointer}/input"));
        let output = self.output(&task["output"], &format!("{pointer}/output"));
        let export = self.output(&task["export"], &format!("{pointer}/export"));
        let timeout = self.timeout(&task["timeout"], &format!("{pointer}/timeout"));
        let then = self.flow(&task["then"], &format!("{pointer}/then"), siblings);
        if let Some(slot) = self.tasks.get_mut(id) {
            slot.kind = kind;
            slot.condition = condition;
            slot.input = input;
            slot.output = output;
            slot.export = export;
            slot.timeout = timeout;
            slot.then = then;
        }
        u32::try_from(id).unwrap_or(u32::MAX)
    }

    fn task(&self, name: &str, pointer: &str, kind: Kind, task: &Value) -> Task {
        Task {
            name: name.to_owned(),
            pointer: pointer.to_owned(),
            metadata: task["metadata"].clone(),
            condition: None,
            input: Default::default(),
            output: Default::default(),
            export: Default::default(),
            timeout: None,
            then: Flow::Continue,
            kind,
        }
    }

    fn flow(&mut self, then: &Value, pointer: &str, siblings: &[String]) -> Flow {
        match then.as_str() {
            None | Some("continue") => Flow::Continue,
            Some("exit") => Flow::Exit,
            Some("end") => Flow::End,
            Some(name) => {
                if let Some(index) = siblings.iter().position(|sibling| sibling == name) {
                    return Flow::To(u32::try_from(index).unwrap_or(u32::MAX));
                }
                let mut known: Vec<&str> = siblings.iter().map(String::as_str).collect();
                known.extend(["continue", "exit", "end"]);
                let fix = nearest(name, &known).map_or_else(
                    || format!("go to one of {}", known.join(", ")),
                    |near| format!("did you mean \"{near}\"?"),
                );
                self.wrong(
                    "unknown-task",
                    pointer,
                    format!(
                        "there is no task \"{name}\" in this list, and `then` cannot leave its list"
                    ),
                    fix,
                );
                Flow::End
            }
        }
    }

    fn wrong(
        &mut self,
        code: &'static str,
        pointer: impl AsRef<str>,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let at = self.text.nearest(pointer.as_ref());
        self.problems.push(Problem {
            code,
            file: self.file.to_owned(),
            line: at.line,
            column: at.column,
            pointer: pointer.as_ref().to_owned(),
            message: message.into(),
            fix: fix.into(),
        });
    }
}

/// The known word that was probably meant.
fn nearest<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(known, word), *known))
        .min()
        .filter(|(distance, near)| *distance <= 1 + near.chars().count() / 4)
        .map(|(_, near)| near)
}
