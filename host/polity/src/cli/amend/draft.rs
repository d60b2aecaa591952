//! Where an amendment is written, and what it would make of the constitution.

use std::fs;
use std::path::{Path, PathBuf};

use polity_constitution::Constitution;
use polity_repository::{Repository, branch_fault};
use tempfile::TempDir;

use crate::cli::Context;
use crate::cli::place::Place;
use crate::cli::report::Report;

/// In the data folder.
const FOLDER: &str = "amendments";

/// An amendment's place on this machine.
pub(super) struct Draft {
    pub(super) name: String,
    /// The branch's files.
    pub(super) files: PathBuf,
    /// The company's folder among them.
    pub(super) company: PathBuf,
}

/// The constitution in force as the folder has it, and the proposed one.
pub(super) struct Pair {
    pub(super) before: Constitution,
    pub(super) after: Constitution,
    /// Folders with both, for their recorded cases.
    pub(super) folders: (PathBuf, PathBuf),
    _kept: Option<TempDir>,
}

/// The branch of an amendment.
pub(super) fn branch_of(name: &str) -> String {
    format!("amend/{name}")
}

/// Where an amendment is, or would be, written.
pub(super) fn place_of(place: &Place, name: &str) -> PathBuf {
    place.data.join(FOLDER).join(name)
}

/// The title that was given when it was begun.
pub(super) fn title_file(place: &Place, name: &str) -> PathBuf {
    place.data.join(FOLDER).join(format!("{name}.title"))
}

/// The amendment that is meant: the named one, or the only one that is being written here.
pub(super) fn find(place: &Place, name: Option<&str>) -> Result<Option<Draft>, Report> {
    let name = match name {
        Some(name) => name.to_owned(),
        None => only(place)?,
    };
    if let Some(fault) =
        branch_fault(&name).or_else(|| name.contains('/').then_some("it has no '/'"))
    {
        return Err(Report::usage(format!(
            "{name:?} is no name for an amendment: {fault}"
        )));
    }
    let files = place_of(place, &name);
    if !files.is_dir() {
        return Ok(None);
    }
    let repository = Repository::of_folder(&files).map_err(failed)?;
    let company = files.join(repository_prefix(place)?);
    drop(repository);
    Ok(Some(Draft {
        name,
        files,
        company,
    }))
}

/// The company's folder as seen from the root of its repository.
fn repository_prefix(place: &Place) -> Result<PathBuf, Report> {
    let repository = Repository::of_folder(&place.company).map_err(failed)?;
    Ok(PathBuf::from(repository.prefix().trim_end_matches('/')))
}

fn only(place: &Place) -> Result<String, Report> {
    let entries = fs::read_dir(place.data.join(FOLDER))
        .into_iter()
        .flatten()
        .flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    match names.as_slice() {
        [name] => Ok(name.clone()),
        [] => Err(Report::usage("no amendment is being written here")
            .hint("begin one: polity amend new 'Raise the refund limit'")
            .hint("or name one")),
        _ => Err(Report::usage("several amendments are being written here")
            .hint(format!("name one of {}", names.join(", ")))),
    }
}

/// What a draft, or a branch that has none, makes of the constitution.
pub(super) fn pair(
    context: &Context,
    name: Option<&str>,
    branch: Option<&str>,
) -> Result<(String, Pair), Report> {
    let place = context.common.place.resolve()?;
    let before = load(&place.company, "the constitution in force")?;
    let draft = match branch {
        Some(_) => None,
        None => find(&place, name)?,
    };
    if let Some(draft) = draft {
        let after = load(&draft.company, "the amendment")?;
        let pair = Pair {
            before,
            after,
            folders: (place.company, draft.company),
            _kept: None,
        };
        return Ok((draft.name, pair));
    }
    let name = name.unwrap_or_default().to_owned();
    let branch = branch.map_or_else(|| branch_of(&name), str::to_owned);
    let repository = Repository::of_folder(&place.company).map_err(failed)?;
    let head = repository.head().map_err(failed)?;
    let commit = repository.commit_of(&branch).map_err(failed)?;
    let tree = repository
        .merged_tree(&head.commit, &commit)
        .map_err(failed)?;
    let kept = tempfile::tempdir()
        .map_err(|error| Report::new("a folder for the branch cannot be made").because(error))?;
    let unusable = repository.write_out(&tree, kept.path()).map_err(failed)?;
    if let Some(first) = unusable.first() {
        return Err(Report::new(format!(
            "{} in the branch {branch} cannot be used",
            first.path
        ))
        .because(&first.why));
    }
    let after = load(kept.path(), "the amendment")?;
    let pair = Pair {
        before,
        after,
        folders: (place.company, kept.path().to_owned()),
        _kept: Some(kept),
    };
    Ok((if name.is_empty() { branch } else { name }, pair))
}

fn load(folder: &Path, what: &str) -> Result<Constitution, Report> {
    Constitution::load(folder).map_err(|problems| {
        Report::new(format!("{what} cannot be read"))
            .because(problems)
            .hint(format!(
                "see all of it with its lines: polity lint --company {}",
                folder.display()
            ))
    })
}

/// git's own words, and what to do.
pub(super) fn failed(error: polity_repository::GitError) -> Report {
    Report::new(error.to_string())
}
