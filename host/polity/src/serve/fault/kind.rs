//! The catalogue of faults: what there can be, and what each is called in either form.

use http::StatusCode;

/// What kind of fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The body is not JSON, or not what its content type says.
    Malformed,
    /// The body is JSON and says what cannot be done.
    Invalid,
    /// The prompt is longer than the model takes.
    ContextTooLong,
    /// There are models, and none of them may answer.
    NoModel,
    /// The provider declines the content.
    ContentRefused,
    /// No token, or one that is not valid.
    Unauthenticated,
    /// A valid token of somebody who may not do this.
    Forbidden,
    /// A page of another site asked.
    CrossSite,
    /// A rule of the constitution denied it.
    Denied,
    /// A person has to decide it first.
    Escalated,
    /// There is no such thing.
    NotFound,
    /// There is no such model.
    ModelNotFound,
    /// There is such a thing, but it takes another method.
    MethodNotAllowed,
    /// The body came too slowly.
    SlowBody,
    /// It is not in the state that this needs.
    Conflict,
    /// The body is longer than this route takes.
    TooLarge,
    /// The body is of a kind that this route does not take.
    UnsupportedMediaType,
    /// The request was meant for another host.
    Misdirected,
    /// The plugin was refused.
    PluginRefused,
    /// The provider asks to wait.
    RateLimited,
    /// The budget is spent.
    OverBudget,
    /// It failed here.
    Internal,
    /// It failed at the provider or in the plugin that speaks to it.
    Upstream,
    /// Too much is in progress, here or at the provider.
    Overloaded,
    /// The host is about to end.
    Draining,
    /// There was no answer in time.
    Timeout,
}

const REQUEST: &str = "invalid_request_error";
const SERVER: &str = "server_error";

impl Kind {
    /// Every kind, in the order of their status.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 26] = [
        Self::Malformed,
        Self::Invalid,
        Self::ContextTooLong,
        Self::NoModel,
        Self::ContentRefused,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::CrossSite,
        Self::Denied,
        Self::Escalated,
        Self::NotFound,
        Self::ModelNotFound,
        Self::MethodNotAllowed,
        Self::SlowBody,
        Self::Conflict,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Misdirected,
        Self::PluginRefused,
        Self::RateLimited,
        Self::OverBudget,
        Self::Internal,
        Self::Upstream,
        Self::Overloaded,
        Self::Draining,
        Self::Timeout,
    ];

    /// Status, code and title of a problem; class and code of an OpenAI error.
    pub(super) const fn row(self) -> (u16, &'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Malformed => (
                400,
                "malformed",
                "The body cannot be read",
                REQUEST,
                "invalid_json",
            ),
            Self::Invalid => (
                400,
                "invalid",
                "The request is not valid",
                REQUEST,
                "invalid_value",
            ),
            Self::ContextTooLong => (
                400,
                "context-too-long",
                "The prompt is too long",
                REQUEST,
                "context_length_exceeded",
            ),
            Self::NoModel => (
                400,
                "no-model",
                "No model may answer",
                REQUEST,
                "no_eligible_model",
            ),
            Self::ContentRefused => (
                400,
                "content-refused",
                "The provider declined",
                REQUEST,
                "content_policy_violation",
            ),
            Self::Unauthenticated => (
                401,
                "unauthenticated",
                "Who asks is not known",
                REQUEST,
                "invalid_api_key",
            ),
            Self::Forbidden => (
                403,
                "forbidden",
                "The permission is missing",
                "permission_error",
                "insufficient_permissions",
            ),
            Self::CrossSite => (
                403,
                "cross-site",
                "Another site asked",
                "permission_error",
                "cross_site",
            ),
            Self::Denied => (
                403,
                "denied-by-rule",
                "A rule denied it",
                "permission_error",
                "denied_by_rule",
            ),
            Self::Escalated => (
                403,
                "escalated",
                "A person has to decide",
                "permission_error",
                "escalated",
            ),
            Self::NotFound => (
                404,
                "not-found",
                "There is no such thing",
                REQUEST,
                "not_found",
            ),
            Self::ModelNotFound => (
                404,
                "model-not-found",
                "There is no such model",
                REQUEST,
                "model_not_found",
            ),
            Self::MethodNotAllowed => (
                405,
                "method-not-allowed",
                "It takes another method",
                REQUEST,
                "method_not_allowed",
            ),
            Self::SlowBody => (
                408,
                "slow-body",
                "The body came too slowly",
                REQUEST,
                "request_timeout",
            ),
            Self::Conflict => (
                409,
                "conflict",
                "It is in another state",
                REQUEST,
                "conflict",
            ),
            Self::TooLarge => (
                413,
                "too-large",
                "The body is too long",
                REQUEST,
                "request_too_large",
            ),
            Self::UnsupportedMediaType => (
                415,
                "unsupported-media-type",
                "The body is of another kind",
                REQUEST,
                "unsupported_media_type",
            ),
            Self::Misdirected => (
                421,
                "misdirected",
                "Another host was meant",
                REQUEST,
                "misdirected_request",
            ),
            Self::PluginRefused => (
                422,
                "plugin-refused",
                "The plugin was refused",
                REQUEST,
                "plugin_refused",
            ),
            Self::RateLimited => (
                429,
                "rate-limited",
                "The provider asks to wait",
                "rate_limit_error",
                "rate_limit_exceeded",
            ),
            Self::OverBudget => (
                429,
                "over-budget",
                "The budget is spent",
                "insufficient_quota",
                "insufficient_quota",
            ),
            Self::Internal => (500, "internal", "It failed here", SERVER, "internal_error"),
            Self::Upstream => (
                502,
                "upstream",
                "The provider or its plugin failed",
                SERVER,
                "upstream_error",
            ),
            Self::Overloaded => (
                503,
                "overloaded",
                "Too much is in progress",
                SERVER,
                "overloaded",
            ),
            Self::Draining => (
                503,
                "draining",
                "The host is about to end",
                SERVER,
                "draining",
            ),
            Self::Timeout => (
                504,
                "timeout",
                "There was no answer in time",
                SERVER,
                "timeout",
            ),
        }
    }

    pub(crate) fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(crate) const fn code(self) -> &'static str {
        self.row().1
    }

    pub(crate) const fn title(self) -> &'static str {
        self.row().2
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_code_of_its_own() {
        let codes: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert!(
                kind.status().is_client_error() || kind.status().is_server_error(),
                "{kind:?}"
            );
        }
    }
}
