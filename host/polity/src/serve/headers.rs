//! Header names of our own, and values that are the same in every answer.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// One request, for whoever reads the log.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The decision that let a completion happen, or did not.
pub(crate) const DECISION_ID: HeaderName = HeaderName::from_static("x-polity-decision-id");

/// The model that answered, which need not be the one that was asked.
pub(crate) const MODEL: HeaderName = HeaderName::from_static("x-polity-model");

/// What it cost, in units of the charter's currency.
pub(crate) const COST: HeaderName = HeaderName::from_static("x-polity-cost");

/// Why that model answers.
pub(crate) const WHY: HeaderName = HeaderName::from_static("x-polity-why");

/// The longest that a caller will wait, in milliseconds.
pub(crate) const TIMEOUT: HeaderName = HeaderName::from_static("x-polity-timeout-ms");

/// The span of a trace that a request was sent in.
pub(crate) const TRACE: HeaderName = HeaderName::from_static("traceparent");

/// The longest `x-request-id` that is taken from a caller.
const MAX_REQUEST_ID: usize = 128;

/// The caller's own id for the request, if it sent one that is fit for a log.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(REQUEST_ID)?;
    let fit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    (id.len() <= MAX_REQUEST_ID && !id.is_empty() && id.as_bytes().iter().all(fit))
        .then(|| id.clone())
}

/// Names the decision.
pub(crate) fn set_decision(headers: &mut HeaderMap, decision: Uuid) {
    headers.insert(DECISION_ID, id(decision));
}

/// Says why the model was chosen; a model that was simply named was named.
pub(crate) fn set_why(headers: &mut HeaderMap, why: Option<&str>) {
    let why = match why {
        None => Ok(HeaderValue::from_static("named by the request")),
        Some(why) => HeaderValue::from_str(why),
    };
    if let Ok(why) = why {
        headers.insert(WHY, why);
    }
}

/// An id as a header's value.
pub(crate) fn id(id: Uuid) -> HeaderValue {
    let mut buffer = Uuid::encode_buffer();
    let text = id.hyphenated().encode_lower(&mut buffer);
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

/// Micro-units as units: `0.000123`.
pub(crate) fn cost(micro: u64) -> HeaderValue {
    let text = format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000);
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_id_is_kept_if_it_cannot_forge_a_log_line() {
        let headers =
            |id: &'static str| HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_static(id))]);
        assert_eq!(request_id(&headers("run-7:2")).unwrap(), "run-7:2");
        for unfit in ["", "two words", "a\"b"] {
            assert_eq!(request_id(&headers(unfit)), None, "{unfit}");
        }
        assert_eq!(request_id(&HeaderMap::new()), None);
    }

    #[test]
    fn money_is_written_in_units_without_rounding() {
        assert_eq!(cost(0), "0.000000");
        assert_eq!(cost(1_000_001), "1.000001");
        assert_eq!(cost(u64::MAX), "18446744073709.551615");
    }
}
