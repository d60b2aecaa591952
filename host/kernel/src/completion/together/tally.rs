//! What came of the calls so far, by seat: decisions, failures, tokens, answers.

use std::sync::Arc;

use polity_runtime::plugin::Outcome;
use polity_runtime::{Delta, Usage};
use uuid::Uuid;

use crate::completion::{CompleteError, Completed};

/// The calls of one council or cascade.
pub(super) struct Tally {
    pub(super) decisions: Vec<Vec<Uuid>>,
    /// The last failure of each seat, in words.
    pub(super) errors: Vec<Option<String>>,
    /// The first failure of all.
    pub(super) cause: Option<Box<CompleteError>>,
    pub(super) usage: Usage,
    pub(super) cost_micro: u64,
    answers: Vec<(usize, String, Completed)>,
}

impl Tally {
    pub(super) fn new(seats: usize) -> Self {
        Self {
            decisions: vec![Vec::new(); seats],
            errors: vec![None; seats],
            cause: None,
            usage: Usage {
                input_tokens: 0,
                output_tokens: 0,
                cached_tokens: 0,
            },
            cost_micro: 0,
            answers: Vec::new(),
        }
    }

    /// Takes note of a call of a seat; returns its answer, where there is one, and what it cost.
    pub(super) fn take(
        &mut self,
        seat: usize,
        called: Result<Completed, CompleteError>,
    ) -> (Option<String>, u64) {
        match called {
            Ok(completed) => {
                self.note(seat, completed.decision_id);
                let Usage {
                    input_tokens,
                    output_tokens,
                    cached_tokens,
                } = completed.outcome.usage;
                self.usage.input_tokens += input_tokens;
                self.usage.output_tokens += output_tokens;
                self.usage.cached_tokens += cached_tokens;
                let cost = completed.cost_micro;
                self.cost_micro = self.cost_micro.saturating_add(cost);
                if let Some(error) = self.errors.get_mut(seat) {
                    *error = None;
                }
                let text = text_of(&completed);
                self.answers.push((seat, text.clone(), completed));
                (Some(text), cost)
            }
            Err(error) => {
                if let Some(decision) = error.decision_id() {
                    self.note(seat, decision);
                }
                if let Some(told) = self.errors.get_mut(seat) {
                    *told = Some(error.to_string());
                }
                self.cause.get_or_insert_with(|| Box::new(error));
                (None, 0)
            }
        }
    }

    fn note(&mut self, seat: usize, decision: Uuid) {
        if let Some(decisions) = self.decisions.get_mut(seat) {
            decisions.push(decision);
        }
    }

    /// The answer of a seat with this text, in its own pieces.
    pub(super) fn answer(&self, seat: usize, text: &str) -> Option<&Completed> {
        let found = self
            .answers
            .iter()
            .rev()
            .find(|(of, known, _)| *of == seat && known.trim() == text.trim());
        found.map(|(_, _, completed)| completed)
    }
}

/// An answer in words; where it calls tools, the calls.
pub(super) fn text_of(completed: &Completed) -> String {
    let mut text = String::new();
    for delta in &completed.content {
        if let Delta::Text(piece) = delta {
            text.push_str(piece);
        }
    }
    if text.trim().is_empty() && calls_tools(completed) {
        for delta in &completed.content {
            if let Delta::ToolCall(call) = delta {
                text.push_str(&call.name);
                text.push_str(&call.arguments);
            }
        }
    }
    text
}

pub(super) fn calls_tools(completed: &Completed) -> bool {
    completed
        .content
        .iter()
        .any(|delta| matches!(delta, Delta::ToolCall(_)))
}

/// An answer of nothing but words.
pub(super) fn in_words(text: &str) -> (Vec<Delta>, Arc<str>) {
    (vec![Delta::Text(text.to_owned())], "stop".into())
}

/// How all of it ended.
pub(super) fn outcome(finish: &str, usage: &Usage) -> Outcome {
    Outcome {
        finish: finish.to_owned(),
        usage: Usage {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cached_tokens: usage.cached_tokens,
        },
    }
}
