//! The log: lines for people on a terminal, JSON for machines everywhere else. Always on standard error, so that a
//! command's data stays clean.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// What a log line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people on a terminal, else JSON.
    Auto,
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged where `RUST_LOG` does not say otherwise.
const FILTER: &str =
    "info,hyper=warn,reqwest=warn,rustls=warn,wasmtime=warn,cranelift=warn,sled=warn,h2=warn";

/// Starts logging for a host. Only the first call of a process counts.
pub(crate) fn start(format: LogFormat) {
    let terminal = io::stderr().is_terminal();
    let json = match format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(FILTER));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Stderr);
    let _ = if json {
        builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_ansi(false)
            .try_init()
    } else {
        // anstream takes the colours out again where they are not wanted: NO_COLOR, a pipe, a dumb terminal.
        builder.with_target(false).with_ansi(true).try_init()
    };
}

/// Standard error, without a lock between two lines.
struct Stderr;

/// One line, written at once so that a progress bar can step aside for it.
struct Line;

impl MakeWriter<'_> for Stderr {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line
    }
}

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A log that cannot be written must not stop what it tells of.
        super::progress::step_aside(|| {
            let _ = anstream::stderr().lock().write_all(line);
        });
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
