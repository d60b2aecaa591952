//! Programs that exist already: the `openai` and `anthropic` packages for Python and `openai` for Node talk to the host as
//! to their own vendor.
//!
//! `POLITY_CLIENTS` names a folder with `bin/python` (a virtual environment that has `openai` and `anthropic`) and
//! `node_modules/openai`; what it lacks is skipped with a notice. Continuous integration installs them where it can.

mod chat;

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use chat::{host, last, piece, stream, with_all};
use polity_tests::{Answer, Host, Upstream};
use serde_json::{Value, json};
use tokio::process::Command;

/// A provider that answers in words, in JSON where a schema is sent, and by calling a tool where there is one.
async fn provider() -> Upstream {
    Upstream::start(|request| {
        let body = request.json();
        if request.path.ends_with("/embeddings") {
            let count = body["input"].as_array().unwrap().len();
            let data: Vec<Value> = (0..count)
                .map(|index| json!({"index": index, "embedding": [0.25, -1.0]}))
                .collect();
            return Answer::json(200, json!({ "data": data }).to_string());
        }
        let has_result = body["messages"]
            .as_array()
            .unwrap()
            .iter()
            .any(|message| message["role"] == "tool");
        if body["tools"].is_array() && !has_result {
            let call = json!({"tool_calls": [{"index": 0, "id": "call_1", "type": "function",
                "function": {"name": "weather", "arguments": "{\"city\":\"Paris\"}"}}]});
            return with_all(stream().event(&piece(call)), last("tool_calls"));
        }
        let words = match body["response_format"].is_object() {
            true => r#"{"city": "Paris"}"#,
            false => "Good day",
        };
        let (first, second) = words.split_at(4);
        let answer = stream()
            .event(&piece(json!({ "content": first })))
            .event(&piece(json!({ "content": second })));
        with_all(answer, last("stop"))
    })
    .await
}

async fn company(upstream: &Upstream) -> Host {
    let models = json!({"councils": {"board": {"members": ["small", "large"], "quorum": 2}}});
    host(upstream, |options| {
        options
            .embedding("small")
            .file("models.json", models.to_string())
    })
    .await
}

/// The program of a client, where it is installed.
fn installed(program: &str, package: &str) -> Option<PathBuf> {
    let found = std::env::var_os("POLITY_CLIENTS").map(PathBuf::from);
    let found = found.filter(|folder| folder.join(program).exists());
    if found.is_none() {
        eprintln!("skipped: POLITY_CLIENTS names no folder with {package}");
    }
    found
}

async fn run(mut command: Command, host: &Host) {
    let ended = command
        .env("POLITY_URL", &host.url)
        .env("POLITY_TOKEN", &host.token)
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let ended = tokio::time::timeout(Duration::from_secs(300), ended)
        .await
        .expect("the client ends")
        .unwrap();
    assert!(
        ended.status.success(),
        "{}\n{}\n{}",
        String::from_utf8_lossy(&ended.stdout),
        String::from_utf8_lossy(&ended.stderr),
        host.log()
    );
}

#[tokio::test]
async fn the_openai_package_for_python_works_unchanged() {
    let Some(folder) = installed("bin/python", "bin/python and the package openai") else {
        return;
    };
    let upstream = provider().await;
    let host = company(&upstream).await;
    let mut command = Command::new(folder.join("bin/python"));
    command.args(["-c", include_str!("clients/openai_client.py")]);
    run(command, &host).await;
}

#[tokio::test]
async fn the_anthropic_package_for_python_works_unchanged() {
    let Some(folder) = installed("bin/python", "bin/python and the package anthropic") else {
        return;
    };
    let upstream = provider().await;
    let host = company(&upstream).await;
    let mut command = Command::new(folder.join("bin/python"));
    command.args(["-c", include_str!("clients/anthropic_client.py")]);
    run(command, &host).await;
}

#[tokio::test]
async fn the_openai_package_for_node_works_unchanged() {
    let Some(folder) = installed("node_modules/openai/package.json", "node_modules/openai") else {
        return;
    };
    let upstream = provider().await;
    let host = company(&upstream).await;
    // A module is looked for beside the file that asks for it.
    let script = folder.join(format!("client-{}.mjs", std::process::id()));
    std::fs::write(&script, include_str!("clients/openai_client.mjs")).unwrap();
    let mut command = Command::new("node");
    command.arg(&script);
    run(command, &host).await;
    let _ = std::fs::remove_file(&script);
}
