//! The growing end of the chain: turns accepted commits into the rows that make them so.
//!
//! Pure apart from the reads that check expectations, so that everything about a batch of commits is decided before
//! the store sees any of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::commit::{Commit, CommitError, Receipt};
use crate::event::StoredEvent;
use crate::row::Encoder;
use crate::store::{Batch, Expect, Fence, Store, StoreError, Table, Write};
use crate::{Hash, layout};

/// The newest event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: u64,
    pub(crate) hash: Hash,
}

/// A commit with the names and times that were given to it when it was handed in.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) commit: Commit,
    pub(crate) event_ids: Vec<uuid::Uuid>,
    pub(crate) time_ms: u64,
}

/// Rows after which a batch is written. Readers wait while one is applied, and sled keeps every page that it replaces
/// until it is done: with 900 rows that took 5 to 15 MB more memory and a fifth more of the writer's time.
const BATCH_ROWS: usize = 150;

/// Commits that are made durable together.
pub(crate) struct Group {
    start: Head,
    pub(crate) head: Head,
    rows: Vec<Write>,
    /// The events of the rows, by kind.
    kinds: BTreeMap<String, Vec<u64>>,
    /// The state as it will be, where this group changes it.
    state: HashMap<String, Option<Vec<u8>>>,
    pub(crate) events: Vec<Arc<StoredEvent>>,
}

impl Head {
    pub(crate) const START: Self = Self {
        seq: 0,
        hash: Hash::ZERO,
    };

    pub(crate) fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let Some(row) = store.get(Table::Meta, layout::HEAD)? else {
            return Ok(Self::START);
        };
        match layout::split_head_row(&row) {
            Some((seq, hash)) => Ok(Self { seq, hash }),
            None => Err(StoreError::Damaged(
                "the head of the chain does not read".to_owned(),
            )),
        }
    }

    fn row(self) -> Option<Vec<u8>> {
        (self.seq > 0).then(|| layout::head_row(self.seq, &self.hash))
    }
}

impl Group {
    pub(crate) fn new(head: Head) -> Self {
        Self {
            start: head,
            head,
            rows: Vec::new(),
            kinds: BTreeMap::new(),
            state: HashMap::new(),
            events: Vec::new(),
        }
    }

    /// Adds a commit, if what it expects holds in the store as the earlier commits of the group will leave it. The
    /// inner error is for the commit alone; the group goes on without it.
    pub(crate) fn add(
        &mut self,
        store: &dyn Store,
        encoder: &mut Encoder,
        draft: Draft,
    ) -> Result<Result<Receipt, CommitError>, StoreError> {
        let Draft {
            commit,
            event_ids,
            time_ms,
        } = draft;
        for (key, expected) in &commit.expectations {
            let found = match self.state.get(key) {
                Some(value) => value.clone(),
                None => store.get(Table::State, key.as_bytes())?,
            };
            if found != *expected {
                return Ok(Err(CommitError::conflict(
                    key,
                    expected.as_deref(),
                    found.as_deref(),
                )));
            }
        }
        self.state.extend(commit.changes);
        let last_seq = (!event_ids.is_empty()).then_some(self.head.seq + event_ids.len() as u64);
        for (event, id) in commit.events.into_iter().zip(&event_ids) {
            let seq = self.head.seq + 1;
            let (stored, body) = event.link(seq, *id, time_ms, self.head.hash);
            self.head = Head {
                seq,
                hash: stored.hash,
            };
            self.rows.extend([
                Write {
                    table: Table::Events,
                    key: layout::event_key(seq),
                    value: Some(encoder.encode(&stored.kind, seq, &stored.hash, &body)),
                },
                Write {
                    table: Table::Subjects,
                    key: layout::index_key(&stored.subject, seq),
                    value: Some(Vec::new()),
                },
            ]);
            match self.kinds.get_mut(&stored.kind) {
                Some(seqs) => seqs.push(seq),
                None => drop(self.kinds.insert(stored.kind.clone(), vec![seq])),
            }
            self.events.push(Arc::new(stored));
        }
        Ok(Ok(Receipt {
            event_ids,
            last_seq,
        }))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.state.is_empty()
    }

    /// Whether what has been added is to be written before more is.
    pub(crate) fn is_full(&self) -> bool {
        self.rows.len() + self.kinds.len() + self.state.len() >= BATCH_ROWS
    }

    /// What was added since the last batch, valid only on top of that one. Leaves the events behind.
    pub(crate) fn take_batch(&mut self, fence: Fence) -> Batch {
        let mut writes = std::mem::take(&mut self.rows);
        let kinds = std::mem::take(&mut self.kinds).into_iter();
        writes.extend(kinds.filter_map(|(kind, seqs)| {
            Some(Write {
                table: Table::Kinds,
                key: layout::index_key(&kind, *seqs.last()?),
                value: Some(layout::index_value(&seqs)),
            })
        }));
        let state = std::mem::take(&mut self.state).into_iter();
        writes.extend(state.map(|(key, value)| Write {
            table: Table::State,
            key: key.into_bytes(),
            value,
        }));
        if self.head != self.start {
            writes.push(Write {
                table: Table::Meta,
                key: layout::HEAD.to_vec(),
                value: self.head.row(),
            });
        }
        let expect = vec![Expect {
            table: Table::Meta,
            key: layout::HEAD.to_vec(),
            value: self.start.row(),
        }];
        self.start = self.head;
        Batch {
            fence: Some(fence),
            expect,
            writes,
        }
    }
}
