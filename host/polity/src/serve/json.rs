//! JSON bodies of our own API: what is wrong with one is told with the place where it is wrong.

use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use super::App;
use super::body;
use super::fault::{Fault, Kind};
use super::surrogates;

/// A body of type `T`; fields that `T` does not know are refused.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &App) -> Result<Self, Fault> {
        let (head, body) = request.into_parts();
        let kind = head
            .headers
            .get(CONTENT_TYPE)
            .map_or(Ok("application/json"), |kind| kind.to_str());
        let essence = kind
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            let detail =
                format!("the body is {essence:?}; send JSON with `content-type: application/json`");
            return Err(Fault::new(Kind::UnsupportedMediaType, detail));
        }
        parse(&body::read(&head.headers, body, body::SMALL).await?).map(Self)
    }
}

/// Reads a document.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    surrogates::check(bytes)?;
    parse_at("", bytes)
}

/// Reads a part of a document that has been read as a whole; `place` points to the part.
pub(crate) fn parse_at<T: DeserializeOwned>(place: &str, bytes: &[u8]) -> Result<T, Fault> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let document = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = format!("{place}{}", pointer(error.path()));
        let error = error.into_inner();
        if error.is_data() {
            Fault::at(pointer, sentence(&error))
        } else {
            malformed(&error)
        }
    })?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(document)
}

fn malformed(error: &serde_json::Error) -> Fault {
    Fault::new(Kind::Malformed, format!("the body is not JSON: {error}"))
}

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// serde's sentence without its line and column, and with a guess where a name is only misspelt.
fn sentence(error: &serde_json::Error) -> String {
    let sentence = error.to_string();
    let sentence = sentence.split(" at line ").next().unwrap_or_default();
    let Some((before, known)) = sentence.split_once(", expected ") else {
        return sentence.to_owned();
    };
    let unknown = ["unknown field `", "unknown variant `"]
        .iter()
        .find_map(|start| before.strip_prefix(start));
    let Some(unknown) = unknown else {
        return sentence.to_owned();
    };
    let unknown = unknown.trim_end_matches('`');
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    match nearest(unknown, known.iter().copied()) {
        Some(near) => format!("{sentence}; did you mean `{near}`?"),
        None => sentence.to_owned(),
    }
}

/// The known word that somebody most probably wanted to write.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // Two words too many or too few (`max_cost_micro`) are further away than they look.
    let is_longer = |known: &str| known.len() >= 4 && word.starts_with(known);
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(word, known), known))
        .filter(|(distance, known)| {
            *distance <= (known.chars().count() / 3).clamp(1, 3) || is_longer(known)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read to be refused")]
    struct Order {
        amount: u64,
        items: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read to be refused")]
    struct Item {
        name: String,
    }

    fn fault(body: &str) -> Fault {
        parse::<Order>(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_wrong_value_is_pointed_at() {
        let fault = fault(r#"{"amount": 1, "items": [{"name": "a"}, {"name": 7}]}"#);
        assert_eq!(fault.kind(), Kind::Invalid);
        assert_eq!(
            fault.detail(),
            "/items/1/name: invalid type: integer `7`, expected a string"
        );
    }

    #[test]
    fn a_misspelt_field_is_answered_with_the_right_spelling() {
        let fault = fault(r#"{"amuont": 1, "items": []}"#);
        assert!(
            fault.detail().contains("did you mean `amount`?"),
            "{}",
            fault.detail()
        );
    }

    #[test]
    fn a_field_with_a_word_too_many_is_answered_with_the_right_one() {
        assert_eq!(nearest("amount_micro", ["items", "amount"]), Some("amount"));
        assert_eq!(nearest("amount_micro", ["am", "items"]), None);
    }

    #[test]
    fn a_foreign_field_is_answered_with_the_known_ones() {
        let fault = fault(r#"{"amount": 1, "items": [], "currency": "EUR"}"#);
        assert!(
            fault.detail().contains("`amount`") && !fault.detail().contains("did you mean"),
            "{}",
            fault.detail()
        );
    }

    #[test]
    fn what_is_no_json_is_told_apart_from_what_is_wrong_json() {
        for body in ["", "{", "{\"amount\": 1, \"items\": []} x"] {
            assert_eq!(fault(body).kind(), Kind::Malformed, "{body}");
        }
        assert_eq!(fault("{}").kind(), Kind::Invalid);
    }
}
