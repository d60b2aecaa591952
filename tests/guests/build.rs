//! Compiles the hostile guests from source.

use std::path::PathBuf;
use std::{env, fs};

use polity_plugin_build::{Target, build, watch};

fn main() {
    let here =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("Cargo sets CARGO_MANIFEST_DIR"));
    let workspace = here
        .ancestors()
        .nth(2)
        .expect("the guests lie in tests/")
        .to_owned();
    for source in ["wit", "plugins/sdk/src", "tests/hostile"] {
        watch(&workspace.join(source));
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    let bare = build(
        &workspace,
        &["hostile-rule", "hostile-adapter", "hostile-strategy"],
        Target::Unknown,
    );
    let wasi = build(
        &workspace,
        &["hostile-wasi", "hostile-wasi-http"],
        Target::WasiP2,
    );
    for (file, name) in
        bare.iter()
            .chain(&wasi)
            .zip(["rule", "adapter", "strategy", "wasi", "wasi-http"])
    {
        fs::copy(file, out.join(format!("{name}.wasm"))).expect("OUT_DIR can be written");
    }
}
