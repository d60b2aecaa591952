//! `polity db export`: a whole collection as a file.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Method;

use super::Form;
use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::{Body, Host, broken};
use crate::cli::out::say;
use crate::cli::report::Report;
use crate::cli::text::size;

/// Write a whole collection to a file.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity db export orders -o orders.csv
  polity db export orders | gzip > orders.ndjson.gz")]
pub(crate) struct ExportArgs {
    /// The collection.
    collection: String,

    /// The file to write, for its owner alone [default: standard output].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The form [default: by the ending of the file's name, or else ndjson].
    #[arg(long, value_enum)]
    form: Option<Form>,
}

pub(super) async fn run(args: &ExportArgs, context: &Context) -> Result<Exit, Report> {
    let by_name = args.output.as_deref().and_then(Form::of);
    let form = args.form.or(by_name).unwrap_or(Form::Ndjson);
    let host = context.host()?;
    let Some(path) = &args.output else {
        let mut out = BufWriter::new(io::stdout().lock());
        copy(&host, &args.collection, form, &mut out).await?;
        return Ok(Exit::Ok);
    };
    let failed = |error: io::Error| {
        Report::new(format!("{} cannot be written", path.display())).because(error)
    };
    // Written beside its place, so that what has the name is always a whole export.
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let unfinished = tempfile::Builder::new()
        .prefix(".export-")
        .tempfile_in(folder.unwrap_or_else(|| Path::new(".")))
        .map_err(failed)?;
    let mut file = BufWriter::new(unfinished.as_file());
    let bytes = copy(&host, &args.collection, form, &mut file).await?;
    drop(file);
    unfinished.as_file().sync_all().map_err(failed)?;
    unfinished
        .persist(path)
        .map_err(|error| failed(error.error))?;
    say(format_args!("{} in {}", size(bytes), path.display()));
    Ok(Exit::Ok)
}

async fn copy(
    host: &Host,
    collection: &str,
    form: Form,
    out: &mut impl Write,
) -> Result<u64, Report> {
    let path = ["api", "collections", collection, "export"];
    let query = [("format", form.name().to_owned())];
    let mut response = host.send(Method::GET, &path, &query, Body::Empty).await?;
    let mut bytes = 0;
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
        bytes += chunk.len() as u64;
        out.write_all(&chunk)?;
    }
    out.flush()?;
    Ok(bytes)
}
