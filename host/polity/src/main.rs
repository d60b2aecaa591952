//! The operating system of a company that runs on hot-loaded WebAssembly components.
//!
//! This crate composes: the command line is in [`cli`], the HTTP API in [`serve`], the pages for people in [`console`], the
//! constitution to read in [`handbook`], what a collector of traces is told in [`otel`].
//! What is decided, is decided in the crates below.

#![forbid(unsafe_code)]

mod cli;
mod console;
mod handbook;
mod otel;
mod serve;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
