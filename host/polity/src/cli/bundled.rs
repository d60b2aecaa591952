//! The first-party plugins in a company's plugin folder: put there once, kept up to date while nobody touches them, and
//! never brought back against the operator's will.
//!
//! `.bundled.json` remembers for each of them which bytes were put there. From that and the file alone follows what
//! happened meanwhile: as it was put there, replaced by somebody, or taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use polity_plugins::{PLUGINS, Plugin};
use polity_runtime::digest::Digest;

use super::files::{Readers, write_whole};
use super::report::Report;

/// Lies in the plugin folder, so that the memory goes where the files go.
const RECORD: &str = ".bundled.json";

/// What was done to the folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seeded {
    /// Put there for the first time.
    pub(crate) added: Vec<&'static str>,
    /// Replaced by this version's.
    pub(crate) upgraded: Vec<&'static str>,
}

type Record = BTreeMap<String, Digest>;

/// The digests of the plugins in this binary, which need no signature.
pub(crate) fn digests() -> BTreeSet<Digest> {
    PLUGINS
        .iter()
        .map(|plugin| Digest::from_bytes(plugin.sha256))
        .collect()
}

/// Brings a plugin folder up to date with this binary. The folder is made if it does not exist. `is_new` says that no
/// host has run on it yet.
pub(crate) fn seed(folder: &Path, is_new: bool) -> Result<Seeded, Report> {
    seed_with(folder, PLUGINS, is_new).map_err(|error| {
        Report::new(format!(
            "the bundled plugins cannot be put into {}",
            folder.display()
        ))
        .because(error)
        .hint("make the folder writable, or leave them out: polity up --no-bundled")
    })
}

fn seed_with(folder: &Path, plugins: &[Plugin], is_new: bool) -> io::Result<Seeded> {
    fs::create_dir_all(folder)?;
    let record_file = folder.join(RECORD);
    let mut before = read_record(&record_file)?;
    let is_there = |name: &String| folder.join(format!("{name}.wasm")).exists();
    if is_new && !before.keys().any(is_there) {
        // Nobody took them away: the folder was copied without them, as version control does that ignores `*.wasm`.
        before.clear();
    }
    let mut record = before.clone();
    let mut seeded = Seeded::default();
    for plugin in plugins {
        let ours = Digest::from_bytes(plugin.sha256);
        let file = folder.join(format!("{}.wasm", plugin.name));
        let there = digest_of(&file)?;
        match (before.get(plugin.name), there) {
            // Never put there, and nobody has put another one there.
            (None, None) => {
                write_whole(&file, plugin.wasm, Readers::Anyone)?;
                seeded.added.push(plugin.name);
            }
            // As we left it, and we have a newer one. Whoever signed it meant these bytes and no others.
            (Some(put), Some(there))
                if *put == there && there != ours && !is_signed(folder, plugin.name) =>
            {
                write_whole(&file, plugin.wasm, Readers::Anyone)?;
                seeded.upgraded.push(plugin.name);
            }
            // Up to date by whatever way.
            (_, Some(there)) if there == ours => {}
            // Replaced or taken away: the operator's decision. Remembered, so that it stays one.
            (Some(_), _) => continue,
            (None, Some(_)) => {}
        }
        record.insert(plugin.name.to_owned(), ours);
    }
    if record != before {
        let text = serde_json::to_vec_pretty(&record)?;
        write_whole(&record_file, &text, Readers::Anyone)?;
    }
    Ok(seeded)
}

fn read_record(file: &Path) -> io::Result<Record> {
    match fs::read(file) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| {
            let place = file.display();
            io::Error::other(format!(
                "{place} does not read ({error}); delete it to have every bundled plugin again"
            ))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Record::new()),
        Err(error) => Err(error),
    }
}

