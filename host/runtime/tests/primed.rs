//! Rules that have read their settings in advance: they judge as before, and no instance knows of another.

mod support;

use std::sync::Arc;

use polity_runtime::PrimeError;
use polity_runtime::plugin::Verdict;
use polity_test_guests as guests;
use serde_json::json;
use support::{Host, evaluate};

#[test]
fn a_primed_rule_judges_as_before_and_every_instance_of_it_is_fresh() {
    let host = Host::empty();
    let plugin = host.install("rule", guests::RULE, "");
    let primed = Arc::new(plugin.primed(&"{}".into()).unwrap());
    let before = evaluate(&plugin, json!({})).unwrap();
    for _ in 0..40 {
        let after = evaluate(&primed, json!({})).unwrap();
        assert_eq!(after.verdict, Verdict::Deny(guests::FIRST.into()));
        assert_eq!(after.verdict, before.verdict);
    }
    assert_eq!(
        plugin.stats().calls,
        41,
        "its calls are counted with the plugin's own"
    );
}

#[test]
fn a_primed_rule_runs_under_the_limits_of_the_plugin() {
    let host = Host::empty();
    let patient = "[trap]\nstrikes = 1000\nwindow_s = 60\n[limits]\nfuel = 1000000\n";
    let plugin = host.install("rule", guests::RULE, patient);
    let primed = Arc::new(plugin.primed(&"{}".into()).unwrap());
    assert!(evaluate(&primed, json!({ "do": "loop" })).is_err());
    assert!(evaluate(&primed, json!({})).is_ok());
    assert_eq!(plugin.stats().failures, 1);
}

#[test]
fn only_rules_are_primed() {
    let host = Host::empty();
    let triage = polity_plugins::find("triage").unwrap().wasm;
    let plugin = host.install("triage", triage, "");
    assert!(matches!(
        plugin.primed(&"{}".into()),
        Err(PrimeError::NotARule)
    ));
}
