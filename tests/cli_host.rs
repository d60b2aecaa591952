//! What the command line does with a running host.

mod cli;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use cli::{POLITY, as_holder_of, at, command, few, host, refund, waiting};
use polity_tests::{Answer, Host, Upstream};
use serde_json::json;

#[tokio::test]
async fn what_is_suggested_first_works_without_a_key() {
    let host = host().await;
    let answer = at(
        &host,
        &[
            "chat",
            "--model",
            "triage",
            "I was charged twice, please refund one of them",
        ],
    )
    .await;
    assert!(!answer.with_code(0).out.trim().is_empty());
    at(&host, &["models"]).await.with_code(0).shows(&["triage"]);
    let (item, decision) = waiting(&host).await;
    at(&host, &["inbox", "list"])
        .await
        .with_code(0)
        .shows(&[&item, "person:ada"]);
    at(&host, &["inbox", "show", &item])
        .await
        .with_code(0)
        .shows(&["51"]);
    at(&host, &["explain"])
        .await
        .with_code(0)
        .shows(&["refund.approve"]);
    at(&host, &["explain", &decision])
        .await
        .with_code(0)
        .shows(&["refund.approve", "spending-limit"]);
    at(&host, &["explain", &decision, "--replay"])
        .await
        .with_code(0)
        .shows(&["same"]);
    at(&host, &["decisions", "--outcome", "escalate"])
        .await
        .with_code(0)
        .shows(&[&decision, "escalated"]);
    at(&host, &["status"])
        .await
        .with_code(0)
        .shows(&[&host.url, "1 item waiting", "live"]);
}

#[tokio::test]
async fn the_exit_code_says_what_became_of_an_action() {
    let host = host().await;
    at(&host, &["act", "refund.approve", "--input", &refund(50)])
        .await
        .with_code(0)
        .shows(&["allowed"]);
    at(&host, &["act", "refund.approve", "--input", &refund(51)])
        .await
        .with_code(4)
        .says(&["polity inbox show"]);
    at(&host, &["act", "refund.approve", "--input", &refund(501)])
        .await
        .with_code(3)
        .shows(&["denied"]);
    at(&host, &["act", "Refund", "--input", &refund(1)])
        .await
        .with_code(1)
        .says(&["not a kind of action"]);
}

#[tokio::test]
async fn a_person_decides_once_with_a_note_and_never_for_themselves() {
    let host = host().await;
    let (item, decision) = waiting(&host).await;
    at(&host, &["inbox", "accept", &item])
        .await
        .with_code(2)
        .says(&["--note"]);
    at(&host, &["inbox", "accept", &item, "--note", "mine"])
        .await
        .with_code(3);
    let joan = host.token_for("person:joan").await;
    let as_joan = async |arguments: &[&str]| as_holder_of(&host, Some(&joan), arguments).await;
    as_joan(&["inbox", "list", "--mine"])
        .await
        .with_code(0)
        .shows(&[&item]);
    as_joan(&["inbox", "accept", &item, "--note", "I checked it"])
        .await
        .with_code(0)
        .shows(&["I checked it"]);
    as_joan(&["inbox", "reject", &item, "--note", "or not"])
        .await
        .with_code(1)
        .says(&["closed"]);
    at(&host, &["inbox", "list"])
        .await
        .with_code(0)
        .says(&["Nothing waits"]);
    at(&host, &["inbox", "list", "--state", "closed"])
        .await
        .with_code(0)
        .shows(&[&item, "accepted"]);
    at(&host, &["explain", &decision])
        .await
        .with_code(0)
        .shows(&["I checked it"]);

    let (item, _) = waiting(&host).await;
    let edited = refund(40);
    as_joan(&[
        "inbox",
        "edit",
        &item,
        "--proposal",
        &edited,
        "--note",
        "less",
    ])
    .await
    .with_code(0);
    let (item, _) = waiting(&host).await;
    as_joan(&["inbox", "respond", &item, "Which invoice?"])
        .await
        .with_code(0)
        .shows(&["Which invoice?"]);
}

