//! A new policy pushed while runs of the old one wait and begin: no run changes its version, none breaks, no request is lost.

mod workflows;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use polity_tests::{Host, Upstream};
use serde_json::{Value, json};
use workflows::{POLITY, answer, bank, company, ended, id, run};

/// Runs that begin in each version before the next is pushed; `POLITY_PUSH_RUNS` says another number.
const RUNS: usize = 60;

/// Who begins runs as fast as they are taken.
const RUNNERS: usize = 6;

/// Versions that are pushed.
const PUSHES: u64 = 4;

/// The workflow in a version; what it results in says which.
fn version(bank: &Upstream, number: u64) -> String {
    workflows::REFUND
        .replace("UPSTREAM", &bank.url())
        .replace("version: 1.0.0", &format!("version: {number}.0.0"))
        .replace("{paid: .paid}", &format!("{{paid: .paid, by: {number}}}"))
}

/// The version that a run said it has when it began.
fn said(run: &Value) -> (String, Value) {
    let version = run["version"].as_str().expect("a run has a version");
    (version.to_owned(), run["constitution"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_pushed_under_load_changes_no_run_breaks_none_and_loses_no_request() {
    let bank = bank().await;
    let first = version(&bank, 1);
    let mut host = Host::start(POLITY, |options| {
        company(options, &bank).file("workflows/refund.yaml", first)
    })
    .await;
    let runs = std::env::var("POLITY_PUSH_RUNS").ok();
    let runs = runs.and_then(|runs| runs.parse().ok()).unwrap_or(RUNS);
    let started = std::time::Instant::now();
    let over = Arc::new(AtomicBool::new(false));
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    for runner in 0..RUNNERS {
        let (over, tell) = (over.clone(), tell.clone());
        let request = host.post("/api/workflows/refund/runs?wait=30");
        tokio::spawn(async move {
            // Every other one asks for what a person has to decide.
            let amount = if runner % 2 == 0 { 40 } else { 80 };
            while !over.load(Ordering::Relaxed) {
                let body = json!({"input": {"amount": amount}});
                let request = request.try_clone().expect("it has no body yet").json(&body);
                let response = request.send().await.expect("no request is lost");
                let status = response.status();
                let run = response.json::<Value>().await.expect("an answer is JSON");
                assert_eq!(status, 201, "{run}");
                let _ = tell.send((amount, run));
            }
        });
    }
    drop(tell);
    let (mut begun, mut waiting) = (BTreeMap::new(), Vec::new());
    for number in 1..=PUSHES + 1 {
        if number > 1 {
            let file = host.company.join("workflows/refund.yaml");
            // A push that is wrong changes nothing, and nobody notices.
            std::fs::write(&file, "document: {dsl: 1.0.3, name: refund}").unwrap();
            let refused = host.post("/api/constitution/reload").send().await.unwrap();
            assert!(refused.status().is_client_error(), "{}", refused.status());
            std::fs::write(&file, version(&bank, number)).unwrap();
            host.json(host.post("/api/constitution/reload")).await;
        }
        let asked = run(&host, "refund", json!({"amount": 80})).await;
        assert_eq!(asked["version"], format!("{number}.0.0"), "{asked}");
        waiting.push(asked.clone());
        begun.insert(id(&asked), said(&asked));
        for _ in 0..runs {
            let (_, run) = told.recv().await.expect("runners go on");
            begun.insert(id(&run), said(&run));
        }
    }
    over.store(true, Ordering::Relaxed);
    while let Some((amount, run)) = told.recv().await {
        begun.insert(id(&run), said(&run));
        let phase = if amount == 40 { "completed" } else { "waiting" };
        assert_eq!(run["phase"], phase, "{run}");
    }
    let took = started.elapsed();
    // Nor does a host that begins anew bring them onto another.
    host.stop().await;
    host.restart().await;
    let (mut after, mut seen, mut versions) = (String::new(), 0, BTreeMap::<String, usize>::new());
    loop {
        let page = host.read(&format!("/api/instances?limit=500{after}")).await;
        for run in page["items"].as_array().unwrap() {
            assert_eq!(begun.get(&id(run)), Some(&said(run)), "{run}");
            assert!(
                ["completed", "waiting"].contains(&run["phase"].as_str().unwrap()),
                "{run}"
            );
            if run["phase"] == "completed" {
                let by = run["output"]["by"].to_string();
                assert_eq!(
                    format!("{by}.0.0"),
                    run["version"].as_str().unwrap(),
                    "{run}"
                );
            }
            *versions.entry(said(run).0).or_default() += 1;
            seen += 1;
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, begun.len(), "{versions:?}");
    assert_eq!(versions.len() as u64, PUSHES + 1, "{versions:?}");
    eprintln!(
        "{seen} runs in {took:?}, {PUSHES} pushes and as many wrong ones; runs of each version: {versions:?}"
    );
    // Each goes on to its end as its own version says.
    for (number, asked) in (1..).zip(&waiting) {
        answer(&host, asked, "person:joan", json!({"type": "accept"})).await;
        let done = ended(&host, &id(asked)).await;
        assert_eq!(done["output"], json!({"paid": 80, "by": number}), "{done}");
    }
}
