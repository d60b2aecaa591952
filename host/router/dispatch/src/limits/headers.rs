//! What providers say in their response headers of limits and of waiting.

use jiff::Timestamp;

/// Limits, what is left of them, and when to come back, as far as a response says it. Reads the names that OpenAI
/// (`x-ratelimit-remaining-requests`, …) and Anthropic (`anthropic-ratelimit-requests-remaining`, …) document, and
/// `retry-after` (RFC 9110, 10.2.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateHeaders {
    /// Requests in a minute.
    pub requests_limit: Option<u64>,
    /// Requests left.
    pub requests_left: Option<u64>,
    /// Tokens in a minute.
    pub tokens_limit: Option<u64>,
    /// Tokens left.
    pub tokens_left: Option<u64>,
    /// How long to wait.
    pub retry_after_ms: Option<u64>,
}

/// Longest header value that is looked at.
const MAX_VALUE: usize = 64;

impl RateHeaders {
    /// Reads a response's headers. What cannot be read is as if it were absent.
    pub fn read<'h>(headers: impl IntoIterator<Item = (&'h str, &'h str)>, now_ms: u64) -> Self {
        let mut said = Self::default();
        let mut exact_wait = None;
        for (name, value) in headers {
            let value = value.trim();
            if value.len() > MAX_VALUE {
                continue;
            }
            let name = name.to_ascii_lowercase();
            let count = || value.parse::<u64>().ok();
            match name.as_str() {
                "x-ratelimit-limit-requests" | "anthropic-ratelimit-requests-limit" => {
                    said.requests_limit = count();
                }
                "x-ratelimit-remaining-requests" | "anthropic-ratelimit-requests-remaining" => {
                    said.requests_left = count();
                }
                "x-ratelimit-limit-tokens" | "anthropic-ratelimit-tokens-limit" => {
                    said.tokens_limit = count();
                }
                "x-ratelimit-remaining-tokens" | "anthropic-ratelimit-tokens-remaining" => {
                    said.tokens_left = count();
                }
                "retry-after-ms" => exact_wait = milliseconds(value, 1.0),
                "retry-after" => said.retry_after_ms = wait(value, now_ms),
                _ => {}
            }
        }
        said.retry_after_ms = exact_wait.or(said.retry_after_ms);
        said
    }

    pub(super) fn says_anything(&self) -> bool {
        self.requests_limit.is_some()
            || self.requests_left.is_some()
            || self.tokens_limit.is_some()
            || self.tokens_left.is_some()
    }
}

/// Seconds, or a date.
fn wait(value: &str, now_ms: u64) -> Option<u64> {
    milliseconds(value, 1000.0).or_else(|| {
        let date = jiff::fmt::rfc2822::parse(value)
            .map(|zoned| zoned.timestamp())
            .or_else(|_| value.parse::<Timestamp>())
            .ok()?;
        let at_ms = u64::try_from(date.as_millisecond()).ok()?;
        Some(at_ms.saturating_sub(now_ms))
    })
}

fn milliseconds(value: &str, unit: f64) -> Option<u64> {
    let number = value.parse::<f64>().ok()?;
    // A cast saturates; what is not a number or negative says nothing.
    (number.is_finite() && number >= 0.0).then_some((number * unit).ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry_after(value: &str, now_ms: u64) -> Option<u64> {
        RateHeaders::read([("Retry-After", value)], now_ms).retry_after_ms
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after("2", 0), Some(2_000));
        assert_eq!(retry_after("0.25", 0), Some(250));
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(retry_after(date, 784_111_770_000), Some(7_000));
        assert_eq!(retry_after(date, 900_000_000_000), Some(0));
        for garbage in ["", "-1", "NaN", "inf", "soon", "1e400"] {
            assert_eq!(retry_after(garbage, 0), None, "{garbage}");
        }
    }

    #[test]
    fn milliseconds_are_more_exact_than_seconds() {
        let headers = [("retry-after-ms", "120"), ("retry-after", "1")];
        assert_eq!(RateHeaders::read(headers, 0).retry_after_ms, Some(120));
    }

    #[test]
    fn both_families_of_names_are_read() {
        let read = |headers: [(&'static str, &'static str); 2]| RateHeaders::read(headers, 0);
        let openai = read([
            ("x-ratelimit-limit-requests", "60"),
            ("X-RateLimit-Remaining-Tokens", "149984"),
        ]);
        assert_eq!(
            (openai.requests_limit, openai.tokens_left),
            (Some(60), Some(149_984))
        );
        let anthropic = read([
            ("anthropic-ratelimit-requests-remaining", "3"),
            ("anthropic-ratelimit-tokens-limit", "junk"),
        ]);
        assert_eq!(
            (anthropic.requests_left, anthropic.tokens_limit),
            (Some(3), None)
        );
    }
}
