//! A completion that gave no answer, told to whoever asked for it.
//!
//! Clients retry by status: 429 and 5xx are tried again, other 4xx are not. So a status is chosen by what the caller can
//! do, and not by whose fault it was: a provider that refuses *our* key is a 502 here and no 401, which would make every
//! client throw its own token away.

use std::time::Duration;

use polity_kernel::{CompleteError, Decision};
use polity_runtime::failure::CallError;

use super::fault::{Fault, Kind};

/// What the caller is told.
pub(super) fn fault(error: CompleteError) -> Fault {
    let decision = error.decision_id();
    let fault = match error {
        CompleteError::Invalid(detail) => Fault::new(Kind::Invalid, detail),
        CompleteError::UnknownModel { .. } => {
            Fault::new(Kind::ModelNotFound, error.to_string()).pointing("/model")
        }
        CompleteError::NoModel(_) => {
            Fault::new(Kind::NoModel, error.to_string()).pointing("/model")
        }
        CompleteError::Denied(decision) => Fault::new(Kind::Denied, decision.reason),
        CompleteError::Escalated(decision) => Fault::new(Kind::Escalated, waiting(&decision)),
        CompleteError::OverBudget { .. } => Fault::new(Kind::OverBudget, error.to_string()),
        CompleteError::Plugin { ref error, .. } => of_plugin(error),
        CompleteError::Deadline { .. } => Fault::new(Kind::Timeout, error.to_string()),
        // What kept the first model from answering is what the caller can do something about.
        CompleteError::NoAnswer {
            detail,
            cause: Some(cause),
            ..
        } => self::fault(*cause).saying(detail),
        CompleteError::NoAnswer { .. } => Fault::new(Kind::Upstream, error.to_string()),
        // The caller's request was fine; what the rules made of it is the operator's to mend.
        CompleteError::Amendment { .. } => Fault::internal(error),
        CompleteError::Record(_) | CompleteError::Read(_) | CompleteError::Inbox(_) => {
            Fault::internal(error)
        }
        CompleteError::Draining(_) => {
            Fault::new(Kind::Draining, error.to_string()).retry_after(Duration::from_secs(5))
        }
    };
    match decision {
        Some(decision) => fault.decided_by(decision),
        None => fault,
    }
}

/// Whom the caller waits for, and where.
fn waiting(decision: &Decision) -> String {
    let items: Vec<String> = decision
        .inbox_items
        .iter()
        .map(ToString::to_string)
        .collect();
    let reason = match decision.reason.trim_end_matches('.') {
        question if question.ends_with(['?', '!']) => question.to_owned(),
        statement => format!("{statement}."),
    };
    match items.as_slice() {
        [] => reason,
        items => format!(
            "{reason} It waits in the inbox as {}; send it again once it is accepted.",
            items.join(" and ")
        ),
    }
}

fn of_plugin(error: &CallError) -> Fault {
    let kind = match error.code() {
        "rate-limited" => Kind::RateLimited,
        "spend-cap" => Kind::OverBudget,
        "overloaded" | "busy" | "not-running" => Kind::Overloaded,
        "context-too-long" => Kind::ContextTooLong,
        "refused" => Kind::ContentRefused,
        "invalid" => Kind::Invalid,
        "not-found" => Kind::ModelNotFound,
        "timeout" => Kind::Timeout,
        _ => Kind::Upstream,
    };
    let wait = error
        .retry_after_ms()
        .map(|ms| Duration::from_millis(ms.into()));
    // What is known to pass by itself always comes with a word on when to try again.
    let wait = wait.or((kind == Kind::Overloaded).then_some(Duration::from_secs(1)));
    let fault = match (kind, error) {
        (Kind::Upstream, CallError::Problem(problem)) => {
            Fault::new(kind, format!("{} ({})", problem.detail, problem.code))
        }
        (Kind::ContextTooLong, _) => Fault::new(kind, error.to_string()).pointing("/messages"),
        _ => Fault::new(kind, error.to_string()),
    };
    match wait {
        Some(wait) => fault.retry_after(wait),
        None => fault,
    }
}

#[cfg(test)]
mod tests {
    use http::header::RETRY_AFTER;
    use polity_runtime::Problem;

    use super::*;

    fn told(code: &str, retry_after_ms: Option<u32>) -> Fault {
        of_plugin(&CallError::Problem(Problem {
            code: code.into(),
            detail: "the provider said no".into(),
            retry_after_ms,
        }))
    }

    #[test]
    fn a_status_says_whether_trying_again_helps() {
        for (code, status) in [
            ("rate-limited", 429),
            ("spend-cap", 429),
            ("overloaded", 503),
            ("auth", 502),
            ("context-too-long", 400),
            ("refused", 400),
            ("invalid", 400),
            ("not-found", 404),
            ("timeout", 504),
            ("connection", 502),
            ("failed", 502),
            ("a-code-of-next-year", 502),
        ] {
            assert_eq!(told(code, None).kind().status(), status, "{code}");
        }
        assert_eq!(
            of_plugin(&CallError::Trap("unreachable".into())).kind(),
            Kind::Upstream
        );
        assert_eq!(of_plugin(&CallError::Busy(4)).kind(), Kind::Overloaded);
    }

    #[test]
    fn the_providers_word_on_when_to_try_again_is_passed_on() {
        let response = told("rate-limited", Some(1500)).into_openai();
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        // A spend cap does not pass by waiting.
        assert!(
            !told("spend-cap", None)
                .into_openai()
                .headers()
                .contains_key(RETRY_AFTER)
        );
    }
}
