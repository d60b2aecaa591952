//! The two ways to write a fault: an RFC 9457 problem, and OpenAI's error object.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Fault, Kind, More};
use crate::serve::headers;

/// Where a problem's code is explained.
const TYPE_BASE: &str = "https://polity.dev/problems/";

/// What is wrong at one place of a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Pointed {
    /// A JSON Pointer (RFC 6901) into the body.
    #[schema(example = "/input/amount")]
    pub(crate) pointer: String,
    /// What is wrong there, and what would be right.
    pub(crate) detail: String,
}

/// An RFC 9457 problem.
#[derive(Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The kind of problem: `https://polity.dev/problems/<code>`.
    #[schema(example = "https://polity.dev/problems/not-found")]
    r#type: String,
    /// The kind of problem, for people.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened this time, and what would help.
    detail: String,
    /// What is wrong with the body, place by place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Pointed>,
    /// The decision that stands in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_id: Option<Uuid>,
    /// Further members, by kind of problem.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    extensions: serde_json::Map<String, Value>,
}

/// OpenAI's error object.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenAiError {
    error: OpenAiErrorBody,
}

/// What went wrong.
#[derive(Serialize, ToSchema)]
struct OpenAiErrorBody {
    /// For people.
    message: String,
    /// The class of error.
    #[schema(example = "invalid_request_error")]
    r#type: &'static str,
    /// The field of the request that is at fault.
    param: Option<String>,
    /// The error, for programs.
    #[schema(example = "model_not_found")]
    code: Option<&'static str>,
}

impl Fault {
    /// The RFC 9457 form.
    pub(crate) fn into_problem(self) -> Response {
        let (status, code, title, ..) = self.kind.row();
        let Self { kind, detail, more } = self;
        let More {
            errors,
            decision,
            extensions,
            retry_after,
        } = more.map(|more| *more).unwrap_or_default();
        let problem = Problem {
            r#type: format!("{TYPE_BASE}{code}"),
            title,
            status,
            detail: detail.into_owned(),
            errors,
            decision_id: decision,
            extensions: extensions
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        };
        respond(kind, &problem, "application/problem+json", retry_after)
    }

    /// The form of OpenAI's API.
    pub(crate) fn into_openai(self) -> Response {
        let error = self.openai();
        let Self { kind, more, .. } = self;
        let More {
            retry_after,
            decision,
            ..
        } = more.map(|more| *more).unwrap_or_default();
        let mut response = respond(kind, &error, "application/json", retry_after);
        if let Some(decision) = decision {
            headers::set_decision(response.headers_mut(), decision);
        }
        response
    }

    /// The error object alone, for the middle of a stream.
    pub(crate) fn openai(&self) -> OpenAiError {
        let (.., class, code) = self.kind.row();
        let param = self
            .more
            .as_ref()
            .and_then(|more| more.errors.first())
            .map(|error| dotted(&error.pointer));
        OpenAiError {
            error: OpenAiErrorBody {
                message: self.detail.clone().into_owned(),
                r#type: class,
                param: param.filter(|param| !param.is_empty()),
                code: Some(code),
            },
        }
    }
}

/// Under `/api`, which is where a fault is written without being told how.
impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        self.into_problem()
    }
}

pub(super) fn respond(
    kind: Kind,
    body: &impl Serialize,
    content_type: &'static str,
    retry_after: Option<Duration>,
) -> Response {
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = kind.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(wait) = retry_after {
        // Whole seconds, and never 0: that would invite a caller to try at once.
        let seconds = wait
            .as_millis()
            .div_ceil(1000)
            .clamp(1, u128::from(u32::MAX));
        headers.insert(
            RETRY_AFTER,
            HeaderValue::from(u32::try_from(seconds).unwrap_or(u32::MAX)),
        );
    }
    if kind == Kind::Unauthenticated {
        headers.insert(
            WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"polity\""),
        );
    }
    response
}

/// `/messages/2/role` as OpenAI would write it: `messages[2].role`.
fn dotted(pointer: &str) -> String {
    let mut dotted = String::with_capacity(pointer.len());
    for part in pointer.split('/').skip(1) {
        if part.bytes().all(|byte| byte.is_ascii_digit()) && !part.is_empty() {
            dotted.push('[');
            dotted.push_str(part);
            dotted.push(']');
        } else {
            if !dotted.is_empty() {
                dotted.push('.');
            }
            dotted.push_str(&part.replace("~1", "/").replace("~0", "~"));
        }
    }
    dotted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_written_as_openai_writes_a_param() {
        assert_eq!(dotted("/messages/2/role"), "messages[2].role");
        assert_eq!(dotted("/a~1b/c"), "a/b.c");
        assert_eq!(dotted(""), "");
    }

    #[test]
    fn a_wait_below_a_second_is_told_as_one_second() {
        for (ms, told) in [(5, "1"), (1000, "1"), (2001, "3")] {
            let fault = Fault::new(Kind::RateLimited, "wait");
            let response = fault.retry_after(Duration::from_millis(ms)).into_problem();
            assert_eq!(response.headers()[RETRY_AFTER], told);
        }
    }
}
