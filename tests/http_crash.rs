//! The host killed in the middle of its work: what it was asked, and what it put before people, belong together.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use polity_tests::{Host, Options};
use serde_json::{Value, json};

const POLITY: &str = env!("CARGO_BIN_EXE_polity");

/// Askers at a time: so many transactions are on their way to the disk when the host is killed.
const ASKERS: usize = 24;

/// How often it is killed.
const CYCLES: usize = 3;

/// A company in which every refund is for a person to decide.
fn company(options: Options) -> Options {
    options
        .without_bundled()
        .first_party("spending-limit")
        .rule(
            "refunds",
            json!({"rule": "spending-limit", "guards": ["refund.*"], "config": {
                "amount": {"pointer": "/amount", "unit": "unit"},
                "limits": [{"per": "action", "soft_micro": 0}],
            }}),
        )
}

/// Everything in a list of the API, page by page.
async fn all(host: &Host, path: &str) -> Vec<Value> {
    let (mut items, mut after) = (Vec::new(), String::new());
    loop {
        let page = host.read(&format!("{path}&limit=500{after}")).await;
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return items,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_question_is_without_its_decision_and_no_decision_without_its_question() {
    let mut host = Host::start(POLITY, company).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let mut answered = BTreeSet::new();
    for cycle in 1..=CYCLES {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        for _ in 0..ASKERS {
            let (asked, tell) = (asked.clone(), tell.clone());
            let requests =
                |amount: usize| json!({"kind": "refund.approve", "input": {"amount": amount + 1}});
            let request = host.post("/api/actions");
            tokio::spawn(async move {
                loop {
                    let body = requests(asked.fetch_add(1, Ordering::Relaxed));
                    let request = request.try_clone().expect("it has no body yet").json(&body);
                    // The kill ends this loop.
                    let Ok(response) = request.send().await else {
                        return;
                    };
                    let Ok(decision) = response.json::<Value>().await else {
                        return;
                    };
                    let _ = tell.send(decision);
                }
            });
        }
        drop(tell);
        for _ in 0..100 * cycle {
            answered.insert(id(&told.recv().await.unwrap()["id"]));
        }
        host.kill9().await;
        while let Some(decision) = told.recv().await {
            answered.insert(id(&decision["id"]));
        }
        host.restart().await;

        let decisions = all(&host, "/api/decisions?kind=refund.*").await;
        let items = all(&host, "/api/inbox?state=all").await;
        let questions: BTreeSet<_> = items.iter().map(|item| id(&item["id"])).collect();
        let asked_of: BTreeSet<_> = decisions
            .iter()
            .flat_map(|decision| decision["inbox_items"].as_array().unwrap())
            .map(id)
            .collect();
        assert_eq!(asked_of, questions);
        let recorded: BTreeSet<_> = decisions
            .iter()
            .map(|decision| id(&decision["id"]))
            .collect();
        let told_of: BTreeSet<_> = items
            .iter()
            .map(|item| id(&item["evidence"]["decision"]))
            .collect();
        assert_eq!(told_of, recorded);
        assert!(answered.is_subset(&recorded), "what was answered is lost");
    }
}

fn id(value: &Value) -> String {
    value.as_str().expect("an id is text").to_owned()
}
