//! What arrives from a remote is somebody else's.

mod house;

use std::fs;

use house::{House, git, out};
use polity_repository::{GitError, Remote, Repository};

struct Site {
    house: House,
    _data: tempfile::TempDir,
    mirror: Repository,
    remote: Remote,
}

fn site() -> Site {
    let house = House::new();
    let data = tempfile::tempdir().unwrap();
    Site {
        mirror: Repository::mirror(data.path().join("constitution.git")).unwrap(),
        remote: Remote::new(house.path().to_str().unwrap(), "main").unwrap(),
        house,
        _data: data,
    }
}

#[test]
fn the_newest_commit_is_fetched_and_only_documents_are_written() {
    let site = site();
    let Site {
        house,
        mirror,
        remote,
        ..
    } = &site;
    house.write("plugins/evil.wasm", "x");
    house.write("notes.txt", "x");
    house.write("rules/deeper/x.json", "{}");
    let commit = house.commit("more");
    assert_eq!(mirror.fetch(remote).unwrap(), commit);
    let (_kept, into) = out();
    let mirror = mirror.clone().with_company(&commit).unwrap();
    assert!(mirror.write_out(&commit, &into).unwrap().is_empty());
    assert_eq!(
        fs::read_to_string(into.join("charter.json")).unwrap(),
        "{\"v\": 1}\n"
    );
    assert!(into.join("rules/a.json").is_file());
    // As an empty folder: that it stands in the wrong place is the reader's to say.
    assert!(into.join("rules/deeper").is_dir());
    assert!(!into.join("plugins").exists() && !into.join("notes.txt").exists());

    // A second push arrives too, however the branch was rewritten.
    house.write("charter.json", "{\"v\": 2}\n");
    house.git(&["commit", "-q", "-a", "--amend", "-m", "rewritten"]);
    let commit = house.git(&["rev-parse", "HEAD"]);
    assert_eq!(mirror.fetch(remote).unwrap(), commit);
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_and_a_submodule_are_told_and_lead_nowhere() {
    let site = site();
    let Site {
        house,
        mirror,
        remote,
        ..
    } = &site;
    std::os::unix::fs::symlink("/etc/passwd", house.path().join("rules/passwd.json")).unwrap();
    fs::remove_file(house.path().join("charter.json")).unwrap();
    std::os::unix::fs::symlink("../../../etc/hostname", house.path().join("charter.json")).unwrap();
    std::os::unix::fs::symlink("/etc", house.path().join("decisions")).unwrap();
    house.git(&["add", "-A"]);
    let own = house.git(&["rev-parse", "HEAD"]);
    house.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{own},rules/sub.json"),
    ]);
    house.write(
        ".gitmodules",
        "[submodule \"rules/sub.json\"]\n\tpath = rules/sub.json\n\turl = /elsewhere\n",
    );
    house.git(&["add", ".gitmodules"]);
    house.git(&["commit", "-q", "-m", "hostile"]);
    let commit = house.git(&["rev-parse", "HEAD"]);
    assert_eq!(mirror.fetch(remote).unwrap(), commit);
    let (_kept, into) = out();
    let unusable = mirror.write_out(&commit, &into).unwrap();
    let told: Vec<String> = unusable
        .iter()
        .map(|one| format!("{}: {}", one.path, one.why))
        .collect();
    assert_eq!(
        told,
        [
            "decisions: it is a symbolic link and has to be a folder",
            "charter.json: it is a symbolic link and has to be a plain file",
            "rules/passwd.json: it is a symbolic link and has to be a plain file",
            "rules/sub.json: it is a submodule and has to be a plain file",
        ]
    );
    assert!(!into.join("charter.json").exists() && !into.join("rules/passwd.json").exists());
    assert!(!into.join("decisions").exists());
}

#[test]
fn a_file_that_is_too_long_is_told_and_not_read() {
    let site = site();
    let Site {
        house,
        mirror,
        remote,
        ..
    } = &site;
    // A few kilobytes on the wire.
    house.write("rules/bomb.json", &" ".repeat(40 << 20));
    let commit = house.commit("bomb");
    mirror.fetch(remote).unwrap();
    let (_kept, into) = out();
    let unusable = mirror.write_out(&commit, &into).unwrap();
    assert_eq!(unusable.len(), 1);
    assert!(unusable[0].why.contains("at most 1048576"), "{unusable:?}");
    assert!(!into.join("rules/bomb.json").exists());
}

