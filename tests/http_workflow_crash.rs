//! The host killed in the middle of its workflows: every run goes on where it was, and what has happened does not happen
//! again.

mod workflows;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use polity_tests::{Answer, Gate, Host, Upstream};
use serde_json::{Value, json};
use workflows::{POLITY, answer, bank, company, ended, id, payments, run, until};

/// Runs at a time when the host is killed.
const RUNNERS: usize = 8;

/// How often it is killed.
const CYCLES: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn whenever_the_host_is_killed_every_run_ends_and_pays_once() {
    let bank = bank().await;
    let mut host = Host::start(POLITY, |options| company(options, &bank)).await;
    let (asked, mut begun) = (Arc::new(AtomicUsize::new(0)), BTreeSet::new());
    for cycle in 1..=CYCLES {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        for _ in 0..RUNNERS {
            let (asked, tell) = (asked.clone(), tell.clone());
            let request = host.post("/api/workflows/refund/runs");
            tokio::spawn(async move {
                loop {
                    let number = asked.fetch_add(1, Ordering::Relaxed);
                    let body = json!({"input": {"amount": number % 50}});
                    let request = request.try_clone().expect("it has no body yet").json(&body);
                    // The kill ends this loop.
                    let Ok(response) = request.send().await else {
                        return;
                    };
                    let Ok(run) = response.json::<Value>().await else {
                        return;
                    };
                    let _ = tell.send(run);
                }
            });
        }
        drop(tell);
        // Another moment each time: the first runs are on their way, or hundreds have ended.
        for _ in 0..cycle * cycle * 7 {
            begun.insert(id(&told.recv().await.expect("runs begin")));
        }
        host.kill9().await;
        while let Some(run) = told.recv().await {
            begun.insert(id(&run));
        }
        host.restart().await;
    }
    let mut completed = BTreeSet::new();
    loop {
        let open = host.read("/api/instances?open=true&limit=1").await;
        if open["items"].as_array().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let mut after = String::new();
    loop {
        let page = host.read(&format!("/api/instances?limit=500{after}")).await;
        for run in page["items"].as_array().unwrap() {
            assert_eq!(run["phase"], "completed", "{run}");
            completed.insert(id(run));
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert!(begun.is_subset(&completed), "a run that had begun is lost");
    assert_eq!(payments(&bank), completed.len());
    let verified = host.json(host.post("/api/ledger/verify")).await;
    assert_eq!(verified["ok"], true, "{verified}");
}

#[tokio::test]
async fn a_payment_on_its_way_is_sent_again_under_the_same_key() {
    let gate = Gate::new();
    let held = gate.clone();
    let bank = Upstream::start(move |request| {
        Answer::json(200, json!({"paid": request.json()["amount"]}).to_string()).pass(&held)
    })
    .await;
    let mut host = Host::start(POLITY, |options| company(options, &bank)).await;
    let body = json!({"input": {"amount": 40}});
    let begun = host
        .json(host.post("/api/workflows/refund/runs").json(&body))
        .await;
    bank.arrived(1).await;
    host.kill9().await;
    gate.open();
    host.restart().await;
    let done = ended(&host, &id(&begun)).await;
    assert_eq!(done["output"], json!({"paid": 40}), "{done}");
    assert_eq!((bank.requests().len(), payments(&bank)), (2, 1));
}

#[tokio::test]
async fn what_may_happen_once_at_most_is_not_sent_again_and_the_run_is_told_so() {
    let gate = Gate::new();
    let held = gate.clone();
    let bank = Upstream::start(move |_| Answer::json(200, r#"{"paid": 1}"#).pass(&held)).await;
    let once = workflows::REFUND.replace("effect: idempotent", "effect: at-most-once");
    let mut host = Host::start(POLITY, |options| {
        company(options, &bank).file(
            "workflows/refund.yaml",
            once.replace("UPSTREAM", &bank.url()),
        )
    })
    .await;
    let body = json!({"input": {"amount": 40}});
    let begun = host
        .json(host.post("/api/workflows/refund/runs").json(&body))
        .await;
    bank.arrived(1).await;
    host.kill9().await;
    gate.open();
    host.restart().await;
    let done = ended(&host, &id(&begun)).await;
    assert_eq!(done["phase"], "faulted", "{done}");
    let why = done["error"]["detail"].as_str().unwrap();
    assert!(why.contains("it may have happened"), "{why}");
    assert_eq!(bank.requests().len(), 1);
}

#[tokio::test]
async fn an_answer_that_was_given_before_the_kill_counts_after_it() {
    let bank = bank().await;
    let mut host = Host::start(POLITY, |options| company(options, &bank)).await;
    let mut waiting = Vec::new();
    for amount in 60..66 {
        waiting.push(run(&host, "refund", json!({ "amount": amount })).await);
    }
    // Killed at once after each answer: what came of it may be on the disk already, or not.
    for large in &waiting {
        answer(&host, large, "person:joan", json!({"type": "accept"})).await;
        host.kill9().await;
        host.restart().await;
    }
    for large in &waiting {
        let done = ended(&host, &id(large)).await;
        assert_eq!(done["phase"], "completed", "{done}");
    }
    assert_eq!(payments(&bank), waiting.len());
}

#[tokio::test]
async fn timers_schedules_and_events_survive_a_kill() {
    let pause = "
document: {dsl: 1.0.3, namespace: shop, name: pause, version: 1.0.0}
do:
  - rest: {wait: PT2S}
  - awake: {set: {awake: true}}
";
    let tick = "
document: {dsl: 1.0.3, namespace: shop, name: tick, version: 1.0.0}
schedule: {every: PT1S}
do:
  - note:
      call: records.insert
      with: {collection: ticks, record: {tick: true}}
";
    let bank = bank().await;
    let mut host = Host::start(POLITY, |options| {
        company(options, &bank)
            .file("workflows/pause.yaml", pause)
            .file("workflows/tick.yaml", tick)
    })
    .await;
    let body = json!({"input": {}});
    let paused = host
        .json(host.post("/api/workflows/pause/runs").json(&body))
        .await;
    until(&host, &id(&paused), |run| run["waits"][0]["for"] == "time").await;
    for _ in 0..3 {
        host.kill9().await;
        host.restart().await;
    }
    let done = ended(&host, &id(&paused)).await;
    assert_eq!(done["output"], json!({"awake": true}));
    // Each instant has started one run at most, and each run has written one record.
    let runs = loop {
        let runs = host
            .read("/api/instances?workflow=tick&open=false&limit=500")
            .await;
        if runs["items"].as_array().unwrap().len() >= 3 {
            break runs;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    for run in runs["items"].as_array().unwrap() {
        assert_eq!(run["phase"], "completed", "{run}");
    }
    let names: BTreeSet<&str> = runs["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["output"]["id"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), runs["items"].as_array().unwrap().len());
}

#[tokio::test]
async fn a_run_that_is_killed_at_every_other_effect_does_each_of_them_once() {
    let all = "
document: {dsl: 1.0.3, namespace: shop, name: all, version: 1.0.0}
do:
  - each:
      for: {each: n, in: '[1, 2, 3]'}
      do:
        - pay:
            call: http
            with: {method: post, endpoint: UPSTREAM/refunds, body: {amount: '${ $n }'}}
            metadata: {effect: idempotent}
        - note: {call: records.insert, with: {collection: notes, record: {n: '${ $n }'}}}
  - both:
      fork:
        branches:
          - left:
              call: http
              with: {method: post, endpoint: UPSTREAM/refunds, body: {amount: 4}}
              metadata: {effect: idempotent}
          - right:
              do:
                - rest: {wait: {milliseconds: 20}}
                - pay:
                    call: http
                    with: {method: post, endpoint: UPSTREAM/refunds, body: {amount: 5}}
                    metadata: {effect: idempotent}
  - child:
      run: {workflow: {namespace: shop, name: child, version: 1.0.0, input: {amount: 6}}}
  - tell:
      emit: {event: {with: {source: https://shop.example, type: shop.told, data: {n: 1}}}}
  - result: {set: {done: true}}
";
    let child = "
document: {dsl: 1.0.3, namespace: shop, name: child, version: 1.0.0}
do:
  - pay:
      call: http
      with: {method: post, endpoint: UPSTREAM/refunds, body: {amount: '${ .amount }'}}
      metadata: {effect: idempotent}
";
    let told = "
document: {dsl: 1.0.3, namespace: shop, name: told, version: 1.0.0}
schedule: {on: {one: {with: {type: shop.told}}}}
do:
  - note: {call: records.insert, with: {collection: told, record: {n: 1}}}
";
    let bank = bank().await;
    let mut host = Host::start(POLITY, |options| {
        let all = all.replace("UPSTREAM", &bank.url());
        let child = child.replace("UPSTREAM", &bank.url());
        company(options, &bank)
            .file("workflows/all.yaml", all)
            .file("workflows/child.yaml", child)
            .file("workflows/told.yaml", told)
    })
    .await;
    let begun = host
        .json(
            host.post("/api/workflows/all/runs")
                .json(&json!({"input": {}})),
        )
        .await;
    // Killed as a request arrives, and left alone until one has been answered.
    let (mut kills, mut next) = (0, 1);
    loop {
        let asked = bank.requests().len();
        if asked >= next {
            host.kill9().await;
            host.restart().await;
            (kills, next) = (kills + 1, bank.requests().len() + 2);
        }
        let open = host.read("/api/instances?open=true&limit=1").await;
        if open["items"].as_array().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let done = ended(&host, &id(&begun)).await;
    assert_eq!(done["output"], json!({"done": true}), "{done}");
    assert!(kills >= 3, "{kills}");
    assert_eq!(payments(&bank), 6);
    for (collection, count) in [("notes", 3), ("told", 1)] {
        let sql = json!({"sql": format!("SELECT count(*) AS n FROM {collection}")});
        let rows = host.json(host.post("/api/query").json(&sql)).await;
        assert_eq!(rows["rows"][0][0], count, "{collection}: {rows}");
    }
}
