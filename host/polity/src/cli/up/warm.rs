//! The first start compiles every plugin, which takes seconds. On a terminal it is done ahead, one by one under a bar, so
//! that nobody wonders; what it leaves in the cache is what the start then finds. Everywhere else the start compiles by
//! itself, in silence.

use std::fs;
use std::io::{self, IsTerminal};
use std::sync::Arc;

use polity_runtime::egress::SystemResolver;
use polity_runtime::registry::{Runtime, Settings};
use polity_runtime::signature::Trust;

use crate::cli::bundled;
use crate::cli::compile;
use crate::cli::place::Place;
use crate::cli::progress;

/// Compiles what lies in the plugin folder. Blocks. Whatever goes wrong here will be told by the start itself.
pub(super) fn compile_ahead(place: &Place) {
    if !io::stderr().is_terminal() {
        return;
    }
    let files: Vec<_> = fs::read_dir(place.plugins())
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "wasm")
        })
        .collect();
    let Ok(nothing) = tempfile::tempdir() else {
        return;
    };
    let runtime = Runtime::start(Settings {
        plugins: nothing.path().to_owned(),
        data: place.data.clone(),
        trust: Trust::default(),
        bundled: bundled::digests(),
        compiler: compile::process(),
        resolver: Arc::new(SystemResolver),
        observer: Arc::new(|_| {}),
    });
    let Ok(runtime) = runtime else { return };
    let bar = progress::bar(files.len() as u64, "Compiling plugins");
    for file in files {
        if let Ok(wasm) = fs::read(&file) {
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            runtime.inspect(&name, &wasm, None, None);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
}
