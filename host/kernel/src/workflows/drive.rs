//! Moving one instance: facts in, one commit, then effects.
//!
//! An instance that waits is a row in the ledger and nothing else: no task, no timer of its own. When there is a fact for
//! it, it is read, and a task moves it until there is nothing left to do at once. There is one such task for an instance at
//! most, so its facts have an order.
//!
//! A commit holds everything that a transition means: the state, the journal, the rules' verdicts on the effects that are
//! asked for, the questions to people, events sent and instances begun. What happens outside happens after it. So a host
//! that is killed finds in the state what was asked for and not answered, and does that and nothing else.

use std::collections::VecDeque;
use std::sync::Arc;

use polity_constitution::Constitution;
use polity_ledger::{CommitError, ReadError};
use polity_workflow::{
    Call, EffectClass, EffectId, EffectRequest, Event, Fault, Phase, Recovery, StepError,
    Transition, Workflow,
};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::batch::{After, Batch};
use super::key;
use super::start::already;
use super::stored::{self, Cause, Pending, Stored};
use crate::Kernel;

/// Something that an instance is told.
#[derive(Clone, Debug)]
pub(super) enum Fact {
    /// A fact of the interpreter's own.
    Event(Box<Event>),
    /// The host has started, or something that was stopped goes on: what is asked for and not answered is seen to.
    Recover,
    /// An inbox item has been closed.
    Item(Uuid),
    /// The rules have left an effect that was on its way to people.
    Asked {
        name: String,
        items: Vec<Uuid>,
        decision: Uuid,
    },
    /// An effect was stopped on its way, before it began.
    Held(EffectId),
    /// A CloudEvent, with the key under which it is kept until everybody has been shown it.
    Heard(Arc<super::events::Delivery>),
}

/// Why an instance could not be moved. It stays where it is, and is moved when the host starts again.
#[derive(Debug, thiserror::Error)]
pub(super) enum DriveError {
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("what is stored of it does not read: {0}")]
    Unreadable(String),
    #[error("the constitution {0} that it began with is not in the ledger")]
    NoConstitution(String),
    #[error(transparent)]
    Step(#[from] StepError),
    #[error(transparent)]
    Inbox(#[from] polity_inbox::InboxError),
}

/// An instance that is being moved.
pub(super) struct Desk {
    pub(super) stored: Stored,
    pub(super) id: Uuid,
    pub(super) constitution: Arc<Constitution>,
    pub(super) workflow: Arc<Workflow>,
    pub(super) events: VecDeque<Event>,
    pub(super) requests: VecDeque<EffectRequest>,
    /// Effects that may happen and have not begun to.
    pub(super) cleared: Vec<EffectRequest>,
    /// Effects that people have accepted, in the form that they accepted.
    pub(super) accepted: Vec<(EffectRequest, Call, Option<Uuid>)>,
    /// Inbox items that it waits for and nobody has noted yet.
    pub(super) asked: Vec<Uuid>,
    /// Whether there is something to write although the interpreter took no step.
    pub(super) dirty: bool,
}

impl Desk {
    /// Takes in what a step came to.
    pub(super) fn absorb(&mut self, batch: &mut Batch, transition: Transition) {
        self.stored.instance = transition.instance;
        self.dirty = true;
        batch.journal(&transition.entries, &self.stored, &self.workflow);
        for id in transition.withdrawn {
            self.withdraw(batch, &id);
        }
        self.requests.extend(transition.requests);
        if transition.wake == Some(0) {
            self.events.push_back(Event::TimerFired);
        }
    }

    /// Lets the interpreter take a step.
    pub(super) fn step(
        &mut self,
        batch: &mut Batch,
        event: Event,
        now_ms: u64,
    ) -> Result<(), DriveError> {
        if let Event::EffectCompleted { id, .. } | Event::EffectFailed { id, .. } = &event {
            let name = stored::name(id);
            if let Some(pending) = self.stored.effects.remove(&name) {
                self.dirty = true;
                for item in pending.items() {
                    batch.delete(key::item(*item));
                    if pending.items().len() > 1 {
                        // A vote that is settled needs no more ballots.
                        batch.after.push(After::Close(*item));
                    }
                }
            }
        }
        let seed = self.id.as_u64_pair().1 ^ now_ms;
        let instance = self.stored.instance.clone();
        let transition = instance.step(&self.workflow, event, now_ms, seed)?;
        if transition.ignored.is_none() {
            self.absorb(batch, transition);
        }
        Ok(())
    }

    /// Nobody waits for an effect any more.
    fn withdraw(&mut self, batch: &mut Batch, id: &EffectId) {
        let name = stored::name(id);
        self.requests.retain(|request| request.id != *id);
        match self.stored.effects.remove(&name) {
            Some(Pending::Child { id }) => {
                let reason = "the workflow that ran it waits for it no more".to_owned();
                let cancel = Fact::Event(Box::new(Event::Cancel { reason }));
                batch.after.push(After::Tell(id, cancel));
            }
            Some(pending) => {
                for item in pending.items() {
                    batch.delete(key::item(*item));
                    batch.after.push(After::Close(*item));
                }
                batch.after.push(After::Withdraw(name));
            }
            None => {}
        }
    }

    /// The effects that are asked for and not answered.
    pub(super) fn asked_for(&self) -> Vec<EffectRequest> {
        let recoveries = self.stored.instance.recover(&self.workflow).into_iter();
        let request = |recovery| match recovery {
            Recovery::Send { request } | Recovery::Unknown { request } => request,
        };
        recoveries.map(request).collect()
    }

    /// An answer to an effect.
    pub(super) fn answer(&mut self, id: EffectId, answer: Result<serde_json::Value, Fault>) {
        self.events.push_back(match answer {
            Ok(output) => Event::EffectCompleted { id, output },
            Err(error) => Event::EffectFailed { id, error },
        });
    }
}

/// Takes an instance off the list of those that are moved where its task ends before its facts do.
struct Seat<'k> {
    kernel: &'k Kernel,
    id: Uuid,
    is_taken: bool,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if self.is_taken {
            tracing::error!(instance = %self.id, "an instance stands still until the host starts again: this is a bug");
            self.kernel.inner.workflows.active.lock().remove(&self.id);
        }
    }
}

