//! The stream of `chat.completion.chunk` objects that answers a request.
//!
//! `Began => Spoke* => Finished => Done`: an answer is complete when a choice has named its `finish_reason` or the
//! `[DONE]` marker has come. Everything that ends before that is a broken connection, never a short answer.

use polity_sdk::model::{Delta, Outcome, ToolCall};
use polity_sdk::{Problem, Usage, problem};
use polity_wire::{
    Body, Count, Event, Events, Failure, Fragment, Reply, Seam, Sink, Speech, Text, broken_off,
    forward, parse_piece,
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// No model calls so many tools in one answer; what is past this is no index.
const MOST_CALLS: u32 = 1024;

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    usage: Option<Reported>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: u32,
    #[serde(borrow, default)]
    delta: Option<Piece<'a>>,
    /// A server that does not stream sends the whole message; some send it beside the delta.
    #[serde(borrow, default)]
    message: Option<Piece<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(borrow, default)]
    content: Option<Fragment<'a>>,
    #[serde(borrow, default)]
    refusal: Option<Fragment<'a>>,
    /// Reasoning, as vLLM, llama.cpp and DeepSeek name it.
    #[serde(borrow, default)]
    reasoning_content: Option<Fragment<'a>>,
    /// Reasoning, as OpenRouter and newer vLLM name it.
    #[serde(borrow, default)]
    reasoning: Option<Fragment<'a>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<CallPiece<'a>>>,
}

#[derive(Deserialize)]
struct CallPiece<'a> {
    #[serde(default)]
    index: Option<u32>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    function: Option<FunctionPiece<'a>>,
}

#[derive(Deserialize)]
struct FunctionPiece<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    arguments: Option<Fragment<'a>>,
}

#[derive(Deserialize)]
struct Reported {
    #[serde(default)]
    prompt_tokens: Count,
    #[serde(default)]
    completion_tokens: Count,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Count,
}

/// What is known of the answer so far.
struct Answer {
    provider: String,
    began: bool,
    speech: Speech,
    /// The seams of the calls' arguments, one for each call so far.
    calls: Vec<Seam>,
    refusal: String,
    refused: Seam,
    finish: Option<&'static str>,
    usage: Usage,
}

/// Passes the answer on, piece by piece.
pub(crate) fn answer(mut body: Reply<impl Body>, sink: &mut impl Sink) -> Result<Outcome, Problem> {
    let mut answer = Answer {
        provider: body.provider(),
        began: false,
        speech: Speech::default(),
        calls: Vec::new(),
        refusal: String::new(),
        refused: Seam::default(),
        finish: None,
        usage: Usage {
            input_tokens: 0,
            output_tokens: 0,
            cached_tokens: 0,
        },
    };
    if body.is_document() {
        let whole = body.rest()?;
        // Without the marks of a stream there is no telling a fault from a cut: both are worth another try.
        answer.take(
            &Event {
                name: b"",
                data: &whole,
                cut: true,
            },
            sink,
        )?;
        return answer.outcome(sink);
    }
    let mut events = Events::new(body);
    loop {
        let event = match events.next_event() {
            Ok(Some(event)) => event,
            Ok(None) => break,
            // The answer is complete; only its usage report was lost.
            Err(_) if answer.finish.is_some() => break,
            Err(problem) => return Err(problem),
        };
        if event.data.starts_with(b"[DONE]") {
            if answer.began && answer.finish.is_none() {
                answer.finish = Some("stop");
            }
            break;
        }
        match answer.take(&event, sink) {
            Err(_) if answer.finish.is_some() && event.cut => break,
            taken => taken?,
        }
    }
    answer.outcome(sink)
}

