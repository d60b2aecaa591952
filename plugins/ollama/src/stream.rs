//! The newline-delimited objects that answer a request.
//!
//! Only an object with `done: true` completes an answer. An object with `error` may come at any point, under a status
//! that said success.

use polity_sdk::model::{Delta, Outcome, ToolCall};
use polity_sdk::{Problem, Usage};
use polity_wire::{Body, Count, Failure, Lines, Sink, Text, broken_off, forward, parse_piece};
use serde::Deserialize;
use serde_json::value::RawValue;

const PROVIDER: &str = "Ollama";

#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(borrow, default)]
    message: Option<Message<'a>>,
    #[serde(default)]
    done: bool,
    #[serde(borrow, default)]
    done_reason: Option<Text<'a>>,
    #[serde(default)]
    prompt_eval_count: Count,
    #[serde(default)]
    eval_count: Count,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Option<Text<'a>>,
    #[serde(borrow, default)]
    thinking: Option<Text<'a>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<Call<'a>>>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    function: Function<'a>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
}

/// Passes the answer on, piece by piece.
pub(crate) fn answer(body: impl Body, sink: &mut impl Sink) -> Result<Outcome, Problem> {
    let mut lines = Lines::new(body);
    let mut calls = 0;
    while let Some(line) = lines.next_line()? {
        if line.text.trim_ascii().is_empty() {
            continue;
        }
        let piece: Piece<'_> = parse_piece(PROVIDER, line.text, line.cut)?;
        if let Some(error) = piece.error {
            return Err(Failure::from_event(error.get()).problem(PROVIDER));
        }
        if let Some(message) = piece.message {
            speak(message, &mut calls, sink)?;
        }
        if piece.done {
            let finish = match piece.done_reason.as_deref() {
                Some("length") => "length",
                _ if calls > 0 => "tool_calls",
                _ => "stop",
            };
            let usage = Usage {
                input_tokens: piece.prompt_eval_count.0,
                output_tokens: piece.eval_count.0,
                cached_tokens: 0,
            };
            return Ok(Outcome {
                finish: finish.to_owned(),
                usage,
            });
        }
    }
    Err(broken_off(PROVIDER))
}

fn speak(message: Message<'_>, calls: &mut u32, sink: &mut impl Sink) -> Result<(), Problem> {
    if let Some(thought) = message.thinking.filter(|thought| !thought.is_empty()) {
        forward(sink, Delta::Thinking(thought.into_string()))?;
    }
    if let Some(text) = message.content.filter(|text| !text.is_empty()) {
        forward(sink, Delta::Text(text.into_string()))?;
    }
    // Calls come whole, each in one piece.
    for call in message.tool_calls.into_iter().flatten() {
        let index = *calls;
        *calls += 1;
        // Older servers name no call; its answer has to name it all the same.
        let id = call
            .id
            .filter(|id| !id.is_empty())
            .map_or_else(|| format!("call_{index}"), Text::into_string);
        let name = call.function.name.into_string();
        let arguments = call
            .function
            .arguments
            .map_or("{}", RawValue::get)
            .to_owned();
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
