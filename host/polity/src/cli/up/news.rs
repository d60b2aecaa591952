//! What happens to plugins and the constitution while the host runs, told in the log: whoever drops a file into a folder
//! looks at the terminal next.

use polity_kernel::Kernel;
use polity_ledger::StoredEvent;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;

use crate::cli::text::{duration, one_line};

/// What is told begins with one of these.
const KINDS: &[&str] = &["amendment.", "constitution.", "plugin."];

/// Tells the news until the ledger closes.
pub(super) async fn tell(kernel: &Kernel) {
    let mut events = kernel.ledger().subscribe_to(KINDS);
    loop {
        match events.recv().await {
            Ok(event) => log(&event),
            // The log is a convenience; the ledger has them all.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

fn log(event: &StoredEvent) {
    let Some((is_trouble, news)) = news(event) else {
        return;
    };
    match is_trouble {
        true => tracing::warn!("{news}"),
        false => tracing::info!("{news}"),
    }
}

/// Whether it is trouble, and what it is; none for what nobody is told of.
fn news(event: &StoredEvent) -> Option<(bool, String)> {
    let data = &event.data;
    let text = |field: &str| one_line(data[field].as_str().unwrap_or_default());
    let digest = |field: &str| data[field].as_str().map(short).unwrap_or_default();
    let name = one_line(
        event
            .subject
            .strip_prefix("plugin/")
            .unwrap_or(&event.subject),
    );
    Some(match event.kind.as_str() {
        "plugin.loaded" => {
            let took = duration(data["took_us"].as_u64().unwrap_or_default() / 1_000);
            let verb = if data["replaced"].is_null() {
                "serves"
            } else {
                "was replaced and serves"
            };
            (
                false,
                format!(
                    "plugin {name} {verb}: {}, loaded in {took}",
                    digest("digest")
                ),
            )
        }
        "plugin.pending" => (
            true,
            format!("plugin {name} waits for a grant; see: polity plugin grant {name}"),
        ),
        "plugin.needs-credential" => {
            let unmet = data["unmet"].as_array().into_iter().flatten();
            let fixes: Vec<String> = unmet
                .filter_map(|unmet| unmet["fix"].as_str())
                .map(one_line)
                .collect();
            (
                true,
                format!("plugin {name} needs a credential: {}", fixes.join("; ")),
            )
        }
        "plugin.refused" => (
            true,
            format!(
                "plugin {name} was refused, nothing else changed: {}",
                text("reason")
            ),
        ),
        "plugin.quarantined" => {
            let then = if data["restored"].is_null() {
                "nothing serves in its place"
            } else {
                "the version before serves again"
            };
            (
                true,
                format!(
                    "plugin {name} failed too often and is in quarantine, {then}: {}",
                    text("reason")
                ),
            )
        }
        "plugin.rolled-back" => (
            false,
            format!("plugin {name} was rolled back to {}", digest("to")),
        ),
        "plugin.removed" => (false, format!("plugin {name} has gone")),
        "constitution.loaded" => {
            let version = short(data["version"]["digest"].as_str().unwrap_or_default());
            let later = data["at_next_start"].as_array().into_iter().flatten();
            let later: String = later
                .filter_map(Value::as_str)
                .map(|part| format!("; only after a restart: {}", one_line(part)))
                .collect();
            (
                false,
                format!("another constitution is in force: {version}{later}"),
            )
        }
        "constitution.not-pulled" => (
            true,
            format!(
                "what was pushed to the constitution's remote is not in force, the one before stays: {}",
                text("reason")
            ),
        ),
        "amendment.submitted" => (
            false,
            format!(
                "the amendment {} is put to the vote by {}",
                text("amendment"),
                text("by")
            ),
        ),
        "amendment.accepted" => (
            false,
            format!(
                "the amendment {0} has enough votes; merge it: polity amend merge {0}",
                text("amendment")
            ),
        ),
        "constitution.refused" => {
            let problems = data["problems"].as_array().into_iter().flatten();
            let problems: Vec<String> = problems.map(problem).collect();
            (
                true,
                format!(
                    "what the constitution's folder holds now is refused, the one before stays in force: {}",
                    problems.join("; ")
                ),
            )
        }
        _ => return None,
    })
}

/// `rules/refunds.json:3:5: unknown rule`.
fn problem(problem: &Value) -> String {
    let text = |field: &str| one_line(problem[field].as_str().unwrap_or_default());
    let place = match (problem["line"].as_u64(), problem["column"].as_u64()) {
        (Some(line @ 1..), Some(column)) => format!("{}:{line}:{column}", text("file")),
        _ => text("file"),
    };
    format!("{place}: {}", text("message"))
}

/// The first twelve digits: enough for a person to tell two versions apart.
fn short(digest: &str) -> String {
    digest
        .strip_prefix("sha256:")
        .unwrap_or(digest)
        .chars()
        .take(12)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use polity_ledger::{Commit, Event, Ledger, ManualClock};
    use serde_json::json;

    use super::*;

    async fn told(kind: &'static str, data: Value) -> Option<(bool, String)> {
        let ledger = Ledger::in_memory(Arc::new(ManualClock::new(0)));
        ledger
            .commit(Commit::new().event(Event::new(kind, "/runtime", "plugin/limit", data)))
            .await
            .unwrap();
        news(&ledger.last(1).unwrap()[0])
    }

    #[tokio::test]
    async fn a_swap_is_told_with_its_version_and_its_time() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let (trouble, text) = told(
            "plugin.loaded",
            json!({"digest": digest, "replaced": digest, "took_us": 41_000}),
        )
        .await
        .unwrap();
        assert_eq!(
            (trouble, text.as_str()),
            (
                false,
                "plugin limit was replaced and serves: abababababab, loaded in 41 ms"
            )
        );
    }

    #[tokio::test]
    async fn a_refused_constitution_is_told_with_the_place_of_each_problem() {
        let problems = json!([
            {"file": "rules/a.json", "line": 3, "column": 5, "message": "there is no role \"king\""},
            {"file": "charter.json", "line": 0, "column": 0, "message": "it is missing"},
        ]);
        let (trouble, text) = told("constitution.refused", json!({"problems": problems}))
            .await
            .unwrap();
        assert!(trouble);
        assert!(
            text.ends_with(
                ": rules/a.json:3:5: there is no role \"king\"; charter.json: it is missing"
            ),
            "{text}"
        );
    }

    #[tokio::test]
    async fn trouble_names_its_reason_and_decisions_are_not_told() {
        let (trouble, text) = told("plugin.refused", json!({"reason": "damaged\u{1b}[2J"}))
            .await
            .unwrap();
        assert!(trouble && text.ends_with("damaged\\u{1b}[2J"), "{text}");
        assert_eq!(told("decision.made", json!({})).await, None);
    }
}
