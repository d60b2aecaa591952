//! Whether the chain is what was written.
//!
//! Every hash is computed anew from the stored texts. The indexes are held against the events both ways: an entry
//! that is missing hides an event from whoever asks by subject, an entry too many shows one that never was.

use std::collections::HashMap;
use std::fmt;

use crate::chain::Head;
use crate::event::StoredEvent;
use crate::row::{Decoder, RowError};
use crate::store::{Span, Store, StoreError, Table};
use crate::{Hash, layout};

const PAGE: usize = 256;

/// What was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// How many events there are.
    pub events: u64,
    /// The hash of the newest, zeros if there is none.
    pub head: Hash,
}

/// The first thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ledger is broken at event {seq}: {why}")]
pub struct Broken {
    /// Where.
    pub seq: u64,
    /// What.
    pub why: Why,
}

/// What is wrong with an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Its bytes have another hash than the one stored with them.
    HashMismatch {
        /// The stored hash.
        stored: Hash,
        /// The hash of the stored bytes.
        computed: Hash,
    },
    /// It does not follow the event before it.
    PreviousMismatch {
        /// The hash it claims to follow.
        claims: Hash,
        /// The hash of the event before it.
        previous: Hash,
    },
    /// There is no such event, though there are later ones.
    Missing,
    /// The head of the chain says that this is not the newest event, or that the newest has another hash.
    Head,
    /// It does not read.
    Unreadable(String),
    /// The index by subject or kind has no entry for it.
    Unindexed(&'static str),
    /// The index by subject or kind has an entry that is not its own.
    FalselyIndexed {
        /// Which index.
        index: &'static str,
        /// Under which name.
        name: String,
    },
    /// The store failed.
    Store(StoreError),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HashMismatch { stored, computed } => {
                write!(
                    f,
                    "hash mismatch: it was written with hash {stored}, its bytes now have {computed}"
                )
            }
            Self::PreviousMismatch { claims, previous } => {
                write!(
                    f,
                    "it claims to follow {claims}, but the event before it has hash {previous}"
                )
            }
            Self::Missing => f.write_str("it is missing"),
            Self::Head => {
                f.write_str("it is not the event that the head of the chain names as the newest")
            }
            Self::Unreadable(reason) => write!(f, "it does not read: {reason}"),
            Self::Unindexed(index) => write!(f, "tampered index: it cannot be found by {index}"),
            Self::FalselyIndexed { index, name } => {
                write!(f, "tampered index: the {index} {name:?} claims it wrongly")
            }
            Self::Store(error) => error.fmt(f),
        }
    }
}

pub(crate) fn verify(store: &dyn Store, mut progress: impl FnMut(u64)) -> Result<Verified, Broken> {
    let head = Head::read(store).map_err(at(0))?;
    let mut before = Head::START;
    let mut decoder = Decoder::new(store);
    let mut kinds = Kinds::default();
    while before.seq < head.seq {
        let span = Span::all().after(layout::event_key(before.seq));
        let rows = store
            .scan(Table::Events, &span, PAGE)
            .map_err(at(before.seq + 1))?;
        if rows.is_empty() {
            return Err(Broken {
                seq: before.seq + 1,
                why: Why::Missing,
            });
        }
        for (key, row) in rows {
            if before.seq == head.seq {
                break;
            }
            before = check(store, &mut decoder, &mut kinds, before, &key, &row)?;
        }
        progress(before.seq);
    }
    let broken_head = |seq| Broken {
        seq,
        why: Why::Head,
    };
    if before != head {
        return Err(broken_head(head.seq));
    }
    // Later events are no fault if the head has moved on meanwhile.
    let later = store
        .scan(
            Table::Events,
            &Span::all().after(layout::event_key(head.seq)),
            1,
        )
        .map_err(at(head.seq))?;
    if let Some(seq) = later
        .first()
        .and_then(|(key, _)| layout::seq_of_event_key(key))
        && Head::read(store).map_err(at(seq))?.seq < seq
    {
        return Err(broken_head(seq));
    }
    for (table, index) in [(Table::Subjects, "subject"), (Table::Kinds, "kind")] {
        check_index(store, table, index, head.seq)?;
    }
    Ok(Verified {
        events: head.seq,
        head: head.hash,
    })
}

fn at(seq: u64) -> impl Fn(StoreError) -> Broken {
    move |error| Broken {
        seq,
        why: Why::Store(error),
    }
}

