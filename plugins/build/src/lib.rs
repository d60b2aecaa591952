//! Compiles plugin crates to WebAssembly from a build script.
//!
//! Cargo cannot yet depend on another crate's artifact for another target, so the crates that carry compiled plugins
//! (the bundle in the binary, the fixtures of the tests) run Cargo a second time. That run has a target folder of its
//! own, because the outer Cargo holds the lock of its folder while build scripts run.

#![forbid(unsafe_code)]

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Which instruction-set target a guest is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// No system interface at all: what a plugin should be.
    Unknown,
    /// WASI 0.2: what a plugin may be, for libraries that want a system interface.
    WasiP2,
}

impl Target {
    fn triple(self) -> &'static str {
        match self {
            Target::Unknown => "wasm32-unknown-unknown",
            Target::WasiP2 => "wasm32-wasip2",
        }
    }
}

/// What a guest of ours has for its stack, in bytes; rustc would give 1 MiB. It lies at the front of each instance's
/// memory, and a host looks through all of a memory for what a call has written, so room that nobody uses costs time in
/// every call.
const STACK_BYTES: u32 = 256 << 10;

/// Builds `packages` of the workspace at `workspace` and returns the path of each one's `.wasm`, in the same order.
///
/// For use in build scripts. It adds the target through rustup when it is missing, takes the outer build's `OUT_DIR`
/// to find a target folder that stays the same from build to build, and tells Cargo to run again when a source of the
/// packages changes.
///
/// # Panics
///
/// When Cargo or rustup fails: a build script has no better way to say so, and the message names the command to run.
pub fn build(workspace: &Path, packages: &[&str], target: Target) -> Vec<PathBuf> {
    ensure_target(target);
    let folder = guest_target_folder();
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace).args([
        "build",
        "--lib",
        "--profile",
        "guest",
        "--target",
        target.triple(),
    ]);
    if target == Target::Unknown {
        cargo.arg("--config").arg(format!(
            "target.{}.rustflags = [\"-Clink-arg=-zstack-size={STACK_BYTES}\"]",
            target.triple()
        ));
    }
    cargo.arg("--target-dir").arg(&folder);
    for package in packages {
        cargo.args(["--package", package]);
    }
    // What the outer build was told is not meant for the guests: linters wrapped round rustc, flags for the host's CPU,
    // profile overrides.
    for (name, _) in env::vars_os() {
        if is_for_the_outer_build(&name) {
            cargo.env_remove(name);
        }
    }
    // A build script's output is hidden unless it fails, and then all of it is wanted.
    run(&mut cargo, "see the messages above");
    packages
        .iter()
        .map(|package| {
            folder
                .join(target.triple())
                .join("guest")
                .join(format!("{}.wasm", package.replace('-', "_")))
        })
        .collect()
}

/// Tells Cargo to run the build script again when anything under `path` changes.
pub fn watch(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

/// A target folder for guests beside the outer build's profile folders, shared by every build script that asks.
fn guest_target_folder() -> PathBuf {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("OUT_DIR is set in a build script"));
    // <target>/<profile>/build/<package>-<hash>/out
    let target = out
        .ancestors()
        .nth(4)
        .expect("OUT_DIR lies four folders below the target folder");
    target.join("guests")
}

fn ensure_target(target: Target) {
    let sysroot = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--print", "sysroot"])
        .output()
        .expect("rustc can be run");
    let sysroot = PathBuf::from(String::from_utf8_lossy(&sysroot.stdout).trim());
    let standard_library = sysroot
        .join("lib/rustlib")
        .join(target.triple())
        .join("lib");
    if fs::read_dir(standard_library).is_ok_and(|mut entries| entries.next().is_some()) {
        return;
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", target.triple()]);
    run(
        &mut rustup,
        "install rustup, or add the target's standard library by hand",
    );
}

fn is_for_the_outer_build(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    matches!(
        &*name,
        "RUSTFLAGS"
            | "CARGO_ENCODED_RUSTFLAGS"
            | "RUSTC_WRAPPER"
            | "RUSTC_WORKSPACE_WRAPPER"
            | "CLIPPY_ARGS"
            | "CARGO_TARGET_DIR"
            | "CARGO_BUILD_TARGET"
            | "CARGO_MANIFEST_DIR"
            | "TARGET"
            | "HOST"
            | "OUT_DIR"
            | "PROFILE"
            | "OPT_LEVEL"
            | "DEBUG"
    ) || name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_CFG_")
        || name.starts_with("CARGO_FEATURE_")
        || name.starts_with("CARGO_PROFILE_")
}

fn run(command: &mut Command, hint: &str) {
    let shown = format!("{command:?}");
    let status = command
        .stdin(Stdio::null())
        .status()
        .unwrap_or_else(|error| panic!("could not run {shown}: {error}"));
    assert!(status.success(), "{shown} failed: {hint}");
}
