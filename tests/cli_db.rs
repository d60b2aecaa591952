//! `polity db`: the company's records from the command line.

mod cli;

use std::fs;

use cli::{at, few, host};
use polity_tests::Host;
use serde_json::json;

#[tokio::test]
async fn documents_go_in_and_rows_come_out() {
    let host = host().await;
    let order = r#"{"customer": "ada", "total": 12.50}"#;
    at(&host, &["db", "insert", "orders", order])
        .await
        .with_code(0)
        .shows(&["1 document inserted"]);
    at(
        &host,
        &[
            "db",
            "query",
            "SELECT customer, total FROM orders WHERE customer = $1",
            "--param",
            "ada",
        ],
    )
    .await
    .with_code(0)
    .shows(&["CUSTOMER", "ada", "12.50"]);
    let answer = at(&host, &["db", "query", "SELECT * FROM orders", "--json"])
        .await
        .with_code(0)
        .json();
    assert_eq!(answer["columns"], json!(["id", "customer", "total"]));
    at(&host, &["db", "query", "UPDATE orders SET total = 1"])
        .await
        .with_code(0)
        .shows(&["1 document changed"]);
    at(&host, &["db", "schema"])
        .await
        .with_code(0)
        .shows(&["orders"]);
    at(&host, &["db", "schema", "orders"])
        .await
        .with_code(0)
        .shows(&["customer", "text"]);
    at(
        &host,
        &[
            "db",
            "explain",
            "SELECT * FROM orders WHERE customer = 'ada'",
        ],
    )
    .await
    .with_code(0)
    .shows(&["scan: orders"]);
    at(&host, &["db", "stats"])
        .await
        .with_code(0)
        .shows(&["orders where customer equal"]);
}

#[tokio::test]
async fn a_file_goes_in_and_comes_out_in_every_form() {
    let host = host().await;
    let lines: String = (1..=1_200)
        .map(|n| format!("{n},name {n},{n}.50\n"))
        .collect();
    let file = host.company.join("items.csv");
    fs::write(&file, format!("id,name,price\n{lines}")).unwrap();
    at(&host, &["db", "import", "items.csv"])
        .await
        .with_code(0)
        .shows(&["1200 documents in items"]);
    let csv = at(
        &host,
        &[
            "db",
            "query",
            "SELECT id, price FROM items ORDER BY id",
            "--csv",
        ],
    )
    .await
    .with_code(0)
    .out;
    assert_eq!(csv.lines().count(), 1_201);
    assert!(csv.starts_with("id,price\r\n1,1.50\r\n"), "{csv}");
    for form in ["ndjson", "json", "csv"] {
        let name = format!("copy.{form}");
        at(&host, &["db", "export", "items", "-o", &name])
            .await
            .with_code(0);
        let into = format!("items_{form}");
        at(&host, &["db", "import", &name, "--into", &into])
            .await
            .with_code(0);
        let sql = format!("SELECT count(*), sum(price) FROM {into}");
        at(&host, &["db", "query", &sql, "--csv"])
            .await
            .with_code(0)
            .shows(&["1200,721200.00"]);
    }
}

#[tokio::test]
async fn a_bad_line_is_named_and_what_came_before_it_is_counted() {
    let host = host().await;
    let lines = "{\"id\": 1}\n".to_owned() + "{\"id\": 2, \"id\": 3}\n";
    fs::write(host.company.join("bad.ndjson"), lines).unwrap();
    at(&host, &["db", "import", "bad.ndjson"])
        .await
        .with_code(1)
        .says(&["line 2", "twice"]);
    at(&host, &["db", "import", "bad.txt"])
        .await
        .with_code(2)
        .says(&["--form"]);
    at(&host, &["db", "query", "SELECT * FROM nothing"])
        .await
        .with_code(1)
        .says(&["nothing"]);
}

#[tokio::test]
async fn a_denied_query_ends_as_any_denied_action() {
    let host = Host::start(cli::POLITY, |options| {
        few(options).amend_charter("defaults", json!({"unmatched": "deny"}))
    })
    .await;
    at(&host, &["db", "insert", "orders", "{}"])
        .await
        .with_code(3)
        .says(&["polity explain"]);
}

#[tokio::test]
async fn a_backup_becomes_the_records_of_another_host() {
    let mut host = host().await;
    let orders: Vec<_> = (0..300)
        .map(|n| json!({"customer": format!("c{}", n % 7), "total": n}))
        .collect();
    host.json(host.post("/api/collections/orders").json(&orders))
        .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("records.backup");
    let file = file.to_str().unwrap();
    at(&host, &["db", "backup", file]).await.with_code(0);
    at(&host, &["db", "restore", file])
        .await
        .with_code(1)
        .says(&["a host runs"]);
    let sql = "SELECT customer, sum(total) FROM orders GROUP BY customer ORDER BY customer";
    let before = at(&host, &["db", "query", sql, "--json"]).await.json()["rows"].clone();
    host.stop().await;
    at(&host, &["db", "restore", file])
        .await
        .with_code(1)
        .says(&["records in this data folder already", "--data NEW"]);
    fs::rename(host.data.join("records"), folder.path().join("old")).unwrap();
    fs::write(folder.path().join("cut"), &fs::read(file).unwrap()[..4_000]).unwrap();
    let cut = folder.path().join("cut");
    at(&host, &["db", "restore", cut.to_str().unwrap()])
        .await
        .with_code(1)
        .says(&["nothing has changed"]);
    at(&host, &["db", "restore", file])
        .await
        .with_code(0)
        .shows(&["300 documents restored"]);
    host.restart().await;
    let after = at(&host, &["db", "query", sql, "--json"]).await.json()["rows"].clone();
    assert_eq!(after, before);
}

#[tokio::test]
async fn months_of_a_load_are_simulated_without_a_host() {
    let folder = tempfile::tempdir().unwrap();
    let load = json!({
        "days": 10,
        "collections": [{"name": "orders", "rows": 20_000, "row_bytes": 200, "writes_per_day": 200,
            "fields": [{"path": "customer", "distinct": 2_000}]}],
        "queries": [{"shape": {"collection": "orders", "predicates": [{"path": "customer", "op": "equal"}]},
            "phases": [{"calls_per_day": 1_000}]}],
    });
    fs::write(folder.path().join("load.json"), load.to_string()).unwrap();
    cli::polity(folder.path(), &["db", "simulate", "load.json"])
        .with_code(0)
        .shows(&["create-index orders(customer)", "kept"]);
    fs::write(folder.path().join("load.json"), r#"{"days": "ten"}"#).unwrap();
    cli::polity(folder.path(), &["db", "simulate", "load.json"])
        .with_code(2)
        .says(&["is no load", "days"]);
}
