//! What the router reads of a conversation: its texts, and what else is in it.
//!
//! Messages are text that nobody here has parsed. Only a request that is to be routed is looked into, and what it holds
//! is borrowed as far as it can be.

use std::borrow::Cow;

use polity_router::{Role, Text};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::completion::CompletionRequest;

/// A conversation as the router wants it.
pub(super) struct Prompt<'r> {
    texts: Vec<(Role, Cow<'r, str>)>,
    pub(super) images: u32,
    pub(super) tools: u32,
    pub(super) other_bytes: usize,
}

#[derive(Deserialize)]
struct Body<'b> {
    #[serde(borrow, default)]
    content: Option<&'b RawValue>,
}

#[derive(Deserialize)]
struct Part<'p> {
    #[serde(borrow, default)]
    r#type: Cow<'p, str>,
    #[serde(borrow, default)]
    text: Option<Cow<'p, str>>,
}

impl<'r> Prompt<'r> {
    pub(super) fn read(request: &'r CompletionRequest) -> Self {
        let bytes = |raw: &Option<Box<RawValue>>| raw.as_ref().map_or(0, |raw| raw.get().len());
        let tools = request.tools.as_ref().map_or(0, |tools| {
            serde_json::from_str::<Vec<IgnoredAny>>(tools.get()).map_or(1, |tools| tools.len())
        });
        let mut prompt = Self {
            texts: Vec::with_capacity(request.messages.len()),
            images: 0,
            tools: u32::try_from(tools).unwrap_or(u32::MAX),
            other_bytes: bytes(&request.tools) + bytes(&request.response_schema),
        };
        for message in &request.messages {
            let role = match message.role() {
                "system" => Role::System,
                "assistant" => Role::Assistant,
                "tool" => Role::Tool,
                _ => Role::User,
            };
            let body: Result<Body<'r>, _> = serde_json::from_str(message.body());
            if let Some(content) = body.ok().and_then(|body| body.content) {
                prompt.take(role, content.get());
            }
        }
        prompt
    }

    pub(super) fn texts(&self) -> Vec<Text<'_>> {
        self.texts
            .iter()
            .map(|(role, text)| Text { role: *role, text })
            .collect()
    }

    fn take(&mut self, role: Role, content: &'r str) {
        if content.starts_with('"') {
            #[derive(Deserialize)]
            struct Whole<'w>(#[serde(borrow)] Cow<'w, str>);
            if let Ok(Whole(text)) = serde_json::from_str(content) {
                self.texts.push((role, text));
            }
            return;
        }
        // Parts that are not as they should be are for the provider to object to; as text, nothing of them is missed.
        match serde_json::from_str::<Vec<Part<'r>>>(content) {
            Ok(parts) => {
                for part in parts {
                    if part.r#type.contains("image") {
                        self.images = self.images.saturating_add(1);
                    }
                    self.texts.extend(part.text.map(|text| (role, text)));
                }
            }
            Err(_) => self.texts.push((role, Cow::Borrowed(content))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_images_of_every_form_are_found() {
        let messages = r#"[
            {"role": "system", "content": "be \"brief\""},
            {"role": "user", "content": [{"type": "text", "text": "what is this?"}, {"type": "image_url", "image_url": {"url": "x"}}]},
            {"role": "assistant", "content": null, "tool_calls": []},
            {"role": "user", "content": {"odd": 1}}
        ]"#;
        let request = CompletionRequest {
            tools: serde_json::from_str(r#"[{"type": "function"}, {}]"#).unwrap(),
            ..CompletionRequest::new("auto", serde_json::from_str(messages).unwrap())
        };
        let prompt = Prompt::read(&request);
        let texts: Vec<&str> = prompt.texts().iter().map(|text| text.text).collect();
        assert_eq!(texts, ["be \"brief\"", "what is this?", "{\"odd\": 1}"]);
        assert_eq!((prompt.images, prompt.tools), (1, 2));
    }
}
