//! Several models answer one question, see each other's answers without names, and decide.
//!
//! Blind: no prompt says who gave which answer. Shuffled: each member sees the answers in another order, so that no place
//! wins. A vote for one's own answer does not count. Members who fail or are late do not hold up the others: a round ends
//! when all have answered or its time is over, and a quorum decides. What the minority said is part of the result.
//!
//! One strong model asked several times is often better than a mixture of weak ones (Li et al., "Rethinking
//! mixture-of-agents", 2025), so the same model may sit on a council more than once.

mod ballot;
mod plan;
mod prompt;
mod result;

use std::collections::VecDeque;
use std::sync::Arc;

pub use plan::{CouncilPlan, Decide, PlanError};
pub use prompt::PromptMessage;
pub use result::{Agreement, CouncilResult, EndedBy, Part, View};

use crate::Rng;

/// A call of a member, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u32);

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum CouncilStep {
    /// Ask a member.
    Ask {
        /// Which call it is.
        call: CallId,
        /// Position of the member in the plan.
        member: usize,
        /// The conversation.
        prompt: Vec<PromptMessage>,
        /// When its answer is no longer waited for.
        timeout_at_ms: u64,
    },
    /// End a call; its answer comes too late.
    Stop(CallId),
    /// Nothing, until then or until an answer.
    WaitUntil(u64),
    /// It has decided, or cannot. Nothing comes after this.
    Done(Box<CouncilResult>),
}

/// A council in session.
#[derive(Debug)]
pub struct Council {
    plan: CouncilPlan,
    question: Arc<str>,
    rng: Rng,
    parts: Vec<Part>,
    phase: Phase,
    round: u32,
    round_ends_ms: u64,
    asks: VecDeque<CouncilStep>,
    pending: Vec<Pending>,
    calls: u32,
    cost_micro: u64,
    ended_by: EndedBy,
    /// The answers that are voted on: positions of the members who gave each.
    groups: Vec<Vec<usize>>,
}

/// `Opening => Answering … => (Voting) => Done`.
#[derive(Debug)]
enum Phase {
    Opening,
    Answering,
    Voting,
    Done(Box<CouncilResult>),
}

#[derive(Debug)]
struct Pending {
    call: CallId,
    member: usize,
    /// What the labels on the member's ballot stand for.
    ballot: Vec<usize>,
}

impl Council {
    /// A council on a question. Its seed decides who sees what in which order.
    pub fn new(
        plan: CouncilPlan,
        question: impl Into<Arc<str>>,
        seed: u64,
    ) -> Result<Self, PlanError> {
        plan.check()?;
        Ok(Self {
            parts: vec![Part::default(); plan.members.len()],
            plan,
            question: question.into(),
            rng: Rng::new(seed),
            phase: Phase::Opening,
            round: 0,
            round_ends_ms: 0,
            asks: VecDeque::new(),
            pending: Vec::new(),
            calls: 0,
            cost_micro: 0,
            ended_by: EndedBy::AllRounds,
            groups: Vec::new(),
        })
    }

    /// What to do now. To be called again at once, except after [`CouncilStep::WaitUntil`] and
    /// [`CouncilStep::Done`].
    pub fn next(&mut self, now_ms: u64) -> CouncilStep {
        loop {
            if let Phase::Done(result) = &self.phase
                && self.asks.is_empty()
            {
                return CouncilStep::Done(result.clone());
            }
            if !self.pending.is_empty() && now_ms >= self.round_ends_ms {
                // Whom nobody has asked yet need not be stopped.
                let unasked = std::mem::take(&mut self.asks);
                for Pending { call, member, .. } in std::mem::take(&mut self.pending) {
                    self.parts[member].failures += 1;
                    let is_unasked = unasked.iter().any(
                        |ask| matches!(ask, CouncilStep::Ask { call: other, .. } if *other == call),
                    );
                    if !is_unasked {
                        self.asks.push_back(CouncilStep::Stop(call));
                    }
                }
            }
            if let Some(step) = self.asks.pop_front() {
                return step;
            }
            if !self.pending.is_empty() {
                return CouncilStep::WaitUntil(self.round_ends_ms);
            }
            self.advance(now_ms);
        }
    }