fn digest_of(file: &Path) -> io::Result<Option<Digest>> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(Digest::of(&bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_signed(folder: &Path, name: &str) -> bool {
    folder.join(format!("{name}.wasm.minisig")).exists()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    static OLD: LazyLock<Vec<Plugin>> = LazyLock::new(|| of(&[("a", b"a1"), ("b", b"b1")]));
    static NEW: LazyLock<Vec<Plugin>> =
        LazyLock::new(|| of(&[("a", b"a2"), ("b", b"b2"), ("c", b"c1")]));

    fn of(plugins: &[(&'static str, &'static [u8])]) -> Vec<Plugin> {
        let plugin = |&(name, wasm): &(_, &'static [u8])| Plugin {
            name,
            wasm,
            sha256: *Digest::of(wasm).as_bytes(),
        };
        plugins.iter().map(plugin).collect()
    }

    fn seeded(plugins: &[Plugin]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        seed_with(folder.path(), plugins, false).unwrap();
        folder
    }

    fn read(folder: &tempfile::TempDir, name: &str) -> Option<Vec<u8>> {
        fs::read(folder.path().join(format!("{name}.wasm"))).ok()
    }

    #[test]
    fn an_empty_folder_gets_all_of_them_and_a_second_start_changes_nothing() {
        let folder = seeded(&[]);
        assert_eq!(
            seed_with(folder.path(), &OLD, false).unwrap().added,
            ["a", "b"]
        );
        assert_eq!(
            seed_with(folder.path(), &OLD, false).unwrap(),
            Seeded::default()
        );
        assert_eq!(read(&folder, "a").unwrap(), b"a1");
    }

    #[test]
    fn one_that_nobody_touched_is_upgraded_and_a_new_one_is_added() {
        let folder = seeded(&OLD);
        let seeded = seed_with(folder.path(), &NEW, false).unwrap();
        assert_eq!((seeded.added, seeded.upgraded), (vec!["c"], vec!["a", "b"]));
        assert_eq!(read(&folder, "a").unwrap(), b"a2");
    }

    #[test]
    fn one_that_was_deleted_stays_deleted() {
        let folder = seeded(&OLD);
        fs::remove_file(folder.path().join("a.wasm")).unwrap();
        for plugins in [&*OLD, &*NEW, &*NEW] {
            seed_with(folder.path(), plugins, false).unwrap();
            assert_eq!(read(&folder, "a"), None);
        }
    }

    #[test]
    fn a_folder_that_was_copied_without_them_gets_them_again() {
        let folder = seeded(&OLD);
        fs::remove_file(folder.path().join("a.wasm")).unwrap();
        assert_eq!(
            seed_with(folder.path(), &OLD, true).unwrap(),
            Seeded::default(),
            "one of them is there, so the other was taken away"
        );
        fs::remove_file(folder.path().join("b.wasm")).unwrap();
        assert_eq!(
            seed_with(folder.path(), &OLD, false).unwrap(),
            Seeded::default(),
            "a host ran here, so both were taken away"
        );
        let added = seed_with(folder.path(), &OLD, true).unwrap().added;
        assert_eq!(added, ["a", "b"]);
    }

    #[test]
    fn one_that_was_replaced_stays_as_it_is() {
        let folder = seeded(&OLD);
        fs::write(folder.path().join("a.wasm"), b"mine").unwrap();
        for plugins in [&*OLD, &*NEW, &*NEW] {
            seed_with(folder.path(), plugins, false).unwrap();
            assert_eq!(read(&folder, "a").unwrap(), b"mine");
        }
    }

    #[test]
    fn one_that_was_there_before_is_the_operators_own_even_after_it_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.wasm"), b"mine").unwrap();
        assert_eq!(seed_with(folder.path(), &OLD, false).unwrap().added, ["b"]);
        assert_eq!(read(&folder, "a").unwrap(), b"mine");
        fs::remove_file(folder.path().join("a.wasm")).unwrap();
        seed_with(folder.path(), &NEW, false).unwrap();
        assert_eq!(read(&folder, "a"), None);
    }

    #[test]
    fn one_that_was_brought_back_by_hand_is_looked_after_again() {
        let folder = seeded(&OLD);
        fs::write(folder.path().join("a.wasm"), b"a2").unwrap();
        seed_with(folder.path(), &NEW, false).unwrap();
        let newest = of(&[("a", b"a3")]);
        assert_eq!(
            seed_with(folder.path(), &newest, false).unwrap().upgraded,
            ["a"]
        );
    }

    #[test]
    fn one_that_the_operator_signed_is_not_replaced() {
        let folder = seeded(&OLD);
        fs::write(folder.path().join("a.wasm.minisig"), b"signature").unwrap();
        assert_eq!(
            seed_with(folder.path(), &NEW, false).unwrap().upgraded,
            ["b"]
        );
    }

    #[test]
    fn a_record_that_does_not_read_is_an_error_and_not_a_fresh_start() {
        let folder = seeded(&OLD);
        fs::write(folder.path().join(RECORD), b"{").unwrap();
        assert!(
            seed_with(folder.path(), &OLD, false)
                .unwrap_err()
                .to_string()
                .contains("delete it")
        );
    }
}
