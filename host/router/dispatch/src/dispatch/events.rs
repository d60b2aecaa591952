//! What is done with what an attempt sends, and when it ends.

use super::live::{Bill, Live};
use super::step::{AttemptId, End, Event, Heard, StopWhy};
use super::{AttemptEnd, AttemptRecord, Cause, Dispatch, Finished, Step, WhyNot};
use crate::class_table::{Billing, Mark, Reach, Then};
use crate::gates::{Gates, Settlement};
use crate::{ErrorClass, Failure, OpenWhy, Usage, Verdict};

impl Dispatch {
    /// Takes in what happened to an attempt, and says what to do with a piece of an answer. What comes of an attempt that
    /// has ended, or comes twice, is dropped.
    pub fn on_event(
        &mut self,
        attempt: AttemptId,
        event: Event<'_>,
        now_ms: u64,
        gates: &impl Gates,
    ) -> Heard {
        self.expire(now_ms, gates);
        let Some(index) = self.live.iter().position(|live| live.id == attempt) else {
            return Heard::Drop;
        };
        match event {
            Event::Failed(failure) => {
                self.fail(index, failure, now_ms, gates);
                Heard::Drop
            }
            Event::End(end) => self.end(index, end, now_ms, gates),
            Event::Text(text) => {
                if !self.live[index].content.text(text) {
                    self.stops.push_back((attempt, StopWhy::Garbage));
                    let failure = Failure::new(ErrorClass::Garbage, "the answer is not text");
                    self.fail(index, &failure, now_ms, gates);
                    return Heard::Drop;
                }
                if self.facts.stream && !self.live[index].content.is_answer() {
                    // White space alone is no sign of life, and goes out only if an answer follows.
                    self.live[index].hold(text);
                    return Heard::Text(String::new());
                }
                self.piece(index, now_ms, gates);
                self.pass_text(attempt, text)
            }
            Event::ToolCall(bytes) | Event::Data(bytes) => {
                self.live[index].content.other(bytes);
                self.piece(index, now_ms, gates);
                if self.facts.stream {
                    self.sent.has_other = true;
                }
                Heard::Pass
            }
            Event::Thinking(bytes) => {
                self.live[index].content.thinking(bytes);
                self.piece(index, now_ms, gates);
                Heard::Pass
            }
        }
    }

    /// A piece has come. The first attempt of a stream to send one is the one that is heard.
    fn piece(&mut self, index: usize, now_ms: u64, gates: &impl Gates) {
        let live = &mut self.live[index];
        live.first_piece_ms.get_or_insert(now_ms);
        live.last_piece_ms = now_ms;
        if self.facts.stream && self.winner.is_none() {
            let id = live.id;
            self.winner = Some(id);
            self.stop_others(id, now_ms, gates);
        }
    }

    fn pass_text(&mut self, attempt: AttemptId, text: &str) -> Heard {
        let live = self.live.iter_mut().find(|live| live.id == attempt);
        let Some(live) = live else { return Heard::Drop };
        if !self.facts.stream {
            return Heard::Pass;
        }
        let lead = std::mem::take(&mut live.lead);
        match &mut live.seam {
            None if lead.is_empty() => {
                self.note_sent(text);
                Heard::Pass
            }
            None => {
                let text = lead + text;
                self.note_sent(&text);
                Heard::Text(text)
            }
            Some(seam) => {
                let (text, is_over) = seam.push(&(lead + text));
                if is_over {
                    live.seam = None;
                }
                self.note_sent(&text);
                Heard::Text(text)
            }
        }
    }

    fn note_sent(&mut self, text: &str) {
        let sent = &mut self.sent;
        sent.bytes += text.len() as u64;
        sent.is_visible |= text.contains(|c: char| !c.is_whitespace());
        if sent.is_too_long || sent.text.len() + text.len() > self.policy.max_continued_bytes {
            // Nobody could continue it any more, so nothing of it has to be kept.
            sent.is_too_long = true;
            sent.text = String::new();
        } else {
            sent.text.push_str(text);
        }
    }

