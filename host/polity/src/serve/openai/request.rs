//! Reading a chat completion, once.
//!
//! What the host has to understand is typed; what only the model reads (contents, tools, schemas) is checked to be JSON
//! and handed on as text. Parameters that are unknown here go along in `extra`: a new one must not need a new host.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::{self, Write};

use polity_kernel::{CompletionRequest, Message};
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use crate::serve::fault::{Fault, Kind};
use crate::serve::json::parse_at;
use crate::serve::object::Object;
use crate::serve::surrogates;

/// What is asked, and how it is to be answered.
#[derive(Debug)]
pub(super) struct ChatRequest {
    pub(super) completion: CompletionRequest,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
}

/// Where the reader stands, for the sentence that says what is wrong.
#[derive(Clone, Copy, Default)]
struct Place {
    field: &'static str,
    index: Option<usize>,
}

#[derive(Default)]
struct Read {
    model: Option<String>,
    messages: Option<Vec<Message>>,
    tools: Option<Box<RawValue>>,
    response_format: Option<ResponseFormat>,
    max_completion_tokens: Option<u32>,
    max_tokens: Option<u32>,
    temperature: Option<f64>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    polity: Option<Box<RawValue>>,
    extra: String,
}

#[derive(Deserialize)]
struct ResponseFormat {
    r#type: String,
    json_schema: Option<Object<NamedSchema>>,
}

#[derive(Deserialize)]
struct NamedSchema {
    schema: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// Reads the body.
pub(super) fn parse(body: &[u8]) -> Result<ChatRequest, Fault> {
    surrogates::check(body)?;
    let place = Cell::new(Place::default());
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = Body(&place)
        .deserialize(&mut json)
        .and_then(|read| json.end().map(|()| read));
    let read = read.map_err(|error| {
        if error.is_data() {
            let sentence = error.to_string();
            Fault::at(
                place.get().pointer(),
                sentence.split(" at line ").next().unwrap_or_default(),
            )
        } else {
            Fault::new(Kind::Malformed, format!("the body is not JSON: {error}"))
        }
    })?;
    read.into_request()
}

impl Place {
    fn pointer(self) -> String {
        let mut pointer = String::new();
        if !self.field.is_empty() {
            pointer = format!("/{}", self.field);
        }
        if let Some(index) = self.index {
            let _ = write!(pointer, "/{index}");
        }
        pointer
    }
}

impl Read {
    fn into_request(self) -> Result<ChatRequest, Fault> {
        let missing = |field: &str| Fault::at(format!("/{field}"), format!("`{field}` is missing"));
        let stream = self.stream.unwrap_or(false);
        if self.stream_options.is_some() && !stream {
            return Err(Fault::at(
                "/stream_options",
                "`stream_options` goes with `\"stream\": true` only",
            ));
        }
        let (limit, longest) = match self.max_completion_tokens {
            Some(tokens) => ("max_completion_tokens", Some(tokens)),
            None => ("max_tokens", self.max_tokens),
        };
        if longest == Some(0) {
            return Err(Fault::at(
                format!("/{limit}"),
                format!("`{limit}` is 0; leave it out or ask for at least one token"),
            ));
        }
        let completion = CompletionRequest {
            response_schema: self
                .response_format
                .map(ResponseFormat::into_schema)
                .transpose()?
                .flatten(),
            tools: self.tools.filter(|tools| !is_empty_array(tools)),
            max_output_tokens: longest,
            temperature: self.temperature,
            wants: match self.polity {
                Some(raw) => parse_at("/polity", raw.get().as_bytes())?,
                None => None,
            },
            extra: match self.extra.as_str() {
                "" => None,
                members => RawValue::from_string(format!("{{{members}}}"))
                    .map(Some)
                    .map_err(Fault::internal)?,
            },
            ..CompletionRequest::new(
                self.model.ok_or_else(|| missing("model"))?,
                self.messages.ok_or_else(|| missing("messages"))?,
            )
        };
        let include_usage = self
            .stream_options
            .is_some_and(|options| options.include_usage == Some(true));
        Ok(ChatRequest {
            completion,
            stream,
            include_usage,
        })
    }
}

impl ResponseFormat {
    fn into_schema(self) -> Result<Option<Box<RawValue>>, Fault> {
        match self.r#type.as_str() {
            "text" => Ok(None),
            // The weakest schema that says the same.
            "json_object" => RawValue::from_string(r#"{"type":"object"}"#.to_owned())
                .map(Some)
                .map_err(Fault::internal),
            "json_schema" => match self.json_schema.and_then(|named| named.0.schema) {
                Some(schema) if schema.get().starts_with('{') => Ok(Some(schema)),
                Some(_) => Err(Fault::at(
                    "/response_format/json_schema/schema",
                    "a JSON Schema is an object here",
                )),
                None => Err(Fault::at(
                    "/response_format/json_schema/schema",
                    "`\"type\": \"json_schema\"` needs `json_schema.schema`",
                )),
            },
            other => Err(Fault::at(
                "/response_format/type",
                format!("`{other}` is unknown; use `text`, `json_object` or `json_schema`"),
            )),
        }
    }
}

fn is_empty_array(raw: &RawValue) -> bool {
    raw.get()
        .strip_prefix('[')
        .is_some_and(|rest| rest.trim_start() == "]")
}

struct Body<'p>(&'p Cell<Place>);

