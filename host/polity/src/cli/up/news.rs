//! What happens to plugins and the constitution while the host runs, told in the log: whoever drops a file into a folder
//! looks at the terminal next.

use polity_kernel::Kernel;
use polity_ledger::StoredEvent;
use tokio::sync::broadcast::error::RecvError;

use crate::cli::text::{duration, one_line};

/// Tells the news until the ledger closes.
pub(super) async fn tell(kernel: &Kernel) {
    let mut events = kernel.ledger().subscribe();
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
        "constitution.refused" => (
            true,
            "the constitution's folder is not as it should be; the one before stays in force"
                .to_owned(),
        ),
        _ => return None,
    })
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
    use serde_json::{Value, json};

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
    async fn trouble_names_its_reason_and_decisions_are_not_told() {
        let (trouble, text) = told("plugin.refused", json!({"reason": "damaged\u{1b}[2J"}))
            .await
            .unwrap();
        assert!(trouble && text.ends_with("damaged\\u{1b}[2J"), "{text}");
        assert_eq!(told("decision.made", json!({})).await, None);
    }
}
