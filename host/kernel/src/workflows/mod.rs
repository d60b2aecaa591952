//! Workflows that run: durably, under the rules, for as long as they take.
//!
//! The interpreter is a pure function in [`polity_workflow`]; here is everything that it is not: where instances are kept,
//! what time it is, what an effect does, who is asked. Each file is one part of that:
//!
//! | file | what it is |
//! |---|---|
//! | `drive` | one instance moved: facts in, one commit, then effects |
//! | `prepare`, `form`, `judge` | an effect that is asked for: ruled on as an action like any other |
//! | `ask`, `vote` | questions to people, and what their answers mean |
//! | `perform` | effects outside |
//! | `events`, `schedule`, `start` | why instances begin and go on |
//! | `clock`, `index` | the one task that sleeps for all of them |
//! | `halt`, `end` | what people stop |
//! | `view`, `explain` | what people see |
//!
//! # What a call results in
//!
//! | call | result |
//! |---|---|
//! | `decide` | the table's answer |
//! | `model`, `council` | `{text, model, decision, cost_micro}`; with a `schema`, the answer that fits it |
//! | `records.query` | the records, an array |
//! | `records.insert` | `{id, record}` |
//! | `records.update` | the record afterwards |
//! | `human.approve` | `{decision, by, note, at, proposal}`; the decision is `approved`, `rejected` or `answered` |
//! | `human.task` | the form as it was filled in, or the proposal as it was accepted; `{response, by}` for words |
//! | `human.vote` | `{decision, counts, votes}`; the decision is `approved`, `rejected`, an option or `tie` |
//! | `http` | the body, parsed; all of the response with `output: response` |
//! | `connector`, a catalogue name | the operation's output |
//! | `run.workflow` | the output of the other; `{instance}` where it is not awaited |
//! | `emit` | the event |
//!
//! # What holds
//!
//! - State and journal are one commit. A host that is killed at any moment goes on where it was; what was answered is not
//!   asked for again.
//! - An instance runs on the workflows and tables of the constitution that it began with. What it does is judged by the
//!   rules in force when it does it: they say what may happen in the company today, to the old and the new alike.
//! - The verdict is on the disk before the effect begins.
//! - An effect inside the ledger (a table asked, an event sent, an instance begun, a question put) is in the commit itself:
//!   it happens exactly once. Records and idempotent effects carry a key that is the same in every attempt. What may happen
//!   once at most is not begun again after a crash: the workflow is told that nobody knows.
//! - What people stop does not begin, and nobody is late with it: its time limits stand still until it may.
//! - An instance that waits is a row in the ledger and an entry in an index; it costs no time until it is woken.

mod ask;
mod batch;
mod clock;
mod drive;
mod end;
mod events;
mod explain;
mod flights;
mod form;
mod halt;
mod index;
mod judge;
mod key;
mod library;
mod perform;
mod prepare;
mod schedule;
mod start;
mod stored;
mod tally;
mod view;
mod vote;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use polity_ledger::{Ledger, ReadError};
use tokio::sync::{Notify, Semaphore, broadcast};
use uuid::Uuid;

pub(crate) use ask::{GATE, TASK, VOTE, objection};
pub use end::CancelError;
pub use events::Received;
pub use explain::InstanceStory;
pub(crate) use halt::Halts;
pub use halt::{Halt, HaltError};
pub use start::RunError;
pub use tally::{EffectCount, WorkflowCount};
pub use view::{InstanceFilter, InstanceView, Waiting};

/// Changes that a slow listener may be behind.
const CHANGES: usize = 1_024;

/// All that is kept in memory of workflows.
pub(crate) struct Workflows {
    /// What the instances that are being moved have still to be told.
    active: Mutex<HashMap<Uuid, VecDeque<drive::Fact>>>,
    flights: flights::Flights,
    index: index::Index,
    tally: tally::Tally,
    library: library::Library,
    pub(crate) halts: Halts,
    way: perform::Way,
    /// Instances that had something to do when the host last ended.
    unfinished: Mutex<Vec<Uuid>>,
    /// Keys of events that not everybody had been shown then. What comes later is shown by whoever takes it in.
    undelivered: Mutex<Vec<String>>,
    /// Places for effects outside.
    places: Arc<Semaphore>,
    /// Held while a schedule's state is changed.
    planning: tokio::sync::Mutex<()>,
    /// Ids of instances that something happened to.
    changed: broadcast::Sender<Uuid>,
    /// Wakes the one task that sleeps.
    pub(crate) wake: Arc<Notify>,
}

impl Workflows {
    pub(crate) fn new(ledger: &Ledger) -> Result<Self, ReadError> {
        let wake = Arc::new(Notify::new());
        Ok(Self {
            active: Mutex::default(),
            flights: flights::Flights::default(),
            index: index::Index::new(wake.clone()),
            tally: tally::Tally::default(),
            library: library::Library::default(),
            halts: Halts::read(ledger)?,
            way: perform::Way::default(),
            unfinished: Mutex::default(),
            undelivered: Mutex::default(),
            places: Arc::new(Semaphore::new(perform::AT_A_TIME)),
            planning: tokio::sync::Mutex::default(),
            changed: broadcast::Sender::new(CHANGES),
            wake,
        })
    }

    /// What instances there are, and what they have done.
    pub(crate) fn count(&self) -> WorkflowCount {
        self.tally.read()
    }
}
