//! Sorts what went wrong at a vendor into the classes that the host acts on.
//!
//! The class decides whether the router waits, tries another model, opens a breaker or gives the request back, so the
//! finest statement wins: the vendor's own error code, then what only its message says, then the HTTP status. One
//! table serves all vendors, because compatible servers mix their vocabularies.

use polity_sdk::Problem;
use serde_json::Value;

/// A longer explanation helps nobody.
const LONGEST_MESSAGE: usize = 400;

/// The problem codes of `wit/model.wit` that a vendor can cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Wait, or go elsewhere.
    RateLimited,
    /// The vendor has no capacity for anybody.
    Overloaded,
    /// Useless until somebody pays, raises a limit or a month begins.
    SpendCap,
    /// The credential is wrong, or may not do this.
    Auth,
    /// Shorten the prompt, or take a model with a longer context.
    ContextTooLong,
    /// The vendor will not answer this prompt.
    Refused,
    /// The request is wrong.
    Invalid,
    /// No such model or address.
    NotFound,
    /// The vendor gave up waiting for itself.
    Timeout,
    /// Anything else.
    Failed,
}

/// What a vendor said when it refused or broke off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status, 0 for an error inside a stream.
    pub status: u16,
    /// The vendor's codes, finest first.
    pub words: Vec<String>,
    /// The vendor's sentence.
    pub message: String,
    /// How long the vendor asks to wait.
    pub retry_after_ms: Option<u32>,
    /// The vendor's name for the exchange, for its support.
    pub request_id: Option<String>,
}

/// Codes that say more than the status they come with.
const FINE: &[(&str, Class)] = &[
    ("insufficient_quota", Class::SpendCap),
    ("credit_balance_exhausted", Class::SpendCap),
    ("organization_spend_limit_exceeded", Class::SpendCap),
    ("project_spend_limit_exceeded", Class::SpendCap),
    ("organization_usage_limit_exceeded", Class::SpendCap),
    ("billing_hard_limit_reached", Class::SpendCap),
    ("billing_not_active", Class::SpendCap),
    ("enforced_spend_limit_reached", Class::SpendCap),
    ("billing_error", Class::SpendCap),
    ("context_length_exceeded", Class::ContextTooLong),
    ("exceed_context_size_error", Class::ContextTooLong),
    ("request_too_large", Class::ContextTooLong),
    ("content_filter", Class::Refused),
    ("content_policy_violation", Class::Refused),
    ("invalid_prompt", Class::Refused),
    ("moderation_blocked", Class::Refused),
    ("model_not_found", Class::NotFound),
    ("server_is_overloaded", Class::Overloaded),
    ("slow_down", Class::RateLimited),
];

/// Codes that repeat their status; they count where there is none.
const COARSE: &[(&str, Class)] = &[
    ("rate_limit_error", Class::RateLimited),
    ("rate_limit_exceeded", Class::RateLimited),
    ("overloaded_error", Class::Overloaded),
    ("service_unavailable_error", Class::Overloaded),
    ("authentication_error", Class::Auth),
    ("permission_error", Class::Auth),
    ("invalid_api_key", Class::Auth),
    ("not_found_error", Class::NotFound),
    ("timeout_error", Class::Timeout),
    ("invalid_request_error", Class::Invalid),
    ("BadRequestError", Class::Invalid),
];

/// What only the sentence says, in lower case.
const SENTENCES: &[(&str, Class)] = &[
    ("prompt is too long", Class::ContextTooLong),
    ("exceed context limit", Class::ContextTooLong),
    ("maximum context length", Class::ContextTooLong),
    ("exceeds the context length", Class::ContextTooLong),
    ("longer than the context length", Class::ContextTooLong),
    ("exceeds the available context", Class::ContextTooLong),
    ("exceeds maximum context", Class::ContextTooLong),
    ("context size has been exceeded", Class::ContextTooLong),
    ("api usage limits", Class::SpendCap),
    ("credit balance is too low", Class::SpendCap),
    ("does not support embeddings", Class::NotFound),
];

