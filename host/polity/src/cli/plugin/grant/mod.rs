//! `polity plugin grant`: what a plugin wants, what it was given, and the lines in between.

mod editor;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use reqwest::Method;

use super::file;
use super::view::{self, View};
use crate::cli::Context;
use crate::cli::confirm;
use crate::cli::exit::Exit;
use crate::cli::host::{Body, Host, broken, read};
use crate::cli::report::Report;
use crate::cli::text::clean;

/// Show what a plugin wants and was granted, and change it.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity plugin grant openai               what it wants, and how to give it
  polity plugin grant openai --edit        in $EDITOR
  polity plugin grant openai --all         everything it asks for
  polity plugin grant openai --file openai.grant.toml
  polity plugin grant openai --print > openai.grant.toml")]
#[command(after_help = "Ends with 0 if it has what it needs, 4 if it still waits for a grant.")]
pub(crate) struct GrantArgs {
    /// The plugin's name.
    name: String,

    /// Open the grant file in $VISUAL or $EDITOR, with what is missing as remarks.
    #[arg(short, long, group = "how")]
    edit: bool,

    /// Put this file in place of the grant file.
    #[arg(short, long, value_name = "FILE", group = "how")]
    file: Option<PathBuf>,

    /// Add everything that it waits for.
    #[arg(long, group = "how")]
    all: bool,

    /// Do not ask, with --all.
    #[arg(short, long, requires = "all")]
    yes: bool,

    /// Print the grant file as it is.
    #[arg(short, long, group = "how")]
    print: bool,
}

pub(super) async fn run(args: &GrantArgs, context: &Context) -> Result<Exit, Report> {
    let host = context.host()?;
    let answer = view::find(&host, &args.name).await?;
    let plugin: View = read(&answer)?;
    let current = current(&host, &args.name).await?;
    let wanted = if args.print {
        context.out.text(&current)?;
        return Ok(Exit::Ok);
    } else if let Some(path) = &args.file {
        file::text(path)?
    } else if args.edit {
        match editor::edit(&plugin, &current)? {
            Some(edited) => edited,
            None => {
                return Err(
                    Report::new("nothing was changed").because("the file was left as it was")
                );
            }
        }
    } else if args.all {
        all(args, &plugin, &current)?
    } else {
        context
            .out
            .show(&answer, |out| tell(out, &plugin, &current))?;
        return Ok(if plugin.unmet.is_empty() {
            Exit::Ok
        } else {
            Exit::Waiting
        });
    };
    let body = Body::Bytes("application/toml", wanted.into_bytes(), Vec::new());
    let granted = host
        .put(&["api", "plugins", &args.name, "grant"], body)
        .await?;
    view::told(context, &granted)
}

async fn current(host: &Host, name: &str) -> Result<String, Report> {
    let response = host
        .send(
            Method::GET,
            &["api", "plugins", name, "grant"],
            &[],
            Body::Empty,
        )
        .await?;
    response.text().await.map_err(|error| broken(&error))
}

/// The grant file with everything added that is missing.
fn all(args: &GrantArgs, plugin: &View, current: &str) -> Result<String, Report> {
    let missing = missing(plugin);
    if missing.is_empty() {
        return Err(Report::new(format!("{} waits for nothing", args.name)));
    }
    let question = format!("{} will be allowed:\n\n{}", args.name, clean(&missing));
    confirm::by_name(&question, &args.name, args.yes)?;
    let space = if current.is_empty() || current.ends_with("\n\n") {
        ""
    } else {
        "\n"
    };
    Ok(format!("{current}{space}{missing}"))
}

/// The lines that are missing, each after a remark that says what for. What is no grant file, such as a credential that
/// has to be put into the environment, is only told.
fn missing(plugin: &View) -> String {
    let grants = plugin
        .unmet
        .iter()
        .filter(|unmet| unmet.fix.trim_start().starts_with('['));
    grants
        .map(|unmet| format!("# {}\n{}\n", unmet.reason(), unmet.fix.trim_end()))
        .collect()
}

fn tell(out: &mut dyn Write, plugin: &View, current: &str) -> io::Result<()> {
    match current.trim() {
        "" => writeln!(out, "{} was granted nothing.", plugin.name)?,
        grant => writeln!(out, "{}.grant.toml:\n\n{}", plugin.name, clean(grant))?,
    }
    if plugin.unmet.is_empty() {
        return writeln!(out, "\nIt has what it needs.");
    }
    writeln!(out, "\nIt waits for:\n")?;
    for unmet in &plugin.unmet {
        writeln!(
            out,
            "# {}\n{}\n",
            clean(unmet.reason()),
            clean(unmet.fix.trim_end())
        )?;
    }
    if !missing(plugin).is_empty() {
        writeln!(
            out,
            "To give it all that: polity plugin grant {} --all",
            plugin.name
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plugin() -> View {
        let want = "\"openai\" wants POST to api.openai.com: to call it. To allow it, add to openai.grant.toml:\n[[http]]";
        let unmet = json!([
            {"want": want, "fix": "[[http]]\nhost = \"api.openai.com\"\n"},
            {"want": "the credential for authorization", "fix": "set the environment variable OPENAI_API_KEY"}
        ]);
        read(&json!({"name": "openai", "state": "pending", "unmet": unmet})).unwrap()
    }

    #[test]
    fn wants_and_the_lines_that_give_them_stand_together() {
        let mut text = Vec::new();
        tell(&mut text, &plugin(), "").unwrap();
        insta::assert_snapshot!(String::from_utf8(text).unwrap(), @r#"
        openai was granted nothing.

        It waits for:

        # "openai" wants POST to api.openai.com: to call it.
        [[http]]
        host = "api.openai.com"

        # the credential for authorization
        set the environment variable OPENAI_API_KEY

        To give it all that: polity plugin grant openai --all
        "#);
    }

    #[test]
    fn what_is_added_is_a_grant_file_and_keeps_what_was_there() {
        let args = GrantArgs {
            name: "openai".into(),
            edit: false,
            file: None,
            all: true,
            yes: true,
            print: false,
        };
        let text = all(&args, &plugin(), "[limits]\nmemory_mb = 64\n").unwrap();
        let grant = polity_runtime::grant::Grant::parse("openai.grant.toml", &text).unwrap();
        assert_eq!(grant.http.len(), 1);
        assert!(!text.contains("set the environment"));
    }
}
