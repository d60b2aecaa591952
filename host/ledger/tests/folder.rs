//! A ledger's folder: closed and opened again, in use, damaged.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use polity_ledger::{Commit, Event, Hash, Ledger, ManualClock, OpenError, Options, StoredEvent};
use serde_json::json;

const CHILD: &str = "POLITY_LEDGER_TEST_HOLDS";

fn try_open(folder: &Path) -> Result<Ledger, OpenError> {
    Ledger::open(Options::new(
        folder,
        Arc::new(ManualClock::new(1_700_000_000_000)),
    ))
}

fn fill(folder: &Path, events: u64) {
    let ledger = try_open(folder).unwrap();
    let before = ledger.head().unwrap().map_or(0, |(seq, _)| seq);
    for n in before + 1..=before + events {
        // Nothing that could be written shorter.
        let text: String = (0..n % 40 * 8)
            .map(|part| Hash::of(format!("{n}/{part}").as_bytes()).to_string())
            .collect();
        let event = Event::new(
            "a.b",
            "/test",
            format!("s/{}", n % 5),
            json!({ "n": n, "text": text }),
        );
        ledger
            .commit_relaxed(
                Commit::new()
                    .event(event)
                    .put(format!("n/{}", n % 100), n.to_string()),
            )
            .unwrap();
    }
}

fn snapshots(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("snap.")
        })
        .collect()
}

#[test]
fn what_was_committed_is_there_after_closing_and_opening() {
    let folder = tempfile::tempdir().unwrap();
    let nested = folder.path().join("made/when/needed");
    for round in 1..=5 {
        fill(&nested, 200);
        let ledger = try_open(&nested).unwrap();
        assert_eq!(ledger.verify(|_| ()).unwrap().events, round * 200);
        assert_eq!(
            ledger.get("n/0").unwrap().unwrap(),
            (round * 200).to_string().into_bytes()
        );
        assert_eq!(
            ledger.events_of("s/3", 0, 9999).unwrap().len() as u64,
            round * 40
        );
    }
}

#[test]
fn a_folder_that_is_open_in_this_process_is_not_opened_twice() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = try_open(folder.path()).unwrap();
    let again = try_open(folder.path()).unwrap_err();
    assert!(matches!(again, OpenError::Locked { .. }), "{again}");
    drop(ledger);
    assert!(try_open(folder.path()).is_ok());
}

/// Not a test of its own: it is run as a second process by the next one.
#[test]
fn child_that_holds_a_folder() {
    let Some(folder) = std::env::var_os(CHILD) else {
        return;
    };
    let _ledger = try_open(Path::new(&folder)).unwrap();
    println!("\nopen");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn a_second_process_is_told_in_plain_words_who_has_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child_that_holds_a_folder", "--exact", "--nocapture"])
        .env(CHILD, folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "open"));
    let error = try_open(folder.path()).unwrap_err();
    let expected = format!(
        "{} is in use by process {}: only one process may have a ledger open; stop the other one or choose another folder",
        folder.path().display(),
        child.id()
    );
    assert_eq!(error.to_string(), expected);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(try_open(folder.path()).is_ok());
}

#[test]
fn a_damaged_snapshot_is_moved_aside_and_nothing_is_lost() {
    type Damage = fn(&Path);
    let empty: Damage = |path| fs::write(path, b"").unwrap();
    let flip: Damage = |path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        fs::write(path, bytes).unwrap();
    };
    for damage in [empty, flip] {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), 3000);
        fill(folder.path(), 10);
        let found = snapshots(folder.path());
        assert!(!found.is_empty(), "sled keeps a snapshot");
        found.iter().for_each(|path| damage(path));
        let ledger = try_open(folder.path()).unwrap();
        assert_eq!(ledger.verify(|_| ()).unwrap().events, 3010);
        assert_eq!(ledger.scan("n/", None, 999).unwrap().len(), 100);
        assert_eq!(
            fs::read_dir(folder.path().join("repair")).unwrap().count(),
            found.len()
        );
        // And it can be written and opened as ever.
        drop(ledger);
        fill(folder.path(), 10);
        assert_eq!(
            try_open(folder.path())
                .unwrap()
                .verify(|_| ())
                .unwrap()
                .events,
            3020
        );
    }
}

