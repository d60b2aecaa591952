//! The conversation in Anthropic's form.
//!
//! System messages leave the conversation; a tool's answer becomes a block of the user's next turn, and all answers to
//! one round of calls have to stand in the same turn; an assistant's calls become blocks with parsed input.

use std::borrow::Cow;

use polity_sdk::Problem;
use polity_sdk::model::Request;
use polity_wire::{Content, Image, Part, Text, arguments, invalid, turn};
use serde::Serialize;
use serde_json::value::RawValue;

/// Everything that was said.
#[derive(Debug)]
pub(crate) struct Conversation<'a> {
    pub(crate) system: Vec<Block<'a>>,
    pub(crate) messages: Vec<Said<'a>>,
}

/// One turn.
#[derive(Debug, Serialize)]
pub(crate) struct Said<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

/// A piece of a turn.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Block<'a> {
    Text {
        text: Text<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
    Image {
        source: Source,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: Text<'a>,
        input: Box<RawValue>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block<'a>>,
    },
}

/// Where an image is.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Source {
    Base64 { media_type: String, data: String },
    Url { url: String },
}

/// Rebuilds the conversation of a request.
pub(crate) fn conversation(request: &Request) -> Result<Conversation<'_>, Problem> {
    let mut system = Vec::new();
    let mut messages: Vec<Said<'_>> = Vec::with_capacity(request.messages.len());
    for (index, message) in request.messages.iter().enumerate() {
        let turn = turn(index, message)?;
        let (role, content) = match message.role.as_str() {
            "system" => {
                system.extend(blocks(turn.content)?);
                continue;
            }
            "user" => ("user", blocks(turn.content)?),
            "assistant" => {
                let mut content = blocks(turn.content)?;
                for call in turn.tool_calls.into_iter().flatten() {
                    let id = call.id.ok_or_else(|| {
                        invalid(format!("message {index}: a tool call without id"))
                    })?;
                    let input = arguments(&call.function.name, &call.function.arguments)?;
                    content.push(Block::ToolUse {
                        id: safe_id(id),
                        name: call.function.name,
                        input,
                    });
                }
                ("assistant", content)
            }
            "tool" => {
                let id = turn.tool_call_id.ok_or_else(|| {
                    invalid(format!(
                        "message {index}: a tool's message needs tool_call_id"
                    ))
                })?;
                let content = blocks(turn.content)?;
                (
                    "user",
                    vec![Block::ToolResult {
                        tool_use_id: safe_id(id),
                        content,
                    }],
                )
            }
            role => return Err(invalid(format!("message {index}: unknown role '{role}'"))),
        };
        match messages.last_mut() {
            Some(last) if last.role == role => last.content.extend(content),
            // An assistant that said nothing is refused by the vendor, and means nothing.
            _ if content.is_empty() && role == "assistant" => {}
            _ => messages.push(Said { role, content }),
        }
    }
    Ok(Conversation { system, messages })
}

