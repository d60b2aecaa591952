//! Embeds the example company, so that `polity init` writes it on a machine that has nothing but the binary.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

pub(crate) fn embed() {
    let here =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("Cargo sets CARGO_MANIFEST_DIR"));
    let company = here
        .ancestors()
        .nth(2)
        .expect("this crate lies in host/")
        .join("protocols");
    // Not the folder itself: a host that runs here writes into it. A test fails when a file is missing, as a reminder to
    // touch this script.
    let mut files = Vec::new();
    collect(&company, "", &mut files);
    files.sort();
    let mut table = String::from("&[\n");
    for name in files {
        let path = company.join(&name);
        println!("cargo::rerun-if-changed={}", path.display());
        writeln!(table, "    ({name:?}, include_bytes!({path:?})),").expect("a string takes text");
    }
    table.push(']');
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    fs::write(out.join("company.rs"), table).expect("OUT_DIR can be written");
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry
            .file_name()
            .into_string()
            .expect("the example company's files have plain names");
        // What a host writes: its data, the bundled plugins, and their record.
        if (name.starts_with('.') && name != ".gitignore") || name.ends_with(".wasm") {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{path}/"), files);
        } else {
            files.push(path);
        }
    }
}
