//! Requests that name no model of their own: who answers, why, and what happens where nobody may.

mod chat;

use chat::{ask, error, host, says, whole};
use polity_tests::Host;
use serde_json::{Value, json};

/// Two models: a cheap one in the EU and a dear one elsewhere that is better at code.
fn models() -> Value {
    json!({
        "models": {
            "openai/small": {"price": {"input": 1_000_000, "output": 2_000_000}, "region": "eu", "local": false, "quality": {"*": 0.7}},
            "openai/large": {
                "price": {"input": 3_000_000, "output": 15_000_000}, "region": "us", "local": false,
                "quality": {"*": 0.75, "code": 0.95},
            },
        },
        "aliases": {"best": ["large"], "either": ["small", "large"]},
    })
}

async fn routed(models: Value) -> (polity_tests::Upstream, Host) {
    let upstream = says(whole("Good day")).await;
    let host = host(&upstream, |options| {
        options.file("models.json", models.to_string())
    })
    .await;
    (upstream, host)
}

fn header(response: &reqwest::Response, name: &str) -> String {
    response.headers()[name].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn auto_is_answered_by_the_model_that_is_worth_most_and_says_why() {
    let (upstream, host) = routed(models()).await;
    let response = ask(&host, json!({"model": "auto"})).await;
    assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
    assert_eq!(header(&response, "x-polity-model"), "small");
    let why = header(&response, "x-polity-why");
    assert!(why.starts_with("openai/small: best of 2"), "{why}");
    // The company's price, not the adapter's: a thousand tokens at one, five hundred at two.
    assert_eq!(header(&response, "x-polity-cost"), "0.002000");
    let decision = header(&response, "x-polity-decision-id");
    assert_eq!(upstream.arrived(1).await.json()["model"], "small");

    let read = host.read(&format!("/api/decisions/{decision}")).await;
    assert_eq!(read["completion"]["asked"], "auto");
    assert_eq!(read["completion"]["routing"]["why"], why.as_str());
    assert_eq!(read["context"]["model"]["region"], "eu");
    let candidates = &read["completion"]["routing"]["decision"]["candidates"];
    assert_eq!(candidates.as_array().unwrap().len(), 2);
    let story = host.read(&format!("/api/decisions/{decision}/story")).await;
    let text = story["text"].as_str().unwrap();
    assert!(text.contains("chosen    openai/small"), "{text}");
    assert!(text.contains("weighed   openai/large"), "{text}");

    let code = json!([{"role": "user", "content": "Debug this function: fn f() { loop {} }"}]);
    let response = ask(&host, json!({"model": "auto", "messages": code})).await;
    assert_eq!(header(&response, "x-polity-model"), "large");
    let named = ask(&host, json!({})).await;
    assert_eq!(header(&named, "x-polity-why"), "named by the request");
}

#[tokio::test]
async fn an_alias_stands_for_the_models_that_the_company_names() {
    let (_upstream, host) = routed(models()).await;
    let response = ask(&host, json!({"model": "best"})).await;
    assert_eq!(header(&response, "x-polity-model"), "large");
    let (status, error) = error(ask(&host, json!({"model": "bset"})).await).await;
    assert_eq!(status, 404);
    assert!(
        error["message"].as_str().unwrap().contains("best"),
        "{error}"
    );
}

#[tokio::test]
async fn what_the_caller_wants_is_never_traded_and_a_refusal_names_each_condition() {
    let (upstream, host) = routed(models()).await;
    let dear = json!({"model": "auto", "polity": {"min_quality": 0.72}});
    let response = ask(&host, dear).await;
    assert_eq!(header(&response, "x-polity-model"), "large");

    let both = json!({"model": "auto", "polity": {"min_quality": 0.72, "region": "eu"}});
    let (status, refused) = error(ask(&host, both).await).await;
    assert_eq!(
        (status, &refused["code"]),
        (400, &json!("no_eligible_model"))
    );
    let message = refused["message"].as_str().unwrap();
    assert!(
        message
            .contains("openai/small: a score of 0.700 is expected of it, at least 0.720 is wanted"),
        "{message}"
    );
    assert!(
        message.contains("openai/large: data must stay in eu, it is in us"),
        "{message}"
    );

    // A model that is named has to keep the conditions too, and a header says the same as the body.
    let request = host
        .post("/v1/chat/completions")
        .header("x-polity-region", "eu")
        .json(&chat::asks(json!({"model": "large"})));
    let (status, refused) = error(request.send().await.unwrap()).await;
    assert_eq!(
        (status, &refused["code"]),
        (400, &json!("no_eligible_model"))
    );
    let request = host
        .post("/v1/chat/completions")
        .header("x-polity-max-kost", "1")
        .json(&chat::asks(json!({})));
    let (status, refused) = error(request.send().await.unwrap()).await;
    assert_eq!(status, 400);
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("x-polity-max-cost"),
        "{refused}"
    );
    let (status, _) = error(ask(&host, json!({"polity": {"max_cost": -1}})).await).await;
    assert_eq!(status, 400);
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_request_like_nothing_known_goes_to_a_person_with_the_best_guess() {
    let mut models = models();
    models["policy"] = json!({"gate": {"least_feedback": 3}});
    let (upstream, host) = routed(models).await;
    let (status, refused) = error(ask(&host, json!({"model": "auto"})).await).await;
    assert_eq!((status, &refused["code"]), (403, &json!("escalated")));
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("guess openai/small"), "{message}");
    assert!(upstream.requests().is_empty());
    let items = host.read("/api/inbox").await;
    let item = &items["items"][0];
    assert_eq!(item["role"], "owner");
    assert!(
        item["question"]
            .as_str()
            .unwrap()
            .contains("guess openai/small"),
        "{item}"
    );
    let decision = item["evidence"]["decision"].as_str().unwrap().to_owned();
    let replay = host
        .read(&format!("/api/decisions/{decision}/replay"))
        .await;
    assert_eq!(replay["same"], true, "{replay}");
    // Whoever names a model has decided.
    let named = ask(&host, json!({})).await;
    assert_eq!(named.status(), 200);
}

