//! Rules that mean harm: each is stopped, says why, and leaves the host and the next call unharmed.

mod support;

use polity_runtime::failure::CallError;
use polity_runtime::plugin::Verdict;
use polity_test_guests as guests;
use serde_json::json;
use support::{Host, evaluate};

/// A patient strike policy, so that a test sees the failure and not the quarantine.
const PATIENT: &str = "[trap]\nstrikes = 1000\nwindow_s = 60\n";

/// Runs one harm and then a well-behaved call of the same plugin.
fn harm(harm: &str, limits: &str) -> Result<Verdict, CallError> {
    let host = Host::empty();
    let plugin = host.install("rule", guests::RULE, &format!("{PATIENT}{limits}"));
    let result = evaluate(&plugin, json!({ "do": harm }));
    let after = evaluate(&plugin, json!({})).unwrap();
    assert_eq!(
        after.verdict,
        Verdict::Deny(guests::FIRST.into()),
        "the next call is unharmed"
    );
    result.map(|evaluation| evaluation.verdict)
}

#[test]
fn an_endless_loop_runs_out_of_fuel() {
    assert!(matches!(harm("loop", ""), Err(CallError::OutOfFuel(_))));
}

#[test]
fn fuel_is_the_operators_to_set() {
    assert_eq!(
        harm("loop", "[limits]\nfuel = 123456\n"),
        Err(CallError::OutOfFuel(123_456))
    );
}

#[test]
fn endless_recursion_ends_at_the_end_of_the_stack() {
    let Err(CallError::Trap(reason)) = harm("recursion", "") else {
        panic!("it did not trap")
    };
    assert!(reason.contains("call stack exhausted"), "{reason}");
}

#[test]
fn a_memory_bomb_hits_its_limit_and_says_so() {
    assert_eq!(
        harm("memory", "[limits]\nmemory_mb = 8\n"),
        Err(CallError::OutOfMemory(8 << 20))
    );
}

#[test]
fn bulk_operations_end_on_the_clock_where_fuel_is_plenty() {
    let limits = "[limits]\nfuel = 1000000000000\nwall_ms = 100\n";
    assert_eq!(harm("fill", limits), Err(CallError::Timeout(100)));
}

#[test]
fn a_flood_of_host_calls_is_paid_for_in_fuel() {
    assert!(matches!(
        harm("host-calls", "[limits]\nfuel = 5000000\n"),
        Err(CallError::OutOfFuel(_))
    ));
}

#[test]
fn a_flood_of_log_lines_is_cut_and_counted() {
    let host = Host::empty();
    let plugin = host.install("rule", guests::RULE, PATIENT);
    let verdict = evaluate(&plugin, json!({ "do": "log-flood" }))
        .unwrap()
        .verdict;
    assert_eq!(verdict, Verdict::Allow);
    assert!(plugin.stats().log_dropped > 9_000, "{:?}", plugin.stats());
}

#[test]
fn a_giant_answer_is_not_lifted_into_the_host() {
    assert!(matches!(harm("long-deny", ""), Err(CallError::Trap(_))));
}

#[test]
fn a_giant_error_text_is_cut_to_a_sentence() {
    let Err(CallError::Problem(problem)) = harm("long-problem", "") else {
        panic!("it was no problem")
    };
    assert!(problem.detail.len() < 8 << 10);
}

#[test]
fn a_trap_in_an_evaluation_never_allows() {
    assert!(matches!(harm("trap", ""), Err(CallError::Trap(_))));
}

#[test]
fn a_rule_that_traps_on_one_input_in_a_hundred_fails_on_exactly_those() {
    let host = Host::empty();
    let plugin = host.install("rule", guests::RULE, PATIENT);
    for n in 1..=300 {
        let result = evaluate(&plugin, json!({ "do": "rarely", "n": n }));
        match n % 100 {
            0 => assert!(matches!(result, Err(CallError::Trap(_))), "{n}: {result:?}"),
            _ => assert_eq!(result.unwrap().verdict, Verdict::Allow, "{n}"),
        }
    }
}

#[test]
fn a_trap_while_a_plugin_describes_itself_refuses_it() {
    let host = Host::empty();
    std::fs::write(
        host.file("rule.grant.toml"),
        "[config]\ndescribe = \"trap\"\n",
    )
    .unwrap();
    std::fs::write(host.file("rule.wasm"), guests::RULE).unwrap();
    let refusal = host.refusal("rule");
    assert!(
        refusal.starts_with("self-test: its `applies-to` failed"),
        "{refusal}"
    );
}

#[test]
fn an_endless_loop_while_a_plugin_describes_itself_refuses_it() {
    let host = Host::empty();
    std::fs::write(
        host.file("rule.grant.toml"),
        "[config]\ndescribe = \"loop\"\n",
    )
    .unwrap();
    std::fs::write(host.file("rule.wasm"), guests::RULE).unwrap();
    assert!(host.refusal("rule").starts_with("self-test: "));
}

#[test]
fn a_rule_finds_nothing_it_was_not_given() {
    // A server that would answer, were it reached.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let host = Host::empty();
    let plugin = host.install("snoop", guests::WASI, PATIENT);
    let verdict = evaluate(&plugin, json!({ "port": port })).unwrap().verdict;
    let Verdict::Deny(found) = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&found).unwrap(),
        json!({
            "variables": 0, "arguments": 0, "folder": found_folder(&found), "password": false, "root": false,
            "written": false, "connected": false, "clock": 0, "elapsed_ns": 0,
        }),
    );
    assert!(!std::path::Path::new("/tmp/polity-was-here").exists());
}

/// A guest without folders calls the place where it is something; what matters is that there is nothing in it.
fn found_folder(found: &str) -> serde_json::Value {
    let found: serde_json::Value = serde_json::from_str(found).unwrap();
    let folder = found["folder"].clone();
    assert!(matches!(folder.as_str(), None | Some("/" | "")), "{folder}");
    folder
}

#[test]
fn a_rule_that_sleeps_in_a_host_call_is_stopped_at_once() {
    let host = Host::empty();
    let plugin = host.install("snoop", guests::WASI, PATIENT);
    let Err(CallError::Trap(reason)) = evaluate(&plugin, json!({ "do": "sleep" })) else {
        panic!("it slept")
    };
    assert!(reason.contains("tried to wait"), "{reason}");
}

#[test]
fn the_same_action_burns_the_same_fuel_every_time() {
    let host = Host::empty();
    let plugin = host.install("rule", guests::RULE, PATIENT);
    let fuel: Vec<u64> = (0..20)
        .map(|_| {
            evaluate(&plugin, json!({ "do": "nothing", "x": [1, 2.5, "three"] }))
                .unwrap()
                .fuel
        })
        .collect();
    assert!(
        fuel.iter().all(|used| *used == fuel[0] && *used > 0),
        "{fuel:?}"
    );
}