#[test]
fn damage_in_the_log_is_reported_and_never_ends_the_process() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 3000);
    let length = fs::metadata(folder.path().join("db")).unwrap().len();
    assert!(length > 4 << 20);
    // Half of the file: a smaller piece can fall where nothing alive lies.
    let half = usize::try_from(length / 2).unwrap();
    let mut log = OpenOptions::new()
        .write(true)
        .open(folder.path().join("db"))
        .unwrap();
    log.seek(SeekFrom::Start(length / 4)).unwrap();
    log.write_all(&vec![0xa5; half]).unwrap();
    drop(log);
    match try_open(folder.path()) {
        Err(error) => assert!(
            error
                .to_string()
                .contains("restore the folder from a backup"),
            "{error}"
        ),
        Ok(ledger) => {
            let broken = ledger.verify(|_| ()).unwrap_err();
            assert!(broken.seq <= 3000, "{broken}");
        }
    }
}

#[test]
fn a_folder_that_lost_its_database_does_not_pass_for_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 20);
    fs::remove_file(folder.path().join("db")).unwrap();
    snapshots(folder.path())
        .iter()
        .for_each(|path| fs::remove_file(path).unwrap());
    for _ in 0..2 {
        let error = try_open(folder.path()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the ledger in {} is damaged: event 20, which had reached the disk, is gone; restore the folder from a \
                 backup, or, to go on with what is left, delete the file witness in it",
                folder.path().display()
            )
        );
    }
    fs::remove_file(folder.path().join("witness")).unwrap();
    fill(folder.path(), 3);
    assert_eq!(
        try_open(folder.path()).unwrap().head().unwrap().unwrap().0,
        3
    );
}

#[test]
fn a_witness_that_does_not_read_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 1);
    fs::write(folder.path().join("witness"), "gone\n").unwrap();
    let error = try_open(folder.path()).unwrap_err();
    assert!(
        error.to_string().contains("witness does not read"),
        "{error}"
    );
}

#[test]
fn a_folder_of_another_format_is_left_alone() {
    use polity_ledger::store::{Appended, Batch, SledStore, Store, Table, Write};
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 1);
    let store = SledStore::open(folder.path(), 8 << 20, 0).unwrap();
    let write = Write {
        table: Table::Meta,
        key: b"format".to_vec(),
        value: Some(b"9".to_vec()),
    };
    assert_eq!(
        store.append(Batch {
            writes: vec![write],
            ..Batch::default()
        }),
        Ok(Appended::Done)
    );
    drop(store);
    let error = try_open(folder.path()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the ledger has format \"9\", this version reads \"1\" to \"3\": use the version that wrote it"
    );
}

#[test]
fn a_folder_of_the_format_before_is_read_and_goes_on_in_the_new_one() {
    use polity_ledger::store::{Appended, Batch, SledStore, Store, Table, Write};
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 3);
    // As that format had it: a row of the index for each event, and none for a batch.
    let store = SledStore::open(folder.path(), 8 << 20, 0).unwrap();
    let row = |seq: u64| Write {
        table: Table::Kinds,
        key: [b"a.b\0".as_slice(), &seq.to_be_bytes()].concat(),
        value: Some(Vec::new()),
    };
    let format = Write {
        table: Table::Meta,
        key: b"format".to_vec(),
        value: Some(b"1".to_vec()),
    };
    let batch = Batch {
        writes: (1..=3).map(row).chain([format]).collect(),
        ..Batch::default()
    };
    assert_eq!(store.append(batch), Ok(Appended::Done));
    drop(store);

    fill(folder.path(), 2);
    let store = SledStore::open(folder.path(), 8 << 20, 0).unwrap();
    assert_eq!(store.get(Table::Meta, b"format").unwrap().unwrap(), b"3");
    drop(store);
    let ledger = try_open(folder.path()).unwrap();
    assert_eq!(ledger.verify(|_| ()).unwrap().events, 5);
    let seqs = |events: Vec<StoredEvent>| events.iter().map(|event| event.seq).collect::<Vec<_>>();
    assert_eq!(
        seqs(ledger.events_of_kind("a.b", 0, 9).unwrap()),
        [1, 2, 3, 4, 5]
    );
    assert_eq!(seqs(ledger.events_of_kind("a.b", 1, 3).unwrap()), [2, 3, 4]);
    assert_eq!(seqs(ledger.last_of_kind("a.b", 3).unwrap()), [3, 4, 5]);
}

#[test]
fn a_path_that_cannot_be_a_folder_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = try_open(&file).unwrap_err();
    assert!(
        error.to_string().contains("file as a ledger folder"),
        "{error}"
    );
}
