//! The shape of errors of Anthropic's API.

use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::shape::respond;
use super::{Fault, Kind, More};
use crate::serve::headers;

/// Anthropic's error object.
#[derive(Serialize, ToSchema)]
pub(crate) struct AnthropicError {
    /// `error`.
    r#type: &'static str,
    /// What went wrong.
    error: AnthropicErrorBody,
}

/// What went wrong.
#[derive(Serialize, ToSchema)]
struct AnthropicErrorBody {
    /// The class of error.
    #[schema(example = "invalid_request_error")]
    r#type: &'static str,
    /// For people.
    message: String,
}

impl Fault {
    /// The form of Anthropic's API.
    pub(crate) fn into_anthropic(self) -> Response {
        let error = self.anthropic();
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
    pub(crate) fn anthropic(&self) -> AnthropicError {
        let class = match self.kind {
            Kind::TooLarge => "request_too_large",
            Kind::RateLimited | Kind::OverBudget => "rate_limit_error",
            Kind::Overloaded | Kind::Draining => "overloaded_error",
            Kind::Timeout => "timeout_error",
            kind => match kind.status().as_u16() {
                401 => "authentication_error",
                403 => "permission_error",
                404 => "not_found_error",
                400..500 => "invalid_request_error",
                _ => "api_error",
            },
        };
        AnthropicError {
            r#type: "error",
            error: AnthropicErrorBody {
                r#type: class,
                message: self.detail.clone().into_owned(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_class_that_clients_know() {
        let class = |kind| Fault::new(kind, "x").anthropic().error.r#type;
        assert_eq!(class(Kind::Invalid), "invalid_request_error");
        assert_eq!(class(Kind::Unauthenticated), "authentication_error");
        assert_eq!(class(Kind::Denied), "permission_error");
        assert_eq!(class(Kind::ModelNotFound), "not_found_error");
        assert_eq!(class(Kind::Overloaded), "overloaded_error");
        assert_eq!(class(Kind::Upstream), "api_error");
    }
}