#[tokio::test]
async fn what_a_role_does_not_permit_is_denied() {
    let host = host().await;
    let grace = host.token_for("person:grace").await;
    as_holder_of(
        &host,
        Some(&grace),
        &["plugin", "remove", "triage", "--yes"],
    )
    .await
    .with_code(3)
    .says(&["permission"]);
    as_holder_of(&host, Some("pol_wrong"), &["models"])
        .await
        .with_code(1)
        .says(&["POLITY_TOKEN"]);
}

#[tokio::test]
async fn a_plugin_is_installed_replaced_rolled_back_and_removed() {
    let host = host().await;
    let folder = tempfile::tempdir().unwrap();
    let first = polity_plugins::find("business-hours").unwrap().wasm;
    // The same plugin with another digest: an empty custom section changes nothing else.
    let second = [first, &[0, 2, 1, b'x']].concat();
    let (one, two) = (
        folder.path().join("one.wasm"),
        folder.path().join("two.wasm"),
    );
    fs::write(&one, first).unwrap();
    fs::write(&two, &second).unwrap();
    let (one, two) = (one.to_str().unwrap(), two.to_str().unwrap());

    at(&host, &["plugin", "install", one, "--name", "hours"])
        .await
        .with_code(0)
        .shows(&["hours is live"]);
    at(&host, &["plugin", "list"])
        .await
        .with_code(0)
        .shows(&["hours", "constitution-rule"]);
    let before = at(&host, &["plugin", "inspect", "hours", "--json"])
        .await
        .with_code(0)
        .json();
    at(&host, &["plugin", "install", two, "--name", "hours"])
        .await
        .with_code(0);
    at(&host, &["plugin", "rollback", "hours"])
        .await
        .with_code(0);
    let after = at(&host, &["plugin", "inspect", "hours", "--json"])
        .await
        .with_code(0)
        .json();
    assert_eq!(before["serving"]["digest"], after["serving"]["digest"]);
    let digest =
        polity_runtime::digest::Digest::of(&second).to_string()["sha256:".len()..][..12].to_owned();
    at(&host, &["plugin", "rollback", "hours", "--to", &digest])
        .await
        .with_code(0)
        .shows(&[&digest]);
    at(&host, &["plugin", "rollback", "hours", "--to", "ffff"])
        .await
        .with_code(2)
        .says(&["kept are"]);

    let bad = folder.path().join("bad.wasm");
    fs::write(&bad, "#!/bin/sh").unwrap();
    let bad = bad.to_str().unwrap();
    at(&host, &["plugin", "install", bad, "--name", "hours"])
        .await
        .with_code(1)
        .says(&["not WebAssembly"]);
    at(&host, &["plugin", "inspect", "hours"])
        .await
        .with_code(0)
        .shows(&["live", &digest]);

    at(&host, &["plugin", "inspect", "hour"])
        .await
        .with_code(1)
        .says(&["did you mean hours?"]);
    at(&host, &["plugin", "remove", "hours"])
        .await
        .with_code(2)
        .says(&["--yes"]);
    at(&host, &["plugin", "remove", "hours", "--yes"])
        .await
        .with_code(0)
        .shows(&["polity plugin rollback hours"]);
    at(&host, &["plugin", "inspect", "hours"])
        .await
        .with_code(1);
    at(&host, &["plugin", "rollback", "hours"])
        .await
        .with_code(0)
        .shows(&["hours", &digest]);
    at(&host, &["plugin", "inspect", "hours"])
        .await
        .with_code(0)
        .shows(&["live", &digest]);
    at(&host, &["plugin", "rollback", "hour"])
        .await
        .with_code(1)
        .says(&["did you mean hours?"]);

    // What only has the name of a plugin is told, too.
    let plugins = host.company.join("plugins");
    fs::create_dir(plugins.join("folder.wasm")).unwrap();
    host.printed("this is a folder").await;
    at(&host, &["plugin", "list"]).await.with_code(0).shows(&[
        "folder",
        "refused",
        "this is a folder",
    ]);
}