impl<'de> DeserializeSeed<'de> for Body<'_> {
    type Value = Read;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Read, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Body<'_> {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a chat completion, for example {\"model\": \"…\", \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Read, A::Error> {
        let mut read = Read::default();
        let mut seen = Vec::with_capacity(12);
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            self.0.set(Place {
                field: known(&name),
                index: None,
            });
            // Two values for one name: rules and model could each see another one.
            if seen.contains(&name) {
                return Err(A::Error::custom(format!("`{name}` is there twice")));
            }
            match &*name {
                "model" => read.model = Some(members.next_value()?),
                "messages" => read.messages = Some(members.next_value_seed(Messages(self.0))?),
                "tools" => read.tools = members.next_value_seed(Tools(self.0))?,
                "response_format" => {
                    let format: Option<Object<_>> = members.next_value()?;
                    read.response_format = format.map(|format| format.0);
                }
                "max_completion_tokens" => read.max_completion_tokens = members.next_value()?,
                "max_tokens" => read.max_tokens = members.next_value()?,
                "temperature" => read.temperature = members.next_value()?,
                "stream" => read.stream = members.next_value()?,
                "stream_options" => {
                    let options: Option<Object<_>> = members.next_value()?;
                    read.stream_options = options.map(|options| options.0);
                }
                "polity" => read.polity = members.next_value()?,
                "n" => one_choice(members.next_value()?)?,
                _ => read.push_extra(&name, members.next_value()?),
            }
            seen.push(name);
        }
        self.0.set(Place::default());
        Ok(read)
    }
}

impl Read {
    fn push_extra(&mut self, name: &str, value: &RawValue) {
        if !self.extra.is_empty() {
            self.extra.push(',');
        }
        let _ = write!(
            self.extra,
            "{}:{}",
            serde_json::Value::from(name),
            value.get()
        );
    }
}

/// The names that `Place` may hold.
fn known(name: &str) -> &'static str {
    const KNOWN: [&str; 11] = [
        "model",
        "messages",
        "tools",
        "response_format",
        "max_completion_tokens",
        "max_tokens",
        "temperature",
        "stream",
        "stream_options",
        "polity",
        "n",
    ];
    KNOWN
        .into_iter()
        .find(|known| *known == name)
        .unwrap_or_default()
}

fn one_choice<E: serde::de::Error>(n: Option<u64>) -> Result<(), E> {
    match n {
        None | Some(1) => Ok(()),
        Some(n) => Err(E::custom(format!(
            "`n` is {n}, but one answer is given to a request; send {n} requests"
        ))),
    }
}

struct Messages<'p>(&'p Cell<Place>);

