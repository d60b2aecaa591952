//! The way back: how it stands with the people who were asked.
//!
//! This is read from the inbox whenever a decision is read, and written nowhere else: one action may have been asked
//! about by several decisions, and the inbox's own events say who decided what, when, and in which words.

use polity_inbox::{Answer, DecideError, InboxError, Item, OnExpiry, State};
use polity_ledger::store::StoreError;
use polity_ledger::{Hash, ReadError, StoredEvent};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::ITEM;
use crate::counters::InboxCount;
use crate::{Actor, Decision, Kernel};

/// How it stands with the people who were asked about an action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HumanAnswer {
    /// What has become of the action.
    pub state: HumanState,
    /// Where it was accepted: the input to go on with, as it was put before people or as they edited it. None where it
    /// is too long to be put before anyone; then it is the one that was sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub input: Option<Value>,
    /// Each item, in the order of [`Decision::asks`].
    pub items: Vec<ItemAnswer>,
}

/// What has become of an escalated action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HumanState {
    /// Somebody has still to decide.
    Waiting,
    /// Everybody who was asked has accepted one and the same form: it may happen in that form.
    Accepted,
    /// Somebody rejected it, or did not decide in time: it must not happen.
    Rejected,
    /// Somebody answered with words, neither yes nor no: it must not happen; ask again with another form.
    Answered,
    /// Those who were asked have accepted different forms: it must not happen; ask again with one of them.
    Disagreed,
}

/// One item of an escalated action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemAnswer {
    /// The item.
    pub id: Uuid,
    /// The role that decides, or has decided.
    pub role: String,
    /// When its time is over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub due_at_ms: Option<u64>,
    /// What became of it.
    pub state: State,
    /// The same in words.
    pub words: String,
}

impl HumanAnswer {
    fn of(items: Vec<Item>, now_ms: u64) -> Self {
        let states: Vec<HumanState> = items.iter().map(|item| state_of(item, now_ms)).collect();
        let is_any = |state| states.contains(&state);
        let approved: Vec<&Value> = items.iter().filter_map(Item::approved).collect();
        let is_one_form = approved.windows(2).all(|pair| pair[0] == pair[1]);
        // One no is enough, whoever else has still to decide.
        let state = if is_any(HumanState::Rejected) {
            HumanState::Rejected
        } else if is_any(HumanState::Answered) {
            HumanState::Answered
        } else if items.is_empty() || is_any(HumanState::Waiting) {
            HumanState::Waiting
        } else if is_one_form {
            HumanState::Accepted
        } else {
            HumanState::Disagreed
        };
        let input = approved.first().filter(|_| state == HumanState::Accepted);
        Self {
            state,
            // A form that was too long to be shown was accepted by its digest.
            input: input
                .filter(|form| !is_digest(form))
                .map(|form| Value::clone(form)),
            items: items.into_iter().map(ItemAnswer::of).collect(),
        }
    }
}

impl ItemAnswer {
    fn of(item: Item) -> Self {
        Self {
            id: item.id,
            words: item.closing(),
            role: item.role,
            due_at_ms: item.due_at_ms,
            state: item.state,
        }
    }
}

impl Decision {
    /// Whether the action may happen now: the rules let it, or the people who were asked did. In which form, says
    /// [`HumanAnswer::input`], [`Decision::amended_input`] or, where there is neither, the input itself.
    pub fn may_happen(&self) -> bool {
        let is_accepted = |answer: &HumanAnswer| answer.state == HumanState::Accepted;
        self.permits() || self.resolution.as_ref().is_some_and(is_accepted)
    }
}

impl Kernel {
    /// Takes a person's answer to an inbox item; see [`polity_inbox::Inbox::decide`]. An action that is accepted with
    /// changes has to remain an action: its edited input is an object.
    ///
    /// # Errors
    /// See [`DecideError`].
    pub async fn decide(
        &self,
        item: Uuid,
        actor: &Actor,
        answer: Answer,
        note: &str,
        seen_digest: Option<Hash>,
    ) -> Result<Item, DecideError> {
        if let Answer::Edit(edited) = &answer
            && !edited.is_object()
            && self
                .inner
                .inbox
                .get(item)?
                .is_some_and(|item| item.kind == ITEM)
        {
            let detail = "the edited proposal is the action's input, so it has to be a JSON object";
            return Err(DecideError::Invalid(detail.to_owned()));
        }
        if let Some(asked) = self.inner.inbox.get(item)?
            && asked.is_open()
            && let Some(why) = crate::workflows::objection(&asked, &actor.id, &answer)
        {
            return Err(DecideError::Invalid(why));
        }
        let decided = self
            .inner
            .inbox
            .decide(item, &actor.decider(), answer.clone(), note, seen_digest)
            .await?;
        self.learn_from(&decided, actor, &answer).await;
        self.after_vote(&decided).await;
        self.tell_schema(&decided);
        Ok(decided)
    }

    /// Adds to an escalated decision how it stands with the people who were asked.
    pub(crate) fn add_resolution(&self, decision: &mut Decision) -> Result<(), ReadError> {
        if decision.inbox_items.is_empty() {
            return Ok(());
        }
        let items: Result<Vec<_>, _> = decision
            .inbox_items
            .iter()
            .map(|id| self.inner.inbox.get(*id))
            .collect();
        let items = items.map_err(unread)?.into_iter().flatten().collect();
        decision.resolution = Some(HumanAnswer::of(items, self.inner.clock.now_ms()));
        Ok(())
    }

    pub(crate) fn item_events(&self, item: Uuid) -> Result<Vec<StoredEvent>, ReadError> {
        self.inner
            .ledger
            .events_of(&format!("inbox/{item}"), 0, 100)
    }

    pub(crate) fn inbox_count(&self) -> Result<InboxCount, ReadError> {
        let counts = self.inner.inbox.counts().map_err(unread)?;
        Ok(InboxCount::of(&counts))
    }
}

fn state_of(item: &Item, now_ms: u64) -> HumanState {
    match &item.state {
        // What is due is over, even if nobody has looked since.
        State::Open if item.is_due(now_ms) && item.on_expiry == OnExpiry::Reject => {
            HumanState::Rejected
        }
        State::Open => HumanState::Waiting,
        State::Expired { .. } | State::Withdrawn { .. } => HumanState::Rejected,
        State::Decided(decision) => match &decision.answer {
            Answer::Accept | Answer::Edit(_) => HumanState::Accepted,
            Answer::Respond(_) => HumanState::Answered,
            Answer::Reject => HumanState::Rejected,
        },
    }
}

fn is_digest(form: &Value) -> bool {
    form.as_object().is_some_and(|members| {
        members.len() == 3
            && ["head", "bytes", "sha256"]
                .iter()
                .all(|name| members.contains_key(*name))
    })
}

pub(crate) fn unread(error: InboxError) -> ReadError {
    match error {
        InboxError::Read(error) => error,
        error => ReadError::Store(StoreError::Damaged(error.to_string())),
    }
}
