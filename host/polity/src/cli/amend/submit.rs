//! `polity amend submit`: opens the vote.

use std::fs;

use clap::Args;
use polity_repository::Repository;
use serde_json::json;

use super::answer;
use super::draft::{self, failed, title_file};
use crate::cli::Context;
use crate::cli::argument;
use crate::cli::exit::Exit;
use crate::cli::out::say;
use crate::cli::report::Report;

/// Put an amendment to the vote; after an edit, put it to the vote again.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity amend submit
  polity amend submit raise-the-refund-limit --why 'most are granted anyway'
  polity amend submit refund-90 --branch my-branch")]
#[command(after_help = "Votes on what it was before the edit are void.")]
pub(crate) struct SubmitArgs {
    /// The amendment [default: the only one that is being written here]
    name: Option<String>,

    /// The branch [default: amend/NAME]
    #[arg(long, requires = "name")]
    branch: Option<String>,

    /// One line [default: as it was begun with]
    #[arg(long)]
    title: Option<String>,

    /// Why it is wanted; @FILE reads a file, - standard input.
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
}

pub(super) async fn run(args: &SubmitArgs, context: &Context) -> Result<Exit, Report> {
    let why = args
        .why
        .as_deref()
        .map(|why| argument::text("--why", why))
        .transpose()?;
    // A host elsewhere reads the branch in its own repository; here what was written is committed first.
    let (mut name, mut title) = (args.name.clone(), args.title.clone());
    if let Ok(place) = context.common.place.resolve()
        && args.branch.is_none()
    {
        match draft::find(&place, args.name.as_deref()) {
            Ok(Some(draft)) => {
                title = title.or_else(|| fs::read_to_string(title_file(&place, &draft.name)).ok());
                let subject = title.clone().unwrap_or_else(|| draft.name.clone());
                if Repository::commit_documents(&draft.company, &subject).map_err(failed)? {
                    say(format_args!(
                        "What was written in {} is committed.",
                        draft.files.display()
                    ));
                }
                name = Some(draft.name);
            }
            Ok(None) => {}
            Err(report) if name.is_none() => return Err(report),
            Err(_) => {}
        }
    }
    let Some(name) = name else {
        return Err(Report::usage("which amendment?").hint("name it: polity amend submit NAME"));
    };
    let body = json!({
        "name": name, "branch": args.branch, "why": why,
        "title": title.map(|title| title.trim().to_owned()).filter(|title| !title.is_empty()),
    });
    let told = context.host()?.post(&["api", "amendments"], &body).await?;
    answer::show(context, &told)?;
    Ok(Exit::Ok)
}