impl Class {
    /// The problem code.
    pub fn code(self) -> &'static str {
        match self {
            Self::RateLimited => "rate-limited",
            Self::Overloaded => "overloaded",
            Self::SpendCap => "spend-cap",
            Self::Auth => "auth",
            Self::ContextTooLong => "context-too-long",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
            Self::NotFound => "not-found",
            Self::Timeout => "timeout",
            Self::Failed => "failed",
        }
    }

    fn of_status(status: u16) -> Self {
        match status {
            400 | 405 | 406 | 411 | 415 | 422 => Self::Invalid,
            401 | 403 | 407 => Self::Auth,
            402 => Self::SpendCap,
            404 | 410 => Self::NotFound,
            408 | 504 => Self::Timeout,
            413 => Self::ContextTooLong,
            429 => Self::RateLimited,
            502 | 503 | 529 => Self::Overloaded,
            _ => Self::Failed,
        }
    }
}

impl Failure {
    /// Reads a response whose status says no.
    pub fn from_response(status: u16, headers: &[(String, String)], body: &[u8]) -> Self {
        let header = |name: &str| {
            headers
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        let mut failure = match serde_json::from_slice::<Value>(body) {
            Ok(value) => Self::from_value(&value),
            Err(_) => Self::from_text(&String::from_utf8_lossy(body)),
        };
        failure.status = status;
        failure.retry_after_ms = retry_after(header("retry-after-ms"), header("retry-after"));
        failure.request_id = header("x-request-id")
            .or(header("request-id"))
            .map(|id| shorten(id, 100));
        failure
    }

    /// Reads an error inside a stream that began well.
    pub fn from_event(json: &str) -> Self {
        match serde_json::from_str::<Value>(json) {
            Ok(value) => Self::from_value(&value),
            Err(_) => Self::from_text(json),
        }
    }

    /// What the failure means.
    pub fn class(&self) -> Class {
        let find = |table: &[(&str, Class)]| {
            let known = |word: &String| table.iter().find(|(known, _)| word == known);
            self.words.iter().find_map(known).map(|(_, class)| *class)
        };
        if let Some(class) = find(FINE) {
            return class;
        }
        // Where the status is clear, a sentence that happens to mention a context must not blur it.
        if !matches!(self.status, 401 | 403 | 404 | 429 | 503 | 529) {
            let message = self.message.to_lowercase();
            if let Some((_, class)) = SENTENCES.iter().find(|(part, _)| message.contains(part)) {
                return *class;
            }
        }
        match self.status {
            0 => find(COARSE).unwrap_or(Class::Failed),
            status => Class::of_status(status),
        }
    }

    /// The failure as the host wants it.
    pub fn problem(&self, provider: &str) -> Problem {
        let mut detail = match self.status {
            0 => format!("{provider} broke the answer off"),
            // It is never followed with a credential on board: the base URL is wrong, and not the request.
            status @ 300..=399 => format!(
                "{provider} answered {status}, a redirect, which is not followed; set `base_url` to where it leads"
            ),
            status => format!("{provider} answered {status}"),
        };
        if !self.message.is_empty() {
            detail.push_str(": ");
            detail.push_str(&self.message);
        }
        if let Some(id) = &self.request_id {
            detail.push_str(" (request ");
            detail.push_str(id);
            detail.push(')');
        }
        Problem {
            code: self.class().code().to_owned(),
            detail,
            retry_after_ms: self.retry_after_ms,
        }
    }

    /// Reads every documented shape: `{"error": {…}}` of OpenAI, Anthropic, llama.cpp and vLLM, `{"error": "…"}` of
    /// Ollama, a bare error object, and the `{"detail": …}` of web frameworks.
    fn from_value(value: &Value) -> Self {
        let error = match &value["error"] {
            Value::Null => value,
            error => error,
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let words: Vec<String> = [
            &error["details"]["error_code"],
            &error["code"],
            &error["type"],
        ]
        .into_iter()
        .filter_map(text)
        .collect();
        let message = text(error)
            .or_else(|| text(&error["message"]))
            .or_else(|| text(&value["message"]))
            .or_else(|| text(&value["detail"]))
            .unwrap_or_default();
        // Servers that know no error codes put the status there.
        let status = error["code"]
            .as_u64()
            .and_then(|code| u16::try_from(code).ok());
        Self {
            status: status.filter(|code| (400..600).contains(code)).unwrap_or(0),
            words,
            message: shorten(&message, LONGEST_MESSAGE),
            retry_after_ms: None,
            request_id: text(&value["request_id"]).map(|id| shorten(&id, 100)),
        }
    }

    fn from_text(text: &str) -> Self {
        let text = text.trim();
        // A proxy's error page explains nothing in one sentence.
        let message = if text.starts_with('<') {
            String::new()
        } else {
            shorten(text, LONGEST_MESSAGE)
        };
        Self {
            status: 0,
            words: Vec::new(),
            message,
            retry_after_ms: None,
            request_id: None,
        }
    }
}

/// Milliseconds to wait. A date counts as absent: a plugin has no clock to compare it with.
fn retry_after(milliseconds: Option<&str>, seconds: Option<&str>) -> Option<u32> {
    let number = |text: &str| {
        text.trim()
            .parse::<f64>()
            .ok()
            .filter(|number| *number >= 0.0)
    };
    let wait = match milliseconds.and_then(number) {
        Some(milliseconds) => milliseconds,
        None => seconds.and_then(number)? * 1000.0,
    };
    // `as` saturates.
    Some(wait.ceil() as u32)
}

/// At most `most` bytes, cut between characters, on one line.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    let text = text.trim();
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut short = text[..end].replace(['\r', '\n'], " ");
    if end < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Problem {
        let headers: Vec<_> = headers
            .iter()
            .map(|(a, b)| (a.to_string(), b.to_string()))
            .collect();
        Failure::from_response(status, &headers, body.as_bytes()).problem("X")
    }

    fn code(status: u16, body: &str) -> String {
        response(status, &[], body).code
    }

    #[test]
    fn an_empty_purse_is_no_rate_limit() {
        for body in [
            r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            r#"{"error":{"message":"…","type":"insufficient_quota","code":"project_spend_limit_exceeded"}}"#,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"…","details":{"error_code":"enforced_spend_limit_reached"}}}"#,
        ] {
            assert_eq!(code(429, body), "spend-cap", "{body}");
        }
        let own_limit = r#"{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."}}"#;
        assert_eq!(code(400, own_limit), "spend-cap");
        let poor = r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#;
        assert_eq!(code(400, poor), "spend-cap");
        assert_eq!(code(402, ""), "spend-cap");
    }

    #[test]
    fn a_rate_limit_tells_how_long_if_it_is_known() {
        let body = r#"{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}"#;
        let wait = |headers: &[(&str, &str)]| {
            let problem = response(429, headers, body);
            assert_eq!(problem.code, "rate-limited");
            problem.retry_after_ms
        };
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&[("retry-after", "20")]), Some(20_000));
        assert_eq!(wait(&[("retry-after", "0.25")]), Some(250));
        assert_eq!(
            wait(&[("retry-after", "21"), ("retry-after-ms", "20812")]),
            Some(20_812)
        );
        assert_eq!(wait(&[("retry-after", "99999999999")]), Some(u32::MAX));
        for nonsense in ["Fri, 31 Dec 2027 23:59:59 GMT", "-1", "NaN", ""] {
            assert_eq!(wait(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
    }

    #[test]
    fn a_prompt_that_is_too_long_is_recognised_whoever_says_it() {
        for (status, body) in [
            (
                400,
                r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"This model's maximum context length is 16384 tokens. However, you requested 122946 tokens","type":"BadRequestError","param":null,"code":400}}"#,
            ),
            (
                400,
                r#"{"object":"error","message":"This model's maximum context length is 131072 tokens.","type":"BadRequestError","code":400}"#,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error","n_prompt_tokens":1407,"n_ctx":256}}"#,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 219898 tokens > 200000 maximum"}}"#,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 198981 + 21333 > 200000"}}"#,
            ),
            (
                413,
                r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
            ),
            (
                400,
                r#"{"error":"the input length exceeds the context length"}"#,
            ),
            (
                500,
                r#"{"error":"the prompt is longer than the context length currently available to the model"}"#,
            ),
        ] {
            assert_eq!(code(status, body), "context-too-long", "{body}");
        }
    }

