//! What the host's compiling processes run: one component from standard input, its machine code to standard output.

use std::io;
use std::path::PathBuf;

use clap::Args;
use polity_runtime::{CompilerProcess, compile_for_parent};

use super::exit::Exit;
use super::report::Report;

/// The name of the command, which is for the host itself.
pub(super) const NAME: &str = "compile-component";

/// Compile a component from standard input for one of the host's engines.
#[derive(Debug, Args)]
#[command(hide = true)]
pub(super) struct CompileArgs {
    /// The engine: `pure` or `io`.
    engine: String,
}

pub(super) fn run(args: &CompileArgs) -> Result<Exit, Report> {
    match compile_for_parent(&args.engine, io::stdin().lock(), io::stdout().lock()) {
        Ok(()) => Ok(Exit::Ok),
        Err(error) => {
            // For the host, which puts it into a sentence of its own.
            eprintln!("{error}");
            Ok(Exit::Failure)
        }
    }
}

/// This program, as a compiler.
pub(super) fn process() -> Option<CompilerProcess> {
    // On Linux the name of the running program, which an upgrade may meanwhile have replaced or removed.
    let program = match cfg!(target_os = "linux") {
        true => PathBuf::from("/proc/self/exe"),
        false => std::env::current_exe().ok()?,
    };
    Some(CompilerProcess {
        program,
        arguments: vec![NAME.into()],
    })
}
