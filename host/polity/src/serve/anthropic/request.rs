//! A message request as a completion.

use polity_kernel::{CompletionRequest, Message, Wants};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

use super::block;
use crate::serve::fault::{Fault, Kind};
use crate::serve::json::parse as read;
use crate::serve::object::Object;

/// What is asked, and how it is to be answered.
#[derive(Debug)]
pub(super) struct MessageRequest {
    pub(super) completion: CompletionRequest,
    pub(super) stream: bool,
}

#[derive(Deserialize)]
#[serde(
    expecting = "a request for a message, for example {\"model\": \"…\", \"max_tokens\": 1024, \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}"
)]
struct Body {
    model: String,
    #[serde(default)]
    max_tokens: Option<u32>,
    messages: Vec<Object<Turn>>,
    #[serde(default)]
    system: Option<Value>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    stop_sequences: Option<Vec<String>>,
    #[serde(default)]
    tools: Option<Vec<Value>>,
    #[serde(default)]
    tool_choice: Option<Value>,
    #[serde(default)]
    output_config: Option<Object<OutputConfig>>,
    #[serde(default)]
    output_format: Option<Value>,
    #[serde(default)]
    polity: Option<Wants>,
    /// Everything else goes along for the adapter to translate or to leave out.
    #[serde(flatten)]
    extra: Map<String, Value>,
}

#[derive(Deserialize)]
struct Turn {
    role: String,
    content: Value,
}

#[derive(Deserialize)]
struct OutputConfig {
    #[serde(default)]
    format: Option<Value>,
    #[serde(default)]
    effort: Option<String>,
}

/// Reads the body.
pub(super) fn parse(body: &[u8]) -> Result<MessageRequest, Fault> {
    let body: Body = read(body)?;
    let stream = body.stream.unwrap_or(false);
    match body.max_tokens {
        None => return Err(Fault::new(Kind::Invalid, "missing field `max_tokens`")),
        Some(0) => {
            return Err(Fault::at(
                "/max_tokens",
                "`max_tokens` is 0; ask for at least one token",
            ));
        }
        Some(_) => {}
    }
    Ok(MessageRequest {
        completion: into_completion(body)?,
        stream,
    })
}

/// Reads a body of which only the prompt counts; it need not say how long the answer may be.
pub(super) fn parse_prompt(body: &[u8]) -> Result<CompletionRequest, Fault> {
    let body: Body = read(body)?;
    into_completion(Body {
        max_tokens: body.max_tokens.filter(|tokens| *tokens > 0),
        ..body
    })
}

fn into_completion(body: Body) -> Result<CompletionRequest, Fault> {
    let mut messages = Vec::with_capacity(body.messages.len() + 1);
    if let Some(system) = &body.system {
        let text = block::plain_text(system, "/system")?;
        if !text.is_empty() {
            messages.push(Message::text("system", &text));
        }
    }
    if body.messages.is_empty() {
        return Err(Fault::at(
            "/messages",
            "`messages` is empty; send at least one message",
        ));
    }
    for (index, Object(turn)) in body.messages.iter().enumerate() {
        let pointer = format!("/messages/{index}");
        let turns = match turn.role.as_str() {
            "user" => block::of_user(&turn.content, &pointer)?,
            "assistant" => block::of_assistant(&turn.content, &pointer)?,
            other => {
                let other: String = other.chars().take(32).collect();
                return Err(Fault::at(
                    format!("{pointer}/role"),
                    format!(
                        "`{other}` is not a role; the roles are `user` and `assistant`, and what the system says goes \
                         into `system`"
                    ),
                ));
            }
        };
        for turn in turns {
            messages.push(serde_json::from_value(turn).map_err(Fault::internal)?);
        }
    }
    let mut extra = body.extra;
    if let Some(stop) = body.stop_sequences.filter(|stop| !stop.is_empty()) {
        extra.insert("stop".to_owned(), json!(stop));
    }
    if let Some(effort) = body
        .output_config
        .as_ref()
        .and_then(|it| it.0.effort.clone())
    {
        extra.insert("reasoning_effort".to_owned(), effort.into());
    }
    // Off is what everybody does who has not heard of it.
    if extra
        .get("thinking")
        .is_some_and(|thinking| thinking["type"] == "disabled")
    {
        extra.remove("thinking");
    }
    // Who asks is known by the token; the company's identity is no business of the provider's.
    extra.remove("metadata");
    let tools = tools(body.tools.unwrap_or_default())?;
    if let Some(choice) = body.tool_choice.filter(|choice| !choice.is_null()) {
        choose(&choice, &mut extra)?;
    }
    let format = body
        .output_config
        .and_then(|config| config.0.format)
        .or(body.output_format);
    Ok(CompletionRequest {
        tools,
        response_schema: schema(format)?,
        max_output_tokens: body.max_tokens,
        temperature: body.temperature,
        wants: body.polity,
        extra: match extra.is_empty() {
            true => None,
            false => Some(raw(&Value::Object(extra))?),
        },
        ..CompletionRequest::new(body.model, messages)
    })
}

