//! How an event's text is written: in full, or as what it adds to an earlier event of its kind.
//!
//! Events of one kind say nearly the same in nearly the same words; a decision recorded in full is 2.6 kB, of which a
//! few hundred bytes are news. So now and then an event is written in full, and those behind it are LZ4 blocks with
//! its text as their dictionary. No text is more than one step from a full one, and no full one carries more than
//! [`FOLLOWERS`]: what a damaged row takes with it is bounded.
//!
//! | row | bytes |
//! |---|---|
//! | in full | hash (32), then the text, which begins with `{` |
//! | as a difference | hash (32), `1`, seq of the event in full (8, big-endian), length of the text (4), LZ4 block |

use std::borrow::Cow;
use std::collections::HashMap;

use lz4_flex::block;

use crate::store::{Store, StoreError, Table};
use crate::{Hash, layout};

const HASH: usize = 32;
/// No text begins with this.
const DIFFERENCE: u8 = 1;
/// How many rows may lean on one.
const FOLLOWERS: u32 = 256;
/// Below this a difference saves less than its header and the look-up cost.
const SHORTEST: usize = 256;
/// What LZ4 can look back to; of a longer text only the end would help.
const LONGEST_BASE: usize = 64 << 10;
/// Kinds whose newest full text is kept in memory by the writer. A company has some dozens.
const KINDS: usize = 128;
/// LZ4 cannot make one byte stand for more; a row that claims it is damaged.
const GREATEST_RATIO: usize = 255;

/// The writing side: remembers, for each kind, the text that the next rows lean on.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    bases: HashMap<String, Base>,
    /// What is compressed into, again and again.
    block: Vec<u8>,
}

#[derive(Debug)]
struct Base {
    seq: u64,
    text: String,
    followers: u32,
}

/// The reading side. Keeps the full texts it has met, so that a scan reads each once.
pub(crate) struct Decoder<'s> {
    store: &'s dyn Store,
    bases: HashMap<u64, Vec<u8>>,
}

/// Why a row does not read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RowError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Malformed(&'static str),
    #[error("it is written as a difference to event {0}, which is missing or damaged")]
    Base(u64),
}

impl Encoder {
    pub(crate) fn encode(&mut self, kind: &str, seq: u64, hash: &Hash, text: &str) -> Vec<u8> {
        if text.len() < SHORTEST {
            return in_full(hash, text);
        }
        if let Some(base) = self.bases.get_mut(kind)
            && base.followers < FOLLOWERS
            && let Ok(length) = u32::try_from(text.len())
        {
            let longest = block::get_maximum_output_size(text.len());
            self.block.resize(self.block.len().max(longest), 0);
            let (bytes, dictionary) = (text.as_bytes(), base.text.as_bytes());
            // A difference of more than half the text says that the kind's events look otherwise by now.
            if let Ok(written) = block::compress_into_with_dict(bytes, &mut self.block, dictionary)
                && written * 2 < bytes.len()
            {
                base.followers += 1;
                let parts: [&[u8]; 5] = [
                    hash.as_bytes(),
                    &[DIFFERENCE],
                    &base.seq.to_be_bytes(),
                    &length.to_be_bytes(),
                    &self.block[..written],
                ];
                return parts.concat();
            }
        }
        if text.len() <= LONGEST_BASE {
            if self.bases.len() >= KINDS && !self.bases.contains_key(kind) {
                self.bases.clear();
            }
            let base = Base {
                seq,
                text: text.to_owned(),
                followers: 0,
            };
            self.bases.insert(kind.to_owned(), base);
        }
        in_full(hash, text)
    }
}

impl<'s> Decoder<'s> {
    pub(crate) fn new(store: &'s dyn Store) -> Self {
        Self {
            store,
            bases: HashMap::new(),
        }
    }

    /// The hash and the hashed text. The text is not checked against the hash: verification does that.
    pub(crate) fn decode<'r>(
        &mut self,
        seq: u64,
        row: &'r [u8],
    ) -> Result<(Hash, Cow<'r, [u8]>), RowError> {
        let (hash, rest) = split(row)?;
        if rest.first() != Some(&DIFFERENCE) {
            self.keep(seq, rest);
            return Ok((hash, Cow::Borrowed(rest)));
        }
        let damaged = RowError::Malformed("its row is cut short");
        let Some((base, rest)) = rest[1..].split_first_chunk::<8>() else {
            return Err(damaged);
        };
        let Some((length, block)) = rest.split_first_chunk::<4>() else {
            return Err(damaged);
        };
        let (base, length) = (
            u64::from_be_bytes(*base),
            u32::from_be_bytes(*length) as usize,
        );
        if length > block.len().saturating_mul(GREATEST_RATIO) {
            return Err(RowError::Malformed("its row claims an impossible length"));
        }
        let text = block::decompress_with_dict(block, length, self.base(base)?)
            .map_err(|_| RowError::Malformed("its row does not decompress"))?;
        if text.len() != length {
            return Err(RowError::Malformed("its row claims another length"));
        }
        Ok((hash, Cow::Owned(text)))
    }

    fn base(&mut self, seq: u64) -> Result<&[u8], RowError> {
        if !self.bases.contains_key(&seq) {
            let row = self.store.get(Table::Events, &layout::event_key(seq))?;
            let row = row.ok_or(RowError::Base(seq))?;
            match split(&row) {
                Ok((_, text)) if text.first() == Some(&b'{') => self.keep(seq, text),
                _ => return Err(RowError::Base(seq)),
            }
        }
        self.bases
            .get(&seq)
            .map(Vec::as_slice)
            .ok_or(RowError::Base(seq))
    }

    fn keep(&mut self, seq: u64, text: &[u8]) {
        if (SHORTEST..=LONGEST_BASE).contains(&text.len()) {
            if self.bases.len() >= KINDS {
                self.bases.clear();
            }
            self.bases.insert(seq, text.to_vec());
        }
    }
}

