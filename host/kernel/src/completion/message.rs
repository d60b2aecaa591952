//! One turn of a conversation, in the OpenAI form that callers send and the split form that adapters take.
//!
//! What is between the role and the closing brace is never looked into: it is checked to be JSON while it is read and
//! handed on as it came.

use std::fmt;

use polity_runtime::plugin;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

/// One turn of a conversation. Reads and writes as an OpenAI-style message: `{"role": "user", "content": "…"}`.
#[derive(Clone, Debug)]
pub struct Message {
    role: String,
    /// The message without its role: a JSON object.
    body: Box<str>,
}

impl Message {
    /// A message of text.
    pub fn text(role: impl Into<String>, content: &str) -> Self {
        let content = serde_json::Value::from(content);
        Self {
            role: role.into(),
            body: format!("{{\"content\":{content}}}").into(),
        }
    }

    /// `system`, `user`, `assistant` or `tool`.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// The message without its role, as JSON text.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Appends the message to JSON text.
    pub(super) fn write(&self, text: &mut String) {
        text.push_str("{\"role\":");
        write_text(text, &self.role);
        // The body is an object, so it begins with a brace.
        let members = self.body.get(1..).unwrap_or("}");
        if members != "}" {
            text.push(',');
        }
        text.push_str(members);
    }

    pub(super) fn into_wire(self) -> plugin::Message {
        plugin::Message {
            role: self.role,
            content: self.body.into(),
        }
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(self.body.len() + 32);
        self.write(&mut text);
        RawValue::from_string(text)
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Message;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message, for example {\"role\": \"user\", \"content\": \"Hello\"}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Message, A::Error> {
        let mut role = None;
        let mut body = String::from("{");
        while let Some(name) = members.next_key::<String>()? {
            if name == "role" {
                if role.replace(members.next_value()?).is_some() {
                    return Err(de::Error::duplicate_field("role"));
                }
                continue;
            }
            let value: Box<RawValue> = members.next_value()?;
            if body.len() > 1 {
                body.push(',');
            }
            write_text(&mut body, &name);
            body.push(':');
            body.push_str(value.get());
        }
        body.push('}');
        Ok(Message {
            role: role.ok_or_else(|| de::Error::missing_field("role"))?,
            body: body.into(),
        })
    }
}

/// Appends a JSON string.
pub(super) fn write_text(to: &mut String, text: &str) {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        to.push('"');
        to.push_str(text);
        to.push('"');
    } else {
        to.push_str(&serde_json::Value::from(text).to_string());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn round_trip(text: &str) -> String {
        serde_json::to_string(&serde_json::from_str::<Message>(text).unwrap()).unwrap()
    }

    #[test]
    fn a_message_is_handed_on_as_it_came() {
        let text = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"a","function":{"arguments":"{}"}}]}"#;
        assert_eq!(round_trip(text), text);
        let message: Message = serde_json::from_str(r#"{"content":"a\"b","role":"user"}"#).unwrap();
        assert_eq!(
            (message.role(), message.body()),
            ("user", r#"{"content":"a\"b"}"#)
        );
        assert_eq!(round_trip(r#"{"role":"user"}"#), r#"{"role":"user"}"#);
    }

    #[test]
    fn a_message_reads_from_a_parsed_value_too() {
        let message: Message =
            serde_json::from_value(json!({"role": "user", "content": ["x", 1.5]})).unwrap();
        assert_eq!(message.body(), r#"{"content":["x",1.5]}"#);
    }

    #[test]
    fn a_message_needs_one_role() {
        assert!(serde_json::from_str::<Message>(r#"{"content":"x"}"#).is_err());
        assert!(serde_json::from_str::<Message>(r#"{"role":"user","role":"system"}"#).is_err());
        assert!(serde_json::from_str::<Message>(r#"{"role":1}"#).is_err());
    }

    #[test]
    fn a_role_cannot_break_out_of_its_quotes() {
        let message = Message::text("user\",\"x\":\"", "hi");
        let back: Message =
            serde_json::from_str(&serde_json::to_string(&message).unwrap()).unwrap();
        assert_eq!(back.role(), "user\",\"x\":\"");
    }
}
