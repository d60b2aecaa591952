//! The examples in other languages, compiled with the tools that `plugins/examples/README.md` names, judge like any rule.
//!
//! A tool that is not installed is skipped with a notice: neither belongs to what Polity needs.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use polity_runtime::plugin::{Action, Mutation, Observations, Verdict};
use support::Host;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What a tool made, or nothing where it is not there.
fn compiled(tool: &str, arguments: impl Fn(&Path, &Path) -> Vec<PathBuf>) -> Option<Vec<u8>> {
    let found = Command::new(tool)
        .arg("--help")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if found.is_err() {
        eprintln!("skipped: {tool} is not installed");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("rule.wasm");
    let ended = Command::new(tool)
        .current_dir(folder.path())
        .args(arguments(&repository(), &output))
        .status()
        .unwrap();
    assert!(ended.success(), "{tool} failed");
    Some(std::fs::read(output).unwrap())
}

fn judges_refunds(wasm: &[u8]) {
    let host = Host::empty();
    let rule = host.install("refund-limit", wasm, "");
    assert_eq!(rule.description().applies_to, ["refund.*"]);
    let judge = |input: &str| {
        rule.evaluate(
            &Action {
                kind: "refund.approve".into(),
                actor: "person:ada".into(),
                at_ms: 0,
                input: input.into(),
                context: "{}".into(),
            },
            None,
        )
    };
    let verdict = |input| judge(input).unwrap().verdict;
    assert_eq!(verdict(r#"{"amount": 500}"#), Verdict::Allow);
    assert!(matches!(
        verdict(r#"{"amount": 501}"#),
        Verdict::Escalate(escalation) if escalation.reason == "a refund of more than 500"
    ));
    assert!(matches!(verdict(r#"{"amount": -1}"#), Verdict::Deny(_)));
    assert!(matches!(verdict(r#"{"amount": true}"#), Verdict::Deny(_)));
    assert!(judge("not JSON").is_err(), "a problem is not a verdict");
    // The same fuel for the same action: a decision replays, whatever the language.
    let fuel = || judge(r#"{"amount": 7}"#).unwrap().fuel;
    assert_eq!(fuel(), fuel());
}

#[test]
fn a_rule_in_python_judges() {
    let wasm = compiled("componentize-py", |repository, output| {
        [
            "-d".into(),
            repository.join("wit"),
            "-w".into(),
            "constitution-rule".into(),
            "componentize".into(),
            "--stub-wasi".into(),
            "-p".into(),
            repository.join("plugins/examples/python"),
            "-o".into(),
            output.into(),
            "refund_limit".into(),
        ]
        .into()
    });
    if let Some(wasm) = wasm {
        judges_refunds(&wasm);
    }
}

#[test]
fn a_rule_in_javascript_judges() {
    let wasm = compiled("componentize-qjs", |repository, output| {
        [
            "--sync".into(),
            "--stub-wasi".into(),
            "-w".into(),
            repository.join("wit"),
            "-n".into(),
            "constitution-rule".into(),
            "-j".into(),
            repository.join("plugins/examples/javascript/refund-limit.js"),
            "-o".into(),
            output.into(),
        ]
        .into()
    });
    if let Some(wasm) = wasm {
        judges_refunds(&wasm);
    }
}

#[test]
fn a_strategy_in_javascript_proposes() {
    let wasm = compiled("componentize-qjs", |repository, output| {
        [
            "--sync".into(),
            "--stub-wasi".into(),
            "-w".into(),
            repository.join("wit"),
            "-n".into(),
            "schema-strategy".into(),
            "-j".into(),
            repository.join("plugins/examples/javascript/sorted.js"),
            "-o".into(),
            output.into(),
        ]
        .into()
    });
    let Some(wasm) = wasm else { return };
    let host = Host::empty();
    let strategy = host.install("sorted", &wasm, "");
    let propose = |calls_per_day: u32| {
        let query = serde_json::json!({
            "id": "00", "collection": "orders", "order": [{"path": "placed", "descending": true}],
            "predicates": [], "group_by": [], "calls_per_day": calls_per_day, "us_per_call": 900.5,
            "examined_per_call": 10_000, "returned_per_call": 10,
        });
        let collection = serde_json::json!({
            "collection": "orders", "rows": 10_000, "writes_per_day": 3.5, "indexes": [],
        });
        let seen = serde_json::json!({"collections": [collection], "queries": [query]});
        let seen = Observations {
            at_ms: 0,
            window_ms: 1,
            seen: seen.to_string(),
        };
        strategy.propose(&seen, None).unwrap()
    };
    assert!(propose(999).is_empty());
    let proposals = propose(1_000);
    assert!(matches!(
        &proposals[0].mutation,
        Mutation::CreateIndex(index) if index.collection == "orders" && index.fields == ["placed"]
    ));
    assert_eq!(proposals[0].benefit_us_per_day, 450_250);
    assert_eq!(
        proposals,
        propose(1_000),
        "the same for the same observations"
    );
}
