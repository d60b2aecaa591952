//! `polity up` as a process: what it claims, what it prints, and how it ends.

mod cli;

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use cli::{POLITY, at, command, company, few, host, polity, refund, waiting};
use polity_tests::{Answer, Gate, Host, Upstream};
use serde_json::json;

#[tokio::test]
async fn a_second_host_is_told_who_has_the_folder_and_a_taken_port_is_named() {
    let host = host().await;
    let pid = host.pid().to_string();
    at(&host, &["up", "--listen", "127.0.0.1:0"])
        .await
        .with_code(1)
        .says(&["already", &pid, &host.url]);
    at(&host, &["status"]).await.with_code(0);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let other = tempfile::tempdir().unwrap();
    let (company, data) = (host.company.clone(), other.path().join("data"));
    let mut up = command(other.path());
    up.arg("up")
        .arg("--company")
        .arg(company)
        .arg("--data")
        .arg(&data)
        .args(["--listen", &listen]);
    let output = tokio::task::spawn_blocking(move || up.output().unwrap())
        .await
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(
        err.contains("taken") && err.contains("--listen 127.0.0.1:7655"),
        "{err}"
    );
    assert!(!data.join("server.json").exists());
}

#[tokio::test]
async fn a_host_that_is_asked_to_end_drains_and_leaves_no_address_behind() {
    let mut host = host().await;
    let status = host.stop().await;
    assert_eq!(status.code(), Some(0), "{}", host.log());
    host.printed("Stopped.").await;
    assert!(host.log().contains("Draining"), "{}", host.log());
    assert!(!host.data.join("server.json").exists());
    at(&host, &["status"])
        .await
        .with_code(1)
        .says(&["no host is running"]);
    // Running it again is harmless, and the token of the first time goes on opening the door.
    let token = host.token.clone();
    host.restart().await;
    assert_eq!(host.token, token);
    at(&host, &["status"]).await.with_code(0);
}

#[tokio::test]
async fn a_second_signal_ends_a_host_that_drains() {
    let gate = Gate::new();
    let closed = gate.clone();
    let upstream = Upstream::start(move |_| Answer::status(200).pass(&closed)).await;
    let mut host = Host::start(POLITY, |options| few(options).openai(&upstream, &["small"])).await;
    let pending = host
        .post("/v1/chat/completions")
        .json(&json!({"model": "small", "messages": [{"role": "user", "content": "x"}]}));
    let pending = tokio::spawn(async move { pending.send().await.map(|answer| answer.status()) });
    gate.reached().await;
    host.terminate().await;
    host.printed("Draining").await;
    host.terminate().await;
    assert_eq!(host.ended().await.code(), Some(130), "{}", host.log());
    assert!(!host.data.join("server.json").exists());
    drop(pending);
}

#[tokio::test]
async fn a_host_that_was_killed_is_noticed_and_started_again() {
    let mut host = host().await;
    let pid = host.pid().to_string();
    let (item, _) = waiting(&host).await;
    host.kill9().await;
    assert!(host.data.join("server.json").exists());
    at(&host, &["status"])
        .await
        .with_code(1)
        .says(&["nobody answers", &pid, "polity up"]);
    at(&host, &["ledger", "verify"]).await.with_code(0);
    host.restart().await;
    at(&host, &["inbox", "list"])
        .await
        .with_code(0)
        .shows(&[&item]);
}

#[tokio::test]
async fn a_bundled_plugin_that_was_deleted_stays_deleted_and_one_that_was_changed_stays_changed() {
    let mut host = Host::start(POLITY, company).await;
    let plugins = host.company.join("plugins");
    assert!(plugins.join("triage.wasm").exists() && plugins.join(".bundled.json").exists());
    fs::remove_file(plugins.join("openai.wasm")).unwrap();
    let changed = [
        polity_plugins::find("pii-guard").unwrap().wasm,
        &[0, 2, 1, b'x'],
    ]
    .concat();
    fs::write(plugins.join("pii-guard.wasm"), &changed).unwrap();
    host.stop().await;
    host.restart().await;
    assert!(!plugins.join("openai.wasm").exists());
    assert_eq!(fs::read(plugins.join("pii-guard.wasm")).unwrap(), changed);
}

