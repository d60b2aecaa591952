//! Swapping plugins while they are called: nobody fails, and everybody is answered by one version or the other.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use polity_runtime::plugin::Verdict;
use polity_runtime::registry::{Change, State};
use polity_test_guests as guests;
use serde_json::json;
use support::{Host, action, complete, evaluate};

/// As many as it takes to be believed; the benchmark does the same over HTTP.
const SWAPS: usize = 1_000;

#[test]
fn a_thousand_swaps_of_a_rule_fail_no_call() {
    let host = Host::empty();
    let versions = [guests::RULE.to_vec(), guests::second_version(guests::RULE)];
    host.install("rule", &versions[0], "");
    let done = AtomicBool::new(false);
    let answered = [AtomicU64::new(0), AtomicU64::new(0)];
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let generation = host.runtime.current();
                    let verdict = generation.rules()[0]
                        .evaluate(&action(json!({})), None)
                        .unwrap()
                        .verdict;
                    let by = match verdict {
                        Verdict::Deny(text) if text == guests::FIRST => 0,
                        Verdict::Deny(text) if text == guests::SECOND => 1,
                        other => panic!("answered by neither version: {other:?}"),
                    };
                    answered[by].fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for swap in 0..SWAPS {
            host.install("rule", &versions[(swap + 1) % 2], "");
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(host.runtime.current().number() as usize, SWAPS + 1);
    let [first, second] = answered.map(AtomicU64::into_inner);
    assert!(first > 0 && second > 0, "{first} and {second} calls");
}

#[test]
fn a_thousand_swaps_of_an_adapter_fail_no_call() {
    let host = Host::empty();
    let versions = [
        guests::ADAPTER.to_vec(),
        guests::second_version(guests::ADAPTER),
    ];
    host.install("adapter", &versions[0], "");
    let done = AtomicBool::new(false);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let plugin = host.runtime.current().adapters()[0].clone();
                    let text = runtime
                        .block_on(complete(&plugin, "hostile-echo", ""))
                        .unwrap();
                    assert!(
                        [guests::FIRST, guests::SECOND].contains(&text.as_str()),
                        "answered by neither: {text}"
                    );
                }
            });
        }
        for swap in 0..SWAPS {
            host.install("adapter", &versions[(swap + 1) % 2], "");
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn files_are_swapped_however_they_arrive() {
    let host = Host::empty();
    let (one, two) = (guests::RULE.to_vec(), guests::second_version(guests::RULE));
    let target = host.file("rule.wasm");
    let answer = |host: &Host| {
        let generation = host.runtime.current();
        let plugin = generation.plugin("rule").expect("it serves");
        match evaluate(plugin, json!({})).unwrap().verdict {
            Verdict::Deny(text) => text,
            other => panic!("{other:?}"),
        }
    };

    std::fs::write(&target, &one).unwrap();
    host.wait_for("loaded", "rule");
    assert_eq!(answer(&host), guests::FIRST, "copied into place");

    let elsewhere = host.file(".unfinished");
    std::fs::write(&elsewhere, &two).unwrap();
    std::fs::rename(&elsewhere, &target).unwrap();
    host.wait_for("loaded", "rule");
    assert_eq!(answer(&host), guests::SECOND, "moved into place");

    #[cfg(unix)]
    {
        let (stored, link) = (host.file("stored-one"), host.file(".link"));
        std::fs::write(&stored, &one).unwrap();
        std::os::unix::fs::symlink(&stored, &link).unwrap();
        std::fs::rename(&link, &target).unwrap();
        host.wait_for("loaded", "rule");
        assert_eq!(answer(&host), guests::FIRST, "a link switched over it");
    }

    std::fs::remove_file(&target).unwrap();
    host.wait_for("removed", "rule");
    assert!(host.runtime.current().plugin("rule").is_none());

    host.runtime.roll_back("rule", None).unwrap();
    assert_eq!(answer(&host), guests::FIRST, "what was removed, put back");
    for name in ["never", "../rule", ""] {
        let error = host.runtime.roll_back(name, None).err().unwrap();
        assert!(error.to_string().contains("there is no plugin"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_whose_target_goes_keeps_serving_and_says_so() {
    let host = Host::empty();
    let stored = host.file("stored");
    std::fs::write(&stored, guests::RULE).unwrap();
    std::os::unix::fs::symlink(&stored, host.file("rule.wasm")).unwrap();
    host.wait_for("loaded", "rule");
    std::fs::remove_file(&stored).unwrap();
    host.runtime.rescan();
    assert!(host.runtime.current().plugin("rule").is_some());
    let refusal = host.refusal("rule");
    assert!(refusal.contains("leads to no file"), "{refusal}");
    host.runtime.remove("rule").unwrap();
    assert!(host.runtime.current().entry("rule").is_none());
}

#[test]
fn a_half_written_copy_never_replaces_what_serves() {
    use std::io::Write;
    let host = Host::empty();
    host.install("rule", guests::RULE, "");
    host.wait_for("loaded", "rule");
    let second = guests::second_version(guests::RULE);
    let (half, rest) = second.split_at(second.len() / 2);
    let mut file = std::fs::File::create(host.file("rule.wasm")).unwrap();
    file.write_all(half).unwrap();
    file.sync_all().unwrap();
    let generation = host.runtime.current();
    let verdict = evaluate(generation.plugin("rule").unwrap(), json!({}))
        .unwrap()
        .verdict;
    assert_eq!(verdict, Verdict::Deny(guests::FIRST.into()));
    file.write_all(rest).unwrap();
    drop(file);
    host.wait_for("loaded", "rule");
    let generation = host.runtime.current();
    let verdict = evaluate(generation.plugin("rule").unwrap(), json!({}))
        .unwrap()
        .verdict;
    assert_eq!(verdict, Verdict::Deny(guests::SECOND.into()));
}

#[test]
fn a_call_in_progress_finishes_on_the_version_it_began_with() {
    let host = Host::empty();
    host.install("adapter", guests::ADAPTER, "");
    let plugin = host.runtime.current().adapters()[0].clone();
    host.runtime.remove("adapter").unwrap();
    assert!(host.runtime.current().adapters().is_empty());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    assert_eq!(
        runtime
            .block_on(complete(&plugin, "hostile-echo", ""))
            .unwrap(),
        guests::FIRST
    );
}

#[test]
fn a_bad_update_is_rolled_back_by_hand() {
    let host = Host::empty();
    host.install("rule", guests::RULE, "");
    host.install("rule", &guests::second_version(guests::RULE), "");
    let entry = host.runtime.roll_back("rule", None).unwrap();
    let plugin = entry.serving.clone().unwrap();
    assert_eq!(
        evaluate(&plugin, json!({})).unwrap().verdict,
        Verdict::Deny(guests::FIRST.into())
    );
    assert_eq!(
        std::fs::read(host.file("rule.wasm")).unwrap(),
        guests::RULE,
        "the folder says the same"
    );
    assert!(matches!(
        host.wait_for("rolled-back", "rule").change,
        Change::RolledBack { .. }
    ));
}

#[test]
fn traps_in_a_row_put_the_version_before_back() {
    let host = Host::empty();
    host.install("rule", &guests::second_version(guests::RULE), "");
    let bad = host.install(
        "rule",
        guests::RULE,
        "[trap]\nstrikes = 3\nwindow_s = 3600\n",
    );
    for _ in 0..3 {
        assert!(evaluate(&bad, json!({ "do": "trap" })).is_err());
    }
    let event = host.wait_for("quarantined", "rule");
    assert!(
        matches!(
            event.change,
            Change::Quarantined {
                restored: Some(_),
                ..
            }
        ),
        "{event:?}"
    );
    let generation = host.runtime.current();
    let verdict = evaluate(generation.plugin("rule").unwrap(), json!({}))
        .unwrap()
        .verdict;
    assert_eq!(verdict, Verdict::Deny(guests::SECOND.into()));
    assert!(matches!(
        generation.entry("rule").unwrap().state,
        State::Quarantined { .. }
    ));

    let host = host.restarted();
    let generation = host.runtime.current();
    let verdict = evaluate(generation.plugin("rule").unwrap(), json!({}))
        .unwrap()
        .verdict;
    assert_eq!(
        verdict,
        Verdict::Deny(guests::SECOND.into()),
        "the quarantine outlives a restart"
    );
}

#[test]
fn a_rule_in_quarantine_with_nothing_before_it_fails_what_it_guards() {
    let host = Host::empty();
    let bad = host.install(
        "rule",
        guests::RULE,
        "[trap]\nstrikes = 1\nwindow_s = 3600\n",
    );
    assert!(evaluate(&bad, json!({ "do": "trap" })).is_err());
    host.wait_for("quarantined", "rule");
    let fails = |host: &Host| {
        let generation = host.runtime.current();
        let rule = generation
            .rules()
            .iter()
            .find(|rule| rule.speaks_to("hostile.act"));
        let rule = rule.expect("what it guarded is still guarded");
        rule.evaluate(&action(json!({ "do": "nothing" })), None)
            .is_err()
    };
    assert!(fails(&host));
    assert!(fails(&host.restarted()), "after a restart as well");
}

#[test]
fn a_plugin_that_wants_more_than_it_was_granted_waits_and_says_what_for() {
    let host = Host::empty();
    let wasm = polity_plugins::find("anthropic").unwrap().wasm;
    let entry = host.runtime.install("anthropic", wasm, None, None).unwrap();
    assert!(entry.serving.is_none());
    let State::Pending { unmet, .. } = &entry.state else {
        panic!("{:?}", entry.state)
    };
    let lines: String = unmet.iter().map(|unmet| unmet.fix.as_str()).collect();
    let lines = lines.replace("ANTHROPIC_API_KEY", "POLITY_TEST_NO_SUCH_KEY");
    let entry = host.runtime.set_grant("anthropic", &lines).unwrap();
    let State::NeedsCredential { unmet, .. } = &entry.state else {
        panic!("{:?}", entry.state)
    };
    assert_eq!(
        unmet.len(),
        1,
        "the lines it printed are the lines it wanted: {unmet:?}"
    );
    assert!(
        unmet[0].fix.contains("POLITY_TEST_NO_SUCH_KEY"),
        "{unmet:?}"
    );
}

#[test]
fn a_plugin_loads_once_the_file_with_its_credential_is_there() {
    let host = Host::empty();
    let key = host.file("anthropic.key");
    let grant = format!(
        "[[http]]\nhost = \"api.anthropic.com\"\nmethods = [\"GET\", \"POST\"]\n\
         [[secret]]\nhost = \"api.anthropic.com\"\nheader = \"x-api-key\"\nfile = {key:?}\n"
    );
    let wasm = polity_plugins::find("anthropic").unwrap().wasm;
    let entry = host
        .runtime
        .install("anthropic", wasm, Some(&grant), None)
        .unwrap();
    let State::NeedsCredential { unmet, .. } = &entry.state else {
        panic!("{:?}", entry.state)
    };
    assert!(unmet[0].fix.contains("anthropic.key"), "{unmet:?}");
    let waiting = host.runtime.current().number();
    host.runtime.rescan();
    assert_eq!(
        host.runtime.current().number(),
        waiting,
        "nothing is told twice"
    );
    std::fs::write(&key, "sk-0123456789abcdef").unwrap();
    host.runtime.rescan();
    let current = host.runtime.current();
    assert!(matches!(
        current.entry("anthropic").unwrap().state,
        State::Live
    ));
}

#[test]
fn a_grant_for_other_bytes_does_not_cover_these() {
    let host = Host::empty();
    let pinned = format!("digest = \"sha256:{}\"\n", "0".repeat(64));
    let error = host
        .runtime
        .install("rule", guests::RULE, Some(&pinned), None)
        .err()
        .unwrap();
    assert!(error.to_string().contains("the grant pins"), "{error}");
}

#[test]
fn a_second_start_finds_the_code_compiled() {
    let host = Host::empty();
    host.install("rule", guests::RULE, "");
    let took = |event: polity_runtime::registry::Event| match event.change {
        Change::Loaded { digest, .. } => digest,
        other => panic!("{other:?}"),
    };
    let before = took(host.wait_for("loaded", "rule"));
    let host = host.restarted();
    assert_eq!(took(host.wait_for("loaded", "rule")), before);
}

#[test]
fn more_calls_than_the_grant_allows_are_told_to_wait() {
    let host = Host::empty();
    let plugin = host.install("adapter", guests::ADAPTER, "[limits]\nconcurrent = 1\n");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        // A stream whose reader does not read keeps its place.
        let (sender, mut pieces) = tokio::sync::mpsc::channel(1);
        let streaming = plugin.clone();
        let stream = tokio::spawn(async move {
            let request = support::request("hostile-drip", "");
            streaming
                .complete(&request, polity_runtime::Reply::Stream(sender), None)
                .await
        });
        pieces.recv().await.unwrap();
        let busy = complete(&plugin, "hostile-echo", "").await;
        assert!(
            matches!(busy, Err(polity_runtime::failure::CallError::Busy(1))),
            "{busy:?}"
        );
        while pieces.recv().await.is_some() {}
        stream.await.unwrap().unwrap();
        assert_eq!(
            complete(&plugin, "hostile-echo", "").await.unwrap(),
            guests::FIRST
        );
    });
}

#[test]
fn a_reader_that_goes_stops_the_guest() {
    let host = Host::empty();
    let plugin: Arc<_> = host.install("adapter", guests::ADAPTER, "");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (sender, mut pieces) = tokio::sync::mpsc::channel(1);
        let streaming = plugin.clone();
        let stream = tokio::spawn(async move {
            let request = support::request("hostile-flood", "");
            streaming
                .complete(&request, polity_runtime::Reply::Stream(sender), None)
                .await
        });
        pieces.recv().await.unwrap();
        drop(pieces);
        tokio::time::timeout(Duration::from_secs(60), stream)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert_eq!(plugin.in_progress(), 0);
    });
}
