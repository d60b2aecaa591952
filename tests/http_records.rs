//! Records over HTTP: asked and changed in SQL, every access judged, and nothing acknowledged that is not kept.

use std::collections::BTreeSet;

use polity_tests::{Host, Options};
use reqwest::Response;
use serde_json::{Value, json};

const POLITY: &str = env!("CARGO_BIN_EXE_polity");

async fn host() -> Host {
    Host::start(POLITY, Options::without_bundled).await
}

/// A company that lets nothing happen which no rule speaks on, and where the rules speak on orders alone.
fn guarded(options: Options) -> Options {
    options
        .without_bundled()
        .first_party("spending-limit")
        .rule(
            "deletions",
            json!({"rule": "spending-limit", "guards": ["records.delete"], "config": {
                "amount": {"pointer": "/params/0", "unit": "unit"},
                "limits": [{"per": "action", "soft_micro": 50_000_000, "hard_micro": 500_000_000}],
            }}),
        )
}

async fn insert(host: &Host, documents: &Value) -> Value {
    host.json(host.post("/api/collections/orders").json(documents))
        .await
}

async fn ask(host: &Host, sql: &str, params: Value) -> Value {
    let body = json!({"sql": sql, "params": params});
    host.json(host.post("/api/query").json(&body)).await
}

/// Status and problem of a request that must be refused.
async fn refused(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let kind = response.headers()["content-type"].to_str().unwrap();
    assert_eq!(kind, "application/problem+json");
    (status, response.json().await.unwrap())
}

async fn refused_query(host: &Host, body: &Value) -> (u16, Value) {
    refused(host.post("/api/query").json(body).send().await.unwrap()).await
}

#[tokio::test]
async fn what_is_inserted_is_found_and_can_be_changed_and_removed() {
    let host = host().await;
    let documents = json!([
        {"customer": "ada", "total": 12.5, "lines": [{"sku": "a"}]},
        {"customer": "grace", "total": 7},
    ]);
    let inserted = insert(&host, &documents).await;
    assert_eq!(inserted["inserted"], 2);
    assert_eq!(inserted["ids"], json!([1, 2]));
    let answer = ask(
        &host,
        "SELECT customer, total FROM orders WHERE total > $1 ORDER BY id",
        json!([10]),
    )
    .await;
    assert_eq!(answer["columns"], json!(["customer", "total"]));
    assert_eq!(answer["rows"], json!([["ada", 12.5]]));
    let changed = ask(
        &host,
        "UPDATE orders SET total = $1 WHERE customer = $2",
        json!([8, "grace"]),
    )
    .await;
    assert_eq!(changed["changed"], 1);
    ask(&host, "DELETE FROM orders WHERE id = $1", json!([1])).await;
    let answer = ask(&host, "SELECT sum(total), count(*) FROM orders", json!([])).await;
    assert_eq!(answer["rows"], json!([[8, 1]]));
    let collection = host.read("/api/collections/orders").await;
    assert_eq!(collection["rows"], 1);
    let stats = host.read("/api/records/stats").await;
    assert!(!stats["queries"].as_array().unwrap().is_empty(), "{stats}");
}

#[tokio::test]
async fn a_number_comes_back_with_every_digit_it_came_with() {
    let host = host().await;
    let body = r#"{"total": 12.50, "exact": 0.1234567890123456789012345}"#;
    let request = host
        .post("/api/collections/orders")
        .header("content-type", "application/json")
        .body(body);
    host.json(request).await;
    let request = host
        .post("/api/query")
        .json(&json!({"sql": "SELECT total, exact FROM orders"}));
    let text = request.send().await.unwrap().text().await.unwrap();
    assert!(
        text.contains("[12.50,0.1234567890123456789012345]"),
        "{text}"
    );
}

#[tokio::test]
async fn every_access_is_a_decision_that_can_be_read() {
    let host = host().await;
    let inserted = insert(&host, &json!({"customer": "ada"})).await;
    let asked = ask(
        &host,
        "SELECT customer FROM orders WHERE id = $1",
        json!([1]),
    )
    .await;
    for (answer, kind) in [(&inserted, "records.insert"), (&asked, "records.query")] {
        let id = answer["decision_id"].as_str().unwrap();
        let decision = host.read(&format!("/api/decisions/{id}")).await;
        assert_eq!(decision["kind"], kind);
        assert_eq!(decision["actor"], "person:ada");
        assert_eq!(decision["input"]["collections"], json!(["orders"]));
    }
    let id = asked["decision_id"].as_str().unwrap();
    let decision = host.read(&format!("/api/decisions/{id}")).await;
    assert_eq!(
        decision["input"]["fields"],
        json!(["orders.customer", "orders.id"])
    );
}

