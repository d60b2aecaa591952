//! The ledger as the rest of the system sees it.

use std::fmt;
use std::io::Write;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tokio::sync::{broadcast, oneshot};

use crate::chain::{Draft, Head};
use crate::commit::{Commit, CommitError, Receipt};
use crate::event::StoredEvent;
use crate::news::News;
use crate::queue::{Pending, Queue, Waiter};
use crate::row::{Decoder, Encoder, RowError};
use crate::store::{
    Appended, Batch, Expect, MemoryStore, Row, SledStore, Span, Store, StoreError, Table,
    Write as Put,
};
use crate::verify::{self, Broken, Verified};
use crate::witness::Witness;
use crate::writer::{Counters, Writer};
use crate::{Clock, Hash, OpenError, export, layout, new_id};

/// The lease of the one writer. A local store is guarded by its folder's lock and gives it to whoever opens it; a
/// shared one is expected to wrap this with a time limit of its own.
const WRITER_LEASE: &str = "writer";

/// How to open a ledger.
#[derive(Clone)]
pub struct Options {
    /// The folder. It is made if it does not exist.
    pub path: PathBuf,
    /// Where times come from.
    pub clock: Arc<dyn Clock>,
    /// Memory for cached pages; the process takes up to 1.3 times as much. sled's own default is 1 GiB.
    pub cache_bytes: u64,
}

/// A hash-chained sequence of events and the state beside it. Clones are handles to the same ledger; it is closed,
/// and everything handed in is written, when the last one is dropped.
#[derive(Clone)]
pub struct Ledger {
    shared: Arc<Shared>,
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An event is there and does not read, or its index entry leads nowhere.
    #[error("event {seq} does not read: {reason}; run a verification of the ledger")]
    Broken {
        /// Its place.
        seq: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// What the writer has done since the ledger was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Commits made.
    pub commits: u64,
    /// Events written.
    pub events: u64,
    /// Batches they were written in.
    pub groups: u64,
    /// Flushes that durable commits waited for.
    pub syncs: u64,
}

struct Shared {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    queue: Arc<Queue>,
    news: Arc<News>,
    counters: Arc<Counters>,
    writer: Option<JoinHandle<()>>,
}

impl Options {
    /// The defaults for a folder.
    pub fn new(path: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self {
            path: path.into(),
            clock,
            cache_bytes: 64 << 20,
        }
    }
}

impl Ledger {
    /// Opens or makes the ledger in a folder. Blocks.
    ///
    /// # Errors
    /// Another process has the folder open, or what is in it cannot be read.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let store = SledStore::open(&options.path, options.cache_bytes, options.clock.now_ms())?;
        let witness = Witness::check(&options.path, &store)?;
        Self::start(Arc::new(store), options.clock, Some(witness))
    }

    /// A ledger that is gone with the process.
    pub fn in_memory(clock: Arc<dyn Clock>) -> Self {
        match Self::on(Arc::new(MemoryStore::new()), clock) {
            Ok(ledger) => ledger,
            Err(error) => unreachable!("an empty store in memory opens: {error}"),
        }
    }

    /// A ledger on any store. Takes the writer's lease: an earlier ledger on the same store accepts no more commits.
    ///
    /// A store whose chain has been tampered with at its end opens for reading and verification only.
    ///
    /// # Errors
    /// The store fails, or has another format.
    pub fn on(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::start(store, clock, None)
    }

    fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        witness: Option<Witness>,
    ) -> Result<Self, OpenError> {
        check_format(store.as_ref())?;
        let lease = store.acquire(WRITER_LEASE, "ledger", clock.now_ms(), u64::MAX)??;
        let head = Head::read(store.as_ref())?;
        let newest = store.scan(Table::Events, &Span::all().newest_first(), 1)?;
        let newest = newest
            .first()
            .and_then(|(key, _)| layout::seq_of_event_key(key))
            .unwrap_or(0);
        let queue = Arc::new(Queue::default());
        let counters = Arc::new(Counters::default());
        let news = Arc::new(News::new());
        let writer = if head.seq == newest {
            let writer = Writer {
                store: store.clone(),
                fence: lease.fence,
                head,
                encoder: Encoder::default(),
                queue: queue.clone(),
                news: news.clone(),
                counters: counters.clone(),
                witness,
            };
            let thread = thread::Builder::new()
                .name("ledger-writer".to_owned())
                .spawn(move || writer.run());
            Some(thread.map_err(|error| {
                StoreError::Engine(format!("no thread for the writer: {error}"))
            })?)
        } else {
            queue.stop(format!(
                "its head is event {}, but its newest event is {newest}; verify it",
                head.seq
            ));
            None
        };
        Ok(Self {
            shared: Arc::new(Shared {
                store,
                clock,
                queue,
                news,
                counters,
                writer,
            }),
        })
    }

    /// Makes a commit. When this returns, the commit is on the disk. Once polled, the commit is made even if the
    /// future is dropped.
    ///
    /// # Errors
    /// See [`CommitError`]; in every case nothing of the commit was made, except that after
    /// [`CommitError::Stopped`] it is unknown until the ledger is opened again.
    pub async fn commit(&self, commit: Commit) -> Result<Receipt, CommitError> {
        let (tell, told) = oneshot::channel();
        self.hand_in(commit, Waiter::Durable(tell))?;
        told.await
            .unwrap_or_else(|_| Err(self.shared.queue.stopped()))
    }

    /// Makes a commit without waiting for the disk: a crash within half a second may undo it, together with all that
    /// came after it. Without expectations this costs the caller a few microseconds, and serialising and hashing
    /// happen elsewhere; with expectations it waits until they have been checked.
    ///
    /// # Errors
    /// See [`CommitError`]. A conflict can be reported only where there are expectations.
    pub fn commit_relaxed(&self, commit: Commit) -> Result<Receipt, CommitError> {
        if commit.expectations.is_empty() {
            let event_ids = self.hand_in(commit, Waiter::Nobody)?;
            return Ok(Receipt {
                event_ids,
                last_seq: None,
            });
        }
        let (tell, told) = mpsc::sync_channel(1);
        self.hand_in(commit, Waiter::Applied(tell))?;
        told.recv()
            .unwrap_or_else(|_| Err(self.shared.queue.stopped()))
    }

    /// Returns when everything handed in before is on the disk.
    ///
    /// # Errors
    /// The ledger has stopped.
    pub async fn flush(&self) -> Result<(), CommitError> {
        self.commit(Commit::new()).await.map(drop)
    }

    fn hand_in(&self, commit: Commit, waiter: Waiter) -> Result<Vec<uuid::Uuid>, CommitError> {
        commit.check()?;
        let time_ms = self.shared.clock.now_ms();
        let ids = commit
            .events
            .iter()
            .map(|event| event.id.unwrap_or_else(|| new_id(time_ms)));
        let event_ids: Vec<_> = ids.collect();
        let returned = event_ids.clone();
        self.shared.queue.push(Pending {
            draft: Draft {
                commit,
                event_ids,
                time_ms,
            },
            waiter,
        })?;
        Ok(returned)
    }

    /// The value of a state key.
    ///
    /// # Errors
    /// The store failed.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.settled().get(Table::State, key.as_bytes())?)
    }

    /// At most `limit` state keys that begin with `prefix`, in order, behind `after` if given. A scan that is
    /// continued with `after` may meet changes made meanwhile.
    ///
    /// # Errors
    /// The store failed.
    pub fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, ReadError> {
        let mut span = Span::prefix(prefix);
        if let Some(after) = after.filter(|after| *after >= prefix) {
            span = span.after(after);
        }
        self.state_rows(&span, limit)
    }

    /// At most `limit` state keys that begin with `prefix`, from the greatest down, before `before` if given.
    ///
    /// # Errors
    /// The store failed.
    pub fn scan_back(
        &self,
        prefix: &str,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, ReadError> {
        let mut span = Span::prefix(prefix).newest_first();
        if let Some(before) = before.filter(|before| before.starts_with(prefix) || *before < prefix)
        {
            span.to = Bound::Excluded(before.into());
        }
        self.state_rows(&span, limit)
    }

    fn state_rows(&self, span: &Span, limit: usize) -> Result<Vec<(String, Vec<u8>)>, ReadError> {
        let rows = self.settled().scan(Table::State, span, limit)?;
        let read = |(key, value): Row| match String::from_utf8(key) {
            Ok(key) => Ok((key, value)),
            Err(_) => Err(StoreError::Damaged("a state key is not text".to_owned()).into()),
        };
        rows.into_iter().map(read).collect()
    }

    /// The newest event's place and hash, `None` before the first. Noted elsewhere, it proves later that nothing was
    /// cut off.
    ///
    /// # Errors
    /// The store failed.
    pub fn head(&self) -> Result<Option<(u64, Hash)>, ReadError> {
        let head = Head::read(self.settled())?;
        Ok((head.seq > 0).then_some((head.seq, head.hash)))
    }

    /// One event.
    ///
    /// # Errors
    /// The store failed, or the event does not read.
    pub fn event(&self, seq: u64) -> Result<Option<StoredEvent>, ReadError> {
        let store = self.settled();
        match store.get(Table::Events, &layout::event_key(seq))? {
            Some(row) => decode(&mut Decoder::new(store), seq, &row).map(Some),
            None => Ok(None),
        }
    }

    /// At most `limit` events behind `after_seq`, in order.
    ///
    /// # Errors
    /// The store failed, or an event does not read.
    pub fn events(&self, after_seq: u64, limit: usize) -> Result<Vec<StoredEvent>, ReadError> {
        let span = Span::all().after(layout::event_key(after_seq));
        let store = self.settled();
        decode_all(store, store.scan(Table::Events, &span, limit)?.into_iter())
    }

    /// The newest `limit` events, oldest first.
    ///
    /// # Errors
    /// The store failed, or an event does not read.
    pub fn last(&self, limit: usize) -> Result<Vec<StoredEvent>, ReadError> {
        let store = self.settled();
        let rows = store.scan(Table::Events, &Span::all().newest_first(), limit)?;
        decode_all(store, rows.into_iter().rev())
    }

    /// At most `limit` events of one subject behind `after_seq`, in order.
    ///
    /// # Errors
    /// The store failed, or an event does not read.
    pub fn events_of(
        &self,
        subject: &str,
        after_seq: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        self.indexed(Table::Subjects, subject, after_seq, limit)
    }

    /// The newest `limit` events of one subject, oldest first.
    ///
    /// # Errors
    /// The store failed, or an event does not read.
    pub fn last_of(&self, subject: &str, limit: usize) -> Result<Vec<StoredEvent>, ReadError> {
        self.indexed_last(Table::Subjects, subject, limit)
    }

    /// At most `limit` events of one kind behind `after_seq`, in order.
    ///
    /// # Errors
    /// The store failed, or an event does not read.
    pub fn events_of_kind(
        &self,
        kind: &str,
        after_seq: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        self.indexed(Table::Kinds, kind, after_seq, limit)
    }

    /// The newest `limit` events of one kind, oldest first.
    ///
    /// # Errors
    /// The store failed, or an event does not read.
    pub fn last_of_kind(&self, kind: &str, limit: usize) -> Result<Vec<StoredEvent>, ReadError> {
        self.indexed_last(Table::Kinds, kind, limit)
    }

    /// Every event committed from now on, in order. A receiver that lags catches up with [`Ledger::events`].
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<StoredEvent>> {
        self.shared.news.of_all()
    }

    /// Like [`Ledger::subscribe`], of events only whose kind begins with one of `kinds`. For those who listen as long as
    /// the host runs: they are not woken for each request.
    pub fn subscribe_to(
        &self,
        kinds: &'static [&'static str],
    ) -> broadcast::Receiver<Arc<StoredEvent>> {
        self.shared.news.of(kinds)
    }

    /// Recomputes the whole chain from the stored bytes, and checks the indexes against it. `progress` is told how
    /// many events have been read, now and then.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, progress: impl FnMut(u64)) -> Result<Verified, Broken> {
        verify::verify(self.settled(), progress)
    }

    /// Writes every event as one line of CloudEvents JSON, ending in its hash. Returns how many.
    ///
    /// # Errors
    /// The store or the writer failed.
    pub fn export(&self, out: impl Write) -> std::io::Result<u64> {
        export::export(self.settled(), out)
    }

    /// Counts since the ledger was opened.
    pub fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters {
            commits,
            events,
            groups,
            syncs,
        } = self.shared.counters.as_ref();
        Stats {
            commits: read(commits),
            events: read(events),
            groups: read(groups),
            syncs: read(syncs),
        }
    }

    /// The time by the ledger's clock.
    pub fn now_ms(&self) -> u64 {
        self.shared.clock.now_ms()
    }

    /// The store as every commit that has returned left it.
    fn settled(&self) -> &dyn Store {
        self.shared.queue.settle();
        self.shared.store.as_ref()
    }

    fn indexed(
        &self,
        table: Table,
        name: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        let span = Span::prefix(layout::index_prefix(name)).after(layout::index_key(name, after));
        let mut seqs = seqs_of(self.settled().scan(table, &span, limit)?)?;
        seqs.retain(|seq| *seq > after);
        seqs.truncate(limit);
        self.fetch(&seqs)
    }

    fn indexed_last(
        &self,
        table: Table,
        name: &str,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        let span = Span::prefix(layout::index_prefix(name)).newest_first();
        let mut rows = self.settled().scan(table, &span, limit)?;
        rows.reverse();
        let seqs = seqs_of(rows)?;
        self.fetch(&seqs[seqs.len().saturating_sub(limit)..])
    }

    fn fetch(&self, seqs: &[u64]) -> Result<Vec<StoredEvent>, ReadError> {
        let mut decoder = Decoder::new(self.shared.store.as_ref());
        let fetch = |seq: &u64| {
            let key = layout::event_key(*seq);
            let row = self.shared.store.get(Table::Events, &key)?;
            let row = row.ok_or_else(|| ReadError::Broken {
                seq: *seq,
                reason: "it is in an index but not in the chain".to_owned(),
            })?;
            decode(&mut decoder, *seq, &row)
        };
        seqs.iter().map(fetch).collect()
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("path", &self.path)
            .field("cache_bytes", &self.cache_bytes)
            .finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
        // The folder is free for another process when the writer has written the rest and let go of the store.
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the ledger's writer died");
        }
    }
}

