//! Rows that the charter keeps for some: nobody else finds them, counts them, fails on them, changes or writes them,
//! themselves or through a workflow.

use polity_tests::{Host, Options};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

const POLITY: &str = env!("CARGO_BIN_EXE_polity");

/// Tells which deals there are, and sets the total of one.
const WORKFLOW: &str = "
document: {dsl: 1.0.3, namespace: shop, name: touch, version: 1.0.0, title: Touch a deal}
do:
  - look:
      call: records.query
      with: {collection: deals, order: id, fields: [id]}
      export: {as: '{seen: [.[].id]}'}
  - change:
      call: records.update
      with: {collection: deals, id: '${ $workflow.input.id }', set: {total: 1}}
  - plant:
      call: records.insert
      with: {collection: deals, record: {owner: '${ $workflow.input.owner }', total: 2}}
      output: {as: '${ $context }'}
";

fn company(options: Options) -> Options {
    options
        .without_bundled()
        .amend_charter(
            "agents",
            json!([
                {"id": "assistant", "name": "Assistant", "roles": ["agent"]},
                {"id": "rival", "name": "Rival", "roles": ["agent"]},
            ]),
        )
        .amend_charter(
            "records",
            json!({"rows": {"deals": {
                "where": [{"owner": "$actor"}, {"team": "$roles", "draft": false}],
                "all_for": ["owner"],
            }}}),
        )
}

struct Agent<'h> {
    host: &'h Host,
    token: String,
}

impl Agent<'_> {
    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        let request = self.host.anonymous(Method::POST, path);
        request.bearer_auth(&self.token).json(body)
    }

    fn get(&self, path: &str) -> RequestBuilder {
        let request = self.host.anonymous(Method::GET, path);
        request.bearer_auth(&self.token)
    }

    async fn ask(&self, sql: &str) -> Value {
        let request = self.post("/api/query", &json!({ "sql": sql }));
        self.host.json(request).await
    }

    async fn is_refused(&self, request: RequestBuilder, words: &str) {
        let response = request.send().await.unwrap();
        let (status, url) = (response.status(), response.url().clone());
        let problem: Value = response.json().await.unwrap();
        assert_eq!(status, StatusCode::FORBIDDEN, "{url}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{url}: {detail}");
    }
}

async fn fill(host: &Host) {
    let deals = json!([
        {"id": 1, "owner": "agent:assistant", "customer": "c1", "total": 10, "secret": "1"},
        {"id": 2, "owner": "agent:rival", "customer": "c1", "total": 7000, "secret": "theirs"},
        {"id": 3, "owner": "person:ada", "team": "agent", "draft": false, "customer": "c2", "total": 20, "secret": "3"},
        {"id": 4, "owner": "person:ada", "team": "agent", "draft": true, "customer": "c2", "total": 9000, "secret": "theirs"},
        {"id": 5, "customer": "c3", "total": 0, "secret": "theirs"},
    ]);
    let customers = json!([{"id": "c1"}, {"id": "c2"}, {"id": "c3"}]);
    for (name, documents) in [("deals", deals), ("customers", customers)] {
        let path = format!("/api/collections/{name}");
        host.json(host.post(&path).json(&documents)).await;
    }
}

