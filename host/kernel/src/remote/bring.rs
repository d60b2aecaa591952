//! From a commit of a remote to documents in the company's folder.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use polity_constitution::{Constitution, Version};
use polity_repository::{FILES, Remote, Repository, SHELVES};

use super::PullError;
use crate::Settings;
use crate::amendments::{AmendmentError, documents_of};

/// The mirror, in the data folder.
const MIRROR: &str = "constitution.git";
/// Documents about to be copied.
const STAGING: &str = "constitution.staging";
/// Documents that are complete, and are being copied.
const READY: &str = "constitution.ready";
/// Which version lies in the company's folder.
const DEPLOYED: &str = "constitution.deployed.json";

/// A commit, ready to be copied.
pub(crate) struct Brought {
    pub(crate) constitution: Constitution,
}

/// What a remote holds now, read and checked; none where it is what lies in the folder. Nothing is changed.
pub(crate) fn fetch(data: &Path, remote: &Remote) -> Result<Option<Brought>, PullError> {
    let mirror = Repository::mirror(data.join(MIRROR))?;
    let commit = mirror.fetch(remote)?;
    if deployed(data).is_some_and(|known| known.commit.as_deref() == Some(&commit)) {
        return Ok(None);
    }
    stage(data, &mirror.with_company(&commit)?, &commit).map(Some)
}

/// Reads and checks the documents of a commit, and puts them beside the folder, ready to be copied.
pub(crate) fn stage(data: &Path, mirror: &Repository, commit: &str) -> Result<Brought, PullError> {
    let staging = data.join(STAGING);
    clear(&staging)?;
    let constitution = documents_of(mirror, commit, &staging).map_err(|error| match error {
        AmendmentError::Problems(problems) => PullError::Problems(problems),
        AmendmentError::Git(error) => PullError::Git(error),
        error => PullError::Failed(error.to_string()),
    })?;
    Ok(Brought {
        constitution: constitution.at_commit(Some(commit.to_owned())),
    })
}

/// Copies what was staged into the company's folder. To be called by one at a time, while nobody reads the folder.
pub(crate) fn deploy(company: &Path, data: &Path, version: &Version) -> Result<(), PullError> {
    let (staging, ready) = (data.join(STAGING), data.join(READY));
    clear(&ready)?;
    let version =
        serde_json::to_vec(version).map_err(|error| PullError::Failed(error.to_string()))?;
    let note = staging.join(DEPLOYED);
    fs::write(&note, version).map_err(at(&note))?;
    fs::rename(&staging, &ready).map_err(at(&ready))?;
    finish(company, data)
}

/// Before a host reads its folder: a copy that was broken off is brought to its end, and a folder without a company gets
/// one. A remote that does not answer is no reason not to start with what is there.
pub(crate) fn at_start(company: &Path, data: &Path, remote: &Remote) -> Result<(), PullError> {
    fs::create_dir_all(company).map_err(at(company))?;
    fs::create_dir_all(data).map_err(at(data))?;
    finish(company, data)?;
    let has_company = company.join(FILES[0]).is_file();
    match fetch(data, remote) {
        Ok(None) => Ok(()),
        Ok(Some(brought)) => deploy(company, data, brought.constitution.version()),
        Err(error) if has_company => {
            tracing::warn!(%error, "the constitution's remote gives nothing to start with; the folder's is in force");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// The same constitution with the commit that it came by, where the remote's documents lie in the folder as they came.
pub(crate) fn known(constitution: Constitution, settings: &Settings) -> Constitution {
    if settings.remote.is_none() {
        return constitution;
    }
    let commit = deployed(&settings.data)
        .filter(|version| version.digest == constitution.version().digest)
        .and_then(|version| version.commit);
    constitution.at_commit(commit)
}

/// Which version of the remote was copied into the folder last.
pub(crate) fn deployed(data: &Path) -> Option<Version> {
    serde_json::from_slice(&fs::read(data.join(DEPLOYED)).ok()?).ok()
}

fn finish(company: &Path, data: &Path) -> Result<(), PullError> {
    let ready = data.join(READY);
    if !ready.is_dir() {
        return Ok(());
    }
    for shelf in SHELVES {
        copy_shelf(&ready.join(shelf), &company.join(shelf))?;
    }
    for file in FILES {
        let (from, to) = (ready.join(file), company.join(file));
        if from.is_file() {
            replace(&from, &to)?;
        } else {
            remove(&to)?;
        }
    }
    replace(&ready.join(DEPLOYED), &data.join(DEPLOYED))?;
    clear(&ready)
}

/// Makes a folder hold what another one holds. Hidden files are an editor's, and nobody's documents.
fn copy_shelf(from: &Path, to: &Path) -> Result<(), PullError> {
    let wanted: BTreeSet<_> = names(from)?.into_iter().collect();
    if !wanted.is_empty() {
        fs::create_dir_all(to).map_err(at(to))?;
    }
    for name in names(to)? {
        let is_hidden = name.to_string_lossy().starts_with('.');
        if !wanted.contains(&name) && !is_hidden {
            remove(&to.join(name))?;
        }
    }
    for name in &wanted {
        replace(&from.join(name), &to.join(name))?;
    }
    Ok(())
}

fn names(folder: &Path) -> Result<Vec<std::ffi::OsString>, PullError> {
    match fs::read_dir(folder) {
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<io::Result<_>>()
            .map_err(at(folder)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(at(folder)(error)),
    }
}

/// Whole or not at all, and not at all where it is the same.
fn replace(from: &Path, to: &Path) -> Result<(), PullError> {
    let new = fs::read(from).map_err(at(from))?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    let name = to
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let beside = to.with_file_name(format!(".{name}.polity"));
    fs::write(&beside, new).map_err(at(&beside))?;
    fs::rename(&beside, to).map_err(at(to))
}

fn remove(path: &Path) -> Result<(), PullError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

fn clear(folder: &Path) -> Result<(), PullError> {
    remove(folder)
}

fn at(path: &Path) -> impl Fn(io::Error) -> PullError + use<> {
    let path: PathBuf = path.to_owned();
    move |source| PullError::Folder {
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_was_broken_off_is_brought_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let (company, data) = (folder.path().join("company"), folder.path().join("data"));
        let ready = data.join(READY);
        for (path, text) in [
            (ready.join("charter.json"), "new"),
            (ready.join("rules/a.json"), "new"),
            (ready.join(DEPLOYED), r#"{"digest": "d", "commit": "c"}"#),
            (company.join("charter.json"), "old"),
            (company.join("models.json"), "old"),
            (company.join("rules/b.json"), "old"),
            (company.join("rules/.a.json.swp"), "an editor's"),
            (company.join("plugins/x.wasm"), "not a document"),
        ] {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        finish(&company, &data).unwrap();
        assert_eq!(
            fs::read_to_string(company.join("charter.json")).unwrap(),
            "new"
        );
        assert_eq!(
            fs::read_to_string(company.join("rules/a.json")).unwrap(),
            "new"
        );
        assert!(!company.join("rules/b.json").exists() && !company.join("models.json").exists());
        assert!(
            company.join("rules/.a.json.swp").exists() && company.join("plugins/x.wasm").exists()
        );
        assert_eq!(deployed(&data).unwrap().commit.as_deref(), Some("c"));
        assert!(!ready.exists());
        finish(&company, &data).unwrap();
    }
}