#[tokio::test]
async fn a_plugin_that_waits_is_given_what_it_asks_for() {
    let host = Host::start(POLITY, |options| {
        few(options)
            .first_party("anthropic")
            .environment("ANTHROPIC_API_KEY", "sk-not-a-key-0123456789")
    })
    .await;
    let shown = at(&host, &["plugin", "grant", "anthropic"])
        .await
        .with_code(4)
        .shows(&["granted nothing", "[[http]]"]);
    assert!(shown.out.contains("--all"), "{shown:?}");
    at(&host, &["plugin", "grant", "anthropic", "--all"])
        .await
        .with_code(2)
        .says(&["--yes"]);
    at(&host, &["plugin", "grant", "anthropic", "--all", "--yes"])
        .await
        .with_code(0)
        .shows(&["anthropic is live"]);
    at(&host, &["plugin", "grant", "anthropic"])
        .await
        .with_code(0)
        .shows(&["It has what it needs"]);

    let printed = at(&host, &["plugin", "grant", "anthropic", "--print"])
        .await
        .with_code(0)
        .out;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("grant.toml");
    fs::write(&file, format!("{printed}\n[limits]\nwall_ms = 5000\n")).unwrap();
    at(
        &host,
        &[
            "plugin",
            "grant",
            "anthropic",
            "--file",
            file.to_str().unwrap(),
        ],
    )
    .await
    .with_code(0);
    fs::write(&file, "[limts]\n").unwrap();
    let wrong = at(
        &host,
        &[
            "plugin",
            "grant",
            "anthropic",
            "--file",
            file.to_str().unwrap(),
        ],
    )
    .await;
    wrong.with_code(1).says(&["did you mean `limits`?"]);

    let mut edit = command(&host.company);
    edit.env("VISUAL", "sed -i s/5000/6000/")
        .arg("--data")
        .arg(&host.data);
    let edited = fs::read_to_string(host.company.join("plugins/anthropic.grant.toml")).unwrap();
    assert!(edited.contains("5000"));
    let status = tokio::task::spawn_blocking(move || {
        edit.args(["plugin", "grant", "anthropic", "--edit"])
            .status()
    });
    assert!(status.await.unwrap().unwrap().success());
    let edited = fs::read_to_string(host.company.join("plugins/anthropic.grant.toml")).unwrap();
    assert!(edited.contains("6000"));
}

#[tokio::test]
async fn a_token_speaks_for_its_actor_until_it_is_revoked() {
    let host = host().await;
    let created = at(
        &host,
        &["token", "create", "agent:assistant", "--label", "bot"],
    )
    .await
    .with_code(0);
    let token = created.out.trim().to_owned();
    let acted = as_holder_of(
        &host,
        Some(&token),
        &["act", "refund.approve", "--input", &refund(5), "--json"],
    )
    .await;
    assert_eq!(acted.with_code(0).json()["actor"], "agent:assistant");
    let tokens = at(&host, &["token", "list", "--json"])
        .await
        .with_code(0)
        .json();
    let tokens = tokens["items"].as_array().unwrap().clone();
    let id = tokens.iter().find(|token| token["label"] == "bot").unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    at(&host, &["token", "revoke", &id]).await.with_code(0);
    as_holder_of(&host, Some(&token), &["models"])
        .await
        .with_code(1);
    at(&host, &["token", "create", "agent:asistant"])
        .await
        .with_code(1)
        .says(&["agent:assistant"]);
}

