//! A host as small as can be: it stores the instance as bytes after each transition, performs effects once for each key,
//! and can be killed at any transition.

use std::collections::{BTreeMap, VecDeque};

use polity_workflow::{
    Call, EffectClass, EffectId, EffectRequest, Entry, Event, Fault, Instance, Recovery,
    Transition, Workflow,
};
use serde_json::Value;

/// Answers effects. `None` leaves one unanswered.
pub(crate) type Perform<'p> = dyn FnMut(&EffectRequest) -> Option<Result<Value, Fault>> + 'p;

/// Where the host dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    Never,
    /// After the commit of the n-th transition, before its requests are performed.
    AfterCommit(usize),
    /// After the n-th effect was performed, before its answer is committed.
    AfterEffect(usize),
}

/// A host with one instance.
pub(crate) struct Host<'w> {
    pub(crate) workflow: &'w Workflow,
    /// What is in durable storage.
    stored: Vec<u8>,
    pub(crate) journal: Vec<Entry>,
    /// Effects as the outside saw them, in order.
    pub(crate) performed: Vec<(EffectId, &'static str)>,
    /// What an outside that knows keys remembers.
    answers: BTreeMap<EffectId, Result<Value, Fault>>,
    inbox: VecDeque<Event>,
    pub(crate) now: u64,
    pub(crate) seed: u64,
    pub(crate) commits: usize,
    pub(crate) crash: Crash,
    pub(crate) crashed: bool,
    /// Effects whose outcome the host did not know after a crash.
    pub(crate) unknown: Vec<EffectId>,
    pub(crate) withdrawn: Vec<EffectId>,
}

pub(crate) const START: u64 = 1_767_225_600_000;

impl<'w> Host<'w> {
    pub(crate) fn start(
        workflow: &'w Workflow,
        input: Value,
        crash: Crash,
        perform: &mut Perform<'_>,
    ) -> Self {
        let mut host = Self {
            workflow,
            stored: Vec::new(),
            journal: Vec::new(),
            performed: Vec::new(),
            answers: BTreeMap::new(),
            inbox: VecDeque::new(),
            now: START,
            seed: 7,
            commits: 0,
            crash,
            crashed: false,
            unknown: Vec::new(),
            withdrawn: Vec::new(),
        };
        let transition = Instance::start(workflow, input, "run-1", host.now, host.seed);
        host.commit(transition, perform);
        host.settle(perform);
        host
    }

    pub(crate) fn instance(&self) -> Instance {
        serde_json::from_slice(&self.stored).expect("what was stored can be read")
    }

    pub(crate) fn stored_bytes(&self) -> usize {
        self.stored.len()
    }

    pub(crate) fn send(&mut self, event: Event, perform: &mut Perform<'_>) {
        self.inbox.push_back(event);
        self.settle(perform);
    }

    /// Lets time pass, waking the instance at each moment that it asked for.
    pub(crate) fn pass(&mut self, ms: u64, perform: &mut Perform<'_>) {
        let until = self.now + ms;
        while let Some(wake) = self.instance().next_wake().filter(|wake| *wake <= until) {
            self.now = self.now.max(wake);
            self.send(Event::TimerFired, perform);
        }
        self.now = until;
    }

    /// Lets as much time pass as the instance needs.
    pub(crate) fn run_out(&mut self, perform: &mut Perform<'_>) {
        for _ in 0..10_000 {
            let Some(wake) = self.instance().next_wake() else {
                return;
            };
            self.now = self.now.max(wake);
            self.send(Event::TimerFired, perform);
        }
        panic!("the instance never stops asking for time");
    }

    fn settle(&mut self, perform: &mut Perform<'_>) {
        while let Some(event) = self.inbox.pop_front() {
            let transition = self
                .instance()
                .step(self.workflow, event, self.now, self.seed)
                .expect("the workflow is the right one");
            self.commit(transition, perform);
        }
    }

    fn commit(&mut self, transition: Transition, perform: &mut Perform<'_>) {
        self.stored = serde_json::to_vec(&transition.instance).expect("an instance can be written");
        self.journal.extend(transition.entries);
        self.withdrawn.extend(transition.withdrawn);
        self.commits += 1;
        if self.crash == Crash::AfterCommit(self.commits) {
            return self.restart(perform);
        }
        self.perform_all(transition.requests, perform);
        if transition.wake == Some(0) {
            self.inbox.push_back(Event::TimerFired);
        }
    }

    fn perform_all(&mut self, requests: Vec<EffectRequest>, perform: &mut Perform<'_>) {
        for request in requests {
            if request.class == EffectClass::AtMostOnce {
                let sent = self.instance().step(
                    self.workflow,
                    Event::EffectSent {
                        id: request.id.clone(),
                    },
                    self.now,
                    self.seed,
                );
                self.stored = serde_json::to_vec(&sent.expect("the same workflow").instance)
                    .expect("it can be written");
            }
            // The outside remembers keys, and the host's own records share the host's transaction.
            let remembers = matches!(request.class, EffectClass::Own | EffectClass::Idempotent);
            let known = self.answers.get(&request.id).cloned().filter(|_| remembers);
            let answer = match known {
                Some(answer) => Some(answer),
                None => {
                    let answer = perform(&request);
                    if let Some(answer) = &answer {
                        self.performed
                            .push((request.id.clone(), request.call.kind()));
                        self.answers.insert(request.id.clone(), answer.clone());
                    }
                    answer
                }
            };
            if self.crash == Crash::AfterEffect(self.performed.len()) && !self.crashed {
                return self.restart(perform);
            }
            match answer {
                Some(Ok(output)) => self.inbox.push_back(Event::EffectCompleted {
                    id: request.id,
                    output,
                }),
                Some(Err(error)) => self.inbox.push_back(Event::EffectFailed {
                    id: request.id,
                    error,
                }),
                None => {}
            }
        }
    }

    /// The host died: all it had in memory is gone.
    fn restart(&mut self, perform: &mut Perform<'_>) {
        self.crashed = true;
        self.inbox.clear();
        let mut send = Vec::new();
        let instance = self.instance();
        for recovery in instance.recover(self.workflow) {
            match recovery {
                Recovery::Send { request } => send.push(request),
                Recovery::Unknown { request } => {
                    self.unknown.push(request.id.clone());
                    self.inbox.push_back(Event::EffectFailed {
                        id: request.id,
                        error: Fault::communication(500, "nobody knows whether it happened"),
                    });
                }
            }
        }
        if instance.next_wake() == Some(0) {
            self.inbox.push_back(Event::TimerFired);
        }
        self.perform_all(send, perform);
    }
}

/// An answer for calls of the host's own functions that echoes what was asked.
pub(crate) fn echo(request: &EffectRequest) -> Option<Result<Value, Fault>> {
    Some(Ok(match &request.call {
        Call::Emit { event } => event.clone(),
        other => serde_json::to_value(other).expect("a call can be written"),
    }))
}
