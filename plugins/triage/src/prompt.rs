//! What is to be classified: the text of the last user message.

use std::borrow::Cow;

use polity_sdk::model::Message;
use polity_sdk::{Problem, problem};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Turn<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

/// The text of the last message of a user; the text parts of one in parts, a line each. Pictures and sounds are passed
/// over.
pub fn last_user_text(messages: &[Message]) -> Result<Cow<'_, str>, Problem> {
    let message = messages
        .iter()
        .rfind(|message| message.role == "user")
        .ok_or_else(|| nothing("there is no user message to classify"))?;
    let turn: Turn<'_> = parse(&message.content)?;
    let text = match turn.content.map(RawValue::get) {
        None | Some("null") => Cow::Borrowed(""),
        Some(parts) if parts.starts_with('[') => {
            let parts: Vec<Part<'_>> = parse(parts)?;
            let mut texts = parts.into_iter().filter_map(|part| part.text);
            let mut all = texts.next().unwrap_or_default();
            for text in texts {
                let all = all.to_mut();
                all.push('\n');
                all.push_str(&text);
            }
            all
        }
        Some(text) => parse::<Text<'_>>(text)?.0,
    };
    if text.trim().is_empty() {
        return Err(nothing("the last user message has no text to classify"));
    }
    Ok(text)
}

/// Like [`polity_sdk::parse`], without copying strings that need no unescaping.
fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Problem> {
    serde_json::from_str(json)
        .map_err(|error| problem("invalid", format!("the last user message: {error}")))
}

fn nothing(detail: &str) -> Problem {
    problem("invalid", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: &str, content: &str) -> Message {
        Message {
            role: role.into(),
            content: content.into(),
        }
    }

    #[test]
    fn the_last_user_message_counts() {
        let messages = [
            message("system", r#"{"content":"be brief"}"#),
            message("user", r#"{"content":"first"}"#),
            message("user", r#"{"content":"second \u00e9"}"#),
            message("assistant", r#"{"content":"third"}"#),
        ];
        assert_eq!(last_user_text(&messages).unwrap(), "second é");
    }

    #[test]
    fn text_parts_are_joined_and_others_passed_over() {
        let parts = r#"{"content":[{"type":"text","text":"one"},{"type":"image_url","image_url":{"url":"x"}},{"type":"text","text":"two"}]}"#;
        assert_eq!(
            last_user_text(&[message("user", parts)]).unwrap(),
            "one\ntwo"
        );
    }

    #[test]
    fn without_text_there_is_nothing_to_classify() {
        for content in [
            "{}",
            r#"{"content":null}"#,
            r#"{"content":""}"#,
            r#"{"content":" \n"}"#,
            r#"{"content":[]}"#,
            r#"{"content":[{"type":"image_url"}]}"#,
        ] {
            let refusal = last_user_text(&[message("user", content)]).unwrap_err();
            assert_eq!(refusal.code, "invalid", "{content}");
        }
        assert_eq!(last_user_text(&[]).unwrap_err().code, "invalid");
        assert_eq!(
            last_user_text(&[message("assistant", r#"{"content":"hi"}"#)])
                .unwrap_err()
                .code,
            "invalid"
        );
    }

    #[test]
    fn malformed_content_is_invalid() {
        for content in [
            "",
            "[",
            r#"{"content":7}"#,
            r#"{"content":{"a":1}}"#,
            r#"{"content":[1]}"#,
        ] {
            assert_eq!(
                last_user_text(&[message("user", content)])
                    .unwrap_err()
                    .code,
                "invalid",
                "{content}"
            );
        }
    }
}
