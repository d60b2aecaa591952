//! Workflows that run: to their end through a person's answer, on the version that they began with, under the rules, and
//! stopped when somebody stops them.

mod workflows;

use polity_tests::{Answer, Gate, Host, Upstream};
use reqwest::Method;
use serde_json::{Value, json};
use workflows::{POLITY, answer, bank, company, ended, id, payments, run, until};

#[tokio::test]
async fn a_refund_runs_to_its_end_through_a_persons_answer() {
    let bank = bank().await;
    let host = Host::start(POLITY, |options| company(options, &bank)).await;
    let small = run(&host, "refund", json!({"amount": 40})).await;
    assert_eq!(
        (&small["phase"], &small["output"]),
        (&json!("completed"), &json!({"paid": 40})),
        "{small}"
    );
    let sent = bank.arrived(1).await;
    assert_eq!(
        sent.header("authorization"),
        Some("Bearer very-secret-token-of-the-bank")
    );

    let large = run(&host, "refund", json!({"amount": 80})).await;
    assert_eq!(large["phase"], "waiting", "{large}");
    let item = host
        .read(&format!(
            "/api/inbox/{}",
            large["waits"][0]["item"].as_str().unwrap()
        ))
        .await;
    assert_eq!(
        (&item["title"], &item["proposal"]),
        (&json!("Pay 80 back?"), &json!({"amount": 80}))
    );
    assert_eq!(payments(&bank), 1);
    // Whoever wants something does not approve it.
    let own = host
        .post(&format!(
            "/api/inbox/{}/decision",
            item["id"].as_str().unwrap()
        ))
        .json(&json!({"type": "accept", "note": "mine"}));
    assert_eq!(own.send().await.unwrap().status(), 403);
    answer(&host, &large, "person:joan", json!({"type": "accept"})).await;
    let done = ended(&host, &id(&large)).await;
    assert_eq!(done["output"], json!({"paid": 80}), "{done}");
    assert_eq!(payments(&bank), 2);

    let story = host
        .read(&format!("/api/instances/{}/story", id(&large)))
        .await;
    let text = story["text"].as_str().unwrap();
    for words in [
        "the table refund answers \"ask\"",
        "person:joan",
        "the rules on refund.pay: allow",
        "ended with {\"paid\":80}",
    ] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    let decision = text
        .split("decision ")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    let decision = host.read(&format!("/api/decisions/{decision}")).await;
    assert_eq!(decision["context"]["request"]["instance"], large["id"]);
    let journal = host
        .read(&format!("/api/instances/{}/events", id(&large)))
        .await;
    let types: Vec<&str> = journal
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(types[0], "io.serverlessworkflow.workflow.started.v1");
    for kind in [
        "task.created",
        "task.started",
        "task.completed",
        "workflow.status-changed",
        "workflow.completed",
    ] {
        assert!(
            types.contains(&&*format!("io.serverlessworkflow.{kind}.v1")),
            "{kind}: {types:?}"
        );
    }
    // Nowhere in the ledger is the secret that went out.
    let export = host
        .get("/api/ledger/export")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(export.contains("{{secret:bank}}") && !export.contains("very-secret-token"));
}

#[tokio::test]
async fn what_a_person_rejects_does_not_happen() {
    let bank = bank().await;
    let host = Host::start(POLITY, |options| company(options, &bank)).await;
    let large = run(&host, "refund", json!({"amount": 80})).await;
    answer(&host, &large, "person:joan", json!({"type": "reject"})).await;
    let done = ended(&host, &id(&large)).await;
    assert_eq!(done["output"], json!({"paid": 0}));
    assert_eq!(payments(&bank), 0);
}

