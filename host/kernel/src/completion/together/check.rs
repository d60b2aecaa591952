//! Checks of an answer: the request's schema, a rule of the constitution, a model that judges.

use std::time::Duration;

use jsonschema::Validator;
use polity_constitution::{ActionKind, Verdict as RuleVerdict};
use polity_dispatch::cascade::{Check, Verdict};
use polity_ledger::new_id;
use serde_json::{Value, json};

use super::tally::text_of;
use super::{part, score};
use crate::completion::{CompletionRequest, Message};
use crate::models::ModelEntry;
use crate::rules::{Facts, Question, rule};
use crate::{Actor, Kernel};

/// What a quality gate is asked about.
const KIND: &str = "model.answer";

/// Characters of what is wrong; a model that corrects itself reads them.
const MAX_WHY: usize = 600;

/// An answer that is to be checked.
pub(super) struct Checking<'c> {
    pub(super) request: &'c CompletionRequest,
    pub(super) schema: Option<&'c Validator>,
    pub(super) seat: &'c ModelEntry,
    pub(super) answer: &'c str,
    /// Whether it calls tools: then it is no document.
    pub(super) calls_tools: bool,
}

impl Kernel {
    /// Makes a check. Returns its verdict and what it cost.
    pub(super) async fn check_answer(
        &self,
        actor: &Actor,
        checking: Checking<'_>,
        check: &Check,
        time: Duration,
    ) -> (Verdict, u64) {
        match check {
            // It was counted where the samples came in.
            Check::SelfConsistency { .. } => (Verdict::Pass, 0),
            Check::Schema => (by_schema(&checking), 0),
            Check::Rule { name } => (self.by_rule(actor, &checking, name).await, 0),
            Check::Judge { model, .. } => self.by_judge(actor, &checking, model, time).await,
        }
    }

    async fn by_rule(&self, actor: &Actor, checking: &Checking<'_>, name: &str) -> Verdict {
        let unavailable = |why: String| Verdict::Unavailable(why);
        let inner = &*self.inner;
        let at_ms = inner.clock.now_ms();
        let book = inner.books.current(&inner.runtime);
        let spent = match inner.spending.today(&actor.id, at_ms) {
            Ok(spent) => spent,
            Err(error) => return unavailable(error.to_string()),
        };
        let kind: ActionKind = match KIND.parse() {
            Ok(kind) => kind,
            Err(error) => return unavailable(format!("{error}")),
        };
        let facts = Facts {
            law: &book.law,
            actor,
            spent,
            model: Some((0, &*checking.seat.facts)),
            request: None,
        };
        let input = json!({
            "model": &*checking.seat.key,
            "messages": checking.request.messages,
            "answer": checking.answer,
        });
        let question = Question {
            context: facts.text(),
            kind,
            actor: actor.id.clone(),
            at_ms,
            input: input.to_string(),
        };
        let resolution = rule(&book, new_id(at_ms), question).await.resolution;
        let finding = resolution
            .findings
            .iter()
            .find(|finding| finding.binding == name);
        match finding.map(|finding| &finding.result) {
            None => unavailable(format!(
                "no rule is bound as {name} to the action {KIND}; write rules/{name}.json"
            )),
            Some(Ok(RuleVerdict::Allow | RuleVerdict::Amend { .. })) => Verdict::Pass,
            Some(Ok(RuleVerdict::Deny { reason } | RuleVerdict::Escalate { reason, .. })) => {
                Verdict::Fail(short(reason))
            }
            Some(Err(failure)) => unavailable(format!("the rule {failure}")),
        }
    }

    async fn by_judge(
        &self,
        actor: &Actor,
        checking: &Checking<'_>,
        model: &str,
        time: Duration,
    ) -> (Verdict, u64) {
        let question = question_of(checking.request);
        let prompt = score::prompt(&question, checking.answer);
        let request = CompletionRequest {
            messages: vec![Message::text("user", &prompt)],
            tools: None,
            response_schema: None,
            extra: None,
            max_output_tokens: None,
            temperature: None,
            ..part(checking.request, model, time)
        };
        match self.ask_one(actor, request).await {
            Err(error) => (Verdict::Unavailable(error.to_string()), 0),
            Ok(completed) => {
                let cost = completed.cost_micro;
                match score::read(&text_of(&completed)) {
                    Some(score) => (Verdict::Score(score), cost),
                    None => {
                        let why = "the judge gave no score from 0 to 100".to_owned();
                        (Verdict::Unavailable(why), cost)
                    }
                }
            }
        }
    }
}

fn by_schema(checking: &Checking<'_>) -> Verdict {
    let Some(schema) = checking.schema.filter(|_| !checking.calls_tools) else {
        return Verdict::Pass;
    };
    let value: Value = match serde_json::from_str(checking.answer) {
        Ok(value) => value,
        Err(error) => return Verdict::Fail(format!("the answer is not JSON: {error}")),
    };
    match schema.iter_errors(&value).next() {
        None => Verdict::Pass,
        Some(error) => {
            let place = error.instance_path().as_str().to_owned();
            let place = if place.is_empty() { "/" } else { &place };
            Verdict::Fail(short(&format!("at {place}: {error}")))
        }
    }
}

/// What the user said last, as far as it is text.
fn question_of(request: &CompletionRequest) -> String {
    let last = request
        .messages
        .iter()
        .rev()
        .find(|message| message.role() == "user");
    let body: Value = last
        .and_then(|message| serde_json::from_str(message.body()).ok())
        .unwrap_or_default();
    match &body["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect::<Vec<_>>()
            .join("\n"),
        _ => String::new(),
    }
}

fn short(text: &str) -> String {
    text.chars().take(MAX_WHY).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_what_the_user_said_last() {
        let messages = r#"[{"role": "user", "content": "first"}, {"role": "assistant", "content": "hm"},
            {"role": "user", "content": [{"type": "text", "text": "then"}, {"type": "image_url"}]}]"#;
        let request = CompletionRequest::new("m", serde_json::from_str(messages).unwrap());
        assert_eq!(question_of(&request), "then");
    }
}
