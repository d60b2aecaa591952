//! The question of a conversation: what its last message asks, and what came before.

use serde::Deserialize;

use crate::completion::{CompletionRequest, Message};

/// A conversation as a council takes it.
#[derive(Debug)]
pub(super) struct Asked<'r> {
    /// Everything before the question.
    pub(super) before: &'r [Message],
    pub(super) question: String,
}

#[derive(Deserialize)]
struct Body {
    content: Content,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    r#type: String,
    #[serde(default)]
    text: Option<String>,
}

/// The question, or in one sentence why it cannot be put before a council.
pub(super) fn of(request: &CompletionRequest) -> Result<Asked<'_>, String> {
    if request.tools.is_some() {
        return Err(
            "a council answers in words and calls no tools; leave `tools` out, or name a model"
                .to_owned(),
        );
    }
    let Some((last, before)) = request.messages.split_last() else {
        return Err("`messages` is empty; send at least one message".to_owned());
    };
    if last.role() != "user" {
        return Err(format!(
            "a council answers a question, and the last message is of the role \"{}\"; end with a message of the user",
            last.role()
        ));
    }
    let only_text = || {
        "a council reads text, and the last message holds something else; leave it out, or name a model"
            .to_owned()
    };
    let body: Body = serde_json::from_str(last.body()).map_err(|_| only_text())?;
    let question = match body.content {
        Content::Text(text) => text,
        Content::Parts(parts) => {
            let mut question = String::new();
            for part in parts {
                match part.text.filter(|_| part.r#type == "text") {
                    Some(text) => question.push_str(&text),
                    None => return Err(only_text()),
                }
            }
            question
        }
    };
    Ok(Asked { before, question })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(messages: &str) -> CompletionRequest {
        CompletionRequest::new("council/x", serde_json::from_str(messages).unwrap())
    }

    #[test]
    fn the_last_message_is_the_question_in_either_form() {
        let request = asks(
            r#"[{"role": "system", "content": "be brief"}, {"role": "user", "content": "why?"}]"#,
        );
        let asked = of(&request).unwrap();
        assert_eq!((asked.before.len(), &*asked.question), (1, "why?"));
        let request = asks(
            r#"[{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]"#,
        );
        assert_eq!(of(&request).unwrap().question, "ab");
    }

    #[test]
    fn what_cannot_be_put_before_a_council_is_told_what_to_do() {
        for messages in [
            r#"[{"role": "assistant", "content": "hm"}]"#,
            r#"[{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]"#,
            r#"[{"role": "user"}]"#,
        ] {
            assert!(of(&asks(messages)).is_err(), "{messages}");
        }
        let mut request = asks(r#"[{"role": "user", "content": "hi"}]"#);
        request.tools = serde_json::from_str(r#"[{"type": "function"}]"#).unwrap();
        assert!(of(&request).unwrap_err().contains("tools"));
    }
}
