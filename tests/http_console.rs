//! The console as a browser without scripts sees it.

mod console;

use console::{Browser, link, location};
use polity_tests::{Events, Host, Options};
use reqwest::Method;
use serde_json::json;

const POLITY: &str = env!("CARGO_BIN_EXE_polity");

fn company(options: Options) -> Options {
    options
        .without_bundled()
        .amend_charter(
            "people",
            json!([
                {"id": "ada", "name": "Ada Example", "roles": ["owner"]},
                {"id": "joan", "name": "Joan <i>Example</i>", "roles": ["owner"]},
                {"id": "eve", "name": "Eve Example", "roles": ["auditor"]},
            ]),
        )
        .first_party("spending-limit")
        .rule(
            "refunds",
            json!({"rule": "spending-limit", "guards": ["refund.*"], "policy": "Refunds up to 50 are made at once.", "config": {
                "currency": "EUR",
                "amount": {"pointer": "/amount", "unit": "unit"},
                "limits": [{"per": "action", "soft_micro": 50_000_000, "hard_micro": 500_000_000}],
            }}),
        )
}

/// Has a refund judged that a person has to decide, and returns the item.
async fn waiting(host: &Host) -> String {
    let action = json!({"kind": "refund.approve", "input": {"amount": 100, "reason": "<script>alert(1)</script>"}});
    let decision = host.json(host.post("/api/actions").json(&action)).await;
    decision["inbox_items"][0].as_str().unwrap().to_owned()
}

async fn seen(host: &Host, item: &str) -> String {
    host.read(&format!("/api/inbox/{item}")).await["proposal_digest"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn without_a_session_every_page_leads_to_the_door() {
    let host = Host::start(POLITY, company).await;
    let browser = Browser::new(&host);
    for path in [
        "/",
        "/inbox",
        "/decisions",
        "/plugins",
        "/plugins/spending-limit",
        "/ledger",
        "/runs",
        "/amendments",
        "/schema",
        "/cost",
    ] {
        let response = browser.get(path).await;
        assert_eq!(
            (response.status().as_u16(), location(&response)),
            (303, "/login"),
            "{path}"
        );
    }
    // A bearer token is for the API, and the API does not take the cookie.
    assert_eq!(
        location(
            &browser
                .request(Method::GET, "/")
                .bearer_auth(&host.token)
                .send()
                .await
                .unwrap()
        ),
        "/login"
    );
    let browser = Browser::of(&host, "person:ada").await;
    assert_eq!(browser.get("/api/plugins").await.status(), 401);
    assert!(browser.page("/").await.contains("Ada Example"));
}

#[tokio::test]
async fn a_link_opens_once_and_its_cookie_stays_in_the_browser() {
    let host = Host::start(POLITY, company).await;
    let link = link(&host, "person:ada").await;
    let browser = Browser::new(&host);
    let response = browser.get(&link).await;
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let again = browser.get(&link).await;
    assert_eq!(again.status(), 401);
    assert!(again.text().await.unwrap().contains("used already"));
    // Agents have tokens, but no business in the console.
    let program = Host::token_for(&host, "agent:assistant").await;
    let refused = host
        .anonymous(Method::POST, "/api/console-links")
        .bearer_auth(&program)
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 403);
    assert_eq!(
        browser
            .send("/login", &[("token", &program)])
            .await
            .status(),
        403
    );
}

#[tokio::test]
async fn a_token_opens_a_session_and_logging_out_ends_it() {
    let host = Host::start(POLITY, company).await;
    let mut browser = Browser::new(&host);
    assert_eq!(
        browser
            .send("/login", &[("token", "pol_wrong")])
            .await
            .status(),
        401
    );
    let response = browser.send("/login", &[("token", &host.token)]).await;
    assert_eq!(location(&response), "/");
    browser.keep(&response);
    browser.page("/").await;
    assert_eq!(location(&browser.send("/logout", &[]).await), "/login");
    assert_eq!(browser.get("/").await.status(), 303);
}

#[tokio::test]
async fn a_revoked_token_takes_along_what_it_had_opened() {
    let host = Host::start(POLITY, company).await;
    let token = host.token_for("person:joan").await;
    let tokens = host.read("/api/tokens").await;
    let id = tokens["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|token| token["actor"] == "person:joan")
        .unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let link = |token: String| {
        let request = host.anonymous(Method::POST, "/api/console-links");
        let host = &host;
        async move {
            let made = host.json(request.bearer_auth(token)).await;
            made["path"].as_str().unwrap().to_owned()
        }
    };
    let by_link = {
        let mut browser = Browser::new(&host);
        let response = browser.get(&link(token.clone()).await).await;
        browser.keep(&response);
        browser
    };
    let by_token = {
        let mut browser = Browser::new(&host);
        let response = browser.send("/login", &[("token", &token)]).await;
        browser.keep(&response);
        browser
    };
    let unused = link(token.clone()).await;
    let other = Browser::of(&host, "person:joan").await;
    for browser in [&by_link, &by_token, &other] {
        browser.page("/").await;
    }
    let nudges = by_link.get("/console/events").await;
    assert_eq!(nudges.status(), 200);

    let revoked = host.delete(&format!("/api/tokens/{id}")).send().await;
    assert_eq!(revoked.unwrap().status(), 204);
    for browser in [&by_link, &by_token] {
        assert_eq!(location(&browser.get("/").await), "/login");
    }
    Events::of(nudges).rest().await;
    assert_eq!(Browser::new(&host).get(&unused).await.status(), 401);
    other.page("/").await;
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let host = Host::start(POLITY, company).await;
    let browser = Browser::of(&host, "person:joan").await;
    let item = waiting(&host).await;
    let digest = seen(&host, &item).await;
    let fields = [
        ("answer", "accept"),
        ("note", "fine"),
        ("seen", digest.as_str()),
    ];
    let path = format!("/inbox/{item}");
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "http://localhost:1"),
        ("origin", "null"),
        ("x-nothing", "said"),
    ] {
        for path in [
            path.as_str(),
            "/plugins/spending-limit/remove",
            "/logout",
            "/login",
        ] {
            let response = browser
                .form(path, &fields)
                .header(name, value)
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), 403, "{path} {name}: {value}");
        }
    }
    let own = browser
        .form(&path, &fields)
        .header("origin", &host.url)
        .send()
        .await
        .unwrap();
    assert_eq!(
        own.status(),
        303,
        "a browser without fetch metadata says its origin"
    );
}

