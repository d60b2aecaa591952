//! A host for one case: it answers effects from what was recorded, decides tables by the constitution itself, and lets
//! time pass as fast as the workflow waits for it. Nothing leaves the process.

use std::collections::{BTreeMap, VecDeque};

use polity_workflow::{
    Call, Correlator, EffectRequest, EntryKind, Event, Fault, FaultKind, Ignored, Instance,
    Outcome, Transition, Triggered, Workflow,
};
use serde_json::{Value, json};

use super::Unusable;
use super::workflow::{Answer, Answers, Sent};
use crate::Constitution;

/// A Monday morning; cases that take time take it from here, so that they come out alike on every day.
const START_MS: u64 = 1_767_603_600_000;

/// Facts after which a run is given up: no case needs so many, and a loop without an end has them soon.
const MAX_FACTS: usize = 10_000;

/// What came of a run.
#[derive(Default)]
pub(super) struct Ran {
    pub(super) outcome: Option<Outcome>,
    /// The tasks that started, in their order.
    pub(super) path: Vec<String>,
    pub(super) emits: Vec<String>,
    /// What each task asked for, the last time.
    pub(super) calls: BTreeMap<String, Value>,
    pub(super) took_ms: u64,
    /// Why the case does not describe the run, where it does not.
    pub(super) stuck: Option<String>,
}

/// The input that an event of the workflow's own kind starts it with.
pub(super) fn triggered(workflow: &Workflow, data: &Value) -> Result<Value, Unusable> {
    let on = &workflow.source()["schedule"]["on"];
    let kind = [&on["one"], &on["any"][0], &on["all"][0]]
        .into_iter()
        .find_map(|filter| filter["with"]["type"].as_str());
    let Some(kind) = kind else {
        return Err(Unusable {
            pointer: "/event".to_owned(),
            message: format!("no event starts {}", workflow.name()),
            fix: "write \"input\" in place of \"event\"".to_owned(),
        });
    };
    match Correlator::default().offer(workflow, &cloud_event(0, kind, data)) {
        Triggered::Start(input) => Ok(input),
        _ => Err(Unusable {
            pointer: "/event".to_owned(),
            message: format!("this event does not start {}", workflow.name()),
            fix: "look at what the workflow's schedule asks of an event".to_owned(),
        }),
    }
}

/// Runs a workflow until it ends, or until the case has nothing more to say.
pub(super) fn run(
    constitution: &Constitution,
    workflow: &Workflow,
    input: Value,
    answers: &BTreeMap<String, Answers>,
    events: &[Sent],
) -> Ran {
    let mut world = World {
        constitution,
        answers,
        asked: BTreeMap::new(),
        facts: VecDeque::new(),
        ran: Ran::default(),
    };
    let mut now = START_MS;
    let mut events = (1..).zip(events);
    let started = Instance::start(workflow, input, "case", now, 0);
    let mut instance = world.take(started);
    for _ in 0..MAX_FACTS {
        if instance.outcome().is_some() || world.ran.stuck.is_some() {
            break;
        }
        let mut sent = None;
        let fact = if let Some(fact) = world.facts.pop_front() {
            fact
        } else if instance.next_wake() == Some(0) {
            Event::TimerFired
        } else if instance.is_listening()
            && let Some((number, event)) = events.next()
        {
            sent = Some(event.kind.as_str());
            Event::Received {
                cloud_event: cloud_event(number, &event.kind, &event.data),
            }
        } else if let Some(wake) = instance.next_wake() {
            now = now.max(wake);
            Event::TimerFired
        } else {
            world.ran.stuck = Some("it waits for ever".to_owned());
            break;
        };
        match instance.step(workflow, fact, now, 0) {
            Ok(transition) => {
                if let Some(kind) =
                    sent.filter(|_| transition.ignored == Some(Ignored::NobodyListens))
                {
                    world.stuck(format!("nobody listens for the event {kind}"));
                }
                instance = world.take(transition);
            }
            Err(error) => {
                world.stuck(error.to_string());
                return world.ran;
            }
        }
    }
    if instance.outcome().is_none() {
        world.stuck(format!("it has not ended after {MAX_FACTS} facts"));
    } else if let Some((_, event)) = events.next() {
        world.stuck(format!("it ended before the event {} was sent", event.kind));
    }
    world.unused();
    world.ran.outcome = instance.outcome().cloned();
    world.ran.took_ms = now - START_MS;
    world.ran
}

