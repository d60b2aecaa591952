//! The body of `POST /v1/messages`.

use polity_sdk::Problem;
use polity_sdk::model::Request;
use polity_wire::{Fields, Text, invalid, tools};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Anthropic;
use crate::conversation::{Block, Said, conversation};
use crate::schema::conform;

/// Room for an answer of a model of which nothing is known; the vendor demands a number.
const DEFAULT_MAX_TOKENS: u32 = 8_192;

/// Parameters of this vendor that callers may set directly.
const NATIVE: &[&str] = &[
    "top_k",
    "thinking",
    "cache_control",
    "context_management",
    "inference_geo",
    "metadata",
];

/// What the adapter alone decides, so that `extra_body` cannot send it twice.
const RESERVED: &[&str] = &[
    "model",
    "messages",
    "system",
    "stream",
    "max_tokens",
    "temperature",
    "top_p",
    "stop_sequences",
    "tools",
    "tool_choice",
    "output_config",
];

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'a>>,
    messages: Vec<Said<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_sequences: Option<Vec<Text<'a>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig>,
    #[serde(flatten)]
    extra: Fields<'a>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Text<'a>>,
    input_schema: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
struct ToolChoice<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disable_parallel_tool_use: Option<bool>,
}

#[derive(Serialize)]
struct OutputConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format>,
}

#[derive(Serialize)]
struct Format {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: Box<RawValue>,
}

/// An OpenAI-style tool.
#[derive(Deserialize)]
struct Offered<'a> {
    #[serde(borrow)]
    function: OfferedFunction<'a>,
}

#[derive(Deserialize)]
struct OfferedFunction<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow, default)]
    description: Option<Text<'a>>,
    #[serde(borrow, default)]
    parameters: Option<&'a RawValue>,
    #[serde(default)]
    strict: Option<bool>,
}

/// An OpenAI-style choice of one tool.
#[derive(Deserialize)]
struct Chosen<'a> {
    #[serde(borrow)]
    function: ChosenFunction<'a>,
}

#[derive(Deserialize)]
struct ChosenFunction<'a> {
    #[serde(borrow)]
    name: Text<'a>,
}

/// Translates a request.
pub(crate) fn body(settings: &Anthropic, request: &Request) -> Result<Vec<u8>, Problem> {
    let card = settings.cards().find(&request.model);
    let mut asked = Fields::parse("extra", &request.extra)?;
    let tools: Vec<Tool<'_>> = tools(request)?
        .into_iter()
        .map(tool)
        .collect::<Result<_, _>>()?;
    let tool_choice = tool_choice(&mut asked, !tools.is_empty())?;
    let samples = card.is_none_or(|card| card.sampling);
    let effort = effort(&mut asked)?.filter(|_| card.is_none_or(|card| card.effort));
    let format = request.response_schema.as_deref().map(format).transpose()?;
    let stop_sequences = asked.take_texts("stop")?;
    let top_p = asked.take_as("top_p")?.filter(|_| samples);
    let user = asked.take_as::<Text<'_>>("user")?;

    let mut extra = Fields(
        asked
            .0
            .into_iter()
            .filter(|(key, _)| NATIVE.contains(&&**key))
            .collect(),
    );
    let metadata = user.map(|user| metadata(&user)).transpose()?;
    if let Some(metadata) = metadata
        .as_deref()
        .filter(|_| extra.get("metadata").is_none())
    {
        extra.0.push(("metadata".into(), metadata));
    }
    if let Some(more) = &settings.extra_body {
        extra.overlay(Fields::parse("extra_body", more.get())?.without(RESERVED));
    }

    let conversation = conversation(request)?;
    let body = Body {
        model: &request.model,
        max_tokens: request.max_output_tokens.unwrap_or_else(|| {
            let longest = card
                .map(|card| card.max_output_tokens)
                .filter(|longest| *longest > 0);
            settings
                .default_max_tokens
                .or(longest)
                .unwrap_or(DEFAULT_MAX_TOKENS)
        }),
        stream: true,
        system: conversation.system,
        messages: conversation.messages,
        // The contract's scale goes further than this vendor's.
        temperature: request
            .temperature
            .filter(|_| samples)
            .map(|temperature| temperature.min(1.0)),
        top_p,
        stop_sequences,
        tools,
        tool_choice,
        output_config: (effort.is_some() || format.is_some())
            .then_some(OutputConfig { effort, format }),
        extra,
    };
    serde_json::to_vec(&body).map_err(|error| invalid(error.to_string()))
}