#[tokio::test]
async fn pages_allow_nothing_inline_and_nothing_from_elsewhere() {
    let host = Host::start(POLITY, company).await;
    let browser = Browser::of(&host, "person:joan").await;
    let item = waiting(&host).await;
    for path in [
        "/",
        "/inbox",
        &format!("/inbox/{item}"),
        "/decisions",
        "/plugins",
        "/plugins/spending-limit",
        "/ledger",
        "/runs",
        "/amendments",
        "/schema",
        "/cost",
    ] {
        let response = browser.get(path).await;
        let headers = response.headers().clone();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        let page = response.text().await.unwrap();
        for inline in [
            " style=",
            "<style",
            " onclick=",
            "hx-on",
            "javascript:",
            "<script>",
        ] {
            assert!(!page.contains(inline), "{path} has {inline}");
        }
        assert!(!page.contains("Joan <i>"), "{path} does not escape");
        // What a page refers to is there and may be kept.
        for asset in page
            .split(['"'])
            .filter(|part| part.starts_with("/assets/"))
        {
            let asset = browser.get(asset).await;
            assert_eq!(asset.status(), 200);
            assert!(
                asset.headers()["cache-control"]
                    .to_str()
                    .unwrap()
                    .contains("immutable")
            );
        }
    }
}

