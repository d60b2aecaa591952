//! Every function that a workflow can call, on the host as it runs; and the emergency stop before the next of their effects.

mod workflows;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use polity_tests::{Answer, Gate, Host, Options, Upstream};
use serde_json::{Value, json};
use workflows::{POLITY, answer, bank, company, ended, id, run, until};

/// A provider whose models say yes, each in its own words.
async fn provider() -> Upstream {
    Upstream::start(|request| {
        let asked = request.json();
        let model = asked["model"].as_str().unwrap_or_default();
        let text = match model {
            "poet" => "Kind words",
            "sceptic" => "No",
            _ => "Yes",
        };
        Answer::json(
            200,
            json!({"id": "x", "object": "chat.completion", "model": model,
                "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}})
            .to_string(),
        )
    })
    .await
}

fn office(
    options: Options,
    bank: &Upstream,
    provider: &Upstream,
    workflows: &[(&str, &str)],
) -> Options {
    let options = company(options, bank)
        .openai(provider, &["poet", "yes", "sceptic"])
        .file(
            "models.json",
            r#"{"councils": {"board": {"members": ["yes", "yes", "sceptic"], "rounds": 1}}}"#,
        );
    workflows.iter().fold(options, |options, (name, body)| {
        let head =
            format!("document: {{dsl: 1.0.3, namespace: shop, name: {name}, version: 1.0.0}}\n");
        options.file(format!("workflows/{name}.yaml"), format!("{head}{body}"))
    })
}

#[tokio::test]
async fn models_and_councils_answer_workflows_and_their_decisions_tell_of_it() {
    let write = "
do:
  - words:
      call: model
      with: {model: poet, prompt: Write kind words, input: {to: ada}}
      export: {as: '{words: .text}'}
  - weigh:
      call: council
      with: {question: Are they kind?, members: [board], input: '${ $context }'}
      export: {as: '$context + {weighed: .text, decision: .decision, cost: .cost_micro}'}
  - result: {set: '${ $context }'}
";
    let all = write
        .replace("members: [board]", "members: [board], quorum: 3")
        .replace("name: write", "name: all");
    let nobody =
        "do:\n  - weigh: {call: council, with: {question: Why?, members: [yes, sceptic]}}\n";
    let unknown = "do:\n  - weigh: {call: council, with: {question: Why?, members: [bord]}}\n";
    let (bank, provider) = (bank().await, provider().await);
    let workflows = [
        ("write", write),
        ("all", &*all),
        ("nobody", nobody),
        ("unknown", unknown),
    ];
    let host = Host::start(POLITY, |options| {
        office(options, &bank, &provider, &workflows)
    })
    .await;
    for name in ["write", "all"] {
        let done = run(&host, name, json!({})).await;
        let output = &done["output"];
        assert_eq!(
            (&output["words"], &output["weighed"]),
            (&json!("Kind words"), &json!("Yes")),
            "{done}"
        );
        assert!(
            output["cost"].as_u64().is_some_and(|cost| cost > 0),
            "{done}"
        );
        let decision = output["decision"].as_str().unwrap();
        let told = host
            .read(&format!("/api/decisions/{decision}"))
            .await
            .to_string();
        assert!(told.contains("sceptic"), "{told}");
    }
    // One model, and three members of a council, each time.
    assert_eq!(provider.requests().len(), 8);
    for (name, words) in [
        ("nobody", "one council of models.json"),
        ("unknown", "council/board"),
    ] {
        let failed = run(&host, name, json!({})).await;
        let why = failed["error"]["detail"].as_str().unwrap_or_default();
        assert!(why.contains(words), "{failed}");
        assert_eq!(failed["error"]["instance"], "/do/0/weigh", "{failed}");
    }
}

#[tokio::test]
async fn records_are_written_found_and_changed_by_workflows() {
    let notes = "
do:
  - write:
      call: records.insert
      with: {collection: notes, record: {n: '${ .n }', open: true}}
      export: {as: '{id: .id}'}
  - change:
      call: records.update
      with: {collection: notes, id: '${ $context.id }', set: {open: false}, expect: {open: true}}
  - stale:
      try:
        - again:
            call: records.update
            with: {collection: notes, id: '${ $context.id }', set: {n: 0}, expect: {open: true}}
      catch: {as: why, do: [{told: {set: {status: '${ $why.status }'}}}]}
      export: {as: '$context + {stale: .status}'}
  - find:
      call: records.query
      with: {collection: notes, where: {open: false, n: {'>=': 2}}, order: -n, limit: 2, fields: [n]}
      export: {as: '$context + {found: .}'}
  - result: {set: '${ $context | {stale, found} }'}
";
    let (bank, provider) = (bank().await, provider().await);
    let host = Host::start(POLITY, |options| {
        office(options, &bank, &provider, &[("notes", notes)])
    })
    .await;
    for n in [1, 3, 2] {
        run(&host, "notes", json!({ "n": n })).await;
    }
    let done = run(&host, "notes", json!({"n": 5})).await;
    assert_eq!(
        done["output"],
        json!({"stale": 409, "found": [{"n": 5}, {"n": 3}]}),
        "{done}"
    );
    let rows = host
        .json(
            host.post("/api/query")
                .json(&json!({"sql": "SELECT count(*) AS n FROM notes WHERE NOT open"})),
        )
        .await;
    assert_eq!(rows["rows"][0][0], 4, "{rows}");
}

#[tokio::test]
async fn people_approve_fill_in_forms_and_vote() {
    let people = "
do:
  - gate:
      call: human.approve
      with: {title: Go on?, role: owner, proposal: {amount: 40}}
      export: {as: '{gate: .decision, by: .by, amount: .proposal.amount}'}
  - form:
      call: human.task
      with:
        title: Measure it
        role: owner
        form: {type: object, required: [words], properties: {words: {type: integer}}}
      export: {as: '$context + {words: .words}'}
  - vote:
      call: human.vote
      with: {title: Which?, role: owner, quorum: 2, options: [tea, coffee]}
      export: {as: '$context + {voted: .decision, counts: .counts}'}
  - result: {set: '${ $context }'}
";
    let (bank, provider) = (bank().await, provider().await);
    let host = Host::start(POLITY, |options| {
        office(options, &bank, &provider, &[("people", people)]).amend_charter(
            "people",
            json!([
                {"id": "ada", "name": "Ada Example", "roles": ["owner"]},
                {"id": "joan", "name": "Joan Example", "roles": ["owner"]},
                {"id": "mary", "name": "Mary Example", "roles": ["owner"]},
            ]),
        )
    })
    .await;
    let waits = |task: &'static str| {
        move |run: &Value| {
            run["position"] == json!([format!("/do/{task}")]) && run["waits"][0]["for"] == "person"
        }
    };
    let asked = run(&host, "people", json!({})).await;
    let edited = json!({"type": "edit", "args": {"amount": 30}});
    answer(&host, &asked, "person:joan", edited).await;
    let asked = until(&host, &id(&asked), waits("1/form")).await;
    let token = host.token_for("person:joan").await;
    let item = asked["waits"][0]["item"].as_str().unwrap();
    let wrong = host
        .anonymous(
            reqwest::Method::POST,
            &format!("/api/inbox/{item}/decision"),
        )
        .bearer_auth(token)
        .json(&json!({"type": "edit", "args": {"words": "many"}, "note": "x"}));
    assert_eq!(wrong.send().await.unwrap().status(), 400);
    answer(
        &host,
        &asked,
        "person:joan",
        json!({"type": "edit", "args": {"words": 7}}),
    )
    .await;
    let asked = until(&host, &id(&asked), waits("2/vote")).await;
    // Whoever has it run has no vote.
    assert_eq!(asked["waits"].as_array().map(Vec::len), Some(2), "{asked}");
    for ballot in asked["waits"].as_array().unwrap() {
        let item = host
            .read(&format!("/api/inbox/{}", ballot["item"].as_str().unwrap()))
            .await;
        let own = item["evidence"]["people"][0].as_str().unwrap().to_owned();
        let one = json!({"waits": [ballot]});
        answer(&host, &one, &own, json!({"type": "respond", "args": "tea"})).await;
    }
    let done = ended(&host, &id(&asked)).await;
    assert_eq!(
        done["output"],
        json!({"gate": "approved", "by": "person:joan", "amount": 30, "words": 7, "voted": "tea", "counts": {"tea": 2, "coffee": 0}}),
        "{done}"
    );
}

#[tokio::test]
async fn a_halt_stops_every_branch_before_its_next_effect_and_lasts_through_a_kill() {
    // Four branches pay twice each; the first payments are on their way when the halt comes.
    let branch = |n: u32| {
        let pay = format!(
            "{{call: http, with: {{method: post, endpoint: 'BANK/refunds', body: {{amount: {n}}}}}, \
             metadata: {{action: refund.pay, effect: idempotent}}}}"
        );
        format!("          - b{n}: {{do: [{{first: {pay}}}, {{second: {pay}}}]}}\n")
    };
    let branches: String = (1..=4).map(branch).collect();
    let body = format!("do:\n  - all:\n      fork:\n        branches:\n{branches}");
    let gate = Gate::new();
    let (held, arrived) = (gate.clone(), Arc::new(AtomicUsize::new(0)));
    let seen = arrived.clone();
    let bank = Upstream::start(move |request| {
        let paid = Answer::json(200, json!({"paid": request.json()["amount"]}).to_string());
        if seen.fetch_add(1, Ordering::SeqCst) < 4 {
            paid.pass(&held)
        } else {
            paid
        }
    })
    .await;
    let provider = provider().await;
    let body = body.replace("BANK", &bank.url());
    let mut host = Host::start(POLITY, |options| {
        office(options, &bank, &provider, &[("fork", &*body)])
    })
    .await;
    let begun = host
        .json(
            host.post("/api/workflows/fork/runs")
                .json(&json!({"input": {}})),
        )
        .await;
    bank.arrived(4).await;
    let halt = json!({"pattern": "refund.*", "reason": "paid twice"});
    host.json(host.post("/api/halts").json(&halt)).await;
    gate.open();
    let stopped = |run: &Value| {
        let waits = run["waits"].as_array().unwrap();
        waits.iter().filter(|waits| waits["for"] == "halt").count() == 4
    };
    let run = until(&host, &id(&begun), stopped).await;
    assert_eq!(bank.requests().len(), 4, "{run}");
    host.kill9().await;
    host.restart().await;
    let run = until(&host, &id(&begun), stopped).await;
    assert_eq!(
        (&run["phase"], bank.requests().len()),
        (&json!("running"), 4),
        "{run}"
    );
    host.json(host.delete("/api/halts/refund.*")).await;
    let done = ended(&host, &id(&begun)).await;
    assert_eq!(done["phase"], "completed", "{done}");
    assert_eq!(bank.requests().len(), 8);
}
