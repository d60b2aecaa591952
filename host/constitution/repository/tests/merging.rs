//! Amendments in a repository that git itself has made.

mod house;

use house::{House, git};
use polity_repository::{GitError, Merge, Repository, SigningKey};

fn branch(house: &House) -> (Repository, String) {
    house.git(&["switch", "-q", "-c", "amend/limit"]);
    house.write("rules/a.json", "{\"limit\": 90,\n\n\n\n\"other\": 1}\n");
    let commit = house.commit("raise");
    house.git(&["switch", "-q", "main"]);
    (Repository::of_folder(house.path()).unwrap(), commit)
}

fn merge<'a>(
    head: &'a str,
    commit: &'a str,
    tree: &'a str,
    key: Option<&'a SigningKey>,
) -> Merge<'a> {
    Merge {
        onto: "main",
        base: head,
        commit,
        tree,
        tag: "amendment/limit",
        message: "Amendment: limit\n\nApproved-by: person:bob\n",
        key,
    }
}

#[test]
fn what_was_agreed_on_is_merged_with_its_files_and_a_tag_that_can_be_checked() {
    let house = House::new();
    let (repository, commit) = branch(&house);
    let head = repository.head().unwrap();
    assert_eq!(head.branch, "main");
    let tree = repository.merged_tree(&head.commit, &commit).unwrap();
    let keys = tempfile::tempdir().unwrap();
    let key = SigningKey::in_folder(keys.path());
    let merged = repository
        .merge(&merge(&head.commit, &commit, &tree, key.as_ref()))
        .unwrap();
    assert_eq!(merged.signed, key.is_some());
    assert!(house.read("rules/a.json").contains("90"));
    assert_eq!(house.git(&["status", "--porcelain"]), "");
    assert_eq!(house.git(&["rev-parse", "HEAD"]), merged.commit);
    assert_eq!(house.git(&["rev-parse", "HEAD^{tree}"]), tree);
    assert!(
        house
            .git(&["cat-file", "-p", "amendment/limit"])
            .contains("Approved-by: person:bob")
    );
    if let Some(key) = key {
        let allowed = keys.path().join("allowed");
        std::fs::write(&allowed, format!("polity@localhost {}\n", key.public())).unwrap();
        let setting = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
        git(
            house.path(),
            &["-c", &setting, "tag", "-v", "amendment/limit"],
        );
    }

    // Once more, as after a break in the middle.
    let again = repository
        .merge(&merge(&head.commit, &commit, &tree, None))
        .unwrap();
    assert_eq!(again.commit, merged.commit);

    // An operator's own git takes it back.
    house.git(&["revert", "--no-edit", "-m", "1", "HEAD"]);
    assert!(house.read("rules/a.json").contains("50"));
}

#[test]
fn a_merge_that_was_broken_off_is_brought_to_its_end() {
    let house = House::new();
    let (repository, commit) = branch(&house);
    let head = repository.head().unwrap();
    let tree = repository.merged_tree(&head.commit, &commit).unwrap();
    let made = repository
        .commit_tree(&tree, &[&head.commit, &commit], "Amendment")
        .unwrap();
    house.git(&["tag", "-a", "-m", "x", "amendment/limit", &made]);
    // The branch has moved and the files have not.
    house.git(&["update-ref", "refs/heads/main", &made]);
    let merged = repository
        .merge(&merge(&head.commit, &commit, &tree, None))
        .unwrap();
    assert_eq!(merged.commit, made);
    assert!(house.read("rules/a.json").contains("90"));
    assert_eq!(house.git(&["status", "--porcelain"]), "");
}

#[test]
fn files_that_were_changed_by_hand_stop_a_merge_before_anything_moves() {
    let house = House::new();
    let (repository, commit) = branch(&house);
    let head = repository.head().unwrap();
    let tree = repository.merged_tree(&head.commit, &commit).unwrap();
    house.write("rules/a.json", "{\"limit\": 7}\n");
    let refused = repository
        .merge(&merge(&head.commit, &commit, &tree, None))
        .unwrap_err();
    assert!(refused.to_string().contains("by hand"), "{refused}");
    assert_eq!(house.git(&["rev-parse", "main"]), head.commit);
    assert_eq!(house.read("rules/a.json"), "{\"limit\": 7}\n");
}

#[test]
fn a_branch_that_moved_on_and_lines_that_contradict_are_told_apart() {
    let house = House::new();
    let (repository, commit) = branch(&house);
    let head = repository.head().unwrap();
    let tree = repository.merged_tree(&head.commit, &commit).unwrap();
    house.write("rules/b.json", "{}\n");
    house.commit("something else");
    let refused = repository
        .merge(&merge(&head.commit, &commit, &tree, None))
        .unwrap_err();
    assert!(matches!(refused, GitError::Moved(_)), "{refused}");

    house.write("rules/a.json", "{\"limit\": 60,\n\n\n\n\"other\": 1}\n");
    let now = house.commit("the same line");
    let refused = repository.merged_tree(&now, &commit).unwrap_err();
    assert!(
        matches!(&refused, GitError::Conflict { paths, onto } if paths == &["rules/a.json"] && onto == "main"),
        "{refused}"
    );
}

#[test]
fn hooks_filters_and_settings_of_a_repository_run_nothing() {
    let house = House::new();
    let (repository, commit) = branch(&house);
    let owned = house.path().join("owned");
    for hook in [
        "reference-transaction",
        "post-checkout",
        "pre-commit",
        "commit-msg",
        "post-index-change",
    ] {
        let path = house.path().join(".git/hooks").join(hook);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\ntouch {}\n", owned.display())).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    std::fs::write(
        house.path().join(".git/config"),
        format!(
            "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tfsmonitor = \"touch {0}; false\"\n[user]\n\tname = A\n\temail = a@example.com\n",
            owned.display()
        ),
    )
    .unwrap();
    let head = repository.head().unwrap();
    let tree = repository.merged_tree(&head.commit, &commit).unwrap();
    repository
        .merge(&merge(&head.commit, &commit, &tree, None))
        .unwrap();
    let place = tempfile::tempdir().unwrap();
    let files = repository
        .add_worktree("amend/next", &place.path().join("next"))
        .unwrap();
    std::fs::write(files.join("rules/c.json"), "{}").unwrap();
    assert!(Repository::commit_documents(&files, "next").unwrap());
    assert!(!Repository::commit_documents(&files, "next").unwrap());
    assert!(!owned.exists(), "something was run");
}

#[test]
fn an_amendment_is_taken_back_by_a_tree_without_it() {
    let house = House::new();
    let (repository, commit) = branch(&house);
    let head = repository.head().unwrap();
    let tree = repository.merged_tree(&head.commit, &commit).unwrap();
    let merged = repository
        .merge(&merge(&head.commit, &commit, &tree, None))
        .unwrap();
    house.write("rules/b.json", "{}\n");
    let now = house.commit("later");
    let without = repository.tree_without(&now, &merged.commit).unwrap();
    let changed: Vec<String> = repository
        .changed(&now, &without)
        .unwrap()
        .into_iter()
        .map(|changed| changed.path)
        .collect();
    assert_eq!(changed, ["rules/a.json"]);
}
