//! Policies written in Cedar and Rego, in the constitution's folder, judged by the components that read them.
//!
//! `POLITY_POLICY_PLUGINS` names a folder with `rule_cedar.wasm` and `rule_rego.wasm`; without it the tests are skipped
//! with a notice. The two are workspaces of their own, and continuous integration builds them.

use std::fs;
use std::path::PathBuf;

use polity_tests::{Host, Options};
use serde_json::{Value, json};

mod cli;

const POLITY: &str = env!("CARGO_BIN_EXE_polity");

const CEDAR: &str = r#"@id("refunds")
permit (principal, action in Action::"refund", resource)
when { context.input.currency == "EUR" };

@id("large")
@verdict("escalate")
@role("owner")
@reason("above 50 EUR a second pair of eyes decides")
forbid (principal, action in Action::"refund", resource)
when { context.input.amount.greaterThan(decimal("50.0")) };
"#;

const REGO: &str = r#"package polity
import rego.v1

default verdict := {"verdict": "deny", "reason": "only refunds in EUR are made here"}

verdict := "allow" if {
  input.input.currency == "EUR"
  is_number(input.input.amount)
  input.input.amount <= 50
}
"#;

fn plugin(name: &str) -> Option<Vec<u8>> {
    let Some(folder) = std::env::var_os("POLITY_POLICY_PLUGINS") else {
        eprintln!(
            "skipped: POLITY_POLICY_PLUGINS names no folder with rule_cedar.wasm and rule_rego.wasm"
        );
        return None;
    };
    let file = PathBuf::from(folder).join(format!("{name}.wasm"));
    Some(fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
}

async fn judged(host: &Host, amount: Value) -> (Value, String) {
    let action = json!({"kind": "refund.pay", "input": {"amount": amount, "currency": "EUR"}});
    let decision = host.json(host.post("/api/actions").json(&action)).await;
    let reason = decision["reason"].as_str().unwrap_or_default().to_owned();
    (decision["outcome"].clone(), reason)
}

#[tokio::test]
async fn a_policy_in_cedar_decides_and_another_text_is_another_constitution() {
    let Some(wasm) = plugin("rule_cedar") else {
        return;
    };
    let host = Host::start(POLITY, |options: Options| {
        options
            .without_bundled()
            .plugin("rule-cedar", wasm)
            .file("policies/refunds.cedar", CEDAR)
            .rule(
                "refunds",
                json!({"rule": "rule-cedar", "guards": ["refund.*"], "policies": ["policies/refunds.cedar"],
                       "config": {"decimals": ["/amount"]}}),
            )
    })
    .await;
    assert_eq!(judged(&host, json!(50)).await.0, "allow");
    let (outcome, reason) = judged(&host, json!(50.01)).await;
    assert_eq!(outcome, "escalate");
    assert!(reason.contains("second pair of eyes"), "{reason}");
    // Cedar passes over a policy that fails; what fails never allows.
    assert_eq!(judged(&host, json!("50")).await.0, "deny");

    let before = host.read("/api/constitution").await;
    let file = host.company.join("policies/refunds.cedar");
    fs::write(&file, CEDAR.replace("50.0", "60.0")).unwrap();
    host.json(host.post("/api/constitution/reload")).await;
    let after = host.read("/api/constitution").await;
    assert_ne!(before["digest"], after["digest"]);
    assert_eq!(judged(&host, json!(50.01)).await.0, "allow");

    // Whatever was read in advance, the verdicts stay what they were.
    for cents in 1..40 {
        let amount: f64 = format!("50.{cents:02}").parse().unwrap();
        assert_eq!(judged(&host, json!(amount)).await.0, "allow", "{amount}");
        assert_eq!(judged(&host, json!(61)).await.0, "escalate");
    }
    // A fifth digit is not rounded away.
    assert_eq!(judged(&host, json!(50.00001)).await.0, "deny");

    // A mistake keeps the version that serves, and is told with its line.
    fs::write(&file, CEDAR.replace("greaterThan(", "greaterThan((")).unwrap();
    let refused = host.post("/api/constitution/reload").send().await.unwrap();
    assert!(!refused.status().is_success());
    let said = refused.text().await.unwrap();
    assert!(said.contains("policies/refunds.cedar"), "{said}");
    assert!(said.contains("9") || said.contains("10"), "{said}");
    assert_eq!(
        host.read("/api/constitution").await["digest"],
        after["digest"]
    );
    assert_eq!(judged(&host, json!(61)).await.0, "escalate");
}

#[tokio::test]
async fn a_policy_in_rego_decides_and_a_past_decision_is_judged_the_same_again() {
    let Some(wasm) = plugin("rule_rego") else {
        return;
    };
    let host = Host::start(POLITY, |options: Options| {
        options
            .without_bundled()
            .plugin("rule-rego", wasm)
            .file("policies/refunds.rego", REGO)
            .rule(
                "refunds",
                json!({"rule": "rule-rego", "guards": ["refund.*"], "policies": ["policies/refunds.rego"]}),
            )
    })
    .await;
    assert_eq!(judged(&host, json!(50)).await.0, "allow");
    for wrong in [json!(50.01), json!("10"), Value::Null] {
        assert_eq!(judged(&host, wrong.clone()).await.0, "deny", "{wrong}");
    }
}

#[test]
fn a_mistake_in_a_policy_is_a_finding_with_its_line_and_a_policy_that_nobody_names_too() {
    let folder = tempfile::tempdir().unwrap();
    cli::polity(folder.path(), &["init", "c"]).with_code(0);
    let company = folder.path().join("c");
    fs::create_dir(company.join("policies")).unwrap();
    fs::write(
        company.join("policies/a.cedar"),
        "permit (principal, action, resource);\nforbid (",
    )
    .unwrap();
    cli::polity(folder.path(), &["lint", "--company", "c"])
        .with_code(0)
        .shows(&["no binding names policies/a.cedar"]);
    let binding =
        json!({"rule": "rule-cedar", "guards": ["refund.*"], "policies": ["policies/b.cedar"]});
    fs::write(company.join("rules/more.json"), binding.to_string()).unwrap();
    cli::polity(folder.path(), &["lint", "--company", "c"])
        .with_code(1)
        .shows(&["there is no file policies/b.cedar", "policies/a.cedar"]);
    let binding =
        json!({"rule": "rule-cedar", "guards": ["refund.*"], "policies": ["policies/a.cedar"]});
    fs::write(company.join("rules/more.json"), binding.to_string()).unwrap();
    cli::polity(folder.path(), &["lint", "--company", "c"])
        .with_code(0)
        .says(&["not checked: plugins/rule-cedar.wasm is not there"]);
    let Some(wasm) = plugin("rule_cedar") else {
        return;
    };
    fs::write(company.join("plugins/rule-cedar.wasm"), wasm).unwrap();
    cli::polity(folder.path(), &["lint", "--company", "c"])
        .with_code(1)
        .shows(&["policies/a.cedar:2:"]);
    // Nor does a host start with it.
    cli::polity(
        folder.path(),
        &["up", "--company", "c", "--listen", "127.0.0.1:0"],
    )
    .with_code(1)
    .says(&["policies/a.cedar:2:"]);
}