#[tokio::test]
async fn a_mistake_in_models_json_is_told_and_what_was_in_force_stays() {
    let (_upstream, host) = routed(models()).await;
    std::fs::write(host.company.join("models.json"), r#"{"modles": {}}"#).unwrap();
    let answer = host.post("/api/constitution/reload").send().await.unwrap();
    assert_eq!(answer.status(), 409);
    let told = answer.text().await.unwrap();
    assert!(
        told.contains("models.json") && told.contains("did you mean \\\"models\\\"?"),
        "{told}"
    );
    let response = ask(&host, json!({"model": "best"})).await;
    assert_eq!(header(&response, "x-polity-model"), "large");

    let other = json!({"aliases": {"best": ["small"]}});
    std::fs::write(host.company.join("models.json"), other.to_string()).unwrap();
    let answer = host.post("/api/constitution/reload").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let response = ask(&host, json!({"model": "best"})).await;
    assert_eq!(header(&response, "x-polity-model"), "small");
}

#[tokio::test]
async fn who_would_answer_is_told_without_asking_anybody() {
    let (upstream, host) = routed(models()).await;
    let asked = json!({"text": "Good morning!", "polity": {"region": "eu"}});
    let answer = host.json(host.post("/api/route").json(&asked)).await;
    assert_eq!(answer["model"], "openai/small");
    let table = answer["text"].as_str().unwrap();
    assert!(
        table.contains("data must stay in eu, it is in us"),
        "{table}"
    );
    assert_eq!(
        answer["decision"]["candidates"][1]["reasons"][0]["reason"],
        "outside-region"
    );
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn feedback_changes_who_is_chosen_and_outlives_the_host() {
    let mut models = models();
    models["policy"] = json!({"mode": "on", "exploration": {"share": 0}});
    let (_upstream, mut host) = routed(models).await;
    for _ in 0..12 {
        let response = ask(&host, json!({"model": "auto"})).await;
        let decision = header(&response, "x-polity-decision-id");
        let good = header(&response, "x-polity-model") == "large";
        let path = format!("/api/decisions/{decision}/feedback");
        let lesson = host
            .json(host.post(&path).json(&json!({"accepted": good})))
            .await;
        assert_eq!(lesson["weight"], 1.0, "{lesson}");
    }
    let chosen = host
        .json(host.post("/api/route").json(&json!({"text": "Hello"})))
        .await;
    assert_eq!(chosen["model"], "openai/large", "{}", chosen["text"]);
    host.restart().await;
    let again = host
        .json(host.post("/api/route").json(&json!({"text": "Hello"})))
        .await;
    assert_eq!(again["model"], "openai/large", "{}", again["text"]);

    let named = ask(&host, json!({})).await;
    let path = format!(
        "/api/decisions/{}/feedback",
        header(&named, "x-polity-decision-id")
    );
    let refused = host
        .post(&path)
        .json(&json!({"score": 1}))
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 409);
}
