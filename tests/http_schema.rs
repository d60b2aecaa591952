//! The schema of the records changes by itself: what is asked often is answered fast, and everything says why.

mod cli;

use std::time::{Duration, Instant};

use cli::at;
use polity_tests::{Host, Options};
use reqwest::Method;
use serde_json::{Value, json};

const POLITY: &str = env!("CARGO_BIN_EXE_polity");

/// Longest wait for something that a host does by itself, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(300);

const FILTER: &str = "SELECT product, quantity FROM lines WHERE customer = $1 ORDER BY id";
const GROUPS: &str =
    "SELECT country, count(*), sum(price) FROM lines GROUP BY country ORDER BY country";

/// A company whose schema may change as soon as there is a reason.
fn quick(options: Options) -> Options {
    options
        .without_bundled()
        .first_party("hot-query")
        .amend_charter(
            "records",
            json!({"evolution": {"settle_ms": 0, "round_ms": 300}}),
        )
}

/// Order lines of a wholesaler: 90 customers in 21 countries.
async fn fill(host: &Host) {
    let mut lines = String::new();
    for n in 0..6_000 {
        let customer = (n * 7 + n / 90) % 90;
        let line = json!({
            "customer": format!("C{customer:03}"), "country": format!("L{:02}", customer % 21),
            "product": format!("p{}", n % 77), "quantity": n % 13 + 1, "price": n % 100,
            "shipped": n % 3 == 0, "note": "Northwind has thirty-five columns and this is one of them",
        });
        lines.push_str(&format!("{line}\n"));
    }
    let request = host
        .post("/api/collections/lines")
        .header("content-type", "application/x-ndjson")
        .body(lines);
    host.json(request).await;
}

async fn ask(host: &Host, sql: &str, params: Value) -> Value {
    let body = json!({"sql": sql, "params": params});
    host.json(host.post("/api/query").json(&body)).await
}

/// A working day of questions; every answer is the same as the first.
async fn use_it(host: &Host, times: usize) {
    let groups = ask(host, GROUPS, json!([])).await["rows"].clone();
    for n in 0..times {
        let customer = format!("C{:03}", n % 90);
        let rows = ask(host, FILTER, json!([customer])).await["rows"].clone();
        let rows = rows.as_array().unwrap().len();
        assert!((60..=75).contains(&rows), "{rows}");
        assert_eq!(ask(host, GROUPS, json!([])).await["rows"], groups);
    }
}

async fn mutations(host: &Host) -> Vec<Value> {
    let answer = host.read("/api/mutations").await;
    answer["items"].as_array().unwrap().clone()
}

fn in_state<'m>(mutations: &'m [Value], state: &str) -> Vec<&'m Value> {
    mutations.iter().filter(|m| m["state"] == state).collect()
}

/// Uses the records until the changes are as wanted.
async fn until(host: &Host, what: &str, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let now = mutations(host).await;
        if is_so(&now) {
            return now;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "not {what} in time: {now:#?}\n{}",
            host.log()
        );
        use_it(host, 10).await;
    }
}

async fn uses(host: &Host, sql: &str) -> Vec<String> {
    fn collect(plan: &Value, found: &mut Vec<String>) {
        found.extend(plan["uses"].as_str().map(str::to_owned));
        for input in plan["inputs"].as_array().into_iter().flatten() {
            collect(input, found);
        }
    }
    let body = json!({ "sql": sql });
    let plan = host.json(host.post("/api/query/explain").json(&body)).await;
    let mut found = Vec::new();
    collect(&plan, &mut found);
    found
}

