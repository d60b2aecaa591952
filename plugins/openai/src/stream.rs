//! The stream of `chat.completion.chunk` objects that answers a request.
//!
//! `Began => Spoke* => Finished => Done`: an answer is complete when a choice has named its `finish_reason` or the
//! `[DONE]` marker has come. Everything that ends before that is a broken connection, never a short answer.

use polity_sdk::model::{Delta, Outcome, ToolCall};
use polity_sdk::{Problem, Usage, problem};
use polity_wire::{
    Body, Count, Event, Events, Failure, Sink, Text, broken_off, forward, parse_piece,
};
use serde::Deserialize;
use serde_json::value::RawValue;

const PROVIDER: &str = "OpenAI";

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
    content: Option<Text<'a>>,
    #[serde(borrow, default)]
    refusal: Option<Text<'a>>,
    /// Reasoning, as vLLM, llama.cpp and DeepSeek name it.
    #[serde(borrow, default)]
    reasoning_content: Option<Text<'a>>,
    /// Reasoning, as OpenRouter and newer vLLM name it.
    #[serde(borrow, default)]
    reasoning: Option<Text<'a>>,
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
    arguments: Option<Text<'a>>,
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
    began: bool,
    spoke: bool,
    calls: u32,
    refusal: String,
    finish: Option<&'static str>,
    usage: Usage,
}

/// Passes the answer on, piece by piece.
pub(crate) fn answer(mut body: impl Body, sink: &mut impl Sink) -> Result<Outcome, Problem> {
    let is_json = |(name, value): &(String, String)| {
        name == "content-type" && value.starts_with("application/json")
    };
    let mut answer = Answer {
        began: false,
        spoke: false,
        calls: 0,
        refusal: String::new(),
        finish: None,
        usage: Usage {
            input_tokens: 0,
            output_tokens: 0,
            cached_tokens: 0,
        },
    };
    if body.headers().iter().any(is_json) {
        let mut whole = Vec::new();
        while let Some(piece) = body.read(64 * 1024)? {
            whole.extend_from_slice(&piece);
        }
        // Without the marks of a stream there is no telling a fault from a cut: both are worth another try.
        answer.take(
            &Event {
                name: b"",
                data: &whole,
                cut: true,
            },
            sink,
        )?;
        return answer.outcome();
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
    answer.outcome()
}

impl Answer {
    fn take(&mut self, event: &Event<'_>, sink: &mut impl Sink) -> Result<(), Problem> {
        let chunk: Chunk<'_> = parse_piece(PROVIDER, event.data, event.cut)?;
        if let Some(error) = chunk.error {
            return Err(Failure::from_event(error.get()).problem(PROVIDER));
        }
        if event.name == b"error" {
            let json = String::from_utf8_lossy(event.data);
            return Err(Failure::from_event(&json).problem(PROVIDER));
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
                self.finish = Some(finish(&reason)?);
            }
        }
        Ok(())
    }

    fn speak(&mut self, piece: Piece<'_>, sink: &mut impl Sink) -> Result<(), Problem> {
        let some =
            |text: Option<Text<'_>>| text.filter(|text| !text.is_empty()).map(Text::into_string);
        if let Some(thought) = some(piece.reasoning_content).or_else(|| some(piece.reasoning)) {
            forward(sink, Delta::Thinking(thought))?;
        }
        if let Some(text) = some(piece.content) {
            self.spoke = true;
            forward(sink, Delta::Text(text))?;
        }
        if let Some(refusal) = piece.refusal {
            self.refusal.push_str(&refusal);
        }
        for call in piece.tool_calls.into_iter().flatten() {
            let id = some(call.id).unwrap_or_default();
            // Servers that leave the index out send each call whole, and with an id.
            let next = if id.is_empty() {
                self.calls.saturating_sub(1)
            } else {
                self.calls
            };
            let index = call.index.unwrap_or(next);
            self.calls = self.calls.max(index.saturating_add(1));
            self.spoke = true;
            let (name, arguments) = call
                .function
                .map_or((None, None), |function| (function.name, function.arguments));
            let name = some(name).unwrap_or_default();
            let arguments = some(arguments).unwrap_or_default();
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

    fn outcome(self) -> Result<Outcome, Problem> {
        let Some(finish) = self.finish else {
            return Err(broken_off(PROVIDER));
        };
        let refused = finish == "content_filter" || !self.refusal.is_empty();
        if refused && !self.spoke {
            let why = if self.refusal.is_empty() {
                "its content filter"
            } else {
                &self.refusal
            };
            return Err(problem(
                "refused",
                format!("{PROVIDER} did not answer: {why}"),
            ));
        }
        let finish = match finish {
            _ if refused => "content_filter",
            // A call that the request forced ends with `stop`; to the caller it is a call like any other.
            "stop" if self.calls > 0 => "tool_calls",
            finish => finish,
        };
        Ok(Outcome {
            finish: finish.to_owned(),
            usage: self.usage,
        })
    }
}

fn finish(reason: &str) -> Result<&'static str, Problem> {
    Ok(match reason {
        "length" => "length",
        "tool_calls" | "function_call" => "tool_calls",
        "content_filter" => "content_filter",
        // Servers say so when they gave an answer up half-way.
        "error" | "abort" => {
            return Err(problem(
                "failed",
                format!("{PROVIDER} gave the answer up: finish_reason {reason}"),
            ));
        }
        _ => "stop",
    })
}
