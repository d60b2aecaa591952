//! What the command line does without a running host.

mod cli;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use cli::{command, polity, polity_with_input};
use tempfile::TempDir;

fn empty() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A folder with `my-company` in it.
fn company() -> TempDir {
    let folder = empty();
    polity(folder.path(), &["init", "my-company"]).with_code(0);
    folder
}

fn bundled(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(format!("{name}.wasm"));
    fs::write(&path, polity_plugins::find(name).unwrap().wasm).unwrap();
    path
}

#[test]
fn without_arguments_there_is_help_and_a_usage_error() {
    polity(empty().path(), &[])
        .with_code(2)
        .says(&["Examples:", "polity up"]);
}

#[test]
fn help_and_version_are_data() {
    polity(empty().path(), &["--help"])
        .with_code(0)
        .shows(&["Exit codes:", "waiting for a person"]);
    polity(empty().path(), &["plugin", "install", "--help"])
        .with_code(0)
        .shows(&["Examples:"]);
    polity(empty().path(), &["--version"])
        .with_code(0)
        .shows(&[env!("CARGO_PKG_VERSION")]);
}

#[test]
fn a_misspelt_command_is_a_usage_error_that_names_the_right_one() {
    polity(empty().path(), &["inbx", "list"])
        .with_code(2)
        .says(&["inbox"]);
    polity(empty().path(), &["plugin", "instal", "x"])
        .with_code(2)
        .says(&["install"]);
}

#[test]
fn where_there_is_no_company_it_is_said_how_to_make_one() {
    for arguments in [&["up"][..], &["status"], &["doctor"], &["ledger", "verify"]] {
        polity(empty().path(), arguments)
            .with_code(1)
            .says(&["there is no company here", "polity init"]);
    }
}

#[test]
fn where_no_host_runs_it_is_said_how_to_start_one() {
    let folder = company();
    for arguments in [
        &["status"][..],
        &["inbox", "list"],
        &["models"],
        &["act", "refund.approve"],
        &["explain"],
    ] {
        polity(&folder.path().join("my-company"), arguments)
            .with_code(1)
            .says(&["no host is running", "polity up"]);
    }
}

#[test]
fn for_a_program_an_error_is_json_on_standard_error() {
    let ended = polity(empty().path(), &["status", "--json"]).with_code(1);
    let error: serde_json::Value = serde_json::from_str(&ended.err).unwrap();
    assert_eq!(error["exit"], 1);
    assert_eq!(error["error"]["message"], "there is no company here");
    assert_eq!(ended.out, "");
}

#[test]
fn an_unreachable_host_is_named() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{free}");
    polity(empty().path(), &["models", "--url", &url])
        .with_code(1)
        .says(&["nobody answers", &url]);
    polity(empty().path(), &["models", "--url", "localhost"])
        .with_code(2)
        .says(&["http://127.0.0.1:7654"]);
}

#[test]
fn init_writes_a_company_that_passes_every_check() {
    let folder = empty();
    let written = polity(folder.path(), &["init", "my-company"])
        .with_code(0)
        .says(&["polity up", "my-company"])
        .out;
    for file in [
        "charter.json",
        "README.md",
        ".gitignore",
        "plugins/triage.wasm",
        "plugins/spending-limit.wasm",
    ] {
        let file = format!("my-company/{file}");
        assert!(
            written.contains(&file) && folder.path().join(&file).exists(),
            "{file}: {written}"
        );
    }
    let doctor = polity(
        folder.path(),
        &[
            "doctor",
            "--company",
            "my-company",
            "--listen",
            "127.0.0.1:0",
        ],
    )
    .with_code(0);
    assert!(!doctor.out.contains("FAIL"), "{doctor:?}");
}

