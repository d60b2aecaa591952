//! `polity db restore`: a backup becomes the records of a data folder whose host does not run.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use polity_database::Database;
use polity_ledger::{Clock, SystemClock};
use serde_json::json;

use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::presence::Presence;
use crate::cli::progress::counter;
use crate::cli::report::Report;
use crate::cli::text::count;

/// Make the records of a backup the records of a data folder that has none.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity db restore records.backup
  polity db restore records.backup --data NEW")]
pub(crate) struct RestoreArgs {
    /// What `polity db backup` wrote.
    file: PathBuf,
}

pub(super) async fn run(args: &RestoreArgs, context: &Context) -> Result<Exit, Report> {
    let data = context.common.place.data()?;
    // Two processes on one folder of records would be one too many.
    let presence = Presence::claim(&data)?;
    let file = args.file.clone();
    let restored = tokio::task::spawn_blocking(move || restore(&file, &data));
    let restored = restored
        .await
        .map_err(|error| Report::new("the backup is not restored: this is a bug").because(error));
    drop(presence);
    let documents = restored??;
    let answer = json!({ "restored": documents });
    context.out.show(&answer, |out| {
        writeln!(out, "{} restored", count(documents, "document"))
    })?;
    Ok(Exit::Ok)
}

fn restore(file: &Path, data: &Path) -> Result<u64, Report> {
    let input = File::open(file).map_err(|error| {
        Report::usage(format!("{} cannot be read", file.display())).because(error)
    })?;
    let (place, beside) = (data.join("records"), data.join("records.restoring"));
    if place.exists() && !is_empty(&place)? {
        return Err(Report::new("there are records in this data folder already")
            .because(format!("{} is not empty", place.display()))
            .hint("move it away first, or restore into another folder: --data NEW"));
    }
    let unusable =
        |error: io::Error| Report::new(format!("{} cannot be used", data.display())).because(error);
    // What was left by a restore that was cut off.
    if beside.exists() {
        fs::remove_dir_all(&beside).map_err(unusable)?;
    }
    let documents = fill(input, &beside).inspect_err(|_| {
        let _ = fs::remove_dir_all(&beside);
        let _ = fs::remove_file(beside.with_extension("watch"));
    })?;
    if place.exists() {
        fs::remove_dir_all(&place).map_err(unusable)?;
    }
    let _ = fs::remove_file(beside.with_extension("watch"));
    fs::rename(&beside, &place).map_err(unusable)?;
    Ok(documents)
}

fn fill(input: File, folder: &Path) -> Result<u64, Report> {
    let failed = |error: &dyn std::fmt::Display| {
        Report::new("the backup is not restored, and nothing has changed").because(error)
    };
    let now = Arc::new(|| SystemClock.now_ms());
    let database = Database::open(folder, now).map_err(|error| failed(&error))?;
    let bar = counter("documents");
    let restored = database
        .engine()
        .restore(&mut BufReader::new(input), &mut |documents, _| {
            bar.set_position(documents);
        });
    bar.finish_and_clear();
    restored.map_err(|error| failed(&error))
}

/// A folder whose database has no collection.
fn is_empty(place: &Path) -> Result<bool, Report> {
    let now = Arc::new(|| SystemClock.now_ms());
    let database = Database::open(place, now)
        .map_err(|error| Report::new("the records do not open").because(error))?;
    Ok(database.engine().catalogue().collections.is_empty())
}