#[tokio::test]
async fn a_rule_lets_a_change_happen_or_denies_it_or_has_a_person_decide() {
    let host = Host::start(POLITY, guarded).await;
    insert(&host, &json!([{"id": 40}, {"id": 70}, {"id": 700}])).await;
    let sql = "DELETE FROM orders WHERE id = $1";
    assert_eq!(ask(&host, sql, json!([40])).await["changed"], 1);
    let (status, problem) = refused_query(&host, &json!({"sql": sql, "params": [70]})).await;
    assert_eq!(
        (status, &problem["title"]),
        (403, &json!("A person has to decide"))
    );
    assert_eq!(problem["inbox_items"].as_array().unwrap().len(), 1);
    let (status, problem) = refused_query(&host, &json!({"sql": sql, "params": [700]})).await;
    assert_eq!(
        (status, &problem["title"]),
        (403, &json!("A rule denied it"))
    );
    let id = problem["decision_id"].as_str().unwrap();
    let decision = host.read(&format!("/api/decisions/{id}")).await;
    assert_eq!(decision["outcome"], "deny");
    let left = ask(&host, "SELECT id FROM orders ORDER BY id", json!([])).await;
    assert_eq!(left["rows"], json!([[70], [700]]));
}

#[tokio::test]
async fn where_nothing_unmatched_may_happen_records_are_neither_read_nor_written() {
    let host = Host::start(POLITY, |options| {
        options
            .without_bundled()
            .amend_charter("defaults", json!({"unmatched": "deny"}))
    })
    .await;
    let request = host.post("/api/collections/orders").json(&json!({"a": 1}));
    assert_eq!(refused(request.send().await.unwrap()).await.0, 403);
    let collections = host.read("/api/collections").await;
    assert_eq!(collections["items"], json!([]), "nothing sprang up");
}

#[tokio::test]
async fn roles_say_who_asks_and_who_changes() {
    let host = Host::start(POLITY, |options| {
        options.without_bundled().amend_charter(
            "people",
            json!([
                {"id": "ada", "name": "Ada", "roles": ["owner"]},
                {"id": "joan", "name": "Joan", "roles": ["auditor"]},
                {"id": "mary", "name": "Mary", "roles": ["operator"]},
            ]),
        )
    })
    .await;
    insert(&host, &json!({"a": 1})).await;
    for (actor, sql, expected) in [
        ("person:joan", "SELECT a FROM orders", 200),
        ("person:joan", "DELETE FROM orders", 403),
        ("person:mary", "SELECT a FROM orders", 403),
    ] {
        let token = host.token_for(actor).await;
        let response = host
            .anonymous(reqwest::Method::POST, "/api/query")
            .bearer_auth(token)
            .json(&json!({"sql": sql}))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), expected, "{actor}: {sql}");
    }
    let left = ask(&host, "SELECT count(*) FROM orders", json!([])).await;
    assert_eq!(left["rows"], json!([[1]]));
}

#[tokio::test]
async fn a_parameter_is_a_value_and_never_part_of_the_statement() {
    let host = host().await;
    insert(&host, &json!([{"customer": "ada"}, {"customer": "grace"}])).await;
    for attack in [
        "x' OR '1'='1",
        "ada'; DELETE FROM orders; --",
        "' UNION SELECT 1 --",
        "\\' OR 1=1 --",
        "ada\u{0}' OR true",
        "$1",
    ] {
        let sql = "SELECT * FROM orders WHERE customer = $1";
        assert_eq!(
            ask(&host, sql, json!([attack])).await["rows"],
            json!([]),
            "{attack}"
        );
        let kept = ask(
            &host,
            "INSERT INTO notes (text) VALUES ($1)",
            json!([attack]),
        )
        .await;
        assert_eq!(kept["changed"], 1);
    }
    let left = ask(&host, "SELECT count(*) FROM orders", json!([])).await;
    assert_eq!(left["rows"], json!([[2]]));
    // Several statements in one text are none.
    let body = json!({"sql": "SELECT 1 FROM orders; DELETE FROM orders"});
    let (status, problem) = refused_query(&host, &body).await;
    assert_eq!(status, 400);
    assert_eq!(problem["errors"][0]["pointer"], "/sql");
}

