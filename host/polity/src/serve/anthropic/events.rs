//! The pieces of an answer as the events of a message.

use bytes::{BufMut, BytesMut};
use polity_kernel::Completed;
use polity_runtime::Delta;
use serde_json::{Value, json};
use uuid::Uuid;

use super::whole;
use crate::serve::fault::Fault;
use crate::serve::stream::Format;

/// Writes the events of one message. Blocks follow one another: one ends before the next begins.
pub(super) struct MessageEvents {
    id: String,
    model: String,
    /// The block that is open, if one is.
    open: Option<Block>,
    blocks: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Text,
    Thinking,
    /// The call of this index.
    Call(u32),
}

impl MessageEvents {
    pub(super) fn new(decision: Uuid, model: &str) -> Self {
        Self {
            id: format!("msg_{}", decision.simple()),
            model: model.to_owned(),
            open: None,
            blocks: 0,
        }
    }

    fn enter(&mut self, out: &mut BytesMut, block: Block, start: impl FnOnce() -> Value) {
        if self.open == Some(block) {
            return;
        }
        self.leave(out);
        let data =
            json!({"type": "content_block_start", "index": self.blocks, "content_block": start()});
        event(out, "content_block_start", &data);
        self.open = Some(block);
    }

    fn leave(&mut self, out: &mut BytesMut) {
        if self.open.take().is_some() {
            let data = json!({"type": "content_block_stop", "index": self.blocks});
            event(out, "content_block_stop", &data);
            self.blocks += 1;
        }
    }

    fn piece(&self, out: &mut BytesMut, delta: &Value) {
        let data = json!({"type": "content_block_delta", "index": self.blocks, "delta": delta});
        event(out, "content_block_delta", &data);
    }
}

impl Format for MessageEvents {
    fn begin(&mut self, out: &mut BytesMut) {
        let data = json!({"type": "message_start", "message": {
            "id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": [],
            "stop_reason": null, "stop_sequence": null,
            // What the prompt took is known at the end.
            "usage": {"input_tokens": 0, "output_tokens": 0},
        }});
        event(out, "message_start", &data);
    }

    fn delta(&mut self, out: &mut BytesMut, delta: &Delta) {
        match delta {
            Delta::Text(text) => {
                self.enter(out, Block::Text, || json!({"type": "text", "text": ""}));
                self.piece(out, &json!({"type": "text_delta", "text": text}));
            }
            Delta::Thinking(thought) => {
                self.enter(
                    out,
                    Block::Thinking,
                    || json!({"type": "thinking", "thinking": "", "signature": ""}),
                );
                self.piece(out, &json!({"type": "thinking_delta", "thinking": thought}));
            }
            Delta::ToolCall(call) => {
                self.enter(
                    out,
                    Block::Call(call.index),
                    || json!({"type": "tool_use", "id": call.id, "name": call.name, "input": {}}),
                );
                if !call.arguments.is_empty() {
                    let piece = json!({"type": "input_json_delta", "partial_json": call.arguments});
                    self.piece(out, &piece);
                }
            }
        }
    }

    fn end(&mut self, out: &mut BytesMut, completed: &Completed) {
        self.leave(out);
        let outcome = &completed.outcome;
        let mut data = json!({
            "type": "message_delta",
            "delta": {"stop_reason": whole::stop_reason(&outcome.finish), "stop_sequence": null},
            "usage": whole::usage(&outcome.usage),
        });
        if let Some(about) = &completed.about {
            data["polity"] = json!(about);
        }
        event(out, "message_delta", &data);
        event(out, "message_stop", &json!({"type": "message_stop"}));
    }

    fn fail(&mut self, out: &mut BytesMut, fault: &Fault) {
        event(out, "error", &json!(fault.anthropic()));
    }
}

fn event(out: &mut BytesMut, name: &str, data: &Value) {
    out.put_slice(b"event: ");
    out.put_slice(name.as_bytes());
    out.put_slice(b"\ndata: ");
    // A value always can be written.
    let _ = serde_json::to_writer((&mut *out).writer(), data);
    out.put_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use polity_runtime::plugin::Outcome;
    use polity_runtime::{ToolCall, Usage};

    use super::*;
    use crate::serve::fault::Kind;

    fn written(write: impl FnOnce(&mut MessageEvents, &mut BytesMut)) -> Vec<(String, Value)> {
        let mut out = BytesMut::new();
        write(&mut MessageEvents::new(Uuid::nil(), "m"), &mut out);
        let text = String::from_utf8(out.to_vec()).unwrap();
        text.trim_end()
            .split("\n\n")
            .map(|event| {
                let (name, data) = event.split_once('\n').unwrap();
                let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
                (name.strip_prefix("event: ").unwrap().to_owned(), data)
            })
            .collect()
    }

    fn call(index: u32, id: &str, arguments: &str) -> Delta {
        Delta::ToolCall(ToolCall {
            index,
            id: id.into(),
            name: if id.is_empty() { "" } else { "f" }.into(),
            arguments: arguments.into(),
        })
    }

    #[test]
    fn blocks_follow_one_another_and_the_end_says_why() {
        let events = written(|events, out| {
            events.begin(out);
            events.delta(out, &Delta::Thinking("hm".into()));
            events.delta(out, &Delta::Text("a".into()));
            events.delta(out, &Delta::Text("b".into()));
            events.delta(out, &call(0, "t", ""));
            events.delta(out, &call(0, "", "{}"));
            events.delta(out, &call(1, "u", "[]"));
            let completed = Completed {
                decision_id: Uuid::nil(),
                model: "m".into(),
                plugin: "p".into(),
                why: None,
                content: vec![],
                outcome: Outcome {
                    finish: "tool_calls".into(),
                    usage: Usage {
                        input_tokens: 7,
                        output_tokens: 5,
                        cached_tokens: 0,
                    },
                },
                cost_micro: 0,
                about: None,
            };
            events.end(out, &completed);
        });
        let names: Vec<&str> = events.iter().map(|(name, _)| &**name).collect();
        assert_eq!(
            names,
            [
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "content_block_start",
                "content_block_delta",
                "content_block_delta",
                "content_block_stop",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop",
            ]
        );
        let indices: Vec<u64> = events
            .iter()
            .filter(|(name, _)| name == "content_block_start")
            .map(|(_, data)| data["index"].as_u64().unwrap())
            .collect();
        assert_eq!(indices, [0, 1, 2, 3]);
        assert_eq!(
            events[9].1["delta"],
            json!({"type": "input_json_delta", "partial_json": "{}"})
        );
        assert_eq!(events[14].1["delta"]["stop_reason"], "tool_use");
        assert_eq!(events[14].1["usage"]["output_tokens"], 5);
        assert!(events.iter().all(|(name, data)| data["type"] == **name));
    }

    #[test]
    fn an_answer_that_breaks_ends_with_an_error() {
        let events = written(|events, out| events.fail(out, &Fault::new(Kind::Upstream, "gone")));
        assert_eq!(
            events,
            [(
                "error".to_owned(),
                json!({"type": "error", "error": {"type": "api_error", "message": "gone"}})
            )]
        );
    }
}
