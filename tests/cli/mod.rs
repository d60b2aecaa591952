//! The command line as a script sees it: arguments in; an exit code, data and talk out.

#![allow(dead_code, reason = "each test binary takes what it needs")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use polity_tests::{Host, Options};
use serde_json::{Value, json};

/// The program under test.
pub(crate) const POLITY: &str = env!("CARGO_BIN_EXE_polity");

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code.
    pub(crate) code: i32,
    /// Its data.
    pub(crate) out: String,
    /// Its talk.
    pub(crate) err: String,
}

impl Ended {
    /// The data as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// Fails with all that was said unless the command ended like this.
    pub(crate) fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
        self
    }

    /// Fails unless the talk has these words.
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not said: {self:?}");
        }
        self
    }

    /// Fails unless the data has these words.
    pub(crate) fn shows(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.out.contains(word), "{word:?} is not shown: {self:?}");
        }
        self
    }
}

/// The program in a folder, knowing nothing of the machine it runs on.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(POLITY);
    for name in ["COMPANY", "DATA", "URL", "LISTEN", "TOKEN", "NO_BUNDLED"] {
        command.env_remove(format!("POLITY_{name}"));
    }
    command
        .env_remove("RUST_LOG")
        .env("NO_COLOR", "1")
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

/// Runs the program in a folder.
pub(crate) fn polity(folder: &Path, arguments: &[&str]) -> Ended {
    ended(command(folder).args(arguments))
}

/// Runs the program with something on its standard input.
pub(crate) fn polity_with_input(folder: &Path, arguments: &[&str], input: &str) -> Ended {
    let mut command = command(folder);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    read(child.wait_with_output().unwrap())
}

/// Runs the program against a host, as the user who started the host.
pub(crate) async fn at(host: &Host, arguments: &[&str]) -> Ended {
    as_holder_of(host, None, arguments).await
}

/// Runs the program against a host with another token.
pub(crate) async fn as_holder_of(host: &Host, token: Option<&str>, arguments: &[&str]) -> Ended {
    let mut command = command(&host.company);
    command.arg("--data").arg(&host.data).args(arguments);
    command.envs(token.map(|token| ("POLITY_TOKEN", token)));
    // The host is another process, but its output is read by this one's runtime.
    tokio::task::spawn_blocking(move || ended(&mut command))
        .await
        .unwrap()
}

fn ended(command: &mut Command) -> Ended {
    read(command.output().unwrap())
}

fn read(output: std::process::Output) -> Ended {
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A company of two owners whose refunds above 50 wait for one of them, and above 500 are denied.
pub(crate) fn company(options: Options) -> Options {
    let people = json!([
        {"id": "ada", "name": "Ada Example", "roles": ["owner"]},
        {"id": "joan", "name": "Joan Example", "roles": ["owner"]},
        {"id": "grace", "name": "Grace Example", "roles": ["member"]},
    ]);
    options.amend_charter("people", people).rule(
        "refunds",
        json!({"rule": "spending-limit", "guards": ["refund.*"], "config": {
            "currency": "EUR",
            "amount": {"pointer": "/amount", "unit": "unit", "currency_pointer": "/currency"},
            "limits": [{"per": "action", "soft_micro": 50_000_000, "hard_micro": 500_000_000}],
        }}),
    )
}

/// A host with two of the bundled plugins: compiling all of them takes longer than most tests.
pub(crate) async fn host() -> Host {
    Host::start(POLITY, few).await
}

pub(crate) fn few(options: Options) -> Options {
    let options = company(options).without_bundled();
    options.first_party("spending-limit").first_party("triage")
}

pub(crate) fn refund(amount: u32) -> String {
    json!({"amount": amount, "currency": "EUR"}).to_string()
}

/// Has a refund judged that has to wait, and returns its inbox item and its decision.
pub(crate) async fn waiting(host: &Host) -> (String, String) {
    let decision = at(
        host,
        &["act", "refund.approve", "--input", &refund(51), "--json"],
    )
    .await
    .with_code(4)
    .json();
    let id = |value: &Value| value.as_str().unwrap().to_owned();
    (id(&decision["inbox_items"][0]), id(&decision["id"]))
}
