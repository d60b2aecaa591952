//! The events of a streamed answer.

use serde_json::Value;

use crate::cli::exit::Exit;
use crate::cli::report::Report;

/// Something that a stream says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A piece of the answer.
    Text(String),
    /// Something that is no part of the answer.
    Other,
    /// That was all.
    End,
}

/// Reads the data of an event.
pub(super) fn event(data: &str) -> Result<Event, Report> {
    if data == "[DONE]" {
        return Ok(Event::End);
    }
    let chunk: Value = serde_json::from_str(data)
        .map_err(|error| Report::new("the host's answer is not understood").because(error))?;
    let error = &chunk["error"];
    if error.is_object() {
        let message = error["message"].as_str().unwrap_or("no reason was given");
        let exit = match error["code"].as_str() {
            Some("insufficient_quota") => Exit::OverBudget,
            _ => Exit::Failure,
        };
        return Err(Report::new("the answer broke off")
            .because(message)
            .exits(exit));
    }
    Ok(match chunk["choices"][0]["delta"]["content"].as_str() {
        Some(text) => Event::Text(text.to_owned()),
        None => Event::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_text_or_not_and_the_end_is_the_end() {
        let text = event(r#"{"choices":[{"delta":{"content":"Hi"}}]}"#).unwrap();
        assert_eq!(text, Event::Text("Hi".into()));
        assert_eq!(
            event(r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#).unwrap(),
            Event::Other
        );
        assert_eq!(
            event(r#"{"choices":[],"usage":null}"#).unwrap(),
            Event::Other
        );
        assert_eq!(event("[DONE]").unwrap(), Event::End);
    }

    #[test]
    fn a_failure_in_the_middle_of_a_stream_is_told() {
        let broken =
            event(r#"{"error":{"message":"upstream gone","code":"upstream_error"}}"#).unwrap_err();
        assert!(broken.to_string().contains("upstream gone"));
    }
}
