//! Questions of a workflow to people, and what their answers mean to it.
//!
//! A question is an inbox item, put in the commit that asks. Its answer is checked when it is given: against the form that
//! the task wants, against the people who are asked, against what can be voted for. Silence never approves: where nobody
//! answers, the task fails.

use std::collections::BTreeSet;
use std::sync::Arc;

use polity_constitution::ActorKind;
use polity_inbox::{Answer, AnswerKind, Item, NewItem, OnExpiry, RaiseError, State};
use polity_workflow::{Call, EffectRequest, Fault, FaultKind};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::batch::Batch;
use super::drive::{Desk, DriveError};
use super::vote;
use crate::digest::sha256;
use crate::kept::cut;
use crate::{Actor, Kernel};

/// The kinds of inbox items.
pub(crate) const GATE: &str = "gate";
pub(crate) const TASK: &str = "task";
pub(crate) const VOTE: &str = "vote";

/// Ballots of one vote.
const MAX_BALLOTS: usize = 40;
const MAX_TITLE: usize = 290;
const MAX_QUESTION: usize = 7_500;

/// What came of asking.
pub(super) enum Asked {
    /// These items wait.
    Items(Vec<Uuid>),
    /// Nobody can be asked.
    Not(Fault),
}

/// A question, whichever function asks it.
struct Draft<'a> {
    kind: &'static str,
    title: &'a str,
    role: &'a str,
    detail: Option<&'a str>,
    clause: Option<&'a str>,
    proposal: &'a Value,
    escalate: &'a Value,
    people: &'a [String],
    allowed: BTreeSet<AnswerKind>,
    evidence: Map<String, Value>,
}

impl Kernel {
    /// Puts a question to people, as part of the batch.
    pub(super) async fn ask(
        &self,
        desk: &Desk,
        batch: &mut Batch,
        request: &EffectRequest,
        call: &Call,
        actor: &Arc<Actor>,
    ) -> Result<Asked, DriveError> {
        let Some(draft) = draft(call) else {
            let why = "this asks nobody";
            return Ok(Asked::Not(Fault::new(FaultKind::Configuration, why)));
        };
        let law = self.inner.books.law();
        let charter = law.charter();
        if !charter.can_decide(draft.role) {
            let why = format!(
                "nobody can answer: no person holds the role `{}` and may decide inbox items; see charter.json",
                draft.role
            );
            return Ok(Asked::Not(Fault::new(FaultKind::Configuration, why)));
        }
        let mut items = Vec::new();
        let ballots: Vec<Option<String>> = if let Call::HumanVote { quorum, .. } = call {
            // Whoever wants something decided has no vote on it.
            let eligible = charter.actors().filter(|person| {
                person.kind == ActorKind::Person
                    && person.holds(draft.role)
                    && person.id != actor.id
                    && is_asked(draft.people, &person.id)
            });
            let ids: Vec<_> = eligible.map(|person| Some(person.id.clone())).collect();
            let needed = usize::try_from(*quorum).unwrap_or(usize::MAX);
            if ids.len() < needed || ids.len() > MAX_BALLOTS {
                let why = format!(
                    "{} people can vote where {quorum} have to; a vote has at most {MAX_BALLOTS} voters",
                    ids.len()
                );
                return Ok(Asked::Not(Fault::new(FaultKind::Configuration, why)));
            }
            ids
        } else {
            vec![None]
        };
        for voter in ballots {
            let item = self.item(desk, request, &draft, actor, voter);
            match self.inner.inbox.stage(item).await {
                Ok(staged) => {
                    items.push(staged.item().id);
                    batch.ask(staged, desk.id);
                }
                Err(RaiseError::Invalid(why)) => {
                    return Ok(Asked::Not(Fault::new(FaultKind::Validation, why)));
                }
                Err(RaiseError::Inbox(error)) => return Err(error.into()),
            }
        }
        Ok(Asked::Items(items))
    }

