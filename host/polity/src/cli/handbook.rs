//! `polity handbook`: the constitution as a site to read. Needs no host.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Context;
use super::decide::load;
use super::exit::Exit;
use super::out::say;
use super::report::Report;
use super::text::count;
use crate::handbook::Handbook;

/// Write the whole constitution as a site to read: a page for each protocol; needs no running host.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity handbook --out handbook         then open handbook/index.html
  polity handbook --company my-company --out public/handbook")]
#[command(
    after_help = "The site is files alone. Histories are those of git, where the company lies in a repository."
)]
pub(crate) struct HandbookArgs {
    /// The folder to write; made if it does not exist, and written again if it holds a handbook.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn run(args: &HandbookArgs, context: &Context) -> Result<Exit, Report> {
    let constitution = load(context)?;
    let place = context.common.place.resolve()?;
    let pages = Handbook::of(&constitution, &place.company)
        .write(&args.out)
        .map_err(|error| {
            Report::new(format!(
                "the handbook cannot be written to {}",
                args.out.display()
            ))
            .because(error)
        })?;
    let first = args.out.join("index.html");
    let told = json!({ "pages": pages, "open": first, "version": constitution.version() });
    context
        .out
        .show(&told, |out| writeln!(out, "{}", first.display()))?;
    say(format_args!("{} written", count(pages as u64, "page")));
    Ok(Exit::Ok)
}
