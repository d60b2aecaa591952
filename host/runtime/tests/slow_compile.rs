//! A component that takes minutes to compile holds up nobody but itself, and no host that is to end.

#![cfg(unix)]

mod support;

use std::fs;
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;

use polity_runtime::CompilerProcess;
use polity_runtime::plugin::Verdict;
use polity_test_guests as guests;
use serde_json::json;
use support::{Host, evaluate};

fn verdict(host: &Host) -> Verdict {
    let generation = host.runtime.current();
    let rule = generation.plugin("rule").unwrap();
    evaluate(rule, json!({})).unwrap().verdict
}

#[test]
fn plugins_come_change_fail_and_go_while_another_one_is_compiled() {
    let host = Host::empty();
    // Both versions are in the compile cache from then on.
    let second = guests::second_version(guests::RULE);
    host.install("rule", &second, "[trap]\nstrikes = 1\n");
    host.install("rule", guests::RULE, "[trap]\nstrikes = 1\n");

    let scratch = tempfile::tempdir().unwrap();
    let (began, gate) = (scratch.path().join("began"), scratch.path().join("gate"));
    let made = Command::new("mkfifo").args([&began, &gate]).status();
    assert!(made.unwrap().success());
    // Whoever opens one of the two waits for whoever opens its other end. A file that is refused while it is fresh is
    // looked at once more, and that time nobody waits.
    let script = format!(
        "/bin/cat > /dev/null; if [ -p {gate:?} ]; then : > {began:?}; /bin/cat {gate:?}; /bin/rm {gate:?}; fi; \
         echo 'it took too long' >&2; exit 1"
    );
    let host = host.restarted_with(Some(CompilerProcess {
        program: "/bin/sh".into(),
        arguments: ["-c".into(), script.into()].to_vec(),
    }));
    host.wait_for("loaded", "rule");
    fs::write(host.file("slow.wasm"), guests::ADAPTER).unwrap();
    let (sender, compiling) = channel();
    std::thread::spawn(move || sender.send(fs::read(began)));
    let waited = compiling.recv_timeout(Duration::from_secs(60));
    waited.expect("somebody compiles it").unwrap();

    assert_eq!(verdict(&host), Verdict::Deny(guests::FIRST.into()));
    fs::write(host.file("rule.wasm"), &second).unwrap();
    host.wait_for("loaded", "rule");
    assert_eq!(verdict(&host), Verdict::Deny(guests::SECOND.into()));

    let rule = host.runtime.current().plugin("rule").unwrap().clone();
    assert!(evaluate(&rule, json!({ "do": "trap" })).is_err());
    host.wait_for("quarantined", "rule");

    fs::copy(host.file("rule.wasm"), host.file("other.wasm")).unwrap();
    host.wait_for("loaded", "other");
    fs::remove_file(host.file("other.wasm")).unwrap();
    host.wait_for("removed", "other");

    fs::write(&gate, "").unwrap();
    let refusal = host.refusal("slow");
    assert!(refusal.contains("it took too long"), "{refusal}");
}

#[test]
fn a_host_that_ends_waits_for_no_compiler_and_loads_the_file_the_next_time() {
    let scratch = tempfile::tempdir().unwrap();
    let began = scratch.path().join("began");
    let made = Command::new("mkfifo").arg(&began).status();
    assert!(made.unwrap().success());
    let script = format!("/bin/cat > /dev/null; : > {began:?}; exec /bin/sleep 1000000");
    let host = Host::empty().restarted_with(Some(CompilerProcess {
        program: "/bin/sh".into(),
        arguments: ["-c".into(), script.into()].to_vec(),
    }));
    fs::write(host.file("slow.wasm"), guests::RULE).unwrap();
    let (sender, compiling) = channel();
    std::thread::spawn(move || sender.send(fs::read(began)));
    let waited = compiling.recv_timeout(Duration::from_secs(60));
    waited.expect("somebody compiles it").unwrap();

    let (sender, restarted) = channel();
    std::thread::spawn(move || sender.send(host.restarted_with(None)));
    let restarted = restarted.recv_timeout(Duration::from_secs(60));
    let host = restarted.expect("it ends though the compiler does not");
    host.wait_for("loaded", "slow");
    assert!(host.runtime.current().plugin("slow").is_some());
}