    fn item(
        &self,
        desk: &Desk,
        request: &EffectRequest,
        draft: &Draft<'_>,
        actor: &Actor,
        voter: Option<String>,
    ) -> NewItem {
        let now_ms = self.inner.clock.now_ms();
        let task = request.task.rsplit('/').next().unwrap_or_default();
        let name = &desk.stored.name;
        let to_role = draft
            .escalate
            .as_str()
            .or_else(|| draft.escalate["role"].as_str())
            .filter(|role| *role != draft.role)
            .filter(|role| self.inner.books.law().charter().can_decide(role));
        // Another role has as much time again as the first, and both together have what the task has.
        let due_at_ms = request.deadline.map(|deadline| match to_role {
            Some(_) => now_ms + (deadline.saturating_sub(now_ms) / 2).max(1),
            None => deadline.max(now_ms + 1),
        });
        let on_expiry = match to_role.filter(|_| due_at_ms.is_some()) {
            Some(role) => OnExpiry::Escalate {
                to_role: role.to_owned(),
            },
            None => OnExpiry::Reject,
        };
        let mut evidence = draft.evidence.clone();
        evidence.insert("instance".to_owned(), json!(desk.id));
        evidence.insert(
            "workflow".to_owned(),
            json!({ "name": name, "version": desk.stored.version, "task": task }),
        );
        let people: Vec<String> = match &voter {
            Some(voter) => vec![voter.clone()],
            None => draft.people.iter().map(|id| full(id)).collect(),
        };
        if !people.is_empty() {
            evidence.insert("people".to_owned(), json!(people));
        }
        let effect = super::stored::name(&request.id);
        let subject = format!(
            "{name}/{}",
            sha256(&format!("{effect}\n{}", voter.unwrap_or_default()))
        );
        let question = draft.detail.map_or_else(
            || format!("The workflow {name} waits at its task {task} for an answer."),
            str::to_owned,
        );
        NewItem {
            kind: draft.kind.to_owned(),
            subject,
            title: cut(&one_line(draft.title), MAX_TITLE).to_owned(),
            question: cut(&question, MAX_QUESTION).to_owned(),
            proposal: draft.proposal.clone(),
            clause: draft.clause.map(str::to_owned),
            evidence: Value::Object(evidence),
            role: draft.role.to_owned(),
            requested_by: actor.id.clone(),
            cost_at_stake: None,
            due_at_ms,
            on_expiry,
            allowed: draft.allowed.clone(),
        }
    }

    /// What people have answered to a question of a workflow; none where it is still open.
    pub(super) fn answered(
        &self,
        call: &Call,
        items: &[Uuid],
    ) -> Result<Option<Result<Value, Fault>>, DriveError> {
        let read = self.items(items)?;
        if let Call::HumanVote {
            quorum, options, ..
        } = call
        {
            return Ok(vote::outcome(&read, *quorum, options));
        }
        let Some(item) = read.first() else {
            let why = "its question is not in the inbox any more";
            return Ok(Some(Err(Fault::new(FaultKind::Runtime, why))));
        };
        Ok(match (&item.state, call) {
            (State::Open, _) => None,
            (State::Expired { .. } | State::Withdrawn { .. }, _) => Some(Err(unanswered(item))),
            (State::Decided(_), Call::HumanTask(_)) => Some(done(item)),
            (State::Decided(_), _) => Some(Ok(verdict(item))),
        })
    }

    /// Whether people let an effect happen that the rules left to them, and in which form; none where one of them has
    /// still to decide.
    pub(super) fn let_happen(
        &self,
        items: &[Uuid],
    ) -> Result<Option<Result<Option<Value>, Fault>>, DriveError> {
        let read = self.items(items)?;
        if let Some(item) = read
            .iter()
            .find(|item| !item.is_open() && item.approved().is_none())
        {
            let fault = match item.state {
                State::Expired { .. } => unanswered(item),
                _ => Fault::new(FaultKind::Authorization, item.closing()),
            };
            return Ok(Some(Err(fault)));
        }
        if read.iter().any(Item::is_open) {
            return Ok(None);
        }
        let edits: Vec<&Value> = read
            .iter()
            .filter_map(|item| match &item.decision()?.answer {
                Answer::Edit(form) => Some(form),
                _ => None,
            })
            .collect();
        if edits.windows(2).any(|pair| pair[0] != pair[1]) {
            let why = "those who were asked accepted different forms of it";
            return Ok(Some(Err(Fault::new(FaultKind::Authorization, why))));
        }
        Ok(Some(Ok(edits.first().map(|form| Value::clone(form)))))
    }

    fn items(&self, ids: &[Uuid]) -> Result<Vec<Item>, DriveError> {
        let mut items = Vec::with_capacity(ids.len());
        for id in ids {
            items.extend(self.inner.inbox.get(*id)?);
        }
        Ok(items)
    }
}

