//! The typed events that answer a request.
//!
//! `message_start => (content_block_start => content_block_delta* => content_block_stop)* => message_delta =>
//! message_stop`, with `ping` anywhere and `error` at any point. Only `message_stop` completes an answer. Unknown kinds
//! of events, blocks and deltas are skipped, as the vendor's versioning policy demands.

use polity_sdk::model::{Delta, Outcome, ToolCall};
use polity_sdk::{Problem, Usage, problem};
use polity_wire::{
    Body, Count, Events, Failure, Fragment, Reply, Seam, Sink, Speech, Text, broken_off, forward,
    parse_piece,
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Any event: the fields of all kinds, told apart by `kind`.
#[derive(Deserialize)]
struct Happened<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(default)]
    index: u32,
    #[serde(borrow, default)]
    delta: Option<Change<'a>>,
    #[serde(borrow, default)]
    content_block: Option<Opened<'a>>,
    #[serde(default)]
    message: Option<Started>,
    #[serde(default)]
    usage: Option<Reported>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// What a delta changes: a block's content, or the message's end.
#[derive(Deserialize)]
struct Change<'a> {
    #[serde(borrow, default)]
    text: Option<Fragment<'a>>,
    #[serde(borrow, default)]
    thinking: Option<Fragment<'a>>,
    #[serde(borrow, default)]
    partial_json: Option<Fragment<'a>>,
    #[serde(borrow, default)]
    stop_reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    stop_details: Option<StopDetails<'a>>,
}

#[derive(Deserialize)]
struct StopDetails<'a> {
    #[serde(borrow, default)]
    explanation: Option<Fragment<'a>>,
}

#[derive(Deserialize)]
struct Opened<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    text: Option<Fragment<'a>>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Started {
    #[serde(default)]
    usage: Option<Reported>,
}

/// Token counts; those of later events replace those of earlier ones.
#[derive(Deserialize)]
struct Reported {
    #[serde(default)]
    input_tokens: Option<Count>,
    #[serde(default)]
    cache_creation_input_tokens: Option<Count>,
    #[serde(default)]
    cache_read_input_tokens: Option<Count>,
    #[serde(default)]
    output_tokens: Option<Count>,
}

/// A tool call whose block is in the stream; its place in the list is its index in the answer.
struct OpenCall {
    block: u32,
    has_arguments: bool,
    seam: Seam,
}

/// What is known of the answer so far.
#[derive(Default)]
struct Answer {
    provider: String,
    /// Of the block that is open; blocks follow one another.
    speech: Speech,
    calls: Vec<OpenCall>,
    uncached: u64,
    written: u64,
    read: u64,
    output: u64,
    stop_reason: String,
    explanation: String,
}

/// Passes the answer on, piece by piece.
pub(crate) fn answer(mut body: Reply<impl Body>, sink: &mut impl Sink) -> Result<Outcome, Problem> {
    let mut answer = Answer {
        provider: body.provider(),
        ..Answer::default()
    };
    if body.is_document() {
        // Without the marks of a stream there is no telling a fault from a cut: both are worth another try.
        let whole = body.rest()?;
        let happened: Happened<'_> = parse_piece(&answer.provider, &whole, true)?;
        return Err(match happened.error {
            Some(error) => Failure::from_event(error.get()).problem(&answer.provider),
            None => problem(
                "failed",
                format!(
                    "{} sent no stream of events, which was asked for",
                    answer.provider
                ),
            ),
        });
    }
    let mut events = Events::new(body);
    while let Some(event) = events.next_event()? {
        let happened: Happened<'_> = parse_piece(&answer.provider, event.data, event.cut)?;
        match &*happened.kind {
            "message_stop" => return answer.outcome(sink),
            "error" => {
                let json = happened.error.map_or("{}", RawValue::get);
                return Err(Failure::from_event(json).problem(&answer.provider));
            }
            _ => answer.take(happened, sink)?,
        }
    }
    Err(broken_off(&answer.provider))
}

