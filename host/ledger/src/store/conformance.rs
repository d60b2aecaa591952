//! What every store must do, run against each of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use proptest::prelude::*;

use super::chunk::PIECE;
use super::*;

const CACHE: u64 = 8 << 20;

fn on_each(test: impl Fn(&dyn Store)) {
    test(&MemoryStore::new());
    let folder = tempfile::tempdir().unwrap();
    test(&SledStore::open(folder.path(), CACHE, 0).unwrap());
}

fn put(key: &[u8], value: &[u8]) -> Write {
    Write {
        table: Table::State,
        key: key.to_vec(),
        value: Some(value.to_vec()),
    }
}

fn expect(key: &[u8], value: Option<&[u8]>) -> Expect {
    Expect {
        table: Table::State,
        key: key.to_vec(),
        value: value.map(<[u8]>::to_vec),
    }
}

fn writes(writes: Vec<Write>) -> Batch {
    Batch {
        writes,
        ..Batch::default()
    }
}

#[test]
fn a_batch_whose_expectation_fails_writes_nothing_and_names_it() {
    on_each(|store| {
        assert_eq!(
            store.append(writes(vec![put(b"a", b"1")])),
            Ok(Appended::Done)
        );
        let batch = Batch {
            expect: vec![expect(b"a", Some(b"1")), expect(b"b", Some(b"1"))],
            writes: vec![put(b"a", b"2"), put(b"c", b"1")],
            fence: None,
        };
        assert_eq!(store.append(batch), Ok(Appended::Changed(1)));
        assert_eq!(store.get(Table::State, b"a"), Ok(Some(b"1".to_vec())));
        assert_eq!(store.get(Table::State, b"c"), Ok(None));
    });
}

#[test]
fn tables_do_not_see_each_other() {
    on_each(|store| {
        let tables = [
            Table::Events,
            Table::Subjects,
            Table::Kinds,
            Table::State,
            Table::Meta,
        ];
        for table in tables {
            let name = format!("{table:?}").into_bytes();
            for key in [b"".as_slice(), b"k", b"\xff\xff"] {
                let write = Write {
                    table,
                    key: key.to_vec(),
                    value: Some(name.clone()),
                };
                assert_eq!(store.append(writes(vec![write])), Ok(Appended::Done));
            }
        }
        for table in tables {
            for span in [Span::all(), Span::all().newest_first()] {
                let rows = store.scan(table, &span, 10).unwrap();
                assert_eq!(rows.len(), 3);
                assert!(
                    rows.iter()
                        .all(|(_, value)| *value == format!("{table:?}").into_bytes())
                );
            }
        }
    });
}

#[test]
fn a_writer_that_was_replaced_is_fenced_off() {
    on_each(|store| {
        let first = store.acquire("writer", "a", 100, 50).unwrap().unwrap();
        assert_eq!(
            store.acquire("writer", "b", 149, 50).unwrap(),
            Err(Held {
                holder: "a".to_owned(),
                until_ms: 150
            })
        );
        let fenced = |lease: &Lease| Batch {
            fence: Some(lease.fence.clone()),
            ..writes(vec![put(b"k", b"v")])
        };
        assert_eq!(store.append(fenced(&first)), Ok(Appended::Done));
        let second = store.acquire("writer", "b", 150, 50).unwrap().unwrap();
        assert!(second.fence.token > first.fence.token);
        assert_eq!(store.append(fenced(&first)), Ok(Appended::Fenced));
        assert_eq!(store.append(fenced(&second)), Ok(Appended::Done));
        // Its own former self counts as another writer.
        let restarted = store.acquire("writer", "b", 160, 50).unwrap().unwrap();
        assert_eq!(store.append(fenced(&second)), Ok(Appended::Fenced));
        assert_eq!(restarted.until_ms, 210);
        assert_eq!(
            store
                .acquire("another", "c", 160, 1)
                .unwrap()
                .unwrap()
                .fence
                .token,
            1
        );
    });
}

#[test]
fn big_values_are_whole_after_being_replaced_by_smaller_and_bigger_ones() {
    on_each(|store| {
        for length in [
            0,
            1,
            PIECE - 1,
            PIECE,
            3 * PIECE + 5,
            1_000_000,
            10,
            2 * PIECE,
        ] {
            let value: Vec<u8> = (0..length).map(|n| (n * 31 + length) as u8).collect();
            assert_eq!(
                store.append(writes(vec![put(b"k", &value)])),
                Ok(Appended::Done)
            );
            assert_eq!(
                store.get(Table::State, b"k").unwrap().as_deref(),
                Some(value.as_slice())
            );
            assert_eq!(
                store.scan(Table::State, &Span::all(), 9).unwrap(),
                [(b"k".to_vec(), value)]
            );
        }
    });
}

#[test]
fn nothing_is_left_of_a_big_value_that_was_removed() {
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open(folder.path(), CACHE, 0).unwrap();
    let empty = store.rows();
    assert_eq!(
        store.append(writes(vec![put(b"k", &[7; 50_000])])),
        Ok(Appended::Done)
    );
    assert!(store.rows() > empty + 5);
    let remove = Write {
        table: Table::State,
        key: b"k".to_vec(),
        value: None,
    };
    assert_eq!(store.append(writes(vec![remove])), Ok(Appended::Done));
    assert_eq!(store.rows(), empty);
}

