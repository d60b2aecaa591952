//! A host's refusal in words: RFC 9457 problems from the API, and the OpenAI form from the endpoints that speak it.

use reqwest::StatusCode;
use serde_json::Value;

use super::TOKEN;
use crate::cli::exit::Exit;
use crate::cli::report::Report;

/// The report of an answer that is no success.
pub(super) fn report(
    status: StatusCode,
    body: &[u8],
    decision: Option<&str>,
    had_token: bool,
) -> Report {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    // The OpenAI form wraps what the other form says at its top.
    let said = if body["error"].is_object() {
        &body["error"]
    } else {
        &body
    };
    let text = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| said[*name].as_str())
            .filter(|text| !text.is_empty())
    };
    let told = text(&["detail", "message", "title"]).map(sentence);
    let told = told.unwrap_or_else(|| format!("the host answered {status} without a reason"));
    let code = text(&["code", "type"]).map(code).unwrap_or_default();
    let mut report = Report::new(&told).exits(exit(status, &code));
    for error in said["errors"].as_array().into_iter().flatten() {
        let (pointer, detail) = (error["pointer"].as_str(), error["detail"].as_str());
        let detail = detail.map_or_else(|| error.to_string(), sentence);
        if !told.contains(&detail) {
            report = report.because(format!("{}: {detail}", pointer.unwrap_or_default()));
        }
    }
    if let Some(id) = said["decision_id"].as_str().or(decision) {
        report = report.hint(format!("the whole story: polity explain {id}"));
    }
    match status {
        StatusCode::UNAUTHORIZED if had_token => report
            .hint(format!("the token in {TOKEN} or in owner.token is no longer valid: restart the host, or put another one into {TOKEN}")),
        StatusCode::UNAUTHORIZED => report.hint(format!("put a token into the environment variable {TOKEN}")),
        _ => report,
    }
}

/// Ours end without a full stop because more follows, and begin like the middle of a line.
fn sentence(text: &str) -> String {
    text.strip_suffix('.').unwrap_or(text).to_owned()
}

/// A problem's type is a URI; its last part is the code.
fn code(text: &str) -> String {
    text.rsplit(['/', ':', '#'])
        .next()
        .unwrap_or(text)
        .replace('_', "-")
}

fn exit(status: StatusCode, code: &str) -> Exit {
    match code {
        "escalated" => Exit::Waiting,
        "over-budget" | "insufficient-quota" => Exit::OverBudget,
        _ if status == StatusCode::FORBIDDEN => Exit::Denied,
        _ => Exit::Failure,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(status: u16, body: &Value) -> (String, Exit) {
        let report = report(
            StatusCode::from_u16(status).unwrap(),
            body.to_string().as_bytes(),
            None,
            true,
        );
        let exit = report.tell(true);
        (serde_json::to_string_pretty(&report).unwrap(), exit)
    }

    #[test]
    fn a_problem_becomes_its_detail_its_places_and_its_decision() {
        let (text, exit) = told(
            403,
            &json!({
                "type": "https://polity.dev/problems/denied-by-rule", "title": "A rule denied it", "status": 403,
                "detail": "The sum is above the limit.", "decision_id": "0190",
                "errors": [{"pointer": "/input/amount", "detail": "at most 500"}]
            }),
        );
        assert_eq!(exit, Exit::Denied);
        insta::assert_snapshot!(text, @r#"
        {
          "message": "The sum is above the limit",
          "causes": [
            "/input/amount: at most 500"
          ],
          "hints": [
            "the whole story: polity explain 0190"
          ]
        }
        "#);
    }

    #[test]
    fn the_openai_form_says_the_same() {
        let body = |code: &str| json!({"error": {"message": "no", "type": "permission_error", "code": code}});
        assert_eq!(told(403, &body("denied_by_rule")).1, Exit::Denied);
        assert_eq!(told(403, &body("escalated")).1, Exit::Waiting);
        assert_eq!(told(429, &body("insufficient_quota")).1, Exit::OverBudget);
        assert_eq!(told(429, &body("rate_limit_exceeded")).1, Exit::Failure);
    }

    #[test]
    fn an_answer_without_a_body_is_told_by_its_status() {
        let report = report(StatusCode::BAD_GATEWAY, b"", None, true);
        insta::assert_snapshot!(report.seen(), @"
        error: the host answered 502 Bad Gateway without a reason
        ");
    }

    #[test]
    fn a_refused_token_is_answered_with_where_tokens_go() {
        let said = br#"{"detail": "this token is not valid; it may have been revoked"}"#;
        insta::assert_snapshot!(report(StatusCode::UNAUTHORIZED, said, None, true).seen(), @"
        error: this token is not valid; it may have been revoked
          hint: the token in POLITY_TOKEN or in owner.token is no longer valid: restart the host, or put another one into POLITY_TOKEN
        ");
        insta::assert_snapshot!(report(StatusCode::UNAUTHORIZED, said, None, false).seen(), @"
        error: this token is not valid; it may have been revoked
          hint: put a token into the environment variable POLITY_TOKEN
        ");
        assert!(
            told(401, &json!({"detail": "who asks is not known"}))
                .0
                .contains("POLITY_TOKEN")
        );
    }
}
