//! The newline-delimited objects that answer a request.
//!
//! Only an object with `done: true` completes an answer. An object with `error` may come at any point, under a status
//! that said success.

use polity_sdk::model::{Delta, Outcome, ToolCall};
use polity_sdk::{Problem, Usage};
use polity_wire::{
    Body, Count, Failure, Fragment, Lines, Reply, Sink, Speech, Text, broken_off, forward,
    parse_piece,
};
use serde::Deserialize;
use serde_json::value::RawValue;

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
    content: Option<Fragment<'a>>,
    #[serde(borrow, default)]
    thinking: Option<Fragment<'a>>,
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

/// What is known of the answer so far.
#[derive(Default)]
struct Spoken {
    speech: Speech,
    calls: u32,
}

/// Passes the answer on, piece by piece.
pub(crate) fn answer(body: Reply<impl Body>, sink: &mut impl Sink) -> Result<Outcome, Problem> {
    let provider = body.provider();
    let mut lines = Lines::new(body);
    let mut spoken = Spoken::default();
    while let Some(line) = lines.next_line()? {
        if line.text.trim_ascii().is_empty() {
            continue;
        }
        let piece: Piece<'_> = parse_piece(&provider, line.text, line.cut)?;
        if let Some(error) = piece.error {
            return Err(Failure::from_event(error.get()).problem(&provider));
        }
        if let Some(message) = piece.message {
            spoken.speak(message, sink)?;
        }
        if piece.done {
            spoken.speech.end(sink)?;
            let finish = match piece.done_reason.as_deref() {
                Some("length") => "length",
                _ if spoken.calls > 0 => "tool_calls",
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
    Err(broken_off(&provider))
}

impl Spoken {
    fn speak(&mut self, message: Message<'_>, sink: &mut impl Sink) -> Result<(), Problem> {
        if let Some(thought) = message.thinking {
            self.speech.think(thought, sink)?;
        }
        if let Some(text) = message.content {
            self.speech.say(text, sink)?;
        }
        // Calls come whole, each in one piece.
        for call in message.tool_calls.into_iter().flatten() {
            let index = self.calls;
            self.calls += 1;
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
}
