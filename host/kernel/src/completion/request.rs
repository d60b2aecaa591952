//! What is asked of a model.

use std::fmt::Write;
use std::time::Duration;

use polity_router::Wants;
use polity_runtime::plugin;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::message::write_text;
use super::{Message, TraceParent};

/// Roles that a message may have.
const ROLES: [&str; 4] = ["system", "user", "assistant", "tool"];

/// The longest request. A plugin's host call carries it whole, and is bounded too.
const MAX_BYTES: usize = 8 << 20;

/// One completion. Rules see it as a JSON object with these members and, beside them, `stream`; where they amend it, it
/// is read back from there.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct CompletionRequest {
    /// A model's id, alone or behind its plugin's name: `gpt-4o`, `openai/gpt-4o`; an alias of the company; or `auto`.
    pub model: String,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// A JSON array of OpenAI-style tools.
    #[serde(default)]
    pub tools: Option<Box<RawValue>>,
    /// The JSON Schema that the answer must satisfy.
    #[serde(default)]
    pub response_schema: Option<Box<RawValue>>,
    /// The longest answer wanted.
    #[serde(default)]
    pub max_output_tokens: Option<u32>,
    /// From 0; the provider's default where absent.
    #[serde(default)]
    pub temperature: Option<f64>,
    /// A JSON object with other parameters, for the adapter to translate or to leave out.
    #[serde(default)]
    pub extra: Option<Box<RawValue>>,
    /// What else the answer must be like. Each is a hard condition on the model that answers.
    #[serde(default, rename = "polity")]
    pub wants: Option<Wants>,
    /// Whether vectors of the messages are wanted, and no answer; see [`crate::Kernel::embed`].
    #[serde(default)]
    pub embeddings: bool,
    /// How many members of a council have to answer, where it is more or fewer than the council says.
    #[serde(skip)]
    pub quorum: Option<usize>,
    /// Time until the answer must have ended. Rules do not see it.
    #[serde(skip)]
    pub deadline: Option<Duration>,
    /// The protocol that it is part of, whose budget pays for it, too. Rules do not see it and cannot change it.
    #[serde(skip)]
    pub protocol: Option<String>,
    /// The span of a trace that it is part of. Rules do not see it.
    #[serde(skip)]
    pub trace: Option<TraceParent>,
}

impl CompletionRequest {
    /// A request without tools or parameters.
    pub fn new(model: impl Into<String>, messages: Vec<Message>) -> Self {
        Self {
            model: model.into(),
            messages,
            ..Self::default()
        }
    }

