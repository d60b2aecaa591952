//! The checks themselves. Each one tries the thing instead of reasoning about it, and leaves nothing behind.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use polity_constitution::Constitution;
use polity_runtime::artifact::Artifact;
use polity_runtime::egress::SystemResolver;
use polity_runtime::grant::Grant;
use polity_runtime::registry::{Runtime, Settings};
use polity_runtime::secret::Secrets;
use polity_runtime::signature::Trust;

use super::Finding;
use crate::cli::place::Place;
use crate::cli::presence::running;
use crate::cli::text::{count, size};
use crate::cli::up::Listen;

/// The host writes its ledger, its cache and its token there.
pub(super) fn data_folder(folder: &Path) -> Finding {
    const CHECK: &str = "data folder";
    match writable(folder) {
        Ok(()) => Finding::ok(CHECK, folder.display().to_string()),
        Err(error) => Finding::fail(
            CHECK,
            format!("{} cannot be written: {error}", folder.display()),
            "make it writable, or choose another: --data DIR",
        ),
    }
}

/// The host puts the bundled plugins there, and installs into it.
pub(super) fn plugin_folder(folder: &Path) -> Finding {
    const CHECK: &str = "plugin folder";
    match writable(folder) {
        Ok(()) => Finding::ok(CHECK, folder.display().to_string()),
        Err(error) => Finding::fail(
            CHECK,
            format!("{} cannot be written: {error}", folder.display()),
            "make it writable, or keep the bundled plugins out of it: polity up --no-bundled",
        ),
    }
}

/// Writes a file into the folder or, where that does not exist yet, into the nearest one above it that does.
fn writable(folder: &Path) -> std::io::Result<()> {
    let nearest = folder.ancestors().find(|folder| folder.is_dir());
    let nearest = nearest.unwrap_or_else(|| Path::new("."));
    tempfile::Builder::new()
        .prefix(".polity-doctor-")
        .tempfile_in(nearest)
        .map(drop)
}

/// Free, unless a host of this company runs already.
pub(super) fn port(listen: &Listen, data: &Path) -> Finding {
    const CHECK: &str = "port";
    if let Some(server) = running(data) {
        return Finding::ok(
            CHECK,
            format!(
                "a host of this company runs already: process {} at {}",
                server.pid, server.url
            ),
        );
    }
    let addresses = match listen.addresses() {
        Ok(addresses) => addresses,
        Err(report) => {
            return Finding::fail(CHECK, report.to_string(), "write it like 127.0.0.1:7654");
        }
    };
    match TcpListener::bind(addresses.as_slice()) {
        Ok(_) => Finding::ok(CHECK, format!("{listen} is free")),
        Err(error) => Finding::fail(
            CHECK,
            format!("{listen} cannot be listened on: {error}"),
            "choose another: polity up --listen HOST:PORT",
        ),
    }
}

/// The instance pool reserves address space, which containers and old kernels may limit.
pub(super) fn memory() -> Finding {
    const CHECK: &str = "address space";
    const RAISE: &str = "raise the limit of address space: ulimit -v unlimited, or the container's";
    let scratch = match tempfile::tempdir() {
        Ok(scratch) => scratch,
        Err(error) => {
            return Finding::fail(CHECK, format!("no temporary folder: {error}"), "set TMPDIR");
        }
    };
    let runtime = Runtime::start(Settings {
        plugins: scratch.path().join("plugins"),
        data: scratch.path().join("data"),
        trust: Trust::default(),
        bundled: BTreeSet::new(),
        compiler: None,
        resolver: Arc::new(SystemResolver),
        observer: Arc::new(|_| {}),
    });
    if let Err(error) = runtime {
        return Finding::fail(
            CHECK,
            format!("WebAssembly cannot run here: {error}"),
            RAISE,
        );
    }
    match address_space_limit() {
        None => Finding::ok(CHECK, "there is room for the instance pool"),
        Some(bytes) => Finding::warn(
            CHECK,
            format!(
                "it is limited to {}, which is too little for the instance pool: each call makes its instance anew and is slower",
                size(bytes)
            ),
            RAISE,
        ),
    }
}

/// The limit of this process where there is one. Any that somebody sets is far below the terabytes of addresses, not of
/// memory, that the pool reserves.
fn address_space_limit() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Valid as a whole, or not at all.
pub(super) fn constitution(company: &Path) -> (Finding, Option<Constitution>) {
    const CHECK: &str = "constitution";
    match Constitution::load(company) {
        Ok(constitution) => {
            let name = &constitution.charter().company().name;
            let rules = count(constitution.bindings().len() as u64, "rule binding");
            (
                Finding::ok(CHECK, format!("{name}: {rules}")),
                Some(constitution),
            )
        }
        Err(problems) => (
            Finding::fail(
                CHECK,
                problems.to_string(),
                "correct each, then: polity doctor",
            ),
            None,
        ),
    }
}

