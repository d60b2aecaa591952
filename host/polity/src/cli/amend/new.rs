//! `polity amend new`.

use std::fs;

use clap::Args;
use polity_repository::{Repository, slug};
use serde_json::json;

use super::draft::{branch_of, failed, place_of, title_file};
use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::out::say;
use crate::cli::report::Report;

/// Begin an amendment: a branch, and a folder to write it in.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity amend new 'Raise the refund limit'
  polity amend new 'Raise the refund limit' --name refund-90")]
pub(crate) struct NewArgs {
    /// What it does, in a few words.
    title: String,

    /// What it is called by [default: made from the title]
    #[arg(long)]
    name: Option<String>,
}

pub(super) fn run(args: &NewArgs, context: &Context) -> Result<Exit, Report> {
    let place = context.common.place.resolve()?;
    let name = args.name.clone().unwrap_or_else(|| slug(&args.title));
    if name.is_empty() || name != slug(&name) {
        return Err(
            Report::usage(format!("{name:?} is no name for an amendment"))
                .hint("use lower-case letters, digits and hyphens: --name raise-refund-limit"),
        );
    }
    let repository = Repository::of_folder(&place.company).map_err(failed)?;
    let head = repository.head().map_err(failed)?;
    let files = place_of(&place, &name);
    if let Some(folder) = files.parent() {
        fs::create_dir_all(folder).map_err(|error| {
            Report::new(format!("{} cannot be made", folder.display())).because(error)
        })?;
    }
    let files = std::path::absolute(&files)
        .map_err(|error| Report::new("the current folder cannot be found").because(error))?;
    let branch = branch_of(&name);
    let company = repository.add_worktree(&branch, &files).map_err(|error| {
        failed(error).hint(format!(
            "does it exist already? see what it changes: polity amend diff {name}"
        ))
    })?;
    // Without it the name serves.
    let _ = fs::write(title_file(&place, &name), &args.title);
    let told = json!({
        "name": name, "branch": branch, "folder": company, "base": head.commit,
    });
    context
        .out
        .show(&told, |out| writeln!(out, "{}", company.display()))?;
    say(format_args!(
        "Edit the documents in that folder; nothing there is in force. Then:\n  polity amend diff {name}\n  polity amend submit {name}"
    ));
    Ok(Exit::Ok)
}