fn tool(raw: &RawValue) -> Result<Tool<'_>, Problem> {
    let Offered { function } = serde_json::from_str(raw.get())
        .map_err(|error| invalid(format!("Anthropic takes tools of type function: {error}")))?;
    let input_schema = match function.parameters {
        Some(schema) => schema,
        None => serde_json::from_str(r#"{"type":"object","properties":{}}"#)
            .map_err(|error| invalid(error.to_string()))?,
    };
    Ok(Tool {
        name: function.name,
        description: function.description,
        input_schema,
        strict: function.strict.filter(|strict| *strict),
    })
}

fn tool_choice<'a>(
    asked: &mut Fields<'a>,
    has_tools: bool,
) -> Result<Option<ToolChoice<'a>>, Problem> {
    let choice = asked.take("tool_choice");
    let one_at_a_time = asked.take_as("parallel_tool_calls")? == Some(false);
    if !has_tools {
        return Ok(None);
    }
    let disable_parallel_tool_use = one_at_a_time.then_some(true);
    let of = |kind, name| {
        Some(ToolChoice {
            kind,
            name,
            disable_parallel_tool_use,
        })
    };
    Ok(match choice.map(RawValue::get) {
        None | Some("\"auto\"") => one_at_a_time.then(|| of("auto", None)).flatten(),
        Some("\"required\"") => of("any", None),
        Some("\"none\"") => Some(ToolChoice {
            kind: "none",
            name: None,
            disable_parallel_tool_use: None,
        }),
        Some(chosen) => {
            let Chosen { function } = serde_json::from_str(chosen).map_err(|_| {
                invalid("tool_choice is auto, required, none, or {\"type\":\"function\",\"function\":{\"name\":…}}")
            })?;
            of("tool", Some(function.name))
        }
    })
}

/// OpenAI's efforts in this vendor's words. `none` means the default: whether thinking can be switched off depends on
/// the model, and `thinking` says so directly.
fn effort(asked: &mut Fields<'_>) -> Result<Option<&'static str>, Problem> {
    let Some(effort) = asked.take_as::<Text<'_>>("reasoning_effort")? else {
        return Ok(None);
    };
    Ok(match &*effort {
        "none" => None,
        "minimal" | "low" => Some("low"),
        "medium" => Some("medium"),
        "high" => Some("high"),
        "xhigh" => Some("xhigh"),
        "max" => Some("max"),
        other => {
            return Err(invalid(format!(
                "reasoning_effort: unknown effort '{other}'"
            )));
        }
    })
}

fn format(schema: &str) -> Result<Format, Problem> {
    Ok(Format {
        kind: "json_schema",
        schema: conform(schema)?,
    })
}