struct World<'c> {
    constitution: &'c Constitution,
    answers: &'c BTreeMap<String, Answers>,
    /// How often each task has asked.
    asked: BTreeMap<String, usize>,
    facts: VecDeque<Event>,
    ran: Ran,
}

impl World<'_> {
    /// Notes what happened and answers what is asked.
    fn take(&mut self, transition: Transition) -> Instance {
        for entry in &transition.entries {
            if entry.kind == EntryKind::TaskStarted
                && let Some(task) = &entry.task
            {
                let name = last(task);
                if !name.is_empty() {
                    self.ran.path.push(name.to_owned());
                }
            }
        }
        for request in transition.requests {
            self.answer(request);
        }
        transition.instance
    }

    fn answer(&mut self, request: EffectRequest) {
        let task = last(&request.task).to_owned();
        let call = serde_json::to_value(&request.call).unwrap_or_default();
        self.ran.calls.insert(task.clone(), call);
        let answer = match self.recorded(&task) {
            Ok(Some(answer)) => answer.clone(),
            Ok(None) => match self.by_itself(&request.call) {
                Some(answer) => return self.tell(request, answer),
                None => {
                    let kind = request.call.kind();
                    return self.stuck(format!("no answer is recorded for \"{task}\" ({kind})"));
                }
            },
            Err(times) => {
                return self.stuck(format!(
                    "\"{task}\" asks a {times}. time, and there is no further answer"
                ));
            }
        };
        match answer {
            Answer::Output(output) => self.tell(request, Ok(output)),
            Answer::Error(failure) => self.tell(request, Err(failure.fault())),
            Answer::Silence(_) => {}
        }
    }

    /// The recorded answer for this time; how often was asked, where it is once too often.
    fn recorded(&mut self, task: &str) -> Result<Option<&Answer>, usize> {
        let Some(answers) = self.answers.get(task) else {
            return Ok(None);
        };
        let asked = self.asked.entry(task.to_owned()).or_default();
        *asked += 1;
        match answers {
            Answers::Always(answer) => Ok(Some(answer)),
            Answers::Each(each) => each.get(*asked - 1).map(Some).ok_or(*asked),
        }
    }

    /// What needs no recording: tables answer for themselves, and the company's own notes always succeed.
    fn by_itself(&mut self, call: &Call) -> Option<Result<Value, Fault>> {
        match call {
            Call::Decide { table, input } => {
                let answer = self.constitution.table(table)?.decide(input);
                Some(
                    answer
                        .map(|decision| decision.value.to_json())
                        .map_err(|error| Fault::new(FaultKind::Validation, error.to_string())),
                )
            }
            Call::Emit { event } => {
                let kind = event["type"].as_str().unwrap_or_default();
                self.ran.emits.push(kind.to_owned());
                Some(Ok(event.clone()))
            }
            Call::RecordsInsert { record, .. } => Some(Ok(json!({"id": 1, "record": record}))),
            Call::RecordsUpdate { id, set, .. } => Some(Ok(json!({"id": id, "record": set}))),
            Call::RunWorkflow { awaited: false, .. } => Some(Ok(Value::Null)),
            _ => None,
        }
    }

    fn tell(&mut self, request: EffectRequest, answer: Result<Value, Fault>) {
        let id = request.id;
        self.facts.push_back(match answer {
            Ok(output) => Event::EffectCompleted { id, output },
            Err(error) => Event::EffectFailed { id, error },
        });
    }

    /// The first reason is the one to mend.
    fn stuck(&mut self, why: String) {
        self.ran.stuck.get_or_insert(why);
    }

    fn unused(&mut self) {
        let unused = self.answers.iter().find_map(|(task, answers)| {
            let asked = self.asked.get(task).copied().unwrap_or(0);
            let left = match answers {
                Answers::Always(_) => asked == 0,
                Answers::Each(each) => asked < each.len(),
            };
            left.then(|| format!("an answer is recorded for \"{task}\", which did not ask for it"))
        });
        if let Some(unused) = unused {
            self.stuck(unused);
        }
    }
}

fn last(pointer: &str) -> &str {
    pointer.rsplit('/').next().unwrap_or_default()
}

fn cloud_event(number: usize, kind: &str, data: &Value) -> Value {
    json!({
        "specversion": "1.0",
        "id": format!("case-{number}"),
        "source": "/cases",
        "type": kind,
        "data": data,
    })
}