fn blocks(content: Option<Content<'_>>) -> Result<Vec<Block<'_>>, Problem> {
    let parts = content.map(Content::into_parts).unwrap_or_default();
    parts
        .into_iter()
        .filter(|part| !is_empty_text(part))
        .map(block)
        .collect()
}

/// The vendor refuses text blocks without text.
fn is_empty_text(part: &Part<'_>) -> bool {
    &*part.kind == "text" && part.text.as_ref().is_none_or(|text| text.is_empty())
}

fn block(part: Part<'_>) -> Result<Block<'_>, Problem> {
    let cache_control = part.cache_control;
    match (&*part.kind, part.text, part.image_url) {
        ("text", Some(text), _) => Ok(Block::Text {
            text,
            cache_control,
        }),
        ("image_url", _, Some(image)) => {
            let source = match Image::parse(&image.url)? {
                Image::Inline { media_type, data } => Source::Base64 {
                    media_type: media_type.to_owned(),
                    data: data.to_owned(),
                },
                Image::Link(url) => Source::Url {
                    url: url.to_owned(),
                },
            };
            Ok(Block::Image {
                source,
                cache_control,
            })
        }
        (kind, ..) => Err(invalid(format!(
            "Anthropic takes content parts of type text and image_url, not '{kind}'"
        ))),
    }
}

/// Anthropic's ids are letters, digits, `_` and `-`; a conversation that began at another vendor may hold others. The
/// call and its answer are changed alike, so they still belong together.
fn safe_id(id: Text<'_>) -> Cow<'_, str> {
    let safe = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if id.chars().all(safe) {
        return id.0;
    }
    id.chars()
        .map(|c| if safe(c) { c } else { '_' })
        .collect::<String>()
        .into()
}

#[cfg(test)]
mod tests {
    use polity_sdk::model::Message;
    use serde_json::{Value, json};

    use super::*;

    fn rebuilt(messages: &[(&str, Value)]) -> Result<(Value, Value), Problem> {
        let messages = messages
            .iter()
            .map(|(role, content)| Message {
                role: role.to_string(),
                content: content.to_string(),
            })
            .collect();
        let request = Request {
            model: "m".into(),
            messages,
            tools: String::new(),
            response_schema: None,
            max_output_tokens: None,
            temperature: None,
            extra: String::new(),
        };
        let conversation = conversation(&request)?;
        Ok((json!(conversation.system), json!(conversation.messages)))
    }

    fn text(text: &str) -> Value {
        json!({"type": "text", "text": text})
    }

    #[test]
    fn system_messages_leave_the_conversation_wherever_they_stand() {
        let (system, messages) = rebuilt(&[
            ("system", json!({"content": "Be brief."})),
            ("user", json!({"content": "hi"})),
            ("system", json!({"content": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}]})),
        ])
        .unwrap();
        assert_eq!(
            system,
            json!([text("Be brief."), {"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}])
        );
        assert_eq!(messages, json!([{"role": "user", "content": [text("hi")]}]));
    }

    #[test]
    fn answers_to_one_round_of_calls_stand_in_one_turn() {
        let (_, messages) = rebuilt(&[
            ("user", json!({"content": "weather?"})),
            ("assistant", json!({"content": null, "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Rom\"}"}},
                {"id": "functions.now:0", "type": "function", "function": {"name": "now", "arguments": ""}}]})),
            ("tool", json!({"content": "sunny", "tool_call_id": "a"})),
            ("tool", json!({"content": "", "tool_call_id": "functions.now:0"})),
            ("user", json!({"content": "so?"})),
        ])
        .unwrap();
        assert_eq!(
            messages,
            json!([
                {"role": "user", "content": [text("weather?")]},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "Rom"}},
                    {"type": "tool_use", "id": "functions_now_0", "name": "now", "input": {}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "a", "content": [text("sunny")]},
                    {"type": "tool_result", "tool_use_id": "functions_now_0"},
                    text("so?")]},
            ])
        );
    }

    #[test]
    fn images_go_inline_or_by_address() {
        let (_, messages) = rebuilt(&[(
            "user",
            json!({"content": [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.jpg"}}]}),
        )])
        .unwrap();
        assert_eq!(
            messages[0]["content"],
            json!([
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.jpg"}},
            ])
        );
    }

    #[test]
    fn an_assistant_that_said_nothing_is_left_out() {
        let (_, messages) = rebuilt(&[
            ("user", json!({"content": "a"})),
            ("assistant", json!({"content": ""})),
            ("user", json!({"content": "b"})),
        ])
        .unwrap();
        assert_eq!(
            messages,
            json!([{"role": "user", "content": [text("a"), text("b")]}])
        );
    }

    #[test]
    fn what_has_no_form_at_anthropic_is_refused_with_its_name() {
        for (message, named) in [
            (
                ("user", json!({"content": [{"type": "input_audio"}]})),
                "input_audio",
            ),
            (("tool", json!({"content": "x"})), "tool_call_id"),
            (
                (
                    "assistant",
                    json!({"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}),
                ),
                "id",
            ),
            (
                (
                    "assistant",
                    json!({"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "x"}}]}),
                ),
                "'f'",
            ),
            (("developer", json!({"content": "x"})), "developer"),
        ] {
            let problem = rebuilt(&[message]).unwrap_err();
            assert_eq!(problem.code, "invalid");
            assert!(problem.detail.contains(named), "{}", problem.detail);
        }
    }
}