fn metadata(user: &str) -> Result<Box<RawValue>, Problem> {
    #[derive(Serialize)]
    struct Metadata<'a> {
        user_id: &'a str,
    }
    serde_json::value::to_raw_value(&Metadata { user_id: user })
        .map_err(|error| invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use polity_sdk::model::Message;
    use serde_json::{Value, json};

    use super::*;

    fn request(model: &str) -> Request {
        Request {
            model: model.into(),
            messages: vec![Message {
                role: "user".into(),
                content: r#"{"content":"hi"}"#.into(),
            }],
            tools: "[]".into(),
            response_schema: None,
            max_output_tokens: None,
            temperature: None,
            extra: "{}".into(),
        }
    }

    fn try_send(config: Value, request: &Request) -> Result<Value, Problem> {
        let settings: Anthropic = serde_json::from_str(&config.to_string()).unwrap();
        body(&settings, request).map(|body| serde_json::from_slice(&body).unwrap())
    }

    fn sent(config: Value, request: &Request) -> Value {
        try_send(config, request).unwrap()
    }

    #[test]
    fn the_smallest_request_names_the_longest_answer_of_its_model() {
        assert_eq!(
            sent(json!({}), &request("claude-opus-5-5")),
            json!({"model": "claude-opus-5-5", "max_tokens": 128_000, "stream": true,
                   "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]})
        );
        assert_eq!(
            sent(json!({}), &request("claude-next"))["max_tokens"],
            DEFAULT_MAX_TOKENS
        );
        let config = json!({"default_max_tokens": 1000});
        assert_eq!(
            sent(config.clone(), &request("claude-opus-5-5"))["max_tokens"],
            1000
        );
        let mut short = request("claude-opus-5-5");
        short.max_output_tokens = Some(7);
        assert_eq!(sent(config, &short)["max_tokens"], 7);
    }

    #[test]
    fn sampling_is_left_out_where_the_model_refuses_it() {
        let mut request = request("claude-haiku-4-5");
        request.temperature = Some(1.7);
        request.extra = r#"{"top_p":0.5,"top_k":40,"reasoning_effort":"high"}"#.into();
        let old = sent(json!({}), &request);
        assert_eq!(
            (&old["temperature"], &old["top_p"], &old["top_k"]),
            (&json!(1.0), &json!(0.5), &json!(40))
        );
        assert!(
            old.get("output_config").is_none(),
            "Haiku 4.5 takes no effort"
        );
        request.model = "claude-sonnet-5-5".into();
        let new = sent(json!({}), &request);
        assert!(new.get("temperature").is_none() && new.get("top_p").is_none());
        assert_eq!(new["output_config"], json!({"effort": "high"}));
    }

    #[test]
    fn openai_parameters_are_translated_and_foreign_ones_left_out() {
        let mut request = request("claude-opus-5-5");
        request.extra = r#"{"stop":"END","user":"ada","seed":7,"logit_bias":{},"thinking":{"type":"adaptive","display":"summarized"},"tool_choice":"required"}"#.into();
        let sent = sent(
            json!({"extra_body": {"inference_geo": "us", "max_tokens": 1}}),
            &request,
        );
        assert_eq!(sent["stop_sequences"], json!(["END"]));
        assert_eq!(sent["metadata"], json!({"user_id": "ada"}));
        assert_eq!(
            sent["thinking"],
            json!({"type": "adaptive", "display": "summarized"})
        );
        assert_eq!(
            (&sent["inference_geo"], &sent["max_tokens"]),
            (&json!("us"), &json!(128_000))
        );
        for foreign in ["seed", "logit_bias", "user", "stop", "tool_choice"] {
            assert!(sent.get(foreign).is_none(), "{foreign}");
        }
        request.extra = r#"{"stop":["a","b"]}"#.into();
        assert_eq!(
            super::tests::sent(json!({}), &request)["stop_sequences"],
            json!(["a", "b"])
        );
    }

    #[test]
    fn tools_and_the_choice_among_them_are_translated() {
        let mut request = request("claude-opus-5-5");
        request.tools = r#"[{"type":"function","function":{"name":"now"}},
            {"type":"function","function":{"name":"add","description":"Adds.","strict":true,"parameters":{"type":"object","properties":{"z":{},"a":{}}}}}]"#.into();
        assert_eq!(
            sent(json!({}), &request)["tools"],
            json!([{"name": "now", "input_schema": {"type": "object", "properties": {}}},
                   {"name": "add", "description": "Adds.", "strict": true,
                    "input_schema": {"type": "object", "properties": {"z": {}, "a": {}}}}])
        );
        for (extra, choice) in [
            (r#"{}"#, Value::Null),
            (r#"{"tool_choice":"auto"}"#, Value::Null),
            (
                r#"{"parallel_tool_calls":false}"#,
                json!({"type": "auto", "disable_parallel_tool_use": true}),
            ),
            (r#"{"tool_choice":"required"}"#, json!({"type": "any"})),
            (
                r#"{"tool_choice":"none","parallel_tool_calls":false}"#,
                json!({"type": "none"}),
            ),
            (
                r#"{"tool_choice":{"type":"function","function":{"name":"add"}}}"#,
                json!({"type": "tool", "name": "add"}),
            ),
        ] {
            request.extra = extra.into();
            assert_eq!(sent(json!({}), &request)["tool_choice"], choice, "{extra}");
        }
        request.extra = r#"{"tool_choice":"sometimes"}"#.into();
        assert_eq!(try_send(json!({}), &request).unwrap_err().code, "invalid");
    }

    #[test]
    fn a_tool_that_is_no_function_is_refused() {
        let mut request = request("claude-opus-5-5");
        request.tools = r#"[{"type":"custom","custom":{"name":"x"}}]"#.into();
        assert_eq!(try_send(json!({}), &request).unwrap_err().code, "invalid");
    }

    #[test]
    fn a_schema_becomes_the_output_format() {
        let mut request = request("claude-opus-5-5");
        request.response_schema =
            Some(r#"{"type":"object","properties":{"a":{"type":"string"}}}"#.into());
        assert_eq!(
            sent(json!({}), &request)["output_config"]["format"],
            json!({"type": "json_schema", "schema": {"type": "object", "properties": {"a": {"type": "string"}},
                   "additionalProperties": false}})
        );
    }
}
