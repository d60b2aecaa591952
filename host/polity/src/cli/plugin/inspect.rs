//! `polity plugin inspect`: a plugin of the host by its name, or a file that is nobody's yet.

use std::io::{self, Write};
use std::path::Path;

use clap::Args;

use super::facts::Facts;
use super::view::{self, View, short};
use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::read;
use crate::cli::report::Report;
use crate::cli::text::{clean, count, duration, one_line};

/// Show all about a plugin: a running one by its name, or a file.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity plugin inspect spending-limit
  polity plugin inspect ./refunds.wasm --json")]
pub(crate) struct InspectArgs {
    /// The name of a plugin, or a `.wasm` file.
    #[arg(value_name = "NAME|FILE")]
    what: String,
}

pub(super) async fn run(args: &InspectArgs, context: &Context) -> Result<Exit, Report> {
    let path = Path::new(&args.what);
    // A plugin's name has neither a dot nor a slash.
    if args.what.contains(['.', '/', std::path::MAIN_SEPARATOR]) {
        return file(path, context);
    }
    let answer = view::find(&context.host()?, &args.what).await?;
    let plugin: View = read(&answer)?;
    context.out.show(&answer, |out| tell(out, &plugin))?;
    Ok(Exit::Ok)
}

fn file(path: &Path, context: &Context) -> Result<Exit, Report> {
    let wasm = std::fs::read(path).map_err(|error| {
        Report::new(format!("{} cannot be read", path.display())).because(error)
    })?;
    let artifact = polity_runtime::artifact::Artifact::read(&wasm);
    let own_name = artifact
        .as_ref()
        .ok()
        .and_then(|artifact| Some(artifact.manifest.as_ref()?.name.clone()));
    let name = own_name.unwrap_or_else(|| {
        path.file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    });
    let facts = Facts::of(&name, &wasm, &artifact);
    context.out.show(&facts, |out| facts.tell(out))?;
    Ok(Exit::Ok)
}

fn tell(out: &mut dyn Write, plugin: &View) -> io::Result<()> {
    match &plugin.serving {
        Some(serving) => {
            let version = serving.version.as_deref().unwrap_or("without a version");
            writeln!(
                out,
                "{} {} ({}), {}",
                plugin.name,
                one_line(version),
                serving.world,
                plugin.state
            )?;
            if let Some(summary) = &serving.summary {
                writeln!(out, "  {}", one_line(summary))?;
            }
            line(out, "digest", &serving.digest)?;
            line(out, "signed", &serving.provenance)?;
            list(out, "judges", &serving.applies_to)?;
            list(out, "models", &serving.models)?;
            list(out, "does", &serving.operations)?;
            let stats = &serving.stats;
            let mean = stats.busy_ns.checked_div(stats.calls).unwrap_or_default();
            let mean = if mean < 1_000_000 {
                format!("{} µs", mean / 1_000)
            } else {
                duration(mean / 1_000_000)
            };
            let failed = format!(
                "{} answered with a problem, {} failed",
                stats.problems, stats.failures
            );
            line(
                out,
                "calls",
                &format!("{}, {failed}, {mean} each", count(stats.calls, "call")),
            )?;
        }
        None => writeln!(out, "{}, {}: nothing serves", plugin.name, plugin.state)?,
    }
    let serves = plugin
        .serving
        .as_ref()
        .map(|serving| serving.digest.as_str());
    let earlier = plugin
        .versions
        .iter()
        .rev()
        .filter(|digest| Some(digest.as_str()) != serves);
    list(
        out,
        "kept",
        &earlier
            .map(|digest| short(digest).to_owned())
            .collect::<Vec<_>>(),
    )?;
    if let Some(reason) = &plugin.reason {
        writeln!(out, "\n{}: {}", plugin.state, clean(reason))?;
    }
    if plugin.state == "quarantined" {
        let name = &plugin.name;
        writeln!(
            out,
            "A better file ends that, or the same one put there again: polity plugin install {name}.wasm --name {name}"
        )?;
    }
    if !plugin.unmet.is_empty() {
        writeln!(
            out,
            "\npending: it waits for a grant; see: polity plugin grant {}",
            plugin.name
        )?;
    }
    Ok(())
}

fn line(out: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "  {name:<8}{}", one_line(value))
}

fn list(out: &mut dyn Write, name: &str, values: &[String]) -> io::Result<()> {
    if values.is_empty() {
        Ok(())
    } else {
        line(out, name, &values.join(", "))
    }
}