#[tokio::test]
async fn what_is_asked_a_thousand_times_gets_an_index_and_a_rollup_by_itself() {
    let mut host = Host::start(POLITY, quick).await;
    fill(&host).await;
    use_it(&host, 100).await;
    let kept = until(&host, "both kept", |now| in_state(now, "kept").len() == 2).await;
    assert_eq!(uses(&host, FILTER).await, ["lines(customer)"]);
    assert_eq!(
        uses(&host, GROUPS).await,
        ["lines by country: count(*), sum(price)"]
    );
    for mutation in &kept {
        assert!(mutation["evidence"]["calls_per_day"].as_f64().unwrap() > 100.0);
        assert!(mutation["measured"]["pairs"].as_u64().unwrap() >= 30);
        assert!(mutation["measured"]["effect"].as_f64().unwrap() < 0.8);
        let strategy = mutation["strategy"].as_str().unwrap();
        assert!(strategy.starts_with("hot-query@"), "{strategy}");
    }
    // History is chained, and on record in the ledger.
    assert_eq!(kept[0]["parent"], kept[1]["hash"]);
    let id = kept[1]["id"].as_str().unwrap();
    let events = host
        .read(&format!("/api/ledger?subject=schema/{id}&limit=50"))
        .await;
    let kinds: Vec<&str> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    for step in ["proposed", "building", "canary", "kept"] {
        assert!(
            kinds
                .iter()
                .any(|kind| kind.ends_with(&format!("schema.{step}"))),
            "{kinds:?}"
        );
    }
    at(&host, &["db", "history"]).await.with_code(0).shows(&[
        "create-index lines(customer)",
        "create-rollup",
        "kept",
    ]);
    at(&host, &["explain", id]).await.with_code(0).shows(&[
        "times as fast with it",
        "evidence",
        "polity db revert",
    ]);
    at(&host, &["db", "strategies"])
        .await
        .with_code(0)
        .shows(&["hot-query@", "heard"]);

    let page = host.get("/metrics").send().await.unwrap();
    let page = page.text().await.unwrap();
    for kind in ["create-index", "create-rollup"] {
        let line = format!("polity_schema_changes_total{{kind=\"{kind}\",outcome=\"kept\"}} 1");
        assert!(page.contains(&line), "{line} is not in:\n{page}");
    }

    // It is all there after a power failure, and a person takes one back.
    host.restart().await;
    assert_eq!(uses(&host, FILTER).await, ["lines(customer)"]);
    let index = kept.iter().find(|m| m["kind"] == "create-index").unwrap();
    let id = index["id"].as_str().unwrap();
    at(&host, &["db", "revert", id])
        .await
        .with_code(0)
        .shows(&["was undone"]);
    assert!(uses(&host, FILTER).await.is_empty());
    let again = host.post(&format!("/api/mutations/{id}/revert"));
    assert_eq!(again.send().await.unwrap().status(), 409);
    let history = host.read("/api/collections/lines/history").await;
    assert_eq!(history["items"][0]["takes_back"], *id);
    use_it(&host, 5).await;
}

