//! The commit that a folder was checked out at, read from git's own files. Spawning `git` would make loading depend on
//! a program that a server often lacks, and would run whatever the folder's git configuration tells it to.

use std::fs;
use std::path::{Path, PathBuf};

/// The commit that HEAD of the enclosing work tree points to. `None` outside a work tree, before the first commit, and
/// where git stores references in a way other than files.
pub(crate) fn head_commit(folder: &Path) -> Option<String> {
    let folder = fs::canonicalize(folder).ok()?;
    let git_dir = folder.ancestors().find_map(git_dir_of)?;
    let head = read_short(&git_dir.join("HEAD"))?;
    let Some(reference) = head.strip_prefix("ref: ") else {
        return object_id(&head);
    };
    if !reference.starts_with("refs/") || reference.split('/').any(|part| part == "..") {
        return None;
    }
    // Branches of a linked work tree live in the main repository's folder.
    let common = read_short(&git_dir.join("commondir"))
        .map_or_else(|| git_dir.clone(), |relative| git_dir.join(relative));
    read_short(&common.join(reference))
        .and_then(|id| object_id(&id))
        .or_else(|| packed(&common, reference))
}

fn git_dir_of(folder: &Path) -> Option<PathBuf> {
    let entry = folder.join(".git");
    if entry.is_dir() {
        return Some(entry);
    }
    // A linked work tree or a submodule.
    read_short(&entry)?
        .strip_prefix("gitdir: ")
        .map(|target| folder.join(target))
}

fn packed(common: &Path, reference: &str) -> Option<String> {
    fs::read_to_string(common.join("packed-refs"))
        .ok()?
        .lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(_, name)| *name == reference)
        .and_then(|(id, _)| object_id(id))
}

fn read_short(path: &Path) -> Option<String> {
    fs::read_to_string(path)
        .ok()
        .map(|text| text.trim_end().to_owned())
}

fn object_id(text: &str) -> Option<String> {
    let is_id = matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit());
    is_id.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_branch_is_followed_to_its_commit_from_a_folder_below() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), ".git/HEAD", "ref: refs/heads/main\n");
        write(root.path(), ".git/refs/heads/main", &format!("{ID}\n"));
        write(root.path(), "company/charter.json", "{}");
        assert_eq!(
            head_commit(&root.path().join("company")).as_deref(),
            Some(ID)
        );
    }

    #[test]
    fn a_packed_branch_and_a_detached_head_are_read_too() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), ".git/HEAD", "ref: refs/heads/main\n");
        write(
            root.path(),
            ".git/packed-refs",
            &format!("# pack-refs\n{ID} refs/heads/main\n"),
        );
        assert_eq!(head_commit(root.path()).as_deref(), Some(ID));
        write(root.path(), ".git/HEAD", ID);
        assert_eq!(head_commit(root.path()).as_deref(), Some(ID));
    }

    #[test]
    fn a_linked_work_tree_finds_its_branch_in_the_main_repository() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "main/.git/refs/heads/topic", ID);
        write(
            root.path(),
            "main/.git/worktrees/topic/HEAD",
            "ref: refs/heads/topic",
        );
        write(
            root.path(),
            "main/.git/worktrees/topic/commondir",
            "../..\n",
        );
        write(
            root.path(),
            "topic/.git",
            "gitdir: ../main/.git/worktrees/topic\n",
        );
        assert_eq!(head_commit(&root.path().join("topic")).as_deref(), Some(ID));
    }

    #[test]
    fn what_is_no_commit_is_left_out() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), ".git/HEAD", "ref: refs/heads/unborn\n");
        assert_eq!(head_commit(root.path()), None);
        write(root.path(), ".git/HEAD", "ref: refs/../../secret\n");
        write(root.path(), "secret", ID);
        assert_eq!(head_commit(root.path()), None);
        write(root.path(), ".git/HEAD", "not a commit");
        assert_eq!(head_commit(root.path()), None);
    }
}
