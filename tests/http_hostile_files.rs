//! Files that are no plugins, or none that can be loaded, dropped into a running company: each is refused with a reason,
//! and nothing else changes.

use std::fs;
use std::path::PathBuf;

use polity_test_guests as guests;
use polity_tests::Host;
use polity_tests::harm::{PATIENT, company, drop_in, follow, is_unharmed, told};
use serde_json::{Value, json};

const POLITY: &str = env!("CARGO_BIN_EXE_polity");

#[tokio::test]
async fn a_file_that_is_no_plugin_is_refused_with_a_reason_and_nothing_else_changes() {
    let host = Host::start(POLITY, company).await;
    let generation = host.read("/api/plugins/spending-limit").await;
    let describe = |harm: &str| format!("[config]\ndescribe = \"{harm}\"\n");
    let another = guests::patched(
        guests::RULE,
        b"polity:plugin/rule@0.1.0",
        b"polity:plugin/rule@9.1.0",
    );
    for (name, wasm, grant) in [
        ("empty", Vec::new(), String::new()),
        ("text", b"#!/bin/sh\nrm -rf /\n".to_vec(), String::new()),
        (
            "random",
            (0..4096_u32)
                .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
                .collect(),
            String::new(),
        ),
        (
            "truncated",
            guests::RULE[..guests::RULE.len() / 2].to_vec(),
            String::new(),
        ),
        ("core", b"\0asm\x01\0\0\0".to_vec(), String::new()),
        ("component", b"\0asm\x0d\0\x01\0".to_vec(), String::new()),
        ("future", another, String::new()),
        ("traps", guests::RULE.to_vec(), describe("trap")),
        ("loops", guests::RULE.to_vec(), describe("loop")),
        ("hoards", guests::RULE.to_vec(), describe("memory")),
        ("mute", guests::ADAPTER.to_vec(), describe("trap")),
        (
            "misled",
            guests::RULE.to_vec(),
            "[[http]]\nhost = \"*\"\n".to_owned(),
        ),
    ] {
        let event = drop_in(&host, name, &wasm, &grant).await;
        assert!(
            event["type"].as_str().unwrap().ends_with("plugin.refused"),
            "{event}"
        );
        let plugin = host.read(&format!("/api/plugins/{name}")).await;
        assert_eq!(
            (&plugin["state"], &plugin["serving"]),
            (&json!("refused"), &Value::Null),
            "{plugin}"
        );
        let reason = plugin["reason"].as_str().unwrap();
        assert!(
            reason.len() > 20 && reason.len() < 4 << 10,
            "{name}: {reason}"
        );
        assert!(plugin["code"].is_string(), "{plugin}");
        is_unharmed(&host).await;
    }
    // Eight megabytes of noise beside an honest manifest are no fault, and no gain either.
    let wide = guests::with_section(guests::RULE, "noise", &vec![0; 8 << 20]);
    let event = drop_in(&host, "wide", &wide, "").await;
    assert!(
        event["type"].as_str().unwrap().ends_with("plugin.loaded"),
        "{event}"
    );
    is_unharmed(&host).await;
    let after = host.read("/api/plugins/spending-limit").await;
    assert_eq!(after["serving"]["digest"], generation["serving"]["digest"]);
}

#[tokio::test]
async fn a_giant_file_and_a_link_to_nowhere_do_not_stop_the_folder() {
    let host = Host::start(POLITY, company).await;
    let plugins = host.company.join("plugins");
    let mut events = follow(&host).await;
    let giant: PathBuf = plugins.join("giant.wasm");
    // It has no bytes on the disk, and claims to have 200 MiB.
    fs::File::create(&giant)
        .unwrap()
        .set_len(200 << 20)
        .unwrap();
    let event = told(&mut events, "giant").await;
    assert!(
        event["type"].as_str().unwrap().ends_with("plugin.refused"),
        "{event}"
    );
    assert!(
        event["data"]["reason"]
            .as_str()
            .unwrap()
            .contains("209715200"),
        "{event}"
    );
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, plugins.join(name)).unwrap();
    for (name, told_so) in [
        ("folder", "this is a folder"),
        ("loop", "leads to no file"),
        (
            "nowhere",
            "a link to /nowhere/at/all, which leads to no file",
        ),
        ("zero", "a link to /dev/zero, which is no file"),
    ] {
        let file = format!("{name}.wasm");
        match name {
            "folder" => fs::create_dir(plugins.join(file)).unwrap(),
            "loop" => link(&file, &file),
            "nowhere" => link("/nowhere/at/all", &file),
            _ => link("/dev/zero", &file),
        }
        let event = told(&mut events, name).await;
        assert!(
            event["type"].as_str().unwrap().ends_with("plugin.refused"),
            "{event}"
        );
        let plugin = host.read(&format!("/api/plugins/{name}")).await;
        assert_eq!(plugin["state"], "refused", "{plugin}");
        let reason = plugin["reason"].as_str().unwrap();
        assert!(reason.contains(told_so), "{reason}");
    }
    fs::remove_file(plugins.join("nowhere.wasm")).unwrap();
    let event = told(&mut events, "nowhere").await;
    assert!(
        event["type"].as_str().unwrap().ends_with("plugin.removed"),
        "{event}"
    );
    let loaded = drop_in(&host, "hostile", guests::RULE, PATIENT).await;
    assert!(
        loaded["type"].as_str().unwrap().ends_with("plugin.loaded"),
        "{loaded}"
    );
    is_unharmed(&host).await;
}
