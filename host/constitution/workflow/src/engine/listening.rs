//! Matching events against a strategy: one, any or all, with correlation, until a condition or another event. The same
//! rules start workflows (`schedule.on`) and continue them (`listen`).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::instance::{Instance, State};
use crate::Workflow;
use crate::schedule::{Trigger, rfc3339};
use crate::task::{Filter, Jq, Kind, Mode, Read, Strategy, Template, Until};

/// Most events that one listener consumes.
const MAX_EVENTS: usize = 10_000;

/// What a listener has consumed so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Listening {
    /// Which filters have had their event.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    matched: BTreeMap<u32, ()>,
    /// Source and id of what was consumed: a delivery that is repeated counts once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    seen: Vec<(String, String)>,
    /// The values that correlation has fixed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) keys: BTreeMap<String, Value>,
    /// The same for the events that end it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Box<Listening>>,
    /// True once it consumes no more.
    pub(crate) closed: bool,
}

/// What an event means to a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    /// Nothing.
    Ignored,
    /// It is consumed.
    Consumed,
    /// It ends the listening, and is no part of the result.
    Ended,
}

/// How expressions in a filter are answered: the template or expression, and what `.` is.
pub(crate) trait Evaluate {
    fn fill(&self, template: &Template, input: &Value) -> Result<Value, String>;
    fn eval(&self, jq: &Jq, input: &Value) -> Result<Value, String>;
}

impl Listening {
    /// Shows it an event. A filter whose expressions fail on the event does not match it.
    pub(crate) fn offer(
        &mut self,
        to: &Strategy,
        event: &Value,
        evaluate: &dyn Evaluate,
    ) -> Offered {
        if self.closed || self.seen.len() >= MAX_EVENTS {
            return Offered::Ignored;
        }
        let name = identity(event);
        if self.seen.contains(&name) {
            return Offered::Ignored;
        }
        if let Some(Until::Events(until)) = &to.until {
            let ending = self.until.get_or_insert_default();
            if ending.offer(until, event, evaluate) == Offered::Consumed && ending.closed {
                self.closed = true;
                return Offered::Ended;
            }
        }
        let open = to.filters.is_empty() && to.mode == Mode::Any;
        let matching = (0..).zip(&to.filters).find_map(|(index, filter)| {
            let taken = to.mode == Mode::All && self.matched.contains_key(&index);
            (!taken).then(|| {
                self.matches(filter, event, evaluate)
                    .map(|keys| (index, keys))
            })?
        });
        match matching {
            Some((index, keys)) => {
                self.matched.insert(index, ());
                self.keys.extend(keys);
            }
            None if open => {}
            None => return Offered::Ignored,
        }
        self.seen.push(name);
        self.closed = match to.mode {
            Mode::One => true,
            Mode::Any => to.until.is_none(),
            Mode::All => self.matched.len() == to.filters.len(),
        };
        Offered::Consumed
    }

    /// The correlation values, where the filter matches.
    fn matches(
        &self,
        filter: &Filter,
        event: &Value,
        evaluate: &dyn Evaluate,
    ) -> Option<BTreeMap<String, Value>> {
        for (name, wanted) in &filter.with {
            let found = event.get(name)?;
            let fits = match wanted {
                Template::Expr(jq) => match evaluate.eval(jq, found).ok()? {
                    Value::Bool(truth) => truth,
                    value => value == *found,
                },
                other => evaluate.fill(other, event).ok()? == *found,
            };
            if !fits {
                return None;
            }
        }
        let mut keys = BTreeMap::new();
        for correlation in &filter.correlate {
            let found = evaluate
                .eval(&correlation.from, event)
                .ok()
                .filter(|found| !found.is_null())?;
            let wanted = match &correlation.expect {
                Some(expect) => Some(evaluate.fill(expect, event).ok()?),
                None => self.keys.get(&correlation.name).cloned(),
            };
            if wanted.is_some_and(|wanted| wanted != found) {
                return None;
            }
            keys.insert(correlation.name.clone(), found);
        }
        Some(keys)
    }
}

/// What makes an event the same when it is delivered again.
fn identity(event: &Value) -> (String, String) {
    let part = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    match part("id") {
        // An event without an id cannot be recognised; its content is the best there is.
        id if id.is_empty() => (part("source"), event.to_string()),
        id => (part("source"), id),
    }
}