fn draft(call: &Call) -> Option<Draft<'_>> {
    let mut evidence = Map::new();
    Some(match call {
        Call::HumanApprove(ask) | Call::HumanTask(ask) => {
            if !ask.form.is_null() {
                evidence.insert("form".to_owned(), ask.form.clone());
            }
            Draft {
                kind: if matches!(call, Call::HumanTask(_)) {
                    TASK
                } else {
                    GATE
                },
                title: &ask.title,
                role: &ask.role,
                detail: ask.detail.as_deref(),
                clause: ask.clause.as_deref(),
                proposal: &ask.proposal,
                escalate: &ask.escalate,
                people: &ask.people,
                allowed: AnswerKind::all(),
                evidence,
            }
        }
        Call::HumanVote {
            title,
            role,
            quorum,
            options,
            proposal,
            detail,
            clause,
            escalate: _,
            people,
            ..
        } => {
            evidence.insert("quorum".to_owned(), json!(quorum));
            let mut allowed = BTreeSet::from([AnswerKind::Accept, AnswerKind::Reject]);
            if !options.is_empty() {
                evidence.insert("options".to_owned(), json!(options));
                allowed = BTreeSet::from([AnswerKind::Respond]);
            }
            Draft {
                kind: VOTE,
                title,
                role,
                detail: detail.as_deref(),
                clause: clause.as_deref(),
                proposal,
                // A ballot is a person's own and goes to nobody else.
                escalate: &Value::Null,
                people,
                allowed,
                evidence,
            }
        }
        _ => return None,
    })
}

/// Nobody answered.
fn unanswered(item: &Item) -> Fault {
    Fault::new(FaultKind::Timeout, item.closing())
}

/// A gate's answer, as data.
fn verdict(item: &Item) -> Value {
    let Some(decision) = item.decision() else {
        return Value::Null;
    };
    let mut verdict = json!({
        "by": decision.by,
        "note": decision.note,
        "at": decision.at_ms,
    });
    match &decision.answer {
        Answer::Accept => {
            verdict["decision"] = "approved".into();
            verdict["proposal"] = item.proposal.clone();
        }
        Answer::Edit(form) => {
            verdict["decision"] = "approved".into();
            verdict["proposal"] = form.clone();
            verdict["edited"] = true.into();
        }
        Answer::Respond(text) => {
            verdict["decision"] = "answered".into();
            verdict["response"] = text.as_str().into();
        }
        Answer::Reject => verdict["decision"] = "rejected".into(),
    }
    verdict
}

/// What a task was done with.
fn done(item: &Item) -> Result<Value, Fault> {
    let Some(decision) = item.decision() else {
        return Ok(Value::Null);
    };
    match &decision.answer {
        Answer::Accept => Ok(item.proposal.clone()),
        Answer::Edit(form) => Ok(form.clone()),
        Answer::Respond(text) => Ok(json!({ "response": text, "by": decision.by })),
        Answer::Reject => Err(Fault::new(FaultKind::Authorization, item.closing())),
    }
}

/// What is wrong with an answer to a workflow's question.
pub(crate) fn objection(item: &Item, person: &str, answer: &Answer) -> Option<String> {
    if let Some(people) = item.evidence["people"].as_array()
        && [GATE, TASK, VOTE].contains(&item.kind.as_str())
        && !people.iter().any(|id| id == person)
    {
        let names: Vec<&str> = people.iter().filter_map(Value::as_str).collect();
        return Some(format!("this is for {} alone", names.join(" and ")));
    }
    if item.kind == VOTE
        && let Answer::Respond(text) = answer
        && let Some(options) = item.evidence["options"].as_array()
        && !options.iter().any(|option| option == text)
    {
        let names: Vec<&str> = options.iter().filter_map(Value::as_str).collect();
        return Some(format!(
            "{text:?} cannot be voted for; vote for {}",
            names.join(" or ")
        ));
    }
    let form = Some(&item.evidence["form"])
        .filter(|form| !form.is_null() && matches!(item.kind.as_str(), GATE | TASK))?;
    let filled = match answer {
        Answer::Edit(filled) => filled,
        Answer::Accept if item.kind == TASK => &item.proposal,
        _ => return None,
    };
    // A form that is no schema is the author's mistake, and keeps nobody from answering.
    let schema = jsonschema::validator_for(form).ok()?;
    let error = schema.iter_errors(filled).next()?;
    let place = error.instance_path().to_string();
    let at = if place.is_empty() {
        String::new()
    } else {
        format!(" (at {place})")
    };
    Some(format!(
        "the answer does not fill in the form: {error}{at}; answer with an edit that does"
    ))
}

fn is_asked(people: &[String], id: &str) -> bool {
    people.is_empty() || people.iter().any(|person| full(person) == id)
}

/// `ada` is `person:ada`.
fn full(id: &str) -> String {
    if id.contains(':') {
        id.to_owned()
    } else {
        format!("person:{id}")
    }
}

fn one_line(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if line.trim().is_empty() {
        "A question".to_owned()
    } else {
        line
    }
}
