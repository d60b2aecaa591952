//! The contents of turns: blocks there, parts and tool calls here.

use serde_json::{Value, json};

use crate::serve::fault::Fault;

/// A text, or blocks of text joined.
pub(super) fn plain_text(content: &Value, pointer: &str) -> Result<String, Fault> {
    match content {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Array(blocks) => {
            let mut texts = Vec::with_capacity(blocks.len());
            for (index, block) in blocks.iter().enumerate() {
                match block["text"].as_str().filter(|_| block["type"] == "text") {
                    Some(text) => texts.push(text),
                    None => {
                        return Err(Fault::at(
                            format!("{pointer}/{index}"),
                            "a text block is `{\"type\": \"text\", \"text\": …}`, and only those go here",
                        ));
                    }
                }
            }
            Ok(texts.join("\n"))
        }
        _ => Err(Fault::at(pointer, "a text, or a list of text blocks")),
    }
}

/// A user's turn: results of tools first, as turns of their own, then what the user says.
pub(super) fn of_user(content: &Value, pointer: &str) -> Result<Vec<Value>, Fault> {
    if let Value::String(text) = content {
        return Ok(vec![json!({"role": "user", "content": text})]);
    }
    let (mut turns, mut parts) = (Vec::new(), Vec::new());
    for (index, block) in blocks(content, pointer)?.iter().enumerate() {
        let at = format!("{pointer}/content/{index}");
        match block["type"].as_str() {
            Some("text") => parts.push(json!({"type": "text", "text": text(block, &at)?})),
            Some("image") => parts.push(image(&block["source"], &at)?),
            Some("tool_result") => turns.push(result(block, &at)?),
            _ => return Err(unknown(block, &at, "`text`, `image` and `tool_result`")),
        }
    }
    if !parts.is_empty() {
        turns.push(json!({"role": "user", "content": parts}));
    }
    Ok(turns)
}

/// A model's turn: what it said, and the tools that it called. What it thought stays where it was.
pub(super) fn of_assistant(content: &Value, pointer: &str) -> Result<Vec<Value>, Fault> {
    if let Value::String(text) = content {
        return Ok(vec![json!({"role": "assistant", "content": text})]);
    }
    let (mut said, mut calls) = (String::new(), Vec::new());
    for (index, block) in blocks(content, pointer)?.iter().enumerate() {
        let at = format!("{pointer}/content/{index}");
        match block["type"].as_str() {
            Some("text") => said.push_str(text(block, &at)?),
            Some("thinking" | "redacted_thinking") => {}
            Some("tool_use") => {
                let (Some(id), Some(name)) = (block["id"].as_str(), block["name"].as_str()) else {
                    return Err(Fault::at(
                        at,
                        "a `tool_use` has an `id`, a `name` and an `input`",
                    ));
                };
                let arguments = block["input"].to_string();
                calls.push(json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}));
            }
            _ => return Err(unknown(block, &at, "`text`, `thinking` and `tool_use`")),
        }
    }
    let mut turn = json!({"role": "assistant", "content": said});
    if !calls.is_empty() {
        if said.is_empty() {
            turn["content"] = Value::Null;
        }
        turn["tool_calls"] = calls.into();
    }
    Ok(vec![turn])
}

fn blocks<'c>(content: &'c Value, pointer: &str) -> Result<&'c [Value], Fault> {
    match content {
        Value::Array(blocks) => Ok(blocks),
        _ => Err(Fault::at(
            format!("{pointer}/content"),
            "a content is a text, or a list of blocks",
        )),
    }
}

fn text<'b>(block: &'b Value, at: &str) -> Result<&'b str, Fault> {
    block["text"]
        .as_str()
        .ok_or_else(|| Fault::at(format!("{at}/text"), "a text block has a `text`"))
}

fn image(source: &Value, at: &str) -> Result<Value, Fault> {
    let member = |name: &str| source[name].as_str();
    let url = match member("type") {
        Some("url") => member("url").map(str::to_owned),
        Some("base64") => member("media_type")
            .zip(member("data"))
            .map(|(kind, data)| format!("data:{kind};base64,{data}")),
        _ => None,
    };
    let url = url.ok_or_else(|| {
        Fault::at(
            format!("{at}/source"),
            "a source is `{\"type\": \"base64\", \"media_type\": …, \"data\": …}` or `{\"type\": \"url\", \"url\": …}`",
        )
    })?;
    Ok(json!({"type": "image_url", "image_url": {"url": url}}))
}

fn result(block: &Value, at: &str) -> Result<Value, Fault> {
    let Some(id) = block["tool_use_id"].as_str() else {
        return Err(Fault::at(
            format!("{at}/tool_use_id"),
            "a `tool_result` names the `tool_use_id` that it answers",
        ));
    };
    let said = plain_text(&block["content"], &format!("{at}/content"))?;
    let said = match block["is_error"] == true {
        true => format!("The tool failed: {said}"),
        false => said,
    };
    Ok(json!({"role": "tool", "tool_call_id": id, "content": said}))
}

fn unknown(block: &Value, at: &str, known: &str) -> Fault {
    let kind: String = block["type"]
        .as_str()
        .unwrap_or("a block without a type")
        .chars()
        .take(64)
        .collect();
    Fault::at(at, format!("`{kind}` cannot go here; there are {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_with_a_tool_and_a_picture_is_told_in_the_other_form() {
        let user = json!([
            {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "7"}]},
            {"type": "tool_result", "tool_use_id": "t2", "content": "no", "is_error": true},
            {"type": "text", "text": "and this?"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
        ]);
        assert_eq!(
            of_user(&user, "/messages/0").unwrap(),
            [
                json!({"role": "tool", "tool_call_id": "t1", "content": "7"}),
                json!({"role": "tool", "tool_call_id": "t2", "content": "The tool failed: no"}),
                json!({"role": "user", "content": [
                    {"type": "text", "text": "and this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                ]}),
            ]
        );
        let assistant = json!([
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
        ]);
        assert_eq!(
            of_assistant(&assistant, "/messages/1").unwrap(),
            [json!({"role": "assistant", "content": null, "tool_calls": [
                {"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
            ]})]
        );
    }
}