#[tokio::test]
async fn an_item_is_decided_with_a_plain_form() {
    let host = Host::start(POLITY, company).await;
    let item = waiting(&host).await;
    let (digest, path) = (seen(&host, &item).await, format!("/inbox/{item}"));
    let ada = Browser::of(&host, "person:ada").await;
    let card = ada.page(&path).await;
    assert!(
        card.contains("data-testid=\"why-not\"") && !card.contains("data-testid=\"accept\""),
        "{card}"
    );

    let joan = Browser::of(&host, "person:joan").await;
    assert!(
        joan.page("/")
            .await
            .contains(&format!("href=\"/inbox/{item}\""))
    );
    let card = joan.page(&path).await;
    for part in ["accept", "reject", "edit", "respond", "note"] {
        assert!(card.contains(&format!("data-testid=\"{part}\"")), "{part}");
    }
    let refused = joan
        .send(
            &path,
            &[
                ("answer", "edit"),
                ("proposal", "{"),
                ("note", "less"),
                ("seen", &digest),
            ],
        )
        .await;
    assert_eq!(refused.status(), 400);
    let again = refused.text().await.unwrap();
    assert!(
        again.contains("not JSON") && again.contains(">less</textarea>"),
        "{again}"
    );

    let changed = json!({"amount": 40}).to_string();
    let done = joan
        .send(
            &path,
            &[
                ("answer", "edit"),
                ("proposal", &changed),
                ("note", "Only the half\r\nis due"),
                ("seen", &digest),
            ],
        )
        .await;
    assert_eq!(
        (done.status().as_u16(), location(&done)),
        (303, path.as_str())
    );
    assert!(joan.page(&path).await.contains("accepted with changes"));
    let decided = host.read(&format!("/api/inbox/{item}")).await;
    assert_eq!(
        decided["state"]["decided"]["answer"],
        json!({"type": "edit", "args": {"amount": 40}})
    );
    assert_eq!(decided["state"]["decided"]["note"], "Only the half\nis due");
    // Whoever comes late sees what became of it.
    let late = joan
        .send(
            &path,
            &[("answer", "reject"), ("note", "no"), ("seen", &digest)],
        )
        .await;
    assert_eq!(late.status(), 409);
    assert!(late.text().await.unwrap().contains("Only the half"));
}

#[tokio::test]
async fn a_decision_tells_its_story_and_the_ledger_its_events() {
    let host = Host::start(POLITY, company).await;
    let item = waiting(&host).await;
    let browser = Browser::of(&host, "person:joan").await;
    let decision = host.read("/api/decisions").await["items"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        browser
            .page("/decisions?outcome=escalate")
            .await
            .contains(&decision)
    );
    assert!(
        !browser
            .page("/decisions?outcome=deny")
            .await
            .contains(&decision)
    );
    let story = browser.page(&format!("/decisions/{decision}")).await;
    for words in [
        "refund.approve",
        "spending-limit",
        "Refunds up to 50 are made at once.",
        &item,
        "&lt;script&gt;",
    ] {
        assert!(story.contains(words), "{words}");
    }
    assert!(browser.page("/ledger").await.contains("decision.made"));
    let verified = browser
        .send("/ledger/verify", &[])
        .await
        .text()
        .await
        .unwrap();
    assert!(verified.contains("are what was written"), "{verified}");
    assert_eq!(browser.get("/decisions/nothing").await.status(), 404);
}

#[tokio::test]
async fn plugins_are_granted_and_removed_by_those_who_may() {
    let host = Host::start(POLITY, company).await;
    let eve = Browser::of(&host, "person:eve").await;
    let page = eve.page("/plugins/spending-limit").await;
    assert!(
        !page.contains("data-testid=\"save-grant\"") && !page.contains("data-testid=\"remove\"")
    );
    assert_eq!(
        eve.send("/plugins/spending-limit/remove", &[])
            .await
            .status(),
        403
    );

    let ada = Browser::of(&host, "person:ada").await;
    let wrong = ada
        .send(
            "/plugins/spending-limit/grant",
            &[("grant", "[limits]\nmemory = 1")],
        )
        .await;
    assert_eq!(wrong.status(), 422);
    assert!(
        wrong.text().await.unwrap().contains("memory = 1"),
        "what was written is not lost"
    );
    let granted = ada
        .send(
            "/plugins/spending-limit/grant",
            &[("grant", "[limits]\r\nmemory_mb = 16")],
        )
        .await;
    assert_eq!(location(&granted), "/plugins/spending-limit");
    assert_eq!(
        host.get("/api/plugins/spending-limit/grant")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
        "[limits]\nmemory_mb = 16\n"
    );
    assert_eq!(
        location(&ada.send("/plugins/spending-limit/remove", &[]).await),
        "/plugins"
    );
    assert!(
        ada.page("/plugins")
            .await
            .contains("The plugin folder is empty.")
    );
}

#[tokio::test]
async fn an_open_page_hears_of_what_changes() {
    let host = Host::start(POLITY, company).await;
    let browser = Browser::of(&host, "person:joan").await;
    let page = browser.page("/").await;
    let stream = page
        .split('"')
        .find(|part| part.starts_with("/console/events?seen="))
        .unwrap();
    let mut response = browser.get(stream).await;
    waiting(&host).await;
    let mut heard = String::new();
    while !(heard.contains("event: inbox") && heard.contains("event: decisions")) {
        heard.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
    }
    let stranger = Browser::new(&host);
    let refused = stranger
        .request(Method::GET, stream)
        .header("hx-request", "true")
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 401);
}