#[test]
fn init_changes_nothing_that_exists() {
    let folder = company();
    polity(folder.path(), &["init", "my-company"])
        .with_code(1)
        .says(&["is not empty", "--force"]);
    let charter = folder.path().join("my-company/charter.json");
    fs::write(&charter, "mine").unwrap();
    fs::remove_file(folder.path().join("my-company/README.md")).unwrap();
    fs::remove_file(folder.path().join("my-company/plugins/openai.wasm")).unwrap();
    let again = polity(folder.path(), &["init", "my-company", "--force", "--json"])
        .with_code(0)
        .json();
    assert_eq!(again["written"], serde_json::json!(["README.md"]));
    assert_eq!(
        again["plugins"],
        serde_json::json!([]),
        "a plugin that was deleted stays deleted"
    );
    assert_eq!(fs::read_to_string(&charter).unwrap(), "mine");
}

#[test]
fn doctor_names_what_is_wrong_and_what_to_do() {
    let folder = company();
    let dir = folder.path().join("my-company");
    let charter = dir.join("charter.json");
    let text = fs::read_to_string(&charter)
        .unwrap()
        .replacen("\"company\"", "\"compny\"", 1);
    fs::write(&charter, text).unwrap();
    fs::write(dir.join("plugins/broken.wasm"), "#!/bin/sh").unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let ended = polity(&dir, &["doctor", "--listen", &listen])
        .with_code(1)
        .shows(&["FAIL", "compny", "not WebAssembly"]);
    assert!(ended.out.contains("--listen"), "{ended:?}");
    let findings = polity(&dir, &["doctor", "--json", "--listen", &listen])
        .with_code(1)
        .json();
    let failed: Vec<_> = findings
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["state"] == "fail")
        .collect();
    assert!(
        failed.iter().all(|finding| finding["fix"].is_string()),
        "{failed:?}"
    );
}

#[test]
fn up_names_each_mistake_in_the_charter_with_its_line() {
    let folder = company();
    let dir = folder.path().join("my-company");
    let charter = dir.join("charter.json");
    let text = fs::read_to_string(&charter).unwrap();
    fs::write(&charter, text.replacen("\"owner\"", "\"ownr\"", 1)).unwrap();
    polity(&dir, &["up", "--listen", "127.0.0.1:0"])
        .with_code(1)
        .says(&["cannot start", "charter.json:", "ownr", "polity doctor"]);
    assert!(!dir.join(".polity/server.json").exists());
}

#[test]
fn a_plugin_that_would_serve_is_told_from_one_that_waits_and_one_that_is_refused() {
    let folder = empty();
    let limit = bundled(folder.path(), "spending-limit");
    polity(folder.path(), &["plugin", "check", limit.to_str().unwrap()])
        .with_code(0)
        .shows(&[
            "constitution-rule",
            "ok: a host would let it serve",
            "comes with this program",
        ]);

    bundled(folder.path(), "anthropic");
    let waits = polity(folder.path(), &["plugin", "check", "anthropic.wasm"]).with_code(4);
    let (_, toml) = waits.out.split_once("anthropic.grant.toml:\n").unwrap();
    fs::write(folder.path().join("anthropic.grant.toml"), toml).unwrap();
    polity(folder.path(), &["plugin", "check", "anthropic.wasm"])
        .with_code(0)
        .shows(&["ok"]);

    fs::write(folder.path().join("bad.wasm"), b"\0asm\x01\0\0\0").unwrap();
    polity(folder.path(), &["plugin", "check", "bad.wasm"])
        .with_code(1)
        .shows(&["refused (core-module)"]);
    polity(folder.path(), &["plugin", "check", "none.wasm"])
        .with_code(1)
        .says(&["none.wasm cannot be read"]);
}

#[test]
fn a_signature_is_checked_against_the_charter() {
    let folder = company();
    let dir = folder.path().join("my-company");
    let limit = bundled(&dir, "spending-limit");
    // Not the bundled bytes any more: an empty custom section at the end changes nothing else.
    let mut bytes = fs::read(&limit).unwrap();
    bytes.extend([0, 2, 1, b'x']);
    fs::write(&limit, bytes).unwrap();
    let file = limit.to_str().unwrap();
    polity(&dir, &["plugin", "check", file])
        .with_code(0)
        .shows(&["by nobody"]);
    polity(&dir, &["plugin", "check", "--require-signed", file])
        .with_code(1)
        .shows(&["it is not signed"]);
}

