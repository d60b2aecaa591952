//! Holds a council.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::FuturesUnordered;
use polity_dispatch::Compare;
use polity_dispatch::council::{
    Agreement, Council, CouncilPlan, CouncilResult, CouncilStep, Decide, PromptMessage, View,
};
use polity_router::{Comparing, CouncilSpec, Deciding};
use tokio::time::sleep;

use super::party::{candidate, max_cost, smaller};
use super::question::{self, Asked};
use super::session::{Met, Unmet};
use super::tally::{Tally, in_words, outcome};
use super::{Watch, part};
use crate::completion::about::{About, CouncilAccount, MemberAccount, Together, ViewAccount};
use crate::completion::{CompletionRequest, Message};
use crate::models::ModelEntry;
use crate::{Actor, Kernel};

/// Who sits on it.
pub(super) struct Seats<'s> {
    pub(super) spec: &'s CouncilSpec,
    pub(super) seats: &'s [Arc<ModelEntry>],
    pub(super) left_out: Vec<String>,
}

impl Kernel {
    /// Has the members answer, look at each other's answers, and decide.
    pub(super) async fn hold_council(
        &self,
        actor: &Actor,
        request: &CompletionRequest,
        seats: Seats<'_>,
        deadline_ms: u64,
        seed: u64,
        watch: Watch,
    ) -> Result<Met, Unmet> {
        let unmet = |detail: String| Unmet {
            detail,
            cause: None,
            about: Box::default(),
        };
        let asked = question::of(request).map_err(unmet)?;
        let plan = plan(&seats, request, deadline_ms);
        let mut council = Council::new(plan, asked.question.as_str(), seed)
            .map_err(|error| unmet(error.to_string()))?;
        let mut tally = Tally::new(seats.seats.len());
        let mut calls = FuturesUnordered::new();
        let mut handles = HashMap::new();
        let result = loop {
            match council.next(watch.now_ms()) {
                CouncilStep::Ask {
                    call,
                    member,
                    prompt,
                    timeout_at_ms,
                } => {
                    let Some(seat) = seats.seats.get(member) else {
                        council.on_answer(call, None, 0, watch.now_ms());
                        continue;
                    };
                    let part = CompletionRequest {
                        messages: messages(&asked, prompt),
                        ..part(request, &seat.key, watch.until(timeout_at_ms))
                    };
                    let answer = self.ask_one(actor, part);
                    let (handle, registration) = AbortHandle::new_pair();
                    handles.insert(call, handle);
                    calls.push(Abortable::new(
                        async move { (call, member, answer.await) },
                        registration,
                    ));
                }
                CouncilStep::Stop(call) => {
                    if let Some(handle) = handles.remove(&call) {
                        handle.abort();
                    }
                }
                CouncilStep::WaitUntil(at_ms) => {
                    let ended = tokio::select! {
                        ended = calls.next(), if !calls.is_empty() => ended,
                        () = sleep(watch.until(at_ms)) => None,
                    };
                    if let Some(Ok((call, member, called))) = ended {
                        handles.remove(&call);
                        let (answer, cost) = tally.take(member, called);
                        council.on_answer(call, answer.as_deref(), cost, watch.now_ms());
                    }
                }
                CouncilStep::Done(result) => break result,
            }
        };
        // Whoever is still at work is so for nobody.
        drop(calls);
        let name = request.model.as_str();
        let why = why(name, &result, seats.seats.len());
        let about = About {
            together: Some(Together::Council(account(&result, &seats, &tally))),
            ..About::default()
        };
        match &result.consensus {
            Some(view) => {
                let (content, finish) = in_words(&view.answer);
                Ok(Met {
                    content,
                    outcome: outcome(&finish, &tally.usage),
                    cost_micro: tally.cost_micro,
                    why,
                    about,
                })
            }
            None => Err(Unmet {
                detail: format!(
                    "{} of {} members answered, fewer than the quorum of {}{}",
                    result.answered,
                    seats.seats.len(),
                    quorum(&seats),
                    first_error(&tally),
                ),
                cause: tally.cause,
                about: Box::new(about),
            }),
        }
    }
}

