//! The contract's messages, for adapters whose vendor does not speak them.
//!
//! They are OpenAI-style: `content` is a string, a list of parts or null; an assistant's `tool_calls` carry their
//! arguments as JSON text; a tool's answer names the call by `tool_call_id`.

use std::fmt;

use polity_sdk::Problem;
use polity_sdk::model::Message;
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::{Text, invalid};

/// What one message holds.
#[derive(Debug, Deserialize)]
pub struct Turn<'a> {
    /// What was said, if anything.
    #[serde(borrow, default)]
    pub content: Option<Content<'a>>,
    /// The tools that the assistant called.
    #[serde(borrow, default)]
    pub tool_calls: Option<Vec<Call<'a>>>,
    /// Which call a tool's message answers.
    #[serde(borrow, default)]
    pub tool_call_id: Option<Text<'a>>,
}

/// Text, or text and images.
#[derive(Debug)]
pub enum Content<'a> {
    /// A plain string.
    Text(Text<'a>),
    /// Parts, in order.
    Parts(Vec<Part<'a>>),
}

/// One part of a message.
#[derive(Debug, Deserialize)]
pub struct Part<'a> {
    /// `text`, `image_url`, ….
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    /// Of a `text` part.
    #[serde(borrow, default)]
    pub text: Option<Text<'a>>,
    /// Of an `image_url` part.
    #[serde(borrow, default)]
    pub image_url: Option<ImageUrl<'a>>,
    /// Where the vendor may end a cached prefix, passed on unread.
    #[serde(borrow, default)]
    pub cache_control: Option<&'a RawValue>,
}

/// Where an image is.
#[derive(Debug, Deserialize)]
pub struct ImageUrl<'a> {
    /// An `https:` or `data:` URL.
    #[serde(borrow)]
    pub url: Text<'a>,
}

/// A tool that the assistant called.
#[derive(Debug, Deserialize)]
pub struct Call<'a> {
    /// The provider's name for this call.
    #[serde(borrow, default)]
    pub id: Option<Text<'a>>,
    /// What was called.
    #[serde(borrow)]
    pub function: Function<'a>,
}

/// A function and its arguments.
#[derive(Debug, Deserialize)]
pub struct Function<'a> {
    /// The tool's name.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// JSON text.
    #[serde(borrow, default)]
    pub arguments: Text<'a>,
}

struct ContentVisitor;

/// Reads the message at `index` of the conversation.
pub fn turn(index: usize, message: &Message) -> Result<Turn<'_>, Problem> {
    serde_json::from_str(&message.content)
        .map_err(|error| invalid(format!("message {index} ({}): {error}", message.role)))
}

impl<'a> Content<'a> {
    /// The parts, a string being one part.
    pub fn into_parts(self) -> Vec<Part<'a>> {
        match self {
            Self::Text(text) => {
                vec![Part {
                    kind: "text".into(),
                    text: Some(text),
                    image_url: None,
                    cache_control: None,
                }]
            }
            Self::Parts(parts) => parts,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("content that is a string or a list of parts")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Content::Text(text.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Content::Text(Text(text.to_owned().into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = sequence.next_element()? {
            parts.push(part);
        }
        Ok(Content::Parts(parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(content: &str) -> Message {
        Message {
            role: "user".into(),
            content: content.into(),
        }
    }

    #[test]
    fn content_is_a_string_a_list_or_null() {
        let plain = message(r#"{"content":"hi"}"#);
        assert!(
            matches!(turn(0, &plain).unwrap().content, Some(Content::Text(text)) if &*text == "hi")
        );
        let none = message(r#"{"content":null,"tool_calls":null}"#);
        assert!(turn(0, &none).unwrap().content.is_none());
        let parts = message(
            r#"{"content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:x","detail":"low"}}]}"#,
        );
        let parts = turn(0, &parts).unwrap().content.unwrap().into_parts();
        assert_eq!(parts.len(), 2);
        assert_eq!(&*parts[1].image_url.as_ref().unwrap().url, "data:x");
    }

    #[test]
    fn a_message_that_cannot_be_read_is_named() {
        let bad = message(r#"{"content":7}"#);
        let problem = turn(3, &bad).unwrap_err();
        assert_eq!(problem.code, "invalid");
        assert!(
            problem.detail.starts_with("message 3 (user): "),
            "{}",
            problem.detail
        );
    }
}
