//! Whoever edits the store behind the ledger's back is found out, and told where.

use std::path::Path;
use std::sync::Arc;

use polity_ledger::store::{Appended, Batch, SledStore, Span, Store, Table, Write};
use polity_ledger::{Broken, Commit, CommitError, Event, Hash, Ledger, ManualClock, Options, Why};
use serde_json::{Value, json};
use tempfile::TempDir;

const EVENTS: u64 = 600;

fn open(folder: &Path) -> Ledger {
    Ledger::open(Options::new(
        folder,
        Arc::new(ManualClock::new(1_700_000_000_000)),
    ))
    .unwrap()
}

fn filled() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    for n in 1..=EVENTS {
        let event = Event::new(
            "payment.approved",
            "/test",
            format!("order/{}", n % 9),
            json!({ "amount": n }),
        );
        ledger.commit_relaxed(Commit::new().event(event)).unwrap();
    }
    assert_eq!(ledger.verify(|_| ()).unwrap().events, EVENTS);
    folder
}

fn key(seq: u64) -> Vec<u8> {
    seq.to_be_bytes().to_vec()
}

fn index_key(name: &str, seq: u64) -> Vec<u8> {
    [name.as_bytes(), &[0], &seq.to_be_bytes()].concat()
}

/// The row of the kinds' index that a filled ledger has for an event: its key and the seqs in it.
fn kinds_row(folder: &TempDir, seq: u64) -> (Vec<u8>, Vec<u64>) {
    let store = SledStore::open(folder.path(), 8 << 20, 0).unwrap();
    let span = Span::all().after(index_key("payment.approved", seq - 1));
    let (key, value) = store.scan(Table::Kinds, &span, 1).unwrap().remove(0);
    let number = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
    let last = number(&key[key.len() - 8..]);
    let earlier = value.chunks(4).map(|distance| last - number(distance));
    let seqs = earlier.chain([last]).collect();
    (key, seqs)
}

/// The value of such a row.
fn kinds_value(seqs: &[u64]) -> Option<Vec<u8>> {
    let (last, earlier) = seqs.split_last().unwrap();
    let distance = |seq: &u64| u32::try_from(last - seq).unwrap().to_be_bytes();
    Some(earlier.iter().flat_map(distance).collect())
}

/// Changes one row behind the ledger's back, then asks the ledger.
fn verdict(
    table: Table,
    key: Vec<u8>,
    change: impl FnOnce(Option<Vec<u8>>) -> Option<Vec<u8>>,
) -> Broken {
    verdict_on(&filled(), table, key, change)
}

fn verdict_on(
    folder: &TempDir,
    table: Table,
    key: Vec<u8>,
    change: impl FnOnce(Option<Vec<u8>>) -> Option<Vec<u8>>,
) -> Broken {
    let store = SledStore::open(folder.path(), 8 << 20, 0).unwrap();
    let value = change(store.get(table, &key).unwrap());
    let batch = Batch {
        writes: vec![Write { table, key, value }],
        ..Batch::default()
    };
    assert_eq!(store.append(batch), Ok(Appended::Done));
    drop(store);
    open(folder.path()).verify(|_| ()).unwrap_err()
}

/// What the ledger says when an event's row is replaced by its text in full, edited, and, if asked for, with the hash
/// that fits the new text.
fn verdict_on_edited(seq: u64, from: &str, to: &str, rehash: bool) -> Broken {
    let folder = filled();
    let mut lines = Vec::new();
    open(folder.path()).export(&mut lines).unwrap();
    let line = String::from_utf8(lines).unwrap();
    let line = line.lines().nth(seq as usize - 1).unwrap();
    let text = format!("{}}}", &line[..line.len() - ",\"hash\":\"\"}".len() - 64]);
    assert!(text.contains(from), "{text}");
    let text = text.replace(from, to);
    verdict_on(&folder, Table::Events, key(seq), |row| {
        let hash = if rehash {
            Hash::of(text.as_bytes()).as_bytes().to_vec()
        } else {
            row.unwrap()[..32].to_vec()
        };
        Some([hash.as_slice(), text.as_bytes()].concat())
    })
}

#[test]
fn a_changed_amount_is_a_hash_mismatch_at_its_event() {
    let broken = verdict_on_edited(300, "\"amount\":300", "\"amount\":301", false);
    assert_eq!(broken.seq, 300);
    assert!(matches!(broken.why, Why::HashMismatch { .. }), "{broken}");
    assert!(
        broken
            .to_string()
            .starts_with("the ledger is broken at event 300: hash mismatch")
    );
}

