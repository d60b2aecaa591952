//! An answer in one piece.

use axum::response::Response;
use polity_kernel::Completed;

use super::chunk;
use crate::serve::answer::{self, Call, Said};

/// The response to a caller that did not ask for a stream.
pub(super) fn respond(completed: &Completed, created: u64) -> Response {
    answer::respond(body(completed, created), completed)
}

fn body(completed: &Completed, created: u64) -> Vec<u8> {
    let Said {
        content,
        thoughts,
        calls,
    } = Said::of(&completed.content);
    let mut head = String::with_capacity(192);
    chunk::open(
        &mut head,
        "chat.completion",
        completed.decision_id,
        created,
        &completed.model,
    );
    let mut out = Vec::with_capacity(head.len() + content.len() + thoughts.len() + 384);
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(b"{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
    if content.is_empty() && !calls.is_empty() {
        out.extend_from_slice(b"null");
    } else {
        chunk::text(&mut out, &content);
    }
    out.extend_from_slice(b",\"refusal\":null");
    if !thoughts.is_empty() {
        out.extend_from_slice(b",\"reasoning_content\":");
        chunk::text(&mut out, &thoughts);
    }
    if !calls.is_empty() {
        write_calls(&mut out, &calls);
    }
    out.extend_from_slice(b"},\"logprobs\":null,\"finish_reason\":");
    chunk::text(&mut out, &completed.outcome.finish);
    out.extend_from_slice(b"}],\"usage\":");
    chunk::usage(&mut out, &completed.outcome.usage);
    if let Some(about) = &completed.about {
        out.push(b',');
        chunk::polity(&mut out, about);
    }
    out.push(b'}');
    out
}

fn write_calls(out: &mut Vec<u8>, calls: &[Call]) {
    out.extend_from_slice(b",\"tool_calls\":[");
    for (at, call) in calls.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"id\":");
        chunk::text(out, &call.id);
        out.extend_from_slice(b",\"type\":\"function\",\"function\":{\"name\":");
        chunk::text(out, &call.name);
        out.extend_from_slice(b",\"arguments\":");
        chunk::text(out, &call.arguments);
        out.extend_from_slice(b"}}");
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use polity_runtime::plugin::Outcome;
    use polity_runtime::{Delta, ToolCall, Usage};
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    fn answer(content: Vec<Delta>) -> Value {
        let completed = Completed {
            decision_id: Uuid::nil(),
            model: "m".into(),
            plugin: "p".into(),
            why: None,
            content,
            outcome: Outcome {
                finish: "stop".into(),
                usage: Usage {
                    input_tokens: 7,
                    output_tokens: 5,
                    cached_tokens: 3,
                },
            },
            cost_micro: 12,
            about: None,
        };
        serde_json::from_slice(&body(&completed, 1_700_000_000)).unwrap()
    }

    #[test]
    fn pieces_become_one_message() {
        let answer = answer(vec![
            Delta::Text("Hel".into()),
            Delta::Thinking("hm".into()),
            Delta::Text("lo".into()),
        ]);
        assert_eq!(
            answer,
            json!({
                "id": "chatcmpl-00000000-0000-0000-0000-000000000000",
                "object": "chat.completion",
                "created": 1_700_000_000,
                "model": "m",
                "choices": [{
                    "index": 0,
                    "message": {"role": "assistant", "content": "Hello", "refusal": null, "reasoning_content": "hm"},
                    "logprobs": null,
                    "finish_reason": "stop",
                }],
                "usage": {
                    "prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12,
                    "prompt_tokens_details": {"cached_tokens": 3},
                },
            })
        );
    }

    #[test]
    fn pieces_of_tool_calls_are_joined_by_their_index() {
        let piece = |index, id: &str, name: &str, arguments: &str| {
            Delta::ToolCall(ToolCall {
                index,
                id: id.into(),
                name: name.into(),
                arguments: arguments.into(),
            })
        };
        let answer = answer(vec![
            piece(1, "b", "second", "{"),
            piece(0, "a", "first", ""),
            piece(1, "", "", "}"),
            piece(0, "", "", "[]"),
        ]);
        let message = &answer["choices"][0]["message"];
        assert_eq!(message["content"], Value::Null);
        assert_eq!(
            message["tool_calls"],
            json!([
                {"id": "a", "type": "function", "function": {"name": "first", "arguments": "[]"}},
                {"id": "b", "type": "function", "function": {"name": "second", "arguments": "{}"}},
            ])
        );
    }

    #[test]
    fn an_answer_of_nothing_is_an_empty_text() {
        assert_eq!(answer(vec![])["choices"][0]["message"]["content"], "");
    }
}