#[tokio::test]
async fn what_is_refused_names_the_exact_part() {
    let host = host().await;
    insert(&host, &json!({"customer": "ada"})).await;
    for (body, pointer, words) in [
        (json!({"sql": "SELEC 1"}), "/sql", "SQL"),
        (json!({"sql": "SELECT nme FROM orders"}), "/sql", "\"nme\""),
        (json!({"sql": "SELECT * FROM ordrs"}), "/sql", "\"ordrs\""),
        (json!({"sql": "DROP TABLE orders"}), "/sql", "DROP TABLE"),
        (
            json!({"sql": "SELECT * FROM orders", "limit": 0}),
            "/limit",
            "1 or more",
        ),
        (
            json!({"sql": "SELECT * FROM orders", "limit": 100_001}),
            "/limit",
            "x-ndjson",
        ),
        (json!({"sql": 7}), "/sql", "string"),
    ] {
        let (status, problem) = refused_query(&host, &body).await;
        assert_eq!(status, 400, "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{detail}");
    }
    let response = host.get("/api/collections/ordrs").send().await.unwrap();
    let (status, problem) = refused(response).await;
    assert_eq!(status, 404);
    assert!(
        problem["detail"].as_str().unwrap().contains("orders"),
        "{problem}"
    );
}

#[tokio::test]
async fn bad_documents_are_refused_with_their_place_and_none_of_their_batch_is_kept() {
    let host = host().await;
    let deep = format!(
        "{}{}",
        "{\"a\":".repeat(500),
        "1".to_owned() + &"}".repeat(500)
    );
    let wide: String = (0..10_000).map(|n| format!("\"f{n}\":1,")).collect();
    let wide = format!("{{{}\"z\":1}}", wide);
    for (document, pointer) in [
        (r#"[{"a": 1}, {"a": 1, "a": 2}]"#, "/1"),
        (r#"[{"a": 1}, 7]"#, "/1"),
        (r#"[{"a": 1}, {"id": [1]}]"#, ""),
        (deep.as_str(), "/0"),
        (wide.as_str(), "/0"),
    ] {
        let request = host
            .post("/api/collections/orders")
            .header("content-type", "application/json")
            .body(document.to_owned());
        let (status, problem) = refused(request.send().await.unwrap()).await;
        assert_eq!(status, 400, "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    for (kind, body, expected) in [
        ("application/json", b"{\"a\": NaN}".to_vec(), 400),
        ("application/json", b"{\"a\": 1".to_vec(), 400),
        ("application/json", b"{\"a\": \"\xff\"}".to_vec(), 400),
        ("application/json", b"".to_vec(), 400),
        ("application/json", b"[]".to_vec(), 400),
        ("text/plain", b"{}".to_vec(), 415),
    ] {
        let request = host
            .post("/api/collections/orders")
            .header("content-type", kind)
            .body(body);
        assert_eq!(refused(request.send().await.unwrap()).await.0, expected);
    }
    assert_eq!(host.read("/api/collections").await["items"], json!([]));
}

#[tokio::test]
async fn an_answer_without_bounds_is_cut_or_streamed() {
    let host = host().await;
    let documents: Vec<Value> = (0..3_000).map(|n| json!({"n": n})).collect();
    insert(&host, &json!(documents)).await;
    let answer = ask(&host, "SELECT n FROM orders", json!([])).await;
    assert_eq!(answer["rows"].as_array().unwrap().len(), 1_000);
    assert_eq!(answer["more"], true);
    // 27 billion rows are refused rather than held.
    let cross = "SELECT a.n FROM orders a JOIN orders b ON a.n >= b.n JOIN orders c ON b.n >= c.n ORDER BY a.n";
    let (status, problem) = refused_query(&host, &json!({"sql": cross})).await;
    assert!(matches!(status, 400 | 504), "{problem}");

    let request = host
        .post("/api/query")
        .header("accept", "application/x-ndjson")
        .json(&json!({"sql": "SELECT n FROM orders ORDER BY n"}));
    let text = request.send().await.unwrap().text().await.unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3_002);
    assert_eq!(lines[0]["columns"], json!(["n"]));
    assert_eq!(lines[3_000], json!([2_999]));
    assert_eq!(
        (&lines[3_001]["rows"], &lines[3_001]["more"]),
        (&json!(3_000), &json!(false))
    );
}

#[tokio::test]
async fn a_plan_says_how_without_doing() {
    let host = host().await;
    insert(&host, &json!([{"a": 1}, {"a": 2}])).await;
    let body = json!({"sql": "DELETE FROM orders WHERE a = 1"});
    let plan = host.json(host.post("/api/query/explain").json(&body)).await;
    assert!(plan["text"].as_str().unwrap().contains("orders"), "{plan}");
    let left = ask(&host, "SELECT count(*) FROM orders", json!([])).await;
    assert_eq!(left["rows"], json!([[2]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_being_killed() {
    let mut host = host().await;
    let mut acknowledged = BTreeSet::new();
    for cycle in 0..3_u64 {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        for writer in 0..8_u64 {
            let (request, tell) = (host.post("/api/collections/orders"), tell.clone());
            tokio::spawn(async move {
                for n in 0.. {
                    let id = (cycle << 40) | (writer << 32) | (n + 1);
                    let request = request.try_clone().expect("it has no body yet");
                    // The kill ends this loop.
                    let Ok(response) = request.json(&json!({"id": id})).send().await else {
                        return;
                    };
                    if response.status().is_success() && response.bytes().await.is_ok() {
                        let _ = tell.send(id);
                    }
                }
            });
        }
        drop(tell);
        for _ in 0..60 {
            acknowledged.insert(told.recv().await.unwrap());
        }
        host.kill9().await;
        while let Some(id) = told.recv().await {
            acknowledged.insert(id);
        }
        host.restart().await;
        let body = json!({"sql": "SELECT id FROM orders", "limit": 100_000});
        let answer = host.json(host.post("/api/query").json(&body)).await;
        let found: BTreeSet<u64> = answer["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row[0].as_u64().unwrap())
            .collect();
        assert!(
            acknowledged.is_subset(&found),
            "what was acknowledged is lost"
        );
    }
}

#[tokio::test]
async fn what_the_charter_restricts_is_for_holders_of_a_role_in_whatever_form_it_is_asked() {
    let host = Host::start(POLITY, |options| {
        options.without_bundled().amend_charter(
            "records",
            json!({"restricted": {"staff.salary": ["owner"], "payroll": ["owner"]}}),
        )
    })
    .await;
    let staff = json!([{"name": "ada", "salary": 7}, {"name": "grace", "salary": 8}]);
    host.json(host.post("/api/collections/staff").json(&staff))
        .await;
    host.json(host.post("/api/collections/payroll").json(&json!({"n": 1})))
        .await;
    let all = ask(&host, "SELECT sum(salary) FROM staff", json!([])).await;
    assert_eq!(all["rows"], json!([[15]]), "the owner may");
    let token = host.token_for("agent:assistant").await;
    let as_agent = |path: &str| {
        host.anonymous(reqwest::Method::POST, path)
            .bearer_auth(&token)
    };
    for sql in [
        "SELECT salary FROM staff",
        "SELECT * FROM staff",
        "SELECT count(*) FROM staff WHERE salary > 7",
        "SELECT name FROM staff ORDER BY salary",
        "SELECT name FROM staff GROUP BY name HAVING max(salary) > 7",
        "SELECT a.name FROM staff a JOIN staff b ON a.salary = b.id",
        "EXPLAIN SELECT salary FROM staff",
        "UPDATE staff SET salary = 100",
        "UPDATE staff SET name = 'x' WHERE salary = 7",
        "DELETE FROM staff WHERE salary = 7",
        "SELECT count(*) FROM payroll",
    ] {
        let request = as_agent("/api/query").json(&json!({ "sql": sql }));
        let (status, problem) = refused(request.send().await.unwrap()).await;
        assert_eq!(status, 403, "{sql}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("records.restricted"), "{sql}: {detail}");
    }
    let request = as_agent("/api/collections/staff").json(&json!({"name": "x", "salary": 1}));
    assert_eq!(request.send().await.unwrap().status(), 403);
    for path in ["/api/collections/staff/export", "/api/records/backup"] {
        let request = host
            .anonymous(reqwest::Method::GET, path)
            .bearer_auth(&token);
        assert_eq!(request.send().await.unwrap().status(), 403, "{path}");
    }
    let request =
        as_agent("/api/query").json(&json!({"sql": "SELECT name FROM staff ORDER BY id"}));
    let answer = host.json(request).await;
    assert_eq!(answer["rows"], json!([["ada"], ["grace"]]));
    let request = as_agent("/api/collections/staff").json(&json!({"name": "linus"}));
    host.json(request).await;
}
