//! Documents in a request's body: one, an array, or one a line.

use axum::body::Body;
use axum::extract::Request;
use http::header::CONTENT_TYPE;
use serde_json::value::RawValue;

use crate::serve::body;
use crate::serve::fault::{Fault, Kind};
use crate::serve::json::parse;

/// The longest body. The rules see all documents, and an action has at most 8 MiB.
const LIMIT: usize = 8 << 20;

/// The documents, byte for byte as they came.
pub(super) async fn documents(request: Request<Body>) -> Result<Vec<Box<RawValue>>, Fault> {
    let (head, body) = request.into_parts();
    let kind = head.headers.get(CONTENT_TYPE);
    let kind = kind.map_or("application/json", |kind| kind.to_str().unwrap_or_default());
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let by_line = ["application/x-ndjson", "application/jsonl"]
        .iter()
        .any(|lines| essence.eq_ignore_ascii_case(lines));
    if !by_line && !essence.eq_ignore_ascii_case("application/json") {
        return Err(Fault::new(
            Kind::UnsupportedMediaType,
            format!(
                "the body is {essence:?}; send application/json, or application/x-ndjson with a document a line"
            ),
        ));
    }
    let bytes = body::read(&head.headers, body, LIMIT).await?;
    if by_line {
        lines(&bytes)
    } else if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        parse(&bytes)
    } else {
        Ok(vec![parse(&bytes)?])
    }
}

fn lines(bytes: &[u8]) -> Result<Vec<Box<RawValue>>, Fault> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    lines
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(at, line)| {
            serde_json::from_slice(line).map_err(|error| {
                Fault::new(
                    Kind::Malformed,
                    format!("line {} is not JSON: {error}", at + 1),
                )
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: &str, body: &'static str) -> Request<Body> {
        Request::builder()
            .header(CONTENT_TYPE, kind)
            .body(Body::from(body))
            .unwrap()
    }

    #[tokio::test]
    async fn a_body_is_one_document_or_several() {
        for (kind, body, count) in [
            ("application/json", " {\"a\": 1}", 1),
            ("application/json; charset=utf-8", "\n[{\"a\": 1}, {}]", 2),
            ("application/x-ndjson", "{\"a\": 1}\n\n{\"a\": 2}\r\n", 2),
        ] {
            let read = documents(request(kind, body)).await.unwrap();
            assert_eq!(read.len(), count, "{body}");
        }
    }

    #[tokio::test]
    async fn a_line_that_is_no_json_is_named() {
        let fault = documents(request("application/x-ndjson", "{}\n{"))
            .await
            .unwrap_err();
        assert!(fault.detail().starts_with("line 2"), "{}", fault.detail());
    }
}
