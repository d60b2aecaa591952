//! `polity db backup`: all records as one file, while the host goes on.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Method;

use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::{Body, broken};
use crate::cli::out::say;
use crate::cli::report::Report;
use crate::cli::text::size;

/// Write all records, with their schema, to a file, as they are at one time.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity db backup records.backup
  polity db restore records.backup --data NEW")]
pub(crate) struct BackupArgs {
    /// The file to write, for its owner alone.
    file: PathBuf,
}

pub(super) async fn run(args: &BackupArgs, context: &Context) -> Result<Exit, Report> {
    let failed = |error: io::Error| {
        Report::new(format!("{} cannot be written", args.file.display())).because(error)
    };
    let folder = args
        .file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    // Written beside its place, so that what has the name is always a whole backup.
    let unfinished = tempfile::Builder::new()
        .prefix(".backup-")
        .tempfile_in(folder.unwrap_or_else(|| Path::new(".")))
        .map_err(failed)?;
    let mut file = BufWriter::new(unfinished.as_file());
    let path = ["api", "records", "backup"];
    let host = context.host()?;
    let mut response = host.send(Method::GET, &path, &[], Body::Empty).await?;
    let mut bytes = 0;
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
        bytes += chunk.len() as u64;
        file.write_all(&chunk).map_err(failed)?;
    }
    file.flush().map_err(failed)?;
    drop(file);
    unfinished.as_file().sync_all().map_err(failed)?;
    unfinished
        .persist(&args.file)
        .map_err(|error| failed(error.error))?;
    say(format_args!("{} in {}", size(bytes), args.file.display()));
    Ok(Exit::Ok)
}