#[test]
fn a_file_is_inspected_without_being_run() {
    let folder = empty();
    bundled(folder.path(), "openai");
    let facts = polity(
        folder.path(),
        &["plugin", "inspect", "openai.wasm", "--json"],
    )
    .with_code(0)
    .json();
    assert_eq!(facts["name"], "openai");
    assert_eq!(facts["world"], "model-adapter");
    assert!(facts["digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(facts["wants"][0]["capability"], "http");
}

#[test]
fn what_a_compiler_left_is_packed_into_a_component() {
    let folder = empty();
    bundled(folder.path(), "spending-limit");
    let packed = polity(
        folder.path(),
        &[
            "plugin",
            "pack",
            "spending-limit.wasm",
            "-o",
            "out.wasm",
            "--json",
        ],
    )
    .with_code(0)
    .json();
    assert_eq!(packed["name"], "spending-limit");
    assert_eq!(
        &fs::read(folder.path().join("out.wasm")).unwrap()[4..8],
        [0x0d, 0, 1, 0],
        "it is no component"
    );
    polity(folder.path(), &["plugin", "check", "out.wasm"]).with_code(0);
    fs::write(folder.path().join("text.wasm"), "hello").unwrap();
    polity(
        folder.path(),
        &["plugin", "pack", "text.wasm", "-o", "no.wasm"],
    )
    .with_code(1)
    .says(&["not WebAssembly"]);
    assert!(!folder.path().join("no.wasm").exists());
}

#[test]
fn what_only_a_look_can_tell_is_still_a_usage_error() {
    let folder = company();
    let dir = folder.path().join("my-company");
    polity(&dir, &["act", "refund.approve", "--input", "{amount: 5}"])
        .with_code(2)
        .says(&["--input is not JSON"]);
    polity(&dir, &["act", "refund.approve", "--context", "[]"])
        .with_code(2)
        .says(&["not a JSON object"]);
    polity_with_input(&dir, &["plugin", "remove", "triage"], "")
        .with_code(2)
        .says(&["--yes"]);
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        polity(empty().path(), &["completions", shell])
            .with_code(0)
            .shows(&["inbox"]);
    }
}

#[test]
fn a_reader_that_goes_early_is_no_failure() {
    let folder = empty();
    for arguments in [&["completions", "zsh"][..], &["--help"]] {
        let mut command = command(folder.path());
        let mut child = command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut err = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        let status = child.wait().unwrap();
        assert!(
            status.success() && err.is_empty(),
            "{arguments:?}: {status}: {err}"
        );
    }
}

/// What a compiling process may take is seen to by the system, from before it has read a byte of the component.
#[cfg(target_os = "linux")]
#[test]
fn a_compiling_process_has_limits_and_hands_over_code() {
    use std::io::Write;

    let folder = empty();
    let mut compiler = command(folder.path())
        .args(["compile-component", "pure"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let limits = || fs::read_to_string(format!("/proc/{}/limits", compiler.id())).unwrap();
    let is_limited = |name: &str, limit: &str| {
        let limits = limits();
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..]
            .split_whitespace()
            .take(2)
            .all(|set| set == limit)
    };
    // It waits for the component meanwhile, or the test for it.
    let begun = std::time::Instant::now();
    while !is_limited("Max cpu time", "600") {
        assert!(begun.elapsed().as_secs() < 60, "{}", limits());
        std::thread::yield_now();
    }
    assert!(
        is_limited("Max address space", "4294967296"),
        "{}",
        limits()
    );
    let smallest_component = b"\0asm\x0d\0\x01\0";
    let mut input = compiler.stdin.take().unwrap();
    input.write_all(smallest_component).unwrap();
    drop(input);
    let ended = compiler.wait_with_output().unwrap();
    assert!(ended.status.success());
    assert!(ended.stdout.starts_with(b"\x7fELF"));
}