#[test]
fn filters_and_attributes_that_a_push_brings_do_nothing() {
    let site = site();
    let Site {
        house,
        mirror,
        remote,
        ..
    } = &site;
    house.write(
        ".gitattributes",
        "*.json filter=evil text eol=crlf working-tree-encoding=UTF-16\n",
    );
    house.git(&["config", "filter.evil.smudge", "sh -c 'exit 1'"]);
    house.git(&["config", "filter.evil.clean", "cat"]);
    house.git(&["add", ".gitattributes"]);
    house.git(&["commit", "-q", "-m", "attributes"]);
    let commit = house.git(&["rev-parse", "HEAD"]);
    mirror.fetch(remote).unwrap();
    let (_kept, into) = out();
    assert!(mirror.write_out(&commit, &into).unwrap().is_empty());
    assert_eq!(
        fs::read_to_string(into.join("charter.json")).unwrap(),
        "{\"v\": 1}\n"
    );
}

#[test]
fn a_remote_that_is_not_there_or_lacks_the_branch_is_said() {
    let site = site();
    let Site { house, mirror, .. } = &site;
    let gone = Remote::new("/nowhere/at/all.git", "main").unwrap();
    let said = mirror.fetch(&gone).unwrap_err().to_string();
    assert!(said.contains("/nowhere/at/all.git"), "{said}");
    let branch = Remote::new(house.path().to_str().unwrap(), "other").unwrap();
    let said = mirror.fetch(&branch).unwrap_err();
    assert!(matches!(said, GitError::Failed { .. }), "{said}");
    assert!(said.to_string().contains("other"), "{said}");
}

#[test]
fn a_company_in_a_folder_of_the_repository_is_found() {
    let house = House::new();
    house.git(&["rm", "-q", "-r", "."]);
    house.write("protocols/charter.json", "{}");
    house.write("src/main.rs", "fn main() {}");
    let commit = house.commit("moved");
    let data = tempfile::tempdir().unwrap();
    let mirror = Repository::mirror(data.path().join("m.git")).unwrap();
    mirror
        .fetch(&Remote::new(house.path().to_str().unwrap(), "main").unwrap())
        .unwrap();
    let mirror = mirror.with_company(&commit).unwrap();
    assert_eq!(mirror.prefix(), "protocols/");
    let (_kept, into) = out();
    mirror.write_out(&commit, &into).unwrap();
    assert!(into.join("charter.json").is_file());
    // A repository without any is no company.
    git(house.path(), &["rm", "-q", "protocols/charter.json"]);
    let empty = house.commit("gone");
    mirror
        .fetch(&Remote::new(house.path().to_str().unwrap(), "main").unwrap())
        .unwrap();
    assert!(mirror.with_company(&empty).is_err());
}

#[test]
fn a_push_that_is_too_large_is_broken_off_and_leaves_nothing_in_the_way() {
    let site = site();
    let Site {
        house,
        mirror,
        remote,
        ..
    } = &site;
    let first = mirror.fetch(remote).unwrap();
    // Bytes that cannot be packed.
    let mut state = 1_u64;
    let noise: String = (0..8 << 20)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b' ' + u8::try_from((state >> 40) % 90).unwrap())
        })
        .collect();
    house.write("notes.md", &noise);
    house.commit("noise");
    let small = mirror.clone().at_most(1 << 20);
    // A fast machine may be through before it is looked at; then it is told the next time.
    let refused = small.fetch(remote).and_then(|_| small.fetch(remote));
    assert!(refused.is_err() || mirror.fetch(remote).is_ok());
    if let Err(error) = refused {
        assert!(matches!(error, GitError::TooMuch { .. }), "{error}");
    }
    // It can be had again, and what was there before can too.
    house.git(&["reset", "-q", "--hard", &first]);
    let again = Repository::mirror(mirror.folder()).unwrap();
    assert_eq!(again.fetch(remote).unwrap(), first);
}
