//! What a commit promises, on both stores and on stores that fail.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use parking_lot::Mutex;
use polity_ledger::store::{
    Appended, Batch, Held, Lease, MemoryStore, Row, Span, Store, StoreError, Table,
};
use polity_ledger::{Clock, Commit, CommitError, Event, Ledger, ManualClock, Options, StoredEvent};
use proptest::prelude::*;
use serde_json::json;

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new(1_700_000_000_000))
}

fn event(subject: &str, n: u64) -> Event {
    Event::new("test.happened", "/test", subject, json!({ "n": n }))
}

fn on_each(test: impl AsyncFn(Ledger)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test(Ledger::in_memory(clock())));
    let folder = tempfile::tempdir().unwrap();
    runtime.block_on(test(
        Ledger::open(Options::new(folder.path(), clock())).unwrap(),
    ));
}

#[test]
fn a_commit_is_whole_and_its_receipt_says_where() {
    on_each(async |ledger| {
        let commit = Commit::new()
            .event(event("a", 1))
            .event(event("b", 2))
            .put("k", b"v")
            .delete("absent");
        let receipt = ledger.commit(commit).await.unwrap();
        assert_eq!(receipt.last_seq, Some(2));
        let events = ledger.events(0, 10).unwrap();
        assert_eq!(
            events.iter().map(|event| event.id).collect::<Vec<_>>(),
            receipt.event_ids
        );
        assert_eq!(
            events
                .iter()
                .map(|event| event.subject.as_str())
                .collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert_eq!(events[1].previous_hash, events[0].hash);
        assert_eq!(events[0].time_ms, 1_700_000_000_000);
        assert_eq!(ledger.get("k").unwrap().as_deref(), Some(b"v".as_slice()));
        assert_eq!(ledger.head().unwrap(), Some((2, events[1].hash)));
    });
}

#[test]
fn a_conflict_writes_neither_event_nor_state_and_takes_no_place() {
    on_each(async |ledger| {
        ledger.commit(Commit::new().put("k", b"1")).await.unwrap();
        let commit = || Commit::new().event(event("a", 1)).put("other", b"x");
        for (commit, words) in [
            (commit().expect_absent("k"), "it exists"),
            (commit().expect_value("k", b"2"), "it has another value"),
            (commit().expect_value("none", b"2"), "it does not exist"),
        ] {
            let error = ledger.commit(commit.clone()).await.unwrap_err();
            assert!(
                matches!(&error, CommitError::Conflict { found, .. } if *found == words),
                "{error}"
            );
            assert_eq!(ledger.commit_relaxed(commit).unwrap_err(), error);
        }
        assert_eq!(ledger.get("other").unwrap(), None);
        let fits = commit().expect_value("k", b"1").expect_absent("none");
        assert_eq!(ledger.commit(fits).await.unwrap().last_seq, Some(1));
        assert_eq!(ledger.verify(|_| ()).unwrap().events, 1);
    });
}

#[test]
fn of_many_commits_that_expect_the_same_exactly_one_is_made() {
    on_each(async |ledger| {
        let attempts: Vec<_> = (0..64)
            .map(|n| {
                let ledger = ledger.clone();
                tokio::spawn(async move {
                    let commit = Commit::new()
                        .expect_absent("k")
                        .put("k", vec![n])
                        .event(event("k", n.into()));
                    // Both roads lead through the same writer.
                    if n % 2 == 0 {
                        ledger.commit(commit).await
                    } else {
                        ledger.commit_relaxed(commit)
                    }
                })
            })
            .collect();
        let mut made = 0;
        for attempt in attempts {
            match attempt.await.unwrap() {
                Ok(_) => made += 1,
                Err(error) => assert!(matches!(error, CommitError::Conflict { .. })),
            }
        }
        assert_eq!(made, 1);
        assert_eq!(ledger.events(0, 9).unwrap().len(), 1);
    });
}

#[test]
fn a_read_sees_every_relaxed_commit_that_returned_before() {
    on_each(async |ledger| {
        for n in 0..300_u64 {
            let receipt = ledger
                .commit_relaxed(Commit::new().put("n", n.to_string()).event(event("s", n)))
                .unwrap();
            assert_eq!((receipt.event_ids.len(), receipt.last_seq), (1, None));
            if n % 7 == 0 {
                assert_eq!(
                    ledger.get("n").unwrap().unwrap(),
                    n.to_string().into_bytes()
                );
                let last = ledger.last_of("s", 1).unwrap().remove(0);
                assert_eq!(
                    (last.data, last.id),
                    (json!({ "n": n }), receipt.event_ids[0])
                );
            }
        }
        assert_eq!(
            ledger.scan("n", None, 9).unwrap(),
            [("n".to_owned(), b"299".to_vec())]
        );
    });
}

#[test]
fn relaxed_commits_of_one_caller_keep_their_order_among_durable_ones() {
    on_each(async |ledger| {
        for n in 0..200_u64 {
            let commit = Commit::new().event(event("s", n));
            if n % 10 == 9 {
                ledger.commit(commit).await.unwrap();
            } else {
                ledger.commit_relaxed(commit).unwrap();
            }
        }
        let order: Vec<u64> = ledger
            .events(0, 500)
            .unwrap()
            .iter()
            .map(|e| e.data["n"].as_u64().unwrap())
            .collect();
        assert_eq!(order, (0..200).collect::<Vec<_>>());
    });
}

#[test]
fn subscribers_get_the_committed_events_in_order() {
    on_each(async |ledger| {
        let mut events = ledger.subscribe();
        let writers: Vec<_> = (0..8_u64)
            .map(|writer| {
                let ledger = ledger.clone();
                tokio::spawn(async move {
                    for n in 0..20 {
                        let commit = Commit::new().event(event(&format!("w/{writer}"), n));
                        if n % 2 == 0 {
                            ledger.commit(commit).await.unwrap();
                        } else {
                            ledger.commit_relaxed(commit).unwrap();
                        }
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        ledger.flush().await.unwrap();
        for stored in ledger.events(0, 1000).unwrap() {
            assert_eq!(*events.recv().await.unwrap(), stored);
        }
        assert!(events.try_recv().is_err());
    });
}

#[test]
fn who_asks_for_some_kinds_is_told_of_no_others() {
    on_each(async |ledger| {
        let mut some = ledger.subscribe_to(&["plugin.", "site.added"]);
        let all = ledger.subscribe();
        for kind in ["plugin.loaded", "model.completed", "site.added", "plugins"] {
            let event = Event::new(kind, "/test", "subject/1", json!({}));
            ledger.commit(Commit::new().event(event)).await.unwrap();
        }
        assert_eq!(all.len(), 4);
        assert_eq!(some.recv().await.unwrap().kind, "plugin.loaded");
        assert_eq!(some.recv().await.unwrap().kind, "site.added");
        assert!(some.try_recv().is_err());
    });
}

#[test]
fn events_are_found_by_subject_and_by_kind_in_pages_and_from_the_end() {
    on_each(async |ledger| {
        for n in 0..30_u64 {
            let kind = if n % 3 == 0 { "a.x" } else { "a.xy" };
            let event = Event::new(
                kind,
                "/test",
                if n % 2 == 0 { "s" } else { "s/1" },
                json!(n),
            );
            ledger.commit_relaxed(Commit::new().event(event)).unwrap();
        }
        let numbers = |events: Vec<StoredEvent>| {
            events
                .iter()
                .map(|e| e.data.as_u64().unwrap())
                .collect::<Vec<_>>()
        };
        let page = ledger.events_of("s", 0, 4).unwrap();
        let next = ledger.events_of("s", page[3].seq, 4).unwrap();
        assert_eq!(
            (numbers(page), numbers(next)),
            (vec![0, 2, 4, 6], vec![8, 10, 12, 14])
        );
        assert_eq!(
            numbers(ledger.events_of_kind("a.x", 0, 99).unwrap()),
            [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]
        );
        let page = ledger.events_of_kind("a.x", 0, 3).unwrap();
        let next = ledger.events_of_kind("a.x", page[2].seq, 3).unwrap();
        assert_eq!(
            (numbers(page), numbers(next)),
            (vec![0, 3, 6], vec![9, 12, 15])
        );
        assert_eq!(numbers(ledger.last_of_kind("a.x", 2).unwrap()), [24, 27]);
        assert_eq!(numbers(ledger.last(3).unwrap()), [27, 28, 29]);
        assert_eq!(numbers(ledger.last_of("s/1", 2).unwrap()), [27, 29]);
        assert_eq!(ledger.events_of("nobody", 0, 9).unwrap(), []);
        assert_eq!(ledger.event(3).unwrap().unwrap().data, json!(2));
        assert_eq!(ledger.event(31).unwrap(), None);
    });
}

#[test]
fn a_state_scan_pages_through_a_prefix_only() {
    on_each(async |ledger| {
        let commit = (0..10).fold(Commit::new().put("a", b"").put("c/1", b""), |c, n| {
            c.put(format!("b/{n}"), [n])
        });
        ledger.commit(commit).await.unwrap();
        let first = ledger.scan("b/", None, 4).unwrap();
        let rest = ledger.scan("b/", Some(&first[3].0), 99).unwrap();
        let keys: Vec<String> = first.into_iter().chain(rest).map(|(key, _)| key).collect();
        assert_eq!(keys, (0..10).map(|n| format!("b/{n}")).collect::<Vec<_>>());
        assert_eq!(ledger.scan("b/", Some("a"), 99).unwrap().len(), 10);
        assert_eq!(ledger.scan("b/", Some("c"), 99).unwrap(), []);
        let last = ledger.scan_back("b/", None, 4).unwrap();
        let rest = ledger.scan_back("b/", Some(&last[3].0), 99).unwrap();
        let keys: Vec<String> = last.into_iter().chain(rest).map(|(key, _)| key).collect();
        assert_eq!(
            keys,
            (0..10).rev().map(|n| format!("b/{n}")).collect::<Vec<_>>()
        );
        assert_eq!(ledger.scan_back("b/", Some("a"), 99).unwrap(), []);
        assert_eq!(ledger.scan_back("b/", Some("c"), 99).unwrap().len(), 10);
    });
}

#[test]
fn an_invalid_commit_is_refused_with_what_to_write_instead() {
    on_each(async |ledger| {
        let commit = Commit::new().event(Event::new("Not A Kind", "/t", "s", json!({})));
        for error in [
            ledger.commit(commit.clone()).await.unwrap_err(),
            ledger.commit_relaxed(commit).unwrap_err(),
        ] {
            assert!(
                matches!(&error, CommitError::Invalid(words) if words.contains("plugin.loaded")),
                "{error}"
            );
        }
        assert_eq!(ledger.events(0, 1).unwrap(), []);
    });
}

#[test]
fn big_events_and_big_values_come_back_whole() {
    on_each(async |ledger| {
        let text = "ä\n".repeat(700_000);
        let big = Event::new("big.event", "/test", "big", json!({ "text": text }));
        ledger
            .commit(Commit::new().event(big).put("big", text.clone()))
            .await
            .unwrap();
        assert_eq!(ledger.last(1).unwrap()[0].data["text"], json!(text));
        assert_eq!(ledger.get("big").unwrap().unwrap(), text.as_bytes());
        assert_eq!(ledger.verify(|_| ()).unwrap().events, 1);
    });
}

/// A store whose appends wait for a permit each, and that can be told to fail.
struct Gate {
    inner: MemoryStore,
    permits: Mutex<mpsc::Receiver<()>>,
    entered: mpsc::Sender<()>,
    fail_sync: AtomicBool,
    fail_append: AtomicBool,
    panic: AtomicBool,
}

/// How a test moves a [`Gate`]: the store, permits to give, and entries to await.
type Gated = (Arc<Gate>, mpsc::Sender<()>, mpsc::Receiver<()>);

impl Gate {
    fn new() -> Gated {
        let (permit, permits) = mpsc::channel();
        let (entered, entries) = mpsc::channel();
        let (permits, flag) = (Mutex::new(permits), || AtomicBool::new(false));
        let (fail_sync, fail_append, panic) = (flag(), flag(), flag());
        let gate = Self {
            inner: MemoryStore::new(),
            permits,
            entered,
            fail_sync,
            fail_append,
            panic,
        };
        (Arc::new(gate), permit, entries)
    }
}

impl Store for Gate {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(table, key)
    }

    fn scan(&self, table: Table, span: &Span, limit: usize) -> Result<Vec<Row>, StoreError> {
        self.inner.scan(table, span, limit)
    }

    fn append(&self, batch: Batch) -> Result<Appended, StoreError> {
        if batch.fence.is_some() {
            self.entered.send(()).unwrap();
            // When the test has dropped its end, everything may pass.
            let _ = self.permits.lock().recv();
        }
        assert!(
            !self.panic.load(Ordering::SeqCst),
            "the engine hit a bad page"
        );
        if self.fail_append.load(Ordering::SeqCst) {
            return Err(StoreError::Engine("no space left on device".to_owned()));
        }
        self.inner.append(batch)
    }

    fn sync(&self) -> Result<(), StoreError> {
        match self.fail_sync.load(Ordering::SeqCst) {
            true => Err(StoreError::Engine("input/output error".to_owned())),
            false => Ok(()),
        }
    }

    fn acquire(
        &self,
        name: &str,
        holder: &str,
        now: u64,
        lifetime: u64,
    ) -> Result<Result<Lease, Held>, StoreError> {
        self.inner.acquire(name, holder, now, lifetime)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_queue_up_share_one_flush_and_few_batches() {
    let (gate, permit, entered) = Gate::new();
    let ledger = Ledger::on(gate, clock()).unwrap();
    let first = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.commit(Commit::new().event(event("first", 0))).await }
    });
    entered.recv().unwrap();
    let mut rest: Vec<_> = (0..180)
        .map(|n| {
            let ledger = ledger.clone();
            Box::pin(async move { ledger.commit(Commit::new().event(event("rest", n))).await })
        })
        .collect();
    for commit in &mut rest {
        // Polled once, a commit is in the queue.
        assert!(futures_poll_once(commit.as_mut()).await.is_none());
    }
    drop(permit);
    first.await.unwrap().unwrap();
    for commit in rest {
        commit.await.unwrap();
    }
    let stats = ledger.stats();
    assert_eq!(
        (stats.commits, stats.events, stats.groups, stats.syncs),
        // An event is two rows, a kind one, and a batch is full with 150.
        (181, 181, 1 + 3, 2)
    );
    assert_eq!(ledger.verify(|_| ()).unwrap().events, 181);
}

async fn futures_poll_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut future).poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_is_made_even_if_nobody_waits_for_it_any_more() {
    let (gate, permit, _entered) = Gate::new();
    let ledger = Ledger::on(gate, clock()).unwrap();
    let mut abandoned = Box::pin(ledger.commit(Commit::new().event(event("abandoned", 0))));
    assert!(futures_poll_once(abandoned.as_mut()).await.is_none());
    drop(abandoned);
    drop(permit);
    ledger.flush().await.unwrap();
    assert_eq!(ledger.events(0, 9).unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_write_or_flush_or_a_panic_nothing_is_acknowledged_and_reads_go_on() {
    type Break = fn(&Gate);
    let ways: [(Break, &str); 3] = [
        (
            |gate| gate.fail_sync.store(true, Ordering::SeqCst),
            "input/output error",
        ),
        (
            |gate| gate.fail_append.store(true, Ordering::SeqCst),
            "no space left",
        ),
        (|gate| gate.panic.store(true, Ordering::SeqCst), "bad page"),
    ];
    for (break_it, words) in ways {
        let (gate, permit, _entered) = Gate::new();
        drop(permit);
        let ledger = Ledger::on(gate.clone(), clock()).unwrap();
        ledger
            .commit(Commit::new().event(event("s", 1)).put("k", b"v"))
            .await
            .unwrap();
        break_it(&gate);
        let attempts: Vec<_> = (0..8)
            .map(|n| {
                let ledger = ledger.clone();
                tokio::spawn(async move { ledger.commit(Commit::new().event(event("s", n))).await })
            })
            .collect();
        for attempt in attempts {
            let error = attempt.await.unwrap().unwrap_err();
            assert!(
                matches!(&error, CommitError::Stopped(reason) if reason.contains(words)),
                "{error}"
            );
        }
        let relaxed = ledger.commit_relaxed(Commit::new().put("k", b"w"));
        assert!(matches!(relaxed, Err(CommitError::Stopped(_))));
        assert!(ledger.flush().await.is_err());
        assert_eq!(ledger.get("k").unwrap().as_deref(), Some(b"v".as_slice()));
        assert_eq!(ledger.event(1).unwrap().unwrap().subject, "s");
    }
}

#[tokio::test]
async fn a_ledger_that_was_replaced_on_its_store_writes_no_more() {
    let store = Arc::new(MemoryStore::new());
    let old = Ledger::on(store.clone(), clock()).unwrap();
    old.commit(Commit::new().event(event("s", 1)))
        .await
        .unwrap();
    let new = Ledger::on(store, clock()).unwrap();
    new.commit(Commit::new().event(event("s", 2)))
        .await
        .unwrap();
    let error = old
        .commit(Commit::new().event(event("s", 3)))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, CommitError::Stopped(reason) if reason.contains("another writer")),
        "{error}"
    );
    assert_eq!(new.verify(|_| ()).unwrap().events, 2);
}

#[derive(Debug, Clone)]
struct Step {
    puts: Vec<(u8, Option<u8>)>,
    expectations: Vec<(u8, Option<u8>)>,
    events: usize,
    relaxed: bool,
}

fn any_step() -> impl Strategy<Value = Step> {
    let pairs = |most| prop::collection::vec((0..4_u8, prop::option::of(0..3_u8)), 0..most);
    (pairs(3), pairs(3), 0..3_usize, any::<bool>()).prop_map(
        |(puts, expectations, events, relaxed)| Step {
            puts,
            expectations,
            events,
            relaxed,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Both ledgers and the plainest possible model agree on which commits are made, and on what is there after.
    #[test]
    fn compare_and_set_means_the_same_on_sled_in_memory_and_in_a_map(steps in prop::collection::vec(any_step(), 1..30)) {
        let folder = tempfile::tempdir().unwrap();
        let sled = Ledger::open(Options::new(folder.path(), clock())).unwrap();
        let memory = Ledger::in_memory(clock());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut model = BTreeMap::<String, Vec<u8>>::new();
        let mut happened = Vec::new();
        for (turn, step) in steps.into_iter().enumerate() {
            let mut commit = Commit::new();
            for (key, value) in &step.puts {
                commit = match value {
                    Some(value) => commit.put(key.to_string(), [*value]),
                    None => commit.delete(key.to_string()),
                };
            }
            for (key, value) in &step.expectations {
                commit = match value {
                    Some(value) => commit.expect_value(key.to_string(), [*value]),
                    None => commit.expect_absent(key.to_string()),
                };
            }
            for n in 0..step.events {
                commit = commit.event(event(&format!("s/{n}"), turn as u64));
            }
            let made = |ledger: &Ledger| match step.relaxed {
                true => ledger.commit_relaxed(commit.clone()).is_ok(),
                false => runtime.block_on(ledger.commit(commit.clone())).is_ok(),
            };
            let fits = step.expectations.iter()
                .all(|(key, value)| model.get(&key.to_string()) == value.map(|value| vec![value]).as_ref());
            prop_assert_eq!((made(&sled), made(&memory)), (fits, fits));
            if fits {
                for (key, value) in step.puts {
                    match value {
                        Some(value) => model.insert(key.to_string(), vec![value]),
                        None => model.remove(&key.to_string()),
                    };
                }
                happened.extend((0..step.events).map(|n| (format!("s/{n}"), turn as u64)));
            }
        }
        let state: Vec<_> = model.into_iter().collect();
        drop(sled);
        let sled = Ledger::open(Options::new(folder.path(), clock())).unwrap();
        for ledger in [&sled, &memory] {
            prop_assert_eq!(&ledger.scan("", None, 99).unwrap(), &state);
            let events = ledger.events(0, 999).unwrap();
            let seen: Vec<_> = events.iter().map(|e| (e.subject.clone(), e.data["n"].as_u64().unwrap())).collect();
            prop_assert_eq!(&seen, &happened);
            prop_assert_eq!(ledger.verify(|_| ()).unwrap().events, happened.len() as u64);
        }
    }
}
