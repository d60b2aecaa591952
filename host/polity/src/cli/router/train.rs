//! `polity router train`: make the router predict from texts.

use std::path::PathBuf;

use clap::Args;
use polity_kernel::read_rows;
use serde_json::json;

use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::report::Report;
use crate::cli::text::one_line;

/// Train the router from feedback, and from a file if there is one.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity router train
  polity router train scores.jsonl
  echo '{\"prompt\": \"…\", \"score\": {\"small\": 0.7}}' >> scores.jsonl")]
pub(crate) struct TrainArgs {
    /// Prompts and the scores that models got for them, one JSON object a line.
    #[arg(value_name = "FILE.jsonl")]
    file: Option<PathBuf>,
}

pub(super) async fn run(args: &TrainArgs, context: &Context) -> Result<Exit, Report> {
    let rows = match &args.file {
        None => Vec::new(),
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|error| {
                Report::usage(format!("{} cannot be read: {error}", file.display()))
            })?;
            read_rows(&text)
                .map_err(|error| Report::usage(format!("{}, {error}", file.display())))?
        }
    };
    let body = json!({ "rows": rows });
    let answer = context
        .host()?
        .post(&["api", "router", "train"], &body)
        .await?;
    context.out.show(&answer, |out| {
        let names = |name: &str| {
            let names = answer[name].as_array().into_iter().flatten();
            let names = names.filter_map(|name| name.as_str().map(one_line));
            names.collect::<Vec<_>>().join(", ")
        };
        writeln!(
            out,
            "Trained on {} rows, {} of them feedback on this company's answers; in force now.",
            answer["report"]["rows"], answer["from_feedback"]
        )?;
        writeln!(out, "models  {}", names("models"))?;
        writeln!(out, "tasks   {}", names("tasks"))?;
        writeln!(
            out,
            "digest  {}",
            one_line(answer["digest"].as_str().unwrap_or_default())
        )
    })?;
    Ok(Exit::Ok)
}