/// An instance about to begin.
pub(super) struct Launch {
    pub(super) desk: Desk,
    pub(super) transition: Transition,
    /// The key of the name that whoever starts it gave it.
    pub(super) name: Option<String>,
}

impl Kernel {
    /// Tells an instance something. Returns at once.
    pub(super) fn tell(&self, id: Uuid, fact: Fact) {
        let mut active = self.inner.workflows.active.lock();
        if let Some(facts) = active.get_mut(&id) {
            facts.push_back(fact);
            return;
        }
        active.insert(id, VecDeque::from([fact]));
        drop(active);
        let kernel = self.clone();
        tokio::spawn(async move { kernel.drive(id, None).await });
    }

    /// Moves an instance that is new. It has begun when this returns, whatever happens to the host from here on.
    pub(super) async fn launch(&self, launch: Launch) -> Result<(), DriveError> {
        let (tell, told) = oneshot::channel();
        let id = launch.desk.id;
        let was_there = {
            let mut active = self.inner.workflows.active.lock();
            let was_there = active.contains_key(&id);
            active.entry(id).or_default();
            was_there
        };
        if was_there {
            // It was begun before, and is being moved.
            return Err(already(key::open(id)));
        }
        let kernel = self.clone();
        tokio::spawn(async move { kernel.drive(id, Some((launch, tell))).await });
        told.await
            .unwrap_or_else(|_| Err(DriveError::Unreadable("its first step failed".to_owned())))
    }

