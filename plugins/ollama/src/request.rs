//! The body of `POST /api/chat`.

use polity_sdk::Problem;
use polity_sdk::model::Request;
use polity_wire::{Call, Content, Fields, Image, Text, Turn, arguments, invalid, tools, turn};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::Ollama;

/// Sampling parameters that callers may set. Those that change how a model is loaded are the operator's.
const SAMPLING: &[&str] = &[
    "top_p",
    "top_k",
    "min_p",
    "typical_p",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "repeat_penalty",
];

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Said<'a>>,
    stream: bool,
    /// By default the server drops the oldest messages of a prompt that is too long, and nobody learns of it.
    truncate: bool,
    /// By default it drops them while the answer grows, too.
    shift: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_alive: Option<&'a RawValue>,
    options: Options<'a>,
}

#[derive(Serialize)]
struct Options<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    num_ctx: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_predict: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<Vec<Text<'a>>>,
    #[serde(flatten)]
    other: Fields<'a>,
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'a str,
    content: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Called<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<Text<'a>>,
}

#[derive(Serialize)]
struct Called<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Text<'a>>,
    function: CalledFunction<'a>,
}

#[derive(Serialize)]
struct CalledFunction<'a> {
    index: usize,
    name: Text<'a>,
    arguments: Box<RawValue>,
}

/// Translates a request.
pub(crate) fn body(settings: &Ollama, request: &Request) -> Result<Vec<u8>, Problem> {
    let mut asked = Fields::parse("extra", &request.extra)?;
    let mut tools = tools(request)?;
    // The one choice that can be expressed here: not to offer any.
    if asked
        .take("tool_choice")
        .is_some_and(|choice| choice.get() == "\"none\"")
    {
        tools.clear();
    }
    let think = think(&mut asked)?;
    let format = format(request, &mut asked)?;
    let stop = asked.take_texts("stop")?;
    let samples = asked
        .0
        .into_iter()
        .filter(|(key, value)| SAMPLING.contains(&&**key) && value.get() != "null");
    let mut other = Fields(samples.collect());
    if let Some(more) = &settings.options {
        other.overlay(Fields::parse("options", more.get())?);
    }
    let options = Options {
        num_ctx: settings.context_tokens,
        num_predict: request.max_output_tokens,
        temperature: request.temperature,
        stop,
        other: other.without(&["num_ctx", "num_predict", "temperature", "stop"]),
    };
    let body = Body {
        model: &request.model,
        messages: messages(request)?,
        stream: true,
        truncate: settings.truncate,
        shift: settings.truncate,
        tools,
        format,
        think,
        keep_alive: settings.keep_alive.as_deref(),
        options,
    };
    serde_json::to_vec(&body).map_err(|error| invalid(error.to_string()))
}

fn messages(request: &Request) -> Result<Vec<Said<'_>>, Problem> {
    let mut said: Vec<Said<'_>> = Vec::with_capacity(request.messages.len());
    for (index, message) in request.messages.iter().enumerate() {
        let Turn {
            content,
            tool_calls,
            tool_call_id,
        } = turn(index, message)?;
        let (content, images) = spoken(content)?;
        let tool_calls = tool_calls
            .into_iter()
            .flatten()
            .enumerate()
            .map(called)
            .collect::<Result<_, _>>()?;
        let tool_name = tool_call_id.as_ref().and_then(|id| name_of(&said, id));
        said.push(Said {
            role: &message.role,
            content,
            images,
            tool_calls,
            tool_name,
            tool_call_id,
        });
    }
    Ok(said)
}

/// Text in one piece, and the images beside it.
fn spoken(content: Option<Content<'_>>) -> Result<(String, Vec<String>), Problem> {
    let mut text = String::new();
    let mut images = Vec::new();
    for part in content.map(Content::into_parts).unwrap_or_default() {
        match (&*part.kind, part.text, part.image_url) {
            ("text", piece, _) => {
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(piece.as_deref().unwrap_or_default());
            }
            ("image_url", _, Some(image)) => match Image::parse(&image.url)? {
                Image::Inline { data, .. } => images.push(data.to_owned()),
                Image::Link(_) => {
                    return Err(invalid(
                        "Ollama fetches no images: send them as data:image/…;base64,… URLs",
                    ));
                }
            },
            (kind, ..) => {
                return Err(invalid(format!(
                    "Ollama takes content parts of type text and image_url, not '{kind}'"
                )));
            }
        }
    }
    Ok((text, images))
}