fn in_full(hash: &Hash, text: &str) -> Vec<u8> {
    [hash.as_bytes(), text.as_bytes()].concat()
}

fn split(row: &[u8]) -> Result<(Hash, &[u8]), RowError> {
    match row.split_first_chunk::<HASH>() {
        Some((hash, rest)) => Ok((Hash::from(*hash), rest)),
        None => Err(RowError::Malformed("its row is too short")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::{Appended, Batch, MemoryStore, Write};

    fn write(store: &MemoryStore, seq: u64, row: Vec<u8>) {
        let write = Write {
            table: Table::Events,
            key: layout::event_key(seq),
            value: Some(row),
        };
        let batch = Batch {
            writes: vec![write],
            ..Batch::default()
        };
        assert_eq!(store.append(batch), Ok(Appended::Done));
    }

    fn text(n: u64) -> String {
        let words: String = (0..40).map(|word| format!("word-{word} ")).collect();
        format!("{{\"n\":{n},\"words\":\"{words}\"}}")
    }

    fn stored(texts: &[(&str, String)]) -> (MemoryStore, Vec<Vec<u8>>) {
        let (store, mut encoder) = (MemoryStore::new(), Encoder::default());
        let mut rows = Vec::new();
        for (seq, (kind, text)) in (1..).zip(texts) {
            let row = encoder.encode(kind, seq, &Hash::of(text.as_bytes()), text);
            write(&store, seq, row.clone());
            rows.push(row);
        }
        (store, rows)
    }

    #[test]
    fn alike_events_are_written_as_small_differences() {
        let texts: Vec<_> = (0..600).map(|n| ("a", text(n))).collect();
        let (store, rows) = stored(&texts);
        let full: Vec<usize> = (0..rows.len())
            .filter(|at| rows[*at][HASH] == b'{')
            .collect();
        assert_eq!(full, [0, 257, 514]);
        assert!(rows[1].len() < texts[1].1.len() / 4, "{}", rows[1].len());
        for (at, row) in rows.iter().enumerate() {
            let (hash, read) = Decoder::new(&store).decode(at as u64 + 1, row).unwrap();
            assert_eq!(
                (hash, read.as_ref()),
                (Hash::of(texts[at].1.as_bytes()), texts[at].1.as_bytes())
            );
        }
    }

    #[test]
    fn a_difference_to_a_row_that_is_gone_or_changed_is_an_error_that_names_it() {
        let (store, rows) = stored(&[("a", text(1)), ("a", text(2))]);
        let empty = MemoryStore::new();
        assert_eq!(
            Decoder::new(&empty).decode(2, &rows[1]),
            Err(RowError::Base(1))
        );
        write(&store, 1, rows[1].clone());
        assert_eq!(
            Decoder::new(&store).decode(2, &rows[1]),
            Err(RowError::Base(1))
        );
    }

    #[test]
    fn a_row_that_claims_another_length_is_refused_before_gigabytes_are_allocated() {
        let (store, rows) = stored(&[("a", text(1)), ("a", text(2))]);
        let mut row = rows[1].clone();
        row[HASH + 9..HASH + 13].copy_from_slice(&u32::MAX.to_be_bytes());
        let refused = Decoder::new(&store).decode(2, &row).unwrap_err();
        assert_eq!(refused.to_string(), "its row claims an impossible length");
        row = rows[1].clone();
        row[HASH + 12] += 1;
        let refused = Decoder::new(&store).decode(2, &row).unwrap_err();
        assert_eq!(refused.to_string(), "its row claims another length");
    }

    proptest! {
        #[test]
        fn every_text_reads_back(parts in prop::collection::vec(("[ab]", "\\{[a-c]{0,900}"), 1..40)) {
            let texts: Vec<(&str, String)> = parts.iter().map(|(kind, text)| (kind.as_str(), text.clone())).collect();
            let (store, rows) = stored(&texts);
            let mut decoder = Decoder::new(&store);
            for (seq, (row, (_, text))) in (1..).zip(rows.iter().zip(&texts)) {
                let (hash, read) = decoder.decode(seq, row).unwrap();
                prop_assert_eq!(read.as_ref(), text.as_bytes());
                prop_assert_eq!(hash, Hash::of(text.as_bytes()));
            }
        }

        #[test]
        fn arbitrary_rows_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..120), seq: u64) {
            let (store, rows) = stored(&[("a", text(1)), ("a", text(2))]);
            let _ = Decoder::new(&store).decode(seq, &bytes);
            let mut row = rows[1].clone();
            for (at, byte) in bytes.iter().enumerate() {
                row[HASH + 9 + at % 20] ^= byte;
            }
            let _ = Decoder::new(&store).decode(2, &row);
        }
    }
}
