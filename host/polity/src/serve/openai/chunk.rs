//! The pieces of an answer as server-sent events, written by hand.
//!
//! A stream writes the same forty members around every few letters. So the part before and the part after the delta are
//! made once for each answer, and a piece costs its own text and two copies.

use bytes::{BufMut, BytesMut};
use polity_kernel::{About, Completed};
use polity_runtime::{Delta, Usage};
use uuid::Uuid;

use crate::serve::fault::Fault;
use crate::serve::stream::Format;

/// Writes the events of one answer.
pub(crate) struct Chunks {
    /// `data: {"id":…,"choices":[`.
    head: String,
    /// `]}\n\n`, or with `"usage":null` where the caller wants usage at the end.
    tail: &'static str,
    include_usage: bool,
}

impl Chunks {
    pub(crate) fn new(id: Uuid, created: u64, model: &str, include_usage: bool) -> Self {
        let mut head = String::with_capacity(192);
        head.push_str("data: ");
        open(&mut head, "chat.completion.chunk", id, created, model);
        let tail = if include_usage {
            "],\"usage\":null}\n\n"
        } else {
            "]}\n\n"
        };
        Self {
            head,
            tail,
            include_usage,
        }
    }
}

impl Format for Chunks {
    /// The first event: who speaks.
    fn begin(&mut self, out: &mut BytesMut) {
        self.choice(out, "null", None, |out| {
            out.put_slice(br#""role":"assistant","content":"""#)
        });
    }

    fn delta(&mut self, out: &mut BytesMut, delta: &Delta) {
        self.choice(out, "null", None, |out| match delta {
            Delta::Text(content) => {
                out.put_slice(b"\"content\":");
                text(out, content);
            }
            Delta::Thinking(thought) => {
                out.put_slice(b"\"reasoning_content\":");
                text(out, thought);
            }
            Delta::ToolCall(call) => {
                out.put_slice(b"\"tool_calls\":[{\"index\":");
                out.put_slice(call.index.to_string().as_bytes());
                // The first piece of a call carries its id and name, the later ones only arguments.
                if !call.id.is_empty() {
                    out.put_slice(b",\"id\":");
                    text(out, &call.id);
                    out.put_slice(b",\"type\":\"function\"");
                }
                out.put_slice(b",\"function\":{");
                if !call.name.is_empty() {
                    out.put_slice(b"\"name\":");
                    text(out, &call.name);
                    out.put_slice(b",");
                }
                out.put_slice(b"\"arguments\":");
                text(out, &call.arguments);
                out.put_slice(b"}}]");
            }
        });
    }

    /// The last events: why it ended, what it used, and that it is all.
    fn end(&mut self, out: &mut BytesMut, completed: &Completed) {
        let outcome = &completed.outcome;
        let mut finish = String::new();
        quote(&mut finish, &outcome.finish);
        self.choice(out, &finish, completed.about.as_deref(), |_| {});
        if self.include_usage {
            out.put_slice(self.head.as_bytes());
            out.put_slice(b"],\"usage\":");
            usage(out, &outcome.usage);
            out.put_slice(b"}\n\n");
        }
        out.put_slice(b"data: [DONE]\n\n");
    }

    /// The last event of an answer that broke: the error, and no word that this was all.
    fn fail(&mut self, out: &mut BytesMut, fault: &Fault) {
        out.put_slice(b"data: ");
        // Its members are texts, so it always can be written.
        let _ = serde_json::to_writer((&mut *out).writer(), &fault.openai());
        out.put_slice(b"\n\n");
    }
}

impl Chunks {
    fn choice(
        &self,
        out: &mut BytesMut,
        finish: &str,
        about: Option<&About>,
        delta: impl FnOnce(&mut BytesMut),
    ) {
        out.put_slice(self.head.as_bytes());
        out.put_slice(b"{\"index\":0,\"delta\":{");
        delta(out);
        out.put_slice(b"},\"logprobs\":null,\"finish_reason\":");
        out.put_slice(finish.as_bytes());
        out.put_slice(b"}");
        match about {
            None => out.put_slice(self.tail.as_bytes()),
            Some(about) => {
                out.put_slice(b"],");
                polity(out, about);
                // Behind the bracket that is written already.
                out.put_slice(self.tail.trim_start_matches(']').as_bytes());
            }
        }
    }
}

/// The members that every object of an answer begins with, up to its choices.
pub(super) fn open(out: &mut String, object: &str, id: Uuid, created: u64, model: &str) {
    out.push_str("{\"id\":\"chatcmpl-");
    out.push_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    out.push_str("\",\"object\":\"");
    out.push_str(object);
    out.push_str("\",\"created\":");
    out.push_str(&created.to_string());
    out.push_str(",\"model\":");
    quote(out, model);
    out.push_str(",\"choices\":[");
}

/// How an answer came about: the member `polity`.
pub(super) fn polity(out: &mut impl BufMut, about: &About) {
    out.put_slice(b"\"polity\":");
    // Its maps have texts for keys and its numbers are whole, so it always can be written.
    let _ = serde_json::to_writer(out.writer(), about);
}

/// What an answer used.
pub(super) fn usage(out: &mut impl BufMut, used: &Usage) {
    let Usage {
        input_tokens,
        output_tokens,
        cached_tokens,
    } = *used;
    let total = input_tokens.saturating_add(output_tokens);
    let text = format!(
        "{{\"prompt_tokens\":{input_tokens},\"completion_tokens\":{output_tokens},\"total_tokens\":{total},\
         \"prompt_tokens_details\":{{\"cached_tokens\":{cached_tokens}}}}}"
    );
    out.put_slice(text.as_bytes());
}

/// A JSON string.
pub(super) fn text(out: &mut impl BufMut, text: &str) {
    // A text always can be written, and memory does not refuse it.
    let _ = serde_json::to_writer(out.writer(), text);
}

/// A JSON string, in a string.
fn quote(out: &mut String, text: &str) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

#[cfg(test)]
mod tests {
    use polity_runtime::ToolCall;
    use polity_runtime::plugin::Outcome;
    use serde_json::{Value, json};