impl Answer {
    fn take(&mut self, event: &Event<'_>, sink: &mut impl Sink) -> Result<(), Problem> {
        let chunk: Chunk<'_> = parse_piece(&self.provider, event.data, event.cut)?;
        if let Some(error) = chunk.error {
            return Err(Failure::from_event(error.get()).problem(&self.provider));
        }
        if event.name == b"error" {
            let json = String::from_utf8_lossy(event.data);
            return Err(Failure::from_event(&json).problem(&self.provider));
        }
        if let Some(usage) = chunk.usage {
            self.usage = Usage {
                input_tokens: usage.prompt_tokens.0,
                output_tokens: usage.completion_tokens.0,
                cached_tokens: usage
                    .prompt_tokens_details
                    .map_or(0, |details| details.cached_tokens.0),
            };
        }
        for choice in chunk
            .choices
            .into_iter()
            .flatten()
            .filter(|choice| choice.index == 0)
        {
            self.began = true;
            if let Some(piece) = choice.delta.or(choice.message) {
                self.speak(piece, sink)?;
            }
            if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
                self.finish = Some(finish(&self.provider, &reason)?);
            }
        }
        Ok(())
    }

    fn speak(&mut self, piece: Piece<'_>, sink: &mut impl Sink) -> Result<(), Problem> {
        // Some servers send both names with the same words.
        let thought = piece.reasoning_content.filter(|it| !it.is_empty());
        if let Some(thought) = thought.or(piece.reasoning) {
            self.speech.think(thought, sink)?;
        }
        if let Some(text) = piece.content {
            self.speech.say(text, sink)?;
        }
        if let Some(refusal) = piece.refusal {
            self.refusal.push_str(&self.refused.join(refusal));
        }
        for call in piece.tool_calls.into_iter().flatten() {
            let text = |text: Option<Text<'_>>| text.map(Text::into_string).unwrap_or_default();
            let id = text(call.id);
            // Servers that leave the index out send each call whole, and with an id.
            let known = self.calls.len() as u32;
            let next = if id.is_empty() {
                known.saturating_sub(1)
            } else {
                known
            };
            let index = call.index.unwrap_or(next);
            if index >= MOST_CALLS {
                let provider = &self.provider;
                let detail = format!("{provider} sent a tool call with the index {index}");
                return Err(problem("failed", detail));
            }
            while self.calls.len() <= index as usize {
                self.calls.push(Seam::default());
            }
            let (name, arguments) = call
                .function
                .map_or((None, None), |function| (function.name, function.arguments));
            let name = text(name);
            let seam = &mut self.calls[index as usize];
            let arguments = arguments.map(|piece| seam.join(piece));
            let arguments = arguments.unwrap_or_default();
            forward(
                sink,
                Delta::ToolCall(ToolCall {
                    index,
                    id,
                    name,
                    arguments,
                }),
            )?;
        }
        Ok(())
    }

    /// Says what is left where a text ended inside a character.
    fn end(&mut self, sink: &mut impl Sink) -> Result<(), Problem> {
        self.speech.end(sink)?;
        for (index, seam) in self.calls.iter_mut().enumerate() {
            let end = seam.end();
            if !end.is_empty() {
                let call = ToolCall {
                    index: index as u32,
                    id: String::new(),
                    name: String::new(),
                    arguments: end.to_owned(),
                };
                forward(sink, Delta::ToolCall(call))?;
            }
        }
        self.refusal.push_str(self.refused.end());
        Ok(())
    }

    fn outcome(mut self, sink: &mut impl Sink) -> Result<Outcome, Problem> {
        let Some(finish) = self.finish else {
            return Err(broken_off(&self.provider));
        };
        self.end(sink)?;
        let refused = finish == "content_filter" || !self.refusal.is_empty();
        if refused && !self.speech.has_said() && self.calls.is_empty() {
            let why = if self.refusal.is_empty() {
                "its content filter"
            } else {
                &self.refusal
            };
            return Err(problem(
                "refused",
                format!("{} did not answer: {why}", self.provider),
            ));
        }
        let finish = match finish {
            _ if refused => "content_filter",
            // A call that the request forced ends with `stop`; to the caller it is a call like any other.
            "stop" if !self.calls.is_empty() => "tool_calls",
            finish => finish,
        };
        Ok(Outcome {
            finish: finish.to_owned(),
            usage: self.usage,
        })
    }
}

fn finish(provider: &str, reason: &str) -> Result<&'static str, Problem> {
    Ok(match reason {
        "length" => "length",
        "tool_calls" | "function_call" => "tool_calls",
        "content_filter" => "content_filter",
        // Servers say so when they gave an answer up half-way.
        "error" | "abort" => {
            return Err(problem(
                "failed",
                format!("{provider} gave the answer up: finish_reason {reason}"),
            ));
        }
        _ => "stop",
    })
}
