//! The input of a response: items there, turns of a conversation here.

use serde_json::{Value, json};

use crate::serve::fault::Fault;

/// The conversation.
pub(super) fn turns(input: &Value) -> Result<Vec<Value>, Fault> {
    let items = match input {
        Value::String(text) => return Ok(vec![json!({"role": "user", "content": text})]),
        Value::Array(items) if !items.is_empty() => items,
        _ => {
            return Err(Fault::at(
                "/input",
                "an input is a text, or a list of items with at least one in it",
            ));
        }
    };
    let mut turns: Vec<Value> = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let at = format!("/input/{index}");
        match item["type"].as_str() {
            Some("message") => turns.push(message(item, &at)?),
            None if item["role"].is_string() => turns.push(message(item, &at)?),
            Some("function_call") => call(item, &at, &mut turns)?,
            Some("function_call_output") => turns.push(output(item, &at)?),
            // What a model thought stays where it was.
            Some("reasoning") => {}
            other => {
                let other: String = other
                    .unwrap_or("an item without a type")
                    .chars()
                    .take(64)
                    .collect();
                return Err(Fault::at(
                    at,
                    format!(
                        "`{other}` cannot be followed; there are `message`, `function_call`, `function_call_output` and \
                         `reasoning`"
                    ),
                ));
            }
        }
    }
    Ok(turns)
}

fn message(item: &Value, at: &str) -> Result<Value, Fault> {
    let role = match item["role"].as_str() {
        Some("developer" | "system") => "system",
        Some("user") => "user",
        Some("assistant") => "assistant",
        _ => {
            return Err(Fault::at(
                format!("{at}/role"),
                "the roles are `user`, `assistant`, `system` and `developer`",
            ));
        }
    };
    let content = match &item["content"] {
        Value::String(text) => json!(text),
        Value::Array(parts) => {
            let mut taken = Vec::with_capacity(parts.len());
            for (index, part) in parts.iter().enumerate() {
                taken.push(self::part(part, &format!("{at}/content/{index}"))?);
            }
            // Providers take a model's words as a text.
            match role {
                "assistant" => json!(words(&taken)),
                _ => json!(taken),
            }
        }
        _ => {
            return Err(Fault::at(
                format!("{at}/content"),
                "a content is a text, or a list of parts",
            ));
        }
    };
    Ok(json!({"role": role, "content": content}))
}

fn part(part: &Value, at: &str) -> Result<Value, Fault> {
    let text = |member: &str| {
        let text = part[member].as_str();
        text.ok_or_else(|| Fault::at(format!("{at}/{member}"), format!("it has a `{member}`")))
    };
    match part["type"].as_str() {
        Some("input_text" | "output_text" | "text") => {
            Ok(json!({"type": "text", "text": text("text")?}))
        }
        Some("refusal") => Ok(json!({"type": "text", "text": text("refusal")?})),
        Some("input_image") => {
            let mut image = json!({"url": text("image_url")?});
            if let Some(detail) = part["detail"].as_str() {
                image["detail"] = detail.into();
            }
            Ok(json!({"type": "image_url", "image_url": image}))
        }
        _ => Err(Fault::at(
            at,
            "a part is `input_text`, `output_text`, `refusal`, or `input_image` with an `image_url`",
        )),
    }
}

fn words(parts: &[Value]) -> String {
    let texts = parts.iter().filter_map(|part| part["text"].as_str());
    texts.collect()
}

/// A call belongs to the turn in which the model asked for it.
fn call(item: &Value, at: &str, turns: &mut Vec<Value>) -> Result<(), Fault> {
    let member = |name: &str| {
        let text = item[name].as_str();
        text.ok_or_else(|| Fault::at(format!("{at}/{name}"), format!("a call has a `{name}`")))
    };
    let call = json!({
        "id": member("call_id")?,
        "type": "function",
        "function": {"name": member("name")?, "arguments": member("arguments")?},
    });
    let is_models = turns.last().is_some_and(|turn| turn["role"] == "assistant");
    if !is_models {
        turns.push(json!({"role": "assistant", "content": null}));
    }
    if let Some(turn) = turns.last_mut() {
        match turn["tool_calls"].as_array_mut() {
            Some(calls) => calls.push(call),
            None => turn["tool_calls"] = json!([call]),
        }
    }
    Ok(())
}

fn output(item: &Value, at: &str) -> Result<Value, Fault> {
    let Some(id) = item["call_id"].as_str() else {
        return Err(Fault::at(
            format!("{at}/call_id"),
            "an output names the `call_id` that it answers",
        ));
    };
    let output = match &item["output"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => words(
            &parts
                .iter()
                .enumerate()
                .map(|(index, part)| self::part(part, &format!("{at}/output/{index}")))
                .collect::<Result<Vec<_>, _>>()?,
        ),
        _ => {
            return Err(Fault::at(
                format!("{at}/output"),
                "an output is a text, or a list of parts",
            ));
        }
    };
    Ok(json!({"role": "tool", "tool_call_id": id, "content": output}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_with_tools_and_a_picture_is_told_in_the_other_form() {
        let input = json!([
            {"role": "developer", "content": "be brief"},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "what is this?"},
                {"type": "input_image", "image_url": "data:x", "detail": "low"},
            ]},
            {"type": "reasoning", "id": "r", "summary": []},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "let me see"}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "7"},
        ]);
        assert_eq!(
            turns(&input).unwrap(),
            [
                json!({"role": "system", "content": "be brief"}),
                json!({"role": "user", "content": [
                    {"type": "text", "text": "what is this?"},
                    {"type": "image_url", "image_url": {"url": "data:x", "detail": "low"}},
                ]}),
                json!({"role": "assistant", "content": "let me see", "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                    {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                ]}),
                json!({"role": "tool", "tool_call_id": "c1", "content": "7"}),
            ]
        );
    }
}