    /// Takes a member's answer, or `None` where it failed, and what it cost. An answer that comes late or twice costs and
    /// does not count.
    pub fn on_answer(&mut self, call: CallId, answer: Option<&str>, cost_micro: u64, now_ms: u64) {
        self.cost_micro = self.cost_micro.saturating_add(cost_micro);
        let Some(index) = self.pending.iter().position(|it| it.call == call) else {
            if let Phase::Done(result) = &mut self.phase {
                result.cost_micro = self.cost_micro;
            }
            return;
        };
        let Pending { member, ballot, .. } = self.pending.swap_remove(index);
        let part = &mut self.parts[member];
        part.cost_micro = part.cost_micro.saturating_add(cost_micro);
        let is_late = now_ms >= self.round_ends_ms;
        let answer = answer
            .map(str::trim)
            .filter(|it| !it.is_empty() && !is_late);
        let Some(answer) = answer else {
            part.failures += 1;
            return;
        };
        if !matches!(self.phase, Phase::Voting) {
            part.answer = Some(answer.into());
            return;
        }
        match ballot::read_vote(answer, ballot.len()).and_then(|label| ballot.get(label)) {
            None => part.vote_unreadable = true,
            Some(group) if self.groups[*group].contains(&member) => part.voted_for_own = true,
            Some(group) => part.voted_for = Some(*group),
        }
    }

    /// A phase is over, or has not begun.
    fn advance(&mut self, now_ms: u64) {
        match self.phase {
            Phase::Done(_) => {}
            Phase::Voting => self.conclude(),
            Phase::Opening => {
                self.phase = Phase::Answering;
                self.answer_round(now_ms);
            }
            Phase::Answering => {
                self.round += 1;
                self.group();
                let answered = self.answered();
                if answered < self.plan.quorum {
                    self.ended_by = EndedBy::Quorum;
                    return self.conclude();
                }
                if self.groups.len() == 1 && answered > 1 {
                    self.ended_by = EndedBy::Agreement;
                    return self.conclude();
                }
                if self.round < self.plan.rounds {
                    return self.answer_round(now_ms);
                }
                self.decide(now_ms);
            }
        }
    }

    fn answer_round(&mut self, now_ms: u64) {
        let is_first = self.round == 0;
        let in_session: Vec<_> = (0..self.parts.len())
            .filter(|member| is_first || self.parts[*member].answer.is_some())
            .collect();
        let Some(members) = self.begin(in_session, is_first, now_ms) else {
            return self.decide(now_ms);
        };
        for member in members {
            let prompt = if is_first {
                prompt::first(&self.question)
            } else {
                let mut others: Vec<_> = (0..self.parts.len())
                    .filter(|other| *other != member)
                    .filter_map(|other| self.parts[other].answer.clone())
                    .collect();
                self.rng.shuffle(&mut others);
                let own = self.parts[member].answer.as_deref();
                let others = others.iter().map(|it| &**it);
                prompt::again(&self.question, own, others, self.plan.shown_bytes)
            };
            self.ask(member, prompt, Vec::new());
        }
    }

    /// The answers are in.
    fn decide(&mut self, now_ms: u64) {
        self.group();
        let may_vote = self.plan.decide == Decide::Vote
            && self.groups.len() > 1
            && self.answered() >= self.plan.quorum
            && matches!(self.ended_by, EndedBy::AllRounds | EndedBy::CostCap);
        if !may_vote {
            return self.conclude();
        }
        let voters: Vec<_> = self.groups.iter().flatten().copied().collect();
        let Some(mut voters) = self.begin(voters, false, now_ms) else {
            return self.conclude();
        };
        voters.sort_unstable();
        self.phase = Phase::Voting;
        for member in voters {
            let mut ballot: Vec<_> = (0..self.groups.len()).collect();
            self.rng.shuffle(&mut ballot);
            let answers: Vec<_> = ballot.iter().map(|group| self.text_of(*group)).collect();
            let answers = answers.iter().map(|it| &**it);
            let prompt = prompt::vote(&self.question, answers, self.plan.shown_bytes);
            self.ask(member, prompt, ballot);
        }
    }