    #[test]
    fn a_clear_status_is_not_blurred_by_a_word_in_its_sentence() {
        assert_eq!(
            code(404, r#"{"error":"model 'prompt is too long' not found"}"#),
            "not-found"
        );
        assert_eq!(
            code(401, r#"{"error":{"message":"maximum context length"}}"#),
            "auth"
        );
    }

    #[test]
    fn every_status_has_its_class() {
        for (status, class) in [
            (307, "failed"),
            (400, "invalid"),
            (401, "auth"),
            (403, "auth"),
            (404, "not-found"),
            (408, "timeout"),
            (409, "failed"),
            (422, "invalid"),
            (429, "rate-limited"),
            (500, "failed"),
            (502, "overloaded"),
            (503, "overloaded"),
            (504, "timeout"),
            (529, "overloaded"),
        ] {
            assert_eq!(code(status, ""), class, "{status}");
            assert_eq!(
                code(status, "<html><h1>nginx</h1></html>"),
                class,
                "{status}"
            );
        }
    }

    #[test]
    fn refusals_and_unknown_models_are_told_from_wrong_requests() {
        assert_eq!(
            code(400, r#"{"error":{"code":"content_filter","message":"…"}}"#),
            "refused"
        );
        assert_eq!(
            code(
                400,
                r#"{"error":{"code":"invalid_prompt","message":"flagged"}}"#
            ),
            "refused"
        );
        assert_eq!(
            code(400, r#"{"error":{"code":"model_not_found","message":"…"}}"#),
            "not-found"
        );
    }

    #[test]
    fn an_error_inside_a_stream_is_sorted_by_its_words() {
        let event = |json: &str| Failure::from_event(json).problem("X");
        let overloaded = event(r#"{"type":"overloaded_error","message":"Overloaded"}"#);
        assert_eq!(overloaded.code, "overloaded");
        assert_eq!(overloaded.detail, "X broke the answer off: Overloaded");
        assert_eq!(
            event(r#"{"message":"slow","type":"rate_limit_error","code":null}"#).code,
            "rate-limited"
        );
        assert_eq!(
            event(r#"{"message":"x","type":"server_error","code":503}"#).code,
            "overloaded"
        );
        assert_eq!(
            event(r#"{"message":"x","type":"server_error"}"#).code,
            "failed"
        );
        assert_eq!(
            event(r#""an error was encountered while running the model""#).code,
            "failed"
        );
    }

    #[test]
    fn the_explanation_is_one_short_line_with_the_vendors_request_id() {
        let long = format!(r#"{{"error":{{"message":"é\n{}"}}}}"#, "é".repeat(1000));
        let problem = response(500, &[("x-request-id", "req_1")], &long);
        assert!(
            problem.detail.starts_with("X answered 500: é é"),
            "{}",
            problem.detail
        );
        assert!(
            problem.detail.ends_with("… (request req_1)"),
            "{}",
            problem.detail
        );
        assert!(problem.detail.len() < 500 && !problem.detail.contains('\n'));
        assert_eq!(
            response(502, &[], "<html>bad</html>").detail,
            "X answered 502"
        );
        assert_eq!(
            response(502, &[], "upstream down").detail,
            "X answered 502: upstream down"
        );
    }
}