    async fn drive(
        &self,
        id: Uuid,
        new: Option<(Launch, oneshot::Sender<Result<(), DriveError>>)>,
    ) {
        let mut seat = Seat {
            kernel: self,
            id,
            is_taken: true,
        };
        let stands = |error: &DriveError| tracing::error!(instance = %id, %error, "an instance stands still");
        let mut desk = None;
        if let Some((launch, tell)) = new {
            match self.begin(launch).await {
                Ok(mut begun) => {
                    let _ = tell.send(Ok(()));
                    match self.settle(&mut begun).await {
                        Ok(()) => desk = Some(begun),
                        Err(error) => stands(&error),
                    }
                }
                Err(error) => drop(tell.send(Err(error))),
            }
        }
        while let Some(fact) = self.next_fact(id, &mut seat) {
            if desk.is_none() {
                desk = self.load(id).unwrap_or_else(|error| {
                    stands(&error);
                    None
                });
            }
            // What has ended is told nothing more.
            let Some(at) = desk.as_mut() else { continue };
            let moved = match self.take_in(at, fact) {
                Ok(_told) => self.settle(at).await,
                Err(error) => Err(error),
            };
            if let Err(error) = &moved {
                stands(error);
            }
            if moved.is_err() || at.stored.instance.outcome().is_some() {
                desk = None;
            }
        }
    }

    /// The next fact; with none left the instance is nobody's again.
    fn next_fact(&self, id: Uuid, seat: &mut Seat<'_>) -> Option<Fact> {
        let mut active = self.inner.workflows.active.lock();
        let fact = active.get_mut(&id).and_then(VecDeque::pop_front);
        if fact.is_none() {
            active.remove(&id);
            seat.is_taken = false;
        }
        fact
    }

    async fn begin(&self, launch: Launch) -> Result<Desk, DriveError> {
        let Launch {
            mut desk,
            transition,
            name,
        } = launch;
        let mut batch = Batch::default();
        for place in [key::open(desk.id), key::done(desk.id)] {
            if self.inner.ledger.get(&place)?.is_some() {
                // It was begun before the host ended, and the index has it as it is now.
                return Err(already(place));
            }
            batch.expect_absent(place);
        }
        if let Some(name) = name {
            batch.expect_absent(name.clone());
            batch.put(name, desk.id.to_string());
        }
        desk.absorb(&mut batch, transition);
        self.fill(&mut desk, &mut batch).await?;
        self.keep(&mut desk, batch).await?;
        Ok(desk)
    }

    pub(super) fn load(&self, id: Uuid) -> Result<Option<Desk>, DriveError> {
        let Some(bytes) = self.inner.ledger.get(&key::open(id))? else {
            return Ok(None);
        };
        let stored: Stored = serde_json::from_slice(&bytes)
            .map_err(|error| DriveError::Unreadable(error.to_string()))?;
        let constitution = self.constitution_of(&stored.constitution)?;
        let workflow = constitution
            .workflow(&stored.name)
            .filter(|workflow| workflow.digest() == stored.instance.workflow())
            .cloned()
            .ok_or_else(|| DriveError::NoConstitution(stored.constitution.digest.clone()))?;
        Ok(Some(Desk {
            stored,
            id,
            constitution,
            workflow,
            events: VecDeque::new(),
            requests: VecDeque::new(),
            cleared: Vec::new(),
            accepted: Vec::new(),
            asked: Vec::new(),
            dirty: false,
        }))
    }

    /// What a fact means to the interpreter. The fact is handed back, to be dropped when what came of it is on the disk.
    fn take_in(&self, desk: &mut Desk, fact: Fact) -> Result<Fact, DriveError> {
        match &fact {
            Fact::Event(event) => desk.events.push_back((**event).clone()),
            Fact::Heard(delivery) => {
                if desk.stored.hears(&delivery.key) {
                    let cloud_event = delivery.event.clone();
                    desk.events.push_back(Event::Received { cloud_event });
                }
            }
            Fact::Item(item) => {
                let waits = |request: &EffectRequest| {
                    let pending = desk.stored.effects.get(&stored::name(&request.id));
                    pending.is_some_and(|pending| pending.items().contains(item))
                };
                if let Some(request) = desk.asked_for().into_iter().find(waits) {
                    self.see_to(desk, request)?;
                }
            }
            Fact::Recover => self.recover(desk)?,
            Fact::Held(id) => {
                let flights = &self.inner.workflows.flights;
                // Whoever stopped it may have let it go since.
                if flights.holds(desk.id, &stored::name(id)) {
                    desk.events.push_back(Event::EffectHeld { id: id.clone() });
                }
            }
            Fact::Asked {
                name,
                items,
                decision,
            } => {
                let is_it = |request: &EffectRequest| stored::name(&request.id) == *name;
                let request = desk.asked_for().into_iter().find(is_it);
                if let Some(request) = request
                    && desk.stored.effects.contains_key(name)
                {
                    let pending = Pending::Rules {
                        items: items.clone(),
                        decision: Some(*decision),
                        call: None,
                    };
                    desk.stored.effects.insert(name.clone(), pending);
                    desk.asked.extend(items);
                    desk.dirty = true;
                    // They may have answered already.
                    self.see_to(desk, request)?;
                }
            }
        }
        Ok(fact)
    }