#[tokio::test]
async fn whoever_drops_a_file_reads_in_the_log_what_became_of_it() {
    let host = host().await;
    let plugins = host.company.join("plugins");
    fs::write(plugins.join("bad.wasm"), "#!/bin/sh").unwrap();
    host.printed("plugin bad was refused").await;
    let hours = polity_plugins::find("business-hours").unwrap().wasm;
    fs::write(plugins.join("hours.wasm"), hours).unwrap();
    host.printed("plugin hours serves").await;
    fs::remove_file(plugins.join("hours.wasm")).unwrap();
    host.printed("plugin hours has gone").await;
}

#[tokio::test]
async fn without_the_bundled_plugins_the_folder_stays_as_it_is() {
    let host = Host::start(POLITY, |options| options.without_bundled()).await;
    assert_eq!(
        fs::read_dir(host.company.join("plugins")).unwrap().count(),
        0
    );
}

#[tokio::test]
async fn a_constitution_is_read_again_when_the_host_is_told_to() {
    let host = host().await;
    at(&host, &["act", "refund.approve", "--input", &refund(51)])
        .await
        .with_code(4);
    fs::remove_file(host.company.join("rules/refunds.json")).unwrap();
    let hangup = Command::new("kill")
        .args(["-HUP", &host.pid().to_string()])
        .status()
        .unwrap();
    assert!(hangup.success());
    host.printed("another constitution is in force").await;
    at(&host, &["reload"])
        .await
        .with_code(0)
        .shows(&["is what the folder holds", "0 rules"]);
    at(&host, &["act", "refund.approve", "--input", &refund(51)])
        .await
        .with_code(0);
}

#[tokio::test]
async fn a_mistake_in_the_constitution_is_told_with_its_place_and_its_fix() {
    let host = host().await;
    fs::write(
        host.company.join("rules/refunds.json"),
        "{\"rule\": \"spending-limit\", \"guards\": [\"refund.*\"], \"mod\": \"shadow\"}",
    )
    .unwrap();
    at(&host, &["reload"])
        .await
        .with_code(1)
        .says(&["rules/refunds.json:1", "did you mean \"mode\"?"]);
    at(&host, &["act", "refund.approve", "--input", &refund(51)])
        .await
        .with_code(4);
}

#[tokio::test]
async fn the_log_is_json_where_nobody_watches_and_holds_no_token() {
    let host = host().await;
    host.printed("ready").await;
    let log = host.log();
    assert!(
        !log.contains(&host.token),
        "the log holds the owner's token"
    );
    for line in log.lines().filter(|line| !line.is_empty()) {
        let line: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(
            line["level"].is_string() && line["message"].is_string(),
            "{line}"
        );
    }
}

#[tokio::test]
async fn the_example_company_runs_as_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    polity(folder.path(), &["init", "my-company"]).with_code(0);
    let host = Host::start(POLITY, |options| {
        options.company(folder.path().join("my-company"))
    })
    .await;
    at(&host, &["plugin", "list"])
        .await
        .with_code(0)
        .shows(&["triage", "live"]);
    for arguments in [&["chat", "--model", "triage"][..], &["chat"]] {
        at(&host, &[arguments, &["Where is my parcel?"]].concat())
            .await
            .with_code(0);
    }
    at(&host, &["chat", "--model", "auto", "Where is my parcel?"])
        .await
        .with_code(1)
        .says(&["triage", "polity plugin list"]);
    at(&host, &["doctor", "--listen", "127.0.0.1:0"])
        .await
        .with_code(0);
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[tokio::test]
async fn a_host_keeps_a_small_part_of_its_program_in_memory() {
    let host = host().await;
    at(&host, &["act", "note.write", "--input", "{}"]).await;
    let program = fs::canonicalize(POLITY).unwrap();
    let maps = fs::read_to_string(format!("/proc/{}/smaps", host.pid())).unwrap();
    let code = maps
        .lines()
        .skip_while(|line| !line.contains(" r-xp ") || !line.ends_with(program.to_str().unwrap()));
    let kilobytes = |name: &str| -> u64 {
        let mut lines = code.clone().skip(1);
        let number = lines.find_map(|line| line.strip_prefix(name)).unwrap();
        number.trim().trim_end_matches(" kB").parse().unwrap()
    };
    let (whole, resident) = (kilobytes("Size:"), kilobytes("Rss:"));
    // Without the linker script it is more than a half.
    assert!(
        resident * 5 < whole * 2,
        "{resident} of {whole} kB: write host/polity/serving.ld anew, see tests/bench/layout.py"
    );
}
