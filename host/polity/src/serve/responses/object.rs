//! A response as an object: the whole answer, and what goes round the pieces of a streamed one.

use polity_kernel::{About, Completed};
use polity_runtime::Usage;
use serde_json::{Value, json};
use uuid::Uuid;

use super::request::Echo;
use crate::serve::answer::{Call, Said};

/// What a response is called.
pub(super) fn id(decision: Uuid) -> String {
    format!("resp_{}", decision.simple())
}

/// The id of the item at a place of the output.
pub(super) fn item_id(prefix: &str, decision: Uuid, place: usize) -> String {
    format!("{prefix}_{}{place:02}", decision.simple())
}

/// A response without an end so far.
pub(super) fn outline(decision: Uuid, model: &str, created: u64, echo: &Echo) -> Value {
    json!({
        "id": id(decision),
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "background": false,
        "error": null,
        "incomplete_details": null,
        "instructions": echo.instructions,
        "max_output_tokens": echo.max_output_tokens,
        "metadata": echo.metadata,
        "model": model,
        "output": [],
        "parallel_tool_calls": true,
        "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null},
        "store": false,
        "temperature": echo.temperature,
        "text": echo.text,
        "tool_choice": echo.tool_choice,
        "tools": echo.tools,
        "top_p": null,
        "truncation": "disabled",
        "usage": null,
    })
}

/// Adds how it ended.
pub(super) fn close(
    response: &mut Value,
    output: Vec<Value>,
    finish: &str,
    used: &Usage,
    about: Option<&About>,
) {
    let reason = match finish {
        "length" => Some("max_output_tokens"),
        "content_filter" => Some("content_filter"),
        _ => None,
    };
    response["status"] = match reason {
        Some(_) => "incomplete".into(),
        None => "completed".into(),
    };
    if let Some(reason) = reason {
        response["incomplete_details"] = json!({ "reason": reason });
    }
    response["output"] = output.into();
    response["usage"] = usage(used);
    if let Some(about) = about {
        response["polity"] = json!(about);
    }
}

/// The response to a caller that did not ask for a stream.
pub(super) fn whole(completed: &Completed, created: u64, echo: &Echo) -> Vec<u8> {
    let decision = completed.decision_id;
    let mut response = outline(decision, &completed.model, created, echo);
    let Said {
        content,
        thoughts,
        calls,
    } = Said::of(&completed.content);
    let mut output = Vec::new();
    if !thoughts.is_empty() {
        output.push(reasoning(&item_id("rs", decision, output.len()), &thoughts));
    }
    if !content.is_empty() || calls.is_empty() {
        output.push(message(&item_id("msg", decision, output.len()), &content));
    }
    for call in &calls {
        output.push(function_call(&item_id("fc", decision, output.len()), call));
    }
    let outcome = &completed.outcome;
    let about = completed.about.as_deref();
    close(
        &mut response,
        output,
        &outcome.finish,
        &outcome.usage,
        about,
    );
    response.to_string().into_bytes()
}

pub(super) fn reasoning(id: &str, thoughts: &str) -> Value {
    json!({"id": id, "type": "reasoning", "summary": [{"type": "summary_text", "text": thoughts}]})
}

pub(super) fn message(id: &str, text: &str) -> Value {
    json!({
        "id": id, "type": "message", "status": "completed", "role": "assistant",
        "content": [part(text)],
    })
}

pub(super) fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

pub(super) fn function_call(id: &str, call: &Call) -> Value {
    json!({
        "id": id, "type": "function_call", "status": "completed",
        "call_id": call.id, "name": call.name, "arguments": call.arguments,
    })
}

fn usage(used: &Usage) -> Value {
    json!({
        "input_tokens": used.input_tokens,
        "input_tokens_details": {"cached_tokens": used.cached_tokens},
        "output_tokens": used.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": used.input_tokens.saturating_add(used.output_tokens),
    })
}

#[cfg(test)]
mod tests {
    use polity_runtime::plugin::Outcome;
    use polity_runtime::{Delta, ToolCall};

    use super::*;

    #[test]
    fn what_a_model_said_becomes_items_of_the_output() {
        let call = ToolCall {
            index: 0,
            id: "c".into(),
            name: "f".into(),
            arguments: "{}".into(),
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
                finish: "length".into(),
                usage: Usage {
                    input_tokens: 7,
                    output_tokens: 5,
                    cached_tokens: 3,
                },
            },
            cost_micro: 0,
            about: None,
        };
        let echo = Echo::default();
        let response: Value = serde_json::from_slice(&whole(&completed, 9, &echo)).unwrap();
        let kinds: Vec<&str> = response["output"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["type"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, ["reasoning", "message", "function_call"]);
        assert_eq!(response["output"][1]["content"][0]["text"], "so");
        assert_eq!(response["output"][2]["call_id"], "c");
        assert_eq!(response["status"], "incomplete");
        assert_eq!(
            response["incomplete_details"]["reason"],
            "max_output_tokens"
        );
        assert_eq!(response["usage"]["total_tokens"], 12);
        assert_eq!(response["store"], false);
    }
}
