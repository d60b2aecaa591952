//! `polity db`: the company's records.

mod answer;
mod backup;
mod dry_run;
mod explain;
mod export;
mod history;
mod import;
mod insert;
mod query;
mod restore;
mod revert;
mod schema;
mod simulate;
mod stats;
mod strategies;

use clap::{Args, Subcommand, ValueEnum};
use polity_database::Format;

use super::Context;
use super::exit::Exit;
use super::report::Report;

/// Ask, keep and watch the company's records.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity db insert orders '{\"customer\": \"ada\", \"total\": 12.50}'
  polity db query 'SELECT customer, sum(total) FROM orders GROUP BY customer'
  polity db stats")]
pub(crate) struct DbArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Query(query::QueryArgs),
    Insert(insert::InsertArgs),
    Import(import::ImportArgs),
    Export(export::ExportArgs),
    Schema(schema::SchemaArgs),
    Stats(stats::StatsArgs),
    Explain(explain::ExplainArgs),
    History(history::HistoryArgs),
    Revert(revert::RevertArgs),
    DryRun(dry_run::DryRunArgs),
    Strategies(strategies::StrategiesArgs),
    Simulate(simulate::SimulateArgs),
    Backup(backup::BackupArgs),
    Restore(restore::RestoreArgs),
}

/// The forms of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// One JSON object a line.
    Ndjson,
    /// One JSON array of objects.
    Json,
    /// A line of names, then lines of values.
    Csv,
}

impl Form {
    /// By the end of a file's name.
    fn of(file: &std::path::Path) -> Option<Self> {
        match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "json" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }
}

impl From<Form> for Format {
    fn from(form: Form) -> Self {
        match form {
            Form::Ndjson => Self::Ndjson,
            Form::Json => Self::Json,
            Form::Csv => Self::Csv,
        }
    }
}

pub(crate) async fn run(args: &DbArgs, context: &Context) -> Result<Exit, Report> {
    match &args.command {
        Command::Query(args) => query::run(args, context).await,
        Command::Insert(args) => insert::run(args, context).await,
        Command::Import(args) => import::run(args, context).await,
        Command::Export(args) => export::run(args, context).await,
        Command::Schema(args) => schema::run(args, context).await,
        Command::Stats(args) => stats::run(args, context).await,
        Command::Explain(args) => explain::run(args, context).await,
        Command::History(args) => history::run(args, context).await,
        Command::Revert(args) => revert::run(args, context).await,
        Command::DryRun(args) => dry_run::run(args, context).await,
        Command::Strategies(args) => strategies::run(args, context).await,
        Command::Simulate(args) => simulate::run(args, context).await,
        Command::Backup(args) => backup::run(args, context).await,
        Command::Restore(args) => restore::run(args, context).await,
    }
}