#[tokio::test]
async fn a_run_stays_on_the_version_that_it_began_with() {
    let bank = bank().await;
    let mut host = Host::start(POLITY, |options| company(options, &bank)).await;
    let old = run(&host, "refund", json!({"amount": 80})).await;
    let pushed = workflows::REFUND
        .replace("UPSTREAM", &bank.url())
        .replace("version: 1.0.0", "version: 2.0.0")
        .replace("{paid: .paid}", "{paid: .paid, by: \"the new version\"}");
    std::fs::write(host.company.join("workflows/refund.yaml"), pushed).unwrap();
    host.json(host.post("/api/constitution/reload")).await;
    let new = run(&host, "refund", json!({"amount": 40})).await;
    assert_eq!(new["output"]["by"], "the new version", "{new}");
    // Not even a restart brings it onto the new one.
    host.stop().await;
    host.restart().await;
    let waiting = host.read(&format!("/api/instances/{}", id(&old))).await;
    assert_eq!(
        (&waiting["version"], &waiting["phase"]),
        (&json!("1.0.0"), &json!("waiting"))
    );
    assert_eq!(waiting["constitution"], old["constitution"]);
    assert_ne!(new["constitution"], old["constitution"]);
    answer(&host, &old, "person:joan", json!({"type": "accept"})).await;
    let done = ended(&host, &id(&old)).await;
    assert_eq!(done["output"], json!({"paid": 80}));
}

#[tokio::test]
async fn the_rules_judge_what_a_workflow_does_and_people_decide_what_they_leave_to_them() {
    let bank = bank().await;
    let host = Host::start(POLITY, |options| {
        company(options, &bank).first_party("spending-limit").rule(
            "payments",
            json!({"rule": "spending-limit", "guards": ["refund.pay"], "config": {
                "amount": {"pointer": "/body/amount", "unit": "unit"},
                "limits": [{"per": "action", "soft_micro": 20_000_000, "hard_micro": 45_000_000}],
            }}),
        )
    })
    .await;
    let fine = run(&host, "refund", json!({"amount": 10})).await;
    assert_eq!(fine["output"], json!({"paid": 10}), "{fine}");
    let denied = run(&host, "refund", json!({"amount": 50})).await;
    assert_eq!(
        (&denied["phase"], &denied["error"]["status"]),
        (&json!("faulted"), &json!(403)),
        "{denied}"
    );
    assert_eq!(payments(&bank), 1);
    let asked = run(&host, "refund", json!({"amount": 30})).await;
    assert_eq!(asked["waits"][0]["for"], "person", "{asked}");
    let edited = json!({"type": "edit", "args": {"method": "POST", "uri": format!("{}/refunds", bank.url()), "body": {"amount": 25}}});
    answer(&host, &asked, "person:joan", edited).await;
    let done = ended(&host, &id(&asked)).await;
    assert_eq!(done["output"], json!({"paid": 25}), "{done}");
    assert_eq!(payments(&bank), 2);
}

