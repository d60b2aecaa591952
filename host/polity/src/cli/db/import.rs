//! `polity db import`: a file of documents, in batches of which each is in or not.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use polity_database::{Document, EngineError, read_documents};
use reqwest::Method;
use serde_json::json;
use tokio::sync::mpsc;

use super::Form;
use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::{Body, Host};
use crate::cli::progress::counter;
use crate::cli::report::Report;
use crate::cli::text::count;

/// Bytes of one request; a host takes at most 8 MiB.
const REQUEST: usize = 2 << 20;
/// Batches that are read ahead.
const AHEAD: usize = 2;

/// Insert the documents of a file.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity db import orders.csv
  polity db import export.ndjson --into orders
  polity db import - --into orders --form ndjson < orders.ndjson")]
pub(crate) struct ImportArgs {
    /// The file; - is standard input.
    file: PathBuf,

    /// The collection [default: the file's name without its ending].
    #[arg(long, value_name = "COLLECTION")]
    into: Option<String>,

    /// The form of the file [default: by the ending of its name].
    #[arg(long, value_enum)]
    form: Option<Form>,
}

pub(super) async fn run(args: &ImportArgs, context: &Context) -> Result<Exit, Report> {
    let form = args.form.or_else(|| Form::of(&args.file)).ok_or_else(|| {
        Report::usage(format!("the form of {} is not known", args.file.display()))
            .hint("say it: --form ndjson, --form json or --form csv")
    })?;
    let stem = args.file.file_stem().and_then(|stem| stem.to_str());
    let into = args.into.as_deref().or(stem.filter(|stem| *stem != "-"));
    let into = into.ok_or_else(|| {
        Report::usage("the collection is not known").hint("say it: --into COLLECTION")
    })?;
    let host = context.host()?;
    let file = args.file.clone();
    let (batches, mut read) = mpsc::channel::<Vec<Document>>(AHEAD);
    let reader = tokio::task::spawn_blocking(move || {
        let mut input = open(&file).map_err(|error| {
            Report::usage(format!("{} cannot be read", file.display())).because(error)
        })?;
        let mut hand_over = |batch: &[Document]| {
            batches
                .blocking_send(batch.to_vec())
                // The other side has failed and says why.
                .map_err(|_| EngineError::Compute("nobody takes the documents".to_owned()))
        };
        read_documents(form.into(), &mut input, &mut hand_over, &mut |_, _| {}).map_err(|error| {
            Report::new(format!("{} is not read to its end", file.display())).because(error)
        })
    });
    let bar = counter("documents");
    let mut inserted = 0;
    let mut failed = None;
    while let Some(batch) = read.recv().await {
        if let Err(report) = send(&host, into, &batch, &mut inserted).await {
            failed = Some(report);
            break;
        }
        bar.set_position(inserted);
    }
    drop(read);
    bar.finish_and_clear();
    let ended = reader
        .await
        .map_err(|error| Report::new("the file is not read to its end").because(error))?;
    if let Some(report) = failed.or(ended.err()) {
        return Err(report.hint(format!(
            "{} before that are in {into:?}",
            count(inserted, "document")
        )));
    }
    let answer = json!({ "collection": into, "inserted": inserted });
    context.out.show(&answer, |out| {
        writeln!(out, "{} in {into}", count(inserted, "document"))
    })?;
    Ok(Exit::Ok)
}

fn open(file: &Path) -> io::Result<Box<dyn BufRead>> {
    Ok(if file == Path::new("-") {
        Box::new(BufReader::new(io::stdin()))
    } else {
        Box::new(BufReader::new(File::open(file)?))
    })
}

async fn send(
    host: &Host,
    into: &str,
    batch: &[Document],
    inserted: &mut u64,
) -> Result<(), Report> {
    let (mut lines, mut held) = (String::new(), 0);
    for (index, document) in batch.iter().enumerate() {
        lines.push_str(&document.to_json());
        lines.push('\n');
        held += 1;
        if lines.len() >= REQUEST || index + 1 == batch.len() {
            let body = std::mem::take(&mut lines).into_bytes();
            let body = Body::Bytes("application/x-ndjson", body, Vec::new());
            host.send(Method::POST, &["api", "collections", into], &[], body)
                .await?;
            *inserted += std::mem::take(&mut held);
        }
    }
    Ok(())
}