impl Answer {
    fn take(&mut self, happened: Happened<'_>, sink: &mut impl Sink) -> Result<(), Problem> {
        match &*happened.kind {
            "content_block_delta" => {
                if let Some(change) = happened.delta {
                    self.speak(happened.index, change, sink)?;
                }
            }
            "content_block_start" => {
                if let Some(opened) = happened.content_block {
                    self.open(happened.index, opened, sink)?;
                }
            }
            "content_block_stop" => self.close(happened.index, sink)?,
            "message_start" => {
                if let Some(usage) = happened.message.and_then(|message| message.usage) {
                    self.count(&usage);
                }
            }
            "message_delta" => {
                if let Some(usage) = happened.usage {
                    self.count(&usage);
                }
                if let Some(change) = happened.delta {
                    if let Some(reason) = change.stop_reason {
                        self.stop_reason = reason.into_string();
                    }
                    let details = change.stop_details;
                    if let Some(explanation) = details.and_then(|details| details.explanation) {
                        self.explanation = explanation.into_string();
                    }
                }
            }
            // `ping`, and whatever the vendor adds.
            _ => {}
        }
        Ok(())
    }

    fn open(
        &mut self,
        block: u32,
        opened: Opened<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), Problem> {
        match &*opened.kind {
            "text" => {
                if let Some(text) = opened.text {
                    self.speech.say(text, sink)?;
                }
            }
            "tool_use" => {
                // Usually `{}`, to be filled by deltas; a server that does not stream input sends it whole.
                let input = opened.input.map_or("{}", RawValue::get);
                let arguments = if input == "{}" {
                    String::new()
                } else {
                    input.to_owned()
                };
                let index = self.calls.len() as u32;
                self.calls.push(OpenCall {
                    block,
                    has_arguments: !arguments.is_empty(),
                    seam: Seam::default(),
                });
                let text = |text: Option<Text<'_>>| text.map(Text::into_string).unwrap_or_default();
                let (id, name) = (text(opened.id), text(opened.name));
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
            _ => {}
        }
        Ok(())
    }

    fn speak(
        &mut self,
        block: u32,
        change: Change<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), Problem> {
        if let Some(text) = change.text {
            self.speech.say(text, sink)?;
        }
        if let Some(thought) = change.thinking {
            self.speech.think(thought, sink)?;
        }
        if let Some(json) = change.partial_json.filter(|json| !json.is_empty())
            && let Some(index) = self.calls.iter().rposition(|call| call.block == block)
        {
            let call = &mut self.calls[index];
            call.has_arguments = true;
            let arguments = call.seam.join(json);
            if !arguments.is_empty() {
                forward(sink, piece_of(index, arguments))?;
            }
        }
        Ok(())
    }

    /// A call without arguments ends without a delta; its caller still expects JSON.
    fn close(&mut self, block: u32, sink: &mut impl Sink) -> Result<(), Problem> {
        if let Some(index) = self.calls.iter().rposition(|call| call.block == block) {
            let call = &mut self.calls[index];
            let rest = if call.has_arguments {
                call.seam.end()
            } else {
                "{}"
            };
            call.has_arguments = true;
            if !rest.is_empty() {
                forward(sink, piece_of(index, rest.to_owned()))?;
            }
        }
        self.speech.end(sink)
    }

    fn count(&mut self, usage: &Reported) {
        let set = |to: &mut u64, count: Option<Count>| *to = count.map_or(*to, |count| count.0);
        set(&mut self.uncached, usage.input_tokens);
        set(&mut self.written, usage.cache_creation_input_tokens);
        set(&mut self.read, usage.cache_read_input_tokens);
        set(&mut self.output, usage.output_tokens);
    }

    fn outcome(mut self, sink: &mut impl Sink) -> Result<Outcome, Problem> {
        self.speech.end(sink)?;
        let finish = match self.stop_reason.as_str() {
            "max_tokens" | "model_context_window_exceeded" => "length",
            "tool_use" => "tool_calls",
            "refusal" if !self.speech.has_said() && self.calls.is_empty() => {
                let why = if self.explanation.is_empty() {
                    "no explanation"
                } else {
                    &self.explanation
                };
                return Err(problem(
                    "refused",
                    format!("{} did not answer: {why}", self.provider),
                ));
            }
            "refusal" => "content_filter",
            _ => "stop",
        };
        let usage = Usage {
            // The vendor counts what it read from and wrote to its cache apart.
            input_tokens: self
                .uncached
                .saturating_add(self.written)
                .saturating_add(self.read),
            output_tokens: self.output,
            cached_tokens: self.read,
        };
        Ok(Outcome {
            finish: finish.to_owned(),
            usage,
        })
    }
}

fn piece_of(index: usize, arguments: String) -> Delta {
    Delta::ToolCall(ToolCall {
        index: index as u32,
        id: String::new(),
        name: String::new(),
        arguments,
    })
}
