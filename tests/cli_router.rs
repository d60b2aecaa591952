//! `polity cost` and `polity router`: what completions cost, what the router learned, and training it.

mod chat;
mod cli;

use chat::{ask, host, says, whole};
use cli::at;
use polity_tests::Host;
use serde_json::{Value, json};

fn models() -> Value {
    json!({
        "models": {
            "small": {"price": {"input": 1_000_000, "output": 2_000_000}, "quality": {"*": 0.7}},
            "large": {"price": {"input": 10_000_000, "output": 20_000_000}, "quality": {"*": 0.7}},
        },
        "cache": {"sharing": "actor"},
    })
}

async fn company(models: Value) -> (polity_tests::Upstream, Host) {
    let upstream = says(whole("Good day")).await;
    let host = host(&upstream, |options| {
        options.file("models.json", models.to_string())
    })
    .await;
    (upstream, host)
}

#[tokio::test]
async fn costs_are_told_by_day_model_actor_and_task_with_what_was_saved() {
    let (_upstream, host) = company(models()).await;
    at(&host, &["cost"])
        .await
        .with_code(0)
        .says(&["No model has been asked"]);
    ask(&host, json!({"model": "auto"})).await;
    ask(&host, json!({"model": "auto"})).await;
    ask(&host, json!({"model": "large"})).await;
    let costs = at(&host, &["cost", "--json"]).await.with_code(0).json();
    // A thousand tokens at one and five hundred at two, once, and ten times that.
    assert_eq!(costs["total"]["cost_micro"], 22_000, "{costs}");
    assert_eq!(
        (&costs["total"]["requests"], &costs["total"]["cached"]),
        (&json!(3), &json!(1))
    );
    // One was routed, one came from the cache and one was named.
    assert_eq!(costs["total"]["dearest_micro"], 42_000, "{costs}");
    assert_eq!(costs["by_model"][0]["name"], "openai/large");
    assert_eq!(costs["by_actor"][0]["name"], "person:ada");
    at(&host, &["cost", "--by", "model"])
        .await
        .with_code(0)
        .shows(&[
            "MODEL",
            "openai/large",
            "0.02 EUR",
            "the dearest models would have cost 0.042 EUR",
        ]);
    at(&host, &["cost", "--by", "task", "--days", "1"])
        .await
        .with_code(0);
    at(&host, &["cost", "--days", "0"]).await.with_code(2);
    let refused = host.get("/api/costs?days=0").send().await.unwrap();
    assert_eq!(refused.status(), 400);
}

#[tokio::test]
async fn a_router_is_trained_from_a_file_and_from_feedback_and_stays_trained() {
    let (_upstream, mut host) = company(models()).await;
    at(&host, &["router", "train"])
        .await
        .with_code(1)
        .says(&["give at least 20"]);
    let mut rows = String::new();
    for number in 0..40 {
        let (prompt, small, large) = match number % 2 {
            0 => (
                format!("Write a poem about the sea, number {number}"),
                1.0,
                0.1,
            ),
            _ => (
                format!("Debug this function: fn f{number}() {{ loop {{}} }}"),
                0.1,
                1.0,
            ),
        };
        let row = json!({"prompt": prompt, "score": {"openai/small": small, "openai/large": large}, "task": if number % 2 == 0 { "writing" } else { "code" }});
        rows.push_str(&format!("{row}\n"));
    }
    let file = host.company.join("scores.jsonl");
    std::fs::write(&file, &rows).unwrap();
    let path = file.to_str().unwrap();
    at(&host, &["router", "train", path])
        .await
        .with_code(0)
        .shows(&["Trained on 40 rows", "openai/large", "writing"]);
    at(&host, &["router", "stats"])
        .await
        .with_code(0)
        .shows(&["trained on 40 rows"]);
    let asked =
        json!({"text": "Debug this function: fn g() { loop {} }", "polity": {"task": "code"}});
    let before = host.json(host.post("/api/route").json(&asked)).await;
    assert_eq!(before["model"], "openai/large", "{}", before["text"]);
    host.restart().await;
    let after = host.json(host.post("/api/route").json(&asked)).await;
    assert_eq!(after["model"], "openai/large", "{}", after["text"]);

    // Feedback on this company's own answers is trained from as well.
    let answered = ask(
        &host,
        json!({"model": "auto", "polity": {"task": "writing"}}),
    )
    .await;
    let decision = answered.headers()["x-polity-decision-id"]
        .to_str()
        .unwrap()
        .to_owned();
    host.json(
        host.post(&format!("/api/decisions/{decision}/feedback"))
            .json(&json!({"score": 0.9})),
    )
    .await;
    let stats = at(&host, &["router", "stats", "--json"])
        .await
        .with_code(0)
        .json();
    assert_eq!(stats["rows"], 1, "{stats}");
    let trained = at(&host, &["router", "train", path, "--json"])
        .await
        .with_code(0)
        .json();
    assert_eq!(
        (&trained["from_feedback"], &trained["sent"]),
        (&json!(1), &json!(40))
    );

    std::fs::write(&file, "{\"prompt\": \"x\", \"score\": {\"small\": 7}}").unwrap();
    at(&host, &["router", "train", path])
        .await
        .with_code(2)
        .says(&["line 1", "between 0 and 1"]);
}

#[tokio::test]
async fn a_damaged_predictor_is_left_out_and_named() {
    let (_upstream, mut host) = company(models()).await;
    let rows: Vec<Value> = (0..20)
        .map(|number| json!({"prompt": format!("prompt {number}"), "score": {"openai/small": 0.5}}))
        .collect();
    host.json(
        host.post("/api/router/train")
            .json(&json!({ "rows": rows })),
    )
    .await;
    let folder = host.data.join("router");
    let file = std::fs::read_dir(&folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::write(&file, "{}").unwrap();
    host.restart().await;
    assert_eq!(ask(&host, json!({"model": "auto"})).await.status(), 200);
    assert!(host.log().contains("train it again"), "{}", host.log());
}

#[tokio::test]
async fn what_a_person_settles_is_known_from_then_on() {
    let mut models = models();
    models["policy"] = json!({"gate": {"least_feedback": 1}});
    models["cache"] = json!({});
    let (_upstream, mut host) = company(models).await;
    // Whoever asks cannot decide it as well.
    let token = host.token_for("agent:assistant").await;
    let refused = host
        .anonymous(reqwest::Method::POST, "/v1/chat/completions")
        .bearer_auth(token)
        .json(&chat::asks(json!({"model": "auto"})))
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 403);
    let items = host.read("/api/inbox").await;
    let item = items["items"][0]["id"].as_str().unwrap();
    let decided = host
        .post(&format!("/api/inbox/{item}/decision"))
        .json(&json!({"type": "accept", "note": "it will do"}))
        .send()
        .await
        .unwrap();
    assert!(
        decided.status().is_success(),
        "{}",
        decided.text().await.unwrap()
    );
    assert_eq!(ask(&host, json!({"model": "auto"})).await.status(), 200);
    host.restart().await;
    assert_eq!(ask(&host, json!({"model": "auto"})).await.status(), 200);
}