#[tokio::test]
async fn an_event_starts_a_workflow_once_and_wakes_those_that_listen_for_its_type() {
    let order = "
document: {dsl: 1.0.3, namespace: shop, name: order, version: 1.0.0}
schedule: {on: {one: {with: {type: com.example.order.placed}}}}
timeout: {after: P9D}
input: {from: '.[0].data'}
do:
  - placed: {set: {order: '${ .order }'}, export: {as: .}}
  - payment:
      listen:
        to:
          one:
            with: {type: com.example.order.paid}
            correlate: {order: {from: .data.order, expect: '${ $context.order }'}}
      timeout: {after: P7D}
  - tell:
      emit: {event: {with: {type: com.example.order.done, data: {order: '${ $context.order }'}}}}
";
    let count = "
document: {dsl: 1.0.3, namespace: shop, name: count, version: 1.0.0}
schedule: {on: {one: {with: {type: com.example.order.done}}}}
do:
  - note:
      call: records.insert
      with: {collection: done, record: {order: '${ .[0].data.order }'}}
";
    let bank = bank().await;
    let host = Host::start(POLITY, |options| {
        company(options, &bank)
            .file("workflows/order.yaml", order)
            .file("workflows/count.yaml", count)
    })
    .await;
    let send = |kind: &'static str, order: &'static str| {
        let event = json!({"type": kind, "id": format!("{kind}-{order}"), "source": "/shop", "data": {"order": order}});
        host.json(host.post("/api/events").json(&event))
    };
    let placed = send("com.example.order.placed", "a").await;
    let started = placed["started"][0].as_str().unwrap().to_owned();
    send("com.example.order.placed", "b").await;
    let again = send("com.example.order.placed", "a").await;
    assert_eq!(
        (&again["new"], &again["started"]),
        (&json!(false), &json!([]))
    );
    until(&host, &started, |run| run["phase"] == "waiting").await;
    let paid = send("com.example.order.paid", "a").await;
    assert_eq!(paid["new"], true);
    let done = ended(&host, &started).await;
    assert_eq!(done["phase"], "completed", "{done}");
    // The event that it sent has started the other.
    let counted = loop {
        let runs = host.read("/api/instances?workflow=count&open=false").await;
        if let Some(run) = runs["items"].get(0) {
            break run.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!(counted["output"]["record"]["order"], "a", "{counted}");
    let waiting = host.read("/api/instances?workflow=order&open=true").await;
    assert_eq!(
        waiting["items"].as_array().unwrap().len(),
        1,
        "the other order is not paid"
    );
    let bad = host
        .post("/api/events")
        .json(&json!({"data": 1}))
        .send()
        .await
        .unwrap();
    assert_eq!(bad.status(), 400);
    let mut deep = json!(1);
    for _ in 0..90 {
        deep = json!([deep]);
    }
    let deep = json!({"type": "com.example.deep", "data": deep});
    let bad = host.post("/api/events").json(&deep).send().await.unwrap();
    assert_eq!(bad.status(), 400);
}

#[tokio::test]
async fn what_is_stopped_waits_and_goes_on_when_it_may() {
    let bank = bank().await;
    let host = Host::start(POLITY, |options| company(options, &bank)).await;
    let grace = host.token_for("person:grace").await;
    let body = json!({"pattern": "refund.*", "reason": "paid twice"});
    let not_hers = host
        .anonymous(Method::POST, "/api/halts")
        .bearer_auth(&grace)
        .json(&body);
    assert_eq!(not_hers.send().await.unwrap().status(), 403);
    host.json(host.post("/api/halts").json(&body)).await;
    let held = run(&host, "refund", json!({"amount": 40})).await;
    assert_eq!(held["waits"][0]["for"], "halt", "{held}");
    assert_eq!(payments(&bank), 0);
    let acted = host
        .json(
            host.post("/api/actions")
                .json(&json!({"kind": "refund.approve"})),
        )
        .await;
    assert_eq!(acted["outcome"], "deny", "{acted}");
    let decision = acted["id"].as_str().unwrap();
    let replay = host
        .read(&format!("/api/decisions/{decision}/replay"))
        .await;
    assert_eq!(replay["same"], true, "{replay}");
    host.json(host.delete("/api/halts/refund.*")).await;
    let done = ended(&host, &id(&held)).await;
    assert_eq!(done["output"], json!({"paid": 40}));
    assert_eq!(payments(&bank), 1);
    let nothing = host.delete("/api/halts/refund.*").send().await.unwrap();
    assert_eq!(nothing.status(), 404);
}

#[tokio::test]
async fn a_cancelled_run_closes_its_questions_and_a_name_runs_once() {
    let bank = bank().await;
    let host = Host::start(POLITY, |options| company(options, &bank)).await;
    let body = json!({"input": {"amount": 80}, "name": "order-1"});
    let path = "/api/workflows/refund/runs?wait=30";
    let first = host.json(host.post(path).json(&body)).await;
    let second = host.json(host.post(path).json(&body)).await;
    assert_eq!(first["id"], second["id"]);
    let item = first["waits"][0]["item"].as_str().unwrap().to_owned();
    let cancel = format!("/api/instances/{}/cancel", id(&first));
    let cancelled = host
        .json(host.post(&cancel).json(&json!({"reason": "twice"})))
        .await;
    assert_eq!(cancelled["phase"], "cancelled");
    loop {
        let item = host.read(&format!("/api/inbox/{item}")).await;
        if item["state"] != "open" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(
        host.post(&cancel)
            .json(&json!({}))
            .send()
            .await
            .unwrap()
            .status(),
        409
    );
}

#[tokio::test]
async fn a_wrong_start_is_told_what_to_do() {
    let bank = bank().await;
    let strict = workflows::REFUND
        .replace("UPSTREAM", &bank.url())
        .replace("name: refund,", "name: strict,")
        .replace("timeout: {after: P21D}", "timeout: {after: P21D}\ninput:\n  schema: {document: {type: object, required: [amount]}}");
    let host = Host::start(POLITY, |options| {
        company(options, &bank).file("workflows/strict.yaml", strict)
    })
    .await;
    let start = |name: &str, body: Value| {
        host.post(&format!("/api/workflows/{name}/runs"))
            .json(&body)
            .send()
    };
    let response = start("refnd", json!({})).await.unwrap();
    assert_eq!(response.status(), 404);
    let problem: Value = response.json().await.unwrap();
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("did you mean refund"),
        "{problem}"
    );
    let response = start("strict", json!({"input": {}})).await.unwrap();
    assert_eq!(response.status(), 400);
    let problem: Value = response.json().await.unwrap();
    assert!(
        problem["detail"].as_str().unwrap().contains("amount"),
        "{problem}"
    );
    let response = start("refund", json!({"inptu": {}})).await.unwrap();
    assert_eq!(response.status(), 400);
    // What the table cannot answer ends the run with the reason.
    let faulted = run(&host, "refund", json!({"amount": "many"})).await;
    assert_eq!(
        (&faulted["phase"], &faulted["error"]["status"]),
        (&json!("faulted"), &json!(400)),
        "{faulted}"
    );
}

#[tokio::test]
async fn a_failing_peer_is_tried_again_and_a_late_one_given_up() {
    let gate = Gate::new();
    let tries = std::sync::atomic::AtomicUsize::new(0);
    let held = gate.clone();
    let peer = Upstream::start(move |request| match request.path.as_str() {
        "/flaky" if tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2 => {
            Answer::json(503, "{}")
        }
        "/slow" => Answer::json(200, "{}").pass(&held),
        _ => Answer::json(200, r#"{"ok": true}"#),
    })
    .await;
    let task = |path: &str| {
        format!(
            "call: http\n            with: {{method: get, endpoint: '{}{path}'}}\n            metadata: {{effect: at-least-once}}",
            peer.url()
        )
    };
    let flaky = format!(
        "
document: {{dsl: 1.0.3, namespace: shop, name: flaky, version: 1.0.0}}
do:
  - again:
      try:
        - ask:
            {}
            timeout: {{after: PT30S}}
      catch:
        errors: {{with: {{status: 503}}}}
        retry: {{delay: PT0.02S, limit: {{attempt: {{count: 5}}}}}}
",
        task("/flaky")
    );
    let late = format!(
        "
document: {{dsl: 1.0.3, namespace: shop, name: late, version: 1.0.0}}
do:
  - given:
      try:
        - ask:
            {}
            timeout: {{after: PT0.2S}}
      catch:
        errors: {{with: {{status: 408}}}}
        do:
          - enough: {{set: {{late: true}}}}
",
        task("/slow")
    );
    let host = Host::start(POLITY, |options| {
        company(options, &peer)
            .file("workflows/flaky.yaml", flaky)
            .file("workflows/late.yaml", late)
    })
    .await;
    let tried = run(&host, "flaky", json!({})).await;
    let tried = ended(&host, &id(&tried)).await;
    assert_eq!(tried["output"], json!({"ok": true}), "{tried}");
    assert_eq!(peer.requests().len(), 3);
    let late = run(&host, "late", json!({})).await;
    let late = ended(&host, &id(&late)).await;
    assert_eq!(late["output"], json!({"late": true}), "{late}");
    peer.abandoned(1).await;
    gate.open();
}