/// Changes bytes of an event's row, one at a time and `apart` from each other. Which of them the ledger did not notice,
/// and whether the event then reads as it did.
fn unnoticed(seq: u64, apart: usize) -> Vec<(usize, bool)> {
    let folder = filled();
    let event = open(folder.path()).event(seq).unwrap();
    let store = SledStore::open(folder.path(), 8 << 20, 0).unwrap();
    let row = store.get(Table::Events, &key(seq)).unwrap().unwrap();
    drop(store);
    let mut unnoticed = Vec::new();
    for at in (0..row.len()).step_by(apart) {
        let store = SledStore::open(folder.path(), 8 << 20, 0).unwrap();
        let mut changed = row.clone();
        changed[at] ^= 1;
        let batch = Batch {
            writes: vec![Write {
                table: Table::Events,
                key: key(seq),
                value: Some(changed),
            }],
            ..Batch::default()
        };
        assert_eq!(store.append(batch), Ok(Appended::Done));
        drop(store);
        let ledger = open(folder.path());
        match ledger.verify(|_| ()) {
            Err(broken) => assert_eq!(broken.seq, seq, "byte {at}"),
            Ok(_) => unnoticed.push((at, ledger.event(seq).unwrap() == event)),
        }
    }
    unnoticed
}

#[test]
fn every_changed_byte_of_an_event_in_full_is_noticed() {
    assert_eq!(unnoticed(1, 23), []);
}

/// Compressed bytes can say one text in two ways: a repeated word is taken from here or from there.
#[test]
fn a_changed_byte_of_a_difference_is_noticed_unless_the_event_is_the_same() {
    let unnoticed = unnoticed(7, 11);
    let same = unnoticed.iter().all(|(_, same)| *same);
    assert!(same, "{unnoticed:?}");
}

#[test]
fn a_change_with_a_fitting_hash_breaks_the_chain_at_the_next_event() {
    let broken = verdict_on_edited(300, "\"amount\":300", "\"amount\":9", true);
    assert_eq!(broken.seq, 301);
    assert!(
        matches!(broken.why, Why::PreviousMismatch { .. }),
        "{broken}"
    );
}

#[test]
fn a_changed_newest_event_with_a_fitting_hash_is_not_what_the_head_names() {
    let last = format!("\"amount\":{EVENTS}");
    let broken = verdict_on_edited(EVENTS, &last, "\"amount\":9", true);
    assert_eq!(
        broken,
        Broken {
            seq: EVENTS,
            why: Why::Head
        }
    );
}

#[test]
fn a_removed_event_is_missing() {
    assert_eq!(
        verdict(Table::Events, key(299), |_| None),
        Broken {
            seq: 299,
            why: Why::Missing
        }
    );
}

#[test]
fn bytes_that_are_no_event_are_unreadable() {
    let broken = verdict(Table::Events, key(5), |_| {
        let body = b"{\"data\":1}";
        Some([Hash::of(body).as_bytes().as_slice(), body].concat())
    });
    assert!(
        matches!(
            &broken,
            Broken {
                seq: 5,
                why: Why::Unreadable(_)
            }
        ),
        "{broken}"
    );
    let broken = verdict(Table::Events, key(5), |_| Some(b"short".to_vec()));
    assert!(
        matches!(
            &broken,
            Broken {
                seq: 5,
                why: Why::Unreadable(_)
            }
        ),
        "{broken}"
    );
}

#[test]
fn an_event_hidden_from_an_index_is_reported() {
    let subject = format!("order/{}", 77 % 9);
    let broken = verdict(Table::Subjects, index_key(&subject, 77), |_| None);
    assert_eq!(
        broken,
        Broken {
            seq: 77,
            why: Why::Unindexed("subject")
        }
    );
    let hidden = |seq| Broken {
        seq,
        why: Why::Unindexed("kind"),
    };
    let folder = filled();
    let (key, mut seqs) = kinds_row(&folder, 78);
    seqs.retain(|seq| *seq != 78);
    let broken = verdict_on(&folder, Table::Kinds, key, |_| kinds_value(&seqs));
    assert_eq!(broken, hidden(78));
    assert!(broken.to_string().contains("tampered index"));

    let folder = filled();
    let (key, seqs) = kinds_row(&folder, 78);
    let broken = verdict_on(&folder, Table::Kinds, key, |_| None);
    assert_eq!(broken, hidden(seqs[0]));
}

#[test]
fn an_event_shown_under_a_foreign_name_is_reported() {
    let broken = verdict(Table::Subjects, index_key("order/forged", 77), |_| {
        Some(Vec::new())
    });
    let why = Why::FalselyIndexed {
        index: "subject",
        name: "order/forged".to_owned(),
    };
    assert_eq!(broken, Broken { seq: 77, why });

    let shown = |name: &str| Broken {
        seq: 77,
        why: Why::FalselyIndexed {
            index: "kind",
            name: name.to_owned(),
        },
    };
    let key = index_key("payment.forged", 77);
    let broken = verdict(Table::Kinds, key, |_| Some(Vec::new()));
    assert_eq!(broken, shown("payment.forged"));
    // Once more under its own name.
    let folder = filled();
    let (key, seqs) = kinds_row(&folder, 78);
    let (next, mut more) = kinds_row(&folder, seqs[seqs.len() - 1] + 1);
    assert_ne!(key, next);
    more.insert(0, 77);
    let broken = verdict_on(&folder, Table::Kinds, next, |_| kinds_value(&more));
    assert_eq!(broken, shown("payment.approved"));
}

