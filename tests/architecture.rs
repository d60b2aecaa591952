//! The house stands as it was drawn: dependencies point down, and rooms on one floor do not know each other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Crate and floor. A crate may use what lies on a lower floor.
const FLOORS: [(&str, u8); 6] = [
    ("polity", 4),
    ("polity-kernel", 3),
    ("polity-constitution", 2),
    ("polity-inbox", 2),
    ("polity-ledger", 1),
    ("polity-runtime", 1),
];

/// Longest source file without a reason of its own.
const MAX_LINES: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

fn manifest(folder: &Path) -> toml::Table {
    fs::read_to_string(folder.join("Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().unwrap() != "target" {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn dependencies_point_down() {
    let floors: BTreeMap<&str, u8> = FLOORS.into();
    for room in fs::read_dir(root().join("host")).unwrap() {
        let manifest = manifest(&room.unwrap().path());
        let name = manifest["package"]["name"].as_str().unwrap();
        let floor = floors
            .get(name)
            .unwrap_or_else(|| panic!("{name} has no floor: add it to the list"));
        for dependency in manifest["dependencies"].as_table().unwrap().keys() {
            if let Some(below) = floors.get(dependency.as_str()) {
                assert!(
                    below < floor,
                    "{name} on floor {floor} uses {dependency} on floor {below}"
                );
            }
        }
    }
}

#[test]
fn the_runtime_knows_nothing_of_business() {
    let manifest = manifest(&root().join("host/runtime"));
    let known: Vec<&String> = manifest["dependencies"]
        .as_table()
        .unwrap()
        .keys()
        .collect();
    assert!(
        !known.iter().any(|name| name.starts_with("polity-")),
        "{known:?}"
    );
}

#[test]
fn unsafe_code_stands_in_one_file() {
    let mut files = Vec::new();
    sources(&root().join("host"), &mut files);
    sources(&root().join("plugins"), &mut files);
    let with_unsafe: Vec<String> = files
        .iter()
        .filter(|path| {
            let text = fs::read_to_string(path).unwrap();
            text.lines().any(|line| {
                line.trim_start().starts_with("unsafe {") || line.contains("= unsafe {")
            })
        })
        .map(|path| path.strip_prefix(root()).unwrap().display().to_string())
        .collect();
    assert_eq!(with_unsafe, ["host/runtime/src/compile_cache.rs"]);
}

#[test]
fn every_crate_but_the_one_that_loads_compiled_code_forbids_unsafe() {
    for room in fs::read_dir(root().join("host")).unwrap() {
        let source = room.unwrap().path().join("src");
        let main = if source.join("lib.rs").exists() {
            "lib.rs"
        } else {
            "main.rs"
        };
        let text = fs::read_to_string(source.join(main)).unwrap();
        let allowed = if source.ends_with("runtime/src") {
            "#![deny(unsafe_code)]"
        } else {
            "#![forbid(unsafe_code)]"
        };
        assert!(
            text.contains(allowed),
            "{} lacks {allowed}",
            source.display()
        );
    }
}

#[test]
fn every_file_fits_in_a_head() {
    let mut files = Vec::new();
    for part in ["host", "plugins", "tests/support", "tests/guests"] {
        sources(&root().join(part), &mut files);
    }
    // A list of black-box tests is read one by one; everything else is read as a whole.
    files.retain(|path| {
        !path
            .parent()
            .is_some_and(|folder| folder.ends_with("tests"))
    });
    let long: Vec<String> = files
        .iter()
        .map(|path| (path, fs::read_to_string(path).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(path, lines)| {
            format!(
                "{} has {lines} lines",
                path.strip_prefix(root()).unwrap().display()
            )
        })
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}
