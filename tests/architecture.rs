//! The house stands as it was drawn: dependencies point down, and rooms on one floor do not know each other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Crate and place, floor first. A crate may use what lies lower; within a room of several crates, what lies on a lower
/// step.
const PLACES: [(&str, u8, &str, u8); 22] = [
    ("polity", 4, "polity", 0),
    ("polity-kernel", 3, "kernel", 0),
    ("polity-amend", 2, "constitution", 4),
    ("polity-constitution", 2, "constitution", 3),
    ("polity-document", 2, "constitution", 0),
    ("polity-repository", 2, "constitution", 1),
    ("polity-lint", 2, "constitution", 2),
    ("polity-tables", 2, "constitution", 1),
    ("polity-workflow", 2, "constitution", 1),
    ("polity-dispatch", 2, "router", 1),
    ("polity-router", 2, "router", 1),
    ("polity-database", 2, "database", 3),
    ("polity-engine", 2, "database", 1),
    ("polity-evolve", 2, "database", 1),
    ("polity-watch", 2, "database", 1),
    ("polity-simulate", 2, "database", 2),
    ("polity-inbox", 2, "inbox", 0),
    ("polity-ledger", 1, "ledger", 0),
    ("polity-runtime", 1, "runtime", 0),
    ("polity-canonical", 0, "canonical", 0),
    ("polity-sdk", 0, "plugins", 0),
    ("polity-plugins", 0, "plugins", 0),
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

/// The folders of all crates of the host; a room may hold several.
fn crates() -> Vec<PathBuf> {
    fn look(folder: &Path, found: &mut Vec<PathBuf>) {
        if folder.join("Cargo.toml").exists() {
            found.push(folder.to_owned());
        }
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_own_code = ["src", "tests", "examples", "schemas", "assets"]
                .iter()
                .any(|own| path.ends_with(own));
            if path.is_dir() && !is_own_code {
                look(&path, found);
            }
        }
    }
    let mut found = Vec::new();
    look(&root().join("host"), &mut found);
    found
}

#[test]
fn dependencies_point_down() {
    let places: BTreeMap<&str, (u8, &str, u8)> = PLACES
        .into_iter()
        .map(|(name, floor, room, step)| (name, (floor, room, step)))
        .collect();
    for folder in crates() {
        let manifest = manifest(&folder);
        let name = manifest["package"]["name"].as_str().unwrap();
        let (floor, room, step) = *places
            .get(name)
            .unwrap_or_else(|| panic!("{name} has no place: add it to the list"));
        for dependency in manifest["dependencies"].as_table().unwrap().keys() {
            if let Some((below, other, lower)) = places.get(dependency.as_str()).copied() {
                assert!(
                    below < floor || (other == room && lower < step),
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
fn unsafe_code_stands_where_compiled_code_is_loaded_and_in_the_guests_allocator() {
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
    let known = [
        "host/runtime/src/compile_cache.rs",
        "plugins/sdk/src/blocks.rs",
        "plugins/sdk/src/heap.rs",
    ];
    assert_eq!(with_unsafe, known);
}

#[test]
fn every_crate_but_the_one_that_loads_compiled_code_forbids_unsafe() {
    for folder in crates() {
        let source = folder.join("src");
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