    use super::*;

    fn events(include_usage: bool, write: impl FnOnce(&mut Chunks, &mut BytesMut)) -> Vec<String> {
        let mut out = BytesMut::new();
        write(
            &mut Chunks::new(Uuid::nil(), 1_700_000_000, "m\"x", include_usage),
            &mut out,
        );
        let text = String::from_utf8(out.to_vec()).unwrap();
        assert!(text.ends_with("\n\n"));
        text.trim_end()
            .split("\n\n")
            .map(|event| event.strip_prefix("data: ").unwrap().to_owned())
            .collect()
    }

    fn json(event: &str) -> Value {
        serde_json::from_str(event).unwrap_or_else(|error| panic!("{error}: {event}"))
    }

    fn completed() -> Completed {
        Completed {
            decision_id: Uuid::nil(),
            model: "m".into(),
            plugin: "p".into(),
            why: None,
            content: vec![],
            outcome: Outcome {
                finish: "stop".into(),
                usage: Usage {
                    input_tokens: 7,
                    output_tokens: 5,
                    cached_tokens: 3,
                },
            },
            cost_micro: 0,
            about: None,
        }
    }

    #[test]
    fn how_an_answer_came_about_stands_in_its_last_chunk() {
        for include_usage in [false, true] {
            let cached = polity_kernel::Cached {
                age_ms: 1,
                avoided_micro: 2,
            };
            let about = About {
                cached: Some(cached),
                ..About::default()
            };
            let events = events(include_usage, |chunks, out| {
                let completed = Completed {
                    about: Some(Box::new(about)),
                    ..completed()
                };
                chunks.end(out, &completed);
            });
            let last = json(&events[0]);
            assert_eq!(last["polity"]["cached"]["avoided_micro"], 2);
            assert_eq!(last["choices"][0]["finish_reason"], "stop");
            assert_eq!(last.get("usage").is_some(), include_usage);
        }
    }

    #[test]
    fn a_piece_is_one_chunk_of_the_answer() {
        let events = events(false, |chunks, out| {
            chunks.delta(out, &Delta::Text("a\n\"b\" ü\u{2028}".into()))
        });
        assert_eq!(
            json(&events[0]),
            json!({
                "id": "chatcmpl-00000000-0000-0000-0000-000000000000",
                "object": "chat.completion.chunk",
                "created": 1_700_000_000,
                "model": "m\"x",
                "choices": [{"index": 0, "delta": {"content": "a\n\"b\" ü\u{2028}"}, "logprobs": null, "finish_reason": null}],
            })
        );
    }

    #[test]
    fn the_role_comes_first_and_the_end_says_that_it_is_all() {
        let events = events(false, |chunks, out| {
            chunks.begin(out);
            chunks.end(out, &completed());
        });
        assert_eq!(
            json(&events[0])["choices"][0]["delta"],
            json!({"role": "assistant", "content": ""})
        );
        assert_eq!(json(&events[1])["choices"][0]["finish_reason"], "stop");
        assert_eq!(json(&events[1])["choices"][0]["delta"], json!({}));
        assert_eq!(events[2..], ["[DONE]"]);
    }

    #[test]
    fn usage_comes_in_a_chunk_of_its_own_and_is_null_before() {
        let events = events(true, |chunks, out| {
            chunks.delta(out, &Delta::Text("a".into()));
            chunks.end(out, &completed());
        });
        assert_eq!(json(&events[0])["usage"], Value::Null);
        assert_eq!(json(&events[2])["choices"], json!([]));
        assert_eq!(
            json(&events[2])["usage"],
            json!({"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12, "prompt_tokens_details": {"cached_tokens": 3}})
        );
    }

    #[test]
    fn the_first_piece_of_a_tool_call_names_it_and_the_next_only_go_on() {
        let call = |id: &str, name: &str, arguments: &str| {
            Delta::ToolCall(ToolCall {
                index: 1,
                id: id.into(),
                name: name.into(),
                arguments: arguments.into(),
            })
        };
        let events = events(false, |chunks, out| {
            chunks.delta(out, &call("call_1", "look_up", ""));
            chunks.delta(out, &call("", "", "{\"a\""));
        });
        assert_eq!(
            json(&events[0])["choices"][0]["delta"]["tool_calls"],
            json!([{"index": 1, "id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": ""}}])
        );
        assert_eq!(
            json(&events[1])["choices"][0]["delta"]["tool_calls"],
            json!([{"index": 1, "function": {"arguments": "{\"a\""}}])
        );
    }

    #[test]
    fn thoughts_are_kept_apart_from_the_answer() {
        let events = events(false, |chunks, out| {
            chunks.delta(out, &Delta::Thinking("hm".into()))
        });
        assert_eq!(
            json(&events[0])["choices"][0]["delta"],
            json!({"reasoning_content": "hm"})
        );
    }

    #[test]
    fn no_text_of_a_model_ends_an_event_early() {
        let events = events(false, |chunks, out| {
            chunks.delta(out, &Delta::Text("x\n\ndata: [DONE]\n\n".into()))
        });
        assert_eq!(events.len(), 1);
    }
}
