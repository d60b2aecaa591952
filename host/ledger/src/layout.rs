//! Where each thing is in the store's tables, and how its row is spelled.
//!
//! | table | key | value |
//! |---|---|---|
//! | events | seq, 8 bytes big-endian | see [`crate::row`] |
//! | subjects | subject, zero byte, seq | nothing |
//! | kinds | kind, zero byte, seq of the last event of the kind in a batch | how far back each of the others is, 4 bytes each |
//! | state | the caller's key | the caller's bytes |
//! | meta | `head` | seq (8 bytes), hash (32 bytes) of the newest event |
//! | meta | `format` | the version of this table |
//!
//! All events of a batch have few kinds, so their index takes a row a kind and batch: a third less to write than a row
//! an event.

use crate::Hash;
use crate::store::Row;

pub(crate) const HEAD: &[u8] = b"head";
pub(crate) const FORMAT: &[u8] = b"format";
pub(crate) const FORMAT_NOW: &[u8] = b"3";
/// The first has every event in full, both have a row of the kinds' index for each event; this version reads that too.
pub(crate) const FORMATS_BEFORE: [&[u8]; 2] = [b"1", b"2"];

pub(crate) fn event_key(seq: u64) -> Vec<u8> {
    seq.to_be_bytes().to_vec()
}

/// Subjects and kinds have no zero byte, so no name is a prefix of another's rows.
pub(crate) fn index_key(name: &str, seq: u64) -> Vec<u8> {
    [name.as_bytes(), &[0], &seq.to_be_bytes()].concat()
}

pub(crate) fn index_prefix(name: &str) -> Vec<u8> {
    [name.as_bytes(), &[0]].concat()
}

/// The value of an index row for the events of one name, `seqs` in order, whose last is in the row's key.
pub(crate) fn index_value(seqs: &[u64]) -> Vec<u8> {
    let Some((last, earlier)) = seqs.split_last() else {
        return Vec::new();
    };
    let distance = |seq: &u64| u32::try_from(last - seq).unwrap_or(u32::MAX).to_be_bytes();
    earlier.iter().flat_map(distance).collect()
}

/// The name and the seqs of an index row, in order; `None` if it is none.
pub(crate) fn split_index_row((key, value): &Row) -> Option<(&str, Vec<u64>)> {
    let (name, last) = split_index_key(key)?;
    let (distances, rest) = value.as_chunks::<4>();
    let seq = |distance: &[u8; 4]| last.checked_sub(u32::from_be_bytes(*distance).into());
    let mut seqs: Vec<u64> = distances.iter().map(seq).collect::<Option<_>>()?;
    seqs.push(last);
    (rest.is_empty() && seqs.is_sorted_by(|a, b| a < b)).then_some((name, seqs))
}

/// The name and seq of an index row's key, `None` if it is none.
fn split_index_key(key: &[u8]) -> Option<(&str, u64)> {
    let (rest, seq) = key.split_last_chunk::<8>()?;
    let name = std::str::from_utf8(rest.strip_suffix(&[0])?).ok()?;
    Some((name, u64::from_be_bytes(*seq)))
}

pub(crate) fn seq_of_event_key(key: &[u8]) -> Option<u64> {
    key.try_into().ok().map(u64::from_be_bytes)
}

pub(crate) fn head_row(seq: u64, hash: &Hash) -> Vec<u8> {
    [seq.to_be_bytes().as_slice(), hash.as_bytes()].concat()
}

pub(crate) fn split_head_row(row: &[u8]) -> Option<(u64, Hash)> {
    let (seq, hash) = row.split_first_chunk::<8>()?;
    Some((
        u64::from_be_bytes(*seq),
        Hash::from(<[u8; 32]>::try_from(hash).ok()?),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_read_back_as_written(name in "[^\0]{1,40}", seq: u64, bytes: [u8; 32]) {
            let hash = Hash::from(bytes);
            let index = (index_key(&name, seq), Vec::new());
            prop_assert_eq!(split_index_row(&index), Some((name.as_str(), vec![seq])));
            prop_assert_eq!(split_head_row(&head_row(seq, &hash)), Some((seq, hash)));
            prop_assert_eq!(seq_of_event_key(&event_key(seq)), Some(seq));
        }

        #[test]
        fn the_events_of_a_batch_share_an_index_row(seqs in prop::collection::btree_set(1_u64..5_000, 1..400)) {
            let seqs: Vec<u64> = seqs.into_iter().collect();
            let row = (index_key("a", seqs[seqs.len() - 1]), index_value(&seqs));
            prop_assert_eq!(split_index_row(&row), Some(("a", seqs)));
        }

        #[test]
        fn arbitrary_rows_never_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..60),
            value in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let _ = (split_head_row(&bytes), seq_of_event_key(&bytes));
            let row = (bytes, value);
            let Some((_, seqs)) = split_index_row(&row) else { return Ok(()) };
            prop_assert!(seqs.is_sorted());
        }

        #[test]
        fn index_rows_of_one_name_sort_by_seq(name in "[^\0]{1,9}", a: u64, b: u64) {
            prop_assert_eq!(index_key(&name, a).cmp(&index_key(&name, b)), a.cmp(&b));
        }
    }
}