#[test]
fn a_lost_piece_is_damage_and_not_an_endless_wait() {
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open(folder.path(), CACHE, 0).unwrap();
    assert_eq!(
        store.append(writes(vec![put(b"k", &[7; 50_000])])),
        Ok(Appended::Done)
    );
    store.lose_a_piece();
    let lost = Err(StoreError::Damaged(
        "a piece of a big value is missing".to_owned(),
    ));
    assert_eq!(store.get(Table::State, b"k"), lost);
    assert!(store.scan(Table::State, &Span::all(), 9).is_err());
    let batch = Batch {
        expect: vec![expect(b"k", None)],
        ..Batch::default()
    };
    assert_eq!(store.append(batch).map(drop), lost.map(drop));
}

#[test]
fn a_reader_never_sees_a_mixture_of_two_big_values() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SledStore::open(folder.path(), CACHE, 0).unwrap());
    assert_eq!(
        store.append(writes(vec![put(b"k", &[0; 40_000])])),
        Ok(Appended::Done)
    );
    let done = Arc::new(AtomicBool::new(false));
    let reader = thread::spawn({
        let (store, done) = (store.clone(), done.clone());
        move || {
            let mut reads = 0_u32;
            while !done.load(Ordering::Relaxed) || reads == 0 {
                let value = store.get(Table::State, b"k").unwrap().unwrap();
                assert!(
                    value.len() == 40_000 && value.iter().all(|byte| *byte == value[0]),
                    "torn"
                );
                reads += 1;
            }
        }
    });
    for round in 0..300_u32 {
        assert_eq!(
            store.append(writes(vec![put(b"k", &[round as u8; 40_000])])),
            Ok(Appended::Done)
        );
    }
    done.store(true, Ordering::Relaxed);
    reader.join().unwrap();
}

#[derive(Debug, Clone)]
enum Step {
    Put(Vec<u8>, usize),
    Remove(Vec<u8>),
    PutIfAbsent(Vec<u8>, usize),
    Replace(Vec<u8>, usize),
    Scan {
        prefix: Vec<u8>,
        after: Option<Vec<u8>>,
        newest_first: bool,
        limit: usize,
    },
}

fn any_key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0, 1, b'a', 254, 255]), 0..4)
}

fn any_step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![0..40_usize, PIECE - 2..PIECE + 2, 2 * PIECE..2 * PIECE + 3];
    prop_oneof![
        (any_key(), length.clone()).prop_map(|(key, length)| Step::Put(key, length)),
        any_key().prop_map(Step::Remove),
        (any_key(), length.clone()).prop_map(|(key, length)| Step::PutIfAbsent(key, length)),
        (any_key(), length).prop_map(|(key, length)| Step::Replace(key, length)),
        (
            any_key(),
            prop::option::of(any_key()),
            any::<bool>(),
            0..9_usize
        )
            .prop_map(|(prefix, after, newest_first, limit)| Step::Scan {
                prefix,
                after,
                newest_first,
                limit
            }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn sled_and_memory_answer_alike(steps in prop::collection::vec(any_step(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let sled = SledStore::open(folder.path(), CACHE, 0).unwrap();
        let memory = MemoryStore::new();
        let mut model = BTreeMap::<Vec<u8>, Vec<u8>>::new();
        for (turn, step) in steps.into_iter().enumerate() {
            let value = |length| vec![turn as u8; length];
            let batch = match step {
                Step::Scan { prefix, after, newest_first, limit } => {
                    let mut span = Span::prefix(prefix);
                    if let Some(after) = after {
                        span = span.after(after);
                    }
                    span.newest_first = newest_first;
                    prop_assert_eq!(sled.scan(Table::State, &span, limit), memory.scan(Table::State, &span, limit));
                    continue;
                }
                Step::Put(key, length) => writes(vec![put(&key, &value(length))]),
                Step::Remove(key) => writes(vec![Write { table: Table::State, key, value: None }]),
                Step::PutIfAbsent(key, length) => {
                    Batch { expect: vec![expect(&key, None)], ..writes(vec![put(&key, &value(length))]) }
                }
                Step::Replace(key, length) => Batch {
                    expect: vec![expect(&key, model.get(&key).map(Vec::as_slice))],
                    ..writes(vec![put(&key, &value(length))])
                },
            };
            let holds = batch.expect.iter().all(|expect| model.get(&expect.key) == expect.value.as_ref());
            let answer = if holds { Appended::Done } else { Appended::Changed(0) };
            prop_assert_eq!(sled.append(batch.clone()), Ok(answer));
            prop_assert_eq!(memory.append(batch.clone()), Ok(answer));
            if holds {
                for write in batch.writes {
                    match write.value {
                        Some(value) => model.insert(write.key, value),
                        None => model.remove(&write.key),
                    };
                }
            }
        }
        let model: Vec<Row> = model.into_iter().collect();
        prop_assert_eq!(&sled.scan(Table::State, &Span::all(), usize::MAX).unwrap(), &model);
        prop_assert_eq!(&memory.scan(Table::State, &Span::all(), usize::MAX).unwrap(), &model);
        drop(sled);
        let reopened = SledStore::open(folder.path(), CACHE, 0).unwrap();
        prop_assert_eq!(&reopened.scan(Table::State, &Span::all(), usize::MAX).unwrap(), &model);
    }
}
