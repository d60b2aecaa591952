//! Budgets of teams and of protocols: whoever shares one cannot overspend it, however many ask at once, on whichever
//! surface, before or after a crash; and whoever does not share it is not held back by it.

mod surface;

use polity_tests::{Answer, Gate, Host, Options, Upstream};
use reqwest::Method;
use serde_json::{Value, json};
use surface::{Surface, TEXT, at_rest, host};

/// What one answer of 100 tokens costs here, beside its prompt.
const ANSWER: u64 = 200;

/// A provider whose answers cost all that was set aside for them, and wait for the gate.
async fn provider(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::start(move |_| {
        let body = json!({
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 100},
        });
        Answer::status(200)
            .header("content-type", "application/json")
            .pass(&gate)
            .send(body.to_string())
    })
    .await
}

fn longest(surface: Surface) -> Value {
    match surface {
        Surface::Responses => json!({"max_output_tokens": 100}),
        _ => json!({"max_tokens": 100}),
    }
}

fn limited(options: Options, budgets: Value) -> Options {
    let mut all = json!({"company_daily_micro": null, "actor_daily_micro": null});
    for (name, value) in budgets.as_object().unwrap() {
        all[name] = value.clone();
    }
    options.amend_charter("budgets", all)
}

#[tokio::test]
async fn a_team_that_asks_all_at_once_spends_no_more_than_its_budget() {
    let gate = Gate::new();
    let upstream = provider(&gate).await;
    // Room for five answers, and not for a sixth.
    let limit = 6 * ANSWER;
    let mut host = host(&upstream, |options| {
        let members = json!(["person:ada", "agent:assistant"]);
        let support = json!({"members": members, "daily_micro": limit});
        limited(options, json!({"teams": {"support": support}}))
    })
    .await;
    let tokens = [host.token.clone(), host.token_for("agent:assistant").await];
    let mut requests = tokio::task::JoinSet::new();
    for number in 0..30 {
        let surface = TEXT[number % 3];
        let request = host
            .anonymous(Method::POST, surface.path())
            .bearer_auth(&tokens[number % 2])
            .json(&surface.body(&longest(surface)));
        requests.spawn(async move {
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            (status, response.text().await.unwrap())
        });
    }
    // All but those that are being answered come back at once.
    for _ in 0..25 {
        let (status, told) = requests.join_next().await.unwrap().unwrap();
        assert_eq!(status, 429, "{told}");
        assert!(told.contains("budgets.teams.support.daily_micro"), "{told}");
    }
    assert_eq!(upstream.arrived(5).await.method, "POST");
    // Somebody else is not held back.
    let grace = host.token_for("person:grace").await;
    let beside = host
        .anonymous(Method::POST, Surface::Chat.path())
        .bearer_auth(grace)
        .json(&Surface::Chat.body(&longest(Surface::Chat)));
    gate.open();
    assert_eq!(beside.send().await.unwrap().status(), 200);
    while let Some(done) = requests.join_next().await {
        assert_eq!(done.unwrap().0, 200);
    }
    at_rest(&host).await;
    assert_eq!(spent(&host, "person:grace").await, ANSWER + 3);
    let together = spent(&host, "person:ada").await + spent(&host, "agent:assistant").await;
    assert_eq!(together, 5 * (ANSWER + 3));

    // It is spent for the next host, too.
    host.restart().await;
    let (status, told) = Surface::Chat
        .ask(&host, &longest(Surface::Chat))
        .await
        .error();
    assert_eq!(status, 429, "{told}");
    assert!(told.contains("the team support"), "{told}");
}

/// What somebody has spent, as the costs tell it.
async fn spent(host: &Host, actor: &str) -> u64 {
    let costs = host.read("/api/costs").await;
    let rows = costs["by_actor"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == actor);
    row.map_or(0, |row| row["cost_micro"].as_u64().unwrap())
}

const KIND_WORDS: &str = "
document: {dsl: 1.0.3, namespace: shop, name: kind-words, version: 1.0.0}
do:
  - write:
      call: model
      with: {prompt: Write kind words, model: small}
";

#[tokio::test]
async fn a_protocols_budget_ends_its_runs_and_nothing_else() {
    let gate = Gate::new();
    gate.open();
    let upstream = provider(&gate).await;
    let host = host(&upstream, |options| {
        // The longest answer is not said, so what is set aside is 4,096 tokens of it.
        let budget = json!({"kind-words": {"hourly_micro": 8_600, "daily_micro": 8_600}});
        limited(options, json!({ "protocols": budget }))
            .file("workflows/kind-words.yaml", KIND_WORDS)
    })
    .await;
    let run = async || {
        let path = "/api/workflows/kind-words/runs?wait=30";
        host.json(host.post(path).json(&json!({"input": {}}))).await
    };
    for _ in 0..2 {
        let done = run().await;
        assert_eq!(done["phase"], "completed", "{done}");
    }
    let over = run().await;
    assert_eq!(over["phase"], "faulted", "{over}");
    let told = over.to_string();
    assert!(
        told.contains("budgets.protocols.kind-words.hourly_micro"),
        "{told}"
    );
    // The same person asks the same model beside it.
    assert_eq!(Surface::Chat.ask(&host, &json!({})).await.text(), "Hi");
    assert_eq!(upstream.requests().len(), 3);
}

#[tokio::test]
async fn a_budget_for_nobody_is_told_where_it_stands_and_what_was_in_force_stays() {
    let gate = Gate::new();
    gate.open();
    let upstream = provider(&gate).await;
    let host = host(&upstream, |options| limited(options, json!({}))).await;
    let charter = std::fs::read_to_string(host.company.join("charter.json")).unwrap();
    let with = |budgets: Value| {
        let mut charter: Value = serde_json::from_str(&charter).unwrap();
        charter["budgets"] = budgets;
        std::fs::write(host.company.join("charter.json"), charter.to_string()).unwrap();
    };
    for (budgets, pointer, words) in [
        (
            json!({"teams": {"support": {"members": ["person:adda"], "daily_micro": 1}}}),
            "/budgets/teams/support/members/0",
            "person:ada",
        ),
        (
            json!({"protocols": {"refund": {"daily_micro": 1}}}),
            "/budgets/protocols/refund",
            "refund",
        ),
        (
            json!({"teams": {"support": {"members": [], "daily_micro": -1}}}),
            "/budgets/teams/support/daily_micro",
            "0",
        ),
        (
            json!({"teams": {"support": {"members": [], "dayly_micro": 1}}}),
            "/budgets/teams/support",
            "dayly_micro",
        ),
    ] {
        with(budgets);
        let reloaded = host.post("/api/constitution/reload").send().await.unwrap();
        assert!(reloaded.status().is_client_error(), "{pointer}");
        let told = reloaded.text().await.unwrap();
        assert!(
            told.contains(pointer) && told.contains(words),
            "{pointer}: {told}"
        );
        assert_eq!(Surface::Chat.ask(&host, &json!({})).await.text(), "Hi");
    }
}