    fn end(&mut self, index: usize, end: End<'_>, now_ms: u64, gates: &impl Gates) -> Heard {
        let live = &self.live[index];
        let broke = |class, detail: &str| {
            let mut failure = Failure::new(class, detail);
            failure.usage = end.usage;
            failure
        };
        // A continuation that adds nothing is no answer either: it would make what broke off look complete.
        let has_answer = live.content.is_answer();
        let failure = match end.finish {
            None => Some(broke(
                ErrorClass::BrokenStream,
                "the answer ended without saying so",
            )),
            Some("content_filter") if !has_answer => Some(broke(
                ErrorClass::Refused,
                "the provider's filter held the answer back",
            )),
            Some(_) if !has_answer => Some(broke(ErrorClass::Garbage, "the answer is empty")),
            Some(_) => None,
        };
        if let Some(failure) = failure {
            self.fail(index, &failure, now_ms, gates);
            return Heard::Drop;
        }
        let mut live = self.live.swap_remove(index);
        let held = live.seam.take().map(|seam| seam.finish());
        if let Some(held) = &held {
            self.note_sent(held);
        }
        let (attempt, candidate) = (live.id, live.candidate);
        let bill = self.bill(&live, end.usage, Billing::Billed);
        self.settle(
            live,
            AttemptEnd::Answered,
            bill,
            Verdict::Success,
            now_ms,
            gates,
        );
        self.stop_all(StopWhy::Outrun, now_ms, gates);
        self.done = Some(Step::Finished(Box::new(Finished {
            attempt,
            candidate,
            finish: end.finish.unwrap_or_default().to_owned(),
            usage: bill.usage,
            continuations: self.continuations,
            trail: self.trail.clone(),
        })));
        held.map_or(Heard::Pass, Heard::Text)
    }

    /// Takes note of how much has come so far of an answer that is collected elsewhere. Should the attempt end before the
    /// answer does, that much is on its bill. No time passes by this: whoever knows tells it before asking what is next.
    pub fn collected(&mut self, attempt: AttemptId, bytes: u64) {
        if let Some(live) = self.live.iter_mut().find(|live| live.id == attempt) {
            live.collected_bytes = bytes;
        }
    }

    /// An attempt has failed. What its class says happens to it, to its plugin and to the request.
    pub(super) fn fail(
        &mut self,
        index: usize,
        failure: &Failure,
        now_ms: u64,
        gates: &impl Gates,
    ) {
        let live = self.live.swap_remove(index);
        let class = failure.class;
        let rule = *self.policy.classes.of(class);
        let (id, candidate_index) = (live.id, live.candidate);
        let bill = self.bill(&live, failure.usage, rule.billing);
        let usual_ms = self.candidates[candidate_index].expected_ms;
        let verdict = match class {
            // The request was in a greater hurry than the model ever is.
            ErrorClass::Timeout if now_ms.saturating_sub(live.started_ms) < usual_ms => {
                Verdict::Nothing
            }
            _ => verdict(rule.breaker, failure, now_ms),
        };
        let end = AttemptEnd::Failed {
            class,
            detail: failure.detail.clone(),
        };
        self.settle(live, end, bill, verdict, now_ms, gates);

        let state = &mut self.states[candidate_index];
        state.why = Some(WhyNot::Failed {
            class,
            detail: failure.detail.clone(),
        });
        // The first failure says how often; later ones count down, whatever they are, and can only be stricter.
        let allowed = u32::from(rule.retries);
        state.retries_left = match state.retries_set {
            false => allowed,
            true => state.retries_left.saturating_sub(1).min(allowed),
        };
        state.retries_set = true;
        state.is_out = state.retries_left == 0;
        state.retry_granted = false;
        let backoff = self
            .policy
            .backoff
            .delay_ms(state.attempts.saturating_sub(1), &mut self.rng);
        let hinted = failure.ready_at_ms(now_ms);
        state.not_before_ms = hinted.unwrap_or(0).max(now_ms.saturating_add(backoff));
        let (is_out, at) = (state.is_out, state.not_before_ms);
        self.reach(candidate_index, class, rule.reach);
        if class == ErrorClass::ContextTooLong {
            self.drop_smaller(candidate_index);
        }
        match rule.then {
            Then::GiveUp => self.closed = Some(Cause::Fatal),
            Then::RetryHere | Then::Wait if !is_out => self.here = Some((candidate_index, at)),
            Then::RetryHere | Then::Wait | Then::GoElsewhere => {
                let models = usize::from(rule.elsewhere);
                if rule.elsewhere != u8::MAX && self.trail.failures(class) > models {
                    self.closed = Some(Cause::Fatal);
                }
            }
        }
        if self.winner == Some(id) {
            self.winner = None;
            self.continue_or_close();
        }
    }

    /// Leaves out the models that would fail alike.
    fn reach(&mut self, failed: usize, class: ErrorClass, reach: Reach) {
        if reach == Reach::Model {
            return;
        }
        let (plugin, model) = {
            let candidate = &self.candidates[failed];
            (candidate.plugin.clone(), candidate.model.clone())
        };
        for (index, candidate) in self.candidates.iter().enumerate() {
            let state = &mut self.states[index];
            if index != failed && candidate.plugin == plugin && !state.is_out {
                state.is_out = true;
                if state.attempts == 0 {
                    let model = model.clone();
                    state.why = Some(WhyNot::SameAs { model, class });
                }
            }
        }
    }

