//! Compiles the rule under test, once as a Polity component and once as an Extism plugin, and the policy languages.

use std::path::PathBuf;
use std::{env, fs};

use polity_plugin_build::{Target, build, watch};

fn main() {
    let here =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("Cargo sets CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    watch(&here.join("guests"));
    watch(&here.join("../../plugins/sdk/src"));
    let names = ["refund-polity", "refund-extism"];
    for (file, name) in build(&here, &names, Target::Unknown).iter().zip(names) {
        fs::copy(file, out.join(format!("{name}.wasm"))).expect("OUT_DIR can be written");
    }
    // Policy languages are workspaces of their own.
    for name in ["rule-cedar", "rule-rego"] {
        let workspace = here.join("../../plugins").join(name);
        watch(&workspace.join("src"));
        for file in build(&workspace, &[name], Target::Unknown) {
            fs::copy(file, out.join(format!("{name}.wasm"))).expect("OUT_DIR can be written");
        }
    }
}