/// Each file in the plugin folder, its grant and its secrets; and the rules that are bound and not there.
pub(super) fn plugins(place: &Place, constitution: Option<&Constitution>) -> Vec<Finding> {
    let folder = place.plugins();
    let mut names: Vec<String> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some(
                entry
                    .file_name()
                    .to_str()?
                    .strip_suffix(".wasm")?
                    .to_owned(),
            )
        })
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    let mut findings: Vec<Finding> = names.iter().map(|name| plugin(&folder, name)).collect();
    let bindings = constitution.map(Constitution::bindings).unwrap_or_default();
    for binding in bindings {
        let bundled = || polity_plugins::find(&binding.rule).is_some();
        if !names.contains(&binding.rule) && (!names.is_empty() || !bundled()) {
            findings.push(Finding::fail(
                "rule",
                format!("rules/{}.json puts {} in force, which is not in {}", binding.name, binding.rule, folder.display()),
                "put the plugin there, or take the file away: until then what it guards is never allowed",
            ));
        }
    }
    findings
}

fn plugin(folder: &Path, name: &str) -> Finding {
    const CHECK: &str = "plugin";
    let artifact =
        match fs::read(folder.join(format!("{name}.wasm"))).map_err(|error| error.to_string()) {
            Ok(wasm) => Artifact::read(&wasm).map_err(|refusal| refusal.to_string()),
            Err(error) => Err(error),
        };
    let artifact = match artifact {
        Ok(artifact) => artifact,
        Err(error) => {
            return Finding::warn(
                CHECK,
                format!("{name}: {error}"),
                format!("see: polity plugin check {name}.wasm"),
            );
        }
    };
    let grant = match Grant::read(&folder.join(format!("{name}.grant.toml"))) {
        Ok(grant) => grant.unwrap_or_default(),
        Err(error) => {
            return Finding::warn(CHECK, format!("{name}: {error}"), "correct the grant file");
        }
    };
    let missing = artifact
        .manifest
        .as_ref()
        .map(|manifest| manifest.missing(&grant))
        .unwrap_or_default();
    let missing: Vec<_> = missing
        .iter()
        .filter(|missing| !missing.is_optional())
        .collect();
    if !missing.is_empty() {
        let file = folder.join(format!("{name}.grant.toml"));
        let lines: String = missing.iter().map(|missing| missing.toml()).collect();
        return Finding::warn(
            CHECK,
            format!("{name} waits for {}", count(missing.len() as u64, "grant")),
            format!("to give it, add to {}:\n{lines}", file.display()),
        );
    }
    let secrets = Secrets::load(&grant.secrets);
    if let Some((secret, error)) = secrets.missing().next() {
        return Finding::warn(
            CHECK,
            format!(
                "{name} has no credential for {} in {}",
                secret.host, secret.header
            ),
            error.to_string(),
        );
    }
    Finding::ok(CHECK, format!("{name} ({})", artifact.world))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::State;

    #[test]
    fn a_folder_that_does_not_exist_yet_is_tried_by_the_one_above_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(data_folder(&folder.path().join("a/b")).state, State::Ok);
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            0,
            "something was left behind"
        );
    }

    #[test]
    fn a_port_that_somebody_else_holds_is_found() {
        let data = tempfile::tempdir().unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = Listen::new(&taken.local_addr().unwrap().to_string());
        assert_eq!(port(&listen, data.path()).state, State::Fail);
        drop(taken);
        assert_eq!(port(&listen, data.path()).state, State::Ok);
    }

    #[test]
    fn a_plugin_without_its_grant_is_shown_with_the_lines_to_add() {
        let folder = tempfile::tempdir().unwrap();
        let anthropic = polity_plugins::find("anthropic").unwrap();
        fs::write(folder.path().join("anthropic.wasm"), anthropic.wasm).unwrap();
        let finding = plugin(folder.path(), "anthropic");
        assert_eq!(finding.state, State::Warn);
        assert!(finding.fix.unwrap().contains("[[http]]"));
    }

    #[test]
    fn damaged_bytes_and_a_wrong_grant_are_warnings_and_not_the_end() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("bad.wasm"), b"#!/bin/sh").unwrap();
        assert_eq!(plugin(folder.path(), "bad").state, State::Warn);
        let limit = polity_plugins::find("spending-limit").unwrap();
        fs::write(folder.path().join("limit.wasm"), limit.wasm).unwrap();
        fs::write(folder.path().join("limit.grant.toml"), "[limts]\n").unwrap();
        assert!(plugin(folder.path(), "limit").detail.contains("limts"));
    }
}