    /// What did not fit here fits nowhere that is known to have no more room.
    fn drop_smaller(&mut self, failed: usize) {
        let (room, model) = {
            let candidate = &self.candidates[failed];
            (candidate.context_tokens, candidate.model.clone())
        };
        for (candidate, state) in self.candidates.iter().zip(&mut self.states) {
            let is_smaller = (1..=room).contains(&candidate.context_tokens);
            if is_smaller && state.attempts == 0 && !state.is_out {
                state.is_out = true;
                let (model, class) = (model.clone(), ErrorClass::ContextTooLong);
                state.why = Some(WhyNot::SameAs { model, class });
            }
        }
    }

    /// A stream that was going out broke: another model writes on, or nobody can.
    fn continue_or_close(&mut self) {
        let sent = &self.sent;
        if !sent.is_visible && !sent.has_other {
            // Nothing that anybody has seen: the next one begins from the beginning.
            return;
        }
        let can = self.facts.may_continue
            && !sent.has_other
            && !sent.is_too_long
            && self.continuations < self.policy.max_continuations;
        if can {
            self.continuations += 1;
        } else {
            self.closed = Some(Cause::NotContinuable);
        }
    }

    fn stop_others(&mut self, winner: AttemptId, now_ms: u64, gates: &impl Gates) {
        while let Some(index) = self.live.iter().position(|live| live.id != winner) {
            self.stop(index, StopWhy::Outrun, now_ms, gates);
        }
    }

    pub(super) fn stop_all(&mut self, why: StopWhy, now_ms: u64, gates: &impl Gates) {
        while !self.live.is_empty() {
            self.stop(0, why, now_ms, gates);
        }
    }

    fn stop(&mut self, index: usize, why: StopWhy, now_ms: u64, gates: &impl Gates) {
        let live = self.live.swap_remove(index);
        self.stops.push_back((live.id, why));
        let state = &mut self.states[live.candidate];
        if why == StopWhy::Outrun {
            // It was slow, not wrong: should the faster one fail, it may be asked again.
            state.retries_left = state.retries_left.max(1);
            state.why = Some(WhyNot::Outrun);
        }
        let bill = self.bill(&live, None, Billing::MayBeBilled);
        let end = AttemptEnd::Stopped(why);
        self.settle(live, end, bill, Verdict::Nothing, now_ms, gates);
    }

    fn bill(&self, live: &Live, usage: Option<Usage>, billing: Billing) -> Bill {
        live.bill(
            &self.facts,
            &self.candidates[live.candidate],
            usage,
            billing,
        )
    }

    /// Takes an attempt off the books. The permit goes with it, so it cannot happen twice.
    fn settle(
        &mut self,
        live: Live,
        end: AttemptEnd,
        bill: Bill,
        verdict: Verdict,
        now_ms: u64,
        gates: &impl Gates,
    ) {
        let candidate = &self.candidates[live.candidate];
        let is_used = end == AttemptEnd::Answered || self.winner == Some(live.id);
        let settlement = Settlement {
            cost_micro: bill.cost_micro,
            tokens: Some(bill.tokens),
            verdict,
            now_ms,
        };
        let event = gates.settle(candidate, live.permit, &settlement);
        self.events.extend(event);
        self.trail.cost_micro = self.trail.cost_micro.saturating_add(bill.cost_micro);
        self.trail.attempts.push(AttemptRecord {
            attempt: live.id,
            plugin: candidate.plugin.clone(),
            model: candidate.model.clone(),
            role: live.role,
            forced: live.forced,
            started_ms: live.started_ms,
            first_piece_ms: live.first_piece_ms,
            ended_ms: now_ms,
            end,
            reserved_micro: live.reserved_micro,
            cost_micro: bill.cost_micro,
            is_estimate: bill.is_estimate,
            is_used,
        });
    }
}

fn verdict(mark: Mark, failure: &Failure, now_ms: u64) -> Verdict {
    let hinted = failure.ready_at_ms(now_ms);
    match mark {
        Mark::Nothing => Verdict::Nothing,
        Mark::Failure => Verdict::Failure,
        Mark::Open => match hinted {
            Some(at) => Verdict::OpenUntil(at, OpenWhy::Asked),
            // It would have said so, and did not.
            None if failure.class == ErrorClass::RateLimitedUntil => Verdict::Failure,
            None => Verdict::Open(OpenWhy::Unusable),
        },
        Mark::OpenUntilReset => match hinted {
            Some(at) => Verdict::OpenUntil(at, OpenWhy::SpendCap),
            None => Verdict::Open(OpenWhy::SpendCap),
        },
    }
}