#[tokio::test]
async fn the_ledger_reads_the_same_with_and_without_a_host() {
    let mut host = host().await;
    waiting(&host).await;
    at(&host, &["ledger", "tail", "--kind", "decision.made"])
        .await
        .with_code(0)
        .shows(&["decision.made"]);
    let verified = at(&host, &["ledger", "verify", "--json"])
        .await
        .with_code(0)
        .json();
    let head = format!(
        "{}:{}",
        verified["events"],
        verified["head"].as_str().unwrap()
    );
    let online = at(&host, &["ledger", "export"]).await.with_code(0).out;

    assert!(host.stop().await.success());
    at(&host, &["ledger", "verify", "--head", &head])
        .await
        .with_code(0)
        .shows(&["ok"]);
    let other = format!("1:{}", "0".repeat(64));
    at(&host, &["ledger", "verify", "--head", &other])
        .await
        .with_code(1)
        .says(&["whose head was noted"]);
    let file = host.company.join("ledger.ndjson");
    at(&host, &["ledger", "export", "-o", file.to_str().unwrap()])
        .await
        .with_code(0)
        .says(&["events in"]);
    let offline = fs::read_to_string(&file).unwrap();
    assert!(offline.starts_with(&online), "the export changed");
    at(
        &host,
        &["ledger", "tail", "--kind", "decision.made", "--json"],
    )
    .await
    .with_code(0)
    .shows(&["decision.made"]);
    at(&host, &["ledger", "tail", "-f"])
        .await
        .with_code(1)
        .says(&["no host is running"]);
}

#[tokio::test]
async fn the_ledger_is_followed_as_it_grows() {
    let host = host().await;
    let mut tail = command(&host.company);
    tail.arg("--data").arg(&host.data);
    tail.args(["ledger", "tail", "-f", "-n", "1"]);
    let mut tail = tail.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    // The newest event so far says that from now on it is followed.
    let (first, lines) = tokio::task::spawn_blocking(move || (lines.next(), lines))
        .await
        .unwrap();
    assert!(first.unwrap().unwrap().contains("token.issued"));
    waiting(&host).await;
    let found = tokio::task::spawn_blocking(move || {
        lines
            .map_while(Result::ok)
            .find(|line| line.contains("decision.made"))
    });
    let found = found.await.unwrap().unwrap();
    assert!(found.contains("refund.approve: "), "{found}");
    tail.kill().unwrap();
    tail.wait().unwrap();
}

#[tokio::test]
async fn a_reader_that_goes_early_is_no_failure_of_a_command_either() {
    let host = host().await;
    for arguments in [
        &["plugin", "list"][..],
        &["ledger", "export"],
        &["models", "--json"],
    ] {
        let mut command = command(&host.company);
        command.arg("--data").arg(&host.data).args(arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
        let output = output.await.unwrap();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{arguments:?}: {output:?}"
        );
    }
}

#[tokio::test]
async fn every_read_has_a_json_form() {
    let host = host().await;
    let (item, decision) = waiting(&host).await;
    let reads: [&[&str]; 12] = [
        &["status"],
        &["models"],
        &["decisions"],
        &["explain", &decision],
        &["inbox", "list"],
        &["inbox", "show", &item],
        &["plugin", "list"],
        &["plugin", "inspect", "triage"],
        &["plugin", "grant", "triage"],
        &["ledger", "verify"],
        &["token", "list"],
        &["console"],
    ];
    for read in reads {
        let ended = at(&host, &[read, &["--json"]].concat()).await.with_code(0);
        assert!(ended.json().is_object(), "{read:?}: {ended:?}");
    }
}

#[tokio::test]
async fn what_the_budget_does_not_cover_is_not_sent() {
    let upstream = Upstream::start(|_| Answer::json(200, "{}")).await;
    let host = Host::start(POLITY, |options| {
        few(options)
            .openai(&upstream, &["small"])
            .amend_charter("budgets", json!({"actor_daily_micro": 0}))
    })
    .await;
    at(&host, &["chat", "--model", "small", "Hello"])
        .await
        .with_code(5);
    at(&host, &["chat", "--model", "smal", "Hello"])
        .await
        .with_code(1)
        .says(&["small"]);
    at(&host, &["models"])
        .await
        .with_code(0)
        .shows(&["small", "openai"]);
}
