//! Completions, whole.

use std::time::Duration;

use polity_constitution::OutcomeKind;
use polity_kernel::{
    Answer, CompleteError, Completed, CompletionRecord, CompletionRequest, CompletionStatus, Delta,
    Message,
};
use polity_test_guests::ADAPTER;
use polity_tests::{Answer as Scripted, Gate, Upstream};
use serde_json::json;

use crate::company::{Company, openai_answer, plan, question};

async fn ask(company: &Company, request: CompletionRequest) -> Result<Completed, CompleteError> {
    match company
        .kernel
        .complete(&company.ada(), request, false)
        .await?
    {
        Answer::Whole(completed) => Ok(completed),
        Answer::Stream(_) => panic!("a whole answer was asked for"),
    }
}

fn record(company: &Company, id: uuid::Uuid) -> CompletionRecord {
    company
        .kernel
        .decision(id)
        .unwrap()
        .unwrap()
        .completion
        .unwrap()
}

fn text(completed: &Completed) -> String {
    let texts = completed.content.iter().map(|piece| match piece {
        Delta::Text(text) => text.as_str(),
        _ => "",
    });
    texts.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_answers_and_the_record_says_which_how_and_for_how_much() {
    let upstream = Upstream::start(|_| Scripted::json(200, openai_answer("Hello.", 20, 3))).await;
    let company = plan().openai(&upstream).start();
    let completed = ask(&company, question("paid", "Say hello.")).await.unwrap();
    assert_eq!(text(&completed), "Hello.");
    assert_eq!((&*completed.model, &*completed.plugin), ("paid", "openai"));
    assert_eq!(
        (completed.cost_micro, completed.outcome.finish.as_str()),
        (26, "stop")
    );
    let record = record(&company, completed.decision_id);
    assert_eq!(record.status, CompletionStatus::Answered);
    assert_eq!(
        (record.input_tokens, record.output_tokens, record.cost_micro),
        (20, 3, 26)
    );
    assert!(!record.is_estimate && !record.stream && record.reserved_micro >= 200);
    assert_eq!(record.plugin_version.as_deref(), Some("0.1.0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_has_two_names_and_a_wrong_one_is_met_with_proposals() {
    let company = plan()
        .plugin("triage")
        .file("hostile-adapter.wasm", ADAPTER)
        .start();
    for name in ["triage", "triage/triage"] {
        let completed = ask(&company, question(name, "my invoice is wrong"))
            .await
            .unwrap();
        assert_eq!(&*completed.plugin, "triage");
        assert_eq!(record(&company, completed.decision_id).asked, name);
    }
    let Err(CompleteError::UnknownModel { asked, near, .. }) =
        ask(&company, question("triag", "x")).await
    else {
        panic!("there is no such model")
    };
    assert_eq!((asked.as_str(), near[0].as_str()), ("triag", "triage"));
    let models = company.kernel.models().await;
    let ids: Vec<&str> = models.iter().map(|model| model.info.id.as_str()).collect();
    assert!(ids.is_sorted() && ids.contains(&"triage") && ids.contains(&"hostile-echo"));
    assert_eq!(company.kernel.model_problems(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn providers_are_asked_for_their_models_when_needed_and_not_again_at_once() {
    let list = json!({"object": "list", "data": [{"id": "found", "object": "model"}]}).to_string();
    let upstream = Upstream::start(move |request| match request.path.as_str() {
        "/v1/models" => Scripted::json(200, list.clone()),
        _ => Scripted::json(200, openai_answer("ok", 1, 1)),
    })
    .await;
    let (host, url) = (upstream.address(), upstream.url());
    let grant = format!(
        "[[http]]\nhost = \"{host}\"\nmethods = [\"GET\", \"POST\"]\nplain = true\nprivate = true\n\
         [config]\nbase_url = \"{url}/v1\"\nmodels = []\ndiscover = true\n"
    );
    let company = plan()
        .plugin("openai")
        .file("openai.grant.toml", grant.as_bytes())
        .start();
    let (first, second) = tokio::join!(
        ask(&company, question("found", "x")),
        ask(&company, question("found", "y"))
    );
    first.unwrap();
    second.unwrap();
    assert!(ask(&company, question("lost", "x")).await.is_err());
    let asked = || {
        upstream
            .requests()
            .iter()
            .filter(|request| request.path == "/v1/models")
            .count()
    };
    assert_eq!(asked(), 1);
    company.clock.advance(30_000);
    ask(&company, question("found", "x")).await.unwrap();
    assert_eq!(asked(), 1);
    assert_eq!(company.kernel.models().await.len(), 1);
    assert_eq!(asked(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rules_deny_or_escalate_does_not_reach_the_model() {
    let upstream = Upstream::start(|_| Scripted::json(200, openai_answer("no", 1, 1))).await;
    let company = plan()
        .openai(&upstream)
        .plugin("pii-guard")
        .rule(
            "secrets",
            json!({"rule": "pii-guard", "guards": ["model.*"], "config": {
                "categories": {"email": "deny", "iban": "escalate"}, "escalate_to": "finance"
            }}),
        )
        .start();
    let Err(CompleteError::Denied(denied)) =
        ask(&company, question("paid", "mail ada@example.com")).await
    else {
        panic!("it is to be denied")
    };
    assert_eq!(denied.outcome, OutcomeKind::Deny);
    assert_eq!(
        record(&company, denied.id).status,
        CompletionStatus::Refused
    );
    let Err(CompleteError::Escalated(waits)) =
        ask(&company, question("paid", "pay DE89370400440532013000")).await
    else {
        panic!("it is to be escalated")
    };
    let item = company
        .kernel
        .inbox()
        .get(waits.inbox_items[0])
        .unwrap()
        .unwrap();
    assert_eq!(item.role, "finance");
    assert_eq!(
        item.proposal["messages"][0]["content"],
        "pay DE89370400440532013000"
    );
    assert!(item.cost_at_stake.unwrap() > 0);
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_gets_the_request_as_the_rules_amended_it() {
    let upstream = Upstream::start(|_| Scripted::json(200, openai_answer("ok", 1, 1))).await;
    let company = plan()
        .openai(&upstream)
        .plugin("pii-guard")
        .rule("privacy", json!({"rule": "pii-guard", "guards": ["model.*"], "config": {"categories": {"email": "redact"}}}))
        .start();
    let tools =
        serde_json::value::to_raw_value(&json!([{"type": "function", "function": {"name": "f"}}]))
            .unwrap();
    let request = CompletionRequest {
        tools: Some(tools),
        max_output_tokens: Some(7),
        messages: vec![
            Message::text("system", "Be brief."),
            Message::text("user", "mail ada@example.com"),
        ],
        ..question("paid", "")
    };
    let completed = ask(&company, request).await.unwrap();
    let sent = upstream.requests()[0].json();
    assert_eq!(
        sent["messages"][0],
        json!({"role": "system", "content": "Be brief."})
    );
    let content = sent["messages"][1]["content"].as_str().unwrap();
    assert!(
        content.starts_with("mail ") && !content.contains('@'),
        "{content}"
    );
    assert_eq!(
        (
            &sent["tools"][0]["function"]["name"],
            &sent["max_completion_tokens"]
        ),
        (&json!("f"), &json!(7))
    );
    let decision = company
        .kernel
        .decision(completed.decision_id)
        .unwrap()
        .unwrap();
    assert_eq!(decision.outcome, OutcomeKind::Amend);
    assert_eq!(decision.changed, ["/messages/1/content"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_know_the_model_its_price_and_who_asks() {
    let upstream = Upstream::start(|_| Scripted::json(200, openai_answer("ok", 1, 1))).await;
    let company = plan().openai(&upstream).start();
    let completed = ask(&company, question("openai/paid", "12345678"))
        .await
        .unwrap();
    let context = company
        .kernel
        .decision(completed.decision_id)
        .unwrap()
        .unwrap()
        .context;
    assert_eq!(context["model"]["id"], "paid");
    assert_eq!(context["model"]["plugin"], "openai");
    assert_eq!(context["model"]["local"], true);
    assert!(context["estimated_cost_micro"].as_u64().unwrap() > 200);
    assert_eq!(context["actor_roles"], json!(["owner", "finance"]));
    assert_eq!(
        context["spent_today_micro"],
        json!({"actor": 0, "company": 0})
    );
    let again = ask(&company, question("paid", "x")).await.unwrap();
    let context = company
        .kernel
        .decision(again.decision_id)
        .unwrap()
        .unwrap()
        .context;
    assert_eq!(
        context["spent_today_micro"],
        json!({"actor": 3, "company": 3})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_fails_is_an_error_with_a_stable_code_and_costs_nothing() {
    let upstream =
        Upstream::start(|_| Scripted::json(429, r#"{"error": {"message": "slow down"}}"#)).await;
    let company = plan()
        .openai(&upstream)
        .file("hostile-adapter.wasm", ADAPTER)
        .start();
    for (model, code) in [
        ("paid", "rate-limited"),
        ("hostile-trap", "trap"),
        ("hostile-memory", "out-of-memory"),
    ] {
        let error = ask(&company, question(model, "x")).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        let record = record(&company, error.decision_id().unwrap());
        assert_eq!(
            (record.status, record.cost_micro),
            (CompletionStatus::Failed, 0)
        );
        assert_eq!(record.error.unwrap().code, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_takes_longer_than_the_caller_allows_is_given_up() {
    let gate = Gate::new();
    let script = gate.clone();
    let upstream = Upstream::start(move |_| Scripted::status(200).pass(&script)).await;
    let company = plan().openai(&upstream).start();
    let request = CompletionRequest {
        deadline: Some(Duration::from_millis(50)),
        ..question("paid", "x")
    };
    let Err(CompleteError::Deadline {
        deadline_ms: 50,
        decision_id: Some(id),
    }) = ask(&company, request).await
    else {
        panic!("it cannot be answered")
    };
    assert_eq!(record(&company, id).status, CompletionStatus::Late);
    upstream.abandoned(1).await;
    let request = CompletionRequest {
        deadline: Some(Duration::ZERO),
        ..question("paid", "x")
    };
    assert!(matches!(
        ask(&company, request).await,
        Err(CompleteError::Deadline { .. })
    ));
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_goes_stops_the_call_upstream_and_leaves_a_record() {
    let gate = Gate::new();
    let script = gate.clone();
    let upstream = Upstream::start(move |_| Scripted::status(200).pass(&script)).await;
    let company = plan().openai(&upstream).start();
    let kernel = company.kernel.clone();
    let ada = company.ada();
    let waiting = tokio::spawn(async move {
        kernel
            .complete(&ada, question("paid", "x"), false)
            .await
            .map(drop)
    });
    gate.reached().await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    upstream.abandoned(1).await;
    let cancelled = &company.kernel.decisions(&Default::default()).unwrap()[0];
    let record = cancelled.completion.as_ref().unwrap();
    assert_eq!(record.status, CompletionStatus::Cancelled);
    assert!(record.is_estimate && record.input_tokens > 0);
    assert_eq!(company.kernel.counters().unwrap().in_progress, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relaxed_ledger_still_has_every_completion() {
    let company = plan()
        .plugin("triage")
        .charter("/ledger", json!({"completions": "relaxed"}))
        .start();
    for _ in 0..20 {
        ask(&company, question("triage", "hello")).await.unwrap();
    }
    assert_eq!(
        company.kernel.decisions(&Default::default()).unwrap().len(),
        20
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_makes_no_sense_is_refused_before_anything_else() {
    let company = plan().plugin("triage").start();
    let error = ask(&company, CompletionRequest::new("triage", vec![]))
        .await
        .unwrap_err();
    assert_eq!((error.code(), error.decision_id()), ("invalid", None));
}