fn plan(seats: &Seats<'_>, request: &CompletionRequest, deadline_ms: u64) -> CouncilPlan {
    let spec = seats.spec;
    let members = seats.seats.iter().map(|seat| candidate(seat, request));
    CouncilPlan {
        rounds: spec.rounds,
        quorum: quorum(seats),
        round_timeout_ms: spec.round_timeout_ms,
        max_cost_micro: smaller(spec.max_cost, max_cost(request)),
        compare: compare(spec.compare),
        decide: match spec.decide {
            Deciding::Majority => Decide::Majority,
            Deciding::Vote => Decide::Vote,
        },
        ..CouncilPlan::new(members.collect(), deadline_ms)
    }
}

pub(super) fn compare(comparing: Comparing) -> Compare {
    match comparing {
        Comparing::Text => Compare::Text,
        Comparing::Json => Compare::Json,
    }
}

/// What the company says, though never more than there are; more than half of all who were named, otherwise.
fn quorum(seats: &Seats<'_>) -> usize {
    let named = seats.spec.members.len();
    let wanted = seats.spec.quorum.unwrap_or(named / 2 + 1);
    wanted.clamp(1, seats.seats.len().max(1))
}

/// What a member reads: the conversation as it was, with the question put as the council puts it.
fn messages(asked: &Asked<'_>, prompt: Vec<PromptMessage>) -> Vec<Message> {
    let (system, rest): (Vec<_>, Vec<_>) = prompt
        .into_iter()
        .partition(|message| message.role == "system");
    let told = |message: &PromptMessage| Message::text(message.role.as_str(), &message.content);
    let system = system.iter().map(told);
    let rest = rest.iter().map(told);
    system
        .chain(asked.before.iter().cloned())
        .chain(rest)
        .collect()
}

fn why(name: &str, result: &CouncilResult, seats: usize) -> String {
    let agreed = match result.agreement {
        Agreement::Unanimous => "unanimous",
        Agreement::Majority => "a majority",
        Agreement::Plurality => "a plurality",
        Agreement::Tie => "a tie",
        Agreement::NoQuorum => "no quorum",
    };
    let name: String = name.chars().filter(char::is_ascii_graphic).collect();
    format!(
        "{name}: {agreed}, {} of {seats} answered in {} round{}",
        result.answered,
        result.rounds,
        if result.rounds == 1 { "" } else { "s" }
    )
}

fn first_error(tally: &Tally) -> String {
    match &tally.cause {
        Some(error) => format!("; the first that failed: {error}"),
        None => String::new(),
    }
}

fn account(result: &CouncilResult, seats: &Seats<'_>, tally: &Tally) -> CouncilAccount {
    let name = |member: &usize| seats.seats.get(*member).map(|seat| seat.key.clone());
    let view = |view: &View| ViewAccount {
        answer: view.answer.to_string(),
        members: view.members.iter().filter_map(name).collect(),
        votes: view.votes,
    };
    let members = result.members.iter().zip(seats.seats).enumerate();
    CouncilAccount {
        agreement: result.agreement,
        rounds: result.rounds,
        ended_by: result.ended_by,
        answered: result.answered,
        consensus: result.consensus.as_ref().map(view),
        dissent: result.dissent.iter().map(view).collect(),
        members: members
            .map(|(at, (part, seat))| MemberAccount {
                model: seat.key.clone(),
                answer: part.answer.as_deref().map(str::to_owned),
                voted_for: part.voted_for,
                failures: part.failures,
                error: tally.errors[at].clone(),
                decisions: tally.decisions[at].clone(),
                cost_micro: part.cost_micro,
            })
            .collect(),
        left_out: seats.left_out.clone(),
        cost_micro: tally.cost_micro,
    }
}