#[tokio::test]
async fn rows_of_others_are_not_there_however_they_are_asked_for() {
    let host = Host::start(POLITY, company).await;
    fill(&host).await;
    let token = host.token_for("agent:assistant").await;
    let agent = Agent { host: &host, token };
    for (sql, rows) in [
        ("SELECT id FROM deals ORDER BY id", json!([[1], [3]])),
        (
            "SELECT count(*), sum(total), max(total) FROM deals",
            json!([[2, 30, 20]]),
        ),
        ("SELECT id FROM deals WHERE id = 2", json!([])),
        (
            "SELECT id FROM deals WHERE owner = 'agent:rival' OR true ORDER BY id",
            json!([[1], [3]]),
        ),
        (
            "SELECT DISTINCT secret FROM deals ORDER BY secret",
            json!([["1"], ["3"]]),
        ),
        (
            "SELECT customer, sum(total) FROM deals GROUP BY customer ORDER BY customer",
            json!([["c1", 10], ["c2", 20]]),
        ),
        (
            "SELECT customer FROM deals GROUP BY customer HAVING max(total) > 100",
            json!([]),
        ),
        (
            "SELECT id FROM deals ORDER BY total DESC LIMIT 1",
            json!([[3]]),
        ),
        (
            "SELECT c.id, d.id FROM customers c LEFT JOIN deals d ON d.customer = c.id ORDER BY c.id",
            json!([["c1", 1], ["c2", 3], ["c3", null]]),
        ),
        (
            "SELECT b.id FROM deals a JOIN deals b ON a.customer = b.customer ORDER BY b.id",
            json!([[1], [3]]),
        ),
        // A row that is not there cannot make a computation fail either.
        (
            "SELECT count(*) FROM deals WHERE 10 / total >= 0",
            json!([[2]]),
        ),
        (
            "SELECT sum(CAST(secret AS integer)) FROM deals",
            json!([[4]]),
        ),
    ] {
        let answer = agent.ask(sql).await;
        assert_eq!(answer["rows"], rows, "{sql}");
    }
    let all = json!({"sql": "SELECT id FROM deals WHERE total > 5"});
    let text = agent
        .post("/api/query", &all)
        .header("accept", "application/x-ndjson")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(
        last["examined"], 2,
        "the number of rows looked at tells nothing: {last}"
    );
    let collection = host.json(agent.get("/api/collections/deals")).await;
    assert_eq!(collection["rows"], 2);
    let body = json!({"sql": "SELECT * FROM deals WHERE total > 1"});
    let plan = host.json(agent.post("/api/query/explain", &body)).await;
    assert_eq!(plan["rows"], Value::Null, "{plan}");
    assert_eq!(plan["cost_us"], Value::Null, "{plan}");
    let plan = plan.to_string();
    assert!(!plan.contains("theirs") && !plan.contains("7000"), "{plan}");
    for path in ["/api/collections/deals/export", "/api/records/backup"] {
        agent.is_refused(agent.get(path), "records.rows").await;
    }
    let everything = json!({"sql": "SELECT count(*) FROM deals"});
    let everything = host.json(host.post("/api/query").json(&everything)).await;
    assert_eq!(everything["rows"], json!([[5]]), "the owner may");
}

#[tokio::test]
async fn rows_of_others_are_neither_changed_nor_made() {
    let host = Host::start(POLITY, company).await;
    fill(&host).await;
    let token = host.token_for("agent:assistant").await;
    let agent = Agent { host: &host, token };
    for (sql, changed) in [
        ("UPDATE deals SET total = 11 WHERE total > 0", 2),
        ("UPDATE deals SET total = 0 WHERE id = 2", 0),
        ("DELETE FROM deals WHERE secret = 'theirs'", 0),
        (
            "INSERT INTO deals (id, owner) VALUES (6, 'agent:assistant')",
            1,
        ),
        ("DELETE FROM deals WHERE id > 4", 1),
    ] {
        assert_eq!(agent.ask(sql).await["changed"], changed, "{sql}");
    }
    for sql in [
        "UPDATE deals SET owner = 'agent:rival' WHERE id = 1",
        "UPDATE deals SET draft = true WHERE id = 3",
        "INSERT INTO deals (owner) VALUES ('agent:rival')",
        "INSERT INTO deals (total) VALUES (5)",
        // The id of a row that is not theirs.
        "INSERT INTO deals (id, owner) VALUES (2, 'agent:assistant')",
    ] {
        let request = agent.post("/api/query", &json!({ "sql": sql }));
        agent.is_refused(request, "may be touched").await;
    }
    let planted = agent.post("/api/collections/deals", &json!({"owner": "agent:rival"}));
    agent.is_refused(planted, "may be touched").await;
    let sql = "SELECT id, total FROM deals ORDER BY id";
    let left = host
        .json(host.post("/api/query").json(&json!({ "sql": sql })))
        .await;
    assert_eq!(
        left["rows"],
        json!([[1, 11], [2, 7000], [3, 11], [4, 9000], [5, 0]])
    );
}