impl<'de> DeserializeSeed<'de> for Messages<'_> {
    type Value = Vec<Message>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Message>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Messages<'_> {
    type Value = Vec<Message>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Message>, A::Error> {
        let mut messages = Vec::new();
        loop {
            self.0.set(Place {
                field: "messages",
                index: Some(messages.len()),
            });
            let Some(message) = list.next_element::<Message>()? else {
                break;
            };
            messages.push(match message.role() {
                "system" | "user" | "assistant" | "tool" => message,
                // OpenAI's newer word for the same thing.
                "developer" => as_system(&message)?,
                other => {
                    let other: String = other.chars().take(32).collect();
                    return Err(A::Error::custom(format!(
                        "`{other}` is not a role; the roles are `system`, `developer`, `user`, `assistant` and `tool`"
                    )));
                }
            });
        }
        self.0.set(Place {
            field: "messages",
            index: None,
        });
        if messages.is_empty() {
            return Err(A::Error::custom(
                "`messages` is empty; send at least one message",
            ));
        }
        Ok(messages)
    }
}

fn as_system<E: serde::de::Error>(message: &Message) -> Result<Message, E> {
    let members = message.body().get(1..).filter(|members| *members != "}");
    let text = members.map_or_else(
        || r#"{"role":"system"}"#.to_owned(),
        |rest| format!(r#"{{"role":"system",{rest}"#),
    );
    serde_json::from_str(&text).map_err(E::custom)
}

/// The tools as text, and yet with their shape looked at: what is wrong with a tool is better said here than by a
/// provider.
struct Tools<'p>(&'p Cell<Place>);

impl<'de> DeserializeSeed<'de> for Tools<'_> {
    type Value = Option<Box<RawValue>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let Some(raw) = Option::<Box<RawValue>>::deserialize(deserializer)? else {
            return Ok(None);
        };
        let tools: Vec<Object<Tool>> = serde_json::from_str(raw.get()).map_err(|_| {
            D::Error::custom(
                "`tools` is a list of `{\"type\": \"function\", \"function\": {\"name\": …}}`",
            )
        })?;
        for (index, Object(tool)) in tools.iter().enumerate() {
            self.0.set(Place {
                field: "tools",
                index: Some(index),
            });
            if tool.r#type != "function" || tool.function.is_none() {
                return Err(D::Error::custom(
                    "a tool is `{\"type\": \"function\", \"function\": {\"name\": …}}`",
                ));
            }
        }
        Ok(Some(raw))
    }
}

#[derive(Deserialize)]
struct Tool<'t> {
    #[serde(borrow)]
    r#type: Cow<'t, str>,
    #[serde(borrow, rename = "function")]
    function: Option<Object<Function<'t>>>,
}

