//! Compiles the first-party plugins and writes the table that the library includes.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use polity_plugin_build::{Target, build, watch};
use sha2::{Digest, Sha256};

const PLUGINS: [&str; 12] = [
    "anthropic",
    "business-hours",
    "emergent-field",
    "hot-query",
    "linked-collection",
    "ollama",
    "openai",
    "pii-guard",
    "spending-limit",
    "stale-field",
    "triage",
    "wordpress",
];

fn main() {
    let here =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("Cargo sets CARGO_MANIFEST_DIR"));
    let workspace = here
        .ancestors()
        .nth(2)
        .expect("the bundle lies in plugins/")
        .to_owned();
    watch(&workspace.join("wit"));
    watch(&workspace.join("Cargo.lock"));
    for entry in fs::read_dir(workspace.join("plugins"))
        .expect("plugins/ can be read")
        .flatten()
    {
        watch_sources(&entry.path());
    }

    let files = build(&workspace, &PLUGINS, Target::Unknown);
    let mut table = String::from("&[\n");
    for (name, file) in PLUGINS.iter().zip(files) {
        let wasm = fs::read(&file).expect("Cargo has just built it");
        let sha256: [u8; 32] = Sha256::digest(wasm).into();
        writeln!(
            table,
            "    Plugin {{ name: {name:?}, wasm: include_bytes!({file:?}), sha256: {sha256:?} }},"
        )
        .expect("a string takes text");
    }
    table.push(']');
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    fs::write(out.join("plugins.rs"), table).expect("OUT_DIR can be written");
}

/// Sources only: a README or a test fixture does not change what is compiled.
fn watch_sources(plugin: &Path) {
    for part in ["src", "Cargo.toml", "polity.json", "weights.bin"] {
        let path = plugin.join(part);
        if path.exists() {
            watch(&path);
        }
    }
}
