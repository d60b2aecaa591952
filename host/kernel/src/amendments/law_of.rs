//! The constitution that stands in a tree of a repository. Its documents are written to a folder of their own and read
//! from there, by the same code that reads a company's folder: what it refuses there it refuses here.

use std::path::Path;

use polity_constitution::{Constitution, Problem, Problems};
use polity_repository::{GitError, Repository};

use super::AmendmentError;
use crate::constitution_store as store;

/// Reads the constitution of a commit or tree.
pub(crate) fn read(
    repository: &Repository,
    tree: &str,
    commit: Option<String>,
) -> Result<Constitution, AmendmentError> {
    let folder = tempfile::Builder::new()
        .prefix("polity-amendment-")
        .tempdir()
        .map_err(|source| GitError::File {
            path: std::env::temp_dir(),
            source,
        })?;
    Ok(documents_of(repository, tree, folder.path())?.at_commit(commit))
}

/// Writes the documents of a commit or tree into a folder, and reads them from there.
pub(crate) fn documents_of(
    repository: &Repository,
    tree: &str,
    folder: &Path,
) -> Result<Constitution, AmendmentError> {
    let unusable = repository.write_out(tree, folder)?;
    let refused: Vec<Problem> = unusable
        .into_iter()
        .map(|unusable| Problem {
            code: "unusable".to_owned(),
            file: unusable.path,
            line: 0,
            column: 0,
            pointer: String::new(),
            message: unusable.why,
            fix: "put a plain text file of at most 1 MiB in its place, or remove it".to_owned(),
        })
        .collect();
    if !refused.is_empty() {
        return Err(Problems {
            folder: None,
            list: refused,
        }
        .into());
    }
    let (constitution, _) = store::load(folder).map_err(|problems| Problems {
        // The folder has gone by the time that somebody reads this.
        folder: None,
        ..problems
    })?;
    Ok(constitution)
}
