//! What a company's workflows reach outside, and how often each was really asked.

use std::collections::BTreeMap;
use std::path::Path;

use polity_tests::{Answer, Request, Upstream};
use serde_json::json;

use crate::company::openai_answer;

/// A bank, a site and a model in one peer.
pub(super) async fn peer() -> Upstream {
    Upstream::start(|request| match request.path.split('?').next() {
        Some("/pay" | "/once") => Answer::json(200, json!({"paid": request.json()["amount"]}).to_string()),
        Some("/down") => Answer::json(503, "{}"),
        Some("/v1/chat/completions") => {
            // A judge of answers is told which of them it may choose.
            Answer::json(200, openai_answer("{\"decision\": \"yes\", \"confidence\": 0.9}", 10, 5))
        }
        Some("/wp-json/wp/v2/posts") if request.method == "GET" => {
            Answer::json(200, "[]").header("x-wp-total", "0")
        }
        Some("/wp-json/wp/v2/posts") => {
            let sent = request.json();
            let made = json!({"id": 7, "slug": sent["slug"], "status": "draft", "link": "https://tea.example/?p=7",
                "title": {"raw": sent["title"]}, "content": {"raw": sent["content"]}, "excerpt": {"raw": ""}});
            Answer::json(201, made.to_string())
        }
        _ => Answer::json(404, "{}"),
    })
    .await
}

/// How often each effect was asked for, by what it is.
pub(super) fn asked(peer: &Upstream) -> BTreeMap<&'static str, usize> {
    let mut count = BTreeMap::new();
    for request in peer.requests() {
        if let Some(name) = effect(&request) {
            *count.entry(name).or_default() += 1;
        }
    }
    count
}

/// Keys under which the bank was asked to pay.
pub(super) fn keys(peer: &Upstream) -> usize {
    let requests = peer.requests();
    let keys: std::collections::BTreeSet<_> = requests
        .iter()
        .filter(|request| request.path == "/pay")
        .filter_map(|request| request.header("idempotency-key"))
        .collect();
    keys.len()
}

/// The task that a request is of.
fn effect(request: &Request) -> Option<&'static str> {
    match request.path.split('?').next()? {
        "/pay" => Some("pay"),
        "/once" => Some("once"),
        "/down" => Some("down"),
        "/wp-json/wp/v2/posts" if request.method == "POST" => Some("post"),
        "/v1/chat/completions" => {
            let text = String::from_utf8_lossy(&request.body).into_owned();
            if text.contains("Write kind words") {
                Some("words")
            } else {
                Some("weigh")
            }
        }
        _ => None,
    }
}

/// What a kernel is granted to reach it with: workflows and two plugins.
pub(super) fn grants(peer: &Upstream, secrets: &Path) -> [(&'static str, String); 2] {
    let (address, url) = (peer.address(), peer.url());
    let password = secrets.join("password");
    std::fs::write(&password, "abcd EFGH 1234 ijkl").expect("a temporary folder can be written");
    let http = format!(
        "[[http]]\nhost = \"{address}\"\nmethods = [\"GET\", \"POST\", \"DELETE\"]\nplain = true\nprivate = true\n"
    );
    [
        ("workflows.grant.toml", http.clone()),
        (
            "wordpress.grant.toml",
            format!(
                "{http}[[secret]]\nhost = \"{address}\"\nheader = \"authorization\"\nuser = \"polity\"\nfile = {password:?}\n\
                 [config.sites.tea]\nurl = \"{url}\"\n"
            ),
        ),
    ]
}