fn check(
    store: &dyn Store,
    decoder: &mut Decoder<'_>,
    kinds: &mut Kinds,
    before: Head,
    key: &[u8],
    row: &[u8],
) -> Result<Head, Broken> {
    let seq = before.seq + 1;
    let broken = |why| Broken { seq, why };
    if layout::seq_of_event_key(key) != Some(seq) {
        return Err(broken(Why::Missing));
    }
    let unreadable = |reason: &str| broken(Why::Unreadable(reason.to_owned()));
    let (stored, body) = match decoder.decode(seq, row) {
        Ok(read) => read,
        Err(RowError::Store(error)) => return Err(broken(Why::Store(error))),
        Err(error) => return Err(unreadable(&error.to_string())),
    };
    let computed = Hash::of(&body);
    if computed != stored {
        return Err(broken(Why::HashMismatch { stored, computed }));
    }
    let event =
        StoredEvent::decode(&body, stored).map_err(|error| unreadable(&error.to_string()))?;
    if event.previous_hash != before.hash {
        return Err(broken(Why::PreviousMismatch {
            claims: event.previous_hash,
            previous: before.hash,
        }));
    }
    if event.seq != seq {
        return Err(unreadable("its sequence is another one"));
    }
    let subject = layout::index_key(&event.subject, seq);
    if store
        .get(Table::Subjects, &subject)
        .map_err(at(seq))?
        .is_none()
    {
        return Err(broken(Why::Unindexed("subject")));
    }
    if !kinds.have(store, &event.kind, seq).map_err(at(seq))? {
        return Err(broken(Why::Unindexed("kind")));
    }
    Ok(Head { seq, hash: stored })
}

/// The index by kind, as far as it is at hand: for each kind the row that its next event should be in.
#[derive(Default)]
struct Kinds(HashMap<String, Vec<u64>>);

impl Kinds {
    /// Whether the index has the event. Events are asked for in order.
    fn have(&mut self, store: &dyn Store, kind: &str, seq: u64) -> Result<bool, StoreError> {
        let row = match self.0.get(kind) {
            Some(seqs) if seqs.last().is_some_and(|last| *last >= seq) => seqs,
            _ => {
                let span = Span::prefix(layout::index_prefix(kind))
                    .after(layout::index_key(kind, seq - 1));
                let rows = store.scan(Table::Kinds, &span, 1)?;
                let seqs = rows.first().and_then(layout::split_index_row);
                let seqs = seqs.map(|(_, seqs)| seqs).unwrap_or_default();
                self.0.entry(kind.to_owned()).insert_entry(seqs).into_mut()
            }
        };
        Ok(row.binary_search(&seq).is_ok())
    }
}

/// Every event has its entry by now, so the index is right exactly if it has no more entries than there are events.
fn check_index(
    store: &dyn Store,
    table: Table,
    index: &'static str,
    events: u64,
) -> Result<(), Broken> {
    if count_entries(store, table, events, |_| Ok(()))? == events {
        return Ok(());
    }
    let mut decoder = Decoder::new(store);
    let falsely = |seq, name: String| Broken {
        seq,
        why: Why::FalselyIndexed { index, name },
    };
    let mut before = (String::new(), 0);
    count_entries(store, table, events, |entry| {
        let (name, seq) = match entry {
            Ok(entry) => entry,
            Err(key) => return Err(falsely(0, String::from_utf8_lossy(key).into_owned())),
        };
        // Two rows may claim one event.
        if before.0 != name {
            before = (name.to_owned(), 0);
        }
        if seq <= std::mem::replace(&mut before.1, seq) {
            return Err(falsely(seq, name.to_owned()));
        }
        let row = store
            .get(Table::Events, &layout::event_key(seq))
            .map_err(at(seq))?;
        let event = row.and_then(|row| {
            let (hash, body) = decoder.decode(seq, &row).ok()?;
            StoredEvent::decode(&body, hash).ok()
        });
        let own = event.is_some_and(|event| match table {
            Table::Subjects => event.subject == name,
            _ => event.kind == name,
        });
        if own {
            Ok(())
        } else {
            Err(falsely(seq, name.to_owned()))
        }
    })
    .map(drop)
}

/// Counts the entries that are not for events past `events`, and shows them to `each`: name and seq, or the key of a row
/// that is no index row.
fn count_entries(
    store: &dyn Store,
    table: Table,
    events: u64,
    mut each: impl FnMut(Result<(&str, u64), &[u8]>) -> Result<(), Broken>,
) -> Result<u64, Broken> {
    let mut count = 0;
    let mut span = Span::all();
    loop {
        let rows = store.scan(table, &span, PAGE).map_err(at(0))?;
        let Some((last, _)) = rows.last() else {
            return Ok(count);
        };
        span = Span::all().after(last.clone());
        for row in &rows {
            let Some((name, seqs)) = layout::split_index_row(row) else {
                count += 1;
                each(Err(&row.0))?;
                continue;
            };
            for seq in seqs.into_iter().filter(|seq| *seq <= events) {
                count += 1;
                each(Ok((name, seq)))?;
            }
        }
    }
}
