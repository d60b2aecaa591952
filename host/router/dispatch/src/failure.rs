//! How an attempt can fail: the classes that decide what happens next.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Usage;

/// Longest text of a provider or plugin that is kept: an error is one sentence, not a channel.
const MAX_DETAIL: usize = 500;

/// What kind of failure it was. Two failures of one class are handled alike, by the line of the [`ClassTable`] for it.
///
/// [`ClassTable`]: crate::ClassTable
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorClass {
    /// Too many requests, and the provider says when to come back.
    RateLimitedUntil,
    /// Too many requests, and the provider does not say more.
    RateLimited,
    /// The provider has too much to do.
    Overloaded,
    /// The account at the provider has no money left; useless before it is reset.
    SpendCap,
    /// The key is missing, wrong or not allowed to do this.
    Auth,
    /// The prompt does not fit the model.
    ContextTooLong,
    /// The provider does not want to answer this.
    Refused,
    /// The provider does not understand the request.
    InvalidRequest,
    /// The provider no longer has the model.
    NotFound,
    /// No answer, or no further piece of it, in time.
    Timeout,
    /// The provider was not reached.
    Connection,
    /// The plugin crashed, or used up its fuel or memory.
    Trap,
    /// An answer came that is empty or unreadable.
    Garbage,
    /// The answer broke off.
    BrokenStream,
    /// The provider failed without a better reason, or the plugin is not running.
    Unavailable,
}

/// A failure of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind.
    pub class: ErrorClass,
    /// One sentence, for people.
    pub detail: String,
    /// How long to wait before trying again, where the provider said so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after_ms: Option<u64>,
    /// When a spend cap is reset, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resets_at_ms: Option<u64>,
    /// What was used all the same, where the provider said so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub usage: Option<Usage>,
}

impl ErrorClass {
    /// Every class.
    pub const ALL: [Self; 15] = [
        Self::RateLimitedUntil,
        Self::RateLimited,
        Self::Overloaded,
        Self::SpendCap,
        Self::Auth,
        Self::ContextTooLong,
        Self::Refused,
        Self::InvalidRequest,
        Self::NotFound,
        Self::Timeout,
        Self::Connection,
        Self::Trap,
        Self::Garbage,
        Self::BrokenStream,
        Self::Unavailable,
    ];

    /// The class of an error code: one of a plugin's own (`rate-limited`, `auth`, …) or one of the host's for a plugin
    /// that could not answer (`trap`, `out-of-fuel`, …). A code that nobody knows means that the model is unavailable.
    pub fn of_code(code: &str, has_retry_after: bool) -> Self {
        match code {
            "rate-limited" if has_retry_after => Self::RateLimitedUntil,
            "rate-limited" => Self::RateLimited,
            "overloaded" | "busy" => Self::Overloaded,
            "spend-cap" => Self::SpendCap,
            "auth" | "denied" => Self::Auth,
            "context-too-long" => Self::ContextTooLong,
            "refused" => Self::Refused,
            "invalid" => Self::InvalidRequest,
            "not-found" => Self::NotFound,
            "timeout" => Self::Timeout,
            "connection" => Self::Connection,
            "trap" | "out-of-fuel" | "out-of-memory" => Self::Trap,
            "garbage" | "too-large" => Self::Garbage,
            "broken-stream" => Self::BrokenStream,
            _ => Self::Unavailable,
        }
    }

    /// The name that tables, records and metrics use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RateLimitedUntil => "rate-limited-until",
            Self::RateLimited => "rate-limited",
            Self::Overloaded => "overloaded",
            Self::SpendCap => "spend-cap",
            Self::Auth => "auth",
            Self::ContextTooLong => "context-too-long",
            Self::Refused => "refused",
            Self::InvalidRequest => "invalid-request",
            Self::NotFound => "not-found",
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Trap => "trap",
            Self::Garbage => "garbage",
            Self::BrokenStream => "broken-stream",
            Self::Unavailable => "unavailable",
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Failure {
    /// A failure of a class, with a sentence. The sentence is cut where it is longer than one.
    pub fn new(class: ErrorClass, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        if detail.len() > MAX_DETAIL {
            detail.truncate(detail.floor_char_boundary(MAX_DETAIL));
            detail.push('…');
        }
        Self {
            class,
            detail,
            retry_after_ms: None,
            resets_at_ms: None,
            usage: None,
        }
    }

    /// The same, with what the provider says of when to come back. A failure that was [`ErrorClass::RateLimited`] is
    /// [`ErrorClass::RateLimitedUntil`] from then on.
    pub fn retry_after(mut self, ms: u64) -> Self {
        self.retry_after_ms = Some(ms);
        if self.class == ErrorClass::RateLimited {
            self.class = ErrorClass::RateLimitedUntil;
        }
        self
    }

    /// When the provider will be ready again, where it has said so.
    pub fn ready_at_ms(&self, now_ms: u64) -> Option<u64> {
        let after = self.retry_after_ms.map(|ms| now_ms.saturating_add(ms));
        self.resets_at_ms.max(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_written_by_its_name() {
        for class in ErrorClass::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.name());
        }
    }

    #[test]
    fn a_code_that_nobody_knows_is_unavailable() {
        assert_eq!(
            ErrorClass::of_code("failed", false),
            ErrorClass::Unavailable
        );
        assert_eq!(
            ErrorClass::of_code("rate-limited", true),
            ErrorClass::RateLimitedUntil
        );
    }

    #[test]
    fn a_long_detail_is_cut_at_a_characters_end() {
        let failure = Failure::new(ErrorClass::Trap, "ü".repeat(9999));
        assert!(failure.detail.len() <= MAX_DETAIL + '…'.len_utf8());
        assert!(failure.detail.ends_with('…'));
    }
}