#[tokio::test]
async fn where_the_charter_says_suggest_a_person_decides() {
    let host = Host::start(POLITY, |options| {
        quick(options).amend_charter(
            "records",
            json!({"evolution": {"mode": "suggest", "modes": {"rollup": "observe"},
                "settle_ms": 0, "round_ms": 300}}),
        )
    })
    .await;
    fill(&host).await;
    use_it(&host, 60).await;
    let asked = until(&host, "asked", |now| in_state(now, "asked").len() == 1).await;
    let id = asked[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(asked.len(), 1, "rollups are only counted: {asked:#?}");
    assert!(uses(&host, FILTER).await.is_empty());
    let inbox = host.read("/api/inbox").await;
    let item = &inbox["items"][0];
    assert_eq!(item["kind"], "schema");
    assert_eq!(item["requested_by"], "plugin:hot-query");
    assert_eq!(item["proposal"]["mutation"]["fields"], json!(["customer"]));
    at(&host, &["inbox", "show", item["id"].as_str().unwrap()])
        .await
        .with_code(0)
        .shows(&["create-index lines(customer)", "tried on live queries"]);
    let item = item["id"].as_str().unwrap();
    at(&host, &["inbox", "accept", item, "--note", "asked all day"])
        .await
        .with_code(0);
    let kept = until(&host, "kept", |now| in_state(now, "kept").len() == 1).await;
    assert_eq!(kept[0]["id"], *id);
    assert_eq!(kept[0]["approved_by"], "person:ada");
    assert_eq!(uses(&host, FILTER).await, ["lines(customer)"]);
}

#[tokio::test]
async fn a_question_that_nobody_has_to_answer_any_more_is_taken_back() {
    let host = Host::start(POLITY, |options| {
        quick(options).amend_charter(
            "records",
            json!({"evolution": {"modes": {"index": "suggest", "rollup": "observe"},
                "settle_ms": 0, "round_ms": 300}}),
        )
    })
    .await;
    fill(&host).await;
    use_it(&host, 60).await;
    let asked = until(&host, "asked", |now| in_state(now, "asked").len() == 1).await;
    let id = asked[0]["id"].as_str().unwrap();
    let inbox = host.read("/api/inbox").await;
    let item = inbox["items"][0]["id"].as_str().unwrap().to_owned();
    at(&host, &["db", "revert", id]).await.with_code(0);
    let inbox = host.read("/api/inbox").await;
    assert_eq!(inbox["items"], json!([]), "nobody is asked in vain");
    let item = host.read(&format!("/api/inbox/{item}")).await;
    let why = item["state"]["withdrawn"]["why"].as_str().unwrap();
    assert!(why.contains("taken back"), "{item}");
    let late = host
        .post(&format!(
            "/api/inbox/{}/decision",
            item["id"].as_str().unwrap()
        ))
        .json(&json!({"type": "accept", "note": "too late"}));
    assert!(!late.send().await.unwrap().status().is_success());
    assert!(uses(&host, FILTER).await.is_empty());
}

#[tokio::test]
async fn a_rule_that_speaks_to_the_schema_has_the_last_word() {
    let host = Host::start(POLITY, |options| {
        quick(options).first_party("spending-limit").rule(
            "schema",
            json!({"rule": "spending-limit", "guards": ["schema.create-index"], "config": {
                "currency": "EUR", "amount": {"pointer": "/build_us", "unit": "micro"},
                "limits": [{"per": "action", "hard_micro": 1}],
            }}),
        )
    })
    .await;
    fill(&host).await;
    use_it(&host, 60).await;
    let refused = until(&host, "refused", |now| !in_state(now, "refused").is_empty()).await;
    let refused = in_state(&refused, "refused")[0].clone();
    assert_eq!(refused["kind"], "create-index");
    assert!(
        refused["words"].as_str().unwrap().contains("the rules"),
        "{refused}"
    );
    let decisions = host.read("/api/decisions?kind=schema.*").await;
    let decision = &decisions["items"][0];
    assert_eq!(decision["actor"], "plugin:hot-query");
    assert_eq!(decision["outcome"], "deny");
    assert!(uses(&host, FILTER).await.is_empty());
}

#[tokio::test]
async fn a_rehearsal_tells_what_would_change_and_changes_nothing() {
    let host = Host::start(POLITY, |options| {
        // The first collection's age is never enough.
        quick(options).amend_charter(
            "records",
            json!({"evolution": {"settle_ms": 86_400_000_u64, "round_ms": 300}}),
        )
    })
    .await;
    at(&host, &["db", "dry-run"]).await.with_code(0);
    fill(&host).await;
    let begun = Instant::now();
    loop {
        use_it(&host, 30).await;
        let told = at(&host, &["db", "dry-run", "--json"]).await.json();
        if told["proposals"].as_array().unwrap().len() == 2 {
            // What it proposes it has asked about.
            let questions = &told["asked"][0]["questions"];
            assert!(questions.to_string().contains("then_us"), "{told:#}");
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{told:#}");
    }
    at(&host, &["db", "dry-run"]).await.with_code(0).shows(&[
        "create-index lines(customer)",
        "create-rollup lines by country",
        "too young",
    ]);
    assert!(mutations(&host).await.is_empty());
    for (method, path) in [
        (Method::GET, "/api/mutations/nothing"),
        (
            Method::POST,
            "/api/mutations/00000000-0000-0000-0000-000000000000/revert",
        ),
        (Method::GET, "/api/collections/nothing/history"),
    ] {
        let response = host.request(method, path).send().await.unwrap();
        assert_eq!(response.status(), 404, "{path}");
    }
    let anonymous = host.anonymous(Method::GET, "/api/mutations");
    assert_eq!(anonymous.send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_host_that_is_killed_in_any_state_goes_on_where_it_was() {
    let mut host = Host::start(POLITY, |options| {
        quick(options).amend_charter(
            "records",
            json!({"evolution": {"modes": {"rollup": "observe", "index": "suggest"},
                "settle_ms": 0, "round_ms": 300}}),
        )
    })
    .await;
    // Ten times as many, so that building takes long enough to be killed in.
    for _ in 0..5 {
        fill(&host).await;
    }
    let question = "SELECT count(*) FROM lines WHERE product = $1";
    let counted = ask(&host, question, json!(["p7"])).await["rows"].clone();
    let state = async |host: &Host| {
        let now = mutations(host).await;
        let first = now
            .first()
            .map(|first| first["state"].as_str().unwrap().to_owned());
        first.unwrap_or_default()
    };
    let reach = async |host: &Host, wanted: &[&str]| {
        let begun = Instant::now();
        loop {
            let now = state(host).await;
            if wanted.contains(&now.as_str()) {
                return now;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{now} and not {wanted:?}\n{}",
                host.log()
            );
            // A build needs no questions, and they would slow it down.
            if now != "building" {
                for _ in 0..5 {
                    assert_eq!(ask(host, question, json!(["p7"])).await["rows"], counted);
                }
            }
        }
    };
    reach(&host, &["asked"]).await;
    host.kill9().await;
    host.restart().await;
    let inbox = host.read("/api/inbox").await;
    let items = inbox["items"].as_array().unwrap();
    assert_eq!(
        items.len(),
        1,
        "one question, however often the host was killed"
    );
    let item = items[0]["id"].as_str().unwrap();
    let accepted = at(&host, &["inbox", "accept", item, "--note", "go on"]).await;
    accepted.with_code(0);
    for wanted in [
        &["building", "canary"][..],
        &["canary"],
        &["canary"],
        &["kept"],
    ] {
        reach(&host, wanted).await;
        host.kill9().await;
        host.restart().await;
    }
    let now = mutations(&host).await;
    assert_eq!(now.len(), 1, "{now:#?}");
    assert_eq!(uses(&host, question).await, ["lines(product)"]);
    assert_eq!(ask(&host, question, json!(["p7"])).await["rows"], counted);
    let all = ask(&host, "SELECT count(*) FROM lines", json!([])).await;
    assert_eq!(all["rows"], json!([[30_000]]));
    let verified = host.json(host.post("/api/ledger/verify")).await;
    assert_eq!(verified["ok"], true, "{verified}");
}

#[tokio::test]
async fn records_inside_records_are_suggested_as_a_collection_of_their_own() {
    let host = Host::start(POLITY, |options| {
        options
            .without_bundled()
            .first_party("linked-collection")
            .amend_charter(
                "records",
                json!({"evolution": {"settle_ms": 0, "round_ms": 300}}),
            )
    })
    .await;
    let orders: Vec<Value> = (0..2_500)
        .map(|n: u32| {
            let customer = n.wrapping_mul(2_654_435_761) % 97;
            json!({
                "customer_id": format!("CU-{customer:04}"),
                "company_name": format!("The company of number {customer}"),
                "address": format!("{} Long Road, Building {}", customer * 3, customer % 11),
                "total": n.wrapping_mul(40_503) % 9_973,
                "placed": format!("2026-{:02}-{:02}", n % 12 + 1, n / 12 % 28 + 1),
            })
        })
        .collect();
    host.json(host.post("/api/collections/orders").json(&orders))
        .await;
    let old =
        "SELECT company_name, count(*) FROM orders GROUP BY company_name ORDER BY company_name";
    let before = ask(&host, old, json!([])).await["rows"].clone();
    let begun = Instant::now();
    let link = loop {
        let found = mutations(&host).await;
        let asked = in_state(&found, "asked");
        if let Some(link) = asked.iter().find(|m| m["kind"] == "link-collection") {
            break (*link).clone();
        }
        assert!(begun.elapsed() < PATIENCE, "{found:#?}\n{}", host.log());
        ask(&host, old, json!([])).await;
    };
    let mutation = &link["mutation"];
    assert_eq!(mutation["key"], "customer_id", "{link:#?}");
    assert_eq!(mutation["fields"], json!(["address", "company_name"]));
    let inbox = host.read("/api/inbox").await;
    let item = inbox["items"][0]["id"].as_str().unwrap();
    at(
        &host,
        &["inbox", "accept", item, "--note", "once is enough"],
    )
    .await
    .with_code(0);
    let begun = Instant::now();
    loop {
        let found = mutations(&host).await;
        if found
            .iter()
            .any(|m| m["id"] == link["id"] && m["state"] == "kept")
        {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{found:#?}\n{}", host.log());
        ask(&host, old, json!([])).await;
    }
    let target = mutation["target"].as_str().unwrap();
    let joined = format!(
        "SELECT c.company_name, count(*) FROM orders o JOIN {target} c ON o.customer_id = c.id \
         GROUP BY c.company_name ORDER BY c.company_name"
    );
    assert_eq!(ask(&host, &joined, json!([])).await["rows"], before);
    assert_eq!(
        ask(&host, old, json!([])).await["rows"],
        before,
        "old queries keep working"
    );
}
