//! `polity ledger export`: the whole chain as CloudEvents, one a line, in a form that a stranger can check.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Method;

use super::source::Source;
use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::{Body, Host, broken};
use crate::cli::out::say;
use crate::cli::report::Report;
use crate::cli::text::count;

/// Write every event as one line of CloudEvents JSON.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity ledger export -o ledger.ndjson
  polity ledger export | gzip > ledger.ndjson.gz")]
pub(crate) struct ExportArgs {
    /// The file to write [default: standard output].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn run(args: &ExportArgs, context: &Context) -> Result<Exit, Report> {
    let source = Source::find(context)?;
    let Some(path) = &args.output else {
        write(&source, &mut BufWriter::new(io::stdout().lock())).await?;
        return Ok(Exit::Ok);
    };
    let failed = |error: io::Error| {
        Report::new(format!("{} cannot be written", path.display())).because(error)
    };
    // Written beside its place, so that what has the name is always a whole export.
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."));
    let unfinished = tempfile::Builder::new()
        .prefix(".export-")
        .tempfile_in(folder)
        .map_err(failed)?;
    let mut file = BufWriter::new(unfinished.as_file());
    let lines = write(&source, &mut file).await?;
    file.flush().map_err(failed)?;
    drop(file);
    unfinished.as_file().sync_all().map_err(failed)?;
    readable_as_others(unfinished.as_file()).map_err(failed)?;
    unfinished
        .persist(path)
        .map_err(|error| failed(error.error))?;
    say(format_args!(
        "{} in {}",
        count(lines, "event"),
        path.display()
    ));
    Ok(Exit::Ok)
}

async fn write(source: &Source, out: &mut impl Write) -> Result<u64, Report> {
    match source {
        Source::Folder(ledger) => ledger
            .export(&mut *out)
            .map_err(|error| match error.kind() {
                io::ErrorKind::BrokenPipe => Report::from(error),
                _ => Report::new("the ledger cannot be exported").because(error),
            }),
        Source::Host(host) => copy(host, out).await,
    }
}

async fn copy(host: &Host, out: &mut impl Write) -> Result<u64, Report> {
    let mut response = host
        .send(Method::GET, &["api", "ledger", "export"], &[], Body::Empty)
        .await?;
    let (mut lines, mut last) = (0, b'\n');
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
        lines += chunk.iter().filter(|byte| **byte == b'\n').count() as u64;
        last = chunk.last().copied().unwrap_or(last);
        out.write_all(&chunk)?;
    }
    out.flush()?;
    if last != b'\n' {
        return Err(Report::new("the export broke off").because("its last line has no end"));
    }
    Ok(lines)
}

/// A temporary file is its owner's alone; an export is a file like others.
fn readable_as_others(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}
