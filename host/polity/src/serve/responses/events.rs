//! The pieces of an answer as the events of a response.

use bytes::{BufMut, BytesMut};
use polity_kernel::Completed;
use polity_runtime::Delta;
use serde_json::{Value, json};
use uuid::Uuid;

use super::object;
use super::request::Echo;
use crate::serve::answer::Call;
use crate::serve::fault::Fault;
use crate::serve::stream::Format;

/// Writes the events of one response. Items follow one another: one is done before the next is added.
pub(super) struct ResponseEvents {
    decision: Uuid,
    response: Value,
    sequence: u64,
    open: Option<Item>,
    /// Items that are done.
    output: Vec<Value>,
}

/// The item that is being written.
enum Item {
    Message { id: String, text: String },
    Reasoning { id: String, text: String },
    Call { id: String, index: u32, call: Call },
}

impl ResponseEvents {
    pub(super) fn new(decision: Uuid, model: &str, created: u64, echo: Echo) -> Self {
        Self {
            decision,
            response: object::outline(decision, model, created, &echo),
            sequence: 0,
            open: None,
            output: Vec::new(),
        }
    }

    fn event(&mut self, out: &mut BytesMut, kind: &str, mut data: Value) {
        data["type"] = kind.into();
        data["sequence_number"] = self.sequence.into();
        self.sequence += 1;
        out.put_slice(b"event: ");
        out.put_slice(kind.as_bytes());
        out.put_slice(b"\ndata: ");
        // A value always can be written.
        let _ = serde_json::to_writer((&mut *out).writer(), &data);
        out.put_slice(b"\n\n");
    }

    fn place(&self) -> usize {
        self.output.len()
    }

    fn id(&self, prefix: &str) -> String {
        object::item_id(prefix, self.decision, self.place())
    }

    fn add(&mut self, out: &mut BytesMut, item: &Value) {
        let data = json!({"output_index": self.place(), "item": item});
        self.event(out, "response.output_item.added", data);
    }

    /// Ends the item that is open.
    fn close(&mut self, out: &mut BytesMut) {
        let place = self.place();
        let item = match self.open.take() {
            None => return,
            Some(Item::Message { id, text }) => {
                let data = json!({"item_id": id, "output_index": place, "content_index": 0, "text": text, "logprobs": []});
                self.event(out, "response.output_text.done", data);
                let data = json!({"item_id": id, "output_index": place, "content_index": 0, "part": object::part(&text)});
                self.event(out, "response.content_part.done", data);
                object::message(&id, &text)
            }
            Some(Item::Reasoning { id, text }) => {
                let data =
                    json!({"item_id": id, "output_index": place, "summary_index": 0, "text": text});
                self.event(out, "response.reasoning_summary_text.done", data);
                let part = json!({"type": "summary_text", "text": text});
                let data =
                    json!({"item_id": id, "output_index": place, "summary_index": 0, "part": part});
                self.event(out, "response.reasoning_summary_part.done", data);
                object::reasoning(&id, &text)
            }
            Some(Item::Call { id, call, .. }) => {
                let data = json!({"item_id": id, "output_index": place, "name": call.name, "arguments": call.arguments});
                self.event(out, "response.function_call_arguments.done", data);
                object::function_call(&id, &call)
            }
        };
        let data = json!({"output_index": place, "item": item});
        self.event(out, "response.output_item.done", data);
        self.output.push(item);
    }

    fn text(&mut self, out: &mut BytesMut, piece: &str) {
        if !matches!(self.open, Some(Item::Message { .. })) {
            self.close(out);
            let id = self.id("msg");
            let item = json!({"id": id, "type": "message", "status": "in_progress", "role": "assistant", "content": []});
            self.add(out, &item);
            let data = json!({"item_id": id, "output_index": self.place(), "content_index": 0, "part": object::part("")});
            self.event(out, "response.content_part.added", data);
            self.open = Some(Item::Message {
                id,
                text: String::new(),
            });
        }
        let place = self.place();
        if let Some(Item::Message { id, text }) = &mut self.open {
            text.push_str(piece);
            let data = json!({"item_id": id, "output_index": place, "content_index": 0, "delta": piece, "logprobs": []});
            self.event(out, "response.output_text.delta", data);
        }
    }

    fn thought(&mut self, out: &mut BytesMut, piece: &str) {
        if !matches!(self.open, Some(Item::Reasoning { .. })) {
            self.close(out);
            let id = self.id("rs");
            self.add(out, &json!({"id": id, "type": "reasoning", "summary": []}));
            let part = json!({"type": "summary_text", "text": ""});
            let data = json!({"item_id": id, "output_index": self.place(), "summary_index": 0, "part": part});
            self.event(out, "response.reasoning_summary_part.added", data);
            self.open = Some(Item::Reasoning {
                id,
                text: String::new(),
            });
        }
        let place = self.place();
        if let Some(Item::Reasoning { id, text }) = &mut self.open {
            text.push_str(piece);
            let data =
                json!({"item_id": id, "output_index": place, "summary_index": 0, "delta": piece});
            self.event(out, "response.reasoning_summary_text.delta", data);
        }
    }