impl Strategy {
    /// The types of the events that it may consume; `None` among them where it may be any.
    fn types(&self, into: &mut BTreeSet<Option<String>>) {
        if self.filters.is_empty() {
            into.insert(None);
        }
        for filter in &self.filters {
            let named = filter.with.iter().find(|(name, _)| name == "type");
            into.insert(match named {
                Some((_, Template::Literal(Value::String(name)))) => Some(name.clone()),
                _ => None,
            });
        }
        if let Some(Until::Events(until)) = &self.until {
            until.types(into);
        }
    }
}

impl Instance {
    /// The types of the events that it listens for, empty where it listens for none. `None` among them stands for any: an
    /// event of another type need not be shown to it.
    pub fn listens_for(&self, workflow: &Workflow) -> BTreeSet<Option<String>> {
        let mut types = BTreeSet::new();
        for frame in self.frames.values() {
            if let State::Listen { .. } = frame.state
                && let Some(Kind::Listen(listen)) = workflow.task(frame.task).map(|task| &task.kind)
            {
                listen.to.types(&mut types);
            }
        }
        types
    }
}

impl Workflow {
    /// The input of an instance that an event with this data would start; `None` where events do not start it, or where it
    /// takes more than one to do so. The event has the attributes that the schedule asks for.
    pub fn started_by(&self, data: &Value, id: &str, source: &str, now: u64) -> Option<Value> {
        let Trigger::On { strategy, .. } = &self.schedule()?.trigger else {
            return None;
        };
        let mut event = serde_json::json!({
            "specversion": "1.0", "id": id, "source": source, "time": rfc3339(now), "type": self.name(),
        });
        for (name, wanted) in &strategy.filters.first()?.with {
            if let Template::Literal(wanted) = wanted {
                event[name] = wanted.clone();
            }
        }
        event["data"] = data.clone();
        match Correlator::default().offer(self, &event) {
            Triggered::Start(input) => Some(input),
            Triggered::No | Triggered::Partly => None,
        }
    }
}

/// The part of an event that a workflow gets to see.
pub(crate) fn read(event: &Value, read: Read) -> Value {
    match read {
        Read::Envelope => event.clone(),
        Read::Data => event.get("data").cloned().unwrap_or_default(),
    }
}

/// The durable state of an event-driven schedule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Correlator {
    listening: Listening,
    events: Vec<Value>,
}

/// What an event means to a schedule.
#[derive(Clone, Debug, PartialEq)]
pub enum Triggered {
    /// Nothing.
    No,
    /// More events are needed; store the correlator.
    Partly,
    /// A new instance starts with this input, the array of events.
    Start(Value),
}

/// Expressions in a schedule have no instance to look at.
struct Bare;

impl Evaluate for Bare {
    fn fill(&self, template: &Template, input: &Value) -> Result<Value, String> {
        match template {
            Template::Literal(value) => Ok(value.clone()),
            Template::Expr(jq) => self.eval(jq, input),
            Template::List(items) => items.iter().map(|item| self.fill(item, input)).collect(),
            Template::Fields(fields) => fields
                .iter()
                .map(|(name, field)| Ok((name.clone(), self.fill(field, input)?)))
                .collect::<Result<serde_json::Map<_, _>, _>>()
                .map(Value::Object),
        }
    }

    fn eval(&self, jq: &Jq, input: &Value) -> Result<Value, String> {
        jq.eval(input, &|_| Value::Null)
    }
}

impl Correlator {
    /// Shows an event to the schedule of a workflow.
    pub fn offer(&mut self, workflow: &Workflow, event: &Value) -> Triggered {
        let Some(Trigger::On {
            strategy,
            read: read_as,
        }) = workflow.schedule().map(|schedule| &schedule.trigger)
        else {
            return Triggered::No;
        };
        if self.listening.offer(strategy, event, &Bare) != Offered::Consumed {
            return Triggered::No;
        }
        self.events.push(read(event, *read_as));
        // A schedule has no end of its own: with `any ... until` each event starts an instance.
        if self.listening.closed || strategy.mode == Mode::Any {
            let events = std::mem::take(self).events;
            return Triggered::Start(Value::Array(events));
        }
        Triggered::Partly
    }
}