    /// Sees to everything that is asked for and not answered.
    fn recover(&self, desk: &mut Desk) -> Result<(), DriveError> {
        let flights = &self.inner.workflows.flights;
        if desk.stored.instance.phase() == Phase::Suspended {
            return Ok(());
        }
        for recovery in desk.stored.instance.recover(&desk.workflow) {
            let (request, is_known) = match recovery {
                Recovery::Send { request } => (request, true),
                Recovery::Unknown { request } => (request, false),
            };
            let name = stored::name(&request.id);
            let was_held = flights.release(desk.id, &name);
            if flights.is_in_flight(&name) {
                continue;
            }
            if desk.stored.instance.is_held(&request.id) {
                if self.is_stopped(desk, &request) {
                    flights.hold(desk.id, &name);
                } else {
                    // It is asked for again, with the time that it had left.
                    let id = request.id;
                    desk.events.push_back(Event::EffectReleased { id });
                }
                continue;
            }
            let pending = desk.stored.effects.get(&name);
            match pending {
                Some(Pending::Ready { .. }) if !is_known && !was_held => {
                    let why = "the host ended while this was on its way; it may have happened, and it must not happen \
                               twice";
                    desk.answer(request.id, Err(Fault::communication(500, why)));
                }
                Some(_) => self.see_to(desk, request)?,
                None => desk.requests.push_back(request),
            }
        }
        // One that ended in its first step has not been put away yet.
        desk.dirty |= desk.stored.instance.outcome().is_some();
        if desk.stored.instance.next_wake() == Some(0) {
            desk.events.push_back(Event::TimerFired);
        }
        Ok(())
    }

    /// Moves an instance until nothing in it can be done at once.
    async fn settle(&self, desk: &mut Desk) -> Result<(), DriveError> {
        loop {
            let mut batch = Batch::default();
            self.fill(desk, &mut batch).await?;
            if !desk.dirty && batch.is_empty() && batch.after.is_empty() {
                // A timer that fired too early, because the clock was set back, fires again.
                let index = &self.inner.workflows.index;
                index.note(desk.id, &desk.stored.instance, &desk.workflow);
                return Ok(());
            }
            self.keep(desk, batch).await?;
            if desk.stored.instance.outcome().is_some() {
                desk.events.clear();
                desk.requests.clear();
                return Ok(());
            }
            // Whoever stops an instance is heard before its next step, even where it never waits.
            let mut active = self.inner.workflows.active.lock();
            if let Some(facts) = active.get_mut(&desk.id) {
                let stops = |fact: &Fact| matches!(fact, Fact::Event(event) if matches!(**event, Event::Cancel { .. } | Event::Suspend));
                if let Some(at) = facts.iter().position(stops)
                    && let Some(Fact::Event(event)) = facts.remove(at)
                {
                    desk.events.push_front(*event);
                }
            }
        }
    }

