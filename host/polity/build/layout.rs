//! Lays the functions that run while a host serves side by side, as `serving.ld` names them: a fault in a program's file
//! maps the pages around it, and scattered functions kept most of the program resident.

use std::env;

/// Linkers that read no `SECTIONS`. With them the program is only larger in memory.
const OTHERS: [&str; 2] = ["mold", "wild"];

pub(crate) fn arrange() {
    println!("cargo::rerun-if-changed=serving.ld");
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    let set = |name: &str| env::var(name).unwrap_or_default();
    let chosen = format!("{} {}", set("RUSTC_LINKER"), set("CARGO_ENCODED_RUSTFLAGS"));
    let is_other = OTHERS.iter().any(|name| chosen.contains(name));
    if set("CARGO_CFG_TARGET_OS") == "linux" && !is_other {
        let here = set("CARGO_MANIFEST_DIR");
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{here}/serving.ld");
    }
}