/// Leaves the present format in the store, whether it is new or of a format before.
fn check_format(store: &dyn Store) -> Result<(), OpenError> {
    let found = store.get(Table::Meta, layout::FORMAT)?;
    match &found {
        Some(found) if found == layout::FORMAT_NOW => return Ok(()),
        Some(found) if layout::FORMATS_BEFORE.contains(&found.as_slice()) => {}
        Some(found) => {
            return Err(OpenError::Format {
                found: String::from_utf8_lossy(found).into_owned(),
            });
        }
        None => {}
    }
    let (table, key) = (Table::Meta, layout::FORMAT.to_vec());
    let batch = Batch {
        fence: None,
        expect: vec![Expect {
            table,
            key: key.clone(),
            value: found,
        }],
        writes: vec![Put {
            table,
            key,
            value: Some(layout::FORMAT_NOW.to_vec()),
        }],
    };
    match store.append(batch)? {
        Appended::Done => Ok(()),
        Appended::Fenced | Appended::Changed(_) => check_format(store),
    }
}

/// The seqs of index rows, in the rows' order.
fn seqs_of(rows: Vec<Row>) -> Result<Vec<u64>, ReadError> {
    let mut seqs = Vec::new();
    for row in &rows {
        let (_, members) = layout::split_index_row(row).ok_or_else(|| ReadError::Broken {
            seq: 0,
            reason: "an index row is malformed".to_owned(),
        })?;
        seqs.extend(members);
    }
    Ok(seqs)
}

fn decode_all(
    store: &dyn Store,
    rows: impl Iterator<Item = Row>,
) -> Result<Vec<StoredEvent>, ReadError> {
    let mut decoder = Decoder::new(store);
    rows.map(|(key, row)| {
        let seq = layout::seq_of_event_key(&key).unwrap_or(0);
        decode(&mut decoder, seq, &row)
    })
    .collect()
}

fn decode(decoder: &mut Decoder<'_>, seq: u64, row: &[u8]) -> Result<StoredEvent, ReadError> {
    let broken = |reason: String| ReadError::Broken { seq, reason };
    let (hash, text) = decoder.decode(seq, row).map_err(|error| match error {
        RowError::Store(error) => error.into(),
        error => broken(error.to_string()),
    })?;
    StoredEvent::decode(&text, hash).map_err(|error| broken(error.to_string()))
}