    /// Takes steps and rules on effects until the batch is full or there is nothing to do.
    async fn fill(&self, desk: &mut Desk, batch: &mut Batch) -> Result<(), DriveError> {
        for item in std::mem::take(&mut desk.asked) {
            batch.put(key::item(item), desk.id.to_string());
        }
        loop {
            if desk.stored.instance.outcome().is_some() {
                desk.requests.clear();
                return Ok(());
            }
            if !batch.takes_an_effect() {
                return Ok(());
            }
            for request in std::mem::take(&mut desk.cleared) {
                let pending = desk.stored.effects.get(&stored::name(&request.id));
                if let Some(Pending::Ready { call, accepted }) = pending {
                    let call = call
                        .clone()
                        .unwrap_or_else(|| Box::new(request.call.clone()));
                    let accepted = *accepted;
                    if request.class == EffectClass::AtMostOnce {
                        let id = request.id.clone();
                        desk.step(batch, Event::EffectSent { id }, self.inner.clock.now_ms())?;
                    }
                    let request = Box::new(request);
                    batch.after.push(After::Send {
                        request,
                        call,
                        accepted,
                    });
                }
            }
            if let Some(accepted) = desk.accepted.pop() {
                self.begin_accepted(desk, batch, accepted).await?;
                continue;
            }
            if let Some(request) = desk.requests.pop_front() {
                if desk.stored.effects.contains_key(&stored::name(&request.id)) {
                    // It was ruled on before it was held back.
                    self.see_to(desk, request)?;
                } else {
                    self.prepare(desk, batch, request).await?;
                }
                continue;
            }
            if !batch.takes_a_step() {
                return Ok(());
            }
            let Some(event) = desk.events.pop_front() else {
                return Ok(());
            };
            desk.step(batch, event, self.inner.clock.now_ms())?;
        }
    }

    /// Writes the batch with the state, and does what waits for it to be on the disk.
    async fn keep(&self, desk: &mut Desk, mut batch: Batch) -> Result<(), DriveError> {
        let stored = &mut desk.stored;
        stored.updated_ms = self.inner.clock.now_ms();
        let has_ended = stored.instance.outcome().is_some();
        if has_ended {
            stored.effects.clear();
            self.bury(stored, &mut batch)?;
        }
        let bytes = serde_json::to_vec(stored)
            .map_err(|error| DriveError::Unreadable(error.to_string()))?;
        if has_ended {
            batch.delete(key::open(desk.id));
            batch.put(key::done(desk.id), bytes);
        } else {
            batch.put(key::open(desk.id), bytes);
        }
        let (commit, staged, after) = batch.into_parts();
        // Whoever sees on the disk that it listens, and sends what it listens for, finds it listening.
        let index = &self.inner.workflows.index;
        index.note(desk.id, &desk.stored.instance, &desk.workflow);
        self.inner.ledger.commit(commit).await?;
        desk.dirty = false;
        for staged in &staged {
            self.inner.inbox.announce(staged);
        }
        let tally = &self.inner.workflows.tally;
        tally.kept(desk.id, &desk.stored.instance);
        let _ = self.inner.workflows.changed.send(desk.id);
        for after in after {
            self.follow_up(desk, after);
        }
        Ok(())
    }

    fn follow_up(&self, desk: &Desk, after: After) {
        match after {
            After::Send {
                request,
                call,
                accepted,
            } => self.send(desk, *request, *call, accepted),
            After::Withdraw(name) => self.inner.workflows.flights.give_up(desk.id, &name),
            After::Close(item) => {
                let kernel = self.clone();
                tokio::spawn(async move {
                    let why = "the workflow that asked waits for the answer no more";
                    if let Err(error) = kernel.inner.inbox.withdraw(item, why).await {
                        tracing::warn!(%item, %error, "a question that nobody asks any more stays in the inbox");
                    }
                });
            }
            After::Tell(id, fact) => self.tell(id, fact),
            After::Deliver(key) => {
                let kernel = self.clone();
                tokio::spawn(async move { kernel.deliver(&key).await });
            }
        }
    }

    /// What the end of an instance means to whoever began it.
    fn bury(&self, stored: &Stored, batch: &mut Batch) -> Result<(), DriveError> {
        match &stored.cause {
            Cause::Parent {
                instance,
                effect: Some(effect),
            } => {
                let id = effect.clone();
                if let Some(outcome) = stored.instance.outcome() {
                    let event = match super::end::answer(outcome) {
                        Ok(output) => Event::EffectCompleted { id, output },
                        Err(error) => Event::EffectFailed { id, error },
                    };
                    let fact = Fact::Event(Box::new(event));
                    batch.after.push(After::Tell(*instance, fact));
                }
                Ok(())
            }
            Cause::Schedule { .. } => self.plan_after(stored, batch),
            _ => Ok(()),
        }
    }
}