    /// What is wrong with it, in one sentence.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.model.is_empty() || self.model.len() > 256 {
            return Err(
                "name a model, in at most 256 bytes; `GET /v1/models` lists them".to_owned(),
            );
        }
        if self.messages.is_empty() {
            return Err("`messages` is empty; send at least one message".to_owned());
        }
        if let Some(message) = self
            .messages
            .iter()
            .find(|message| !ROLES.contains(&message.role()))
        {
            let role: String = message.role().chars().take(32).collect();
            return Err(format!(
                "\"{role}\" is not a role of a message; the roles are {}",
                ROLES.join(", ")
            ));
        }
        if self.max_output_tokens == Some(0) {
            return Err(
                "`max_output_tokens` is 0; leave it out or ask for at least one token".to_owned(),
            );
        }
        if self
            .temperature
            .is_some_and(|temperature| !temperature.is_finite() || temperature < 0.0)
        {
            return Err("`temperature` is not a number from 0 up".to_owned());
        }
        let begins = |raw: &Option<Box<RawValue>>, with| {
            raw.as_ref().is_none_or(|raw| raw.get().starts_with(with))
        };
        if !begins(&self.tools, '[') {
            return Err("`tools` is not an array".to_owned());
        }
        if !begins(&self.extra, '{') {
            return Err("`extra` is not an object".to_owned());
        }
        if self.bytes() > MAX_BYTES {
            return Err(format!(
                "the request has more than {MAX_BYTES} bytes; shorten the conversation"
            ));
        }
        Ok(())
    }

    /// The longest answer that can come, in tokens, as far as the request says.
    pub(super) fn longest_answer(&self) -> Option<u32> {
        if self.embeddings {
            Some(0)
        } else {
            self.max_output_tokens
        }
    }

    /// Bytes of everything that the model will read.
    pub(super) fn bytes(&self) -> usize {
        let raw = |raw: &Option<Box<RawValue>>| raw.as_ref().map_or(0, |raw| raw.get().len());
        let messages: usize = self
            .messages
            .iter()
            .map(|message| message.body().len() + message.role().len())
            .sum();
        messages + raw(&self.tools) + raw(&self.response_schema) + raw(&self.extra)
    }

    /// The action's input, written once: rules read it, and the ledger keeps it.
    pub(super) fn input(&self, stream: bool) -> String {
        let mut text = String::with_capacity(self.bytes() + 32 * self.messages.len() + 256);
        text.push_str("{\"model\":");
        write_text(&mut text, &self.model);
        text.push_str(",\"messages\":[");
        for (index, message) in self.messages.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            message.write(&mut text);
        }
        text.push(']');
        let raw = [
            ("tools", &self.tools),
            ("response_schema", &self.response_schema),
            ("extra", &self.extra),
        ];
        for (name, raw) in raw {
            if let Some(raw) = raw {
                // Writing to a string cannot fail.
                let _ = write!(text, ",\"{name}\":{}", raw.get());
            }
        }
        if let Some(tokens) = self.max_output_tokens {
            let _ = write!(text, ",\"max_output_tokens\":{tokens}");
        }
        if let Some(temperature) = self.temperature {
            let _ = write!(text, ",\"temperature\":{temperature}");
        }
        if let Some(wants) = &self.wants
            && let Ok(wants) = serde_json::to_string(wants)
        {
            let _ = write!(text, ",\"polity\":{wants}");
        }
        if self.embeddings {
            text.push_str(",\"embeddings\":true");
        }
        let _ = write!(text, ",\"stream\":{stream}}}");
        text
    }

    /// The request that the rules made of this one.
    pub(super) fn amended(&self, input: &Value) -> Result<Self, String> {
        let read = Self::deserialize(input).map_err(|error| error.to_string())?;
        read.check()?;
        Ok(Self {
            deadline: self.deadline,
            protocol: self.protocol.clone(),
            trace: self.trace,
            ..read
        })
    }

    /// What the adapter gets.
    pub(super) fn into_wire(self, model: &str) -> plugin::Request {
        let text = |raw: Box<RawValue>| String::from(Box::<str>::from(raw));
        plugin::Request {
            model: model.to_owned(),
            messages: self.messages.into_iter().map(Message::into_wire).collect(),
            tools: self.tools.map_or_else(|| "[]".to_owned(), text),
            response_schema: self.response_schema.map(text),
            max_output_tokens: self.max_output_tokens,
            temperature: self.temperature,
            extra: self.extra.map_or_else(|| "{}".to_owned(), text),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn raw(value: Value) -> Option<Box<RawValue>> {
        Some(serde_json::value::to_raw_value(&value).unwrap())
    }

    fn request() -> CompletionRequest {
        CompletionRequest {
            tools: raw(json!([{"type": "function"}])),
            extra: raw(json!({"top_p": 0.5})),
            temperature: Some(1.0),
            max_output_tokens: Some(10),
            ..CompletionRequest::new(
                "m",
                vec![
                    Message::text("system", "be \"brief\""),
                    Message::text("user", "hi"),
                ],
            )
        }
    }

    #[test]
    fn rules_see_the_request_as_one_object() {
        let seen: Value = serde_json::from_str(&request().input(true)).unwrap();
        assert_eq!(
            seen,
            json!({
                "model": "m",
                "messages": [
                    {"role": "system", "content": "be \"brief\""},
                    {"role": "user", "content": "hi"}
                ],
                "tools": [{"type": "function"}],
                "extra": {"top_p": 0.5},
                "max_output_tokens": 10,
                "temperature": 1,
                "stream": true
            })
        );
    }

    #[test]
    fn a_request_survives_the_way_through_the_rules() {
        let asked = CompletionRequest {
            deadline: Some(Duration::from_secs(1)),
            ..request()
        };
        let seen = serde_json::from_str(&asked.input(false)).unwrap();
        let back = asked.amended(&seen).unwrap();
        assert_eq!(back.input(false), asked.input(false));
        assert_eq!(back.deadline, asked.deadline);
    }

    #[test]
    fn an_amendment_that_leaves_no_request_is_refused() {
        for spoilt in [
            json!({}),
            json!({"model": "m", "messages": []}),
            json!({"model": "m", "messages": [{"role": "king"}]}),
        ] {
            assert!(request().amended(&spoilt).is_err(), "{spoilt}");
        }
    }

    #[test]
    fn a_wrong_request_is_told_what_to_do() {
        let wrong = [
            CompletionRequest {
                model: String::new(),
                ..request()
            },
            CompletionRequest {
                messages: vec![],
                ..request()
            },
            CompletionRequest {
                messages: vec![Message::text("developer", "x")],
                ..request()
            },
            CompletionRequest {
                max_output_tokens: Some(0),
                ..request()
            },
            CompletionRequest {
                temperature: Some(f64::NAN),
                ..request()
            },
            CompletionRequest {
                tools: raw(json!({})),
                ..request()
            },
            CompletionRequest {
                extra: raw(json!([])),
                ..request()
            },
        ];
        for request in wrong {
            assert!(request.check().is_err(), "{request:?}");
        }
        request().check().unwrap();
    }
}