fn tools(tools: Vec<Value>) -> Result<Option<Box<RawValue>>, Fault> {
    if tools.is_empty() {
        return Ok(None);
    }
    let mut offered = Vec::with_capacity(tools.len());
    for (index, tool) in tools.into_iter().enumerate() {
        let at = format!("/tools/{index}");
        let kind = tool["type"].as_str().unwrap_or("custom");
        if kind != "custom" {
            return Err(Fault::at(
                at,
                format!(
                    "`{kind}` is a tool of one vendor; offer your own, with `name` and `input_schema`"
                ),
            ));
        }
        let Some(name) = tool["name"].as_str().filter(|name| !name.is_empty()) else {
            return Err(Fault::at(format!("{at}/name"), "a tool has a `name`"));
        };
        if !tool["input_schema"].is_object() {
            return Err(Fault::at(
                format!("{at}/input_schema"),
                "a tool has an `input_schema`, which is a JSON Schema of an object",
            ));
        }
        let mut function = json!({"name": name, "parameters": tool["input_schema"]});
        for member in ["description", "strict"] {
            if !tool[member].is_null() {
                function[member] = tool[member].clone();
            }
        }
        offered.push(json!({"type": "function", "function": function}));
    }
    raw(&Value::Array(offered)).map(Some)
}

fn choose(choice: &Value, extra: &mut Map<String, Value>) -> Result<(), Fault> {
    let chosen = match choice["type"].as_str() {
        Some("auto") => json!("auto"),
        Some("any") => json!("required"),
        Some("none") => json!("none"),
        Some("tool") => match choice["name"].as_str() {
            Some(name) => json!({"type": "function", "function": {"name": name}}),
            None => {
                return Err(Fault::at(
                    "/tool_choice/name",
                    "`\"type\": \"tool\"` goes with the `name` of a tool",
                ));
            }
        },
        _ => {
            return Err(Fault::at(
                "/tool_choice/type",
                "a choice is of the type `auto`, `any`, `tool` or `none`",
            ));
        }
    };
    extra.insert("tool_choice".to_owned(), chosen);
    if choice["disable_parallel_tool_use"] == true {
        extra.insert("parallel_tool_calls".to_owned(), false.into());
    }
    Ok(())
}

fn schema(format: Option<Value>) -> Result<Option<Box<RawValue>>, Fault> {
    let Some(format) = format.filter(|format| !format.is_null()) else {
        return Ok(None);
    };
    if format["type"] != "json_schema" || !format["schema"].is_object() {
        return Err(Fault::at(
            "/output_config/format",
            "a format is `{\"type\": \"json_schema\", \"schema\": {…}}`",
        ));
    }
    raw(&format["schema"]).map(Some)
}

fn raw(value: &Value) -> Result<Box<RawValue>, Fault> {
    to_raw_value(value).map_err(Fault::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(field: &str, value: Value) -> Value {
        let mut body =
            json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]});
        body[field] = value;
        body
    }

    fn completion(body: &Value) -> CompletionRequest {
        parse(body.to_string().as_bytes()).unwrap().completion
    }

    fn value(raw: &Option<Box<RawValue>>) -> Value {
        serde_json::from_str(raw.as_ref().unwrap().get()).unwrap()
    }

    #[test]
    fn a_request_becomes_a_completion() {
        let mut body = with("system", json!([{"type": "text", "text": "be brief"}]));
        body["stop_sequences"] = json!(["END"]);
        body["top_k"] = json!(5);
        body["metadata"] = json!({"user_id": "x"});
        body["tools"] =
            json!([{"name": "f", "description": "d", "input_schema": {"type": "object"}}]);
        body["tool_choice"] = json!({"type": "any", "disable_parallel_tool_use": true});
        body["output_config"] =
            json!({"format": {"type": "json_schema", "schema": {"type": "object"}}});
        let asked = completion(&body);
        assert_eq!(asked.messages[0].role(), "system");
        assert_eq!(asked.messages[0].body(), r#"{"content":"be brief"}"#);
        assert_eq!(asked.max_output_tokens, Some(5));
        assert_eq!(
            value(&asked.extra),
            json!({"stop": ["END"], "top_k": 5, "tool_choice": "required", "parallel_tool_calls": false})
        );
        assert_eq!(
            value(&asked.tools),
            json!([{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}])
        );
        assert_eq!(value(&asked.response_schema), json!({"type": "object"}));
    }

    #[test]
    fn a_prompt_need_not_say_how_long_its_answer_may_be() {
        let mut body = with("max_tokens", json!(0));
        assert_eq!(
            parse_prompt(body.to_string().as_bytes())
                .unwrap()
                .max_output_tokens,
            None
        );
        body.as_object_mut().unwrap().remove("max_tokens");
        assert_eq!(
            parse_prompt(body.to_string().as_bytes()).unwrap().model,
            "m"
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (body, place) in [
            (json!({"model": "m", "messages": []}), "max_tokens"),
            (with("messages", json!([])), "/messages:"),
            (with("max_tokens", json!(-1)), "/max_tokens:"),
            (with("max_tokens", json!(0)), "/max_tokens:"),
            (with("messages", json!([["user", "hi"]])), "/messages/0:"),
            (
                with("output_config", json!([null, "low"])),
                "/output_config:",
            ),
            (json!(["m", 5, []]), "expected"),
            (
                with("messages", json!([{"role": "system", "content": "x"}])),
                "/messages/0/role:",
            ),
            (
                with(
                    "messages",
                    json!([{"role": "user", "content": [{"type": "hologram"}]}]),
                ),
                "/messages/0/content/0:",
            ),
            (
                with(
                    "tools",
                    json!([{"type": "web_search_20250305", "name": "w"}]),
                ),
                "/tools/0:",
            ),
            (
                with("tools", json!([{"name": "f"}])),
                "/tools/0/input_schema:",
            ),
            (
                with("tool_choice", json!({"type": "tool"})),
                "/tool_choice/name:",
            ),
            (
                with("output_format", json!({"type": "xml"})),
                "/output_config/format:",
            ),
            (with("system", json!([{"type": "image"}])), "/system/0:"),
        ] {
            let fault = parse(body.to_string().as_bytes()).unwrap_err();
            assert!(fault.detail().contains(place), "{body}: {}", fault.detail());
        }
    }
}
