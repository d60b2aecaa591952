//! A request for a response as a completion.

use polity_kernel::{CompletionRequest, Message, Wants};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

use super::items;
use crate::serve::fault::Fault;
use crate::serve::json::parse as read;

/// What is asked, and how it is to be answered.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) completion: CompletionRequest,
    pub(super) stream: bool,
    pub(super) echo: Echo,
}

/// What an answer repeats of its request.
#[derive(Clone, Debug, Default)]
pub(super) struct Echo {
    pub(super) instructions: Value,
    pub(super) max_output_tokens: Option<u32>,
    pub(super) metadata: Value,
    pub(super) temperature: Option<f64>,
    pub(super) text: Value,
    pub(super) tool_choice: Value,
    pub(super) tools: Value,
}

#[derive(Deserialize)]
#[serde(
    expecting = "a request for a response, for example {\"model\": \"…\", \"input\": \"Hello\"}"
)]
struct Body {
    model: String,
    input: Value,
    #[serde(default)]
    instructions: Option<String>,
    #[serde(default)]
    max_output_tokens: Option<u32>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    tools: Option<Vec<Value>>,
    #[serde(default)]
    tool_choice: Option<Value>,
    #[serde(default)]
    text: Option<Value>,
    #[serde(default)]
    reasoning: Option<Value>,
    #[serde(default)]
    metadata: Option<Value>,
    #[serde(default)]
    polity: Option<Wants>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

/// Parameters that would need a memory, or work that goes on when nobody waits.
const REFUSED: [&str; 4] = [
    "previous_response_id",
    "conversation",
    "background",
    "prompt",
];

/// Parameters that say nothing about the answer, or nothing that is not so anyway.
const IDLE: [&str; 10] = [
    "store",
    "include",
    "truncation",
    "user",
    "stream_options",
    "safety_identifier",
    "prompt_cache_key",
    "service_tier",
    "max_tool_calls",
    "top_logprobs",
];

/// Reads the body.
pub(super) fn parse(body: &[u8]) -> Result<Asked, Fault> {
    let body: Body = read(body)?;
    let mut extra = body.extra;
    for name in REFUSED {
        match extra.remove(name) {
            None | Some(Value::Null | Value::Bool(false)) => {}
            Some(_) => {
                return Err(Fault::at(
                    format!("/{name}"),
                    format!(
                        "nothing is stored here between two requests, so `{name}` cannot be followed; send the whole \
                         conversation in `input`"
                    ),
                ));
            }
        }
    }
    for name in IDLE {
        extra.remove(name);
    }
    let mut messages = Vec::new();
    if let Some(instructions) = body.instructions.as_deref().filter(|it| !it.is_empty()) {
        messages.push(Message::text("system", instructions));
    }
    for turn in items::turns(&body.input)? {
        messages.push(serde_json::from_value(turn).map_err(Fault::internal)?);
    }
    let offered = body.tools.unwrap_or_default();
    let tools = tools(&offered)?;
    if let Some(choice) = body.tool_choice.as_ref().filter(|choice| !choice.is_null()) {
        extra.insert("tool_choice".to_owned(), choose(choice)?);
    }
    let reasoning = body.reasoning.unwrap_or_default();
    if let Some(effort) = reasoning["effort"].as_str() {
        extra.insert("reasoning_effort".to_owned(), effort.into());
    }
    let text = body.text.filter(|text| !text.is_null());
    let format = text
        .as_ref()
        .map_or(Value::Null, |text| text["format"].clone());
    let echo = Echo {
        instructions: json!(body.instructions),
        max_output_tokens: body.max_output_tokens,
        metadata: body
            .metadata
            .filter(Value::is_object)
            .unwrap_or_else(|| json!({})),
        temperature: body.temperature,
        text: match format.is_null() {
            true => json!({"format": {"type": "text"}}),
            false => json!({ "format": format }),
        },
        tool_choice: body.tool_choice.unwrap_or_else(|| json!("auto")),
        tools: Value::Array(offered),
    };
    let completion = CompletionRequest {
        tools,
        response_schema: schema(&format)?,
        max_output_tokens: body.max_output_tokens,
        temperature: body.temperature,
        wants: body.polity,
        extra: match extra.is_empty() {
            true => None,
            false => Some(raw(&Value::Object(extra))?),
        },
        ..CompletionRequest::new(body.model, messages)
    };
    Ok(Asked {
        completion,
        stream: body.stream.unwrap_or(false),
        echo,
    })
}

fn tools(tools: &[Value]) -> Result<Option<Box<RawValue>>, Fault> {
    if tools.is_empty() {
        return Ok(None);
    }
    let mut offered = Vec::with_capacity(tools.len());
    for (index, tool) in tools.iter().enumerate() {
        let at = format!("/tools/{index}");
        if tool["type"] != "function" {
            return Err(Fault::at(
                at,
                "a tool is `{\"type\": \"function\", \"name\": …, \"parameters\": {…}}`; other kinds run at one vendor only",
            ));
        }
        let Some(name) = tool["name"].as_str().filter(|name| !name.is_empty()) else {
            return Err(Fault::at(format!("{at}/name"), "a function has a `name`"));
        };
        let mut function = json!({ "name": name });
        for member in ["description", "parameters", "strict"] {
            if !tool[member].is_null() {
                function[member] = tool[member].clone();
            }
        }
        offered.push(json!({"type": "function", "function": function}));
    }
    raw(&Value::Array(offered)).map(Some)
}

fn choose(choice: &Value) -> Result<Value, Fault> {
    match (choice.as_str(), choice["name"].as_str()) {
        (Some("auto" | "none" | "required"), _) => Ok(choice.clone()),
        (None, Some(name)) if choice["type"] == "function" => {
            Ok(json!({"type": "function", "function": {"name": name}}))
        }
        _ => Err(Fault::at(
            "/tool_choice",
            "a choice is `auto`, `none`, `required` or `{\"type\": \"function\", \"name\": …}`",
        )),
    }
}

fn schema(format: &Value) -> Result<Option<Box<RawValue>>, Fault> {
    match format["type"].as_str() {
        None if format.is_null() => Ok(None),
        Some("text") => Ok(None),
        // The weakest schema that says the same.
        Some("json_object") => raw(&json!({"type": "object"})).map(Some),
        Some("json_schema") if format["schema"].is_object() => raw(&format["schema"]).map(Some),
        Some("json_schema") => Err(Fault::at(
            "/text/format/schema",
            "`\"type\": \"json_schema\"` needs a `schema`, which is an object",
        )),
        _ => Err(Fault::at(
            "/text/format/type",
            "a format is of the type `text`, `json_object` or `json_schema`",
        )),
    }
}

fn raw(value: &Value) -> Result<Box<RawValue>, Fault> {
    to_raw_value(value).map_err(Fault::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(field: &str, value: Value) -> Value {
        let mut body = json!({"model": "m", "input": "hi"});
        body[field] = value;
        body
    }

    fn value(raw: &Option<Box<RawValue>>) -> Value {
        serde_json::from_str(raw.as_ref().unwrap().get()).unwrap()
    }

    #[test]
    fn a_request_becomes_a_completion() {
        let mut body = with("instructions", json!("be brief"));
        body["store"] = json!(true);
        body["background"] = json!(false);
        body["top_p"] = json!(0.5);
        body["reasoning"] = json!({"effort": "low"});
        body["tools"] = json!([{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": true}]);
        body["tool_choice"] = json!({"type": "function", "name": "f"});
        body["text"] =
            json!({"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}});
        let asked = parse(body.to_string().as_bytes()).unwrap();
        let completion = asked.completion;
        assert_eq!(completion.messages[0].role(), "system");
        assert_eq!(completion.messages[1].body(), r#"{"content":"hi"}"#);
        assert_eq!(
            value(&completion.extra),
            json!({
                "top_p": 0.5, "reasoning_effort": "low",
                "tool_choice": {"type": "function", "function": {"name": "f"}},
            })
        );
        assert_eq!(
            value(&completion.tools),
            json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": true}}])
        );
        assert_eq!(
            value(&completion.response_schema),
            json!({"type": "object"})
        );
        assert_eq!(asked.echo.text["format"]["name"], "n");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (body, place) in [
            (json!({"model": "m"}), "missing field `input`"),
            (with("input", json!([])), "/input:"),
            (with("input", json!(7)), "/input:"),
            (
                with("input", json!([{"type": "item_reference", "id": "x"}])),
                "/input/0:",
            ),
            (
                with("previous_response_id", json!("resp_1")),
                "/previous_response_id:",
            ),
            (with("background", json!(true)), "/background:"),
            (with("max_output_tokens", json!(-1)), "/max_output_tokens:"),
            (with("tools", json!([{"type": "web_search"}])), "/tools/0:"),
            (with("tool_choice", json!("always")), "/tool_choice:"),
            (
                with("text", json!({"format": {"type": "xml"}})),
                "/text/format/type:",
            ),
            (
                with("text", json!({"format": {"type": "json_schema"}})),
                "/text/format/schema:",
            ),
        ] {
            let fault = parse(body.to_string().as_bytes()).unwrap_err();
            assert!(fault.detail().contains(place), "{body}: {}", fault.detail());
        }
    }
}
