//! The host is killed while its schema changes, at moments that nobody chose: rows and schema are right after, and the
//! change comes to its end.
//!
//! `POLITY_KILLS=100 cargo test --test http_schema_killed -- --nocapture` kills a hundred times and tells in which states.

mod cli;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cli::{at, polity};
use polity_tests::Host;
use serde_json::{Value, json};

const POLITY: &str = env!("CARGO_BIN_EXE_polity");
const PATIENCE: Duration = Duration::from_secs(300);
const ROWS: u64 = 6_000;
/// So many that an index helps on a machine of any speed.
const CUSTOMERS: u64 = 600;
const QUESTION: &str = "SELECT count(*), sum(price) FROM lines WHERE customer = $1";
const INDEX: &str = "lines(customer)";

/// Where a kill is aimed at; the states that last no longer than a write to the disk are hit now and then.
const AIMS: [&str; 6] = [
    "asked",
    "queued",
    "building",
    "canary",
    "activating",
    "undoing",
];

struct Shop {
    host: Host,
    answers: Vec<Value>,
}

impl Shop {
    async fn open() -> Self {
        let host = Host::start(POLITY, |options| {
            options
                .without_bundled()
                .first_party("hot-query")
                .amend_charter(
                    "records",
                    json!({"evolution": {"modes": {"index": "suggest", "rollup": "observe"},
                        "settle_ms": 0, "round_ms": 100}}),
                )
        })
        .await;
        let mut lines = String::new();
        for n in 0..ROWS {
            let line = json!({"customer": format!("C{:02}", n % CUSTOMERS), "price": n % 100});
            lines.push_str(&format!("{line}\n"));
        }
        let request = host
            .post("/api/collections/lines")
            .header("content-type", "application/x-ndjson")
            .body(lines);
        host.json(request).await;
        let mut shop = Self {
            host,
            answers: Vec::new(),
        };
        for n in 0..40 {
            let answer = shop.ask(n).await;
            shop.answers.push(answer);
        }
        shop
    }

    async fn ask(&self, n: usize) -> Value {
        let body = json!({"sql": QUESTION, "params": [format!("C{:02}", n % 40)]});
        let answer = self
            .host
            .json(self.host.post("/api/query").json(&body))
            .await;
        answer["rows"].clone()
    }

    /// Asks, and finds what was found before.
    async fn ask_again(&self, times: usize) {
        for n in 0..times {
            assert_eq!(self.ask(n).await, self.answers[n % 40]);
        }
    }

    async fn newest(&self) -> (String, String) {
        let all = self.host.read("/api/mutations").await;
        let newest = &all["items"][0];
        let text = |field: &str| newest[field].as_str().unwrap_or_default().to_owned();
        (text("id"), text("state"))
    }

    async fn reach(&self, wanted: &[&str]) -> String {
        let begun = Instant::now();
        loop {
            let (id, state) = self.newest().await;
            if wanted.contains(&state.as_str()) {
                return id;
            }
            let log = self.host.log();
            assert!(begun.elapsed() < PATIENCE, "{state}, not {wanted:?}\n{log}");
            // A build needs no questions, and they would slow it down.
            if state != "building" {
                self.ask_again(4).await;
            }
        }
    }

    async fn accept(&self) {
        let inbox = self.host.read("/api/inbox").await;
        let item = inbox["items"][0]["id"].as_str().unwrap();
        let accept = ["inbox", "accept", item, "--note", "go on"];
        at(&self.host, &accept).await.with_code(0);
    }

    /// Lives on until the aim is near, and a moment longer.
    async fn approach(&self, aim: &str, moment: Duration) {
        self.reach(&["asked"]).await;
        if aim == "asked" {
            return;
        }
        self.accept().await;
        match aim {
            "queued" => {}
            "building" => drop(self.reach(&["building", "canary", "kept"]).await),
            "canary" => drop(self.reach(&["canary", "kept"]).await),
            // A trial takes thirty pairs of runs.
            "activating" => {
                self.reach(&["canary", "kept"]).await;
                self.ask_again(58 + (moment.as_micros() % 12) as usize)
                    .await;
            }
            _ => {
                let id = self.reach(&["kept"]).await;
                let request = self.host.post(&format!("/api/mutations/{id}/revert"));
                let reverting = tokio::spawn(request.send());
                tokio::time::sleep(moment).await;
                reverting.abort();
                return;
            }
        }
        tokio::time::sleep(moment).await;
    }

    /// The last step that is on the disk of the host that was killed.
    fn state_at_death(&self) -> String {
        let data = self.host.data.to_str().unwrap();
        let tail = ["ledger", "tail", "--data", data, "--json", "-n", "500"];
        let tail = polity(self.host.data.parent().unwrap(), &tail).with_code(0);
        let lines = tail.out.lines();
        let mut events = lines.map(|line| serde_json::from_str(line).unwrap());
        let is_step = |event: &Value| event["type"].as_str().unwrap().contains("schema.");
        let last: Value = events.rfind(is_step).unwrap_or_default();
        let kind = last["type"].as_str().unwrap_or_default();
        kind.rsplit('.').next().unwrap_or_default().to_owned()
    }

    async fn is_right(&self) {
        self.ask_again(40).await;
        let sql = "SELECT count(*), sum(price) FROM lines";
        let all = self.host.post("/api/query").json(&json!({ "sql": sql }));
        let all = self.host.json(all).await;
        assert_eq!(all["rows"], json!([[ROWS, ROWS * 99 / 2]]));
        let verified = self.host.json(self.host.post("/api/ledger/verify")).await;
        assert_eq!(verified["ok"], true, "{verified}");
    }

    async fn uses_index(&self) -> bool {
        let request = self.host.post("/api/query/explain");
        let plan = self
            .host
            .json(request.json(&json!({ "sql": QUESTION })))
            .await;
        plan.to_string().contains(INDEX)
    }
}

#[tokio::test]
async fn a_host_killed_at_any_time_of_a_change_finds_it_as_it_has_to_be() {
    let kills = std::env::var("POLITY_KILLS").ok();
    let kills: usize = kills.map_or(AIMS.len(), |text| text.parse().unwrap());
    let mut deaths = BTreeMap::<String, usize>::new();
    for kill in 0..kills {
        let aim = AIMS[kill % AIMS.len()];
        let moment = Duration::from_micros((kill as u64 * 7_919) % 5_000);
        let mut shop = Shop::open().await;
        shop.approach(aim, moment).await;
        shop.host.kill9().await;
        let state = shop.state_at_death();
        println!("{kill}: aimed at {aim}, killed {state}");
        *deaths.entry(state.clone()).or_default() += 1;
        shop.host.restart().await;
        shop.is_right().await;
        if state == "asked" && aim == "asked" {
            let inbox = shop.host.read("/api/inbox").await;
            assert_eq!(inbox["items"].as_array().unwrap().len(), 1, "{inbox}");
            shop.accept().await;
        }
        shop.reach(&["kept", "reverted"]).await;
        shop.is_right().await;
        let (id, end) = shop.newest().await;
        if end == "kept" {
            assert!(shop.uses_index().await);
            at(&shop.host, &["db", "revert", &id]).await.with_code(0);
        }
        assert!(!shop.uses_index().await);
        shop.is_right().await;
    }
    println!("{deaths:?}");
    let killed: usize = deaths.values().sum();
    assert_eq!(killed, kills);
}