fn called((index, call): (usize, Call<'_>)) -> Result<Called<'_>, Problem> {
    let arguments = arguments(&call.function.name, &call.function.arguments)?;
    Ok(Called {
        id: call.id,
        function: CalledFunction {
            index,
            name: call.function.name,
            arguments,
        },
    })
}

/// The tool that an answer belongs to: the latest call with its id.
fn name_of(said: &[Said<'_>], id: &str) -> Option<String> {
    let calls = said.iter().rev().flat_map(|said| &said.tool_calls);
    let call = calls
        .into_iter()
        .find(|call| call.id.as_deref() == Some(id))?;
    Some(call.function.name.to_string())
}

/// `think` as it is, or OpenAI's effort in this vendor's words.
fn think(asked: &mut Fields<'_>) -> Result<Option<Box<RawValue>>, Problem> {
    let effort = asked.take_as::<Text<'_>>("reasoning_effort")?;
    if let Some(think) = asked.take("think") {
        return Ok(Some(think.to_owned()));
    }
    let raw = |text: &str| {
        RawValue::from_string(text.to_owned()).map_err(|error| invalid(error.to_string()))
    };
    effort
        .map(|effort| match &*effort {
            "none" => raw("false"),
            "minimal" | "low" => raw("\"low\""),
            "medium" => raw("\"medium\""),
            "high" => raw("\"high\""),
            "xhigh" | "max" => raw("\"max\""),
            other => Err(invalid(format!(
                "reasoning_effort: unknown effort '{other}'"
            ))),
        })
        .transpose()
}

fn format<'a>(
    request: &'a Request,
    asked: &mut Fields<'a>,
) -> Result<Option<&'a RawValue>, Problem> {
    let wanted = asked.take_as::<Fields<'a>>("response_format")?;
    if let Some(schema) = &request.response_schema {
        return serde_json::from_str(schema)
            .map(Some)
            .map_err(|error| invalid(format!("response_schema is not JSON: {error}")));
    }
    let any_json = wanted
        .and_then(|format| format.get("type"))
        .is_some_and(|kind| kind.get() == "\"json_object\"");
    if !any_json {
        return Ok(None);
    }
    serde_json::from_str("\"json\"")
        .map(Some)
        .map_err(|error| invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use polity_sdk::model::Message;
    use serde_json::{Value, json};

    use super::*;

    fn request(messages: &[(&str, Value)]) -> Request {
        let messages = messages
            .iter()
            .map(|(role, content)| Message {
                role: role.to_string(),
                content: content.to_string(),
            })
            .collect();
        Request {
            model: "llama3.2".into(),
            messages,
            tools: "[]".into(),
            response_schema: None,
            max_output_tokens: None,
            temperature: None,
            extra: "{}".into(),
        }
    }

    fn try_send(config: Value, request: &Request) -> Result<Value, Problem> {
        let settings: Ollama = serde_json::from_str(&config.to_string()).unwrap();
        body(&settings, request).map(|body| serde_json::from_slice(&body).unwrap())
    }

    fn sent(config: Value, request: &Request) -> Value {
        try_send(config, request).unwrap()
    }

    fn hi() -> Request {
        request(&[("user", json!({"content": "hi"}))])
    }

    #[test]
    fn a_prompt_is_never_cut_silently_unless_the_operator_wants_it() {
        assert_eq!(
            sent(json!({}), &hi()),
            json!({"model": "llama3.2", "messages": [{"role": "user", "content": "hi"}], "stream": true,
                   "truncate": false, "shift": false, "options": {}})
        );
        let sent = sent(json!({"truncate": true}), &hi());
        assert_eq!(
            (&sent["truncate"], &sent["shift"]),
            (&json!(true), &json!(true))
        );
    }

    #[test]
    fn parameters_become_options_and_the_operators_win() {
        let mut request = hi();
        request.temperature = Some(0.0);
        request.max_output_tokens = Some(64);
        request.extra =
            r#"{"top_p":0.9,"seed":7,"stop":"END","num_gpu":0,"keep_alive":-1,"options":{"num_ctx":1},"logit_bias":{}}"#.into();
        let sent = sent(
            json!({"context_tokens": 8192, "keep_alive": "10m", "options": {"top_p": 0.5, "num_thread": 4, "stop": []}}),
            &request,
        );
        assert_eq!(
            sent["options"],
            json!({"num_ctx": 8192, "num_predict": 64, "temperature": 0.0, "stop": ["END"], "seed": 7, "top_p": 0.5,
                   "num_thread": 4})
        );
        assert_eq!(sent["keep_alive"], "10m");
        assert!(sent.get("logit_bias").is_none());
    }

    #[test]
    fn tool_results_name_their_tool() {
        let request = request(&[
            ("user", json!({"content": "weather?"})),
            (
                "assistant",
                json!({"content": null, "tool_calls": [
                {"id": "call_0", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Rom\"}"}},
                {"id": "call_1", "type": "function", "function": {"name": "now", "arguments": ""}}]}),
            ),
            (
                "tool",
                json!({"content": "11:00", "tool_call_id": "call_1"}),
            ),
        ]);
        assert_eq!(
            sent(json!({}), &request)["messages"],
            json!([
                {"role": "user", "content": "weather?"},
                {"role": "assistant", "content": "", "tool_calls": [
                    {"id": "call_0", "function": {"index": 0, "name": "weather", "arguments": {"city": "Rom"}}},
                    {"id": "call_1", "function": {"index": 1, "name": "now", "arguments": {}}}]},
                {"role": "tool", "content": "11:00", "tool_name": "now", "tool_call_id": "call_1"},
            ])
        );
    }

    #[test]
    fn parts_become_text_and_images() {
        let with = |url: &str| {
            request(&[(
                "user",
                json!({"content": [
                {"type": "text", "text": "What"}, {"type": "image_url", "image_url": {"url": url}},
                {"type": "text", "text": "is it?"}]}),
            )])
        };
        assert_eq!(
            sent(json!({}), &with("data:image/png;base64,iVBO"))["messages"],
            json!([{"role": "user", "content": "What\nis it?", "images": ["iVBO"]}])
        );
        let problem = try_send(json!({}), &with("https://example.com/a.png")).unwrap_err();
        assert_eq!(problem.code, "invalid");
        assert!(problem.detail.contains("data:image"), "{}", problem.detail);
    }

    #[test]
    fn a_schema_or_the_wish_for_any_json_becomes_the_format() {
        let mut request = hi();
        request.extra = r#"{"response_format":{"type":"json_object"}}"#.into();
        assert_eq!(sent(json!({}), &request)["format"], "json");
        request.response_schema = Some(r#"{"type":"object"}"#.into());
        assert_eq!(
            sent(json!({}), &request)["format"],
            json!({"type": "object"})
        );
        request.response_schema = None;
        request.extra = r#"{"response_format":{"type":"text"}}"#.into();
        assert!(sent(json!({}), &request).get("format").is_none());
    }

    #[test]
    fn an_effort_becomes_think_and_think_itself_wins() {
        let mut request = hi();
        for (extra, think) in [
            (r#"{"reasoning_effort":"none"}"#, json!(false)),
            (r#"{"reasoning_effort":"minimal"}"#, json!("low")),
            (r#"{"reasoning_effort":"xhigh"}"#, json!("max")),
            (r#"{"reasoning_effort":"low","think":true}"#, json!(true)),
        ] {
            request.extra = extra.into();
            assert_eq!(sent(json!({}), &request)["think"], think, "{extra}");
        }
        request.extra = r#"{"reasoning_effort":"hard"}"#.into();
        assert_eq!(try_send(json!({}), &request).unwrap_err().code, "invalid");
    }

    #[test]
    fn no_tool_is_offered_when_none_may_be_called() {
        let mut request = hi();
        request.tools = r#"[{"type":"function","function":{"name":"f"}}]"#.into();
        request.extra = r#"{"tool_choice":"auto"}"#.into();
        assert_eq!(
            sent(json!({}), &request)["tools"][0]["function"]["name"],
            "f"
        );
        request.extra = r#"{"tool_choice":"none"}"#.into();
        assert!(sent(json!({}), &request).get("tools").is_none());
    }
}
