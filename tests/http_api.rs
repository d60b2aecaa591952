//! Our own API as a program sees it.

mod api;

use api::{act, as_holder_of, host, problem};
use polity_tests::Events;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn an_action_is_judged_recorded_and_found_again() {
    let host = host().await;
    let response = host
        .post("/api/actions")
        .json(&json!({"kind": "refund.approve", "input": {"amount": 7}, "context": {"ticket": "4711"}}))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let header = response.headers()["x-polity-decision-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let decision: Value = response.json().await.unwrap();
    assert_eq!(decision["id"], header);
    assert_eq!(
        (&decision["outcome"], &decision["actor"]),
        (&json!("allow"), &json!("person:ada"))
    );
    assert_eq!(decision["findings"][0]["rule"], "spending-limit");

    let found = host.read(&format!("/api/decisions/{header}")).await;
    assert_eq!(
        (&found["outcome"], &found["input"]),
        (&decision["outcome"], &json!({"amount": 7}))
    );
    let story = host.read(&format!("/api/decisions/{header}/story")).await;
    assert!(
        story["text"].as_str().unwrap().contains("refund.approve"),
        "{story}"
    );
    assert_eq!(story["story"]["decision"]["id"], header);
    assert_eq!(
        host.read(&format!("/api/decisions/{header}/replay")).await["same"],
        true
    );
}

#[tokio::test]
async fn every_outcome_is_an_answer_and_not_an_error() {
    let host = host().await;
    for (amount, outcome) in [(50, "allow"), (51, "escalate"), (501, "deny")] {
        assert_eq!(act(&host, amount).await["outcome"], outcome, "{amount}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_pointed_at() {
    let host = host().await;
    let send = async |body: Value| {
        problem(host.post("/api/actions").json(&body).send().await.unwrap()).await
    };
    for (body, pointer, words) in [
        (json!({}), "", "kind"),
        (json!({"kind": 7}), "/kind", "string"),
        (json!({"kind": "Refund!"}), "/kind", "kind of action"),
        (
            json!({"kind": "a.b", "inptu": {}}),
            "/inptu",
            "did you mean `input`?",
        ),
    ] {
        let (status, code, problem) = send(body.clone()).await;
        assert_eq!((status, code.as_str()), (400, "invalid"), "{body}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        assert!(
            problem["errors"][0]["detail"]
                .as_str()
                .unwrap()
                .contains(words),
            "{problem}"
        );
    }
    let (status, code, _) = send(json!({"kind": "a.b", "input": [1]})).await;
    assert_eq!((status, code.as_str()), (400, "invalid"));
    let malformed = host
        .post("/api/actions")
        .header("content-type", "application/json")
        .body("{");
    assert_eq!(
        problem(malformed.send().await.unwrap()).await.1,
        "malformed"
    );
    let form = host
        .post("/api/actions")
        .header("content-type", "text/plain")
        .body("{}");
    assert_eq!(
        problem(form.send().await.unwrap()).await.1,
        "unsupported-media-type"
    );
}

#[tokio::test]
async fn roles_open_exactly_their_doors() {
    let host = host().await;
    let auditor = host.token_for("person:eve").await;
    let member = host.token_for("person:grace").await;
    for (method, path, for_auditor, for_member) in [
        (Method::GET, "/api/decisions", 200, 200),
        (Method::GET, "/api/inbox", 200, 200),
        (Method::GET, "/api/plugins", 200, 403),
        (Method::GET, "/api/plugins/spending-limit/grant", 200, 403),
        (Method::DELETE, "/api/plugins/nothing", 403, 403),
        (Method::GET, "/api/ledger", 200, 403),
        (Method::POST, "/api/ledger/verify", 200, 403),
        (Method::GET, "/api/ledger/export", 200, 403),
        (Method::GET, "/metrics", 200, 403),
        (Method::GET, "/api/tokens", 200, 200),
    ] {
        for (token, status) in [(&auditor, for_auditor), (&member, for_member)] {
            let response = as_holder_of(&host, method.clone(), path, token).await;
            assert_eq!(response.status().as_u16(), status, "{method} {path}");
        }
        let response = host.anonymous(method.clone(), path).send().await.unwrap();
        assert_eq!(problem(response).await.0, 401, "{method} {path}");
    }
    let action = host
        .anonymous(Method::POST, "/api/actions")
        .bearer_auth(&auditor)
        .json(&json!({"kind": "a.b"}));
    let (status, code, refusal) = problem(action.send().await.unwrap()).await;
    assert_eq!(
        (status, code.as_str(), &refusal["permission"]),
        (403, "forbidden", &json!("actions:submit"))
    );
}

#[tokio::test]
async fn decisions_come_in_pages_and_can_be_narrowed() {
    let host = host().await;
    for amount in [1, 2, 3, 501, 502] {
        act(&host, amount).await;
    }
    let ids = |page: &Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["input"]["amount"].to_string())
            .collect()
    };
    let first = host.read("/api/decisions?limit=2").await;
    assert_eq!(ids(&first), ["502", "501"]);
    let next = first["next"].as_str().unwrap();
    let second = host
        .read(&format!("/api/decisions?limit=2&after={next}"))
        .await;
    assert_eq!(ids(&second), ["3", "2"]);
    let third = host
        .read(&format!(
            "/api/decisions?limit=2&after={}",
            second["next"].as_str().unwrap()
        ))
        .await;
    assert_eq!(
        (ids(&third), &third["next"]),
        (vec!["1".to_owned()], &Value::Null)
    );
    assert_eq!(
        ids(&host.read("/api/decisions?outcome=deny").await).len(),
        2
    );
    assert_eq!(
        ids(&host
            .read("/api/decisions?kind=refund.*&actor=person:ada")
            .await)
        .len(),
        5
    );
    assert_eq!(
        ids(&host.read("/api/decisions?actor=person:joan").await).len(),
        0
    );
    for query in [
        "limit=0",
        "limit=many",
        "after=x",
        "outcome=maybe",
        "kind=..",
        "colour=red",
    ] {
        let response = host
            .get(&format!("/api/decisions?{query}"))
            .send()
            .await
            .unwrap();
        assert_eq!(problem(response).await.0, 400, "{query}");
    }
    for path in [
        "/api/decisions/x",
        "/api/decisions/019300a1-0000-7000-8000-000000000000/story",
    ] {
        assert_eq!(
            problem(host.get(path).send().await.unwrap()).await.0,
            404,
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_item_is_decided_once_by_somebody_else_and_with_a_reason() {
    let host = host().await;
    let decision = act(&host, 100).await;
    let item = decision["inbox_items"][0].as_str().unwrap();
    let joan = host.token_for("person:joan").await;
    let grace = host.token_for("person:grace").await;
    let path = format!("/api/inbox/{item}/decision");
    let decide = async |token: &str, body: Value| {
        host.anonymous(Method::POST, &path)
            .bearer_auth(token)
            .json(&body)
            .send()
            .await
            .unwrap()
    };

    let mine = host.read("/api/inbox").await;
    assert!(
        mine["items"][0]["why_not"]
            .as_str()
            .unwrap()
            .contains("asked for this"),
        "{mine}"
    );
    assert_eq!(host.read("/api/inbox?mine=true").await["items"], json!([]));
    let seen: Value = as_holder_of(&host, Method::GET, &format!("/api/inbox/{item}"), &joan)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(seen["why_not"], Value::Null);

    let accept = |note: &str| json!({"type": "accept", "note": note, "seen_digest": seen["proposal_digest"]});
    assert_eq!(
        problem(decide(&host.token, accept("I want it")).await)
            .await
            .0,
        403
    );
    assert_eq!(problem(decide(&grace, accept("nice")).await).await.0, 403);
    assert_eq!(problem(decide(&joan, accept("")).await).await.0, 400);
    assert_eq!(
        problem(decide(&joan, json!({"type": "edit", "note": "less"})).await)
            .await
            .2["errors"][0]["pointer"],
        "/args"
    );
    let other = json!({"type": "accept", "note": "x", "seen_digest": "0".repeat(64)});
    assert_eq!(problem(decide(&joan, other).await).await.1, "conflict");

    let decided = decide(&joan, accept("checked")).await;
    assert_eq!(decided.status(), 200);
    let decided: Value = decided.json().await.unwrap();
    assert_eq!(decided["state"]["decided"]["by"], "person:joan");
    assert_eq!(
        problem(decide(&joan, accept("again")).await).await.1,
        "conflict"
    );
    assert_eq!(host.read("/api/inbox").await["items"], json!([]));
    assert_eq!(
        host.read("/api/inbox?state=closed").await["items"][0]["id"],
        item
    );
    let decision = host
        .read(&format!(
            "/api/decisions/{}",
            decision["id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(decision["resolution"]["state"], "accepted", "{decision}");
}

#[tokio::test]
async fn the_ledger_is_read_followed_verified_and_exported() {
    let host = host().await;
    act(&host, 1).await;
    let first = host.read("/api/ledger?limit=2").await;
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    assert_eq!(first["next"], "2");
    assert_eq!(first["items"][0]["specversion"], "1.0");
    let newest = host.read("/api/ledger?last=true&limit=1").await;
    assert_eq!(newest["items"][0]["type"], "dev.polity.decision.made");
    let seq = newest["items"][0]["sequence"].as_str().unwrap();
    let none = host
        .read(&format!("/api/ledger?last=true&limit=1&after={seq}"))
        .await;
    assert_eq!(none["items"], json!([]));

    let mut events = Events::of(
        host.get("/api/ledger?last=true&limit=1&kind=decision.made")
            .header("accept", "text/event-stream")
            .send()
            .await
            .unwrap(),
    );
    let subject = |event: &str| {
        serde_json::from_str::<Value>(event).unwrap()["subject"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        newest["items"][0]["subject"],
        subject(&events.next().await.unwrap())
    );
    let decision = act(&host, 2).await;
    assert_eq!(
        subject(&events.next().await.unwrap()),
        format!("decision/{}", decision["id"].as_str().unwrap())
    );

    let verified = host.json(host.post("/api/ledger/verify")).await;
    assert_eq!(verified["ok"], true);
    let exported = host.get("/api/ledger/export").send().await.unwrap();
    assert_eq!(exported.headers()["content-type"], "application/x-ndjson");
    let exported = exported.text().await.unwrap();
    let lines: Vec<Value> = exported
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines.len() as u64 >= verified["events"].as_u64().unwrap());
    for pair in lines.windows(2) {
        assert_eq!(pair[1]["previoushash"], pair[0]["hash"]);
    }
    for query in ["after=x", "after=", "subjcet=a"] {
        assert_eq!(
            problem(
                host.get(&format!("/api/ledger?{query}"))
                    .send()
                    .await
                    .unwrap()
            )
            .await
            .0,
            400,
            "{query}"
        );
    }
}

#[tokio::test]
async fn tokens_are_issued_listed_and_revoked() {
    let host = host().await;
    let issue = async |token: &str, body: Value| {
        host.anonymous(Method::POST, "/api/tokens")
            .bearer_auth(token)
            .json(&body)
            .send()
            .await
            .unwrap()
    };
    let issued = issue(
        &host.token,
        json!({"actor": "person:grace", "label": "laptop"}),
    )
    .await;
    assert_eq!(issued.status(), 201);
    let grace = issued.json::<Value>().await.unwrap()["token"]
        .as_str()
        .unwrap()
        .to_owned();

    // A member sees and makes what is their own, an owner everything.
    let own: Value = as_holder_of(&host, Method::GET, "/api/tokens", &grace)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(own["items"].as_array().unwrap().len(), 1);
    assert!(
        host.read("/api/tokens").await["items"]
            .as_array()
            .unwrap()
            .len()
            >= 2
    );
    assert!(
        !own.to_string().contains(&grace),
        "the secret is shown once"
    );
    assert_eq!(issue(&grace, json!({"label": "phone"})).await.status(), 201);
    assert_eq!(
        problem(issue(&grace, json!({"actor": "person:ada"})).await)
            .await
            .0,
        403
    );
    let (status, _, unknown) =
        problem(issue(&host.token, json!({"actor": "person:grase"})).await).await;
    assert_eq!(
        (status, &unknown["errors"][0]["pointer"]),
        (400, &json!("/actor"))
    );
    assert!(
        unknown["detail"].as_str().unwrap().contains("person:grace"),
        "{unknown}"
    );

    let id = own["items"][0]["id"].as_str().unwrap();
    let joan = host.token_for("person:grace").await;
    assert_eq!(
        as_holder_of(&host, Method::DELETE, &format!("/api/tokens/{id}"), &joan)
            .await
            .status(),
        204
    );
    assert_eq!(
        problem(as_holder_of(&host, Method::GET, "/api/tokens", &grace).await)
            .await
            .0,
        401
    );
    assert_eq!(
        problem(
            host.delete(&format!("/api/tokens/{id}"))
                .send()
                .await
                .unwrap()
        )
        .await
        .0,
        404
    );
}
