//! The console's pages of what the company does: runs, amendments, the schema, the cost.

mod cli;
mod console;
mod workflows;

use std::fs;
use std::path::Path;

use cli::at;
use console::{Browser, location};
use polity_tests::{Host, Options, git};
use serde_json::{Value, json};
use workflows::{POLITY, bank, company, ended, id, run, until};

/// The inbox item that a run waits for.
fn item(run: &Value) -> &str {
    run["waits"][0]["item"].as_str().unwrap()
}

#[tokio::test]
async fn a_run_is_begun_followed_answered_and_ended_from_its_page() {
    let bank = bank().await;
    let host = Host::start(POLITY, |options| company(options, &bank)).await;
    let ada = Browser::of(&host, "person:ada").await;
    let begun = ada
        .send(
            "/runs",
            &[("workflow", "refund"), ("input", "{\"amount\": 80}")],
        )
        .await;
    assert_eq!(begun.status(), 303);
    let path = location(&begun).to_owned();
    let run_id = path.strip_prefix("/runs/").unwrap();
    let waiting = until(&host, run_id, |run| run["phase"] == "waiting").await;

    let page = ada.page(&path).await;
    for part in [
        "A refund",
        "waits for a person",
        &format!("href=\"/inbox/{}\"", item(&waiting)),
        "data-testid=\"tree\"",
        "data-testid=\"journal\"",
        "the table refund answers",
        // The step that it is at is marked, and no other one.
        "aria-current=\"step\"><b>ask</b>",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert_eq!(page.matches("aria-current=\"step\"").count(), 1);
    let list = ada.page("/runs?state=open").await;
    assert!(list.contains(&format!("href=\"{path}\"")) && list.contains("Pay 80 back?"));
    assert!(!ada.page("/runs?state=completed").await.contains(run_id));

    // Somebody else answers, as the page says where.
    let joan = Browser::of(&host, "person:joan").await;
    let item = item(&waiting).to_owned();
    let digest = host.read(&format!("/api/inbox/{item}")).await["proposal_digest"].clone();
    let answer = [
        ("answer", "accept"),
        ("note", "fine"),
        ("seen", digest.as_str().unwrap()),
    ];
    assert_eq!(
        joan.send(&format!("/inbox/{item}"), &answer).await.status(),
        303
    );
    ended(&host, run_id).await;
    let page = ada.page(&path).await;
    assert!(page.contains("data-testid=\"output\"") && page.contains("completed"));
    assert!(!page.contains("data-testid=\"cancel\""), "it has ended");
    let decision = page.split("href=\"/decisions/").nth(1).unwrap();
    let decision = decision.split('"').next().unwrap();
    assert!(
        ada.page(&format!("/decisions/{decision}"))
            .await
            .contains("refund.pay")
    );
    assert!(ada.page("/runs?state=completed").await.contains(run_id));

    // One that is not wanted any more is ended, with a reason.
    let other = run(&host, "refund", json!({"amount": 90})).await;
    let path = format!("/runs/{}", id(&other));
    let grace = Browser::of(&host, "person:grace").await;
    let cancel = format!("{path}/cancel");
    assert_eq!(
        grace.send(&cancel, &[("reason", "mine")]).await.status(),
        403
    );
    assert_eq!(ada.send(&cancel, &[("reason", "")]).await.status(), 400);
    assert_eq!(
        ada.send(&cancel, &[("reason", "placed twice")])
            .await
            .status(),
        303
    );
    assert!(ada.page(&path).await.contains("placed twice"));
    assert_eq!(ada.get("/runs/nothing").await.status(), 404);
    let refused = ada
        .send("/runs", &[("workflow", "refund"), ("input", "{")])
        .await;
    assert_eq!(refused.status(), 400);
    assert!(refused.text().await.unwrap().contains("not JSON"));
    let unknown = ada
        .send("/runs", &[("workflow", "refnud"), ("input", "")])
        .await;
    assert_eq!(unknown.status(), 404);

    let metrics = host
        .get("/metrics")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for line in [
        "polity_workflow_instances{phase=\"waiting\"} 0",
        "polity_workflow_ended_total{phase=\"completed\"} 1",
        "polity_workflow_ended_total{phase=\"cancelled\"} 1",
        "polity_workflow_effects_total{call=\"http\",outcome=\"done\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
}

#[tokio::test]
async fn an_emergency_stop_holds_a_run_until_its_button_is_pressed() {
    let bank = bank().await;
    let host = Host::start(POLITY, |options| company(options, &bank)).await;
    let ada = Browser::of(&host, "person:ada").await;
    let grace = Browser::of(&host, "person:grace").await;
    assert!(
        !grace
            .page("/runs")
            .await
            .contains("data-testid=\"halt-now\"")
    );
    let stop = [("pattern", "refund.*"), ("reason", "paid <b>twice</b>")];
    assert_eq!(grace.send("/halts", &stop).await.status(), 403);
    assert_eq!(
        ada.send("/halts", &[("pattern", "Refund!"), ("reason", "x")])
            .await
            .status(),
        400
    );
    assert_eq!(ada.send("/halts", &stop).await.status(), 303);
    let list = ada.page("/runs").await;
    assert!(list.contains("paid &lt;b&gt;twice") && list.contains("data-testid=\"lift\""));

    let held = run(&host, "refund", json!({"amount": 40})).await;
    let path = format!("/runs/{}", id(&held));
    let page = ada.page(&path).await;
    assert!(
        page.contains("was stopped before") && page.contains("data-testid=\"lift\""),
        "{page}"
    );
    let lift = [("pattern", "refund.*"), ("run", &id(&held))];
    assert_eq!(grace.send("/halts/lift", &lift).await.status(), 403);
    let lifted = ada.send("/halts/lift", &lift).await;
    assert_eq!(
        (lifted.status().as_u16(), location(&lifted)),
        (303, path.as_str())
    );
    let done = ended(&host, &id(&held)).await;
    assert_eq!(done["output"], json!({"paid": 40}));
    // The button leads to a run or to the list, wherever a form says.
    ada.send("/halts", &stop).await;
    let lift = [("pattern", "refund.*"), ("run", "//evil.example")];
    assert_eq!(location(&ada.send("/halts/lift", &lift).await), "/runs");
}

const ASK: &str = "  - ask:
      call: human.approve
      with: {title: Pay it back?, role: owner, proposal: {}, deadline: P2D}
";

const PROTOCOL: &str = "document: {dsl: 1.0.3, namespace: shop, name: refund, version: 1.0.0}
timeout: {after: P21D}
do:
ASK  - note:
      set: {done: true}
";

#[tokio::test]
async fn an_amendment_is_read_debated_voted_on_and_put_in_force_from_its_page() {
    let folder = tempfile::tempdir().unwrap();
    let house = folder.path().join("company");
    fs::create_dir_all(house.join("workflows")).unwrap();
    let charter = json!({
        "company": {"name": "Example Ltd", "currency": "EUR"},
        "people": [
            {"id": "ada", "name": "Ada", "roles": ["owner"]},
            {"id": "joan", "name": "Joan", "roles": ["owner"]},
        ],
        "defaults": {"unmatched": "allow"},
        "amendments": {"quorum": 1},
    });
    fs::write(house.join("charter.json"), charter.to_string()).unwrap();
    fs::write(
        house.join("workflows/refund.yaml"),
        PROTOCOL.replace("ASK", ASK),
    )
    .unwrap();
    fs::write(
        house.join(".gitignore"),
        "plugins/*.wasm\n.polity/\n.bundled.json\n",
    )
    .unwrap();
    git(&house, &["init", "-q", "-b", "main"]);
    git(&house, &["add", "-A"]);
    git(&house, &["commit", "-q", "-m", "The company"]);
    let host = Host::start(POLITY, |options: Options| {
        options.company(house).without_bundled()
    })
    .await;
    let begun = at(&host, &["amend", "new", "Ask nobody", "--json"])
        .await
        .with_code(0)
        .json();
    let branch = Path::new(begun["folder"].as_str().unwrap()).to_owned();
    fs::write(
        branch.join("workflows/refund.yaml"),
        PROTOCOL.replace("ASK", ""),
    )
    .unwrap();
    at(&host, &["amend", "diff"])
        .await
        .with_code(0)
        .shows(&["ask the role owner is not asked any more (easier)"]);
    at(
        &host,
        &[
            "amend",
            "submit",
            "ask-nobody",
            "--why",
            "it takes <too> long",
        ],
    )
    .await
    .with_code(0);

    let joan = Browser::of(&host, "person:joan").await;
    assert!(
        joan.page("/amendments")
            .await
            .contains("href=\"/amendments/ask-nobody\"")
    );
    let page = joan.page("/amendments/ask-nobody").await;
    for part in [
        "it takes &lt;too&gt; long",
        "Something becomes easier",
        "the role owner is not asked any more",
        "0 of 1 needed, 1 not heard",
        "data-testid=\"yes\"",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    let seen = page
        .split("name=\"seen\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let ada = Browser::of(&host, "person:ada").await;
    assert!(
        !ada.page("/amendments/ask-nobody")
            .await
            .contains("data-testid=\"yes\""),
        "its author does not vote"
    );
    let vote = |word: &'static str| [("vote", word), ("note", "seen"), ("seen", seen)];
    assert_eq!(
        ada.send("/amendments/ask-nobody/vote", &vote("yes"))
            .await
            .status(),
        403
    );
    assert_eq!(
        joan.send("/amendments/ask-nobody/vote", &vote("maybe"))
            .await
            .status(),
        400
    );
    assert_eq!(
        joan.send("/amendments/ask-nobody/comment", &[("text", "Really?")])
            .await
            .status(),
        303
    );
    assert_eq!(
        ada.send("/amendments/ask-nobody/merge", &[]).await.status(),
        403
    );
    assert_eq!(
        joan.send("/amendments/ask-nobody/vote", &vote("yes"))
            .await
            .status(),
        303
    );
    let page = joan.page("/amendments/ask-nobody").await;
    assert!(
        page.contains("Really?") && page.contains("data-testid=\"merge\""),
        "{page}"
    );
    assert_eq!(
        joan.send("/amendments/ask-nobody/merge", &[])
            .await
            .status(),
        303
    );
    let page = joan.page("/amendments/ask-nobody").await;
    assert!(
        page.contains("in force") && page.contains("What the voters read"),
        "{page}"
    );
    assert_eq!(joan.get("/amendments/nothing").await.status(), 404);
}

#[tokio::test]
async fn the_schema_and_the_cost_have_pages_for_those_who_may_read_them() {
    let host = Host::start(POLITY, |options: Options| {
        let people = json!([
            {"id": "ada", "name": "Ada Example", "roles": ["owner"]},
            {"id": "clerk", "name": "A clerk", "roles": ["clerk"]},
        ]);
        options
            .without_bundled()
            .first_party("hot-query")
            .amend_charter("people", people)
            .amend_charter(
                "roles",
                json!({"clerk": {"summary": "Decides", "permissions": ["inbox:decide"]}}),
            )
    })
    .await;
    let ada = Browser::of(&host, "person:ada").await;
    let schema = ada.page("/schema").await;
    assert!(
        schema.contains("No changes of the schema.") && schema.contains("hot-query@"),
        "{schema}"
    );
    let rehearsal = ada.send("/schema/rehearse", &[]).await;
    assert_eq!(rehearsal.status(), 200);
    assert!(
        rehearsal
            .text()
            .await
            .unwrap()
            .contains("data-testid=\"rehearsal\"")
    );
    assert_eq!(ada.get("/schema/nothing").await.status(), 404);
    let none = format!("/schema/{}/revert", "01900000-0000-7000-8000-000000000000");
    assert_eq!(ada.send(&none, &[]).await.status(), 404);
    assert!(
        ada.page("/cost?days=7")
            .await
            .contains("data-testid=\"total\"")
    );
    let clerk = Browser::of(&host, "person:clerk").await;
    for path in ["/runs", "/amendments", "/schema", "/cost"] {
        assert_eq!(clerk.get(path).await.status(), 403, "{path}");
        assert_eq!(location(&Browser::new(&host).get(path).await), "/login");
    }
}
