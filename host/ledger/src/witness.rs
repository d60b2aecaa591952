//! The newest durable event, noted beside the database.
//!
//! When its log is damaged in the right place, sled opens what is left, and what is left can be nothing: a folder
//! that lost everything would pass for a new one, and a chain that lost its end verifies. So the writer notes now and
//! then how far the disk has come, in a file that sled does not know; a ledger that opens with less is refused.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::chain::Head;
use crate::store::{Span, Store, Table};
use crate::{OpenError, layout};

/// Durable events between two notes: a note costs a flush of its own, so it may not follow every commit.
const EVERY: u64 = 1024;

/// The file, and what it says.
#[derive(Debug)]
pub(crate) struct Witness {
    path: PathBuf,
    noted: Option<u64>,
}

impl Witness {
    /// Reads the note in a ledger's folder and holds the store against it.
    pub(crate) fn check(folder: &Path, store: &dyn Store) -> Result<Self, OpenError> {
        let path = folder.join("witness");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { path, noted: None });
            }
            Err(source) => return Err(OpenError::Folder { path, source }),
        };
        let Some(noted) = parse(&text) else {
            return Err(OpenError::Witness { path });
        };
        // A head without its event, or an event without its head, is what a verification finds and describes; here
        // only what left no trace is looked for.
        let newest = store.scan(Table::Events, &Span::all().newest_first(), 1)?;
        let newest = newest
            .first()
            .and_then(|(key, _)| layout::seq_of_event_key(key));
        if newest.max(Some(Head::read(store)?.seq)) < Some(noted.seq) {
            return Err(OpenError::Lost {
                path: folder.to_owned(),
                seq: noted.seq,
            });
        }
        Ok(Self {
            path,
            noted: Some(noted.seq),
        })
    }

    /// Whether it is time for a new note.
    pub(crate) fn is_due(&self, head: Head) -> bool {
        self.noted
            .is_none_or(|noted| head.seq >= noted.saturating_add(EVERY))
    }

    /// Notes an event that is on the disk. A failure leaves the earlier note, which is still true.
    pub(crate) fn note(&mut self, durable: Head) {
        if self.noted == Some(durable.seq) {
            return;
        }
        match write(&self.path, durable) {
            Ok(()) => self.noted = Some(durable.seq),
            Err(error) => {
                tracing::warn!(%error, path = %self.path.display(), "the ledger's witness is out of date");
            }
        }
    }
}

fn parse(text: &str) -> Option<Head> {
    let (seq, hash) = text.trim_end().split_once(' ')?;
    Some(Head {
        seq: seq.parse().ok()?,
        hash: hash.parse().ok()?,
    })
}

fn write(path: &Path, head: Head) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    writeln!(file, "{} {}", head.seq, head.hash)?;
    file.sync_data()?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hash;

    #[test]
    fn a_note_reads_back_as_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("witness");
        let head = Head {
            seq: 77,
            hash: Hash::of(b"x"),
        };
        write(&path, head).unwrap();
        assert_eq!(parse(&fs::read_to_string(path).unwrap()), Some(head));
    }

    #[test]
    fn anything_else_is_not_a_note() {
        for text in ["", "7", "7 ", "x 00", "7 00", &format!("-1 {}", Hash::ZERO)] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn notes_are_taken_at_first_and_then_now_and_then() {
        let at = |seq| Head {
            seq,
            hash: Hash::ZERO,
        };
        let mut witness = Witness {
            path: PathBuf::new(),
            noted: None,
        };
        assert!(witness.is_due(at(0)));
        witness.noted = Some(5);
        assert!(!witness.is_due(at(EVERY + 4)));
        assert!(witness.is_due(at(EVERY + 5)));
    }
}
