//! The engine's observer: every query and write goes into the watch.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use polity_engine::{Observer, QueryObservation, WriteKind, WriteObservation};
use polity_watch::{Execution, Fingerprint, Shape, Stats, Watch};
use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use crate::Now;
use crate::shapes::shapes;

/// Shapes that are kept ready. Beyond, the list starts anew: a load with more different queries has no use for it.
const SHAPES: usize = 1024;

/// What is remembered, and where it lies between two runs.
pub(crate) struct Watching {
    file: PathBuf,
    now: Now,
    memory: Mutex<Memory>,
}

struct Memory {
    watch: Watch,
    /// By the engine's fingerprint.
    shapes: FxHashMap<u64, Arc<[(Shape, Fingerprint)]>>,
    changed: bool,
}

impl Watching {
    /// What was written last, or nothing.
    pub(crate) fn read(file: PathBuf, now: Now) -> Self {
        let watch = match fs::read(&file) {
            Ok(bytes) => Watch::restore(&bytes).unwrap_or_else(|error| {
                tracing::warn!(%error, file = %file.display(), "how the records were used is forgotten");
                Watch::default()
            }),
            Err(_) => Watch::default(),
        };
        Self {
            file,
            now,
            memory: Mutex::new(Memory {
                watch,
                shapes: FxHashMap::default(),
                changed: false,
            }),
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.memory.lock().watch.stats((self.now)())
    }

    /// A collection is there, whether or not anybody has used it.
    pub(crate) fn knows(&self, collection: &str) {
        let mut memory = self.memory.lock();
        let at = (self.now)();
        if !memory
            .watch
            .stats(at)
            .collections
            .iter()
            .any(|known| known.collection == collection)
        {
            memory.watch.sized(collection, 0, at);
        }
    }

    /// Writes what is remembered, if there is anything new. A failure costs statistics, no record.
    pub(crate) fn write(&self) {
        let snapshot = {
            let mut memory = self.memory.lock();
            if !std::mem::take(&mut memory.changed) {
                return;
            }
            memory.watch.snapshot()
        };
        let written = snapshot
            .map_err(|error| error.to_string())
            .and_then(|bytes| replace(&self.file, &bytes).map_err(|error| error.to_string()));
        if let Err(reason) = written {
            tracing::warn!(reason, file = %self.file.display(), "how the records are used is not stored");
        }
    }
}

impl Observer for Watching {
    fn query(&self, query: &QueryObservation<'_>) {
        // A query that was stopped at a limit has cost as much as one that was answered.
        if query.shape.collections.is_empty() || (query.failed && query.examined == 0) {
            return;
        }
        let at = (self.now)();
        let mut memory = self.memory.lock();
        let memory = &mut *memory;
        let known = match memory.shapes.get(&query.fingerprint) {
            Some(known) => known.clone(),
            None => {
                let known: Arc<[_]> = shapes(query.shape, query.text).into();
                if memory.shapes.len() >= SHAPES {
                    memory.shapes.clear();
                }
                memory.shapes.insert(query.fingerprint, known.clone());
                known
            }
        };
        for (n, (shape, fingerprint)) in known.iter().enumerate() {
            let run = Execution {
                shape,
                fingerprint: *fingerprint,
                rows_examined: query.examined,
                rows_returned: query.returned,
                us: query.micros,
                // Once, however many collections are joined.
                used: if n == 0 { &query.shape.uses } else { &[] },
            };
            memory.watch.executed(&run, at);
        }
        memory.changed = true;
    }

    fn write(&self, write: &WriteObservation<'_>) {
        let at = (self.now)();
        let document = || {
            let fields = write.fields.iter().map(|(name, value)| {
                let value = serde_json::to_value(value).unwrap_or_default();
                ((*name).to_owned(), value)
            });
            Value::Object(fields.collect::<Map<_, _>>())
        };
        match write.kind {
            WriteKind::Insert => {
                let document = document();
                let mut memory = self.memory.lock();
                memory.watch.wrote(write.collection, &document, at);
                memory.changed = true;
            }
            WriteKind::Update => {
                let document = document();
                let mut memory = self.memory.lock();
                memory.watch.replaced(write.collection, &document, at);
                memory.changed = true;
            }
            WriteKind::Delete => {
                let mut memory = self.memory.lock();
                memory.watch.removed(write.collection, at);
                memory.changed = true;
            }
        }
    }
}

/// Writes beside the place and moves it there: what has the name is whole.
fn replace(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let unfinished = file.with_extension("watch.new");
    let mut out = fs::File::create(&unfinished)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    fs::rename(unfinished, file)
}
