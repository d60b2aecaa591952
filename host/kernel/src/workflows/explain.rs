//! The story of an instance: what happened to it, in order and in words.

use std::fmt;

use polity_ledger::{ReadError, StoredEvent};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::events::rfc3339;
use super::key;
use super::view::{InstanceView, Waiting};
use crate::Kernel;
use crate::kept::cut;

/// Events of one story.
const MOST: usize = 2_000;
/// Bytes of a value in a sentence.
const MAX_VALUE: usize = 200;

/// Everything that is known of an instance. Its [`Display`](fmt::Display) tells it in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InstanceStory {
    /// How it stands.
    pub instance: InstanceView,
    /// What happened, oldest first.
    pub lines: Vec<Line>,
    /// Whether there is more than is told.
    pub cut: bool,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Its place in the ledger.
    pub seq: u64,
    /// When.
    pub time_ms: u64,
    /// The kind of event.
    pub kind: String,
    /// The task that it is about, by its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// In words.
    pub words: String,
    /// The rules' decision on it, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
}

impl Kernel {
    /// The story of an instance; none where there is none of this id.
    ///
    /// # Errors
    /// The ledger does not read.
    pub fn instance_story(&self, id: Uuid) -> Result<Option<InstanceStory>, ReadError> {
        let Some(instance) = self.instance(id)? else {
            return Ok(None);
        };
        let mut events = self.instance_events(id, MOST + 1)?;
        let is_cut = events.len() > MOST;
        events.truncate(MOST);
        Ok(Some(InstanceStory {
            instance,
            lines: events.iter().filter_map(line).collect(),
            cut: is_cut,
        }))
    }

    /// At most `limit` of the events of an instance, oldest first: the lifecycle events of the specification, and what
    /// the host did in between.
    ///
    /// # Errors
    /// The ledger does not read.
    pub fn instance_events(&self, id: Uuid, limit: usize) -> Result<Vec<StoredEvent>, ReadError> {
        self.inner.ledger.events_of(&key::subject(id), 0, limit)
    }
}

/// What an event means to a reader; none where another event says it better.
fn line(event: &StoredEvent) -> Option<Line> {
    let data = &event.data;
    let text = |name: &str| data[name].as_str().unwrap_or_default();
    let value = |name: &str| {
        let text = data[name].to_string();
        if text.len() > MAX_VALUE {
            format!("{}…", cut(&text, MAX_VALUE))
        } else {
            text
        }
    };
    let words = match event.kind.as_str() {
        "workflow.started" => "began".to_owned(),
        "workflow.completed" => format!("ended with {}", value("output")),
        "workflow.faulted" => format!("ended in an error: {}", fault(&data["error"])),
        "workflow.cancelled" => format!("was cancelled by {}", text("reason")),
        "workflow.suspended" => "was suspended".to_owned(),
        "workflow.resumed" => "went on".to_owned(),
        "task.started" => "began".to_owned(),
        "task.completed" => match data.get("output") {
            Some(_) => format!("ended with {}", value("output")),
            None => "ended".to_owned(),
        },
        "task.faulted" => format!("failed: {}", fault(&data["error"])),
        "task.retried" => "is tried again".to_owned(),
        "task.cancelled" => "was cancelled".to_owned(),
        "workflow.decided" => format!(
            "the table {} answers {} by its row {}",
            text("table"),
            value("value"),
            value("rows")
        ),
        "workflow.judged" => format!(
            "the rules on {}: {}. {}",
            text("action"),
            text("outcome"),
            text("reason")
        ),
        "workflow.asked" => format!(
            "asks the role {}: {} (inbox {})",
            text("role"),
            text("title"),
            value("items")
        ),
        "workflow.event-sent" => {
            format!(
                "sent the event {}",
                data["event"]["type"].as_str().unwrap_or_default()
            )
        }
        _ => return None,
    };
    let task = data["task"]
        .as_str()
        .and_then(|pointer| pointer.rsplit('/').next())
        .map(str::to_owned);
    Some(Line {
        seq: event.seq,
        time_ms: event.time_ms,
        kind: event.kind.clone(),
        task,
        words: words
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect(),
        decision: data["decision"].as_str().map(str::to_owned),
    })
}

fn fault(error: &Value) -> String {
    let title = error["title"].as_str().unwrap_or("an error");
    match error["detail"].as_str() {
        Some(detail) => format!("{title}: {detail}"),
        None => title.to_owned(),
    }
}

impl fmt::Display for InstanceStory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instance = &self.instance;
        let phase = serde_json::to_value(instance.phase).unwrap_or_default();
        writeln!(
            f,
            "{} {} is {}, run by {} since {}, under the constitution {}",
            instance.workflow,
            instance.version,
            phase.as_str().unwrap_or_default(),
            instance.actor,
            rfc3339(instance.started_ms),
            cut(&instance.constitution.digest, 12)
        )?;
        for line in &self.lines {
            let task = line.task.as_deref().unwrap_or("·");
            writeln!(f, "  {}  {task:<14} {}", clock(line.time_ms), line.words)?;
            if let Some(decision) = &line.decision {
                writeln!(f, "                              decision {decision}")?;
            }
        }
        if self.cut {
            writeln!(f, "  … and more; `polity ledger tail` has all of it")?;
        }
        for waits in &instance.waits {
            writeln!(f, "waits for {waits}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person {
                item, role, title, ..
            } => write!(
                f,
                "a person with the role {role} ({title}): inbox item {item}"
            ),
            Self::Time { at_ms } => write!(f, "{}", rfc3339(*at_ms)),
            Self::Event { types } if types.is_empty() => write!(f, "an event"),
            Self::Event { types } => write!(f, "an event of the type {}", types.join(" or ")),
            Self::Workflow { instance } => write!(f, "the instance {instance}"),
            Self::Effect { task, call } => write!(f, "the answer to {call} at {task}"),
            Self::Halt { task, call } => {
                write!(
                    f,
                    "whoever stopped it, before {call} at {task}: polity halt"
                )
            }
        }
    }
}

/// Hours, minutes, seconds and milliseconds.
fn clock(ms: u64) -> String {
    rfc3339(ms).get(11..23).unwrap_or_default().to_owned()
}
