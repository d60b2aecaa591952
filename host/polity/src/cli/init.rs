//! `polity init`: a company of one's own to start from, complete and running, out of the binary alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::bundled;
use super::exit::Exit;
use super::files::{Readers, write_whole};
use super::invocation;
use super::out::{Out, say};
use super::place::DATA;
use super::report::Report;
use super::text::count;

/// The example company's files, by their path in its folder.
const COMPANY: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/company.rs"));

/// Write a complete example company to start from.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity init my-company
  polity up --company my-company")]
pub(crate) struct InitArgs {
    /// The folder to write; made if it does not exist.
    dir: PathBuf,

    /// Write into a folder that is not empty; files that exist stay as they are.
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
struct Written<'a> {
    folder: &'a Path,
    written: Vec<&'a str>,
    kept: Vec<&'a str>,
    plugins: Vec<&'static str>,
}

pub(crate) fn run(args: &InitArgs, out: Out) -> Result<Exit, Report> {
    if !args.force && !is_empty(&args.dir)? {
        return Err(Report::new(format!("{} is not empty", args.dir.display()))
            .hint("choose another folder")
            .hint("or add what is missing there, changing nothing that exists: --force"));
    }
    let failed = |error: io::Error| {
        Report::new(format!(
            "the company cannot be written to {}",
            args.dir.display()
        ))
        .because(error)
    };
    let mut done = Written {
        folder: &args.dir,
        written: Vec::new(),
        kept: Vec::new(),
        plugins: Vec::new(),
    };
    for (name, bytes) in COMPANY {
        let path = args.dir.join(name);
        if path.exists() {
            done.kept.push(name);
            continue;
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        write_whole(&path, bytes, Readers::Anyone).map_err(failed)?;
        done.written.push(name);
    }
    let is_new = !args.dir.join(DATA).exists();
    done.plugins = bundled::seed(&args.dir.join("plugins"), is_new)?.added;
    out.show(&done, |out| {
        for name in &done.written {
            writeln!(out, "{}", args.dir.join(name).display())?;
        }
        for name in &done.plugins {
            writeln!(
                out,
                "{}",
                args.dir
                    .join("plugins")
                    .join(format!("{name}.wasm"))
                    .display()
            )?;
        }
        Ok(())
    })?;
    let files = count((done.written.len() + done.plugins.len()) as u64, "file");
    say(format_args!(
        "{files} written. Start the company: {} up --company {}",
        invocation::program(),
        args.dir.display()
    ));
    if !done.kept.is_empty() {
        say(format_args!("Kept as they were: {}", done.kept.join(", ")));
    }
    Ok(Exit::Ok)
}

fn is_empty(folder: &Path) -> Result<bool, Report> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => {
            Err(Report::new(format!("{} cannot be used", folder.display())).because(error))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn files(folder: &Path, prefix: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if (name.starts_with('.') && name != ".gitignore") || name.ends_with(".wasm") {
                continue;
            }
            if entry.path().is_dir() {
                found.extend(files(&entry.path(), &format!("{prefix}{name}/")));
            } else {
                found.insert(format!("{prefix}{name}"));
            }
        }
        found
    }

    #[test]
    fn every_file_of_the_example_company_is_embedded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../protocols");
        let embedded: BTreeSet<_> = COMPANY.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(
            embedded,
            files(&folder, ""),
            "touch host/polity/build/main.rs and build again"
        );
        assert!(embedded.contains("charter.json"));
    }

    #[test]
    fn the_company_that_is_written_is_valid_and_a_second_time_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("company");
        let args = |force| InitArgs {
            dir: dir.clone(),
            force,
        };
        let out = Out { json: true };
        run(&args(false), out).unwrap();
        polity_constitution::Constitution::load(&dir).unwrap();

        assert!(run(&args(false), out).is_err());
        fs::write(dir.join("charter.json"), "mine").unwrap();
        fs::remove_file(dir.join("README.md")).unwrap();
        run(&args(true), out).unwrap();
        assert_eq!(fs::read(dir.join("charter.json")).unwrap(), b"mine");
        assert!(dir.join("README.md").exists());
    }
}