#[derive(Deserialize)]
#[expect(
    dead_code,
    reason = "that it is there and a text is all that is asked of it"
)]
struct Function<'f> {
    #[serde(borrow)]
    name: Cow<'f, str>,
    #[serde(default)]
    parameters: Option<IgnoredAny>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn with(field: &str, value: Value) -> Value {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        body[field] = value;
        body
    }

    fn read(body: &Value) -> ChatRequest {
        parse(body.to_string().as_bytes()).unwrap()
    }

    fn refused(body: &Value) -> String {
        let fault = parse(body.to_string().as_bytes()).unwrap_err();
        assert_eq!(fault.kind(), Kind::Invalid, "{body}");
        fault.detail().to_owned()
    }

    #[test]
    fn the_smallest_request_is_enough() {
        let request = read(&with("model", json!("m")));
        assert!(!request.stream && !request.include_usage);
        assert_eq!(request.completion.model, "m");
        assert_eq!(request.completion.messages[0].body(), r#"{"content":"hi"}"#);
        assert!(request.completion.extra.is_none() && request.completion.tools.is_none());
    }

    #[test]
    fn parameters_that_are_unknown_here_go_along() {
        let mut body = with("top_p", json!(0.5));
        body["tool_choice"] = json!({"type": "function"});
        let extra = read(&body).completion.extra.unwrap();
        let extra: Value = serde_json::from_str(extra.get()).unwrap();
        assert_eq!(
            extra,
            json!({"top_p": 0.5, "tool_choice": {"type": "function"}})
        );
    }

    #[test]
    fn null_is_the_same_as_nothing() {
        for field in [
            "tools",
            "response_format",
            "max_tokens",
            "max_completion_tokens",
            "temperature",
            "stream",
            "stream_options",
            "n",
        ] {
            let request = read(&with(field, Value::Null));
            assert!(request.completion.extra.is_none(), "{field}");
        }
    }

    #[test]
    fn the_newer_name_of_a_limit_outranks_the_older_one() {
        let mut body = with("max_tokens", json!(5));
        assert_eq!(read(&body).completion.max_output_tokens, Some(5));
        body["max_completion_tokens"] = json!(7);
        assert_eq!(read(&body).completion.max_output_tokens, Some(7));
    }

    #[test]
    fn a_developer_speaks_as_the_system() {
        let request = read(&with(
            "messages",
            json!([{"role": "developer", "content": "be brief"}, {"role": "developer"}]),
        ));
        assert_eq!(request.completion.messages[0].role(), "system");
        assert_eq!(
            request.completion.messages[0].body(),
            r#"{"content":"be brief"}"#
        );
        assert_eq!(request.completion.messages[1].body(), "{}");
    }

    #[test]
    fn every_response_format_becomes_a_schema_or_none() {
        let schema = |format: Value| {
            read(&with("response_format", format))
                .completion
                .response_schema
                .map(|raw| raw.get().to_owned())
        };
        assert_eq!(schema(json!({"type": "text"})), None);
        assert_eq!(
            schema(json!({"type": "json_object"})).unwrap(),
            r#"{"type":"object"}"#
        );
        let named = json!({"type": "json_schema", "json_schema": {"name": "a", "strict": true, "schema": {"type": "array"}}});
        assert_eq!(schema(named).unwrap(), r#"{"type":"array"}"#);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (body, place) in [
            (json!({"messages": [{"role": "user"}]}), "/model:"),
            (json!({"model": "m"}), "/messages:"),
            (with("model", json!(7)), "/model:"),
            (with("messages", json!([])), "/messages:"),
            (with("messages", json!("hi")), "/messages:"),
            (
                with("messages", json!([{"role": "user"}, {"content": "x"}])),
                "/messages/1:",
            ),
            (with("messages", json!([{"role": "king"}])), "/messages/0:"),
            (with("temperature", json!("hot")), "/temperature:"),
            (with("max_tokens", json!(-1)), "/max_tokens:"),
            (with("stream", json!("yes")), "/stream:"),
            (
                with("stream_options", json!({"include_usage": true})),
                "/stream_options:",
            ),
            (with("n", json!(2)), "/n:"),
            (with("tools", json!({})), "/tools:"),
            (
                with(
                    "tools",
                    json!([{"type": "function", "function": {"name": "f"}}, {"type": "web"}]),
                ),
                "/tools/1:",
            ),
            (
                with("max_tokens", json!(0)),
                "/max_tokens: `max_tokens` is 0",
            ),
            (
                with("max_completion_tokens", json!(0)),
                "/max_completion_tokens: `max_completion_tokens` is 0",
            ),
            (with("stream_options", json!([true])), "/stream_options:"),
            (
                with("response_format", json!(["text"])),
                "/response_format:",
            ),
            (with("messages", json!([["user", "hi"]])), "/messages/0:"),
            (
                with("tools", json!([["function", {"name": "f"}]])),
                "/tools:",
            ),
            (
                with("response_format", json!({"type": "xml"})),
                "/response_format/type:",
            ),
            (
                with("response_format", json!({"type": "json_schema"})),
                "/response_format/json_schema/schema:",
            ),
        ] {
            let detail = refused(&body);
            assert!(detail.starts_with(place), "{body}: {detail}");
        }
        refused(&json!([]));
        refused(&json!(["m", []]));
    }

    #[test]
    fn a_name_that_is_there_twice_is_refused() {
        for body in [
            r#"{"model": "m", "messages": [{"role": "user"}], "model": "other"}"#,
            r#"{"model": "m", "messages": [{"role": "user"}], "top_p": 1, "top_p": 0}"#,
        ] {
            assert!(
                parse(body.as_bytes())
                    .unwrap_err()
                    .detail()
                    .contains("twice"),
                "{body}"
            );
        }
    }

    #[test]
    fn what_is_no_json_is_told_so() {
        for body in [
            &b""[..],
            b"{",
            b"\xff",
            b"{\"model\":\"m\",\"messages\":[{\"role\":\"user\"}]} {}",
        ] {
            assert_eq!(parse(body).unwrap_err().kind(), Kind::Malformed, "{body:?}");
        }
    }
}