    /// Whom the money and the time that are left suffice for. Without a quorum of them there is no round.
    fn begin(&mut self, members: Vec<usize>, is_first: bool, now_ms: u64) -> Option<Vec<usize>> {
        if now_ms >= self.plan.deadline_ms {
            self.ended_by = EndedBy::Deadline;
            return None;
        }
        let cap = self.plan.max_cost_micro.unwrap_or(u64::MAX);
        let mut left = cap.saturating_sub(self.cost_micro);
        let wanted = members.len();
        let affordable: Vec<_> = members
            .into_iter()
            .filter(|member| {
                let estimate = self.plan.members[*member].estimate_micro;
                let fits = estimate <= left;
                left -= if fits { estimate } else { 0 };
                fits
            })
            .collect();
        // A later round with fewer than all would be a council of its own.
        let enough = if is_first { self.plan.quorum } else { wanted };
        if affordable.len() < enough {
            self.ended_by = EndedBy::CostCap;
            return None;
        }
        self.round_ends_ms = now_ms
            .saturating_add(self.plan.round_timeout_ms.max(1))
            .min(self.plan.deadline_ms);
        Some(affordable)
    }

    fn ask(&mut self, member: usize, prompt: Vec<PromptMessage>, ballot: Vec<usize>) {
        let call = CallId(self.calls);
        self.calls += 1;
        self.pending.push(Pending {
            call,
            member,
            ballot,
        });
        self.asks.push_back(CouncilStep::Ask {
            call,
            member,
            prompt,
            timeout_at_ms: self.round_ends_ms,
        });
    }

    fn answered(&self) -> usize {
        self.parts.iter().filter(|it| it.answer.is_some()).count()
    }

    fn text_of(&self, group: usize) -> Arc<str> {
        let first = self.groups.get(group).and_then(|members| members.first());
        let answer = first.and_then(|member| self.parts[*member].answer.clone());
        answer.unwrap_or_else(|| "".into())
    }

    fn group(&mut self) {
        let (members, answers): (Vec<usize>, Vec<&str>) = self
            .parts
            .iter()
            .enumerate()
            .filter_map(|(member, part)| Some((member, part.answer.as_deref()?)))
            .unzip();
        self.groups = self
            .plan
            .compare
            .groups(answers)
            .into_iter()
            .map(|group| group.into_iter().map(|index| members[index]).collect())
            .collect();
    }

    fn conclude(&mut self) {
        let votes = |group: usize| {
            let count = self
                .parts
                .iter()
                .filter(|it| it.voted_for == Some(group))
                .count();
            count as u32
        };
        let mut order: Vec<usize> = (0..self.groups.len()).collect();
        let view = |group: usize| {
            let members = self.groups[group].clone();
            let votes = votes(group);
            View {
                answer: self.text_of(group),
                score: votes + members.len() as u32 - 1,
                members,
                votes,
            }
        };
        // A stable sort: of equal ones the larger group, then the one that was first, comes first.
        order.sort_by_key(|group| std::cmp::Reverse(view(*group).score));
        let views: Vec<_> = order.iter().map(|group| view(*group)).collect();
        let answered = self.answered();
        let ballots: u32 = (0..self.groups.len()).map(votes).sum();
        let agreement = match views.as_slice() {
            _ if answered < self.plan.quorum => Agreement::NoQuorum,
            [] => Agreement::NoQuorum,
            [_] => Agreement::Unanimous,
            [first, second, ..] if first.score == second.score => Agreement::Tie,
            [first, ..]
                if first.members.len() * 2 > answered
                    || (ballots > 0 && first.votes * 2 > ballots) =>
            {
                Agreement::Majority
            }
            _ => Agreement::Plurality,
        };
        // Votes name groups as they were voted on; the result names views as it lists them.
        let mut parts = self.parts.clone();
        for part in &mut parts {
            part.voted_for = part
                .voted_for
                .and_then(|group| order.iter().position(|it| *it == group));
        }
        let mut views = views.into_iter();
        let consensus = match agreement {
            Agreement::NoQuorum => None,
            _ => views.next(),
        };
        self.phase = Phase::Done(Box::new(CouncilResult {
            agreement,
            consensus,
            dissent: views.collect(),
            members: parts,
            answered,
            rounds: self.round,
            ended_by: self.ended_by,
            cost_micro: self.cost_micro,
        }));
    }
}

#[cfg(test)]
mod tests;
