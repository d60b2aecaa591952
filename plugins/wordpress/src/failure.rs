//! What a site says when it refuses, as one of the connector's problems.

use polity_sdk::{Problem, problem};
use serde_json::Value;

/// A longer explanation helps nobody.
const LONGEST: usize = 400;

/// The error of a response whose status is none of success.
pub(crate) fn of(site: &str, status: u16, headers: &[(String, String)], body: &[u8]) -> Problem {
    let header = |name: &str| {
        headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    if (300..400).contains(&status) {
        let to = header("location").unwrap_or("another address");
        let why = format!("{site} redirects to {to}; write the site's final address as its `url`");
        return problem("invalid", why);
    }
    let told: Option<Value> = serde_json::from_slice(body).ok();
    let told = told.as_ref().filter(|told| told["code"].is_string());
    let code = told.map_or("", |told| told["code"].as_str().unwrap_or_default());
    let class = match (status, code) {
        (_, "rest_no_route") => "not-found",
        (400 | 413 | 422, _) => "invalid",
        (401 | 403, _) => "auth",
        (404 | 410, _) => "not-found",
        (409, _) => "conflict",
        (429, _) => "rate-limited",
        (408 | 504, _) => "timeout",
        // A site that is updated or overloaded is back in a moment.
        (502 | 503, _) => "connection",
        _ => "failed",
    };
    let mut detail = format!("{site} answered {status}");
    match told {
        Some(told) => {
            detail.push_str(&format!(
                ": {} ({code})",
                told["message"].as_str().unwrap_or("no reason")
            ));
            // Which field, and why.
            if let Some(fields) = told["data"]["params"].as_object() {
                for (name, why) in fields {
                    detail.push_str(&format!("; {name}: {}", why.as_str().unwrap_or("wrong")));
                }
            }
        }
        None => detail.push_str(match status {
            404 => ": there is no REST API; look at the site's `url`, and at Settings, Permalinks",
            401 | 403 => " without a reason: something before WordPress keeps its REST API closed",
            _ => " without a reason",
        }),
    }
    match code {
        "rest_no_route" => {
            detail.push_str(": the site is too old for this, or it was switched off")
        }
        "incorrect_password" | "invalid_username" | "invalid_email" | "rest_not_logged_in" => {
            detail
                .push_str("; grant an application password: Users, Profile, Application Passwords");
        }
        "application_passwords_disabled" | "application_passwords_disabled_for_user" => {
            detail.push_str(
                "; the site wants https for application passwords, or a plugin forbids them",
            );
        }
        _ => {}
    }
    Problem {
        retry_after_ms: header("retry-after")
            .and_then(|seconds| seconds.trim().parse::<u32>().ok())
            .map(|seconds| seconds.saturating_mul(1_000)),
        ..problem(class, cut(&detail))
    }
}

/// The site sent what its documentation does not have.
pub(crate) fn unreadable(site: &str, why: &str) -> Problem {
    let detail = format!("{site} answered what is not its documented format: {why}");
    problem("failed", cut(&detail))
}

fn cut(text: &str) -> String {
    // One line: messages of themes and plugins are HTML at times.
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_json(status: u16, body: &str) -> Problem {
        of("tea", status, &[], body.as_bytes())
    }

    #[test]
    fn each_refusal_has_its_class_and_the_sites_words() {
        let cases = [
            (
                401,
                r#"{"code":"incorrect_password","message":"The provided password is an invalid application password.","data":{"status":401}}"#,
                "auth",
                "Application Passwords",
            ),
            (
                403,
                r#"{"code":"rest_cannot_create","message":"Sorry, you are not allowed to create posts as this user.","data":{"status":403}}"#,
                "auth",
                "not allowed to create posts",
            ),
            (
                404,
                r#"{"code":"rest_post_invalid_id","message":"Invalid post ID.","data":{"status":404}}"#,
                "not-found",
                "Invalid post ID",
            ),
            (
                400,
                r#"{"code":"rest_invalid_param","message":"Invalid parameter(s): status","data":{"status":400,"params":{"status":"status is not one of publish, draft."},"details":{}}}"#,
                "invalid",
                "status: status is not one of publish, draft.",
            ),
            (404, "<html>Not Found</html>", "not-found", "Permalinks"),
            (
                503,
                "<html>Briefly unavailable for scheduled maintenance.</html>",
                "connection",
                "503",
            ),
            (
                500,
                r#"{"code":"internal_server_error","message":"<p>There has been a critical error\n on this website.</p>"}"#,
                "failed",
                "critical error on",
            ),
            (504, "", "timeout", "504"),
        ];
        for (status, body, class, words) in cases {
            let problem = of_json(status, body);
            assert_eq!(problem.code, class, "{status} {body}");
            assert!(problem.detail.contains(words), "{}", problem.detail);
        }
    }

    #[test]
    fn a_site_that_wants_a_pause_says_how_long() {
        let headers = [("retry-after".to_owned(), "30".to_owned())];
        let problem = of("tea", 429, &headers, b"");
        assert_eq!(
            (problem.code.as_str(), problem.retry_after_ms),
            ("rate-limited", Some(30_000))
        );
    }

    #[test]
    fn a_redirection_names_the_address_to_write() {
        let headers = [(
            "location".to_owned(),
            "https://www.tea.example/wp-json/".to_owned(),
        )];
        let problem = of("tea", 301, &headers, b"");
        assert!(
            problem.detail.contains("https://www.tea.example"),
            "{}",
            problem.detail
        );
    }

    #[test]
    fn a_long_page_is_cut() {
        let problem = of_json(
            500,
            &format!(r#"{{"code":"x","message":"{}"}}"#, "é".repeat(5_000)),
        );
        assert!(problem.detail.len() < 1_000);
    }
}
