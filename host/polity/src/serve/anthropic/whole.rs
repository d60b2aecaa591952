//! A whole answer as a message.

use polity_kernel::Completed;
use polity_runtime::Usage;
use serde_json::{Value, json};

use crate::serve::answer::Said;

/// The message.
pub(super) fn body(completed: &Completed) -> Vec<u8> {
    let Said {
        content,
        thoughts,
        calls,
    } = Said::of(&completed.content);
    let mut blocks = Vec::new();
    if !thoughts.is_empty() {
        blocks.push(json!({"type": "thinking", "thinking": thoughts, "signature": ""}));
    }
    if !content.is_empty() || calls.is_empty() {
        blocks.push(json!({"type": "text", "text": content}));
    }
    for call in calls {
        let input = input(&call.arguments);
        blocks.push(json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input}));
    }
    let mut message = json!({
        "id": format!("msg_{}", completed.decision_id.simple()),
        "type": "message",
        "role": "assistant",
        "model": &*completed.model,
        "content": blocks,
        "stop_reason": stop_reason(&completed.outcome.finish),
        "stop_sequence": null,
        "usage": usage(&completed.outcome.usage),
    });
    if let Some(about) = &completed.about {
        message["polity"] = json!(about);
    }
    message.to_string().into_bytes()
}

/// Arguments are a text there and a value here; a text that is no value is kept as one, so that nothing is lost.
fn input(arguments: &str) -> Value {
    match serde_json::from_str(arguments) {
        Ok(value @ Value::Object(_)) => value,
        _ if arguments.trim().is_empty() => json!({}),
        _ => json!({ "arguments": arguments }),
    }
}

pub(super) fn stop_reason(finish: &str) -> &'static str {
    match finish {
        "length" => "max_tokens",
        "tool_calls" => "tool_use",
        "content_filter" => "refusal",
        _ => "end_turn",
    }
}

/// Tokens from a cache are counted apart there, and as a part of the prompt here.
pub(super) fn usage(used: &Usage) -> Value {
    json!({
        "input_tokens": used.input_tokens.saturating_sub(used.cached_tokens),
        "output_tokens": used.output_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": used.cached_tokens,
    })
}

#[cfg(test)]
mod tests {
    use polity_runtime::plugin::Outcome;
    use polity_runtime::{Delta, ToolCall};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn thoughts_words_and_calls_are_blocks() {
        let call = ToolCall {
            index: 0,
            id: "t".into(),
            name: "f".into(),
            arguments: "{\"a\":1}".into(),
        };
        let completed = Completed {
            decision_id: Uuid::nil(),
            model: "m".into(),
            plugin: "p".into(),
            why: None,
            content: vec![
                Delta::Thinking("hm".into()),
                Delta::Text("so".into()),
                Delta::ToolCall(call),
            ],
            outcome: Outcome {
                finish: "tool_calls".into(),
                usage: Usage {
                    input_tokens: 10,
                    output_tokens: 5,
                    cached_tokens: 4,
                },
            },
            cost_micro: 0,
            about: None,
        };
        let message: Value = serde_json::from_slice(&body(&completed)).unwrap();
        assert_eq!(
            message,
            json!({
                "id": "msg_00000000000000000000000000000000", "type": "message", "role": "assistant", "model": "m",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": ""},
                    {"type": "text", "text": "so"},
                    {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
                ],
                "stop_reason": "tool_use", "stop_sequence": null,
                "usage": {
                    "input_tokens": 6, "output_tokens": 5,
                    "cache_creation_input_tokens": 0, "cache_read_input_tokens": 4,
                },
            })
        );
        assert_eq!(input("not json"), json!({"arguments": "not json"}));
    }
}