    fn call(&mut self, out: &mut BytesMut, piece: &polity_runtime::ToolCall) {
        let is_open = matches!(&self.open, Some(Item::Call { index, .. }) if *index == piece.index);
        if !is_open {
            self.close(out);
            let id = self.id("fc");
            let item = json!({
                "id": id, "type": "function_call", "status": "in_progress",
                "call_id": piece.id, "name": piece.name, "arguments": "",
            });
            self.add(out, &item);
            self.open = Some(Item::Call {
                id,
                index: piece.index,
                call: Call::default(),
            });
        }
        let place = self.place();
        if let Some(Item::Call { id, call, .. }) = &mut self.open {
            call.id.push_str(&piece.id);
            call.name.push_str(&piece.name);
            call.arguments.push_str(&piece.arguments);
            if !piece.arguments.is_empty() {
                let data = json!({"item_id": id, "output_index": place, "delta": piece.arguments});
                self.event(out, "response.function_call_arguments.delta", data);
            }
        }
    }
}

impl Format for ResponseEvents {
    fn begin(&mut self, out: &mut BytesMut) {
        for kind in ["response.created", "response.in_progress"] {
            let data = json!({"response": self.response});
            self.event(out, kind, data);
        }
    }

    fn delta(&mut self, out: &mut BytesMut, delta: &Delta) {
        match delta {
            Delta::Text(piece) => self.text(out, piece),
            Delta::Thinking(piece) => self.thought(out, piece),
            Delta::ToolCall(piece) => self.call(out, piece),
        }
    }

    fn end(&mut self, out: &mut BytesMut, completed: &Completed) {
        self.close(out);
        let outcome = &completed.outcome;
        let (output, about) = (std::mem::take(&mut self.output), completed.about.as_deref());
        let mut response = self.response.clone();
        object::close(
            &mut response,
            output,
            &outcome.finish,
            &outcome.usage,
            about,
        );
        let kind = match response["status"] == "incomplete" {
            true => "response.incomplete",
            false => "response.completed",
        };
        self.event(out, kind, json!({ "response": response }));
    }

    fn fail(&mut self, out: &mut BytesMut, fault: &Fault) {
        let mut response = self.response.clone();
        response["status"] = "failed".into();
        response["output"] = std::mem::take(&mut self.output).into();
        response["error"] = json!({"code": fault.kind().code(), "message": fault.detail()});
        self.event(out, "response.failed", json!({ "response": response }));
    }
}

#[cfg(test)]
mod tests {
    use polity_runtime::plugin::Outcome;
    use polity_runtime::{ToolCall, Usage};

    use super::*;
    use crate::serve::fault::Kind;

    fn written(write: impl FnOnce(&mut ResponseEvents, &mut BytesMut)) -> Vec<Value> {
        let mut out = BytesMut::new();
        write(
            &mut ResponseEvents::new(Uuid::nil(), "m", 1, Echo::default()),
            &mut out,
        );
        let text = String::from_utf8(out.to_vec()).unwrap();
        text.trim_end()
            .split("\n\n")
            .map(|event| {
                let (name, data) = event.split_once('\n').unwrap();
                let data: Value =
                    serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
                assert_eq!(data["type"], name.strip_prefix("event: ").unwrap());
                data
            })
            .collect()
    }

    #[test]
    fn items_follow_one_another_and_the_end_holds_all_of_them() {
        let events = written(|events, out| {
            events.begin(out);
            events.delta(out, &Delta::Text("a".into()));
            events.delta(out, &Delta::Text("b".into()));
            let call = ToolCall {
                index: 0,
                id: "c".into(),
                name: "f".into(),
                arguments: "{}".into(),
            };
            events.delta(out, &Delta::ToolCall(call));
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
        let kinds: Vec<&str> = events
            .iter()
            .map(|event| event["type"].as_str().unwrap())
            .collect();
        assert_eq!(
            kinds,
            [
                "response.created",
                "response.in_progress",
                "response.output_item.added",
                "response.content_part.added",
                "response.output_text.delta",
                "response.output_text.delta",
                "response.output_text.done",
                "response.content_part.done",
                "response.output_item.done",
                "response.output_item.added",
                "response.function_call_arguments.delta",
                "response.function_call_arguments.done",
                "response.output_item.done",
                "response.completed",
            ]
        );
        let numbers: Vec<u64> = events
            .iter()
            .map(|event| event["sequence_number"].as_u64().unwrap())
            .collect();
        assert_eq!(numbers, (0..14).collect::<Vec<u64>>());
        let response = &events[13]["response"];
        assert_eq!(response["output"][0]["content"][0]["text"], "ab");
        assert_eq!(response["output"][1]["arguments"], "{}");
        assert_eq!(response["status"], "completed");
    }

    #[test]
    fn an_answer_that_breaks_ends_as_failed() {
        let events = written(|events, out| {
            events.begin(out);
            events.delta(out, &Delta::Text("half".into()));
            events.fail(out, &Fault::new(Kind::Upstream, "gone"));
        });
        let last = events.last().unwrap();
        assert_eq!(last["type"], "response.failed");
        assert_eq!(last["response"]["status"], "failed");
        assert_eq!(last["response"]["error"]["message"], "gone");
    }
}