#[test]
fn an_index_row_that_is_none_is_reported() {
    let folder = filled();
    let (key, _) = kinds_row(&folder, 78);
    let broken = verdict_on(&folder, Table::Kinds, key, |_| Some(b"odd".to_vec()));
    assert!(matches!(broken.why, Why::Unindexed("kind")), "{broken}");
}

#[test]
fn a_chain_whose_end_was_cut_off_opens_for_reading_only() {
    let folder = filled();
    let store = SledStore::open(folder.path(), 8 << 20, 0).unwrap();
    let write = Write {
        table: Table::Events,
        key: key(EVENTS),
        value: None,
    };
    assert_eq!(
        store.append(Batch {
            writes: vec![write],
            ..Batch::default()
        }),
        Ok(Appended::Done)
    );
    drop(store);
    let ledger = open(folder.path());
    assert_eq!(
        ledger.verify(|_| ()),
        Err(Broken {
            seq: EVENTS,
            why: Why::Missing
        })
    );
    let event = Event::new("a.b", "/test", "s", json!({}));
    let refused = ledger
        .commit_relaxed(Commit::new().event(event))
        .unwrap_err();
    assert!(
        matches!(&refused, CommitError::Stopped(reason) if reason.contains("verify")),
        "{refused}"
    );
    assert_eq!(ledger.events(0, 9).unwrap().len(), 9);
}

#[test]
fn a_chain_whose_head_was_removed_or_moved_back_is_not_written_over() {
    for value in [None, Some([key(10).as_slice(), &[0; 32]].concat())] {
        let folder = filled();
        let store = SledStore::open(folder.path(), 8 << 20, 0).unwrap();
        let write = Write {
            table: Table::Meta,
            key: b"head".to_vec(),
            value,
        };
        assert_eq!(
            store.append(Batch {
                writes: vec![write],
                ..Batch::default()
            }),
            Ok(Appended::Done)
        );
        drop(store);
        let ledger = open(folder.path());
        assert!(matches!(
            ledger.verify(|_| ()),
            Err(Broken { why: Why::Head, .. })
        ));
        let event = Event::new("a.b", "/test", "s", json!({}));
        assert!(ledger.commit_relaxed(Commit::new().event(event)).is_err());
    }
}

#[test]
fn an_export_can_be_checked_without_the_ledger() {
    let folder = filled();
    let ledger = open(folder.path());
    let mut lines = Vec::new();
    assert_eq!(ledger.export(&mut lines).unwrap(), EVENTS);
    let mut previous = "0".repeat(64);
    let text = String::from_utf8(lines).unwrap();
    for (line, stored) in text.lines().zip(ledger.events(0, 9999).unwrap()) {
        let mut event: Value = serde_json::from_str(line).unwrap();
        assert_eq!(event, stored.to_cloud_event());
        for (name, value) in [
            ("specversion", "1.0"),
            ("type", "dev.polity.payment.approved"),
            ("source", "/test"),
        ] {
            assert_eq!(event[name], value);
        }
        assert_eq!(event["previoushash"], previous.as_str());
        // Once by cutting the hash off, once by any canonicaliser; this one's output is sorted and without spaces too.
        let cut = format!("{}}}", &line[..line.len() - ",\"hash\":\"\"}".len() - 64]);
        let hash = event.as_object_mut().unwrap().remove("hash").unwrap();
        previous = hash.as_str().unwrap().to_owned();
        assert_eq!(Hash::of(cut.as_bytes()).to_string(), previous);
        assert_eq!(Hash::of(event.to_string().as_bytes()).to_string(), previous);
    }
    assert_eq!(text.lines().count() as u64, EVENTS);
}

#[test]
fn verification_goes_on_while_events_are_added() {
    let folder = filled();
    let ledger = open(folder.path());
    let writer = ledger.clone();
    let mut added = 0_u64;
    let verified = ledger.verify(|_| {
        for _ in 0..50 {
            added += 1;
            let event = Event::new("a.b", "/test", "s", json!({ "n": added }));
            writer.commit_relaxed(Commit::new().event(event)).unwrap();
        }
        assert_eq!(writer.last(1).unwrap()[0].data["n"], added);
    });
    assert_eq!(verified.unwrap().events, EVENTS);
    assert_eq!(ledger.verify(|_| ()).unwrap().events, EVENTS + added);
}

#[test]
fn the_store_shows_the_rows_this_test_edits() {
    // Should the layout change, the edits above would miss and these tests would have to change with it.
    let folder = filled();
    let store = SledStore::open(folder.path(), 8 << 20, 0).unwrap();
    assert_eq!(
        store.scan(Table::Events, &Span::all(), 1).unwrap()[0].0,
        key(1)
    );
    let last = index_key("payment.approved", EVENTS);
    assert!(store.get(Table::Kinds, &last).unwrap().is_some());
    assert_eq!(
        &store.get(Table::Meta, b"head").unwrap().unwrap()[..8],
        key(EVENTS)
    );
}