#[tokio::test]
async fn how_records_are_used_tells_nothing_of_rows_and_fields_of_others() {
    let host = Host::start(POLITY, |options| {
        company(options).amend_charter(
            "records",
            json!({
                "rows": {"deals": {"where": [{"owner": "$actor"}], "all_for": ["owner"]}},
                "restricted": {"customers.credit": ["owner"]},
            }),
        )
    })
    .await;
    fill(&host).await;
    let customer = json!({"id": "c4", "city": "here", "credit": 7});
    host.json(host.post("/api/collections/customers").json(&customer))
        .await;
    for sql in [
        "SELECT count(*) FROM deals WHERE owner = 'agent:rival'",
        "SELECT id FROM customers WHERE credit > 5",
        "SELECT id FROM customers WHERE city = 'here'",
    ] {
        host.json(host.post("/api/query").json(&json!({ "sql": sql })))
            .await;
    }
    let token = host.token_for("agent:assistant").await;
    let agent = Agent { host: &host, token };
    let told = host.json(agent.get("/api/records/stats")).await;
    let text = told.to_string();
    for word in ["deals", "owner", "credit"] {
        assert!(!text.contains(word), "{word}: {told:#}");
    }
    assert_eq!(told["queries"].as_array().unwrap().len(), 1, "{told:#}");
    assert!(text.contains("city"), "{told:#}");
    let all = host.read("/api/records/stats").await.to_string();
    assert!(all.contains("deals") && all.contains("credit"), "{all}");
}

#[tokio::test]
async fn a_workflow_touches_what_the_one_who_began_it_may_touch() {
    let host = Host::start(POLITY, |options| {
        company(options).file("workflows/touch.yaml", WORKFLOW)
    })
    .await;
    let deals = json!([
        {"id": "mine", "owner": "agent:assistant", "total": 10},
        {"id": "theirs", "owner": "agent:rival", "total": 7000},
    ]);
    host.json(host.post("/api/collections/deals").json(&deals))
        .await;
    let token = host.token_for("agent:assistant").await;
    let agent = Agent { host: &host, token };
    let run = async |id: &str, owner: &str| {
        let body = json!({"input": {"id": id, "owner": owner}});
        let request = agent.post("/api/workflows/touch/runs?wait=60", &body);
        host.json(request).await
    };
    let done = run("mine", "agent:assistant").await;
    assert_eq!(done["output"], json!({"seen": ["mine"]}), "{done:#}");
    for (id, owner, status) in [
        // What is kept for others is not there.
        ("theirs", "agent:assistant", 404),
        ("mine", "agent:rival", 403),
    ] {
        let refused = run(id, owner).await;
        assert_eq!(refused["phase"], "faulted", "{refused:#}");
        assert_eq!(refused["error"]["status"], status, "{refused:#}");
    }
    let sql = "SELECT owner, total FROM deals ORDER BY total";
    let left = host
        .json(host.post("/api/query").json(&json!({ "sql": sql })))
        .await;
    let left = left["rows"].clone();
    assert_eq!(
        left,
        json!([
            ["agent:assistant", 1],
            ["agent:assistant", 2],
            ["agent:rival", 7000]
        ])
    );
}

#[tokio::test]
async fn a_workflow_reads_no_field_that_is_kept_from_the_one_who_began_it() {
    let host = Host::start(POLITY, |options| {
        company(options)
            .amend_charter("records", json!({"restricted": {"deals.total": ["owner"]}}))
            .file("workflows/touch.yaml", WORKFLOW)
    })
    .await;
    let deal = json!({"id": "mine", "owner": "agent:assistant", "total": 10});
    host.json(host.post("/api/collections/deals").json(&deal))
        .await;
    let token = host.token_for("agent:assistant").await;
    let agent = Agent { host: &host, token };
    let body = json!({"input": {"id": "mine", "owner": "agent:assistant"}});
    let request = agent.post("/api/workflows/touch/runs?wait=60", &body);
    let run = host.json(request).await;
    assert_eq!(run["error"]["status"], 403, "{run:#}");
    assert!(run["error"].to_string().contains("deals.total"), "{run:#}");
}
